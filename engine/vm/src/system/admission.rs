//! `admission`: who is let into the network of the group's nodes, and who is kept out of it, by its administrators. Nodes read
//! it after each block; a group whose nodes follow another's leaves it empty.
//!
//! The contract keeps what it is given: whether bytes are a certificate is seen by the nodes, which pass over what is none.

use borsh::{BorshDeserialize, BorshSerialize};
use hanse_abi::{Event, Status};
use hanse_state::{StateError, StateView};
use hanse_types::Address;
use hanse_types::crypto::PublicKey;

use super::params::check_administrator;
use super::{key_of, own_key};
use crate::failure::Stop;
use crate::native::{Host, NativeContract, arguments, encode, no_such_method, refuse};

/// Its address.
pub const ADDRESS: Address = Address::native(6);

/// Most authorities.
const AUTHORITIES_MAX: usize = 64;
/// Longest certificate of one, in bytes.
const CERTIFICATE_BYTES: usize = 1_024;
/// Most keys that are denied.
const DENIED_MAX: usize = 1_024;

/// The contract.
pub struct Admission;

/// An authority that nodes trust besides those of their configurations.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct TrustedAuthority {
    /// Its key.
    pub key: PublicKey,
    /// Its certificate: X.509, in DER.
    pub certificate: Vec<u8>,
}

/// Everything that it keeps, each part in the order of the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AdmissionRules {
    /// Authorities whose nodes are let in.
    pub authorities: Vec<TrustedAuthority>,
    /// Keys of nodes and authorities that are kept out.
    pub denied: Vec<PublicKey>,
}

impl NativeContract for Admission {
    fn number(&self) -> u16 {
        6
    }

    fn name(&self) -> &'static str {
        "admission"
    }

    fn abi(&self) -> &'static str {
        include_str!("admission.json")
    }

    fn is_view(&self, method: &str) -> bool {
        matches!(method, "rules")
    }

    fn call(&self, host: &mut Host, method: &str, input: &[u8]) -> Result<Vec<u8>, Stop> {
        match method {
            "rules" => rules(host, arguments(input)?),
            "trust" => trust(host, arguments(input)?),
            "distrust" => distrust(host, arguments(input)?),
            "deny" => deny(host, arguments(input)?),
            "pardon" => pardon(host, arguments(input)?),
            _ => no_such_method(method),
        }
    }
}

/// The rules by a view of the state; empty ones if nobody has made any.
///
/// # Errors
/// If the state can't be read.
pub fn load(state: &dyn StateView) -> Result<AdmissionRules, StateError> {
    Ok(AdmissionRules { authorities: field(state, "authorities")?, denied: field(state, "denied")? })
}

fn field<T: BorshDeserialize + Default>(state: &dyn StateView, name: &str) -> Result<T, StateError> {
    let Some(value) = state.get(&key_of(&ADDRESS, name, &[]))? else { return Ok(T::default()) };
    let damaged = |error: borsh::io::Error| StateError::Damaged {
        place: format!("the admission rules: {name}"),
        reason: error.to_string(),
    };
    borsh::from_slice(&value).map_err(damaged)
}

fn authorities(host: &mut Host) -> Result<Vec<TrustedAuthority>, Stop> {
    Ok(host.load(&own_key("authorities", &[]))?.unwrap_or_default())
}

fn denied(host: &mut Host) -> Result<Vec<PublicKey>, Stop> {
    Ok(host.load(&own_key("denied", &[]))?.unwrap_or_default())
}

fn rules(host: &mut Host, (): ()) -> Result<Vec<u8>, Stop> {
    Ok(encode(&AdmissionRules { authorities: authorities(host)?, denied: denied(host)? }))
}

fn trust(host: &mut Host, (key, certificate): (String, Vec<u8>)) -> Result<Vec<u8>, Stop> {
    let (key, mut known) = (begin(host, &key)?, authorities(host)?);
    if certificate.is_empty() || certificate.len() > CERTIFICATE_BYTES {
        let length = certificate.len();
        let text = format!("a certificate has 1 to {CERTIFICATE_BYTES} bytes, and this has {length}");
        return refuse(Status::InvalidArguments, text);
    }
    match known.binary_search_by(|authority| authority.key.cmp(&key)) {
        Ok(at) => known[at].certificate = certificate,
        Err(_) if known.len() >= AUTHORITIES_MAX => {
            return refuse(Status::InvalidOperation, format!("there are {AUTHORITIES_MAX} authorities already"));
        }
        Err(at) => known.insert(at, TrustedAuthority { key, certificate }),
    }
    host.store(&own_key("authorities", &[]), &known)?;
    tell(host, "AuthorityChanged", key, true)
}

fn distrust(host: &mut Host, (key,): (String,)) -> Result<Vec<u8>, Stop> {
    let (key, mut known) = (begin(host, &key)?, authorities(host)?);
    let Ok(at) = known.binary_search_by(|authority| authority.key.cmp(&key)) else {
        return refuse(Status::InvalidArguments, format!("there is no authority with the key {key}"));
    };
    known.remove(at);
    host.store(&own_key("authorities", &[]), &known)?;
    tell(host, "AuthorityChanged", key, false)
}

fn deny(host: &mut Host, (key,): (String,)) -> Result<Vec<u8>, Stop> {
    let (key, mut known) = (begin(host, &key)?, denied(host)?);
    match known.binary_search(&key) {
        Ok(_) => return refuse(Status::InvalidArguments, format!("the key {key} is denied already")),
        Err(_) if known.len() >= DENIED_MAX => {
            return refuse(Status::InvalidOperation, format!("{DENIED_MAX} keys are denied already"));
        }
        Err(at) => known.insert(at, key),
    }
    host.store(&own_key("denied", &[]), &known)?;
    tell(host, "DenialChanged", key, true)
}

fn pardon(host: &mut Host, (key,): (String,)) -> Result<Vec<u8>, Stop> {
    let (key, mut known) = (begin(host, &key)?, denied(host)?);
    let Ok(at) = known.binary_search(&key) else {
        return refuse(Status::InvalidArguments, format!("the key {key} is not denied"));
    };
    known.remove(at);
    host.store(&own_key("denied", &[]), &known)?;
    tell(host, "DenialChanged", key, false)
}

/// Whether the caller may change anything; and the key that it is about.
fn begin(host: &mut Host, key: &str) -> Result<PublicKey, Stop> {
    let caller = host.context()?.caller;
    check_administrator(host, &caller)?;
    match key.parse() {
        Ok(key @ PublicKey::Ed25519(_)) => Ok(key),
        Ok(_) => refuse(Status::InvalidArguments, "nodes and authorities have keys of ed25519"),
        Err(error) => refuse(Status::InvalidArguments, format!("{error}, not as {key:?}")),
    }
}

/// Tells of a key which state it is in now.
fn tell(host: &mut Host, name: &str, key: PublicKey, state: bool) -> Result<Vec<u8>, Stop> {
    host.emit(Event { name: name.into(), topics: vec![encode(&key.to_string())], data: encode(&state) })?;
    Ok(Vec::new())
}
