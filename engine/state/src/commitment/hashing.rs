//! Hashes the changed nodes of many pages, a depth at a time from the bottom up, so that there are always many messages
//! to hash side by side.
//!
//! Nodes are added from the top down, a node before those below it. Its message is written at once, with gaps where the
//! hashes of changed nodes below belong; they are filled when those are hashed.

use std::cell::Cell;

use hanse_types::Hash;
use hanse_types::crypto::CryptoSuite;
use hanse_types::hash::many::Messages;

use super::node::{self, Leaf, Maps, PLACES, Writer, by_place};
use super::page::{Below, Draft};
use super::{Page, PagePath};

/// Where a node's hash belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The node above, by its number among those of its depth.
    pub(super) parent: usize,
    /// The place in it.
    pub(super) place: usize,
}

impl Place {
    /// Of a node above which there are no others.
    pub(super) const TOP: Place = Place { parent: 0, place: 0 };
}

/// Changed nodes of one depth.
#[derive(Default)]
struct Level {
    messages: Messages,
    places: Vec<Place>,
    /// Those that are pages, with their numbers.
    pages: Vec<(usize, PagePath, Draft)>,
}

/// Nodes to hash.
#[derive(Default)]
pub(super) struct Hashing {
    /// By depth.
    levels: Vec<Level>,
}

impl Hashing {
    /// Hashes a page by itself, with everything that follows from its leaves.
    pub(super) fn page(suite: CryptoSuite, path: PagePath, draft: Draft) -> Option<Page> {
        let mut hashing = Hashing::default();
        hashing.push_page(path, Place::TOP, draft);
        let mut page = None;
        hashing.run(suite, path.depth(), |_, finished| page = Some(finished));
        page
    }

    /// The number that the next node of this depth gets.
    pub(super) fn next(&self, depth: usize) -> usize {
        self.levels.get(depth).map_or(0, |level| level.messages.len())
    }

    fn level(&mut self, depth: usize) -> &mut Level {
        if self.levels.len() <= depth {
            self.levels.resize_with(depth + 1, Level::default);
        }
        &mut self.levels[depth]
    }

    /// Adds a page, with the nodes that follow from its leaves and are to be hashed.
    pub(super) fn push_page(&mut self, path: PagePath, place: Place, draft: Draft) {
        let depth = path.depth();
        let parent = self.next(depth);
        self.level(depth).push(place, &draft);
        for (place, below) in draft.places().enumerate() {
            if let Below::Leaves(run @ [_, _, ..], _) = below
                && draft.is_pending(place)
            {
                self.push_run(depth + 1, Place { parent, place }, run);
            }
        }
        self.level(depth).pages.push((parent, path, draft));
    }

    /// Adds the node of this depth above these leaves, of which there are several, and the nodes between.
    fn push_run(&mut self, depth: usize, place: Place, run: &[Leaf]) {
        let parent = self.next(depth);
        let level = self.level(depth);
        level.places.push(place);
        let maps = Maps::over(run, depth);
        let mut writer = Writer::new(level.messages.add(maps.message_bytes()), maps);
        if maps.nodes == 0 {
            run.iter().for_each(|leaf| writer.leaf(leaf));
            return;
        }
        for (_, group) in by_place(run, depth) {
            match group {
                [leaf] => writer.leaf(leaf),
                _ => writer.node(&Hash::ZERO),
            }
        }
        for (place, group) in by_place(run, depth).filter(|(_, group)| group.len() > 1) {
            self.push_run(depth + 1, Place { parent, place }, group);
        }
    }

    /// Hashes everything and gives the finished pages; nothing is left to hash then. The topmost node is the only one of
    /// its depth; this is its hash.
    pub(super) fn run(&mut self, suite: CryptoSuite, top: usize, mut finished: impl FnMut(PagePath, Page)) -> Hash {
        let mut last = Hash::ZERO;
        for depth in (top..self.levels.len()).rev() {
            let (above, level) = self.levels.split_at_mut(depth);
            let level = &mut level[0];
            for (number, _, draft) in &mut level.pages {
                draft.fill(level.messages.message(*number));
            }
            let hashes = level.messages.hash(suite);
            for (number, path, draft) in level.pages.drain(..) {
                finished(path, draft.finish(hashes[number]));
            }
            last = hashes.first().copied().unwrap_or_default();
            if depth > top {
                let above = &mut above[depth - 1].messages;
                for (place, hash) in level.places.iter().zip(&hashes) {
                    node::hash_in(above.message(place.parent), place.place).copy_from_slice(&hash.0);
                }
            }
            level.messages.clear();
            level.places.clear();
        }
        last
    }

    /// Takes over the memory that an earlier one on this thread left.
    pub(super) fn reuse() -> Hashing {
        SPARE.take()
    }

    /// Leaves the memory to the next one on this thread. Nothing may be left to hash.
    pub(super) fn leave(self) {
        let bytes: usize = self.levels.iter().map(|level| level.messages.memory_bytes()).sum();
        if bytes <= SPARE_MAX {
            SPARE.set(self);
        }
    }
}

/// Memory that is kept for the next block, at most so many bytes a thread.
const SPARE_MAX: usize = 4 << 20;

thread_local! {
    /// Fresh memory is cleared by the system a page at a time, which costs as much as hashing what is put there.
    static SPARE: Cell<Hashing> = Cell::default();
}

impl Level {
    /// Adds a page's own node.
    fn push(&mut self, place: Place, draft: &Draft) {
        self.places.push(place);
        let mut maps = Maps::default();
        for (place, below) in draft.places().enumerate() {
            match below {
                Below::Leaves([], _) => {}
                Below::Leaves([_], _) => maps.leaves |= 1 << place,
                _ => maps.nodes |= 1 << place,
            }
        }
        let mut writer = Writer::new(self.messages.add(maps.message_bytes()), maps);
        for below in draft.places() {
            match below {
                Below::Leaves([], _) => {}
                Below::Leaves([leaf], _) => writer.leaf(leaf),
                Below::Leaves(_, hash) | Below::Page(hash) => writer.node(&hash),
            }
        }
    }
}

impl Draft {
    /// Takes the hashes of changed nodes below from the message of the page's node.
    fn fill(&mut self, message: &mut [u8]) {
        for place in 0..PLACES {
            if self.is_pending(place) {
                let mut hash = Hash::ZERO;
                hash.0.copy_from_slice(node::hash_in(message, place));
                self.set_node(place, hash);
            }
        }
    }
}
