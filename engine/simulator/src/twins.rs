//! Every way to cut a group in which one validator runs twice, round by round.
//!
//! After *Twins: BFT systems made robust* (Bano, Sonnino, Chursin, Perelman, Li, Ching, Malkhi, arXiv 2004.10617): a faulty
//! validator is two nodes with one key, each an honest one by itself, and the network decides who hears which. With four
//! validators there are five nodes; in each of the first *R* rounds they are on sides that don't hear one another, and
//! then everything heals. Two such nodes can equivocate, forget, vote for this here and for that there: most of what a
//! faulty validator can do to honest ones comes down to whom it shows what.
//!
//! A **scenario** is a way to divide the five nodes for each of *R* rounds, and the place of the doubled validator in the
//! order of proposers. Of five nodes there are 52 divisions, so 52^*R* · 4 scenarios. The two nodes of the doubled
//! validator begin alike, so exchanging them everywhere gives the same scenario again; of two such, only the first in
//! order counts. The honest validators are told apart by their turns, so no others are the same.
//!
//! In each it is checked that no two honest nodes decide differently, every certificate is one, no honest node signs two
//! statements for one position or is accused, and after everything has healed every honest node decides.
//!
//! Start reading at [`Scenarios::run`].

use hanse_consensus::bft::Bugs;

use crate::cluster::{Cluster, Member, Plan, Ran};
use crate::small::{Group, VALIDATORS};

/// Nodes of a scenario: the validators, and the other node of the one that runs twice.
const NODES: usize = VALIDATORS as usize + 1;
const DOUBLE: usize = VALIDATORS as usize;

/// All ways to divide nodes into sides that hear one another. Each names for every node its side; the first node of a side
/// has the next free number, so that no two of them are the same.
pub(crate) fn divisions(nodes: usize) -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new()];
    for _ in 0..nodes {
        all = all.into_iter().flat_map(with_one_more).collect();
    }
    all
}

fn with_one_more(sides: Vec<u8>) -> impl Iterator<Item = Vec<u8>> {
    let next = sides.iter().max().map_or(0, |side| side + 1);
    (0..=next).map(move |side| sides.iter().copied().chain([side]).collect())
}

/// The same division with two nodes exchanged.
fn exchanged(sides: &[u8], one: usize, two: usize) -> Vec<u8> {
    let mut sides = sides.to_vec();
    sides.swap(one, two);
    let mut names = Vec::new();
    let mut name = |side: u8| {
        names.iter().position(|known| *known == side).unwrap_or_else(|| {
            names.push(side);
            names.len() - 1
        }) as u8
    };
    sides.into_iter().map(&mut name).collect()
}

/// All scenarios with so many rounds, numbered. Which of them are the same as an earlier one is known without running them.
pub struct Scenarios {
    rounds: u32,
    divisions: Vec<Vec<u8>>,
    /// For each validator that may be the doubled one, and each division, the one with its two nodes exchanged.
    exchanged: Vec<Vec<usize>>,
    group: Group,
}

impl Scenarios {
    /// Those with partitions in so many rounds.
    pub fn new(rounds: u32) -> Scenarios {
        let divisions = divisions(NODES);
        let place = |sides: Vec<u8>| divisions.iter().position(|known| *known == sides).unwrap_or_default();
        let of = |double: usize| divisions.iter().map(|sides| place(exchanged(sides, double, DOUBLE))).collect();
        let exchanged = (0..DOUBLE).map(of).collect();
        Scenarios { rounds, exchanged, divisions, group: Group::new() }
    }

    /// How many numbers there are.
    pub fn len(&self) -> u64 {
        (self.divisions.len() as u64).pow(self.rounds) * u64::from(VALIDATORS)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The doubled validator, and the division of each round.
    fn parts(&self, number: u64) -> (usize, Vec<usize>) {
        let (mut rest, count) = (number / u64::from(VALIDATORS), self.divisions.len() as u64);
        let mut next = || {
            let division = (rest % count) as usize;
            rest /= count;
            division
        };
        let divisions = (0..self.rounds).map(|_| next()).collect();
        ((number % u64::from(VALIDATORS)) as usize, divisions)
    }

    /// Whether no scenario with a lower number is the same.
    pub fn is_first(&self, number: u64) -> bool {
        let (double, divisions) = self.parts(number);
        let other = divisions.iter().map(|division| self.exchanged[double][*division]);
        // Compared as numbers are: the last round counts most.
        divisions.iter().rev().copied().le(other.rev())
    }

    /// Runs a scenario.
    pub fn run(&self, number: u64, bugs: Bugs, trace: bool) -> Outcome {
        let (double, divisions) = self.parts(number);
        let validator = |node: usize| if node == DOUBLE { double } else { node };
        let member = |node| Member { validator: validator(node) as u8, honest: validator(node) != double };
        let plan = Plan {
            members: (0..NODES).map(member).collect(),
            sides: divisions.iter().map(|division| self.divisions[*division].clone()).collect(),
            heights: 1,
            crash: None,
            bugs,
        };
        if trace {
            println!("{plan:#?}");
        }
        let Ran { failure, rounds, evidence, .. } = Cluster::new(&self.group, &plan, trace).run();
        Outcome { failure, round: rounds.first().map_or(0, |round| round.0), evidence }
    }
}

/// What a scenario came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What did not hold, if something did not.
    pub failure: Option<String>,
    /// The round in which the first honest node decided.
    pub round: u32,
    /// Contradictions that honest nodes reported.
    pub evidence: u64,
}
