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
            reopened.window(Height(0), hanse_types::Timestamp(0)).unwrap(),
            ledger.window(Height(0), hanse_types::Timestamp(0)).unwrap()
        );
    }
}

/// Transactions of block `height` in the chain that the child below makes.
fn count(height: u64) -> u32 {
    (height * 37 % 90) as u32
}

/// The child: goes on with the ledger that it finds, and says what is durable, until it is killed.
#[test]
#[ignore = "runs as a child of the test below"]
fn child_that_appends() {
    let Some(folder) = common::child_folder() else { return };
    let mut chain = Chain::new(StateCommitment::Merkle);
    // The blocks before, which a block is made on top of.
    let memory = chain.in_memory();
    let ledger = Ledger::open(&folder, &chain.genesis, &chain.genesis_state, common::options()).unwrap();
    for height in 1.. {
        let block = chain.make(&memory, count(height));
        memory.append(&block.new_block()).unwrap();
        if Height(height) <= ledger.height() {
            assert_eq!(ledger.block_hash(Height(height)).unwrap(), Some(block.header.hash()));
            continue;
        }
        ledger.append(&block.new_block()).unwrap();
        if height % 7 == 0 {
            ledger.prune_history(Height(height.saturating_sub(20))).unwrap();
        }
        println!("{height}");
    }
}

/// A real database, killed in the middle of whatever it does, over and over: what was said to be durable is there, at most
/// one block more, and all of it adds up.
#[test]
fn a_process_killed_while_it_appends_loses_nothing_that_was_durable() {
    let folder = tempfile::tempdir().unwrap();
    let mut chain = Chain::new(StateCommitment::Merkle);
    let memory = chain.in_memory();
    for round in 0..24u64 {
        let after = common::Kill { lines: 1 + (round * 5 % 4) as usize, micros: round * 911 % 9_000 };
        let lines = common::run_and_kill("child_that_appends", folder.path(), after);
        let told: u64 = lines.last().unwrap().parse().unwrap();
        let ledger = Ledger::open(folder.path(), &chain.genesis, &chain.genesis_state, common::options()).unwrap();
        let height = ledger.height().0;
        assert!((told..=told + 1).contains(&height), "round {round}: block {told} was durable, there are {height}");
        while (chain.blocks.len() as u64) < height {
            let next = chain.blocks.len() as u64 + 1;
            chain.grow(&memory, &[count(next)]);
        }
        assert_eq!(ledger.tip(), memory.tip(), "round {round}");
        ledger.verify_blocks().unwrap();
        ledger.verify_state().unwrap();
        let oldest = ledger.statistics().unwrap().history_from;
        for past in oldest.0..=height {
            let state = ledger.state_at(Height(past)).unwrap();
            let key = common::key(past * 13 % 110);
            assert_eq!(state.get(&key).unwrap(), chain.states[past as usize].get(&key).cloned());
        }
    }
}

/// A bit of the log that turned over on the disk: an older whole block, or a refusal, never something else.
#[test]
fn a_log_with_a_wrong_bit_never_opens_as_something_else() {
    let root = tempfile::tempdir().unwrap();
    let live = root.path().join("live");
    let mut chain = Chain::new(StateCommitment::Merkle);
    let ledger = Ledger::open(&live, &chain.genesis, &chain.genesis_state, common::options()).unwrap();
    chain.grow(&ledger, &[5, 30, 12]);
    let length = fs::metadata(log(&live)).unwrap().len();
    for at in (0..length).step_by(length as usize / 40).chain([length - 1]) {
        let killed = root.path().join(at.to_string());
        copy(&live, &killed);
        let mut bytes = fs::read(log(&killed)).unwrap();
        bytes[at as usize] ^= 0x10;
        fs::write(log(&killed), bytes).unwrap();
        if let Ok(ledger) = Ledger::open(&killed, &chain.genesis, &chain.genesis_state, common::options()) {
            let height = ledger.height().0;
            chain.check(&ledger, height);
            ledger.verify_blocks().unwrap();
        }
        fs::remove_dir_all(&killed).unwrap();
    }
}
