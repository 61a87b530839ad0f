//! The accounts of a load, and their transactions.

use std::num::NonZeroUsize;
use std::thread;

use hanse_client::call::now;
use hanse_client::{Call, ChainContext, Contract};
use hanse_types::crypto::{SecretKey, Signer};
use hanse_types::{Address, Gas, SignedTransaction};

use super::super::exit::Failure;
use super::super::session::address_of;

/// What each account gets: more than it will ever send.
const FUNDS: u128 = 1_000_000;
/// What one transfer moves.
const AMOUNT: u128 = 1;
/// What one transfer may cost; a transfer of a WebAssembly token takes a fraction of it.
const GAS: Gas = Gas(2_000_000);

/// An account with its key.
pub(super) struct Account {
    key: SecretKey,
    address: Address,
}

/// Fresh accounts, so that runs don't touch one another's.
pub(super) fn make(count: u32) -> Result<Vec<Account>, Failure> {
    let random = |error| Failure::error(format!("the operating system gave no random bytes: {error}"));
    let mut accounts = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(random)?;
        let key = SecretKey::ed25519(seed);
        let address = key.public_key().address();
        accounts.push(Account { key, address });
    }
    Ok(accounts)
}

/// What the funder needs.
pub(super) fn needed(accounts: u32) -> u128 {
    FUNDS * u128::from(accounts)
}

/// One transfer to each account.
pub(super) fn funding(
    accounts: &[Account],
    contract: &Contract,
    chain: &ChainContext,
    funder: &SecretKey,
) -> Result<Vec<SignedTransaction>, Failure> {
    let from = address_of(funder);
    let moves: Vec<Move> =
        accounts.iter().map(|account| Move { key: funder, from, to: account.address, amount: FUNDS }).collect();
    sign(&moves, contract, chain)
}

/// So many transfers between the accounts, each of which sends equally often.
pub(super) fn transfers(
    accounts: &[Account],
    contract: &Contract,
    chain: &ChainContext,
    count: u32,
) -> Result<Vec<SignedTransaction>, Failure> {
    // A stride that is prime to most counts pairs everyone with everyone over time, without a random source.
    const STRIDE: usize = 7_919;
    let moves: Vec<Move> = (0..count as usize)
        .map(|n| {
            let sender = n % accounts.len();
            let step = 1 + (n / accounts.len() * STRIDE) % (accounts.len() - 1);
            let to = accounts[(sender + step) % accounts.len()].address;
            Move { key: &accounts[sender].key, from: accounts[sender].address, to, amount: AMOUNT }
        })
        .collect();
    sign(&moves, contract, chain)
}

/// A transfer before it is signed.
struct Move<'a> {
    key: &'a SecretKey,
    from: Address,
    to: Address,
    amount: u128,
}

/// Signs on all cores, keeping the order.
fn sign(moves: &[Move<'_>], contract: &Contract, chain: &ChainContext) -> Result<Vec<SignedTransaction>, Failure> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = moves.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        let parts: Vec<_> = moves
            .chunks(share)
            .map(|part| scope.spawn(move || part.iter().map(|one| one.sign(contract, chain)).collect()))
            .collect();
        let mut all = Vec::with_capacity(moves.len());
        for part in parts {
            let signed: Result<Vec<_>, Failure> =
                part.join().map_err(|_| Failure::error("a signing thread panicked"))?;
            all.extend(signed?);
        }
        Ok(all)
    })
}

impl Move<'_> {
    fn sign(&self, contract: &Contract, chain: &ChainContext) -> Result<SignedTransaction, Failure> {
        debug_assert_eq!(self.from, address_of(self.key));
        let args = borsh::to_vec(&(self.to, self.amount)).map_err(|error| Failure::error(error.to_string()))?;
        let call = Call::new(contract.clone(), "transfer", args).gas_limit(GAS).lifetime(chain.lifetime_max / 2);
        let nonce = getrandom::u64().map_err(|error| Failure::error(error.to_string()))?;
        call.sign_with(chain, self.key, nonce, now()).map_err(|error| Failure::error(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nobody_pays_himself_and_all_send_equally_often() {
        let accounts = make(7).unwrap();
        let chain = ChainContext {
            chain_id: "c".into(),
            group_id: "g".into(),
            genesis: hanse_types::Hash::ZERO,
            ref_height: hanse_types::Height(0),
            ref_hash: [0; 8],
            gas_max: Gas(1),
            lifetime_max: std::time::Duration::from_secs(60),
        };
        let transfers = transfers(&accounts, &Contract::native(1), &chain, 70).unwrap();
        for account in &accounts {
            let sent = transfers.iter().filter(|signed| signed.transaction.sender == account.address);
            assert_eq!(sent.count(), 10);
        }
        for signed in &transfers {
            assert_ne!(signed.transaction.args[..20], signed.transaction.sender.0);
        }
    }
}
