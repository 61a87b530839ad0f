//! The chain as far as it is followed: who decides, and the newest headers. No I/O.

use std::collections::BTreeMap;

use hanse_client::proof::{Anchor, ProofError};
use hanse_client::views::{CertifiedHeader, HandoverView};
use hanse_types::{Epoch, Hash, Header, Height};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Headers that are remembered, to compare with what nodes say of them.
pub const WINDOW: usize = 1_000;

/// Two blocks that the validators decided and of which at most one can be in a chain: of the same height, or of heights
/// that follow one another without one being the other's parent. Whoever has the genesis can check it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Error)]
#[error(
    "the chain has forked at height {height}: its validators decided two blocks of which at most one can be in it, \
     {first_hash} and {second_hash}; nothing of this chain can be trusted any more: show both to the other members"
)]
pub struct Fork {
    /// The height of the later one.
    pub height: Height,
    /// Hash of the first.
    pub first_hash: Hash,
    /// Hash of the second.
    pub second_hash: Hash,
    /// The one that was followed.
    pub first: CertifiedHeader,
    /// The other.
    pub second: CertifiedHeader,
}

impl Fork {
    /// Checks that the validators decided both, and that they contradict one another.
    ///
    /// # Errors
    /// If they did not, or don't.
    pub fn check(&self, anchor: &Anchor) -> Result<(), ProofError> {
        let (first, second) = (anchor.header(&self.first)?, anchor.header(&self.second)?);
        let contradict = match first.height == second.height {
            true => first.hash() != second.hash(),
            false => first.height.next() == second.height && second.parent != first.hash(),
        };
        let told = (self.height, self.first_hash, self.second_hash);
        let is_told_rightly = told == (second.height, first.hash(), second.hash());
        if contradict && is_told_rightly { Ok(()) } else { Err(ProofError::Other) }
    }
}

/// Why a header is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// It was not decided by the validators, or is none of this chain.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// It does not follow the newest one.
    #[error("block {found} does not follow block {tip}, the newest that is known")]
    Gap {
        /// Its height.
        found: Height,
        /// The newest.
        tip: Height,
    },
    /// It is not by those whom the block before names.
    #[error("block {height} is not of the epoch that the block before it leads to")]
    Epoch {
        /// Its height.
        height: Height,
    },
    /// It contradicts another one.
    #[error(transparent)]
    Fork(Box<Fork>),
}

#[derive(Clone, Debug)]
struct Link {
    header: Header,
    hash: Hash,
    certified: CertifiedHeader,
}

/// See the module.
#[derive(Debug)]
pub struct Chain {
    anchor: Anchor,
    recent: BTreeMap<Height, Link>,
}

impl Chain {
    /// A chain of which only the anchor is known.
    pub fn new(anchor: Anchor) -> Chain {
        Chain { anchor, recent: BTreeMap::new() }
    }

    /// What it trusts.
    pub fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    /// The newest header.
    pub fn tip(&self) -> Option<&Header> {
        self.recent.last_key_value().map(|(_, link)| &link.header)
    }

    /// A header that is remembered, with its certificate.
    pub fn certified(&self, height: Height) -> Option<&CertifiedHeader> {
        self.recent.get(&height).map(|link| &link.certified)
    }

    /// The newest headers with their certificates, at most so many, the oldest first.
    pub fn newest(&self, count: usize) -> Vec<CertifiedHeader> {
        let skipped = self.recent.len().saturating_sub(count);
        self.recent.values().skip(skipped).map(|link| link.certified.clone()).collect()
    }

    /// Learns who decides the next epoch.
    ///
    /// # Errors
    /// If those of this one don't say so.
    pub fn follow(&self, handover: &HandoverView) -> Result<(), ProofError> {
        self.anchor.follow(handover)
    }

    /// Forgets the headers, to go on from a later one. What the anchor knows stays.
    pub fn leap(&mut self) {
        self.recent.clear();
    }

    /// Takes the next header, or compares one with what is known; it is checked then, and in no contradiction to the headers
    /// that are remembered.
    ///
    /// # Errors
    /// [`Refused::Proof`] with [`ProofError::UnknownEpoch`] asks for handovers.
    pub fn accept(&mut self, certified: &CertifiedHeader) -> Result<Header, Refused> {
        let header = self.anchor.header(certified)?;
        let hash = header.hash();
        if let Some(known) = self.recent.get(&header.height) {
            return if known.hash == hash { Ok(header) } else { Err(fork(known, &header, hash, certified)) };
        }
        if let Some((_, tip)) = self.recent.last_key_value().filter(|(height, _)| **height < header.height) {
            if header.height != tip.header.height.next() {
                return Err(Refused::Gap { found: header.height, tip: tip.header.height });
            }
            if (header.epoch, header.validators) != next(&tip.header) {
                return Err(Refused::Epoch { height: header.height });
            }
            if header.parent != tip.hash {
                return Err(fork(tip, &header, hash, certified));
            }
        } else if !self.recent.is_empty() {
            // Older than all that is remembered: by the anchor alone.
            return Ok(header);
        }
        let link = Link { header: header.clone(), hash, certified: certified.clone() };
        self.recent.insert(header.height, link);
        while self.recent.len() > WINDOW {
            self.recent.pop_first();
        }
        Ok(header)
    }
}

/// Epoch and validators of the block after one.
fn next(header: &Header) -> (Epoch, Hash) {
    let changes = header.next_validators != header.validators;
    (Epoch(header.epoch.0.saturating_add(u64::from(changes))), header.next_validators)
}

fn fork(known: &Link, header: &Header, hash: Hash, certified: &CertifiedHeader) -> Refused {
    Refused::Fork(Box::new(Fork {
        height: header.height,
        first_hash: known.hash,
        second_hash: hash,
        first: known.certified.clone(),
        second: certified.clone(),
    }))
}

#[cfg(test)]
mod tests;
