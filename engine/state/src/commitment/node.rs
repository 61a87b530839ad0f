//! Nodes of the tree: what is hashed, and what a proof holds.
//!
//! A node has 16 places, one for each value of the next four bits of a key's hash. A place is empty, holds a leaf (the
//! only one below it), or the hash of the node below it, under which there are two leaves or more.
//!
//! A node's hash is the suite's (for most groups SHA-256) over `StateNode` ‖ which places hold leaves ‖ which hold nodes ‖ what they hold, in the
//! order of the places. The maps of the places are 16 bits each, little-endian, the first place being the lowest bit; a
//! leaf is the hash of its key and the hash of its value, 64 bytes; a node is its hash, 32 bytes.
//!
//! Why a root stands for one state only: the maps say how long the message is and what each of its bytes is, so no
//! two nodes have the same message, and with a hash free of collisions no two have the same hash. A leaf is never hashed
//! by itself, so no leaf passes for a node or a node for a leaf: which of both a hash is, is said by the map in the
//! message in which it stands, and that message is fixed by the hash above, up to the root. Keys, values and nodes are
//! hashed under tags of their own. [`Hash::ZERO`], the root of the empty tree, is no node's hash as far as anyone knows.

use borsh::{BorshDeserialize, BorshSerialize};
use hanse_types::Hash;
use hanse_types::crypto::CryptoSuite;
use hanse_types::hash::Domain;

/// Places of a node.
pub(super) const PLACES: usize = 16;
/// Nodes on the longest way.
pub(super) const DEPTH_MAX: usize = 64;
/// Bytes of a node's message before what the places hold: the tag and the maps.
const HEAD: usize = 5;

/// Which place a key's hash goes through, in a node of this depth.
pub(super) fn place_of(key: &Hash, depth: usize) -> usize {
    let byte = key.0[depth / 2];
    usize::from(if depth.is_multiple_of(2) { byte >> 4 } else { byte & 0xf })
}

/// A key's leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    /// Hash of the key.
    pub(super) key: Hash,
    /// Hash of the value.
    pub(super) value: Hash,
}

impl Leaf {
    /// Whether its place in the order of keys is before that of this key.
    pub(super) fn is_before(&self, key: &Hash) -> bool {
        // The first bits almost always tell, and are compared at once.
        let (own, other) = (first_bits(&self.key), first_bits(key));
        own < other || own == other && self.key < *key
    }
}

/// The first 64 bits of a key's hash, in its order.
pub(super) fn first_bits(key: &Hash) -> u64 {
    key.0.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// Leaves in the order of their keys, in groups that go through the same place of a node of this depth.
pub(super) fn by_place(leaves: &[Leaf], depth: usize) -> impl Iterator<Item = (usize, &[Leaf])> {
    let groups = leaves.chunk_by(move |left, right| place_of(&left.key, depth) == place_of(&right.key, depth));
    groups.map(move |group| (place_of(&group[0].key, depth), group))
}

/// Which places of a node hold what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Maps {
    /// Places with a leaf.
    pub(super) leaves: u16,
    /// Places with a node.
    pub(super) nodes: u16,
}

impl Maps {
    /// The maps of the node of this depth above these leaves.
    pub(super) fn over(leaves: &[Leaf], depth: usize) -> Maps {
        let (mut once, mut again) = (0, 0);
        for leaf in leaves {
            let place = 1 << place_of(&leaf.key, depth);
            again |= once & place;
            once |= place;
        }
        Maps { leaves: once & !again, nodes: again }
    }

    /// Hashes that the places hold together.
    fn hashes(self) -> usize {
        (2 * self.leaves.count_ones() + self.nodes.count_ones()) as usize
    }

    /// Hashes that the places before this one hold.
    fn hashes_before(self, place: usize) -> usize {
        let before = (1 << place) - 1;
        Maps { leaves: self.leaves & before, nodes: self.nodes & before }.hashes()
    }

    /// Bytes of the node's message.
    pub(super) fn message_bytes(self) -> usize {
        HEAD + 32 * self.hashes()
    }
}

