//! Whatever happens to a write, the ledger opens at the last block or the next.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::Chain;
use hanse_ledger::store::Fault;
use hanse_ledger::{Ledger, LedgerError, MemoryStore};
use hanse_types::{Height, StateCommitment};

/// Every write fails once, in every way; also the one that makes the genesis block.
#[test]
fn a_failed_write_leaves_the_last_block_or_the_next() {
    for fault in [Fault::BeforeWrite, Fault::AfterWrite, Fault::DiskFull] {
        for at in 0..4 {
            let mut chain = Chain::new(StateCommitment::Merkle);
            let disk = Arc::new(MemoryStore::default().failing(at, fault));
            let written = at + u64::from(fault == Fault::AfterWrite);
            if at == 0 {
                assert!(chain.open(disk.clone()).is_err());
            } else {
                let ledger = chain.open(disk.clone()).unwrap();
                chain.grow(&ledger, &vec![20; at as usize - 1]);
                let block = chain.make(&ledger, 20);
                assert!(matches!(ledger.append(&block.new_block()), Err(LedgerError::Store(_))));
                // Nothing of it is visible, and nothing more is accepted, until it is opened anew.
                chain.check(&ledger, at - 1);
                assert!(matches!(ledger.append(&block.new_block()), Err(LedgerError::Poisoned { .. })));
                assert!(matches!(ledger.put_consensus(b"k", b"v"), Err(LedgerError::Poisoned { .. })));
                assert!(matches!(ledger.prune_history(Height(9)), Err(LedgerError::Poisoned { .. }) | Ok(_)));
            }
            let ledger = chain.open(Arc::new(disk.restarted())).unwrap();
            let height = written.saturating_sub(1);
            chain.check(&ledger, height);
            // And it goes on from there.
            if at > 0 {
                let last = chain.blocks.last().unwrap().clone();
                ledger.append(&last.new_block()).unwrap();
                chain.check(&ledger, at);
            }
            chain.grow(&ledger, &[5]);
            chain.check(&ledger, at.max(1) + u64::from(at > 0));
        }
    }
}

#[test]
fn what_the_consensus_engine_writes_is_there_again() {
    let chain = Chain::new(StateCommitment::Flat);
    let disk = Arc::new(MemoryStore::default());
    let ledger = chain.open(disk.clone()).unwrap();
    assert_eq!(ledger.get_consensus(b"vote").unwrap(), None);
    ledger.put_consensus(b"vote", b"7").unwrap();
    let ledger = chain.open(Arc::new(disk.restarted())).unwrap();
    assert_eq!(ledger.get_consensus(b"vote").unwrap(), Some(b"7".to_vec()));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() != "LOCK" {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// The write-ahead log in a directory.
fn log(path: &Path) -> std::path::PathBuf {
    let logs = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    logs.filter(|path| path.extension().is_some_and(|extension| extension == "log")).max().unwrap()
}

/// A power cut leaves a prefix of the log. Wherever it ends, the ledger opens at a whole block.
#[test]
fn a_log_cut_anywhere_opens_at_a_whole_block() {
    let root = tempfile::tempdir().unwrap();
    let live = root.path().join("live");
    let mut chain = Chain::new(StateCommitment::Merkle);
    let ledger = Ledger::open(&live, &chain.genesis, &chain.genesis_state, common::options()).unwrap();
    let mut ends = vec![fs::metadata(log(&live)).unwrap().len()];
    for count in [5, 30, 12] {
        chain.grow(&ledger, &[count]);
        ends.push(fs::metadata(log(&live)).unwrap().len());
    }
    // The process is killed: the directory is copied while the ledger is open.
    let full = *ends.last().unwrap();
    let cuts = ends.iter().flat_map(|end| [end - 1, *end, (end + 1).min(full)]).chain((ends[0]..full).step_by(3_001));
    for (number, cut) in cuts.enumerate() {
        let killed = root.path().join(number.to_string());
        copy(&live, &killed);
        fs::OpenOptions::new().write(true).open(log(&killed)).unwrap().set_len(cut).unwrap();
        let expected = ends.iter().rposition(|end| *end <= cut);
        let reopened = Ledger::open(&killed, &chain.genesis, &chain.genesis_state, common::options()).unwrap();
        chain.check(&reopened, expected.unwrap_or(0) as u64);
        drop(reopened);
        fs::remove_dir_all(&killed).unwrap();
    }
}

#[test]
fn a_process_that_is_killed_finds_everything_again() {
    let root = tempfile::tempdir().unwrap();
    let mut chain = Chain::new(StateCommitment::Flat);
    let live = root.path().join("live");
    let ledger = Ledger::open(&live, &chain.genesis, &chain.genesis_state, common::options()).unwrap();
    for number in 0..3 {
        chain.grow(&ledger, &[40, 0, 7]);
        let killed = root.path().join(number.to_string());
        copy(&live, &killed);
        let reopened = Ledger::open(&killed, &chain.genesis, &chain.genesis_state, common::options()).unwrap();
        chain.check(&reopened, chain.blocks.len() as u64);
        assert_eq!(reopened.tip(), ledger.tip());
        assert_eq!(reopened.recent_hashes(), ledger.recent_hashes());
        assert_eq!(
            reopened.window(hanse_types::Timestamp(0)).unwrap(),
            ledger.window(hanse_types::Timestamp(0)).unwrap()
        );
    }
}
