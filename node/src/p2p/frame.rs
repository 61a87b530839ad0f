//! Frames on the wire: how long, of which group, about what, and then the bytes that the group gave.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | length of the rest, big-endian |
//! | 32 | the group: hash of its genesis |
//! | 1 | the module: 0 consensus, 1 sync, 2 transactions; 128 more, if the group's frame is packed |
//! | 4 | only then: the group's frame's length, big-endian |
//! | n | the group's frame, in its canonical encoding; or that as a block of LZ4 |
//!
//! A reader learns group, module and length before it takes a byte of what follows, so it can refuse that without memory for
//! it. A stream that carries anything else ends: there is no place in it at which to go on.
//!
//! A frame is packed where that pays ([`pack`]): votes are too short for it. Signatures can't be packed, what surrounds them can.

use std::io;
use std::sync::{Arc, OnceLock};

use futures::io::{AsyncRead, AsyncReadExt};
use hanse_group::network::{Frame, Module};
use hanse_types::{Canonical, Hash};
use lz4_flex::block;
use thiserror::Error;

/// Bytes of the group and the module.
const LABEL_BYTES: usize = 32 + 1;
/// Bytes of the length that a packed frame says besides.
const UNPACKED_BYTES: usize = 4;
/// In the module's byte: the frame is packed.
const PACKED: u8 = 128;
/// Shorter frames are sent as they are: what could be saved is less than what a packet of the network costs anyway.
const LEAST_PACKED: usize = 1 << 10;
/// A frame that would be packed into less than one of so many is sent as it is, lest few bytes make a reader take much memory;
/// what nodes say is packed into half, hardly less.
const MOST_OF_A_BYTE: usize = 16;
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
    /// Bytes that follow.
    pub(super) length: usize,
    /// Length of the group's frame, if what follows is that, packed.
    pub(super) unpacked: Option<usize>,
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
    /// Nobody packs a frame so.
    #[error("{0} bytes are announced as a packed frame of {1}")]
    Lengths(usize, usize),
    /// What follows is not what was announced.
    #[error("a packed frame is damaged: {0}")]
    Damaged(String),
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
    /// Bytes of the group's frame, unpacked.
    pub(super) fn frame_bytes(&self) -> usize {
        self.unpacked.unwrap_or(self.length)
    }

    /// Bytes of all of it on the wire.
    pub(super) fn wire_bytes(&self) -> usize {
        4 + self.rest()
    }

    /// Bytes that packing saves.
    pub(super) fn saved(&self) -> usize {
        self.unpacked.map_or(0, |unpacked| (unpacked - self.length).saturating_sub(UNPACKED_BYTES))
    }

    /// Bytes after those that say how many.
    fn rest(&self) -> usize {
        LABEL_BYTES + self.unpacked.map_or(0, |_| UNPACKED_BYTES) + self.length
    }

    /// As bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(4 + LABEL_BYTES + UNPACKED_BYTES);
        // Frames are shorter than `Frame::MAX_BYTES`, which is far below 4 GiB.
        bytes.extend((self.rest() as u32).to_be_bytes());
        bytes.extend(self.group.0);
        bytes.push(self.module as u8 | self.unpacked.map_or(0, |_| PACKED));
        bytes.extend(self.unpacked.iter().flat_map(|length| (*length as u32).to_be_bytes()));
        bytes
    }

    /// The next one of a stream; none where the stream ends well.
    pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<Head>, FrameError> {
        let mut first = [0; 1];
        if stream.read(&mut first).await? == 0 {
            return Ok(None);
        }
        let mut rest = [first[0], 0, 0, 0];
        stream.read_exact(&mut rest[1..]).await?;
        let rest = u32::from_be_bytes(rest);
        let too_short = || FrameError::TooShort(rest.into());
        let length = (rest as usize).checked_sub(LABEL_BYTES).ok_or_else(too_short)?;
        if length > Frame::MAX_BYTES {
            return Err(FrameError::TooLong(length as u64));
        }
        let mut label = [0; LABEL_BYTES];
        stream.read_exact(&mut label).await?;
        let mut group = Hash::ZERO;
        group.0.copy_from_slice(&label[..32]);
        let (is_packed, module) = (label[32] & PACKED != 0, label[32] & !PACKED);
        let module =
            Module::ALL.into_iter().find(|known| *known as u8 == module).ok_or(FrameError::Module(label[32]))?;
        if !is_packed {
            return Ok(Some(Head { group, module, length, unpacked: None }));
        }
        let length = length.checked_sub(UNPACKED_BYTES).ok_or_else(too_short)?;
        let mut unpacked = [0; UNPACKED_BYTES];
        stream.read_exact(&mut unpacked).await?;
        let unpacked = u32::from_be_bytes(unpacked) as usize;
        if unpacked > Frame::MAX_BYTES {
            return Err(FrameError::TooLong(unpacked as u64));
        }
        // So what is unpacked takes no more memory than what was sent allows, and nothing is packed for nothing.
        if unpacked <= length || unpacked > length.saturating_mul(MOST_OF_A_BYTE) {
            return Err(FrameError::Lengths(length, unpacked));
        }
        Ok(Some(Head { group, module, length, unpacked: Some(unpacked) }))
    }

    /// The group's frame, from the bytes that followed.
    pub(super) fn unpack(&self, bytes: Vec<u8>) -> Result<Arc<[u8]>, FrameError> {
        let Some(length) = self.unpacked else { return Ok(bytes.into()) };
        let unpacked = block::decompress(&bytes, length).map_err(|error| FrameError::Damaged(error.to_string()))?;
        if unpacked.len() != length {
            return Err(FrameError::Damaged(format!("it has {} bytes, not {length}", unpacked.len())));
        }
        Ok(unpacked.into())
    }
}

