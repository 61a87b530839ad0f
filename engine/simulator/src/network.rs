//! The network: who hears whom, how late, how often.

use crate::cut::Tape;
use crate::random::Random;
use crate::scenario::Scenario;

/// Virtual milliseconds in which what the network does to messages is one fault.
const WINDOW_MS: u64 = 200;

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
    /// Whether messages get lost, doubled and very late, and until when that is so.
    disturbed: bool,
    until_ms: u64,
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
            disturbed: true,
            until_ms: 0,
            random,
        }
    }

    /// When copies of a message arrive, in milliseconds from now; none if it is lost.
    pub(crate) fn deliveries(&mut self, from: usize, to: usize) -> [Option<u64>; 2] {
        if self.cut[from * self.nodes + to] || (self.random.chance(self.loss) && self.disturbed) {
            return [None, None];
        }
        let first = self.delay();
        let second =
            if self.random.chance(self.doubled) { Some(self.delay()).filter(|_| self.disturbed) } else { None };
        [Some(first), second]
    }

    fn delay(&mut self) -> u64 {
        let most = if self.random.chance(30) && self.disturbed { self.tail_ms } else { self.delay_ms };
        self.random.between(self.least_ms, most.max(self.least_ms))
    }

    /// Time goes on: from one window to the next, what the network does to messages may be left out.
    pub(crate) fn enter(&mut self, time: u64, tape: &mut Tape) {
        if time >= self.until_ms {
            let window = time / WINDOW_MS;
            self.until_ms = (window + 1) * WINDOW_MS;
            let is_rough = self.loss > 0 || self.doubled > 0 || self.tail_ms > self.delay_ms;
            self.disturbed = !is_rough || tape.disturbs(window as u32, &mut self.random);
        }
    }

    pub(crate) fn dice(&mut self) -> &mut Random {
        &mut self.random
    }

    /// Cuts nothing.
    pub(crate) fn mend(&mut self) {
        self.cut.fill(false);
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
        self.mend();
        (self.disturbed, self.until_ms) = (true, u64::MAX);
        (self.loss, self.doubled) = (0, 0);
        let (least, most) = self.healed_ms;
        (self.least_ms, self.delay_ms, self.tail_ms) = (least, self.delay_ms.min(most).max(least), most);
    }
}
