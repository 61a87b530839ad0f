//! A ledger that is made of a portable snapshot is the chain's, and what is not the chain's makes none.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use common::{Chain, options};
use hanse_ledger::portable::{ExportError, ImportError, carry_over, import};
use hanse_ledger::store::Table;
use hanse_ledger::{Ledger, LedgerError, MemoryStore, Store};
use hanse_state::StateView;
use hanse_types::portable::{Anchor, Chunk, Item, Manifest, chunk_digest};
use hanse_types::{Canonical, Hash, Height, StateCommitment, Timestamp, TxIndex, Value};

/// The lifetime that these chains' transactions have at most: they are valid for 450 milliseconds.
const LIFETIME_MS: u64 = 450;

/// A snapshot in memory.
#[derive(Clone)]
struct Snapshot {
    manifest: Manifest,
    anchor: Anchor,
    chunks: Vec<Vec<u8>>,
}

fn export(ledger: &Ledger) -> Result<Snapshot, LedgerError> {
    let mut chunks = Vec::new();
    let put = |_, bytes| {
        chunks.push(bytes);
        Ok::<(), Infallible>(())
    };
    let manifest = match ledger.exporter().run(LIFETIME_MS, put) {
        Ok(manifest) => manifest,
        Err(ExportError::Ledger(error)) => return Err(error),
        Err(error) => panic!("{error}"),
    };
    let (header, certificate) = ledger.header_and_certificate(manifest.height).unwrap().unwrap();
    Ok(Snapshot { manifest, anchor: Anchor { header, certificate, handovers: Vec::new() }, chunks })
}

impl Snapshot {
    /// The items, which somebody changes, with a manifest that fits.
    fn changed(&self, change: impl FnOnce(&mut Vec<Item>)) -> Snapshot {
        let mut items = self.chunks.iter().flat_map(|bytes| Chunk::decode(bytes).unwrap().0).collect();
        change(&mut items);
        let chunk = Chunk(items).encode();
        let manifest = Manifest { chunks: vec![chunk_digest(&chunk)], ..self.manifest.clone() };
        Snapshot { manifest, anchor: self.anchor.clone(), chunks: vec![chunk] }
    }

    fn import(&self, chain: &Chain, store: Arc<dyn Store>) -> Result<Ledger, ImportError> {
        let chunk = |index: u32| Ok(self.chunks.get(index as usize).cloned());
        let genesis = (&chain.genesis, &chain.genesis_state);
        import(store, genesis, (&self.manifest, &self.anchor), chunk, |_| Ok(LIFETIME_MS), options())
    }
}

/// A chain of so many blocks, some empty.
fn chain(commitment: StateCommitment, blocks: u32) -> (Chain, Ledger) {
    let mut chain = Chain::new(commitment);
    let ledger = chain.in_memory();
    let counts: Vec<u32> = (0..blocks).map(|at| [3, 0, 7][at as usize % 3]).collect();
    chain.grow(&ledger, &counts);
    (chain, ledger)
}

fn entries(state: &dyn StateView) -> Vec<(Vec<u8>, Value)> {
    state.range(&[], &[0xff; 40], usize::MAX, false).unwrap()
}

#[test]
fn what_is_made_of_a_snapshot_is_the_chain_from_there_on() {
    for commitment in [StateCommitment::Flat, StateCommitment::Merkle] {
        let (mut chain, ledger) = chain(commitment, 300);
        let snapshot = export(&ledger).unwrap();
        // Another member has the same one, whatever it has given up.
        let other = chain.in_memory();
        other.prune_history(Height(299)).unwrap();
        assert_eq!(export(&other).unwrap().manifest, snapshot.manifest);
        assert!(Height(1) < snapshot.manifest.first, "{:?}", snapshot.manifest.first);

        let store = Arc::new(MemoryStore::default());
        let made = snapshot.import(&chain, store.clone()).unwrap();
        assert_eq!((made.height(), made.first()), (Height(300), Height(300)));
        assert_eq!(made.tip(), ledger.tip());
        assert_eq!(entries(&*made.state()), entries(&*ledger.state()));
        assert_eq!(made.recent_hashes(), ledger.recent_hashes());
        let sorted = |ledger: &Ledger| {
            let window = ledger.window(Height(0), ledger.tip().header.timestamp).unwrap();
            window.into_iter().map(|(_, id, expiration)| (id.0, expiration)).collect::<BTreeMap<Hash, Timestamp>>()
        };
        assert_eq!(sorted(&made), sorted(&ledger));
        assert!(!sorted(&made).is_empty());
        assert_eq!(made.statistics().unwrap().transactions, ledger.statistics().unwrap().transactions);
        for height in [Height(0), Height(300)] {
            assert_eq!(made.block(height).unwrap(), ledger.block(height).unwrap());
            assert_eq!(made.receipts(height).unwrap(), ledger.receipts(height).unwrap());
        }
        assert_eq!(made.rw_sets(Height(300)).unwrap(), ledger.rw_sets(Height(300)).unwrap());
        // What is not here is said, not denied.
        assert_eq!(made.header(Height(200)).unwrap(), ledger.header(Height(200)).unwrap());
        let absent = |found| matches!(found, Err(LedgerError::BeforeFirst { .. }));
        assert!(absent(made.block(Height(299)).map(drop)) && absent(made.header(Height(1)).map(drop)));
        assert!(absent(made.certificate(Height(299)).map(drop)));
        assert!(absent(made.by_business_id(&common::CONTRACT, b"", (Height(0), TxIndex(0)), 1).map(drop)));
        assert!(absent(export(&made).map(drop)));
        // Blocks are added as to any other ledger, and it can be opened again.
        chain.grow(&made, &[5, 2]);
        chain.blocks[300..].iter().for_each(|block| ledger.append(&block.new_block()).unwrap());
        assert_eq!(made.tip(), ledger.tip());
        let opened = chain.open(Arc::new(store.restarted())).unwrap();
        assert_eq!((opened.height(), opened.first()), (Height(302), Height(300)));
        opened.verify_blocks().unwrap();
        opened.verify_state().unwrap();
        assert_eq!(entries(&*opened.state()), entries(&*ledger.state()));
    }
}

