//! Torn tails, damage at every bit, failing disks.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::test_values::{Memory, block, chain, precommit, prevote, proposal};

fn written() -> (Vec<Intent>, Vec<u8>) {
    let block = block(5, 1);
    let intents = vec![proposal(5, 0, &block), prevote(5, 0, Some(block.hash())), precommit(5, 0, Some(&block))];
    let memory = Memory::default();
    let mut journal = Journal::create(memory.clone(), &chain()).unwrap();
    intents.iter().for_each(|intent| journal.write(intent).unwrap());
    let bytes = memory.journal.borrow().clone().unwrap();
    (intents, bytes)
}

fn open(bytes: &[u8]) -> Result<Vec<Intent>, JournalError> {
    Journal::open(Memory::default(), bytes, &chain()).map(|(_, intents)| intents).map_err(|(_, error)| error)
}

#[test]
fn what_was_written_is_read_and_a_new_height_begins_anew() {
    let (intents, bytes) = written();
    assert_eq!(open(&bytes), Ok(intents.clone()));
    let memory = Memory::default();
    let (mut journal, _) = Journal::open(memory.clone(), &bytes, &chain()).unwrap();
    journal.write(&prevote(6, 0, None)).unwrap();
    journal.write(&prevote(6, 1, None)).unwrap();
    let bytes = memory.journal.borrow().clone().unwrap();
    assert_eq!(open(&bytes), Ok(vec![prevote(6, 0, None), prevote(6, 1, None)]));
}

#[test]
fn a_torn_tail_is_cut_off_wherever_it_was_torn() {
    let (intents, bytes) = written();
    let two = {
        let memory = Memory::default();
        let mut journal = Journal::create(memory.clone(), &chain()).unwrap();
        intents[..2].iter().for_each(|intent| journal.write(intent).unwrap());
        memory.journal.borrow().clone().unwrap()
    };
    for length in two.len()..bytes.len() {
        let memory = Memory::default();
        let (mut journal, read) = Journal::open(memory.clone(), &bytes[..length], &chain()).unwrap();
        assert_eq!(read, intents[..2], "torn at {length}");
        journal.write(&intents[2]).unwrap();
        if length > two.len() {
            assert_eq!(memory.journal.borrow().as_deref(), Some(&bytes[..]), "torn at {length}");
        }
    }
}

#[test]
fn damage_before_the_last_entry_is_never_taken_for_a_torn_tail() {
    let (intents, bytes) = written();
    let last = bytes.len() - FRAME_HEAD - intents[2].encode().len();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        let read = open(&damaged);
        if at < last {
            assert!(read.is_err(), "byte {at}: {read:?}");
        } else {
            assert_eq!(read, Ok(intents[..2].to_vec()), "byte {at}");
        }
    }
}

#[test]
fn another_chains_journal_is_none() {
    let (_, bytes) = written();
    let other = ChainIdentity { genesis: Hash([9; 32]), ..chain() };
    let (_, read) = Journal::open(Memory::default(), &bytes, &other).unwrap();
    assert_eq!(read, []);
    assert_eq!(open(b""), Err(JournalError::NoJournal));
}

#[test]
fn nothing_is_written_after_a_failed_write() {
    let memory = Memory::default();
    let mut journal = Journal::create(memory.clone(), &chain()).unwrap();
    memory.fails_at.set(Some(1));
    assert!(journal.write(&prevote(5, 0, None)).is_err());
    assert!(journal.write(&prevote(5, 0, None)).is_err());
}
