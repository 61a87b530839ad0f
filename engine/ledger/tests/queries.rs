//! Every question gets the answer that the chain gives.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use std::collections::BTreeSet;

use common::{CONTRACT, Chain, key};
use hanse_ledger::{EventPosition, EventQuery, LedgerError, Tree};
use hanse_state::commitment::ProofError;
use hanse_types::crypto::CryptoSuite;
use hanse_types::{Height, StateCommitment, Timestamp, TxIndex};
use proptest::prelude::*;

fn chain(commitment: StateCommitment, counts: &[u32]) -> (Chain, hanse_ledger::Ledger) {
    let mut chain = Chain::new(commitment);
    let ledger = chain.in_memory();
    chain.grow(&ledger, counts);
    (chain, ledger)
}

#[test]
fn blocks_and_their_parts_come_back() {
    let (chain, ledger) = chain(StateCommitment::Merkle, &[150, 0, 1, 64, 65]);
    chain.check(&ledger, 5);
    for made in &chain.blocks {
        let height = made.header.height;
        let block = ledger.block(height).unwrap().unwrap();
        assert_eq!((&block.header, &block.dag), (&made.header, made.content.dag()));
        assert!(block.transactions.iter().eq(made.content.transactions().iter().map(|verified| verified.signed())));
        assert_eq!(ledger.certificate(height).unwrap().unwrap(), made.certificate);
        assert_eq!(&ledger.dag(height).unwrap().unwrap(), made.content.dag());
        let ids: Vec<_> = made.content.transactions().iter().map(|verified| verified.id()).collect();
        assert_eq!(ledger.tx_ids(height).unwrap().unwrap(), ids);
        for (at, id) in ids.iter().enumerate() {
            let index = TxIndex(at as u32);
            assert_eq!(ledger.find_transaction(id).unwrap(), Some((height, index)));
            assert_eq!(ledger.receipt(height, index).unwrap().unwrap(), made.content.receipts()[at]);
            assert_eq!(ledger.rw_set(height, index).unwrap().unwrap(), made.content.rw_sets()[at]);
        }
        assert_eq!(ledger.receipt(height, TxIndex(ids.len() as u32)).unwrap(), None);
    }
    assert_eq!(ledger.block(Height(6)).unwrap(), None);
    assert_eq!(ledger.block(Height(u64::MAX)).unwrap(), None);
    assert_eq!(ledger.block_hash(Height(7)).unwrap(), None);
    let statistics = ledger.statistics().unwrap();
    assert_eq!((statistics.blocks, statistics.transactions), (6, 280));
}

#[test]
fn transactions_come_page_by_page() {
    let (chain, ledger) = chain(StateCommitment::Flat, &[150]);
    for limit in [1, 7, 64, 150, 1_000] {
        let (mut from, mut seen) = (Some(TxIndex(0)), Vec::new());
        while let Some(index) = from {
            let page = ledger.transactions(Height(1), index, limit).unwrap().unwrap();
            assert_eq!(page.ids.len(), page.transactions.len());
            seen.extend(page.transactions);
            from = page.next;
        }
        assert!(seen.iter().eq(chain.blocks[0].content.transactions().iter().map(|verified| verified.signed())));
    }
    assert!(ledger.transactions(Height(1), TxIndex(999), 5).unwrap().unwrap().ids.is_empty());
    assert!(ledger.transactions(Height(2), TxIndex(0), 5).unwrap().is_none());
}

