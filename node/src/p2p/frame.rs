//! Frames on the wire: how long, of which group, about what, and then the bytes that the group gave.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | length of the rest, big-endian |
//! | 32 | the group: hash of its genesis |
//! | 1 | the module: 0 consensus, 1 sync, 2 transactions |
//! | n | the group's frame, in its canonical encoding |
//!
//! A reader learns group and module before it takes a byte of what follows, so it can refuse that without memory for it.
//! A stream that carries anything else ends: there is no place in it at which to go on.

use std::io;
use std::sync::Arc;

use futures::io::{AsyncRead, AsyncReadExt};
use hanse_group::network::{Frame, Module};
use hanse_types::{Canonical, Hash};
use thiserror::Error;

/// Bytes of the group and the module.
const LABEL_BYTES: usize = 32 + 1;
/// Bytes before the group's frame.
pub(super) const HEAD_BYTES: usize = 4 + LABEL_BYTES;
/// What is taken from a stream at a time, at most, when it is not kept.
const SKIP_BYTES: u64 = 64 << 10;
/// Room that is made for a frame before any of it has come.
const FIRST_BYTES: usize = 64 << 10;

/// What is said of a frame before it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The group: hash of its genesis.
    pub(super) group: Hash,
    /// What it is about.
    pub(super) module: Module,
    /// Length of the group's frame.
    pub(super) length: usize,
}

/// Why a stream can't go on.
#[derive(Debug, Error)]
pub(super) enum FrameError {
    /// It would be longer than any frame is.
    #[error("a frame of {0} bytes is announced, the most is {most}", most = Frame::MAX_BYTES)]
    TooLong(u64),
    /// It is too short to say what it is.
    #[error("a frame of {0} bytes can't say what it is")]
    TooShort(u64),
    /// There is no such module.
    #[error("there is no module {0}")]
    Module(u8),
    /// The connection failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl FrameError {
    /// Whether the other side did what no node does; else the connection is to blame.
    pub(super) fn is_offence(&self) -> bool {
        !matches!(self, FrameError::Io(_))
    }
}

impl Head {
    /// As bytes.
    pub(super) fn encode(&self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        // Frames are shorter than `Frame::MAX_BYTES`, which is far below 4 GiB.
        let length = (LABEL_BYTES + self.length) as u32;
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        bytes[4..36].copy_from_slice(&self.group.0);
        bytes[36] = self.module as u8;
        bytes
    }

    /// The next one of a stream; none where the stream ends well.
    pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<Head>, FrameError> {
        let mut first = [0; 1];
        if stream.read(&mut first).await? == 0 {
            return Ok(None);
        }
        let mut length = [first[0], 0, 0, 0];
        stream.read_exact(&mut length[1..]).await?;
        let length = u32::from_be_bytes(length) as usize;
        let Some(payload) = length.checked_sub(LABEL_BYTES) else { return Err(FrameError::TooShort(length as u64)) };
        if payload > Frame::MAX_BYTES {
            return Err(FrameError::TooLong(payload as u64));
        }
        let mut label = [0; LABEL_BYTES];
        stream.read_exact(&mut label).await?;
        let mut group = Hash::ZERO;
        group.0.copy_from_slice(&label[..32]);
        let module = Module::ALL.into_iter().find(|module| *module as u8 == label[32]);
        let module = module.ok_or(FrameError::Module(label[32]))?;
        Ok(Some(Head { group, module, length: payload }))
    }
}

/// Takes the group's frame that follows a head. Memory grows with what comes, not with what was announced.
pub(super) async fn read_payload(
    stream: &mut (impl AsyncRead + Unpin),
    length: usize,
) -> Result<Arc<[u8]>, FrameError> {
    let mut bytes = Vec::with_capacity(length.min(FIRST_BYTES));
    stream.take(length as u64).read_to_end(&mut bytes).await?;
    if bytes.len() < length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(bytes.into())
}

