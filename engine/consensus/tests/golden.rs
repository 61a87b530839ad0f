//! What validators sign, and what they keep of it, of fixed values; pinned in `golden/v1.txt`.
//!
//! Whoever signed or stored such bytes relies on them for good: a validator whose record reads differently after an
//! upgrade forgets what it signed. If this test fails, either the change is a mistake, or it needs a new format version
//! and a new file of golden vectors beside the old one.
#![allow(clippy::unwrap_used)]

mod bench;

use bench::*;
use hanse_consensus::raft::{Base, Entry, Position, RaftWord, Record, RecordStore};
use hanse_consensus::{Status, *};
use hanse_types::*;

const PINNED: &str = include_str!("golden/v1.txt");

fn hex(bytes: &[u8]) -> String {
    const_hex::encode(bytes)
}

/// The block, a polka for it, and what a validator says of them.
fn intents() -> [Intent; 7] {
    let block = block(0, 1);
    let polka = quorum(&[1, 2, 3], VoteKind::Prevote, 0, Some(block.hash()));
    let say = |round, word| Statement { epoch: Epoch(0), height: H, round: Round(round), word };
    let hash = block.hash();
    [
        Intent {
            statement: say(0, Word::Propose { block: hash, valid_round: None }),
            basis: Basis::Block(block.clone()),
        },
        Intent::bare(say(0, Word::Prevote(Some(hash)))),
        Intent { statement: say(0, Word::Precommit(Some(hash))), basis: Basis::Both(block.clone(), polka.clone()) },
        Intent {
            statement: say(1, Word::Propose { block: hash, valid_round: Some(Round(0)) }),
            basis: Basis::Both(block, polka.clone()),
        },
        Intent { statement: say(1, Word::Prevote(Some(hash))), basis: Basis::Polka(polka) },
        Intent::bare(say(2, Word::Prevote(None))),
        Intent::bare(say(2, Word::Precommit(None))),
    ]
}

const NAMES: [&str; 7] =
    ["proposal", "prevote", "precommit", "proposal_again", "prevote_again", "prevote_nil", "precommit_nil"];

fn vectors() -> Vec<(String, String)> {
    let files = Memory::default();
    let stored = Stored { first_start: true, journal: None, guard: None, tip: TIP.height, noted: None };
    let mut signer = SafeSigner::open(files.clone(), files.clone(), &chain(), stored).unwrap();
    let mut vectors = vec![("guard.empty".to_owned(), hex(&files.0.borrow().guard))];
    for (name, intent) in NAMES.into_iter().zip(intents()) {
        let mut guard = Guard::create(Memory::default(), Height(0)).unwrap();
        let bytes = guard.admit(&intent).unwrap().sign_bytes(&chain());
        let signed = signer.sign(&intent, &chain(), &key(ME)).unwrap();
        assert_eq!(intent, Intent::decode(&intent.encode()).unwrap());
        vectors.extend([
            (format!("{name}.sign_bytes"), hex(&bytes)),
            (format!("{name}.signature"), hex(&signed.signature().0)),
            (format!("{name}.intent"), hex(&intent.encode())),
            (format!("{name}.guard"), hex(&files.0.borrow().guard)),
        ]);
    }
    vectors.push(("journal".to_owned(), hex(&files.0.borrow().journal)));
    vectors.extend(messages().map(|(name, message)| (name.to_owned(), hex(&message.encode()))));
    vectors.extend(raft_messages().map(|(name, message)| (name.to_owned(), hex(&message.encode()))));
    vectors.push(("raft.record".to_owned(), hex(&record().encode())));
    vectors.push(("raft.record_file".to_owned(), hex(&record_file())));
    vectors
}

