//! Secret keys as text: PKCS#8 in PEM, which openssl reads and writes too.
//!
//! Encrypted with a password: scrypt, then AES-256-CBC. Reading and writing the file, its mode and where the password
//! comes from are the caller's; so is the entropy. Keys without a password have functions of their own, so that nobody
//! writes or takes one by mistake.

use pkcs8::der::asn1::{AnyRef, OctetStringRef};
use pkcs8::der::{self, Decode, Reader, SecretDocument, SliceReader, pem::PemLabel};
use pkcs8::pkcs5::{EncryptionScheme, pbes2, scrypt};
use pkcs8::spki::AlgorithmIdentifierRef;
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, ObjectIdentifier, PrivateKeyInfoRef};
use thiserror::Error;
use zeroize::Zeroizing;

use super::SecretKey;

const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SM2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.301");
const SECP256K1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.10");

/// ASN.1 OCTET STRING of 32 bytes, which is an ed25519 private key.
const ED25519_PREFIX: [u8; 2] = [0x04, 0x20];
/// ASN.1 SEQUENCE of INTEGER 1 and OCTET STRING of 32 bytes, which is the least ECPrivateKey.
const EC_PREFIX: [u8; 7] = [0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x20];

/// scrypt's N, as a power of two, and r: 16 MiB, the most that openssl takes without being told to.
const SCRYPT_LOG_N: u8 = 14;
const SCRYPT_R: u32 = 8;
/// scrypt's p: with the above, what OWASP asks for at least.
const SCRYPT_P: u32 = 5;

/// Most memory that the password's derivation may ask for, in bytes.
const DERIVATION_BYTES: u64 = 256 << 20;
/// Most steps that it may ask for: N·r·p of scrypt, iterations of PBKDF2. Some seconds.
const DERIVATION_STEPS: u64 = 1 << 24;

/// Why a text holds no key that can be used, or a key can't be written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyFileError {
    /// The text is no PEM.
    #[error("the key file is not in PEM format: {reason}")]
    NotPem {
        /// What is wrong, in words.
        reason: String,
    },
    /// The text holds something else, for instance a certificate.
    #[error("the key file holds a {found:?}; expected is a {expected:?}")]
    OtherContent {
        /// Its PEM label.
        found: String,
        /// The label that it should have.
        expected: &'static str,
    },
    /// The key has no password, but needs one.
    #[error("the key file is not encrypted; encrypt it with a password, or allow plain keys, for development only")]
    NotEncrypted,
    /// Encrypting asks for a password.
    #[error("the password is empty; give one, or write a plain key, for development only")]
    EmptyPassword,
    /// The password is wrong, or the file is damaged; which of these can't be told.
    #[error("the key file does not open: the password is wrong or the file is damaged")]
    WrongPassword,
    /// The file is encrypted in a way that this crate does not read.
    #[error("the key file is encrypted with an unknown scheme; expected are PBES2 with scrypt or PBKDF2, and AES")]
    Scheme,
    /// Opening it would take too long or too much memory, whoever wrote it.
    #[error("the key file's password derivation asks for too much memory or time")]
    Derivation,
    /// The key is of an algorithm that no chain uses.
    #[error("the key file holds a key of the algorithm {oid}; expected are ed25519, secp256k1 and SM2")]
    Algorithm {
        /// The algorithm's object identifier.
        oid: String,
    },
    /// The content is not what it says it is.
    #[error("the key file's content is no valid PKCS#8 key: {reason}")]
    Malformed {
        /// What is wrong, in words, without any of the key.
        reason: String,
    },
}

/// The key, encrypted with a password. `entropy` is used once: 32 fresh random bytes.
///
/// Takes a tenth of a second and 16 MiB, on purpose.
///
/// # Errors
/// If the password is empty.
pub fn to_pem(key: &SecretKey, password: &[u8], entropy: [u8; 32]) -> Result<Zeroizing<String>, KeyFileError> {
    if password.is_empty() {
        return Err(KeyFileError::EmptyPassword);
    }
    let (salt, iv) = entropy.split_at(16);
    let cost = scrypt::Params::new(SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P).expect("constants within scrypt's range");
    let iv = iv.try_into().expect("half of 32 bytes");
    let scheme = pbes2::Parameters::generate_scrypt_aes256cbc(cost, salt, iv).expect("16 bytes of salt are allowed");
    let plain = private_key_info(key);
    let sealed = pbes2_seal(&scheme, password, plain.as_bytes());
    Ok(pem(&sealed, EncryptedPrivateKeyInfoRef::PEM_LABEL))
}

/// The key without a password, for development.
pub fn to_plain_pem(key: &SecretKey) -> Zeroizing<String> {
    pem(&private_key_info(key), PrivateKeyInfoRef::PEM_LABEL)
}

/// The key of an encrypted key file.
///
/// # Errors
/// If the text is no encrypted key file, the password is wrong, or the key is of an unknown algorithm.
pub fn from_pem(text: &str, password: &[u8]) -> Result<SecretKey, KeyFileError> {
    let document = content(text, EncryptedPrivateKeyInfoRef::PEM_LABEL)?;
    let sealed = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()).map_err(malformed)?;
    check_derivation(&sealed.encryption_algorithm)?;
    let plain = sealed.decrypt(password).map_err(|_| KeyFileError::WrongPassword)?;
    // One wrong password in 256 passes the padding check, and then shows here.
    PrivateKeyInfoRef::try_from(plain.as_bytes()).map_err(|_| KeyFileError::WrongPassword).and_then(secret_key)
}

