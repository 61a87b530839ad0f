//! A genesis on its way to a group: what is to be founded, and which of its validators agree.
//!
//! Whoever wants a group writes its genesis; each validator that is named there signs it, or does not; with the last
//! signature the group exists. Copies of one founding meet in any order, so that nobody has to collect the signatures:
//! [`Founding::merge`] takes over what the other copy has more.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::crypto::{PublicKey, SignError, Signature, Signer};
use crate::encoding::Canonical;
use crate::genesis::{Genesis, GenesisError, Validator};
use crate::hash::Hash;
use crate::limits;
use crate::sign_bytes;

/// See the module. Its signatures are good and each of another validator, unless it came from elsewhere and was not
/// checked.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Founding {
    genesis: Genesis,
    /// By the validators' order.
    signatures: Vec<Agreement>,
}

/// A validator's signature under a genesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Agreement {
    /// Its place among the validators.
    validator: u32,
    #[serde(with = "signature_text")]
    signature: Signature,
}

/// Why a founding is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FoundingError {
    /// No group can have this genesis.
    #[error("no group can have this genesis: {0}")]
    Genesis(#[from] GenesisError),
    /// Signatures are not in the order of the validators, or one is there twice.
    #[error("the signature of validator {validator} is out of order; they stand in the order of the validators")]
    Order {
        /// Its place.
        validator: u32,
    },
    /// There is no such validator.
    #[error("there is a signature of validator {validator}, and the genesis has {count} validators")]
    NoSuchValidator {
        /// Its place.
        validator: u32,
        /// How many there are.
        count: usize,
    },
    /// A signature is not the validator's under this genesis.
    #[error("the signature of {name} is not its signature under this genesis")]
    BadSignature {
        /// The validator.
        name: String,
    },
    /// The two are of different groups.
    #[error("the foundings are of different groups: {one} and {other}")]
    Other {
        /// Hash of the genesis.
        one: Hash,
        /// Hash of the other's.
        other: Hash,
    },
    /// Whoever would sign is none of the validators.
    #[error("{key} is none of the validators of the genesis, and can't agree to it")]
    NotAValidator {
        /// The key.
        key: PublicKey,
    },
    /// There is no signature.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl Founding {
    /// One that nobody has signed.
    ///
    /// # Errors
    /// If no group can have this genesis.
    pub fn new(genesis: Genesis) -> Result<Founding, FoundingError> {
        genesis.check()?;
        Ok(Founding { genesis, signatures: Vec::new() })
    }

    /// What is to be founded.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Whether it is what one from elsewhere claims to be: a sound genesis, and good signatures.
    ///
    /// # Errors
    /// The first thing that is wrong, cheapest checks first.
    pub fn check(&self) -> Result<(), FoundingError> {
        self.genesis.check()?;
        let mut least = 0;
        for &Agreement { validator, .. } in &self.signatures {
            if validator < least {
                return Err(FoundingError::Order { validator });
            }
            least = validator.saturating_add(1);
        }
        let bytes = self.sign_bytes();
        self.signatures.iter().try_for_each(|agreement| self.check_one(agreement, &bytes))
    }

    fn check_one(&self, agreement: &Agreement, bytes: &[u8]) -> Result<(), FoundingError> {
        let Agreement { validator, signature } = agreement;
        let Some(known) = self.genesis.validators.get(*validator as usize) else {
            let (validator, count) = (*validator, self.genesis.validators.len());
            return Err(FoundingError::NoSuchValidator { validator, count });
        };
        let verified = known.key.verify(bytes, signature);
        verified.map_err(|_| FoundingError::BadSignature { name: known.name.clone() })
    }

    /// Adds this validator's signature; nothing changes if it is there already.
    ///
    /// # Errors
    /// If it is none of the validators, or does not sign.
    pub fn sign(&mut self, signer: &dyn Signer) -> Result<(), FoundingError> {
        let key = signer.public_key();
        let place = self.genesis.validators.iter().position(|validator| validator.key == key);
        let validator = place.ok_or(FoundingError::NotAValidator { key })? as u32;
        if let Err(at) = self.place_of(validator) {
            let signature = signer.sign(&self.sign_bytes())?;
            self.signatures.insert(at, Agreement { validator, signature });
        }
        Ok(())
    }

    /// Takes over the signatures that another copy, which was checked, has more. Whether there are any.
    ///
    /// # Errors
    /// If it is the founding of another group.
    pub fn merge(&mut self, copy: &Founding) -> Result<bool, FoundingError> {
        if copy.genesis != self.genesis {
            return Err(FoundingError::Other { one: self.genesis.hash(), other: copy.genesis.hash() });
        }
        let before = self.signatures.len();
        for agreement in &copy.signatures {
            if let Err(at) = self.place_of(agreement.validator) {
                self.signatures.insert(at, *agreement);
            }
        }
        Ok(self.signatures.len() > before)
    }

    /// How many have signed.
    pub fn signed(&self) -> usize {
        self.signatures.len()
    }

    /// Whether this validator has signed.
    pub fn has_signed(&self, key: &PublicKey) -> bool {
        let mut signers = self.signatures.iter().map(|agreement| agreement.validator as usize);
        signers.any(|at| self.genesis.validators.get(at).is_some_and(|validator| validator.key == *key))
    }

    /// Validators that have not signed, in their order.
    pub fn missing(&self) -> impl Iterator<Item = &Validator> {
        let validators = self.genesis.validators.iter().enumerate();
        validators.filter(|(at, _)| self.place_of(*at as u32).is_err()).map(|(_, validator)| validator)
    }

    /// Whether all have signed: the group exists.
    pub fn is_complete(&self) -> bool {
        self.signatures.len() == self.genesis.validators.len()
    }

    fn place_of(&self, validator: u32) -> Result<usize, usize> {
        self.signatures.binary_search_by_key(&validator, |agreement| agreement.validator)
    }

    fn sign_bytes(&self) -> Vec<u8> {
        sign_bytes::founding(&self.genesis.identity())
    }
}

