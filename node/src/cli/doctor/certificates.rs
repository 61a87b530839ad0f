//! The certificates that a configuration names: whose they are, by whom, until when, and what this machine's clock says of
//! that. What is wrong with them is told with the rest of the configuration.

use super::Finding;
use crate::config::{self, Loaded};
use crate::pki::file::{read, read_authority};
use crate::pki::{self, Certificate, date, in_words};

const ABOUT: &str = "certificates";

/// Looks at those that do.
pub(super) fn look(loaded: Option<&Loaded>, findings: &mut Vec<Finding>) {
    let Some(files) = loaded.map(config::trust) else { return };
    let own = files.certificate.iter().filter_map(|path| read(path).ok());
    let authorities = files.authorities.iter().filter_map(|path| read_authority(path).ok());
    for certificate in own.chain(authorities.map(|authority| authority.certificate().clone())) {
        findings.extend(good(&certificate));
    }
}

fn good(certificate: &Certificate) -> Option<Finding> {
    let now = pki::now();
    certificate.check_time(now).ok()?;
    let (until, left, clock) = (date(certificate.until()), in_words(certificate.until() - now), date(now));
    let (key, by) = (certificate.key(), certificate.issuer());
    let text = match certificate.is_authority() {
        true => format!("nodes certified by {certificate} are let in, until {until}"),
        false => format!("{certificate}, for {key}, by {by}, until {until}: {left} left, as this clock says {clock}"),
    };
    Some(Finding::ok(ABOUT, text))
}
