//! Making certificates.

use hanse_types::crypto::{PublicKey, SignError, Signer};
use signature::Keypair;
use thiserror::Error;
use x509_cert::TbsCertificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder, CertificateBuilder};
use x509_cert::der::Encode;
use x509_cert::der::asn1::{BitString, GeneralizedTime};
use x509_cert::der::flagset::FlagSet;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier};
use x509_cert::ext::{Extension, Extensions, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{
    AlgorithmIdentifierOwned, Document, DynSignatureAlgorithmIdentifier, EncodePublicKey, SubjectPublicKeyInfo,
    SubjectPublicKeyInfoRef,
};
use x509_cert::time::{Time, Validity};

use super::certificate::{Authority, Certificate, CertificateError, ED25519};

/// Longest name of an organisation or a node (RFC 5280, upper bounds).
const NAME_CHARS: usize = 64;
/// Bytes of a serial number: too many for two random ones to be the same.
const SERIAL_BYTES: usize = 16;

/// Why there is no certificate.
#[derive(Debug, Error)]
pub(crate) enum IssueError {
    /// Nobody can be called so.
    #[error(
        "{0:?} is no name for a certificate: take 1 to {NAME_CHARS} letters, digits, spaces and . - _, with no space at either end"
    )]
    Name(String),
    /// The key is of another kind.
    #[error("the key {0} is not of ed25519, as those of nodes and authorities are")]
    Key(PublicKey),
    /// The key is not the authority's.
    #[error("the key {key} is not that of the authority {authority}")]
    OtherAuthority {
        /// The key.
        key: PublicKey,
        /// The authority.
        authority: String,
    },
    /// The key did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// It could not be put together.
    #[error("the certificate can't be made: {0}")]
    Builder(String),
    /// What was made is no certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// When a certificate holds, in seconds since 1970; both ends are within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// From then on.
    pub(crate) from: u64,
    /// Until then.
    pub(crate) until: u64,
}

/// Makes the certificate of an organisation's authority.
///
/// # Errors
/// If nobody can be called so, or the key is of another kind.
pub(crate) fn authority(organisation: &str, key: &dyn Signer, span: Span) -> Result<Authority, IssueError> {
    let subject = name(&authority_name(organisation), organisation)?;
    let profile = Profile { issuer: subject.clone(), subject, is_authority: true };
    Ok(Authority::new(make(profile, key.public_key(), key, span)?)?)
}

/// Makes the certificate of the node with this key. It can't hold longer than its authority's.
///
/// # Errors
/// If nobody can be called so, a key is of another kind, or the signing one is not the authority's.
pub(crate) fn node(
    authority: &Authority,
    signer: &dyn Signer,
    node: &str,
    key: PublicKey,
    span: Span,
) -> Result<Certificate, IssueError> {
    let of = authority.certificate();
    if of.key() != signer.public_key() {
        return Err(IssueError::OtherAuthority { key: signer.public_key(), authority: of.to_string() });
    }
    let subject = name(node, &of.organisation())?;
    let profile = Profile { issuer: authority.subject().clone(), subject, is_authority: false };
    let span = Span { from: span.from.max(of.from()), until: span.until.min(of.until()) };
    let made = make(profile, key, signer, span)?;
    authority.certifies(&made)?;
    Ok(made)
}

fn make(profile: Profile, key: PublicKey, signer: &dyn Signer, span: Span) -> Result<Certificate, IssueError> {
    let (issuer, subject) = (Issuer(certified(signer.public_key())?), certified(key)?);
    let builder = |error: x509_cert::builder::Error| IssueError::Builder(error.to_string());
    let encoding = |error: x509_cert::der::Error| IssueError::Builder(error.to_string());
    let key = SubjectPublicKeyInfo::from_key(&subject).map_err(|error| IssueError::Builder(error.to_string()))?;
    let validity = Validity::new(time(span.from)?, time(span.until)?);
    let mut making = CertificateBuilder::new(profile, serial()?, validity, key).map_err(builder)?;
    let signed = making.finalize(&issuer).map_err(builder)?;
    let signature = BitString::from_bytes(&signer.sign(&signed)?.0).map_err(encoding)?;
    let made = making.assemble(signature, &issuer).map_err(builder)?;
    Ok(Certificate::from_der(&made.to_der().map_err(encoding)?)?)
}

