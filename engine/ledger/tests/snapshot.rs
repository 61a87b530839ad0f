//! A snapshot is whole or is none, and what is restored from it is the ledger that it was taken of.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use std::fs;
use std::path::Path;

use common::{Chain, Kill};
use hanse_ledger::snapshot::{Manifest, SnapshotError, restore};
use hanse_ledger::{Ledger, LedgerError};
use hanse_types::{Hash, Height, StateCommitment};

fn open(chain: &Chain, path: &Path) -> Ledger {
    Ledger::open(path, &chain.genesis, &chain.genesis_state, common::options()).unwrap()
}

fn restore_to(chain: &Chain, snapshot: &Path, to: &Path) -> Result<Manifest, SnapshotError> {
    restore(snapshot, to, |_| chain.genesis_state.clone(), Some(&chain.genesis.hash()))
}

#[test]
fn what_is_restored_is_what_was_there_and_goes_on() {
    for commitment in [StateCommitment::Flat, StateCommitment::Merkle] {
        let root = tempfile::tempdir().unwrap();
        let [live, snapshot, copy] = ["live", "snapshot", "copy"].map(|name| root.path().join(name));
        let mut chain = Chain::new(commitment);
        let ledger = open(&chain, &live);
        chain.grow(&ledger, &[30, 0, 45]);
        let manifest = ledger.snapshot(&snapshot).unwrap();
        assert_eq!((manifest.height, manifest.block_hash), (Height(3), ledger.tip().hash));
        assert_eq!(Manifest::read(&snapshot).unwrap(), manifest);
        // The ledger goes on; the snapshot does not.
        chain.grow(&ledger, &[20]);
        assert!(matches!(ledger.snapshot(&snapshot), Err(SnapshotError::Exists { .. })));

        assert_eq!(restore_to(&chain, &snapshot, &copy).unwrap(), manifest);
        let restored = open(&chain, &copy);
        chain.check(&restored, 3);
        restored.verify_blocks().unwrap();
        restored.verify_state().unwrap();
        restored.append(&chain.blocks[3].new_block()).unwrap();
        chain.check(&restored, 4);
        assert!(matches!(restore_to(&chain, &snapshot, &copy), Err(SnapshotError::Exists { .. })));
        // An empty folder is as good as none.
        let empty = root.path().join("empty");
        fs::create_dir(&empty).unwrap();
        restore_to(&chain, &snapshot, &empty).unwrap();
    }
}

#[test]
fn what_is_not_whole_or_not_this_one_is_refused_and_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let [live, snapshot, to] = ["live", "snapshot", "to"].map(|name| root.path().join(name));
    let mut chain = Chain::new(StateCommitment::Merkle);
    let ledger = open(&chain, &live);
    chain.grow(&ledger, &[30, 10]);
    let manifest = ledger.snapshot(&snapshot).unwrap();
    let refused = |from: &Path| {
        let error = restore_to(&chain, from, &to).unwrap_err();
        assert!(!to.exists(), "{error}");
        error
    };
    assert!(matches!(refused(&live), SnapshotError::NotASnapshot { .. }));

    let other = restore(&snapshot, &to, |_| chain.genesis_state.clone(), Some(&Hash::ZERO)).unwrap_err();
    assert!(matches!(other, SnapshotError::Ledger(LedgerError::OtherChain { what: "genesis", .. })), "{other}");
    let write = |manifest: &Manifest| {
        fs::write(snapshot.join("manifest.json"), serde_json::to_vec(manifest).unwrap()).unwrap();
    };
    write(&Manifest { ledger_format: 1, ..manifest.clone() });
    assert!(matches!(refused(&snapshot), SnapshotError::Ledger(LedgerError::OtherFormat { found: 1, .. })));
    write(&Manifest { version: 9, ..manifest.clone() });
    assert!(matches!(refused(&snapshot), SnapshotError::NotASnapshot { .. }));
    write(&Manifest { height: Height(1), ..manifest.clone() });
    assert!(matches!(refused(&snapshot), SnapshotError::Damaged { .. }));
    let mut elsewhere = manifest.clone();
    elsewhere.files[0].name = "../ledger/CURRENT".into();
    write(&elsewhere);
    assert!(matches!(refused(&snapshot), SnapshotError::Damaged { .. }));
    write(&manifest);

    for file in &manifest.files {
        let path = snapshot.join("ledger").join(&file.name);
        let good = fs::read(&path).unwrap();
        // Other names of the same file belong to the running ledger.
        fs::remove_file(&path).unwrap();
        assert!(matches!(refused(&snapshot), SnapshotError::File { .. }), "{}", file.name);
        let mut bad = good.clone();
        match bad.first_mut() {
            Some(byte) => *byte ^= 1,
            None => bad.push(0),
        }
        fs::write(&path, bad).unwrap();
        assert!(matches!(refused(&snapshot), SnapshotError::Damaged { .. }), "{}", file.name);
        fs::write(&path, good).unwrap();
    }
    fs::remove_file(snapshot.join("manifest.json")).unwrap();
    assert!(matches!(refused(&snapshot), SnapshotError::NotASnapshot { .. }));
    write(&manifest);
    restore_to(&chain, &snapshot, &to).unwrap();
}

