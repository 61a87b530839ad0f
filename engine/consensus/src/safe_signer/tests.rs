//! Crashes between any two writes, and records that are lost, damaged or put back.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::test_values::{Memory, block, chain, key, precommit, prevote, proposal};

type Pair = SafeSigner<Memory, Memory>;

fn open(memory: &Memory, first_start: bool, tip: u64, noted: Option<Statement>) -> Pair {
    let (journal, guard) = (memory.journal.borrow().clone(), memory.guard.borrow().clone());
    let stored = Stored { first_start, journal: journal.as_deref(), guard: guard.as_deref(), tip: Height(tip), noted };
    SafeSigner::open(memory.clone(), memory.clone(), &chain(), stored).unwrap()
}

fn life() -> Vec<Intent> {
    let block = block(5, 1);
    vec![
        prevote(4, 0, None),
        proposal(5, 0, &block),
        prevote(5, 0, Some(block.hash())),
        precommit(5, 0, Some(&block)),
        prevote(5, 1, Some(block.hash())),
    ]
}

/// A store that has signed these.
fn store(intents: &[Intent]) -> Memory {
    let memory = Memory::default();
    let mut signer = open(&memory, true, 0, None);
    for intent in intents {
        signer.sign(intent, &chain(), &key(0)).unwrap();
    }
    memory
}

#[test]
fn what_was_signed_is_known_after_a_restart_and_can_be_signed_again() {
    let mut signer = open(&store(&life()), false, 4, None);
    assert_eq!(signer.recovered(), &life()[1..]);
    assert_eq!((signer.from(), signer.newest()), (Height(0), Some(life()[4].statement)));
    for intent in &life()[1..] {
        let signed = signer.sign(intent, &chain(), &key(0)).unwrap();
        assert_eq!(signed.statement(), &intent.statement);
    }
    assert!(signer.sign(&prevote(5, 0, None), &chain(), &key(0)).is_err());
}

#[test]
fn a_crash_at_any_write_loses_nothing_that_was_signed() {
    // Each statement takes two writes, after the two that make the files.
    for fails_at in 2..12 {
        let memory = Memory::default();
        let mut signer = open(&memory, true, 0, None);
        memory.fails_at.set(Some(fails_at));
        let signed = life().iter().take_while(|intent| signer.sign(intent, &chain(), &key(0)).is_ok()).count();
        assert_eq!(signed, (fails_at - 2) / 2);
        memory.fails_at.set(None);
        let mut signer = open(&memory, false, 3, None);
        assert_eq!(signer.from(), Height(0), "write {fails_at}");
        for intent in &life()[signed..] {
            signer.sign(intent, &chain(), &key(0)).unwrap();
        }
        let contradiction = prevote(5, 1, None);
        assert!(signer.sign(&contradiction, &chain(), &key(0)).is_err());
    }
}

#[test]
fn without_sound_records_nothing_is_signed_that_may_have_been_signed_before() {
    let good = store(&life());
    let (journal, guard) = (good.journal.borrow().clone(), good.guard.borrow().clone());
    let old = store(&life()[..2]);
    let (old_journal, old_guard) = (old.journal.borrow().clone(), old.guard.borrow().clone());
    let noted = Some(life()[3].statement);
    let flipped = |file: &Option<Vec<u8>>, at: usize| {
        let mut file = file.clone().unwrap();
        file[at] ^= 1;
        Some(file)
    };
    let cases = [
        ("no journal", None, guard.clone(), None),
        ("no guard", journal.clone(), None, None),
        ("nothing", None, None, None),
        ("damaged journal", flipped(&journal, 40), guard.clone(), None),
        ("damaged guard", journal.clone(), flipped(&guard, 12), None),
        ("damaged end of the journal", flipped(&journal, journal.as_ref().unwrap().len() - 1), guard.clone(), None),
        ("old journal", old_journal.clone(), guard.clone(), None),
        ("old guard", journal.clone(), old_guard.clone(), None),
        ("both old", old_journal, old_guard, noted),
    ];
    for (case, journal, guard, noted) in cases {
        let memory = Memory::default();
        memory.journal.replace(journal);
        memory.guard.replace(guard);
        let mut signer = open(&memory, false, 4, noted);
        assert_eq!((signer.from(), signer.recovered()), (Height(6), &[][..]), "{case}");
        let refused = signer.sign(&prevote(5, 9, None), &chain(), &key(0));
        assert_eq!(refused, Err(GuardError::TooEarly { from: Height(6) }.into()), "{case}");
        // It stays so after another restart, and ends at that height.
        let mut signer = open(&memory, false, 5, None);
        assert_eq!(signer.from(), Height(6), "{case}");
        signer.sign(&prevote(6, 0, None), &chain(), &key(0)).unwrap();
    }
}

#[test]
fn a_ledger_that_fell_behind_is_no_reason_to_vote_early() {
    let memory = store(&life());
    memory.journal.replace(None);
    assert_eq!(open(&memory, false, 2, None).from(), Height(6));
}

/// Found by the simulator: the node did not start any more.
#[test]
fn a_crash_between_a_new_guard_and_its_journal_leaves_an_observer() {
    let memory = store(&life()[..1]);
    memory.guard.replace(None);
    // The guard is made anew, the journal is not.
    memory.fails_at.set(Some(memory.writes.get() + 1));
    let (journal, guard) = (memory.journal.borrow().clone(), memory.guard.borrow().clone());
    let stored = Stored {
        first_start: false,
        journal: journal.as_deref(),
        guard: guard.as_deref(),
        tip: Height(3),
        noted: None,
    };
    assert!(SafeSigner::open(memory.clone(), memory.clone(), &chain(), stored).is_err());
    memory.fails_at.set(None);
    assert_eq!(*memory.journal.borrow(), journal);
    for tip in [3, 4] {
        let signer = open(&memory, false, tip, None);
        assert_eq!((signer.from(), signer.recovered()), (Height(5), &[][..]), "{tip}");
    }
}
