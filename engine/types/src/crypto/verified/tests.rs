//! Batches answer as single checks do, whatever is wrong in them.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::crypto::{SecretKey, Signer};
use crate::test_values::{genesis, signed};

#[test]
fn batches_answer_as_single_checks_do() {
    let verifier = Verifier::new(Arc::new(genesis()));
    let mut batch = Vec::new();
    for n in 0..300u64 {
        let key = match n % 5 {
            4 => SecretKey::secp256k1([(n % 50) as u8 + 1; 32]).unwrap(),
            _ => SecretKey::ed25519([(n % 7) as u8; 32]),
        };
        batch.push(signed(&key, n));
    }
    assert!(verifier.verify_all(batch.clone()).iter().all(Result::is_ok));

    batch[3].signature.0[0] ^= 1;
    batch[4].signature.0[0] ^= 1;
    batch[5].transaction.chain_id.push('x');
    batch[6].transaction.group_id.push('x');
    batch[7].transaction.sender.0[0] ^= 1;
    batch[140].transaction.args.push(0);
    batch[141].public_key = SecretKey::ed25519([99; 32]).public_key();
    batch[142].signature.0[63] |= 0xf0;
    batch[143].transaction.method.clear();
    let together = verifier.verify_all(batch.clone());
    let single: Vec<_> = batch.into_iter().map(|signed| verifier.verify(signed)).collect();
    assert_eq!(together, single);
    let wrong: Vec<_> = (0..300).filter(|n| together[*n].is_err()).collect();
    assert_eq!(wrong, [3, 4, 5, 6, 7, 140, 141, 142, 143]);
}

#[test]
fn the_identity_covers_everything_but_the_signature() {
    let verifier = Verifier::new(Arc::new(genesis()));
    let key = SecretKey::ed25519([1; 32]);
    let one = verifier.verify(signed(&key, 1)).unwrap();
    let two = verifier.verify(signed(&key, 2)).unwrap();
    assert_ne!(one.id(), two.id());
    assert_eq!(one.id(), one.signed().id(&genesis().hash()));
    assert_eq!(one.byte_count(), one.signed().encode().len());
}

#[test]
fn transactions_of_a_decided_block_are_those_of_its_root_whatever_their_signatures_are_worth() {
    let verifier = Verifier::new(Arc::new(genesis()));
    let mut batch: Vec<_> = (0..5).map(|n| signed(&SecretKey::ed25519([n as u8; 32]), n)).collect();
    // Whoever decides a block with a signature that nobody made has all of them say so.
    batch[2].signature.0[0] ^= 1;
    let leaf = |signed: &SignedTransaction| signed.leaf(signed.id(&genesis().hash()));
    let root = crate::merkle::root(CryptoSuite::Standard, &batch.iter().map(leaf).collect::<Vec<_>>());
    let transactions = verifier.decided(&root, batch.clone()).unwrap();
    assert_eq!(transactions.iter().map(Verified::signed).collect::<Vec<_>>(), batch.iter().collect::<Vec<_>>());
    assert_eq!(verifier.verify_all(batch.clone())[2], Err(VerifyError::BadSignature));

    let refused = |change: fn(&mut Vec<SignedTransaction>)| {
        let mut changed = batch.clone();
        change(&mut changed);
        verifier.decided(&root, changed).unwrap_err()
    };
    assert!(matches!(refused(|all| all[1].signature.0[0] ^= 1), DecidedError::Root { .. }));
    assert!(matches!(refused(|all| all.swap(0, 1)), DecidedError::Root { .. }));
    assert!(matches!(refused(|all| drop(all.pop())), DecidedError::Root { .. }));
    let wrong_sender = refused(|all| all[3].transaction.sender.0[0] ^= 1);
    assert!(matches!(wrong_sender, DecidedError::Transaction { index: 3, error: VerifyError::WrongSender { .. } }));
}
