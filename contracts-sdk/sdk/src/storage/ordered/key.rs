//! Keys whose bytes sort as their values do.

use alloc::string::String;
use alloc::vec::Vec;

use hanse_abi::Address;

use crate::data::{Data, Encoded};

/// A key whose encoding keeps the order: integers big-endian, texts and byte strings with an end mark, tuples part by
/// part. No key's encoding is the beginning of another's.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the key of an OrderedMap or a Table",
    note = "use integers, bool, String, Address, Vec<u8>, [u8; N] and tuples of them"
)]
pub trait OrderedKey: Data {
    /// Appends the encoding.
    fn append_to(&self, out: &mut Encoded);

    /// Takes a key off the front; none if the bytes do not start with one.
    fn take_from(bytes: &mut &[u8]) -> Option<Self>;
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = bytes.split_first_chunk::<N>()?;
    *bytes = tail;
    Some(*head)
}

macro_rules! unsigned {
    ($($type:ty),*) => { $(
        impl OrderedKey for $type {
            fn append_to(&self, out: &mut Encoded) {
                out.append(&self.to_be_bytes());
            }

            fn take_from(bytes: &mut &[u8]) -> Option<Self> {
                take(bytes).map(Self::from_be_bytes)
            }
        }
    )* };
}
unsigned!(u8, u16, u32, u64, u128);

/// Signed integers with the sign bit turned, so that negative ones come first.
macro_rules! signed {
    ($($type:ty),*) => { $(
        impl OrderedKey for $type {
            fn append_to(&self, out: &mut Encoded) {
                out.append(&(self ^ Self::MIN).to_be_bytes());
            }

            fn take_from(bytes: &mut &[u8]) -> Option<Self> {
                take(bytes).map(|bytes| Self::from_be_bytes(bytes) ^ Self::MIN)
            }
        }
    )* };
}
signed!(i8, i16, i32, i64, i128);

impl OrderedKey for bool {
    fn append_to(&self, out: &mut Encoded) {
        out.push(u8::from(*self));
    }

    fn take_from(bytes: &mut &[u8]) -> Option<Self> {
        match take(bytes)? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }
}

impl OrderedKey for Address {
    fn append_to(&self, out: &mut Encoded) {
        out.append(&self.0);
    }

    fn take_from(bytes: &mut &[u8]) -> Option<Self> {
        take(bytes).map(Address)
    }
}

impl<const N: usize> OrderedKey for [u8; N] {
    fn append_to(&self, out: &mut Encoded) {
        out.append(self);
    }

    fn take_from(bytes: &mut &[u8]) -> Option<Self> {
        take(bytes)
    }
}

/// Zero bytes are followed by 255; the end is two zero bytes.
impl OrderedKey for Vec<u8> {
    fn append_to(&self, out: &mut Encoded) {
        append_text(self, out);
    }

    fn take_from(bytes: &mut &[u8]) -> Option<Self> {
        let mut text = Vec::new();
        loop {
            match take(bytes)? {
                [0] => match take(bytes)? {
                    [0] => return Some(text),
                    [255] => text.push(0),
                    _ => return None,
                },
                [byte] => text.push(byte),
            }
        }
    }
}

impl OrderedKey for String {
    fn append_to(&self, out: &mut Encoded) {
        append_text(self.as_bytes(), out);
    }

    fn take_from(bytes: &mut &[u8]) -> Option<Self> {
        String::from_utf8(Vec::take_from(bytes)?).ok()
    }
}

fn append_text(text: &[u8], out: &mut Encoded) {
    for byte in text {
        out.push(*byte);
        if *byte == 0 {
            out.push(255);
        }
    }
    out.append(&[0, 0]);
}

macro_rules! tuples {
    ($(($($name:ident $at:tt),+))*) => { $(
        impl<$($name: OrderedKey),+> OrderedKey for ($($name,)+) {
            fn append_to(&self, out: &mut Encoded) {
                $(self.$at.append_to(out);)+
            }

            fn take_from(bytes: &mut &[u8]) -> Option<Self> {
                Some(($($name::take_from(bytes)?,)+))
            }
        }
    )* };
}
tuples! { (A 0) (A 0, B 1) (A 0, B 1, C 2) (A 0, B 1, C 2, D 3) }

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of<K: OrderedKey>(key: &K) -> Vec<u8> {
        let mut out = Encoded::new();
        key.append_to(&mut out);
        out.to_vec()
    }

    fn keeps_order<K: OrderedKey + Ord + core::fmt::Debug>(mut keys: Vec<K>) {
        keys.sort();
        for pair in keys.windows(2) {
            let (low, high) = (bytes_of(&pair[0]), bytes_of(&pair[1]));
            assert!(low < high, "{:?} and {:?}", pair[0], pair[1]);
            assert!(!high.starts_with(&low), "{:?} begins {:?}", pair[0], pair[1]);
        }
        for key in &keys {
            let bytes = bytes_of(key);
            let mut rest = &bytes[..];
            assert_eq!(K::take_from(&mut rest).as_ref(), Some(key));
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn bytes_sort_as_values_do_and_decode_again() {
        keeps_order(vec![0u64, 1, 255, 256, u64::MAX]);
        keeps_order(vec![i32::MIN, -256, -1, 0, 1, 256, i32::MAX]);
        keeps_order(["", "a", "a\0", "a\0b", "ab", "b"].map(String::from).to_vec());
        keeps_order(vec![vec![], vec![0u8], vec![0, 0], vec![0, 255], vec![1], vec![255]]);
        keeps_order(vec![(String::from("a"), 2u8), (String::from("a"), 10), (String::from("aa"), 1)]);
        keeps_order(vec![false, true]);
    }

    #[test]
    fn bytes_that_are_no_key_are_refused() {
        assert_eq!(u32::take_from(&mut &[1, 2, 3][..]), None);
        assert_eq!(bool::take_from(&mut &[2][..]), None);
        assert_eq!(String::take_from(&mut &[b'a', 0, 7][..]), None);
        assert_eq!(String::take_from(&mut &[255, 0, 0][..]), None);
    }
}
