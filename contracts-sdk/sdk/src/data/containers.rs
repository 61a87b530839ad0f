//! Texts, lists, options, tuples.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Data, Encoded, read_length, take, write_length};

impl Data for String {
    fn write(&self, out: &mut Encoded) {
        write_length(self.len(), out);
        out.append(self.as_bytes());
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        String::from_utf8(Vec::read(bytes)?).ok()
    }
}

impl<T: Data> Data for Vec<T> {
    fn write(&self, out: &mut Encoded) {
        write_length(self.len(), out);
        T::write_all(self, out);
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        let count = read_length(bytes)?;
        // Elements without bytes would make a short argument cost any number of steps.
        if size_of::<T>() == 0 {
            return None;
        }
        T::read_all(count, bytes)
    }
}

impl<T: Data, const N: usize> Data for [T; N] {
    fn write(&self, out: &mut Encoded) {
        T::write_all(self, out);
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        T::read_all(N, bytes)?.try_into().ok()
    }
}

impl<T: Data> Data for Option<T> {
    fn write(&self, out: &mut Encoded) {
        match self {
            None => out.push(0),
            Some(value) => {
                out.push(1);
                value.write(out);
            }
        }
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        match take(bytes)? {
            [0] => Some(None),
            [1] => T::read(bytes).map(Some),
            _ => None,
        }
    }
}

macro_rules! tuples {
    ($(($($name:ident $at:tt),+))*) => { $(
        impl<$($name: Data),+> Data for ($($name,)+) {
            fn write(&self, out: &mut Encoded) {
                $(self.$at.write(out);)+
            }

            fn read(bytes: &mut &[u8]) -> Option<Self> {
                Some(($($name::read(bytes)?,)+))
            }
        }
    )* };
}
tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
}

#[cfg(test)]
mod tests {
    use super::super::{decode, encode};
    use super::*;

    #[track_caller]
    fn is_borsh<T: Data + borsh::BorshSerialize + PartialEq + core::fmt::Debug>(value: T) {
        let bytes = encode(&value);
        assert_eq!(Some(bytes.to_vec()), borsh::to_vec(&value).ok());
        assert_eq!(decode::<T>(&bytes).as_ref(), Some(&value));
        for cut in 0..bytes.len() {
            assert_eq!(decode::<T>(&bytes[..cut]), None, "{cut} bytes of {value:?}");
        }
        assert_eq!(decode::<T>(&[&bytes[..], &[0]].concat()), None);
    }

    #[test]
    fn bytes_are_those_of_borsh_and_nothing_else_decodes() {
        is_borsh(7u8);
        is_borsh(-2i8);
        is_borsh(0x1234u16);
        is_borsh(-3i64);
        is_borsh(u128::MAX - 5);
        is_borsh(true);
        is_borsh(hanse_abi::Address([9; 20]));
        is_borsh(String::from("añb"));
        is_borsh(vec![1u8, 2, 3]);
        is_borsh(vec![String::from("a"), String::new()]);
        is_borsh([7u8; 32]);
        is_borsh([1u16, 2, 3]);
        is_borsh((1u8, Some(2u32), None::<String>));
        is_borsh(vec![(vec![1u8], vec![0u8; 300])]);
    }

    #[test]
    fn wrong_tags_texts_and_counts_are_refused() {
        assert_eq!(decode::<bool>(&[2]), None);
        assert_eq!(decode::<Option<u8>>(&[2, 0]), None);
        assert_eq!(decode::<String>(&[1, 0, 0, 0, 255]), None);
        assert_eq!(decode::<Vec<u64>>(&[255, 255, 255, 255, 0]), None);
        assert_eq!(decode::<Vec<()>>(&[255, 255, 255, 255]), None);
    }
}
