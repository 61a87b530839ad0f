//! Certificates of two organisations: made, checked, mutated.
#![allow(clippy::unwrap_used)]

use hanse_types::crypto::{PublicKey, SecretKey, Signer};

use super::issue::{self, IssueError, Span};
use super::*;
use crate::random::Random;

const NOW: u64 = 1_800_000_000;
const YEAR: Span = Span { from: NOW, until: NOW + 365 * DAY };

fn key(byte: u8) -> SecretKey {
    SecretKey::ed25519([byte; 32])
}

fn authority(byte: u8, organisation: &str) -> Authority {
    issue::authority(organisation, &key(byte), YEAR).unwrap()
}

fn node(by: u8, authority: &Authority, byte: u8) -> Certificate {
    issue::node(authority, &key(by), &format!("node-{byte}"), key(byte).public_key(), YEAR).unwrap()
}

#[test]
fn what_was_made_is_read_and_says_what_was_asked() {
    let bank = authority(1, "Bank One");
    let made = node(1, &bank, 7);
    assert_eq!(Certificate::from_der(made.der()).unwrap(), made);
    assert_eq!(file::from_pem(&file::to_pem(&made)).unwrap(), made);
    assert_eq!((made.name(), made.organisation()), ("node-7".into(), "Bank One".into()));
    assert_eq!((made.from(), made.until(), made.is_authority()), (YEAR.from, YEAR.until, false));
    assert_eq!(made.key(), key(7).public_key());
    assert_ne!(made.serial(), node(1, &bank, 7).serial());
    assert!(bank.certificate().is_authority());
    assert_eq!(Authority::from_der(bank.certificate().der()).unwrap(), bank);
    assert_eq!(made.authority([authority(2, "Bank Two"), bank.clone()].iter()).unwrap(), &bank);
}

#[test]
fn who_did_not_sign_certifies_nobody() {
    let (bank, other, same_name) = (authority(1, "Bank One"), authority(2, "Bank Two"), authority(3, "Bank One"));
    let made = node(1, &bank, 7);
    let unknown = made.authority([other.clone()].iter()).unwrap_err();
    assert!(matches!(unknown, CertificateError::UnknownAuthority { .. }), "{unknown}");
    assert!(unknown.to_string().contains("O=Bank One"), "{unknown}");
    let forged = made.authority([same_name].iter()).unwrap_err();
    assert!(matches!(forged, CertificateError::Signature(..)), "{forged}");
    let error = issue::node(&bank, &key(2), "node-1", key(7).public_key(), YEAR).unwrap_err();
    assert!(matches!(error, IssueError::OtherAuthority { .. }));
    // A node can't be an authority, nor the other way round.
    assert!(matches!(Authority::new(made), Err(CertificateError::NotAnAuthority(_))));
    let own = bank.certificate().check_key(key(1).public_key()).unwrap_err();
    assert!(matches!(own, CertificateError::NotANode(_)));
}

#[test]
fn a_certificate_is_for_one_key_and_for_its_time() {
    let bank = authority(1, "Bank One");
    let made = node(1, &bank, 7);
    assert_eq!(made.check_key(key(7).public_key()), Ok(()));
    let other = made.check_key(key(8).public_key()).unwrap_err();
    assert!(matches!(other, CertificateError::OtherKey { .. }));
    assert_eq!((made.check_time(YEAR.from), made.check_time(YEAR.until)), (Ok(()), Ok(())));
    let early = made.check_time(YEAR.from - 1).unwrap_err();
    assert!(matches!(early, CertificateError::NotYet { .. }) && early.to_string().contains("1 second from now"));
    let late = made.check_time(YEAR.until + 3 * DAY).unwrap_err();
    assert!(matches!(late, CertificateError::Expired { .. }) && late.to_string().contains("3 days ago"), "{late}");
    // None holds longer than its authority's.
    let long = Span { from: 0, until: NOW + 10_000 * DAY };
    let long = issue::node(&bank, &key(1), "node-7", key(7).public_key(), long).unwrap();
    assert_eq!((long.from(), long.until()), (YEAR.from, YEAR.until));
    assert_eq!(date(NOW), "2027-01-15T08:00:00Z");
}

#[test]
fn names_that_are_none_and_other_kinds_of_keys_get_no_certificate() {
    for name in ["", " Bank", "Bank,O=Other", "Bank\n", "a\"b", &"x".repeat(65)] {
        assert!(matches!(issue::authority(name, &key(1), YEAR), Err(IssueError::Name(_))), "{name:?}");
    }
    assert_eq!(authority(1, "Banque Générale").certificate().organisation(), "Banque Générale");
    let client = SecretKey::secp256k1([1; 32]).unwrap();
    assert!(matches!(issue::authority("Bank", &client, YEAR), Err(IssueError::Key(_))));
    let node = issue::node(&authority(1, "Bank"), &key(1), "node", client.public_key(), YEAR);
    assert!(matches!(node, Err(IssueError::Key(PublicKey::Secp256k1(_)))));
    assert!(file::from_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").is_err());
    assert!(matches!(file::from_pem("nothing"), Err(file::PemError::Form)));
}

/// A certificate of which a byte differs is another one, that nobody signed: it is refused, however it was changed.
#[test]
fn mutated_certificates_are_refused() {
    let bank = authority(1, "Bank One");
    let whole = node(1, &bank, 7).der().to_vec();
    let mut random = Random::new(6);
    let (mut read, mut malformed) = (0, 0);
    for _ in 0..200_000 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(6) {
                0..3 => bytes[at] ^= 1 << random.below(8),
                3 => bytes[at] = random.below(256) as u8,
                4 if bytes.len() > 1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, random.below(256) as u8),
            }
        }
        if bytes == whole {
            continue;
        }
        match Certificate::from_der(&bytes) {
            Ok(certificate) => {
                assert_eq!(certificate.der(), bytes);
                let told = format!("{certificate} {} {}", certificate.issuer(), date(certificate.until()));
                assert!(!told.contains(|char: char| char.is_control()));
                assert!(certificate.authority([bank.clone()].iter()).is_err());
                read += 1;
            }
            Err(_) => malformed += 1,
        }
    }
    assert!(read > 1_000 && malformed > 1_000, "{read} read, {malformed} malformed");
}
