//! What a certificate says, and whether that holds.

use std::fmt;

use hanse_types::crypto::{PublicKey, Signature};
use thiserror::Error;
use x509_cert::Version;
use x509_cert::der::asn1::BitStringRef;
use x509_cert::der::oid::{AssociatedOid, ObjectIdentifier};
use x509_cert::der::referenced::OwnedToRef;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};
use x509_cert::name::Name;
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::time::{date, in_words};

/// Longest certificate that is read.
pub(crate) const MAX_BYTES: usize = 4_096;
/// Ed25519, of keys and signatures (RFC 8410).
pub(super) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Why a certificate does not count.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum CertificateError {
    /// It is too long.
    #[error("a certificate has {MAX_BYTES} bytes at most, and this has {0}")]
    TooLong(usize),
    /// It is none.
    #[error("it is no X.509 certificate: {0}")]
    Malformed(String),
    /// It is one, but of another kind.
    #[error("it is no certificate as nodes have: {0}")]
    Kind(&'static str),
    /// It is no authority's.
    #[error("{0} is the certificate of a node, not of an authority")]
    NotAnAuthority(String),
    /// It is an authority's.
    #[error("{0} is the certificate of an authority, not of a node")]
    NotANode(String),
    /// Its signature is wrong.
    #[error("the signature on the certificate of {0} is not by {1}")]
    Signature(String, String),
    /// No authority that is trusted made it.
    #[error(
        "the certificate of {subject} is by {issuer}, which is no trusted authority; is its certificate among network.authorities?"
    )]
    UnknownAuthority {
        /// Whose it is.
        subject: String,
        /// Who made it.
        issuer: String,
    },
    /// It is somebody else's.
    #[error("the certificate of {subject} is for the key {certified}, and was presented by {presented}")]
    OtherKey {
        /// Whose it is.
        subject: String,
        /// The key that it certifies.
        certified: PublicKey,
        /// The key that was proven.
        presented: PublicKey,
    },
    /// It holds later.
    #[error("the certificate of {subject} holds from {} on, {} from now by this machine's clock; are the clocks right?", date(*from), in_words(from - now))]
    NotYet {
        /// Whose it is.
        subject: String,
        /// From when on it holds, in seconds since 1970.
        from: u64,
        /// What time it was taken to be.
        now: u64,
    },
    /// It held.
    #[error("the certificate of {subject} expired on {}, {} ago by this machine's clock; `hanse ca renew` makes a new one", date(*until), in_words(now - until))]
    Expired {
        /// Whose it is.
        subject: String,
        /// Until when it held, in seconds since 1970.
        until: u64,
        /// What time it was taken to be.
        now: u64,
    },
}

/// A certificate that is well formed. Who signed it is not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    der: Vec<u8>,
    /// What is signed, as bytes.
    signed: Vec<u8>,
    signature: Signature,
    key: PublicKey,
    subject: Name,
    issuer: Name,
    serial: Vec<u8>,
    from: u64,
    until: u64,
    is_authority: bool,
}

/// The certificate of an authority, which its own key signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authority(Certificate);

impl Certificate {
    /// Reads one.
    ///
    /// # Errors
    /// If it is not one of ed25519, version 3, in DER, that an authority or a node can have.
    pub(crate) fn from_der(bytes: &[u8]) -> Result<Certificate, CertificateError> {
        if bytes.len() > MAX_BYTES {
            return Err(CertificateError::TooLong(bytes.len()));
        }
        let malformed = |error: x509_cert::der::Error| CertificateError::Malformed(error.to_string());
        let certificate = x509_cert::Certificate::from_der(bytes).map_err(malformed)?;
        // One certificate has one encoding: what is signed can be encoded again to check the signature.
        if certificate.to_der().map_err(malformed)? != bytes {
            return Err(CertificateError::Kind("its encoding is not DER"));
        }
        let tbs = certificate.tbs_certificate();
        if tbs.version() != Version::V3 {
            return Err(CertificateError::Kind("its version is not 3"));
        }
        let algorithms = [certificate.signature_algorithm(), tbs.signature(), &tbs.subject_public_key_info().algorithm];
        if !algorithms.into_iter().all(is_ed25519) {
            return Err(CertificateError::Kind("its keys and signatures are not ed25519"));
        }
        let key = octets(tbs.subject_public_key_info().subject_public_key.owned_to_ref())?;
        let key = PublicKey::Ed25519(key);
        key.check().map_err(|_| CertificateError::Kind("its key is none of ed25519"))?;
        let is_authority = check_extensions(tbs)?;
        let (from, until) = (tbs.validity().not_before, tbs.validity().not_after);
        Ok(Certificate {
            der: bytes.to_vec(),
            signed: tbs.to_der().map_err(malformed)?,
            signature: Signature(octets(certificate.signature().owned_to_ref())?),
            key,
            subject: tbs.subject().clone(),
            issuer: tbs.issuer().clone(),
            serial: tbs.serial_number().as_bytes().to_vec(),
            from: from.to_unix_duration().as_secs(),
            until: until.to_unix_duration().as_secs(),
            is_authority,
        })
    }

    /// As bytes.
    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    /// The key that it certifies.
    pub(crate) fn key(&self) -> PublicKey {
        self.key
    }

    /// What the node or the authority is called (CN).
    pub(crate) fn name(&self) -> String {
        text(self.subject.common_name())
    }

    /// Whose it is (O).
    pub(crate) fn organisation(&self) -> String {
        text(self.subject.organization())
    }

    /// Whose authority made it.
    pub(crate) fn issuer(&self) -> String {
        printable(&self.issuer)
    }

