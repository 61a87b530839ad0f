//! The network: who hears whom, how late, how often.

use crate::random::Random;
use crate::scenario::Scenario;

/// All links.
#[derive(Debug)]
pub(crate) struct Network {
    nodes: usize,
    loss: u64,
    doubled: u64,
    least_ms: u64,
    delay_ms: u64,
    tail_ms: u64,
    /// What they become when everything heals.
    healed_ms: (u64, u64),
    /// Links that are cut, by sender and receiver.
    cut: Vec<bool>,
    random: Random,
}

impl Network {
    pub(crate) fn new(scenario: &Scenario, nodes: usize) -> Network {
        let Scenario { seed, loss, doubled, delay_ms, tail_ms, healed_ms, .. } = *scenario;
        let random = Random::new(seed, "network");
        Network {
            nodes,
            loss,
            doubled,
            least_ms: 1,
            delay_ms,
            tail_ms,
            healed_ms,
            cut: vec![false; nodes * nodes],
            random,
        }
    }

    /// When copies of a message arrive, in milliseconds from now; none if it is lost.
    pub(crate) fn deliveries(&mut self, from: usize, to: usize) -> impl Iterator<Item = u64> + use<> {
        if self.cut[from * self.nodes + to] || self.random.chance(self.loss) {
            return [None, None].into_iter().flatten();
        }
        let first = self.delay();
        let second = if self.random.chance(self.doubled) { Some(self.delay()) } else { None };
        [Some(first), second].into_iter().flatten()
    }

    fn delay(&mut self) -> u64 {
        let most = if self.random.chance(30) { self.tail_ms } else { self.delay_ms };
        self.random.between(self.least_ms, most.max(self.least_ms))
    }

    /// Cuts other links than before: two sides, one node alone, one direction, any links; or none.
    pub(crate) fn change_shape(&mut self) {
        let shape = self.random.below(5);
        let sides = self.random.next();
        let (alone, nodes) = (self.random.below(self.nodes as u64) as usize, self.nodes);
        let side = |node: usize| sides >> node & 1;
        for from in 0..nodes {
            for to in 0..nodes {
                self.cut[from * nodes + to] = match shape {
                    0 => side(from) != side(to),
                    1 => from == alone || to == alone,
                    2 => side(from) == 1 && side(to) == 0,
                    3 => self.random.chance(400),
                    _ => false,
                };
            }
        }
    }

    /// From now on everything arrives, once and in time.
    pub(crate) fn heal(&mut self) {
        self.cut.fill(false);
        (self.loss, self.doubled) = (0, 0);
        let (least, most) = self.healed_ms;
        (self.least_ms, self.delay_ms, self.tail_ms) = (least, self.delay_ms.min(most).max(least), most);
    }
}
