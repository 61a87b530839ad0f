//! Mistakes that the simulator puts in, to see that it finds them.
//!
//! Without the feature `injected-bugs`, which only the simulator's own tests switch on, there are none: [`Bugs::has`] is
//! `false`, and the compiler removes what hangs on it.
//!
//! Where two lines of defence stand one behind the other, a mistake in one of them shows nothing as long as the other
//! holds; what is said of such a mistake names the second one that comes with it.

use hanse_types::ChainIdentity;

use crate::statement::Statement;

/// Declares the mistakes, and a list of all of them.
macro_rules! mistakes {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// A mistake.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug {
            $($(#[$doc])+ $name,)+
        }

        impl Bug {
            /// All of them.
            pub const ALL: &[Bug] = &[$(Bug::$name),+];
        }
    };
}

mistakes! {
    // ---- Locks and valid blocks ----

    /// A prevote doesn't look at the lock.
    IgnoreLock,
    /// A precommit doesn't lock.
    NeverLock,
    /// A new round forgets the lock.
    UnlockAtNewRound,
    /// A polka frees from any lock, also from a newer one.
    OldPolkaUnlocks,
    /// A proposal of a locked block is believed without its polka.
    BelieveValidRound,
    /// A valid block is not proposed again.
    ForgetValid,
    /// A precommit follows the newest polka, also of an earlier round.
    PrecommitOldPolka,

    // ---- Counting ----

    /// A quorum is one vote less.
    SmallQuorum,
    /// A quorum is one vote less after the validators have changed.
    SmallQuorumAfterChange,
    /// The same vote counts again.
    CountTwice,
    /// Prevotes for no block count as precommits for none.
    MixKinds,
    /// A polka decides.
    DecideByPrevotes,
    /// A commit is taken only in its own round.
    IgnoreOldCommits,
    /// Quorums that come may be one vote short.
    ShortQuorums,
    /// Quorums that come may name a validator more than once.
    RepeatedSigners,

    // ---- What signatures cover ----

    /// Signatures of votes are not looked at.
    SkipSignatures,
    /// Signatures of quorums are not looked at.
    SkipQuorumSignatures,
    /// Votes of another epoch count.
    AnyEpoch,
    /// A vote's signature doesn't cover whether it is a prevote or a precommit.
    TypeNotSigned,
    /// A vote's signature doesn't cover the round.
    RoundNotSigned,
    /// A vote's signature doesn't cover the height.
    HeightNotSigned,
    /// A vote's signature doesn't cover the epoch.
    EpochNotSigned,
    /// A vote's signature doesn't cover the group.
    GroupNotSigned,

    // ---- What is proposed ----

    /// Blocks are voted for before they are run.
    SkipCheck,
    /// A proposal of anybody is taken.
    AnyProposer,
    /// A block may be from the future.
    AnyTime,
    /// A block may be older than its parent.
    OlderThanParent,
    /// A block may name any epoch.
    AnyBlockEpoch,
    /// A block may name any proposer.
    AnyBlockProposer,
    /// A validator proposes again where it has proposed.
    ProposeTwice,
    /// Whoever runs a block doesn't compare its roots.
    TrustRoots,
    /// Whoever runs a block doesn't compare its DAG.
    TrustDag,
    /// Whoever runs a block doesn't look for transactions that are in the chain.
    TrustFreshness,

    // ---- Rounds and time ----

    /// One validator at a later round is enough to follow it.
    SkipRoundForOne,
    /// Nobody in later rounds is followed.
    NeverSkipRound,
    /// A time that runs out counts whatever has been said since.
    LateTimeout,
    /// Later rounds don't wait longer.
    TimeoutsNeverGrow,
    /// Nobody waits for a proposal for a limited time.
    NoProposeTimeout,
    /// Nobody waits for precommits that disagree for a limited time.
    NoPrecommitTimeout,
    /// Who has nothing to propose leaves the height in which others wait.
    LeaveOthersWaiting,
    /// Who rests doesn't hear that another has something to decide.
    RestForGood,

    // ---- Repair ----

    /// Nobody tells where it is.
    NeverRepair,
    /// What is missing is asked for once.
    AskOnce,
    /// Blocks of heights that are over are not asked for.
    NeverCatchUp,
    /// Blocks of heights that are over are not served.
    NeverServe,
    /// Missing transactions are not asked for.
    NeverFetch,

    // ---- Bounds ----

    /// Any number of messages for the next height waits.
    WaitingUnbounded,
    /// Votes of all rounds are kept.
    RoundsUnbounded,
    /// Any number of proposals of a round is kept.
    ProposalsUnbounded,

    // ---- Evidence ----

    /// Evidence is not verified.
    BelieveEvidence,
    /// Statements of different positions are evidence.
    AccuseOfTwoRounds,
    /// The same statement twice is evidence.
    AccuseOfRepeating,

    // ---- Turns and validators ----

    /// Who fails in its turn stays where it was, until a restart.
    NeverDemote,
    /// Turns follow the round of a certificate, which differs between nodes.
    DemoteByCertificate,
    /// The turns of the old validators go on.
    KeepTurns,
    /// The old validators' signatures are asked for after a change.
    KeepSet,
    /// The epoch stays after a change of the validators.
    KeepEpoch,
    /// A validator keeps its index after a change.
    KeepIndex,

    // ---- Restarts ----

    /// After a restart the lock is forgotten.
    ForgetLockAtRestart,
    /// After a restart nothing is said again.
    SilentRestart,
    /// After a restart the round starts anew.
    RestartAtRoundZero,
    /// The next height begins before the block is durable.
    NextBeforeDurable,

    // ---- Journal, guard, signer ----

    /// The guard's record is not on disk when something is signed.
    SignBeforeSync,
    /// The guard is not asked. With [`Bug::LateTimeout`].
    NoGuard,
    /// Nothing gets into the journal.
    NoJournal,
    /// The guard's record is written before the journal.
    GuardBeforeJournal,
    /// A torn tail of the journal stays, and what comes next is behind it.
    KeepTornTail,
    /// A torn tail of the journal is taken for damage.
    TornTailIsDamage,
    /// Nobody minds that journal and guard don't agree.
    AgreeAnyway,
    /// Nobody minds that the ledger knows of newer votes.
    IgnoreNoted,
    /// A lost record of votes is taken for a new node's.
    LostMeansNew,
    /// After a loss, silence ends one height too early.
    ObserveTooShort,
    /// The guard forgets in a restart below which height it is silent.
    ForgetSilence,
    /// A write that failed is taken for done.
    IgnoreDiskErrors,
    /// After a write that failed the next one is tried.
    WriteOn,
}