fn time(seconds: u64) -> Result<Time, IssueError> {
    let time = GeneralizedTime::from_unix_duration(std::time::Duration::from_secs(seconds));
    time.map(Time::from).map_err(|error| IssueError::Builder(error.to_string()))
}

fn serial() -> Result<SerialNumber, IssueError> {
    let mut bytes = [0; SERIAL_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| IssueError::Builder(error.to_string()))?;
    // Positive, and as long as all others.
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::new(&bytes).map_err(|error| IssueError::Builder(error.to_string()))
}

fn authority_name(organisation: &str) -> String {
    format!("{organisation} CA")
}

/// Whether an organisation, and a node of it, can be called so.
///
/// # Errors
/// If not.
pub(crate) fn check_names(organisation: &str, node: Option<&str>) -> Result<(), IssueError> {
    name(node.unwrap_or(&authority_name(organisation)), organisation).map(drop)
}

/// The subject of a certificate.
fn name(common: &str, organisation: &str) -> Result<Name, IssueError> {
    let is_plain = |char: char| char.is_alphanumeric() || " .-_".contains(char);
    for name in [organisation, common] {
        let is_good =
            (1..=NAME_CHARS).contains(&name.chars().count()) && name.trim() == name && name.chars().all(is_plain);
        if !is_good {
            return Err(IssueError::Name(name.to_owned()));
        }
    }
    let text = format!("CN={common},O={organisation}");
    text.parse().map_err(|_| IssueError::Name(common.to_owned()))
}

/// A key as the builder wants it.
#[derive(Clone)]
struct Certified([u8; 32]);

fn certified(key: PublicKey) -> Result<Certified, IssueError> {
    match key {
        PublicKey::Ed25519(bytes) => Ok(Certified(bytes)),
        PublicKey::Secp256k1(_) | PublicKey::Sm2(_) => Err(IssueError::Key(key)),
    }
}

impl EncodePublicKey for Certified {
    fn to_public_key_der(&self) -> x509_cert::spki::Result<Document> {
        let algorithm = AlgorithmIdentifierOwned { oid: ED25519, parameters: None };
        let key = SubjectPublicKeyInfo { algorithm, subject_public_key: BitString::from_bytes(&self.0)? };
        Document::try_from(&key)
    }
}

/// Who signs, as the builder wants it; the signature comes from elsewhere.
struct Issuer(Certified);

impl Keypair for Issuer {
    type VerifyingKey = Certified;

    fn verifying_key(&self) -> Certified {
        self.0.clone()
    }
}

impl DynSignatureAlgorithmIdentifier for Issuer {
    fn signature_algorithm_identifier(&self) -> x509_cert::spki::Result<AlgorithmIdentifierOwned> {
        Ok(AlgorithmIdentifierOwned { oid: ED25519, parameters: None })
    }
}

/// What stands in a certificate besides keys and times.
struct Profile {
    issuer: Name,
    subject: Name,
    is_authority: bool,
}

impl BuilderProfile for Profile {
    fn get_issuer(&self, _: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        key: SubjectPublicKeyInfoRef<'_>,
        issuer: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        let path_len_constraint = self.is_authority.then_some(0);
        let constraints = BasicConstraints { ca: self.is_authority, path_len_constraint };
        let usage: FlagSet<KeyUsages> =
            if self.is_authority { KeyUsages::KeyCertSign.into() } else { KeyUsages::DigitalSignature.into() };
        let mut extensions = Extensions::new();
        let subject = tbs.subject();
        extensions.push((true, &constraints).to_extension(subject, &extensions)?);
        extensions.push((true, &KeyUsage(usage)).to_extension(subject, &extensions)?);
        let identifier = SubjectKeyIdentifier::try_from(key)?;
        extensions.push((false, &identifier).to_extension(subject, &extensions)?);
        let identifier = AuthorityKeyIdentifier::try_from(issuer)?;
        extensions.push((false, &identifier).to_extension(subject, &extensions)?);
        Ok(extensions)
    }
}
