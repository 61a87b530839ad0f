//! Places in the chain, as text.

use std::fmt;
use std::str::FromStr;

use hanse_types::{Height, TxIndex};
use thiserror::Error;

use crate::methods::EventCursor;

/// Why a text is no cursor.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is no cursor: write {expected}, as a stream or an answer gave it")]
pub struct CursorError {
    /// What was given.
    pub text: String,
    /// What a cursor of this stream looks like.
    pub expected: &'static str,
}

/// A place in a stream: reading goes on there, and everything before it has been given.
pub trait Cursor: Copy + Ord + From<Height> + fmt::Display + fmt::Debug + Send + Unpin {
    /// Reads its text.
    ///
    /// # Errors
    /// If it is none.
    fn parse(text: &str) -> Result<Self, CursorError>;

    /// The block that is looked at next.
    fn height(self) -> Height;
}

impl fmt::Display for EventCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.height, self.index, self.event)
    }
}

impl FromStr for EventCursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let error = || CursorError { text: text.into(), expected: "HEIGHT, or HEIGHT.TRANSACTION.EVENT" };
        let mut parts = text.split('.');
        let height = parts.next().and_then(number).ok_or_else(error)?;
        // A part that is left out is 0; one that is there must be a number.
        let mut rest = || parts.next().map_or(Some(0), |part| u32::try_from(number(part)?).ok()).ok_or_else(error);
        let cursor = EventCursor { height: Height(height), index: TxIndex(rest()?), event: rest()? };
        if parts.next().is_some() { Err(error()) } else { Ok(cursor) }
    }
}

/// Digits and nothing else: a sign would be read by Rust, but not by everyone.
fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

impl Cursor for EventCursor {
    fn parse(text: &str) -> Result<Self, CursorError> {
        text.parse()
    }

    fn height(self) -> Height {
        self.height
    }
}

impl Cursor for Height {
    fn parse(text: &str) -> Result<Self, CursorError> {
        number(text).map(Height).ok_or_else(|| CursorError { text: text.into(), expected: "a HEIGHT" })
    }

    fn height(self) -> Height {
        self
    }
}

impl From<Height> for EventCursor {
    /// The beginning of a block.
    fn from(height: Height) -> EventCursor {
        EventCursor { height, ..EventCursor::default() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_cursor_and_its_text() {
        let cursor = EventCursor { height: Height(7), index: TxIndex(3), event: 1 };
        assert_eq!(cursor.to_string(), "7.3.1");
        assert_eq!("7.3.1".parse(), Ok(cursor));
        assert_eq!("7".parse(), Ok(EventCursor::from(Height(7))));
        assert_eq!("7.3".parse(), Ok(EventCursor { event: 0, ..cursor }));
        assert_eq!(Height::parse("7"), Ok(Height(7)));
        for text in ["", ".", "7.", "7.3.1.0", "+7", "-1", "7.x", "latest", "7.4294967296", "18446744073709551616"] {
            let error = text.parse::<EventCursor>().unwrap_err();
            assert!(error.to_string().contains("no cursor"), "{error}");
        }
        assert!(Height::parse("7.0").is_err());
    }
}