/// Those that are in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bugs {
    #[cfg(feature = "injected-bugs")]
    only: Option<Bug>,
}

impl Bugs {
    /// No mistake but this one.
    #[cfg(feature = "injected-bugs")]
    pub fn only(bug: Bug) -> Bugs {
        Bugs { only: Some(bug) }
    }

    /// Whether a mistake is in.
    #[cfg(feature = "injected-bugs")]
    pub fn has(self, bug: Bug) -> bool {
        self.only == Some(bug)
    }

    /// Whether a mistake is in: none is.
    #[cfg(not(feature = "injected-bugs"))]
    pub const fn has(self, _: Bug) -> bool {
        false
    }

    /// What passes for a statement if its signature doesn't cover all of it.
    #[cfg(feature = "injected-bugs")]
    pub(crate) fn mistaken(self, chain: &ChainIdentity, statement: &Statement) -> Vec<(ChainIdentity, Statement)> {
        use hanse_types::{Epoch, Height, Round};

        use crate::statement::Word;

        let here = |statement| (chain.clone(), statement);
        let Statement { epoch, height, round, word } = *statement;
        match self.only {
            Some(Bug::TypeNotSigned) => {
                let other = match word {
                    Word::Prevote(choice) => Word::Precommit(choice),
                    Word::Precommit(choice) => Word::Prevote(choice),
                    propose => propose,
                };
                vec![here(Statement { word: other, ..*statement })]
            }
            Some(Bug::RoundNotSigned) => {
                (0..=round.0.min(8) + 1).map(|round| here(Statement { round: Round(round), ..*statement })).collect()
            }
            Some(Bug::HeightNotSigned) => {
                let heights = height.0.saturating_sub(3)..=height.0.saturating_add(1);
                heights.map(|height| here(Statement { height: Height(height), ..*statement })).collect()
            }
            Some(Bug::EpochNotSigned) => {
                (0..=epoch.0.min(8) + 2).map(|epoch| here(Statement { epoch: Epoch(epoch), ..*statement })).collect()
            }
            Some(Bug::GroupNotSigned) => {
                vec![(ChainIdentity { group_id: "another".into(), ..chain.clone() }, *statement)]
            }
            _ => Vec::new(),
        }
    }

    #[cfg(not(feature = "injected-bugs"))]
    pub(crate) const fn mistaken(self, _: &ChainIdentity, _: &Statement) -> Vec<(ChainIdentity, Statement)> {
        Vec::new()
    }
}
