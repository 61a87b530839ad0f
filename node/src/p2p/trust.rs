//! The certificates that a node's configuration names: read when it starts, and again when their files change.
//!
//! So a certificate is renewed by writing the new one in the place of the old one. A file that can't be used changes
//! nothing: what was read before goes on to count, and the log says what is wrong.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hanse_types::crypto::PublicKey;
use thiserror::Error;
use tokio::time::Instant;

use super::admission::Admission;
use crate::pki::file::{CertificateFileError, read, read_authority};
use crate::pki::{self, Authority, Certificate, CertificateError, DAY, date, in_words};

/// Between two looks at the files.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// A certificate that ends within so many seconds is warned of,
pub(crate) const WARN: u64 = 30 * DAY;
/// each time so long has passed.
const WARN_INTERVAL: Duration = Duration::from_secs(DAY);

/// Which files.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrustFiles {
    /// The node's certificate.
    pub(crate) certificate: Option<PathBuf>,
    /// Certificates of authorities.
    pub(crate) authorities: Vec<PathBuf>,
}

/// What they say.
pub(super) type Trust = (Option<Arc<Certificate>>, Vec<Authority>);

/// Why files can't be used.
#[derive(Debug, Error)]
pub(crate) enum TrustError {
    /// One has no certificate of the right kind.
    #[error(transparent)]
    File(#[from] CertificateFileError),
    /// The node's certificate is another's.
    #[error("{}: {error}", path.display())]
    Own {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: CertificateError,
    },
}

impl TrustFiles {
    /// Reads them, for the node with this key.
    pub(crate) fn read(&self, key: PublicKey) -> Result<Trust, TrustError> {
        let authorities = self.authorities.iter().map(|path| read_authority(path)).collect::<Result<_, _>>()?;
        let Some(path) = &self.certificate else { return Ok((None, authorities)) };
        let own = read(path)?;
        own.check_key(key).map_err(|error| TrustError::Own { path: path.clone(), error })?;
        Ok((Some(Arc::new(own)), authorities))
    }
}

/// Follows the files, if there are any, until the task is ended.
pub(super) async fn follow(files: TrustFiles, key: PublicKey, admission: Arc<Admission>) {
    if files.certificate.is_none() && files.authorities.is_empty() {
        return;
    }
    let mut warned: Option<Instant> = None;
    let mut complained = String::new();
    loop {
        if warned.is_none_or(|at| at.elapsed() >= WARN_INTERVAL) {
            warn_of_ends(&admission);
            warned = Some(Instant::now());
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
        let look = files.clone();
        let Ok(found) = tokio::task::spawn_blocking(move || look.read(key)).await else { return };
        match found {
            Err(error) => {
                let text = error.to_string();
                if text != complained {
                    tracing::warn!(error = %text, "certificates can't be read anew; those before go on to count");
                    complained = text;
                }
            }
            Ok(found) => {
                complained.clear();
                if take(&admission, found) {
                    warned = None;
                }
            }
        }
    }
}

/// Makes them count, if they are others than before; whether they are.
fn take(admission: &Admission, (certificate, authorities): Trust) -> bool {
    let is_same = admission.with(|rules| {
        let before = &rules.configuration;
        before.certificate == certificate && before.authorities == authorities
    });
    if is_same {
        return false;
    }
    if let Some(own) = &certificate {
        tracing::info!(certificate = %own, until = date(own.until()), authorities = authorities.len(), "certificates were read anew");
    }
    admission.change(|rules| {
        rules.configuration.certificate = certificate;
        rules.configuration.authorities = authorities;
    });
    true
}

fn warn_of_ends(admission: &Admission) {
    let now = pki::now();
    admission.with(|rules| {
        let authorities = rules.configuration.authorities.iter().map(Authority::certificate);
        for certificate in rules.configuration.certificate.as_deref().into_iter().chain(authorities) {
            if let Err(error) = certificate.check_time(now) {
                tracing::error!(%error, "nodes that need this certificate refuse each other");
            } else if certificate.until() - now < WARN {
                let left = in_words(certificate.until() - now);
                tracing::warn!(%certificate, until = date(certificate.until()), %left, "a certificate ends soon");
            }
        }
    });
}
