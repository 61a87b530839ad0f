//! Mistakes that the simulator puts in, to see that it finds them.
//!
//! Without the feature `injected-bugs`, which only the simulator's own tests switch on, there are none: [`Bugs::has`] is
//! `false`, and the compiler removes what hangs on it.

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Bug {
    /// A prevote doesn't look at the lock.
    IgnoreLock,
    /// A precommit doesn't lock.
    NeverLock,
    /// A new round forgets the lock.
    UnlockAtNewRound,
    /// A proposal of a locked block is believed without its polka.
    BelieveValidRound,
    /// A quorum is one vote less.
    SmallQuorum,
    /// Signatures of votes are not looked at.
    SkipSignatures,
    /// Signatures of quorums are not looked at.
    SkipQuorumSignatures,
    /// Blocks are voted for before they are run.
    SkipCheck,
    /// A proposal of anybody is taken.
    AnyProposer,
    /// One validator at a later round is enough to follow it.
    SkipRoundForOne,
    /// Nobody in later rounds is followed.
    NeverSkipRound,
    /// A valid block is not proposed again.
    ForgetValid,
    /// A commit is taken only in its own round.
    IgnoreOldCommits,
    /// Nobody tells where it is.
    NeverRepair,
    /// What is missing is asked for once.
    AskOnce,
    /// After a restart the lock is forgotten.
    ForgetLockAtRestart,
    /// After a restart nothing is said again.
    SilentRestart,
    /// After a restart the round starts anew.
    RestartAtRoundZero,
    /// Prevotes for no block count as precommits for none.
    MixKinds,
}

/// Those that are in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bugs {
    #[cfg(feature = "injected-bugs")]
    set: u32,
}

impl Bugs {
    /// No mistake but this one.
    #[cfg(feature = "injected-bugs")]
    pub fn only(bug: Bug) -> Bugs {
        Bugs { set: 1 << bug as u32 }
    }

    #[cfg(feature = "injected-bugs")]
    pub(crate) fn has(self, bug: Bug) -> bool {
        self.set & (1 << bug as u32) != 0
    }

    #[cfg(not(feature = "injected-bugs"))]
    pub(crate) const fn has(self, _: Bug) -> bool {
        false
    }
}
