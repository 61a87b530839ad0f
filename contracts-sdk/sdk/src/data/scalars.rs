//! Integers, truth values, addresses.

use alloc::vec::Vec;

use hanse_abi::Address;

use super::{Data, Encoded, take};

macro_rules! integers {
    ($($type:ty),*) => { $(
        impl Data for $type {
            fn write(&self, out: &mut Encoded) {
                out.append(&self.to_le_bytes());
            }

            fn read(bytes: &mut &[u8]) -> Option<Self> {
                take(bytes).map(Self::from_le_bytes)
            }
        }
    )* };
}
integers!(u16, u32, u64, u128, i8, i16, i32, i64, i128);

impl Data for u8 {
    fn write(&self, out: &mut Encoded) {
        out.push(*self);
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        take(bytes).map(|[byte]| byte)
    }

    fn write_all(values: &[u8], out: &mut Encoded) {
        out.append(values);
    }

    fn read_all(count: usize, bytes: &mut &[u8]) -> Option<Vec<u8>> {
        let (head, tail) = bytes.split_at_checked(count)?;
        *bytes = tail;
        Some(head.to_vec())
    }
}

impl Data for bool {
    fn write(&self, out: &mut Encoded) {
        out.push(u8::from(*self));
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        match take(bytes)? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }
}

impl Data for Address {
    fn write(&self, out: &mut Encoded) {
        out.append(&self.0);
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        take(bytes).map(Address)
    }
}

impl Data for () {
    fn write(&self, _out: &mut Encoded) {}

    fn read(_bytes: &mut &[u8]) -> Option<Self> {
        Some(())
    }
}
