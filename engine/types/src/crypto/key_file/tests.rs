//! Keys that this crate wrote, keys that openssl wrote (`openssl/`), and files that are neither.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::crypto::{PublicKey, Signature, Signer};

const ED25519_PLAIN: &str = include_str!("openssl/ed.pem");
const ED25519_SCRYPT: &str = include_str!("openssl/ed-scrypt.pem");
const SECP256K1_PLAIN: &str = include_str!("openssl/ec.pem");
const SECP256K1_PBKDF2: &str = include_str!("openssl/ec-pbkdf2.pem");
const SM2_PLAIN: &str = include_str!("openssl/sm2.pem");
const P256_PLAIN: &str = include_str!("openssl/p256.pem");

/// As `openssl pkey -text` prints them.
const ED25519_PUBLIC: &str = "ed25519:de8be4f3fee533c92edb61715811c1561082d15da408557fed8c176c6dd1facd";
const SECP256K1_PUBLIC: &str = "secp256k1:02958c73e352446dcce3a4edb81c7cc7eef9a3bda6078b2c2594454a872bdbdd89";
const SM2_PUBLIC: &str = "sm2:036fa9e10d383ac8b6bdffa349838be8e49cf5e74c245d9a0f0aa808db98b5e198";
/// `openssl pkeyutl -sign -rawin -digest sm3 -pkeyopt distid:1234567812345678`, without what says which number is which.
const SM2_SIGNATURE: &str = "e492462cc7989c1d8315e7b6d4d29acefdfccc55822079d1b0e4ae29cb30f9bc\
    d9ffbf370b0684c366b1c1e19fd7c2be9b521549dfad68e46c46767eebcf2c8f";

fn keys() -> [SecretKey; 3] {
    [SecretKey::ed25519([7; 32]), SecretKey::secp256k1([8; 32]).unwrap(), SecretKey::sm2([9; 32]).unwrap()]
}

#[test]
fn what_is_written_can_be_read() {
    for key in keys() {
        let public = key.public_key();
        let text = to_pem(&key, b"secret", [5; 32]).unwrap();
        assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
        assert_eq!(from_pem(&text, b"secret").unwrap().public_key(), public);
        assert_eq!(from_pem(&text, b"Secret").unwrap_err(), KeyFileError::WrongPassword);
        assert_ne!(to_pem(&key, b"secret", [6; 32]).unwrap(), text, "the entropy is used");
        assert_eq!(from_plain_pem(&to_plain_pem(&key)).unwrap().public_key(), public);
    }
}

#[test]
fn what_openssl_wrote_can_be_read() {
    assert_eq!(from_plain_pem(ED25519_PLAIN).unwrap().public_key().to_string(), ED25519_PUBLIC);
    assert_eq!(from_pem(ED25519_SCRYPT, b"secret").unwrap().public_key().to_string(), ED25519_PUBLIC);
    assert_eq!(from_plain_pem(SECP256K1_PLAIN).unwrap().public_key().to_string(), SECP256K1_PUBLIC);
    assert_eq!(from_pem(SECP256K1_PBKDF2, b"secret").unwrap().public_key().to_string(), SECP256K1_PUBLIC);
    assert_eq!(from_plain_pem(SM2_PLAIN).unwrap().public_key().to_string(), SM2_PUBLIC);
}

#[test]
fn what_openssl_signed_by_sm2_is_good() {
    let key: PublicKey = SM2_PUBLIC.parse().unwrap();
    let signature = Signature(const_hex::decode_to_array(SM2_SIGNATURE).unwrap());
    assert_eq!(key.verify(b"bytes that openssl signed", &signature), Ok(()));
    assert!(key.verify(b"bytes that openssl signed.", &signature).is_err());
}

#[test]
fn plain_keys_are_taken_and_written_on_purpose_only() {
    assert_eq!(from_pem(ED25519_PLAIN, b"secret").unwrap_err(), KeyFileError::NotEncrypted);
    assert!(matches!(from_plain_pem(ED25519_SCRYPT), Err(KeyFileError::OtherContent { .. })));
    assert_eq!(to_pem(&keys()[0], b"", [5; 32]).unwrap_err(), KeyFileError::EmptyPassword);
}

#[test]
fn what_is_no_key_of_ours_is_refused() {
    let p256 = KeyFileError::Algorithm { oid: "1.2.840.10045.3.1.7".into() };
    assert_eq!(from_plain_pem(P256_PLAIN).unwrap_err(), p256);
    assert!(matches!(from_plain_pem("no key"), Err(KeyFileError::NotPem { .. })));
    assert!(matches!(from_pem("", b"secret"), Err(KeyFileError::NotPem { .. })));
    let certificate = ED25519_PLAIN.replace("PRIVATE KEY", "CERTIFICATE");
    assert!(matches!(from_plain_pem(&certificate), Err(KeyFileError::OtherContent { .. })));
}

#[test]
fn costs_that_would_stop_the_process_are_refused() {
    let sealed = |kdf: pbes2::Kdf| {
        let encryption = pbes2::EncryptionScheme::Aes256Cbc { iv: [0; 16] };
        check_derivation(&pbes2::Parameters { kdf, encryption }.into())
    };
    let scrypt = |cost_parameter, block_size, parallelization| {
        let salt = pbes2::Salt::new([0u8; 16]).unwrap();
        let cost = pbes2::ScryptParams { salt, cost_parameter, block_size, parallelization, key_length: None };
        sealed(cost.into())
    };
    assert_eq!(scrypt(1 << 17, 8, 1), Ok(()));
    for (n, r, p) in [(0, 8, 1), (1, 8, 1), (3, 8, 1), (1 << 40, 8, 1), (1 << 63, u16::MAX, 1), (1 << 14, 8, u16::MAX)]
    {
        assert_eq!(scrypt(n, r, p), Err(KeyFileError::Derivation), "{n} {r} {p}");
    }
    let pbkdf2 = |iterations| sealed(pbes2::Pbkdf2Params::hmac_sha256(iterations, &[0; 16]).unwrap().into());
    assert_eq!(pbkdf2(600_000), Ok(()));
    assert_eq!(pbkdf2(100_000_000), Err(KeyFileError::Derivation));
}

#[test]
fn damage_is_no_reason_to_panic() {
    let (mut opened, mut refused) = (0, 0);
    for (text, password) in [(SECP256K1_PBKDF2, Some(b"secret")), (SECP256K1_PLAIN, None), (ED25519_PLAIN, None)] {
        for (at, bit) in (0..text.len()).flat_map(|at| [(at, 1), (at, 16)]) {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= bit;
            let damaged = String::from_utf8(bytes).unwrap();
            let key = password.map_or_else(|| from_plain_pem(&damaged), |password| from_pem(&damaged, password));
            // There is no checksum, so a change of the secret itself gives another key.
            let counter = if key.is_ok() { &mut opened } else { &mut refused };
            *counter += 1;
        }
    }
    assert!(refused > opened && opened > 0, "{opened} opened, {refused} refused");
}