#[test]
fn a_young_chain_s_snapshot_has_all_its_blocks() {
    let (chain, ledger) = chain(StateCommitment::Merkle, 4);
    let snapshot = export(&ledger).unwrap();
    assert_eq!(snapshot.manifest.first, Height(1));
    let made = snapshot.import(&chain, Arc::new(MemoryStore::default())).unwrap();
    assert_eq!(made.recent_hashes(), ledger.recent_hashes());
}

#[test]
fn what_is_not_the_chain_s_makes_no_ledger() {
    let (chain, ledger) = chain(StateCommitment::Merkle, 270);
    let snapshot = export(&ledger).unwrap();
    let refused = |what: &str, snapshot: Snapshot| {
        let result = snapshot.import(&chain, Arc::new(MemoryStore::default()));
        assert!(matches!(result, Err(ImportError::Lie(_))), "{what}: {:?}", result.err());
    };
    let is_state = |item: &Item| matches!(item, Item::State { .. });
    type Change = Box<dyn FnOnce(&mut Vec<Item>)>;
    let changes: [(&str, Change); 9] = [
        ("an entry less", Box::new(|items| drop(items.pop()))),
        (
            "another value",
            Box::new(|items| {
                let Some(Item::State { value, .. }) = items.last_mut() else { panic!() };
                *value = Value::new(b"mine");
            }),
        ),
        ("entries twice", Box::new(|items| items.push(items.last().unwrap().clone()))),
        (
            "entries out of order",
            Box::new(move |items| {
                let at = items.iter().position(is_state).unwrap();
                items.swap(at, at + 1);
            }),
        ),
        ("a block less", Box::new(|items| drop(items.remove(0)))),
        (
            "a transaction less",
            Box::new(|items| {
                let block = items.iter_mut().find_map(|item| match item {
                    Item::Block(block) if !block.transactions.is_empty() => Some(block),
                    _ => None,
                });
                block.unwrap().transactions.pop();
            }),
        ),
        (
            "another receipt",
            Box::new(|items| {
                let receipt = items.iter_mut().find_map(|item| match item {
                    Item::Receipt(receipt) => Some(receipt),
                    _ => None,
                });
                receipt.unwrap().output.push(1);
            }),
        ),
        (
            "another access set",
            Box::new(|items| {
                let rw_set = items.iter_mut().find_map(|item| match item {
                    Item::RwSet(rw_set) => Some(rw_set),
                    _ => None,
                });
                rw_set.unwrap().reads.clear();
            }),
        ),
        ("no state", Box::new(move |items| items.retain(|item| !is_state(item)))),
    ];
    for (what, change) in changes {
        refused(what, snapshot.changed(change));
    }
    let mut later = snapshot.changed(|items| drop(items.remove(0)));
    later.manifest.first = later.manifest.first.next();
    refused("the window cut short", later);
    let mut unsigned = snapshot.clone();
    unsigned.anchor.certificate.signatures.clear();
    refused("a block that nobody decided", unsigned);
    let mut other = snapshot.clone();
    other.chunks[0].push(0);
    refused("other bytes than the manifest says", other);
    snapshot.changed(|_| {}).import(&chain, Arc::new(MemoryStore::default())).unwrap();
}

#[test]
fn what_a_node_alone_knows_is_carried_over() {
    let (chain, ledger) = chain(StateCommitment::Merkle, 4);
    let made = Arc::new(MemoryStore::default());
    export(&ledger).unwrap().import(&chain, made.clone()).unwrap();
    let before = Arc::new(MemoryStore::default());
    let old = chain.open(before.clone()).unwrap();
    (0..3_000u32).for_each(|number| old.put_consensus(&number.to_be_bytes(), b"kept").unwrap());
    drop(old);
    carry_over(&*before, &*made).unwrap();
    let opened = chain.open(made.clone()).unwrap();
    assert_eq!(opened.height(), Height(4));
    assert!((0..3_000u32).all(|number| opened.get_consensus(&number.to_be_bytes()).unwrap().unwrap() == b"kept"));
    assert_eq!(Table::ALL.len(), 13, "is a new table one of what a node alone knows?");
}