#[test]
fn damage_to_state_and_old_blocks_is_found() {
    use hanse_ledger::store::{Batch, Store, Table};
    for commitment in [StateCommitment::Flat, StateCommitment::Merkle] {
        let mut chain = Chain::new(commitment);
        let disk = std::sync::Arc::new(hanse_ledger::MemoryStore::default());
        let ledger = chain.open(disk.clone()).unwrap();
        chain.grow(&ledger, &[30, 25, 1]);
        ledger.verify_blocks().unwrap();
        ledger.verify_state().unwrap();
        let damaged = |table, key: &[u8], value: &[u8]| {
            let disk = std::sync::Arc::new(disk.restarted());
            let mut batch = Batch::default();
            batch.put(table, key, value);
            disk.write(&batch).unwrap();
            chain.open(disk).unwrap()
        };
        // A key that block 1 wrote and the newest block did not.
        let last = &chain.blocks[2].content.rw_sets()[0];
        let touched =
            |key: &[u8]| last.writes.iter().any(|write| write.key == key) || last.adds.iter().any(|add| add.key == key);
        let written = chain.blocks[0].content.rw_sets().iter().flat_map(|rw_set| &rw_set.writes);
        let key = written.map(|write| &write.key).find(|key| !touched(key)).unwrap();
        let state = damaged(Table::State, key, b"something else");
        assert!(matches!(state.verify_state(), Err(LedgerError::Damaged { .. })), "{commitment:?}");
        let block = damaged(Table::Dag, &1u64.to_be_bytes(), &chain.blocks[1].content.dag().encode());
        assert!(matches!(block.verify_blocks(), Err(LedgerError::Damaged { .. })));
    }
}

/// The child: grows a ledger and takes snapshots of it, one after another, until it is killed.
#[test]
#[ignore = "runs as a child of the test below"]
fn child_that_takes_snapshots() {
    let Some(root) = common::child_folder() else { return };
    let mut chain = Chain::new(StateCommitment::Merkle);
    let ledger = open(&chain, &root.join("live"));
    chain.grow(&ledger, &[100]);
    for number in 0.. {
        chain.grow(&ledger, &[40]);
        println!("{number}");
        ledger.snapshot(&root.join(format!("snapshot-{number}"))).unwrap();
    }
}

/// Killed at any moment, a snapshot that has its name is whole; one that has not is not taken for one.
#[test]
fn a_half_written_snapshot_is_never_taken_for_a_whole_one() {
    let chain = Chain::new(StateCommitment::Merkle);
    let (mut whole, mut half) = (0, 0);
    for round in 0..12u64 {
        let root = tempfile::tempdir().unwrap();
        let after = Kill { lines: 1 + round as usize % 3, micros: round * 1_700 };
        common::run_and_kill("child_that_takes_snapshots", root.path(), after);
        for entry in fs::read_dir(root.path()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let copy = root.path().join("copy");
            if name.ends_with(".partial") {
                half += 1;
                // It has its manifest only if nothing but its name was missing.
                let restored = restore_to(&chain, &path, &copy).is_ok();
                assert_eq!(restored, path.join("manifest.json").exists() && Manifest::read(&path).is_ok(), "{name}");
            } else if name.starts_with("snapshot-") {
                whole += 1;
                restore_to(&chain, &path, &copy).unwrap();
                assert_eq!(open(&chain, &copy).height(), Manifest::read(&path).unwrap().height);
            }
            let _ = fs::remove_dir_all(&copy);
        }
        // What was left is no hindrance: the first one that is missing can be taken now.
        let missing = (0..).map(|number| root.path().join(format!("snapshot-{number}"))).find(|path| !path.exists());
        open(&chain, &root.path().join("live")).snapshot(&missing.unwrap()).unwrap();
    }
    assert!(whole > 0 && half > 0, "kills came before and after: {whole} whole, {half} half");
}