/// Writes the message of a node in the order of its places.
pub(super) struct Writer<'a> {
    rest: &'a mut [u8],
}

impl<'a> Writer<'a> {
    /// For a message of `maps.message_bytes()`.
    pub(super) fn new(message: &'a mut [u8], maps: Maps) -> Writer<'a> {
        let (head, rest) = message.split_at_mut(HEAD);
        head[0] = Domain::StateNode as u8;
        head[1..3].copy_from_slice(&maps.leaves.to_le_bytes());
        head[3..5].copy_from_slice(&maps.nodes.to_le_bytes());
        Writer { rest }
    }

    pub(super) fn leaf(&mut self, leaf: &Leaf) {
        self.node(&leaf.key);
        self.node(&leaf.value);
    }

    pub(super) fn node(&mut self, hash: &Hash) {
        let (place, rest) = std::mem::take(&mut self.rest).split_at_mut(32);
        place.copy_from_slice(&hash.0);
        self.rest = rest;
    }
}

/// The hash in a message of the node at a place that holds one.
pub(super) fn hash_in(message: &mut [u8], place: usize) -> &mut [u8] {
    let maps = Maps {
        leaves: u16::from_le_bytes([message[1], message[2]]),
        nodes: u16::from_le_bytes([message[3], message[4]]),
    };
    let at = HEAD + 32 * maps.hashes_before(place);
    &mut message[at..at + 32]
}

/// What a place holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Nothing,
    Leaf(Leaf),
    Node(Hash),
}

/// A node by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Node {
    /// Places with a leaf, the first place being the lowest bit.
    pub leaves: u16,
    /// Places with a node.
    pub nodes: u16,
    /// What they hold, in the order of the places: the hashes of a leaf's key and value, or a node's hash.
    pub hashes: Vec<Hash>,
}

impl Node {
    /// The node of this depth above these leaves, which are in the order of their keys. Hashes one after another, from
    /// nothing.
    pub(super) fn over(suite: CryptoSuite, leaves: &[Leaf], depth: usize) -> Node {
        let mut node = Node::default();
        for (place, group) in by_place(leaves, depth) {
            match group {
                [leaf] => node.push(place, Held::Leaf(*leaf)),
                group => node.push(place, Held::Node(Node::over(suite, group, depth + 1).hash(suite))),
            }
        }
        node
    }

    /// Says what the next place holds.
    pub(super) fn push(&mut self, place: usize, held: Held) {
        match held {
            Held::Nothing => {}
            Held::Leaf(leaf) => {
                self.leaves |= 1 << place;
                self.hashes.extend([leaf.key, leaf.value]);
            }
            Held::Node(hash) => {
                self.nodes |= 1 << place;
                self.hashes.push(hash);
            }
        }
    }

    /// What a place holds; none if the maps do not fit each other, or the number of hashes.
    pub(super) fn held(&self, place: usize) -> Option<Held> {
        let maps = self.maps();
        if maps.leaves & maps.nodes != 0 || maps.hashes() != self.hashes.len() {
            return None;
        }
        let at = maps.hashes_before(place);
        Some(if maps.leaves & (1 << place) != 0 {
            Held::Leaf(Leaf { key: self.hashes[at], value: self.hashes[at + 1] })
        } else if maps.nodes & (1 << place) != 0 {
            Held::Node(self.hashes[at])
        } else {
            Held::Nothing
        })
    }

    fn maps(&self) -> Maps {
        Maps { leaves: self.leaves, nodes: self.nodes }
    }

    /// The node's hash.
    pub fn hash(&self, suite: CryptoSuite) -> Hash {
        let (leaves, nodes) = (self.leaves.to_le_bytes(), self.nodes.to_le_bytes());
        let mut parts: Vec<&[u8]> = vec![&leaves, &nodes];
        parts.extend(self.hashes.iter().map(|hash| &hash.0[..]));
        suite.hash_parts(Domain::StateNode, &parts)
    }
}