/// Passes over the group's frame that follows a head.
pub(super) async fn skip_payload(stream: &mut (impl AsyncRead + Unpin), length: usize) -> Result<(), FrameError> {
    let mut left = length as u64;
    let mut scratch = Vec::new();
    while left > 0 {
        scratch.clear();
        let part = left.min(SKIP_BYTES);
        if (&mut *stream).take(part).read_to_end(&mut scratch).await? as u64 != part {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        left -= part;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures::FutureExt;
    use futures::io::Cursor;

    use super::*;
    use crate::random::Random;

    /// Nothing in memory has to be waited for.
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        future.now_or_never().unwrap()
    }

    /// How many inputs; more by `HANSE_MUTATIONS`.
    fn mutations(usual: u64) -> u64 {
        std::env::var("HANSE_MUTATIONS").map_or(usual, |number| number.parse().unwrap())
    }

    fn frames(seed: u64, count: usize) -> Vec<(Head, Vec<u8>)> {
        let mut random = Random::new(seed);
        let frame = |_| {
            let length = random.below(300) as usize;
            let module = Module::ALL[random.below(3) as usize];
            (Head { group: Hash([random.below(256) as u8; 32]), module, length }, vec![random.below(256) as u8; length])
        };
        (0..count).map(frame).collect()
    }

    fn wire(frames: &[(Head, Vec<u8>)]) -> Vec<u8> {
        frames.iter().flat_map(|(head, payload)| [&head.encode()[..], payload].concat()).collect()
    }

    /// Reads to the end; how many frames there were, or what was wrong.
    async fn read_all(bytes: &[u8]) -> Result<Vec<(Head, Vec<u8>)>, FrameError> {
        let (mut stream, mut found) = (Cursor::new(bytes), Vec::new());
        while let Some(head) = Head::read(&mut stream).await? {
            found.push((head, read_payload(&mut stream, head.length).await?.to_vec()));
        }
        Ok(found)
    }

    #[test]
    fn what_was_written_is_read() {
        let frames = frames(1, 100);
        assert_eq!(block_on(read_all(&wire(&frames))).unwrap(), frames);
    }

    #[test]
    fn what_is_passed_over_leaves_the_next_frame_whole() {
        let mut frames = frames(2, 2);
        frames[0] = (Head { length: 200_000, ..frames[0].0 }, vec![1; 200_000]);
        let bytes = wire(&frames);
        block_on(async {
            let mut stream = Cursor::new(&bytes);
            let head = Head::read(&mut stream).await.unwrap().unwrap();
            skip_payload(&mut stream, head.length).await.unwrap();
            assert_eq!(Head::read(&mut stream).await.unwrap(), Some(frames[1].0));
            assert!(skip_payload(&mut stream, frames[1].0.length + 1).await.is_err());
        });
    }

    #[test]
    fn what_is_no_frame_is_said_so() {
        let read = |bytes: &[u8]| block_on(read_all(bytes)).unwrap_err();
        assert!(matches!(read(&[0xff; 40]), FrameError::TooLong(_)));
        assert!(matches!(read(&[0, 0, 0, 32, 1]), FrameError::TooShort(32)));
        let mut other = wire(&frames(3, 1));
        other[36] = 3;
        assert!(matches!(read(&other), FrameError::Module(3)));
        assert!(matches!(read(&other[..20]), FrameError::Io(_)));
    }

    /// A frame that announces much and brings little takes little memory, and no bytes make a reader fail otherwise than
    /// by an error.
    #[test]
    fn mutated_streams_are_read_or_refused() {
        let whole = wire(&frames(4, 20));
        let mut random = Random::new(5);
        let (mut read, mut refused) = (0, 0);
        for _ in 0..mutations(200_000) {
            let mut bytes = whole.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(bytes.len() as u64) as usize;
                match random.below(4) {
                    0 => bytes[at] ^= 1 << random.below(8),
                    1 => bytes[at] = random.below(256) as u8,
                    2 if bytes.len() > 1 => drop(bytes.remove(at)),
                    _ => bytes.truncate(at + 1),
                }
            }
            match block_on(read_all(&bytes)) {
                Ok(frames) => {
                    assert_eq!(wire(&frames), bytes);
                    read += 1;
                }
                Err(_) => refused += 1,
            }
        }
        assert!(read > 1_000 && refused > 1_000, "{read} read, {refused} refused");
    }
}