/// A group's frame, on its way to any number of peers: it is packed for the first of them.
#[derive(Debug)]
pub(super) struct Parcel {
    frame: Arc<[u8]>,
    packed: OnceLock<Option<Vec<u8>>>,
}

impl Parcel {
    pub(super) fn new(frame: Arc<[u8]>) -> Parcel {
        Parcel { frame, packed: OnceLock::new() }
    }

    /// Length of the group's frame.
    pub(super) fn len(&self) -> usize {
        self.frame.len()
    }

    /// Packs it, if that pays and was not done.
    pub(super) fn pack(&self) {
        self.packed.get_or_init(|| pack(&self.frame));
    }

    /// The head to send it with, and what follows: the frame packed, if it was.
    pub(super) fn wire(&self, group: Hash, module: Module) -> (Head, &[u8]) {
        let packed = self.packed.get().and_then(Option::as_deref);
        let bytes = packed.unwrap_or(&self.frame);
        (Head { group, module, length: bytes.len(), unpacked: packed.map(|_| self.len()) }, bytes)
    }
}

/// A frame packed; nothing if it is short, if that saves less than an eighth of it, as the time is not worth it then, or if it
/// saves more than nodes take.
fn pack(frame: &[u8]) -> Option<Vec<u8>> {
    if frame.len() < LEAST_PACKED {
        return None;
    }
    let packed = block::compress(frame);
    let pays = packed.len() <= frame.len() - frame.len() / 8;
    (pays && frame.len() <= packed.len() * MOST_OF_A_BYTE).then_some(packed)
}

/// Takes what follows a head. Memory grows with what comes, not with what was announced.
pub(super) async fn read_payload(stream: &mut (impl AsyncRead + Unpin), length: usize) -> Result<Vec<u8>, FrameError> {
    let mut bytes = Vec::with_capacity(length.min(FIRST_BYTES));
    stream.take(length as u64).read_to_end(&mut bytes).await?;
    if bytes.len() < length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(bytes)
}