impl Canonical for Founding {
    const NAME: &'static str = "founding";
    const MAX_BYTES: usize = limits::FOUNDING_BYTES;
}

/// Signatures in files: hexadecimal digits.
mod signature_text {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::crypto::Signature;

    pub(super) fn serialize<S: Serializer>(signature: &Signature, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&const_hex::encode_prefixed(signature.0))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Signature, D::Error> {
        let text = String::deserialize(deserializer)?;
        const_hex::decode_to_array(&text).map(Signature).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::crypto::SecretKey;
    use crate::genesis::ConsensusKind;
    use crate::test_values::genesis;

    fn key(seed: u8) -> SecretKey {
        SecretKey::ed25519([seed; 32])
    }

    fn founding(validators: u8) -> Founding {
        let validator = |seed| Validator { name: format!("node-{seed}"), key: key(seed).public_key() };
        let validators = (1..=validators).map(validator).collect();
        Founding::new(Genesis { consensus: ConsensusKind::Bft, validators, ..genesis() }).unwrap()
    }

    fn signed(founding: &Founding, seeds: &[u8]) -> Founding {
        let mut founding = founding.clone();
        seeds.iter().for_each(|seed| founding.sign(&key(*seed)).unwrap());
        founding
    }

    #[test]
    fn it_is_complete_with_the_last_signature_in_whatever_order() {
        let new = founding(3);
        let mut merged = signed(&new, &[3]);
        assert!(merged.merge(&signed(&new, &[1])).unwrap());
        assert!(!merged.merge(&signed(&new, &[1, 3])).unwrap(), "nothing is new");
        assert_eq!(merged.missing().map(|validator| &*validator.name).collect::<Vec<_>>(), ["node-2"]);
        assert!(!merged.is_complete() && merged.has_signed(&key(3).public_key()));
        assert!(merged.merge(&signed(&new, &[2, 3])).unwrap());
        assert!(merged.is_complete());
        assert_eq!(merged, signed(&new, &[1, 2, 3]));
        assert_eq!(merged.check(), Ok(()));
        assert_eq!(Founding::decode(&merged.encode()).unwrap(), merged);
        let text = serde_json::to_string(&merged).unwrap();
        assert_eq!(serde_json::from_str::<Founding>(&text).unwrap(), merged);
    }

    #[test]
    fn signatures_of_others_or_of_another_genesis_are_refused() {
        let new = founding(3);
        assert_eq!(new.clone().sign(&key(9)), Err(FoundingError::NotAValidator { key: key(9).public_key() }));
        let mut other = signed(&new, &[1]);
        other.genesis.group_id = "other".into();
        assert_eq!(other.check(), Err(FoundingError::BadSignature { name: "node-1".into() }));
        assert!(matches!(signed(&new, &[1]).merge(&other), Err(FoundingError::Other { .. })));
        let mut moved = signed(&new, &[1]);
        moved.signatures[0].validator = 1;
        assert_eq!(moved.check(), Err(FoundingError::BadSignature { name: "node-2".into() }));
        moved.signatures[0].validator = 3;
        assert_eq!(moved.check(), Err(FoundingError::NoSuchValidator { validator: 3, count: 3 }));
        let mut twice = signed(&new, &[1, 2]);
        twice.signatures[1] = twice.signatures[0];
        assert_eq!(twice.check(), Err(FoundingError::Order { validator: 0 }));
    }
}
