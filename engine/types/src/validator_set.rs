//! Validator sets: who decides the blocks of an epoch, in an order that never changes within it.

use thiserror::Error;

use crate::crypto::{CryptoSuite, PublicKey};
use crate::genesis::{ConsensusKind, Genesis, Validator};
use crate::hash::{Domain, Hash};
use crate::limits;

/// The validators of one epoch. A validator's index is its place; certificates and headers name it by that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatorSet {
    validators: Vec<Validator>,
    /// Whether they are thought never to lie.
    trusting: bool,
}

/// Why a list of validators is no validator set.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ValidatorSetError {
    /// There is none.
    #[error("there is no validator; at least one has to decide blocks")]
    Empty,
    /// There are too many.
    #[error("there are {found} validators, the limit is {limit}")]
    TooMany {
        /// How many there are.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Two have the same key.
    #[error("validators {first} and {second} have the same key {key}; each needs its own")]
    DuplicateKey {
        /// Index of the first.
        first: usize,
        /// Index of the second.
        second: usize,
        /// The key.
        key: PublicKey,
    },
}

impl ValidatorSet {
    /// A set of these validators, in this order, of whom less than a third may be faulty in any way.
    ///
    /// # Errors
    /// If there are none or more than [`limits::VALIDATORS`], or if two have the same key.
    pub fn new(validators: Vec<Validator>) -> Result<ValidatorSet, ValidatorSetError> {
        if validators.is_empty() {
            return Err(ValidatorSetError::Empty);
        }
        if validators.len() > limits::VALIDATORS {
            return Err(ValidatorSetError::TooMany { found: validators.len(), limit: limits::VALIDATORS });
        }
        let mut by_key: Vec<_> = validators.iter().map(|validator| validator.key).zip(0..).collect();
        by_key.sort_unstable();
        if let Some([(key, first), (_, second)]) = by_key.array_windows().find(|[one, two]| one.0 == two.0) {
            return Err(ValidatorSetError::DuplicateKey { first: *first, second: *second, key: *key });
        }
        Ok(ValidatorSet { validators, trusting: false })
    }

    /// The set that decides the first blocks of a chain.
    ///
    /// # Errors
    /// As [`ValidatorSet::new`].
    pub fn from_genesis(genesis: &Genesis) -> Result<ValidatorSet, ValidatorSetError> {
        Ok(ValidatorSet::new(genesis.validators.clone())?.agreeing_by(genesis.consensus))
    }

    /// The same validators in a group that agrees in this way, which says how many signatures decide. Every set of a
    /// group has the way of its genesis.
    pub fn agreeing_by(self, consensus: ConsensusKind) -> ValidatorSet {
        ValidatorSet { trusting: consensus == ConsensusKind::Raft, ..self }
    }

    /// The same validators as those who decide after others in their group, and in the same way.
    pub fn succeeding(self, former: &ValidatorSet) -> ValidatorSet {
        ValidatorSet { trusting: former.trusting, ..self }
    }

    /// The digest that headers carry: over names, keys and order.
    pub fn hash(&self, suite: CryptoSuite) -> Hash {
        let bytes = borsh::to_vec(&self.validators).expect("a bounded list encodes into memory");
        suite.hash(Domain::ValidatorSet, &bytes)
    }

    /// How many validators there are; at least one.
    #[expect(clippy::len_without_is_empty, reason = "a set is never empty")]
    pub fn len(&self) -> usize {
        self.validators.len()
    }

    /// How many of them sign what is decided: the least number above two thirds.
    ///
    /// In a group that agrees by [`ConsensusKind::Raft`] it is one, the block's proposer. There the others' word that
    /// they have a block is not signed, since nobody is thought to lie: a certificate says who made the block, and that
    /// a majority has it follows only from where it comes, the ledger of a member.
    pub fn quorum(&self) -> usize {
        let count = self.len();
        if self.trusting { 1 } else { count - (count - 1) / 3 }
    }

    /// The validator at an index.
    pub fn get(&self, index: u32) -> Option<&Validator> {
        self.validators.get(index as usize)
    }

    /// The index of the validator with this key.
    pub fn index_of(&self, key: &PublicKey) -> Option<u32> {
        // At most `limits::VALIDATORS`, so the index fits.
        self.validators.iter().position(|validator| validator.key == *key).map(|index| index as u32)
    }

    /// All of them, in order.
    pub fn as_slice(&self) -> &[Validator] {
        &self.validators
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const STANDARD: CryptoSuite = CryptoSuite::Standard;

    fn validator(n: u32) -> Validator {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&n.to_le_bytes());
        Validator { name: format!("validator-{n}"), key: PublicKey::Ed25519(key) }
    }

    fn set(count: u32) -> ValidatorSet {
        ValidatorSet::new((0..count).map(validator).collect()).unwrap()
    }

    #[test]
    fn a_quorum_is_more_than_two_thirds_and_no_more_than_needed() {
        for count in 1..=200 {
            let quorum = set(count).quorum();
            let count = count as usize;
            assert!(3 * quorum > 2 * count && 3 * (quorum - 1) <= 2 * count, "{quorum} of {count}");
        }
    }

    #[test]
    fn one_signs_where_nobody_is_thought_to_lie() {
        for count in 1..=7 {
            let raft = set(count).agreeing_by(ConsensusKind::Raft);
            assert_eq!((raft.quorum(), raft.hash(STANDARD)), (1, set(count).hash(STANDARD)));
            assert_eq!(set(count).agreeing_by(ConsensusKind::Bft), set(count));
        }
    }

    #[test]
    fn empty_oversized_and_ambiguous_sets_are_refused() {
        assert_eq!(ValidatorSet::new(Vec::new()), Err(ValidatorSetError::Empty));
        let many = (0..=limits::VALIDATORS as u32).map(validator).collect();
        assert!(matches!(ValidatorSet::new(many), Err(ValidatorSetError::TooMany { .. })));
        let key = validator(1).key;
        let twice = vec![validator(0), validator(1), validator(2), Validator { name: "other".into(), key }];
        let error = ValidatorSet::new(twice).unwrap_err();
        assert_eq!(error, ValidatorSetError::DuplicateKey { first: 1, second: 3, key });
    }

    #[test]
    fn the_hash_covers_names_keys_and_order() {
        let hash = set(3).hash(STANDARD);
        assert_eq!(hash, set(3).hash(STANDARD));
        let mut validators = set(3).as_slice().to_vec();
        validators.swap(0, 1);
        assert_ne!(hash, ValidatorSet::new(validators.clone()).unwrap().hash(STANDARD));
        validators.swap(0, 1);
        validators[2].name.push('x');
        assert_ne!(hash, ValidatorSet::new(validators).unwrap().hash(STANDARD));
        assert_ne!(hash, set(4).hash(STANDARD));
        assert_ne!(hash, set(3).hash(CryptoSuite::Guomi));
    }

    #[test]
    fn indices_and_keys_lead_to_each_other() {
        let set = set(5);
        for index in 0..5 {
            assert_eq!(set.index_of(&set.get(index).unwrap().key), Some(index));
        }
        assert_eq!(set.get(5), None);
        assert_eq!(set.index_of(&validator(5).key), None);
    }
}
