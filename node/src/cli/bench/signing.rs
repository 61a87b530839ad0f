//! Signs before the clock starts, on all cores.

use std::num::NonZeroUsize;
use std::thread;

use hanse_client::call::now;
use hanse_client::{Call, ChainContext};
use hanse_types::SignedTransaction;
use hanse_types::crypto::SecretKey;

use super::super::exit::Failure;

/// A transaction before it is signed.
pub(super) struct Draft<'a> {
    pub(super) key: &'a SecretKey,
    pub(super) call: Call,
}

/// The cores of this machine.
pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Signs, keeping the order.
pub(super) fn sign(drafts: &[Draft<'_>], chain: &ChainContext) -> Result<Vec<SignedTransaction>, Failure> {
    let share = drafts.len().div_ceil(cores()).max(1);
    thread::scope(|scope| {
        let sign = |part: &[Draft<'_>]| part.iter().map(|draft| draft.sign(chain)).collect::<Result<Vec<_>, _>>();
        let parts: Vec<_> = drafts.chunks(share).map(|part| scope.spawn(move || sign(part))).collect();
        let mut all = Vec::with_capacity(drafts.len());
        for part in parts {
            all.extend(part.join().map_err(|_| Failure::error("a signing thread panicked"))??);
        }
        Ok(all)
    })
}

impl Draft<'_> {
    fn sign(&self, chain: &ChainContext) -> Result<SignedTransaction, Failure> {
        let call = self.call.clone().lifetime(chain.lifetime_max / 2);
        let nonce = getrandom::u64().map_err(|error| Failure::error(error.to_string()))?;
        call.sign_with(chain, self.key, nonce, now()).map_err(|error| Failure::error(error.to_string()))
    }
}
