//! Members of a group: who takes part in it, and how.
//!
//! Founders name the first ones, as sealers; afterwards a transaction changes them, from the next block on. Those who seal
//! are the group's validators, in the order of the list. The network carries a group's words to and from members only.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::crypto::PublicKey;
use crate::genesis::{CryptoSuite, Genesis, Validator};
use crate::limits;
use crate::names::{NameError, NameKind};
use crate::validator_set::{ValidatorSet, ValidatorSetError};

/// What a member does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Role {
    /// It makes blocks and votes on them.
    Sealer,
    /// It follows and checks everything, and votes on nothing.
    Observer,
    /// It is given headers, certificates and proofs.
    Light,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 3] = [Role::Sealer, Role::Observer, Role::Light];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Sealer => "sealer",
            Role::Observer => "observer",
            Role::Light => "light",
        }
    }
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Member {
    /// Name for people; no other member has it.
    pub name: String,
    /// The key of its node: it signs votes with it, and the network knows it by it. No other member has it.
    pub key: PublicKey,
    /// What it does.
    pub role: Role,
}

/// The members of a group, in the order in which they came. At least one of them seals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members(Vec<Member>);

/// Why there can be no such members.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MembersError {
    /// A name is none.
    #[error("the member's name {0}")]
    Name(#[from] NameError),
    /// A key is of no use.
    #[error("{key} is no valid key of an algorithm that members may use")]
    Key {
        /// The key.
        key: PublicKey,
    },
    /// A name is taken.
    #[error("there is a member {name} already")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// A key is taken.
    #[error("the key {key} is member {name}'s; each has its own")]
    KeyTaken {
        /// The key.
        key: PublicKey,
        /// Whose it is.
        name: String,
    },
    /// There is no member of this name.
    #[error("there is no member {name}")]
    Unknown {
        /// The name.
        name: String,
    },
    /// The last sealer can't go.
    #[error("{name} is the only sealer; nobody would make blocks")]
    LastSealer {
        /// Its name.
        name: String,
    },
    /// There are too many.
    #[error("there are {limit} members already, as many as there can be")]
    TooMany {
        /// How many there may be.
        limit: usize,
    },
    /// They are no validator set.
    #[error(transparent)]
    Validators(#[from] ValidatorSetError),
}

impl Members {
    /// Those that the founders named: sealers.
    ///
    /// # Errors
    /// If they are no validator set.
    pub fn from_genesis(genesis: &Genesis) -> Result<Members, ValidatorSetError> {
        let set = ValidatorSet::from_genesis(genesis)?;
        Ok(Members(set.as_slice().iter().map(Member::founder).collect()))
    }

    /// Those that a list names, which [`Members::as_slice`] gave before.
    ///
    /// # Errors
    /// If nobody of it seals, or two have the same key.
    pub fn from_list(list: Vec<Member>) -> Result<Members, ValidatorSetError> {
        let members = Members(list);
        members.validators().map(|_| members)
    }

    /// All of them, in order.
    pub fn as_slice(&self) -> &[Member] {
        &self.0
    }

    /// Those who seal.
    ///
    /// # Errors
    /// None that an existing value can have.
    pub fn validators(&self) -> Result<ValidatorSet, ValidatorSetError> {
        let sealers = self.0.iter().filter(|member| member.role == Role::Sealer);
        let validator = |member: &Member| Validator { name: member.name.clone(), key: member.key };
        ValidatorSet::new(sealers.map(validator).collect())
    }

    /// The member with this name.
    pub fn named(&self, name: &str) -> Option<&Member> {
        self.0.iter().find(|member| member.name == name)
    }

    /// The member with this key.
    pub fn with_key(&self, key: &PublicKey) -> Option<&Member> {
        self.0.iter().find(|member| member.key == *key)
    }

    /// With one more, at the end.
    ///
    /// # Errors
    /// If its name or key is taken or none, or there are too many.
    pub fn add(mut self, crypto: CryptoSuite, member: Member) -> Result<Members, MembersError> {
        NameKind::Name.check(&member.name)?;
        if self.0.len() >= limits::MEMBERS {
            return Err(MembersError::TooMany { limit: limits::MEMBERS });
        }
        if self.named(&member.name).is_some() {
            return Err(MembersError::NameTaken { name: member.name });
        }
        self.check_key(crypto, &member.key)?;
        self.0.push(member);
        Ok(self)
    }

    /// Without this one.
    ///
    /// # Errors
    /// If there is none of this name, or it is the only sealer.
    pub fn remove(mut self, name: &str) -> Result<Members, MembersError> {
        let at = self.position(name)?;
        self.0.remove(at);
        self.with_sealers(name)
    }

    /// With another role for this one.
    ///
    /// # Errors
    /// If there is none of this name, or nobody would seal.
    pub fn set_role(mut self, name: &str, role: Role) -> Result<Members, MembersError> {
        let at = self.position(name)?;
        self.0[at].role = role;
        self.with_sealers(name)
    }

    /// With another key for this one.
    ///
    /// # Errors
    /// If there is none of this name, or the key is taken or none.
    pub fn replace_key(mut self, crypto: CryptoSuite, name: &str, key: PublicKey) -> Result<Members, MembersError> {
        let at = self.position(name)?;
        self.check_key(crypto, &key)?;
        self.0[at].key = key;
        Ok(self)
    }

    fn position(&self, name: &str) -> Result<usize, MembersError> {
        let at = self.0.iter().position(|member| member.name == name);
        at.ok_or_else(|| MembersError::Unknown { name: name.into() })
    }

    fn check_key(&self, crypto: CryptoSuite, key: &PublicKey) -> Result<(), MembersError> {
        if let Some(other) = self.with_key(key) {
            return Err(MembersError::KeyTaken { key: *key, name: other.name.clone() });
        }
        match crypto.allows_validator(key) && key.check().is_ok() {
            true => Ok(()),
            false => Err(MembersError::Key { key: *key }),
        }
    }

    fn with_sealers(self, changed: &str) -> Result<Members, MembersError> {
        match self.0.iter().any(|member| member.role == Role::Sealer) {
            true => Ok(self),
            false => Err(MembersError::LastSealer { name: changed.into() }),
        }
    }
}

impl Member {
    /// A validator of the genesis as a member.
    pub fn founder(validator: &Validator) -> Member {
        Member { name: validator.name.clone(), key: validator.key, role: Role::Sealer }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::crypto::{SecretKey, Signer};
    use crate::test_values::genesis;

    const SUITE: CryptoSuite = CryptoSuite::Standard;

    fn key(n: u8) -> PublicKey {
        SecretKey::ed25519([n; 32]).public_key()
    }

    fn member(name: &str, n: u8, role: Role) -> Member {
        Member { name: name.into(), key: key(n), role }
    }

    fn founders() -> Members {
        Members::from_genesis(&genesis()).unwrap()
    }

    fn names(members: &Members) -> Vec<&str> {
        members.as_slice().iter().map(|member| &member.name[..]).collect()
    }

    #[test]
    fn founders_seal_and_others_come_and_go() {
        let members = founders().add(SUITE, member("two", 4, Role::Observer)).unwrap();
        assert_eq!(members.validators(), ValidatorSet::from_genesis(&genesis()));
        let members = members.add(SUITE, member("three", 5, Role::Sealer)).unwrap();
        let members = members.set_role("two", Role::Sealer).unwrap().remove("one").unwrap();
        assert_eq!(names(&members), ["two", "three"]);
        assert_eq!(members.validators().unwrap().len(), 2);
        let members = members.replace_key(SUITE, "two", key(6)).unwrap();
        assert_eq!(members.with_key(&key(6)).unwrap().name, "two");
        assert_eq!(members.with_key(&key(4)), None);
        assert_eq!(Members::from_list(members.as_slice().to_vec()), Ok(members));
    }

    #[test]
    fn what_would_leave_the_group_without_meaning_is_refused() {
        let add = |name: &str, key| founders().add(SUITE, Member { key, ..member(name, 9, Role::Sealer) });
        assert_eq!(add("one", key(9)), Err(MembersError::NameTaken { name: "one".into() }));
        assert_eq!(add("two", key(3)), Err(MembersError::KeyTaken { key: key(3), name: "one".into() }));
        assert!(matches!(add("two\n", key(9)), Err(MembersError::Name(_))));
        let client_only = SecretKey::secp256k1([7; 32]).unwrap().public_key();
        assert_eq!(add("two", client_only), Err(MembersError::Key { key: client_only }));
        let last = || MembersError::LastSealer { name: "one".into() };
        assert_eq!(founders().remove("one"), Err(last()));
        assert_eq!(founders().set_role("one", Role::Light), Err(last()));
        let unknown = || MembersError::Unknown { name: "two".into() };
        assert_eq!(founders().remove("two"), Err(unknown()));
        assert_eq!(founders().set_role("two", Role::Light), Err(unknown()));
        assert_eq!(founders().replace_key(SUITE, "two", key(9)), Err(unknown()));
        assert!(Members::from_list(vec![member("two", 4, Role::Observer)]).is_err());
    }

    #[test]
    fn there_are_only_so_many() {
        let many: Vec<Member> = (0..limits::MEMBERS as u32)
            .map(|n| {
                let mut bytes = [0; 32];
                bytes[..4].copy_from_slice(&n.to_le_bytes());
                Member { name: format!("m{n}"), key: PublicKey::Ed25519(bytes), role: Role::Sealer }
            })
            .collect();
        let full = Members::from_list(many).unwrap();
        let one_more = full.add(SUITE, member("more", 4, Role::Light));
        assert_eq!(one_more, Err(MembersError::TooMany { limit: limits::MEMBERS }));
    }
}