    /// Its number, of which an authority gives each only once, in hexadecimal.
    pub(crate) fn serial(&self) -> String {
        const_hex::encode(&self.serial)
    }

    /// From when on it holds, in seconds since 1970.
    pub(crate) fn from(&self) -> u64 {
        self.from
    }

    /// Until when it holds, in seconds since 1970.
    pub(crate) fn until(&self) -> u64 {
        self.until
    }

    /// Whether it is an authority's.
    pub(crate) fn is_authority(&self) -> bool {
        self.is_authority
    }

    /// Whether it holds at this time.
    ///
    /// # Errors
    /// If it holds from later on, or does no more.
    pub(crate) fn check_time(&self, now: u64) -> Result<(), CertificateError> {
        let subject = self.to_string();
        match now {
            now if now < self.from => Err(CertificateError::NotYet { subject, from: self.from, now }),
            now if now > self.until => Err(CertificateError::Expired { subject, until: self.until, now }),
            _ => Ok(()),
        }
    }

    /// Whether it is that of the node with this key.
    ///
    /// # Errors
    /// If it is another's.
    pub(crate) fn check_key(&self, presented: PublicKey) -> Result<(), CertificateError> {
        if self.is_authority {
            return Err(CertificateError::NotANode(self.to_string()));
        }
        if self.key != presented {
            return Err(CertificateError::OtherKey { subject: self.to_string(), certified: self.key, presented });
        }
        Ok(())
    }

    /// The authority among these that made it.
    ///
    /// # Errors
    /// If none of them did.
    pub(crate) fn authority<'a>(
        &self,
        trusted: impl Iterator<Item = &'a Authority>,
    ) -> Result<&'a Authority, CertificateError> {
        let mut wrong = None;
        for authority in trusted.filter(|authority| authority.0.subject == self.issuer) {
            match authority.certifies(self) {
                Ok(()) => return Ok(authority),
                Err(error) => wrong = Some(error),
            }
        }
        let (subject, issuer) = (self.to_string(), self.issuer());
        Err(wrong.unwrap_or(CertificateError::UnknownAuthority { subject, issuer }))
    }
}

impl Authority {
    /// Reads one.
    ///
    /// # Errors
    /// If it is no certificate, or not one of an authority that it signed itself.
    pub(crate) fn from_der(bytes: &[u8]) -> Result<Authority, CertificateError> {
        Authority::new(Certificate::from_der(bytes)?)
    }

    /// The same of one that was read.
    pub(crate) fn new(certificate: Certificate) -> Result<Authority, CertificateError> {
        if !certificate.is_authority {
            return Err(CertificateError::NotAnAuthority(certificate.to_string()));
        }
        let authority = Authority(certificate);
        authority.certifies(&authority.0)?;
        Ok(authority)
    }

    /// Whether this authority signed that certificate. Times are not looked at.
    ///
    /// # Errors
    /// If it did not.
    pub(crate) fn certifies(&self, other: &Certificate) -> Result<(), CertificateError> {
        let wrong = || CertificateError::Signature(other.to_string(), self.0.to_string());
        if other.issuer != self.0.subject {
            return Err(wrong());
        }
        self.0.key.verify(&other.signed, &other.signature).map_err(|_| wrong())
    }

    /// Its certificate.
    pub(crate) fn certificate(&self) -> &Certificate {
        &self.0
    }

    /// Its subject, as those name it whom it certifies.
    pub(super) fn subject(&self) -> &Name {
        &self.0.subject
    }
}

/// Who it is: `CN=node-1,O=Bank One`, without what a terminal would obey.
impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.subject))
    }
}

/// What a name says, on one line.
fn printable(name: &Name) -> String {
    name.to_string().chars().filter(|char| !char.is_control()).collect()
}

fn text(part: x509_cert::der::Result<Option<x509_cert::ext::pkix::name::DirectoryString>>) -> String {
    let text = part.ok().flatten().map(|text| text.value().into_owned()).unwrap_or_default();
    text.chars().filter(|char| !char.is_control()).collect()
}

fn is_ed25519(algorithm: &AlgorithmIdentifierOwned) -> bool {
    algorithm.oid == ED25519 && algorithm.parameters.is_none()
}

/// A bit string of so many whole octets.
fn octets<const N: usize>(bits: BitStringRef<'_>) -> Result<[u8; N], CertificateError> {
    let bytes = bits.as_bytes().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or(CertificateError::Kind("a key or signature has the wrong length"))
}

/// Whether the certificate is an authority's, by its extensions. What is critical and not known here is refused, as RFC 5280
/// has it.
fn check_extensions(tbs: &x509_cert::TbsCertificate) -> Result<bool, CertificateError> {
    let known = [BasicConstraints::OID, KeyUsage::OID];
    let extensions: &[Extension] = tbs.extensions().map_or(&[], Vec::as_slice);
    if extensions.iter().any(|extension| extension.critical && !known.contains(&extension.extn_id)) {
        return Err(CertificateError::Kind("it has a critical extension that nodes don't know"));
    }
    let malformed = |error: x509_cert::der::Error| CertificateError::Malformed(error.to_string());
    let constraints = tbs.get_extension::<BasicConstraints>().map_err(malformed)?;
    let usage = tbs.get_extension::<KeyUsage>().map_err(malformed)?;
    let is_authority = constraints.is_some_and(|(_, constraints)| constraints.ca);
    let may = usage.is_none_or(|(_, usage)| match is_authority {
        true => usage.key_cert_sign(),
        false => usage.digital_signature(),
    });
    match may {
        true => Ok(is_authority),
        false if is_authority => Err(CertificateError::Kind("its key may not sign certificates")),
        false => Err(CertificateError::Kind("its key may not sign")),
    }
}