/// The key of a key file without a password, for development.
///
/// # Errors
/// If the text is no such key file, or the key is of an unknown algorithm.
pub fn from_plain_pem(text: &str) -> Result<SecretKey, KeyFileError> {
    let document = content(text, PrivateKeyInfoRef::PEM_LABEL)?;
    PrivateKeyInfoRef::try_from(document.as_bytes()).map_err(malformed).and_then(secret_key)
}

fn private_key_info(key: &SecretKey) -> SecretDocument {
    let (secp256k1, sm2) = (AnyRef::from(&SECP256K1), AnyRef::from(&SM2));
    let (oid, parameters, prefix, secret): (_, _, &[u8], &[u8; 32]) = match key {
        SecretKey::Ed25519(key) => (ED25519, None, &ED25519_PREFIX, key.as_bytes()),
        SecretKey::Secp256k1(secret) => (EC_PUBLIC_KEY, Some(secp256k1), &EC_PREFIX, secret),
        SecretKey::Sm2(secret) => (EC_PUBLIC_KEY, Some(sm2), &EC_PREFIX, secret),
    };
    let encoded = Zeroizing::new([prefix, secret].concat());
    let encoded = OctetStringRef::new(&encoded).expect("a few bytes are an octet string");
    let info = PrivateKeyInfoRef::new(AlgorithmIdentifierRef { oid, parameters }, encoded);
    SecretDocument::encode_msg(&info).expect("a key encodes into memory")
}

fn pbes2_seal(scheme: &pbes2::Parameters, password: &[u8], plain: &[u8]) -> SecretDocument {
    let sealed = scheme.encrypt(password, plain).expect("a few bytes can be encrypted");
    let encrypted_data = OctetStringRef::new(&sealed).expect("a few bytes are an octet string");
    let info = EncryptedPrivateKeyInfoRef { encryption_algorithm: scheme.clone().into(), encrypted_data };
    SecretDocument::encode_msg(&info).expect("a key encodes into memory")
}

fn pem(document: &SecretDocument, label: &'static str) -> Zeroizing<String> {
    document.to_pem(label, LineEnding::LF).expect("a key encodes into memory")
}

/// What is between the lines of a PEM text with this label.
fn content(text: &str, expected: &'static str) -> Result<SecretDocument, KeyFileError> {
    let not_pem = |error: der::Error| KeyFileError::NotPem { reason: error.to_string() };
    let (label, document) = SecretDocument::from_pem(text).map_err(not_pem)?;
    match label {
        label if label == expected => Ok(document),
        label if label == PrivateKeyInfoRef::PEM_LABEL => Err(KeyFileError::NotEncrypted),
        label => Err(KeyFileError::OtherContent { found: label.into(), expected }),
    }
}

/// Refuses a file that would take gigabytes or hours to open, or that scrypt is not defined for.
fn check_derivation(scheme: &EncryptionScheme) -> Result<(), KeyFileError> {
    let EncryptionScheme::Pbes2(parameters) = scheme else {
        return Err(KeyFileError::Scheme);
    };
    let allowed = match (parameters.kdf.scrypt(), parameters.kdf.pbkdf2()) {
        (Some(cost), _) => {
            let (n, r, p) = (cost.cost_parameter, u64::from(cost.block_size), u64::from(cost.parallelization));
            let lanes = n.saturating_mul(r);
            n > 1
                && n.is_power_of_two()
                && lanes.saturating_mul(128) <= DERIVATION_BYTES
                && lanes.saturating_mul(p) <= DERIVATION_STEPS
        }
        (_, Some(cost)) => u64::from(cost.iteration_count) <= DERIVATION_STEPS,
        _ => return Err(KeyFileError::Scheme),
    };
    if allowed { Ok(()) } else { Err(KeyFileError::Derivation) }
}

fn secret_key(info: PrivateKeyInfoRef<'_>) -> Result<SecretKey, KeyFileError> {
    let (algorithm, parameters) = info.algorithm.oids().map_err(malformed)?;
    let bytes = info.private_key.as_bytes();
    match (algorithm, parameters) {
        (ED25519, None) => {
            let seed = <&OctetStringRef>::from_der(bytes).map_err(malformed)?;
            Ok(SecretKey::ed25519(*secret(seed)?))
        }
        (EC_PUBLIC_KEY, Some(SECP256K1)) => {
            let scalar = ec_private_key(bytes).map_err(malformed)?;
            SecretKey::secp256k1(*secret(scalar)?).map_err(malformed)
        }
        (EC_PUBLIC_KEY, Some(SM2)) => {
            let scalar = ec_private_key(bytes).map_err(malformed)?;
            SecretKey::sm2(*secret(scalar)?).map_err(malformed)
        }
        (algorithm, parameters) => Err(KeyFileError::Algorithm { oid: parameters.unwrap_or(algorithm).to_string() }),
    }
}

/// The private scalar of an ECPrivateKey (RFC 5915). Its curve is known, its public key follows from it.
fn ec_private_key(bytes: &[u8]) -> der::Result<&OctetStringRef> {
    let mut reader = SliceReader::new(bytes)?;
    let (version, scalar) = reader.sequence(|fields| -> der::Result<_> {
        let (version, scalar) = (u8::decode(fields)?, fields.decode()?);
        fields.read_slice(fields.remaining_len())?;
        Ok((version, scalar))
    })?;
    reader.finish()?;
    if version == 1 { Ok(scalar) } else { Err(der::Tag::Integer.value_error().into()) }
}

fn secret(bytes: &OctetStringRef) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    let found = bytes.as_bytes().len();
    let sized = <[u8; 32]>::try_from(bytes.as_bytes());
    sized.map(Zeroizing::new).map_err(|_| malformed(format!("the private key has {found} bytes, not 32")))
}

fn malformed(reason: impl ToString) -> KeyFileError {
    KeyFileError::Malformed { reason: reason.to_string() }
}

#[cfg(test)]
mod tests;