#[test]
fn events_are_found_by_name_and_topic() {
    let (chain, ledger) = chain(StateCommitment::Flat, &[40, 3, 90]);
    for (name, topic) in [("moved", None), ("moved", Some("a")), ("paid", Some("a")), ("paid", Some("b")), ("x", None)]
    {
        let mut expected = Vec::new();
        for receipt in chain.blocks.iter().flat_map(|block| block.content.receipts()) {
            for (number, event) in receipt.events.iter().enumerate() {
                let fits = topic.is_none_or(|topic: &str| event.event.topics[0] == topic.as_bytes());
                if event.event.name == name && fits {
                    let (height, index) = (receipt.height, receipt.index);
                    expected.push((
                        EventPosition { height, index, number: number as u32 },
                        receipt.tx_id,
                        event.clone(),
                    ));
                }
            }
        }
        let (mut from, mut found) = (Some(EventPosition::default()), Vec::new());
        while let Some(position) = from {
            let topic = topic.map(str::as_bytes);
            let query = EventQuery { contract: CONTRACT, name, topic, from: position, to: Height(9), limit: 7 };
            let page = ledger.events(&query).unwrap();
            assert!(page.events.len() == 7 || page.next.is_none());
            found.extend(page.events.into_iter().map(|event| (event.position, event.tx_id, event.event)));
            from = page.next;
        }
        assert_eq!(found, expected);
    }
    let from = EventPosition { height: Height(2), ..EventPosition::default() };
    let query = EventQuery { contract: CONTRACT, name: "moved", topic: None, from, to: Height(2), limit: 99 };
    assert!(ledger.events(&query).unwrap().events.iter().all(|event| event.position.height == Height(2)));
}

#[test]
fn business_ids_are_found() {
    let (chain, ledger) = chain(StateCommitment::Flat, &[10, 20]);
    let sender = chain.blocks[0].content.transactions()[0].transaction().sender;
    let found = ledger.by_business_id(&sender, b"order-3", (Height(0), TxIndex(0)), 10).unwrap();
    let expected: Vec<_> = chain
        .blocks
        .iter()
        .map(|block| (block.header.height, TxIndex(3), block.content.transactions()[3].id()))
        .collect();
    assert_eq!(found, expected);
    assert_eq!(ledger.by_business_id(&sender, b"order-3", (Height(1), TxIndex(4)), 10).unwrap(), expected[1..]);
    assert_eq!(ledger.by_business_id(&sender, b"order", (Height(0), TxIndex(0)), 10).unwrap(), []);
}

#[test]
fn the_window_holds_exactly_what_has_not_expired() {
    let mut chain = Chain::new(StateCommitment::Flat);
    let disk = std::sync::Arc::new(hanse_ledger::MemoryStore::default());
    let ledger = chain.open(disk.clone()).unwrap();
    for count in [9, 0, 5, 20, 1, 0, 0, 3] {
        chain.grow(&ledger, &[count]);
        let now = ledger.tip().header.timestamp;
        for since in [now, now.plus_ms(150), now.plus_ms(10_000)] {
            let all = chain
                .blocks
                .iter()
                .flat_map(|block| block.content.transactions().iter().map(|verified| (block.header.height, verified)));
            let expected: BTreeSet<_> = all
                .map(|(height, verified)| (height, verified.id(), verified.transaction().expiration))
                .filter(|(_, _, expiration)| *expiration > since)
                .collect();
            let window: BTreeSet<_> = ledger.window(Height(0), since).unwrap().into_iter().collect();
            assert_eq!(window, expected);
            for from in (0..=ledger.tip().header.height.0 + 1).map(Height) {
                let newer = expected.iter().filter(|(height, ..)| *height >= from);
                let window: BTreeSet<_> = ledger.window(from, since).unwrap().into_iter().collect();
                assert!(window.iter().eq(newer), "{from}");
            }
            let reopened = chain.open(std::sync::Arc::new(disk.restarted())).unwrap();
            assert_eq!(reopened.window(Height(0), since).unwrap(), ledger.window(Height(0), since).unwrap());
        }
    }
    // What has expired is not even looked at.
    let kept = ledger.window(Height(0), Timestamp(0)).unwrap().len();
    assert!(kept < chain.blocks.iter().map(|block| block.content.transactions().len()).sum::<usize>());
}

