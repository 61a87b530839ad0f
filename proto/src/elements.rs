//! Bounds what decoding costs, before it is done.
//!
//! An empty element of a list takes two bytes on the wire and hundreds in memory. No element that is any good is that
//! short, so a message with one that is too short is refused by a walk over its outermost fields, which takes no memory.

use crate::WireError;
use crate::fields::Expected;

/// A list in a message, for the walk.
pub struct List {
    pub(crate) number: u64,
    pub(crate) field: &'static str,
    /// Fewest bytes of an element that can be good.
    pub(crate) least: usize,
}

pub(crate) fn check(what: &'static str, bytes: &[u8], lists: &[List]) -> Result<(), WireError> {
    if lists.is_empty() {
        return Ok(());
    }
    let mut fields = Fields { what, bytes };
    while let Some((number, found)) = fields.next()? {
        let list = lists.iter().find(|list| list.number == number && found < list.least);
        if let Some(List { field, least, .. }) = list {
            return Err(WireError::Size { field, found, expected: Expected::AtLeast(*least) });
        }
    }
    Ok(())
}

/// The outermost fields of a message.
struct Fields<'a> {
    what: &'static str,
    bytes: &'a [u8],
}

impl Fields<'_> {
    /// The next field's number and the length of its content.
    fn next(&mut self) -> Result<Option<(u64, usize)>, WireError> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let length = match tag & 7 {
            0 => {
                self.varint()?;
                0
            }
            1 => 8,
            2 => usize::try_from(self.varint()?).unwrap_or(usize::MAX),
            5 => 4,
            // Groups are long gone; none of our messages has one.
            _ => return Err(self.malformed("a field has an unknown wire type")),
        };
        self.bytes = self.bytes.get(length..).ok_or_else(|| self.malformed("a field is cut off"))?;
        Ok(Some((tag >> 3, length)))
    }

    fn varint(&mut self) -> Result<u64, WireError> {
        let mut number = 0;
        for shift in (0..70).step_by(7) {
            let (byte, rest) = self.bytes.split_first().ok_or_else(|| self.malformed("a number is cut off"))?;
            self.bytes = rest;
            number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(self.malformed("a number is too long"))
    }

    fn malformed(&self, reason: &str) -> WireError {
        WireError::Malformed { what: self.what, reason: reason.into() }
    }
}
