//! Many small records in one entry.
//!
//! A block holds thousands of transactions, receipts and access sets of a few hundred bytes each. As an entry each, they
//! would cost the store more in bookkeeping than in bytes; so neighbours share an entry, up to a number and a size that
//! keep reading one of them cheap. An entry's key is the block's height and the index of its first record.

use crate::error::LedgerError;

/// Most records of an entry.
const RECORDS_MAX: usize = 64;
/// An entry that has reached this many bytes takes no further record.
const BYTES_ENOUGH: usize = 32 << 10;

/// Makes one entry's bytes: the number of records, where each ends, the records.
#[derive(Default)]
pub(crate) struct ChunkBuilder {
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl ChunkBuilder {
    /// Adds a record that the closure appends to the buffer.
    pub(crate) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len() as u32);
    }

    /// Whether it takes no further record.
    pub(crate) fn is_full(&self) -> bool {
        self.ends.len() >= RECORDS_MAX || self.bytes.len() >= BYTES_ENOUGH
    }

    /// Number of records.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The entry's bytes.
    pub(crate) fn finish(self) -> Vec<u8> {
        let mut entry = Vec::with_capacity(4 + 4 * self.ends.len() + self.bytes.len());
        entry.extend_from_slice(&(self.ends.len() as u32).to_le_bytes());
        for end in &self.ends {
            entry.extend_from_slice(&end.to_le_bytes());
        }
        entry.extend_from_slice(&self.bytes);
        entry
    }
}

/// One entry's records.
pub(crate) struct Chunk<'a> {
    ends: &'a [[u8; 4]],
    bytes: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// The records of an entry that was read at `place`.
    pub(crate) fn read(entry: &'a [u8], place: &str) -> Result<Chunk<'a>, LedgerError> {
        let cut_off = || LedgerError::damaged(place, "its entry is cut off");
        let (count, rest) = entry.split_first_chunk().ok_or_else(cut_off)?;
        let count = u32::from_le_bytes(*count) as usize;
        let (ends, bytes) = count.checked_mul(4).and_then(|size| rest.split_at_checked(size)).ok_or_else(cut_off)?;
        let chunk = Chunk { ends: ends.as_chunks().0, bytes };
        let ordered = (1..count).all(|at| chunk.end(at - 1) <= chunk.end(at));
        let whole = count == 0 || chunk.end(count - 1) == bytes.len();
        if ordered && whole { Ok(chunk) } else { Err(cut_off()) }
    }

    /// Number of records.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// A record, if there is one at this place.
    pub(crate) fn get(&self, at: usize) -> Option<&'a [u8]> {
        let start =
            at.checked_sub(1).map_or(0, |before| if before < self.len() { self.end(before) } else { usize::MAX });
        (at < self.len()).then(|| &self.bytes[start..self.end(at)])
    }

    fn end(&self, at: usize) -> usize {
        u32::from_le_bytes(self.ends[at]) as usize
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn records_come_back_and_damage_shows() {
        let mut builder = ChunkBuilder::default();
        for record in [&b"one"[..], b"", b"three"] {
            builder.push(|bytes| bytes.extend_from_slice(record));
        }
        let entry = builder.finish();
        let chunk = Chunk::read(&entry, "here").unwrap();
        assert_eq!(
            (chunk.get(0), chunk.get(1), chunk.get(2)),
            (Some(&b"one"[..]), Some(&b""[..]), Some(&b"three"[..]))
        );
        assert_eq!((chunk.len(), chunk.get(3), chunk.get(9)), (3, None, None));
        for cut in 0..entry.len() {
            assert!(Chunk::read(&entry[..cut], "here").is_err(), "{cut}");
        }
        assert!(Chunk::read(&[&entry[..], &[0]].concat(), "here").is_err());
        assert!(Chunk::read(&[0xff; 4], "here").is_err());
    }
}
