//! A certificate is good for one block of one chain, with a quorum of its validators.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::crypto::{CryptoSuite, SecretKey, Signer};
use crate::genesis::Validator;
use crate::test_values;

const COUNT: u8 = 7;

fn key(n: u8) -> SecretKey {
    SecretKey::ed25519([n + 1; 32])
}

fn validators() -> ValidatorSet {
    let validator = |n| Validator { name: format!("validator-{n}"), key: key(n).public_key() };
    ValidatorSet::new((0..COUNT).map(validator).collect()).unwrap()
}

fn chain() -> ChainIdentity {
    test_values::genesis().identity()
}

fn header() -> Header {
    Header { validators: validators().hash(CryptoSuite::Standard), ..test_values::header() }
}

fn certificate(signers: &[u8]) -> Certificate {
    let header = header();
    let mut certificate = Certificate {
        height: header.height,
        round: header.round,
        epoch: header.epoch,
        block_hash: header.hash(),
        signatures: Vec::new(),
    };
    let bytes = certificate.sign_bytes(&chain());
    certificate.signatures = signers.iter().map(|n| (u32::from(*n), key(*n).sign(&bytes).unwrap())).collect();
    certificate
}

fn verify(certificate: &Certificate) -> Result<(), CertificateError> {
    certificate.verify(&chain(), &validators(), &header())
}

#[test]
fn a_quorum_is_enough_and_less_is_not() {
    assert_eq!(verify(&certificate(&[0, 1, 2, 3, 4, 5, 6])), Ok(()));
    assert_eq!(verify(&certificate(&[0, 2, 3, 5, 6])), Ok(()));
    assert_eq!(verify(&certificate(&[0, 2, 3, 5])), Err(CertificateError::NoQuorum { found: 4, quorum: 5 }));
    assert_eq!(verify(&certificate(&[])), Err(CertificateError::NoQuorum { found: 0, quorum: 5 }));
}

#[test]
fn nobody_signs_twice_or_from_outside() {
    assert_eq!(verify(&certificate(&[0, 1, 1, 2, 3])), Err(CertificateError::Order { index: 1 }));
    assert_eq!(verify(&certificate(&[1, 0, 2, 3, 4])), Err(CertificateError::Order { index: 0 }));
    let outside = CertificateError::NoSuchValidator { index: 7, count: 7 };
    assert_eq!(verify(&certificate(&[0, 1, 2, 3, 7])), Err(outside));
    let mut certificate = certificate(&[0, 1, 2, 3, 4]);
    certificate.signatures[4].0 = u32::MAX;
    assert!(matches!(verify(&certificate), Err(CertificateError::NoSuchValidator { .. })));
}

#[test]
fn every_signature_must_be_good() {
    let all = [0, 1, 2, 3, 4, 5, 6];
    for n in 0..usize::from(COUNT) {
        let mut bad = certificate(&all);
        bad.signatures[n].1.0[5] ^= 1;
        assert_eq!(verify(&bad), Err(CertificateError::BadSignature { index: n as u32 }));
    }
    let mut swapped = certificate(&all);
    swapped.signatures[0].1 = swapped.signatures[1].1;
    assert_eq!(verify(&swapped), Err(CertificateError::BadSignature { index: 0 }));
}

#[test]
fn it_is_for_one_block_only() {
    let good = certificate(&[0, 1, 2, 3, 4]);
    let (chain, validators, header) = (chain(), validators(), header());
    let check = |certificate: &Certificate, header: &Header| certificate.verify(&chain, &validators, header);

    let higher = Header { height: header.height.next(), ..header.clone() };
    assert!(matches!(check(&good, &higher), Err(CertificateError::WrongHeight { .. })));
    let later = Header { epoch: Epoch(header.epoch.0 + 1), ..header.clone() };
    assert!(matches!(check(&good, &later), Err(CertificateError::WrongEpoch { .. })));
    let other_set = Header { validators: Hash::ZERO, ..header.clone() };
    assert!(matches!(check(&good, &other_set), Err(CertificateError::WrongValidators { .. })));
    let other_block = Header { state_root: Hash::ZERO, ..header.clone() };
    assert!(matches!(check(&good, &other_block), Err(CertificateError::WrongBlock { .. })));
    // The round is not the header's business, but it is signed.
    let other_round = Certificate { round: Round(good.round.0 + 1), ..good };
    assert!(matches!(check(&other_round, &header), Err(CertificateError::BadSignature { index: 0 })));
}

#[test]
fn it_is_for_one_chain_only() {
    let good = certificate(&[0, 1, 2, 3, 4]);
    let check = |chain: ChainIdentity| good.verify(&chain, &validators(), &header());
    let bad = Err(CertificateError::BadSignature { index: 0 });
    assert_eq!(check(ChainIdentity { chain_id: "other".into(), ..chain() }), bad);
    assert_eq!(check(ChainIdentity { group_id: "other".into(), ..chain() }), bad);
    assert_eq!(check(ChainIdentity { genesis: Hash::ZERO, ..chain() }), bad);
    // Lengths are part of the bytes: letters can't move from one id into the other.
    assert_eq!(check(ChainIdentity { chain_id: "chaing".into(), group_id: "roup".into(), ..chain() }), bad);
}

#[test]
fn of_many_certificates_the_first_bad_one_is_named() {
    let (header, good) = (header(), certificate(&[0, 1, 2, 3, 4]));
    let all = |certificates: &[Certificate]| {
        let blocks: Vec<_> = certificates.iter().map(|certificate| (certificate, &header)).collect();
        Certificate::verify_all(&chain(), &validators(), &blocks)
    };
    assert_eq!(all(&[]), Ok(()));
    assert_eq!(all(&[good.clone(), good.clone(), certificate(&[2, 3, 4, 5, 6])]), Ok(()));
    let mut forged = good.clone();
    forged.signatures[3].1 = forged.signatures[2].1;
    let bad = CertificateError::BadSignature { index: 3 };
    assert_eq!(all(&[good.clone(), forged.clone(), forged]), Err((1, bad)));
    assert!(matches!(all(&[good, certificate(&[0])]), Err((1, CertificateError::NoQuorum { .. }))));
}
