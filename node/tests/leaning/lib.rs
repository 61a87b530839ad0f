//! A contract that does something else on the machine than natively, on purpose and in every way that is compared: what
//! `hanse contract test` must see. No chain should ever run it.
#![no_std]

use hanse_sdk::prelude::*;

/// The width of an address, in bytes: 4 on the machine, 8 natively.
const WIDTH: u64 = core::mem::size_of::<usize>() as u64;

/// What each method leans on.
#[contract]
pub struct Leaning {
    honest: Counter<u64>,
    kept: Item<u64>,
    looked_at: Item<u64>,
}

/// Somebody measured.
#[event]
pub struct Measured {
    width: u64,
}

/// Why it refuses.
#[error]
pub enum Error {
    /// With a field that differs.
    #[msg("the width is {width}")]
    Width {
        /// In bytes.
        width: u64,
    },
    /// On the machine only.
    #[msg("this is the machine")]
    Machine,
}

#[methods]
impl Leaning {
    /// The same on both sides.
    pub fn agree(&mut self, by: u64) {
        self.honest.add(by);
    }

    /// Returns something else.
    pub fn result(&self) -> u64 {
        WIDTH
    }

    /// Keeps something else.
    pub fn state(&mut self) {
        self.kept.set(WIDTH);
    }

    /// Tells something else.
    pub fn event(&mut self) {
        emit(Measured { width: WIDTH });
    }

    /// Refuses for the same reason, with other words.
    pub fn fields(&mut self) -> Result<(), Error> {
        Err(Error::Width { width: WIDTH })
    }

    /// Looks at a key on the machine only.
    pub fn access(&mut self) {
        #[cfg(target_arch = "wasm32")]
        self.looked_at.find();
    }

    /// Refuses on the machine only.
    pub fn status(&mut self) -> Result<(), Error> {
        #[cfg(target_arch = "wasm32")]
        return Err(Error::Machine);
        #[cfg(not(target_arch = "wasm32"))]
        Ok(())
    }

    /// Panics on the machine only.
    pub fn panic(&mut self) {
        #[cfg(target_arch = "wasm32")]
        panic!("on the machine");
    }
}
