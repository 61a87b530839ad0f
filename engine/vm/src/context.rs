//! The block that a transaction runs in, as far as contracts can see it.

use hanse_types::crypto::CryptoSuite;
use hanse_types::{Hash, Height, Params, Timestamp};

/// What contracts may know of the block that is being made. The same on every node that runs the block.
#[derive(Clone, Debug)]
pub struct BlockContext {
    /// Height of the block.
    pub height: Height,
    /// What the group hashes by.
    pub crypto: CryptoSuite,
    /// Time of the block.
    pub timestamp: Timestamp,
    /// Hashes of the blocks before, the parent's first; at most [`hanse_types::limits::RECENT_BLOCKS`] are looked at.
    pub recent_hashes: Vec<Hash>,
    /// The chain's parameters as the parent's state holds them.
    pub params: Params,
}

impl BlockContext {
    /// The hash of a recent block, none if it is too old or not made yet.
    pub fn block_hash(&self, height: u64) -> Option<&Hash> {
        let back = self.height.0.checked_sub(height)?.checked_sub(1)?;
        let back = usize::try_from(back).ok()?;
        self.recent_hashes.iter().take(hanse_types::limits::RECENT_BLOCKS as usize).nth(back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_recent_blocks_have_a_hash() {
        let recent_hashes = (1..=300u16).map(|n| Hash([n as u8; 32])).collect();
        let block = BlockContext {
            height: Height(1_000),
            crypto: CryptoSuite::Standard,
            timestamp: Timestamp(1),
            recent_hashes,
            params: Params::default(),
        };
        assert_eq!(block.block_hash(999), Some(&Hash([1; 32])));
        assert_eq!(block.block_hash(744), Some(&Hash([0; 32])));
        assert_eq!(block.block_hash(743), None);
        assert_eq!(block.block_hash(1_000), None);
        assert_eq!(block.block_hash(u64::MAX), None);
    }
}