/// What validators of a group with consensus `raft` say.
fn raft_messages() -> [(&'static str, Message); 8] {
    let block = block(0, 1);
    let certificate = certificate(&[1], 0, block.hash());
    let place = Position { term: Round(3), index: 9 };
    let entries = vec![Entry::Term(Round(4)), Entry::Block { certificate, block }];
    let words = [
        ("raft.elect", RaftWord::Elect { last: place }),
        ("raft.elected", RaftWord::Elected { granted: true }),
        ("raft.append", RaftWord::Append { committed: 8, before: place, entries }),
        ("raft.append_nothing", RaftWord::Append { committed: 9, before: place, entries: Vec::new() }),
        ("raft.appended", RaftWord::Appended { last: place }),
        ("raft.skip", RaftWord::Skip(Base { position: place, height: Height(5) })),
        ("raft.canvass", RaftWord::Canvass { last: place }),
        ("raft.canvassed", RaftWord::Canvassed { granted: false }),
    ];
    let to = |word: &RaftWord| (!matches!(word, RaftWord::Elect { .. })).then_some(2);
    let message = |word| RaftMessage { epoch: Epoch(1), from: 0, to: to(&word), term: Round(4), word };
    words.map(|(name, word)| (name, Message::Raft(message(word))))
}

/// What such a validator must not forget: its log has a block behind the ledger, with two transactions.
fn record() -> Record {
    let block = block(0, 1);
    let certificate = certificate(&[1], 0, block.hash());
    Record {
        epoch: Epoch(1),
        term: Round(4),
        voted_for: Some(2),
        base: Base { position: Position { term: Round(3), index: 9 }, height: Height(5) },
        entries: vec![Entry::Term(Round(4)), Entry::Block { certificate, block }],
        bodies: vec![vec![vec![1, 2, 3], vec![4]]],
    }
}

/// The file of a record.
fn record_file() -> Vec<u8> {
    let disk = Memory::default();
    let (mut store, _) = RecordStore::open(disk.clone(), &chain(), None, true, None).unwrap();
    store.write(&record()).unwrap();
    disk.0.borrow().guard.clone()
}

/// What crosses the wire.
fn messages() -> [(&'static str, Message); 9] {
    let block = block(0, 1);
    let hash = block.hash();
    let (first, second) = (vote(3, VoteKind::Prevote, 0, None), vote(3, VoteKind::Prevote, 0, Some(hash)));
    let polka = quorum(&[0, 1, 2], VoteKind::Prevote, 0, Some(hash));
    let mut have = Have::default();
    [0, 2].into_iter().for_each(|validator| have.note(validator));
    let status = Status {
        height: H,
        round: Round(2),
        proposal: true,
        prevotes: Have { quorum: true, ..have.clone() },
        precommits: have,
        valid_round: Some(Round(1)),
        waits: true,
    };
    [
        ("message.evidence", Message::Evidence(Evidence { first, second })),
        ("message.vote", Message::Vote(first)),
        ("message.proposal", proposal(0, &block, None)),
        ("message.proposal_again", proposal(1, &block, Some(polka.clone()))),
        ("message.quorum", Message::Quorum(polka)),
        ("message.status", Message::Status(status)),
        ("message.request", Message::Request(Request::Transactions { block: hash, missing: vec![1, 4] })),
        ("message.transactions", Message::Transactions { block: hash, transactions: vec![(1, vec![7, 8])] }),
        ("message.decided", Message::Decided { certificate: certificate(&[0, 1, 3], 0, hash), block }),
    ]
}

#[test]
fn nothing_that_was_signed_or_stored_has_changed() {
    let lines: Vec<String> = vectors().into_iter().map(|(name, value)| format!("{name} {value}")).collect();
    let pinned: Vec<&str> = PINNED.lines().filter(|line| !line.starts_with('#')).collect();
    println!("{} golden vectors", pinned.len());
    assert!(pinned == lines, "these are the vectors now:\n{}", lines.join("\n"));
}

#[test]
fn every_pinned_message_decodes_to_what_it_was() {
    for (name, message) in messages().into_iter().chain(raft_messages()) {
        let line = PINNED.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
        assert_eq!(Message::decode(&const_hex::decode(line).unwrap()), Ok(message), "{name}");
    }
}

#[test]
fn a_pinned_record_of_a_raft_is_taken_over() {
    let line = PINNED.lines().find_map(|line| line.strip_prefix("raft.record_file ")).unwrap();
    let file = const_hex::decode(line).unwrap();
    let (_, read) = RecordStore::open(Memory::default(), &chain(), Some(&file), false, None).unwrap();
    assert_eq!(read, Some(record()));
}

#[test]
fn a_pinned_journal_and_record_are_taken_over() {
    let line = |name: &str| PINNED.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
    let bytes = |name| const_hex::decode(line(name)).unwrap();
    let (journal, guard) = (bytes("journal"), bytes("precommit_nil.guard"));
    let stored =
        Stored { first_start: false, journal: Some(&journal), guard: Some(&guard), tip: TIP.height, noted: None };
    let signer = SafeSigner::open(Memory::default(), Memory::default(), &chain(), stored).unwrap();
    assert_eq!(signer.recovered(), intents());
    assert_eq!((signer.newest(), signer.from()), (intents().last().map(|intent| intent.statement), Height(0)));
}
