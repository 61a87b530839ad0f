//! Evidence: two statements of one validator that contradict each other.

use borsh::{BorshDeserialize, BorshSerialize};
use hanse_types::{ChainIdentity, ValidatorSet};

use crate::bugs::{Bug, Bugs};
use crate::statement::SignedStatement;
use crate::verify::Verify;

/// Two different statements that one validator signed for one position. Shows by itself that the validator, or whoever
/// has its key, is faulty: an honest one never signs two, not even across a crash. What follows from it is for the
/// group's governance to decide; the engine excludes nobody, lest an attacker shrink the quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Evidence {
    /// One.
    pub first: SignedStatement,
    /// The other.
    pub second: SignedStatement,
}

impl Evidence {
    /// The validator's index.
    pub fn validator(&self) -> u32 {
        self.first.validator
    }

    /// Its canonical bytes.
    pub fn bytes(&self) -> Vec<u8> {
        borsh::to_vec(self).expect("evidence encodes into memory")
    }

    /// Whether it shows what it claims against a validator of this set.
    pub fn is_good(&self, chain: &ChainIdentity, set: &ValidatorSet, verify: &impl Verify) -> bool {
        self.is_good_with(chain, set, verify, Bugs::default())
    }

    pub(crate) fn is_good_with(
        &self,
        chain: &ChainIdentity,
        set: &ValidatorSet,
        verify: &impl Verify,
        bugs: Bugs,
    ) -> bool {
        let Evidence { first, second } = self;
        let contradiction = first.validator == second.validator
            && (first.statement.position() == second.statement.position() || bugs.has(Bug::AccuseOfTwoRounds))
            && first.statement.epoch == second.statement.epoch
            && (first.statement != second.statement || bugs.has(Bug::AccuseOfRepeating));
        let signed = |signed: &SignedStatement| {
            let key = set.get(signed.validator).map(|validator| &validator.key);
            key.is_some_and(|key| signed.statement.is_signed(chain, verify, key, &signed.signature))
        };
        contradiction && signed(first) && signed(second)
    }
}
