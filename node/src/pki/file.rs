//! Certificates in files, as PEM.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;
use x509_cert::der::pem::{LineEnding, decode_vec, encode_string};

use super::certificate::{Authority, Certificate, CertificateError};

/// What PEM calls a certificate.
const LABEL: &str = "CERTIFICATE";
/// Longest file that is read.
const FILE_BYTES: u64 = 64 << 10;

/// A file that gives no certificate.
#[derive(Debug, Error)]
pub(crate) enum CertificateFileError {
    /// It can't be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It has no certificate.
    #[error("{}: {error}", path.display())]
    Pem {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        error: PemError,
    },
}

/// A text that is no certificate.
#[derive(Debug, Error)]
pub(crate) enum PemError {
    /// It is no PEM.
    #[error("there is no certificate in PEM: one begins with -----BEGIN CERTIFICATE-----")]
    Form,
    /// It is PEM of something else.
    #[error("there is PEM of another thing: {0:?}")]
    Other(String),
    /// It is none that nodes take.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// The certificate in a text.
pub(crate) fn from_pem(text: &str) -> Result<Certificate, PemError> {
    let (label, der) = decode_vec(text.trim_start().as_bytes()).map_err(|_| PemError::Form)?;
    if label != LABEL {
        return Err(PemError::Other(label.chars().filter(|char| !char.is_control()).collect()));
    }
    Ok(Certificate::from_der(&der)?)
}

/// A certificate as text.
pub(crate) fn to_pem(certificate: &Certificate) -> String {
    // Only what is longer than any certificate can't be encoded.
    encode_string(LABEL, LineEnding::LF, certificate.der()).unwrap_or_default()
}

/// The certificate in a file.
pub(crate) fn read(path: &Path) -> Result<Certificate, CertificateFileError> {
    let failed = |error| CertificateFileError::File { path: path.into(), error };
    let mut text = String::new();
    fs::File::open(path).map_err(failed)?.take(FILE_BYTES).read_to_string(&mut text).map_err(failed)?;
    from_pem(&text).map_err(|error| CertificateFileError::Pem { path: path.into(), error })
}

/// The authority's certificate in a file.
pub(crate) fn read_authority(path: &Path) -> Result<Authority, CertificateFileError> {
    let authority = Authority::new(read(path)?);
    authority.map_err(|error| CertificateFileError::Pem { path: path.into(), error: error.into() })
}

/// Writes a certificate, in the place of the one that is there: a reader finds the old one or the new one, never half of it.
pub(crate) fn write(path: &Path, certificate: &Certificate) -> Result<(), CertificateFileError> {
    let failed = |error| CertificateFileError::File { path: path.into(), error };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut draft = tempfile::Builder::new().permissions(public()).tempfile_in(folder).map_err(failed)?;
    io::Write::write_all(&mut draft, to_pem(certificate).as_bytes()).map_err(failed)?;
    draft.as_file().sync_all().map_err(failed)?;
    draft.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Certificates are no secrets.
fn public() -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o644)
}
