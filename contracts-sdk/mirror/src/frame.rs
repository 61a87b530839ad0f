//! Frames: 4 bytes of length, little-endian, then a value in Borsh.

use std::io::{self, ErrorKind, Read, Write};

use borsh::{BorshDeserialize, BorshSerialize};

/// Longest frame, in bytes. Far above what a transaction may do; what is longer is not from the other side.
pub const FRAME_BYTES: usize = 256 << 20;

/// Writes a frame and sees to it that it leaves.
///
/// # Errors
/// If it can't be written.
pub fn write(to: &mut impl Write, value: &impl BorshSerialize) -> io::Result<()> {
    let bytes = borsh::to_vec(value).map_err(|error| io::Error::other(error.to_string()))?;
    let length = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= FRAME_BYTES);
    let length = length.ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "the frame is too long"))?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(&bytes)?;
    to.flush()
}

/// Reads a frame; none at the end of the stream.
///
/// # Errors
/// If it can't be read, ends in the middle, or is no such value.
pub fn read<T: BorshDeserialize>(from: &mut impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    if from.read(&mut length[..1])? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut length[1..])?;
    let length = u32::from_le_bytes(length) as usize;
    if length > FRAME_BYTES {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("a frame of {length} bytes is too long")));
    }
    // Grows with what comes, whatever length is claimed.
    let mut bytes = Vec::new();
    from.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() < length {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let value = borsh::from_slice(&bytes);
    value.map(Some).map_err(|error| io::Error::new(ErrorKind::InvalidData, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, Report, Request};

    #[test]
    fn what_was_written_is_read_and_then_comes_the_end() -> io::Result<()> {
        let report = Report { output: vec![1, 2], reads: vec![vec![3]], gas: 4, ..Report::default() };
        let answers = [Answer::Done, Answer::Report(Box::new(report)), Answer::Refused("no".into())];
        let mut bytes = Vec::new();
        answers.iter().try_for_each(|answer| write(&mut bytes, answer))?;
        let mut rest = &bytes[..];
        for answer in answers {
            assert_eq!(read(&mut rest)?, Some(answer));
        }
        assert_eq!(read::<Answer>(&mut rest)?, None);
        Ok(())
    }

    #[test]
    fn what_is_cut_too_long_or_of_another_kind_is_an_error() -> io::Result<()> {
        let mut bytes = Vec::new();
        write(&mut bytes, &Request::Hello(7))?;
        for cut in 1..bytes.len() {
            assert!(read::<Request>(&mut &bytes[..cut]).is_err(), "{cut} bytes");
        }
        assert!(read::<Request>(&mut &[255; 8][..]).is_err());
        assert!(read::<Request>(&mut &[1, 0, 0, 0, 9][..]).is_err());
        Ok(())
    }
}
