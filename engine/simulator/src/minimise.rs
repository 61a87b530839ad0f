//! Makes a run that fails shorter, until nothing more can be left out.
//!
//! Delta debugging (Zeller and Hildebrandt, *Simplifying and isolating failure-inducing input*, 2002) over the faults of
//! the run: halves, quarters and so on are left out, down to single ones, as long as the run still fails in the same way.
//! As leaving something out makes all that follows come at other times, a few other ways for times to fall are tried too.
//! Then everything heals as early as possible, and transactions end as early as possible. What is left is named by a
//! [`Keep`], which with the seed is all that is needed to run it again.

use std::collections::BTreeSet;

use hanse_consensus::bft::Bugs;

use crate::cut::{Fault, Tape};
pub use crate::cut::{Keep, KeepError};
use crate::scenario::{Plan, Scenario};
use crate::world::{Summary, World};

/// What is left of a run that fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minimised {
    /// What did not hold, in the whole run and in what is left.
    pub failure: [String; 2],
    /// Faults until then.
    pub faults: [usize; 2],
    /// Things that happened until then.
    pub events: [u64; 2],
    /// What is left.
    pub keep: Keep,
    /// Runs that it took.
    pub runs: usize,
}

/// Runs that are made at most.
const RUNS: usize = 3_000;
/// Ways in which times may fall that are tried with each part that is left out.
const SALTS: u64 = 8;

/// Runs what stays of a seed's run.
pub fn run(seed: u64, plan: Plan, keep: &Keep, bugs: Bugs, trace: bool) -> Summary {
    let (_, tape) = World::on(Scenario::of(seed, plan), bugs, false, Tape::noting()).run_to_the_end();
    World::on(Scenario::of(seed, plan), bugs, trace, tape.cut(keep.clone())).run()
}

/// Minimises the run of a seed; nothing, if it doesn't fail.
pub fn minimise(seed: u64, plan: Plan, bugs: Bugs) -> Option<Minimised> {
    let (whole, tape) = World::on(Scenario::of(seed, plan), bugs, false, Tape::noting()).run_to_the_end();
    let failure = whole.failure.clone()?;
    let seen = tape.seen().clone();
    let heal_ms = Scenario::of(seed, plan).heal_ms;
    let mut shrinking = Shrinking { seed, plan, bugs, tape, kind: kind(&failure), runs: 0 };
    let mut keep = Keep { faults: seen.clone(), ..Keep::default() };
    shrinking.drop_faults(&mut keep);
    shrinking.heal_early(&mut keep, heal_ms);
    shrinking.end_transactions(&mut keep);
    shrinking.drop_faults(&mut keep);
    let left = shrinking.run(&keep).0;
    Some(Minimised {
        failure: [failure, left.failure.unwrap_or_default()],
        faults: [seen.len(), keep.len()],
        events: [whole.events, left.events],
        keep,
        runs: shrinking.runs,
    })
}

/// The way in which a run fails: its first words, without numbers.
fn kind(failure: &str) -> String {
    let words = failure.split_whitespace().filter(|word| !word.contains(|digit: char| digit.is_ascii_digit()));
    words.take(3).collect::<Vec<_>>().join(" ")
}

struct Shrinking {
    seed: u64,
    plan: Plan,
    bugs: Bugs,
    tape: Tape,
    kind: String,
    runs: usize,
}

impl Shrinking {
    fn run(&mut self, keep: &Keep) -> (Summary, BTreeSet<Fault>) {
        self.runs += 1;
        let scenario = Scenario::of(self.seed, self.plan);
        let (summary, tape) = World::on(scenario, self.bugs, false, self.tape.cut(keep.clone())).run_to_the_end();
        let kept = tape.seen().intersection(&keep.faults).copied().collect();
        (summary, kept)
    }

    /// Takes this over if it still fails in the same way, with times as they are or fall otherwise.
    fn tries(&mut self, keep: &mut Keep, less: Keep) -> bool {
        let others = (0..SALTS).filter(|salt| *salt != less.salt);
        let salts: Vec<u64> = [less.salt].into_iter().chain(others).collect();
        salts.into_iter().any(|salt| self.tries_one(keep, Keep { salt, ..less.clone() }))
    }

    /// Takes this over if it still fails in the same way, without the faults that it doesn't come to.
    fn tries_one(&mut self, keep: &mut Keep, less: Keep) -> bool {
        if self.runs >= RUNS {
            return false;
        }
        let (summary, kept) = self.run(&less);
        let fails = summary.failure.is_some_and(|failure| kind(&failure) == self.kind);
        if fails {
            *keep = Keep { faults: kept, ..less };
        }
        fails
    }

    fn drop_faults(&mut self, keep: &mut Keep) {
        let mut parts = 2;
        while !keep.is_empty() {
            let all: Vec<Fault> = keep.faults.iter().copied().collect();
            let length = all.len().div_ceil(parts);
            let smaller = all.chunks(length).any(|part| {
                let faults = all.iter().filter(|fault| !part.contains(fault)).copied().collect();
                self.tries(keep, Keep { faults, ..keep.clone() })
            });
            match (smaller, length) {
                (true, _) => parts = (parts - 1).max(2),
                (false, 1) => return,
                (false, _) => parts = (2 * parts).min(all.len()),
            }
        }
    }

    fn heal_early(&mut self, keep: &mut Keep, heal_ms: u64) {
        let earlier = (1..16).map(|part| heal_ms * part / 16);
        for heal_ms in earlier {
            if self.tries(keep, Keep { heal_ms: Some(heal_ms), ..keep.clone() }) {
                return;
            }
        }
    }

    fn end_transactions(&mut self, keep: &mut Keep) {
        for transactions in (0..10).map(|power| 1 << power) {
            if self.tries(keep, Keep { transactions: Some(transactions), ..keep.clone() }) {
                return;
            }
        }
    }
}
