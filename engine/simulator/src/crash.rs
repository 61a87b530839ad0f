//! A crash between any two effects of a node, and in the middle of each.
//!
//! A run of four honest nodes is made once to learn, for each of them, every effect in order: writes to the journal and to
//! the guard, signatures, messages to each peer, blocks in the ledger. Then it is made again for each node and each of its
//! effects: there the node stops. Of what it was writing, everything that a loss of power may leave is tried: nothing, all,
//! some first bytes, the right number of bytes with a bad end. It starts again from what its disk has, and the group goes
//! on until everybody has decided every height.
//!
//! The runs differ by who hears whom in the first rounds: all divisions of the four nodes, so that crashes meet locks, votes
//! for none, later rounds, blocks that are proposed again.
//!
//! It is checked that the node starts and may still vote, that nothing leaves it that is not on its disk, that over all its lives it signs one statement for one position, that its guard
//! refuses nothing the engine wants, that nobody has evidence against it, that no two nodes decide differently, and that
//! everybody decides.

use hanse_consensus::bft::Bugs;

use crate::cluster::{Cluster, Member, Plan, Ran};
pub use crate::drive::{Effect, Left};
use crate::small::{Group, VALIDATORS};
use crate::twins::divisions;

/// Heights of a run: a crash at the end of one has a next to go on with.
const HEIGHTS: u64 = 2;

/// A crash: in which run, of which node, at which of its effects, and what is left of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// The run, by the number of its schedule.
    pub schedule: usize,
    /// The node.
    pub node: usize,
    /// The number of the effect.
    pub effect: usize,
    /// What is left of it.
    pub left: Left,
}

/// All schedules with partitions in so many rounds.
pub struct Schedules {
    rounds: u32,
    divisions: Vec<Vec<u8>>,
    group: Group,
    bugs: Bugs,
}

impl Schedules {
    /// Those with partitions in so many rounds.
    pub fn new(rounds: u32, bugs: Bugs) -> Schedules {
        Schedules { rounds, divisions: divisions(usize::from(VALIDATORS)), group: Group::new(), bugs }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.divisions.len().pow(self.rounds)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn plan(&self, schedule: usize, crash: Option<(usize, usize, Left)>) -> Plan {
        let count = self.divisions.len();
        // The last round counts most, and its first division cuts nobody off: schedules with fewer rounds come first.
        let division = |round| self.divisions[schedule / count.pow(round) % count].clone();
        let members = (0..VALIDATORS).map(|validator| Member { validator, honest: true }).collect();
        Plan { members, sides: (0..self.rounds).map(division).collect(), heights: HEIGHTS, crash, bugs: self.bugs }
    }

    /// Every crash that there can be in a schedule.
    ///
    /// # Errors
    /// If the run without a crash already breaks something.
    pub fn crashes(&self, schedule: usize) -> Result<Vec<Crash>, String> {
        let plan = self.plan(schedule, None);
        let Ran { failure, effects, .. } = Cluster::new(&self.group, &plan, false).run();
        if let Some(failure) = failure {
            return Err(failure);
        }
        let mut crashes = Vec::new();
        for (node, effects) in effects.iter().enumerate() {
            for (number, effect) in effects.iter().enumerate() {
                let crash = |left| Crash { schedule, node, effect: number, left };
                crashes.extend(effect.left().into_iter().map(crash));
            }
        }
        Ok(crashes)
    }

    /// Runs a schedule with a crash. What did not hold, if something did not.
    pub fn run(&self, crash: &Crash, trace: bool) -> Option<String> {
        let Crash { schedule, node, effect, left } = *crash;
        let plan = self.plan(schedule, Some((node, effect, left)));
        let Ran { failure, crashed, .. } = Cluster::new(&self.group, &plan, trace).run();
        failure.or_else(|| (!crashed).then(|| "the node did not stop".to_owned()))
    }
}
