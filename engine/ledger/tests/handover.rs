//! Who decides blocks may change: the ledger takes a block of the new set after the block that names it, and no other.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use common::{Chain, Made, options};
use hanse_ledger::{Ledger, LedgerError, MemoryStore};
use hanse_types::crypto::{CryptoSuite, SecretKey, Signer};
use hanse_types::genesis::Validator;
use hanse_types::{Certificate, Epoch, Height, StateCommitment, ValidatorSet};

/// Keys of a set, in its order.
fn keys(of: &[u8]) -> Vec<SecretKey> {
    of.iter().map(|n| SecretKey::ed25519([*n; 32])).collect()
}

fn set(of: &[u8]) -> ValidatorSet {
    let named = keys(of).into_iter().zip(of);
    let validator = |(key, n): (SecretKey, &u8)| Validator { name: format!("v{n}"), key: key.public_key() };
    ValidatorSet::new(named.map(validator).collect()).unwrap()
}

/// The block as these decide it.
fn decided(chain: &Chain, made: &Made, by: &[u8]) -> Made {
    let mut certificate = Certificate {
        height: made.header.height,
        round: made.header.round,
        epoch: made.header.epoch,
        block_hash: made.header.hash(),
        signatures: Vec::new(),
    };
    let bytes = certificate.sign_bytes(&chain.genesis.identity());
    certificate.signatures = (0..).zip(keys(by)).map(|(index, key)| (index, key.sign(&bytes).unwrap())).collect();
    Made { certificate, ..made.clone() }
}

/// A block of this epoch and set, which names the next one.
fn block(chain: &mut Chain, ledger: &Ledger, epoch: u64, of: &ValidatorSet, next: &ValidatorSet) -> Made {
    let mut made = chain.make(ledger, 3);
    made.header.epoch = Epoch(epoch);
    made.header.validators = of.hash(CryptoSuite::Standard);
    made.header.next_validators = next.hash(CryptoSuite::Standard);
    made
}

fn append(ledger: &Ledger, made: &Made, next: Option<&ValidatorSet>) -> Result<(), LedgerError> {
    let mut block = made.new_block();
    block.next_validators = next;
    ledger.append(&block)
}

fn refused(result: Result<(), LedgerError>, because: &str) {
    let error = result.unwrap_err().to_string();
    assert!(error.contains(because), "{error}");
}

#[test]
fn a_named_set_takes_over_with_the_next_block() {
    let mut chain = Chain::new(StateCommitment::Flat);
    let disk = Arc::new(MemoryStore::default());
    let ledger = chain.open(disk.clone()).unwrap();
    // The founder of the chain has the key of threes.
    let (founders, second) = (ValidatorSet::from_genesis(&chain.genesis).unwrap(), set(&[8, 9, 10, 11]));

    let made = block(&mut chain, &ledger, 0, &founders, &second);
    let names = decided(&chain, &made, &[3]);
    refused(append(&ledger, &names, None), "which are not given");
    refused(append(&ledger, &names, Some(&founders)), "those given are");
    refused(append(&ledger, &decided(&chain, &made, &[8, 9, 10]), Some(&second)), "");
    append(&ledger, &names, Some(&second)).unwrap();
    assert_eq!(*ledger.validators(), second);

    let made = block(&mut chain, &ledger, 1, &second, &second);
    let mut stale = made.clone();
    stale.header.epoch = Epoch(0);
    refused(append(&ledger, &decided(&chain, &stale, &[8, 9, 10]), None), "its epoch is 0");
    let mut old = made.clone();
    (old.header.validators, old.header.next_validators) =
        (founders.hash(CryptoSuite::Standard), founders.hash(CryptoSuite::Standard));
    refused(append(&ledger, &decided(&chain, &old, &[3]), None), "the block before names");
    refused(append(&ledger, &decided(&chain, &made, &[8, 9]), None), "a quorum is 3");
    append(&ledger, &decided(&chain, &made, &[8, 9, 10]), None).unwrap();

    // Back to those who were there before: another epoch, and the same set.
    let made = block(&mut chain, &ledger, 1, &second, &founders);
    append(&ledger, &decided(&chain, &made, &[8, 9, 10]), Some(&founders)).unwrap();
    let made = block(&mut chain, &ledger, 2, &founders, &founders);
    append(&ledger, &decided(&chain, &made, &[3]), None).unwrap();

    drop(ledger);
    let ledger = Ledger::open_store(disk, &chain.genesis, &chain.genesis_state, options()).unwrap();
    assert_eq!(*ledger.validators(), founders);
    assert_eq!(ledger.validators_in(Epoch(0)).unwrap().as_deref(), Some(&founders));
    assert_eq!(ledger.validators_in(Epoch(1)).unwrap().as_deref(), Some(&second));
    assert_eq!(ledger.validators_in(Epoch(2)).unwrap().as_deref(), Some(&founders));
    assert_eq!(ledger.validators_in(Epoch(3)).unwrap(), None);
    let handover = ledger.handover(Epoch(1)).unwrap().unwrap();
    assert_eq!((handover.header.height, handover.epoch(), &handover.validators), (Height(1), Epoch(1), &second));
    handover.certificate.verify(&chain.genesis.identity(), &founders, &handover.header).unwrap();
    assert_eq!(ledger.handover(Epoch(0)).unwrap(), None);
    ledger.verify_blocks().unwrap();
}
