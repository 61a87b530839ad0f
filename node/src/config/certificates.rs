//! The certificates that a configuration names, and whether they will do.

use hanse_types::crypto::PublicKey;

use super::check::Report;
use super::load::Loaded;
use crate::p2p::trust::{TrustFiles, WARN};
use crate::pki::file::{read, read_authority};
use crate::pki::{self, Authority, Certificate, date, in_words};

/// The files.
pub(crate) fn trust(loaded: &Loaded) -> TrustFiles {
    let network = &loaded.config.network;
    let certificate = &network.certificate;
    TrustFiles {
        certificate: (!certificate.as_os_str().is_empty()).then(|| loaded.resolve(certificate)),
        authorities: network.authorities.iter().map(|path| loaded.resolve(path)).collect(),
    }
}

/// Whether the certificates let this node in elsewhere, and others in here, at this time.
pub(super) fn check(loaded: &Loaded, key: Option<PublicKey>, report: &mut Report) {
    let files = trust(loaded);
    let (own, of_authorities) = (loaded.origin("network", "certificate"), loaded.origin("network", "authorities"));
    let mut authorities = Vec::new();
    for path in &files.authorities {
        match read_authority(path) {
            Ok(authority) => authorities.push(authority),
            Err(error) => report.problems.add(of_authorities, format!("network.authorities: {error}")),
        }
    }
    for authority in &authorities {
        if let Some(text) = judged(authority.certificate()) {
            report.notes.add(of_authorities, format!("network.authorities: {text}"));
        }
    }
    let Some(path) = &files.certificate else {
        if !files.authorities.is_empty() {
            let text = "network.certificate: there is none, so nodes that want one refuse this node; its authority makes it \
                        with `hanse ca issue`";
            report.notes.add(own, text);
        }
        return;
    };
    let certificate = match read(path) {
        Ok(certificate) => certificate,
        Err(error) => return report.problems.add(own, format!("network.certificate: {error}")),
    };
    if let Some(Err(error)) = key.map(|key| certificate.check_key(key)) {
        report.problems.add(own, format!("network.certificate: {error}"));
    }
    if let Some(text) = judged(&certificate) {
        report.notes.add(own, format!("network.certificate: {text}"));
    }
    if let Some(text) = by_whom(&certificate, &authorities) {
        report.notes.add(own, format!("network.certificate: {text}"));
    }
}

/// What is to be said of when a certificate holds; nothing while there is time.
pub(crate) fn judged(certificate: &Certificate) -> Option<String> {
    let now = pki::now();
    if let Err(error) = certificate.check_time(now) {
        return Some(error.to_string());
    }
    let left = certificate.until() - now;
    let (until, left_text) = (date(certificate.until()), in_words(left));
    (left < WARN).then(|| format!("the certificate of {certificate} ends on {until}, in {left_text}; `hanse ca renew`"))
}

/// What is wrong with who made the node's certificate, as far as can be seen here.
fn by_whom(certificate: &Certificate, authorities: &[Authority]) -> Option<String> {
    if authorities.is_empty() {
        return None;
    }
    let error = certificate.authority(authorities.iter()).err()?;
    Some(format!("{error}; nodes that trust the same authorities refuse this one"))
}