#[test]
fn recent_hashes_reach_back_as_far_as_they_must() {
    let (chain, ledger) = chain(StateCommitment::Flat, &[0; 300]);
    let recent = ledger.recent_hashes();
    assert_eq!(recent.len(), 257);
    assert_eq!(recent.last(), Some(&(Height(300), ledger.tip().hash)));
    for (height, hash) in recent {
        assert_eq!(chain.blocks[height.0 as usize - 1].header.hash(), hash);
    }
    assert_eq!(ledger.block_hash(Height(3)).unwrap(), Some(chain.blocks[2].header.hash()));
}

#[test]
fn inclusion_is_proven() {
    let (chain, ledger) = chain(StateCommitment::Flat, &[33, 1]);
    for block in &chain.blocks {
        for (at, verified) in block.content.transactions().iter().enumerate() {
            let leaves = [
                (Tree::Transactions, verified.leaf()),
                (Tree::Receipts, block.content.receipts()[at].digest(CryptoSuite::Standard)),
                (Tree::RwSets, block.content.rw_sets()[at].digest(CryptoSuite::Standard)),
            ];
            for (tree, leaf) in leaves {
                let proof = ledger.prove_inclusion(&verified.id(), tree).unwrap().unwrap();
                assert!(proof.holds());
                assert_eq!((proof.leaf, &proof.header), (leaf, &block.header));
                let mut other = proof.clone();
                other.index = TxIndex(proof.index.0 + 1);
                assert!(!other.holds());
            }
        }
    }
    assert_eq!(ledger.prove_inclusion(&hanse_types::TxId::default(), Tree::Receipts).unwrap(), None);
}

#[test]
fn values_and_absences_are_proven() {
    let (_, flat) = chain(StateCommitment::Flat, &[3]);
    assert_eq!(flat.prove_state(&key(1)).err(), Some(LedgerError::NoStateProofs));
    let (chain, ledger) = chain(StateCommitment::Merkle, &[30, 30]);
    for n in 0..150 {
        let mut proof = ledger.prove_state(&key(n)).unwrap();
        assert_eq!(proof.value.as_ref(), chain.states[2].get(&key(n)));
        proof.verify(&key(n)).unwrap();
        // Two absent keys may share the place where nothing is; a value is proven for its own key only.
        if [n, n + 1].iter().any(|n| chain.states[2].contains_key(&key(*n))) {
            assert!(proof.verify(&key(n + 1)).is_err());
        }
        proof.header.state_root = chain.blocks[0].header.state_root;
        assert!(matches!(proof.verify(&key(n)), Err(ProofError::OtherRoot { .. })));
    }
}

#[test]
fn what_a_reader_holds_does_not_change() {
    let (mut chain, ledger) = chain(StateCommitment::Merkle, &[20]);
    let (tip, state, nodes) = ledger.frozen();
    chain.grow(&ledger, &[30, 30]);
    for n in 0..120 {
        assert_eq!(state.get(&key(n)).unwrap(), chain.states[1].get(&key(n)).cloned());
        let proof = hanse_state::commitment::prove(&*nodes, &key(n)).unwrap();
        let value = chain.states[1].get(&key(n)).map(|value| value.as_slice());
        proof.verify(tip.header.crypto, &tip.header.state_root, &key(n), value).unwrap();
    }
    chain.check(&ledger, 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any chain is held as it is, in memory and after opening it anew, wherever it was pruned.
    #[test]
    fn any_chain_is_held(counts in prop::collection::vec(0..80u32, 1..6), merkle in any::<bool>()) {
        let commitment = if merkle { StateCommitment::Merkle } else { StateCommitment::Flat };
        let mut chain = Chain::new(commitment);
        let disk = std::sync::Arc::new(hanse_ledger::MemoryStore::default());
        let ledger = chain.open(disk.clone()).unwrap();
        chain.grow(&ledger, &counts);
        chain.check(&ledger, counts.len() as u64);
        let reopened = chain.open(std::sync::Arc::new(disk.restarted())).unwrap();
        chain.check(&reopened, counts.len() as u64);
    }
}
