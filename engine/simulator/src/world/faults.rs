//! Lives, and what ends them or gets in their way, until everything heals.

use hanse_consensus::{Input, Peer};

use crate::cut::Kind;
use crate::disk::Files;
use crate::node::Node;
use crate::world::{CLOCKS_MS, Event, Healed, World};

/// Longest time that a node stands still, and that a disk is full, in milliseconds.
const STILL_MS: u64 = 3_000;
/// An hour.
const HOUR_MS: i64 = 3_600_000;

impl World {
    /// Starts a node on what its disk has; power may fail at the write after so many.
    pub(super) fn start(&mut self, at: usize, fuse: Option<u64>) {
        let node = &mut self.nodes[at];
        let (before, losses) = (node.votes_from, node.disk.power_losses());
        node.disk.restart(fuse);
        node.read_clock(self.time);
        let now = node.now(self.time);
        let started = node.start(&self.chain, self.real.as_ref(), self.bugs, now);
        if node.disk.power_losses() > losses || (started.is_err() && node.disk.has_failed()) {
            return self.crash(at);
        }
        if let Err(error) = started {
            return self.oracle.fail(format!("node {at} does not start: {error}"));
        }
        if node.is_honest() && node.lives > 1 {
            self.oracle.started(at, before, node.votes_from, node.has_lost);
        }
        self.tell(at, Input::Start);
        for other in 0..self.nodes.len() {
            if other != at && self.nodes[other].life.is_some() {
                self.tell(at, Input::PeerUp(Peer(other as u32)));
                self.tell(other, Input::PeerDown(Peer(at as u32)));
                self.tell(other, Input::PeerUp(Peer(at as u32)));
            }
        }
        self.remind(at);
    }

    /// Tells a node again that there is something to decide. A whole node knows.
    pub(super) fn remind(&mut self, node: usize) {
        if self.real.is_none() && !self.nodes[node].pool.is_empty() {
            self.tell(node, Input::BatchReady);
        }
    }

    pub(super) fn crash_somebody(&mut self) {
        if self.healed.is_some() {
            return;
        }
        let happens = self.tape.happens(Kind::Crash, &mut self.faults);
        let node = self.faults.below(self.nodes.len() as u64) as usize;
        if happens && self.nodes[node].life.is_some() {
            if self.faults.chance(self.scenario.power) {
                let writes = self.faults.below(4);
                self.nodes[node].disk.set_fuse(Some(writes));
            } else {
                self.crash(node);
            }
        }
        self.plan_fault(Kind::Crash, self.scenario.crash_ms, Event::Crash);
    }

    pub(super) fn crash(&mut self, node: usize) {
        if self.trace {
            println!("[{:>6}] n{node} crashes", self.time);
        }
        self.nodes[node].life = None;
        self.summary.crashes += 1;
        if self.scenario.forgetful.contains(&node) && self.faults.chance(300) {
            self.forget(node);
        }
        let after = self.faults.between(20, self.scenario.down_ms);
        self.plan(after, Event::Restart { node });
    }

    /// Loses or damages a node's record of votes, or puts an old copy in its place.
    fn forget(&mut self, at: usize) {
        let mut files = self.nodes[at].disk.files();
        let dice = self.faults.next();
        let flip = |file: &mut Option<Vec<u8>>| {
            if let Some(file) = file.as_mut().filter(|file| !file.is_empty()) {
                let at = (dice >> 8) as usize % file.len();
                file[at] ^= 1 << (dice % 8);
            }
        };
        match dice % 5 {
            0 => files.journal = None,
            1 => files.guard = None,
            2 => flip(&mut files.journal),
            3 => flip(&mut files.guard),
            _ => files = self.old_copy(at).unwrap_or_default(),
        }
        self.nodes[at].has_lost = true;
        self.nodes[at].disk.replace(files);
    }

    /// A copy of the vote store that the ledger shows to be old.
    fn old_copy(&self, at: usize) -> Option<Files> {
        let noted = self.nodes[at].ledger.last().and_then(|committed| committed.noted)?;
        let copy = self.copies.get(&at)?;
        let newest = copy.newest();
        newest.is_none_or(|newest| newest.position() < noted.position()).then(|| copy.clone())
    }

    /// Some disk fails to sync, or is full for a while.
    pub(super) fn trouble(&mut self) {
        if self.healed.is_some() {
            return;
        }
        let happens = self.tape.happens(Kind::Trouble, &mut self.faults);
        let node = self.faults.below(self.nodes.len() as u64) as usize;
        let disk = &self.nodes[node].disk;
        if !happens {
            // As if it had been another's.
        } else if self.faults.chance(500) {
            disk.fail_sync();
        } else {
            disk.set_full(true);
            let after = self.faults.between(100, STILL_MS);
            self.plan(after, Event::Space { node });
        }
        self.plan_fault(Kind::Trouble, self.scenario.disk_ms, Event::Trouble);
    }

    /// A node stands still: what comes waits for it, its timers run out meanwhile.
    pub(super) fn pause(&mut self) {
        if self.healed.is_some() {
            return;
        }
        if self.tape.happens(Kind::Pause, &mut self.faults) {
            let node = self.faults.below(self.nodes.len() as u64) as usize;
            self.nodes[node].paused_until = self.time + self.faults.between(50, STILL_MS);
            self.summary.pauses += 1;
        }
        self.plan_fault(Kind::Pause, self.scenario.pause_ms, Event::Pause);
    }

    /// Clocks that are astray jump, by hours and back, or stand still.
    pub(super) fn move_clocks(&mut self) {
        if self.healed.is_some() {
            return;
        }
        let moved = self.tape.happens(Kind::Clocks, &mut self.faults);
        for at in self.scenario.astray.clone().into_iter().filter(|_| moved) {
            let hours = self.faults.below(24) as i64 - 12;
            let node = &mut self.nodes[at];
            node.stopped_clock = None;
            node.skew = if self.faults.chance(300) { 0 } else { hours * HOUR_MS };
            if self.faults.chance(300) {
                node.stopped_clock = Some(node.now(self.time));
            }
        }
        self.plan_fault(Kind::Clocks, CLOCKS_MS, Event::Clocks);
    }

    /// Everything works from now on: operators have seen to disks, clocks and nodes that stand still.
    pub(super) fn heal(&mut self) {
        self.network.heal();
        let honest = self.nodes.iter().filter(|node| node.is_honest());
        let height = honest.clone().map(Node::height).max().unwrap_or_default();
        let engines = honest.filter_map(|node| node.life.as_ref()).map(|life| life.mind.engine().position());
        let rounds = engines.filter(|(at, ..)| *at == height.next()).map(|(_, round, _)| round);
        self.healed = Some(Healed { at: self.time, height, round: rounds.max().unwrap_or_default() });
        for at in self.scenario.astray.clone() {
            (self.nodes[at].skew, self.nodes[at].stopped_clock) = (0, None);
            if self.scenario.whole {
                // It has to be started again to see that.
                self.nodes[at].life = None;
            }
        }
        for at in 0..self.nodes.len() {
            self.heal_node(at);
        }
    }

    fn heal_node(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        node.paused_until = 0;
        node.disk.heal();
        if node.disk.has_failed() {
            node.life = None;
        }
        if node.life.is_none() {
            self.start(at, None);
        }
    }
}