/// Passes over what follows a head.
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

    /// How a group's frame is sent.
    fn packed(group: Hash, module: Module, frame: &[u8]) -> (Head, Vec<u8>) {
        let parcel = Parcel::new(frame.into());
        parcel.pack();
        let (head, bytes) = parcel.wire(group, module);
        (head, bytes.to_vec())
    }

    fn frames(seed: u64, count: usize) -> Vec<(Head, Vec<u8>)> {
        let mut random = Random::new(seed);
        let frame = |_| {
            let length = random.below(300) as usize;
            let module = Module::ALL[random.below(3) as usize];
            let group = Hash([random.below(256) as u8; 32]);
            let half = |at: usize| if at % 64 < 32 { 7 } else { random.below(256) as u8 };
            let bytes: Vec<u8> = (0..if length < 100 { LEAST_PACKED } else { 0 } + length).map(half).collect();
            packed(group, module, &bytes)
        };
        (0..count).map(frame).collect()
    }

    fn wire(frames: &[(Head, Vec<u8>)]) -> Vec<u8> {
        frames.iter().flat_map(|(head, payload)| [&head.encode()[..], payload].concat()).collect()
    }

    /// Reads to the end; what was sent of each frame, or what was wrong with one.
    async fn read_all(bytes: &[u8]) -> Result<Vec<(Head, Vec<u8>)>, FrameError> {
        let (mut stream, mut found) = (Cursor::new(bytes), Vec::new());
        while let Some(head) = Head::read(&mut stream).await? {
            let payload = read_payload(&mut stream, head.length).await?;
            assert_eq!(head.unpack(payload.clone())?.len(), head.frame_bytes());
            found.push((head, payload));
        }
        Ok(found)
    }

    #[test]
    fn what_was_written_is_read() {
        let frames = frames(1, 100);
        assert_eq!(block_on(read_all(&wire(&frames))).unwrap(), frames);
        assert!(frames.iter().any(|(head, _)| head.unpacked.is_some()));
        assert_eq!(wire(&frames).len(), frames.iter().map(|(head, _)| head.wire_bytes()).sum::<usize>());
    }

    #[test]
    fn what_is_worth_it_is_packed_and_comes_out_the_same() {
        let mut random = Random::new(6);
        let noise: Vec<u8> = (0..100_000).map(|_| random.below(256) as u8).collect();
        let half: Vec<u8> = noise.iter().enumerate().map(|(at, byte)| if at % 64 < 32 { 7 } else { *byte }).collect();
        assert_eq!((pack(&noise), pack(&[0; LEAST_PACKED - 1]), pack(&[0; 1 << 20])), (None, None, None));
        let (head, bytes) = packed(Hash([1; 32]), Module::Sync, &half);
        assert!(head.length < 60_000 && head.frame_bytes() == half.len(), "{head:?}");
        assert_eq!(head.unpack(bytes).unwrap()[..], half[..]);
    }

    #[test]
    fn what_is_packed_as_nobody_does_is_said_so() {
        let frame: Vec<u8> = (0..5_000u32).map(|at| if at % 8 == 0 { (at % 251) as u8 } else { 9 }).collect();
        let (head, bytes) = packed(Hash([1; 32]), Module::Sync, &frame);
        assert!(head.unpacked.is_some(), "{head:?}");
        let read = |head: Head, bytes: &[u8]| block_on(read_all(&[&head.encode(), bytes].concat())).unwrap_err();
        let announced = |unpacked| read(Head { unpacked: Some(unpacked), ..head }, &bytes);
        assert!(matches!(announced(5_001), FrameError::Damaged(_)));
        assert!(matches!(announced(4_999), FrameError::Damaged(_)));
        assert!(matches!(announced(bytes.len()), FrameError::Lengths(..)));
        assert!(matches!(announced(bytes.len() * MOST_OF_A_BYTE + 1), FrameError::Lengths(..)));
        assert!(matches!(announced(Frame::MAX_BYTES + 1), FrameError::TooLong(_)));
        let noise = vec![0xf0; bytes.len()];
        assert!(matches!(read(head, &noise), FrameError::Damaged(_)));
        assert!(matches!(
            block_on(read_all(&[&[0, 0, 0, 35][..], &[0; 32], &[129, 0, 0]].concat())),
            Err(FrameError::TooShort(35))
        ));
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
