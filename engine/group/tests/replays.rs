//! More than a hundred thousand attempts to have payments of a running group executed a second time: by somebody who has
//! their bytes, and by somebody who has the keys too. Attempts are made in every stage of a payment's life, over restarts
//! and pruning, in other bytes, in other groups, and at its expiration to the millisecond. What counts at the end is the
//! chain: every payment is in it once, nothing else is, and the balances are those of one execution.
//!
//! The block interval is an hour, so a block comes when the test moves the group's clock ahead. A restart sets the clock
//! back, for it is the machine's again.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/disguise.rs"]
mod disguise;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::*;
use disguise::{for_group, other_bytes, signed_again};
use hanse_group::{Durability, Group, GroupConfig, LEDGER_FOLDER, SubmitError};
use hanse_ledger::{Ledger, LedgerOptions};
use hanse_txpool::Refusal;
use hanse_types::crypto::{PublicKey, SecretKey, Signer};
use hanse_types::genesis::{Genesis, GenesisAccount};
use hanse_types::{
    Address, Canonical, Height, Params, SignedTransaction, StateCommitment, Status, Timestamp, Transaction, TxId,
    TxIndex,
};
use tempfile::TempDir;

/// Attempts that there are at least.
const ATTEMPTS: u64 = 100_000;
const ROUNDS: usize = 8;
/// Payments of one round, which are a block.
const BATCH: usize = 500;
const PAYERS: usize = 10;
const HOUR_MS: u64 = 60 * 60 * 1_000;
/// Transactions of one submission: always fewer than the group lets in.
const AT_ONCE: usize = 200;
/// Blocks whose times pass the expirations.
const LATE_BLOCKS: u64 = 10;
/// How often the running clock has to be caught exactly at an expiration, and just before and after one.
const CAUGHT: u64 = 50;

/// Half of them sign with one algorithm, half with the other.
fn secret(payer: usize) -> ([u8; 32], SecretKey) {
    let seed = [1 + payer as u8; 32];
    let key = if payer.is_multiple_of(2) { SecretKey::ed25519(seed) } else { SecretKey::secp256k1(seed).unwrap() };
    (seed, key)
}

fn payees() -> impl Iterator<Item = Address> {
    (101..=107).map(address)
}

fn genesis_of(group: &str, timestamp: u64) -> Genesis {
    let payers = (0..PAYERS).map(|payer| secret(payer).1.public_key().address());
    let accounts = payers.chain(payees()).map(|address| GenesisAccount { address, balance: RICHES });
    Genesis {
        group_id: group.into(),
        timestamp: Timestamp(timestamp),
        accounts: accounts.collect(),
        params: Params { block_interval_ms: HOUR_MS, tx_lifetime_ms_max: 24 * HOUR_MS, ..Params::default() },
        ..genesis(StateCommitment::Merkle)
    }
}

/// On a ledger that is opened first: the group itself would refuse so long an interval.
async fn open_in(folder: &Path, genesis: Genesis) -> Group {
    let initial = hanse_vm::system::genesis_state(&genesis);
    let ledger = Ledger::open(&folder.join(LEDGER_FOLDER), &genesis, &initial, LedgerOptions::default()).unwrap();
    let config = GroupConfig { threads: 2, ..patient(genesis, folder.to_owned()) };
    Group::open_on(ledger, config, Arc::new(validator())).await.unwrap()
}

/// The attempts of each kind by their answers, and what was answered otherwise than it must be.
#[derive(Default)]
struct Attempts {
    answers: BTreeMap<(&'static str, &'static str), u64>,
    surprises: Vec<String>,
}

impl Attempts {
    fn count(&mut self, kind: &'static str, answer: &'static str, expected: &[&str]) {
        *self.answers.entry((kind, answer)).or_default() += 1;
        if !expected.contains(&answer) {
            self.surprises.push(format!("{kind}: {answer}, not one of {expected:?}"));
        }
    }

    fn of(&self, kind: &str) -> u64 {
        self.answers.iter().filter(|((of, _), _)| *of == kind).map(|(_, count)| count).sum()
    }

    fn total(&self) -> u64 {
        self.answers.values().sum()
    }
}

fn code(answer: &Result<TxId, SubmitError>) -> &'static str {
    answer.as_ref().map_or_else(SubmitError::code, |_| "accepted")
}

/// Sends transactions until the group has judged each: one that it turned away for having too much to do was not tried.
async fn judged(group: &Group, sent: &[SignedTransaction]) -> Vec<Result<TxId, SubmitError>> {
    let mut answers = Vec::with_capacity(sent.len());
    let deadline = Instant::now() + PATIENCE;
    while answers.len() < sent.len() {
        assert!(Instant::now() < deadline, "the group turns everything away");
        let next = sent[answers.len()..].iter().take(AT_ONCE).cloned().collect();
        let turned_away = |answer: &Result<_, SubmitError>| {
            matches!(answer, Err(SubmitError::Busy | SubmitError::Refused(Refusal::PoolFull { .. })))
        };
        let answered = group.submit_many(next, Durability::Memory).await;
        answers.extend(answered.into_iter().take_while(|answer| !turned_away(answer)));
    }
    answers
}

struct Attack {
    folder: TempDir,
    /// None while it is started anew.
    group: Option<Group>,
    /// Of the same chain, with another id.
    other: Group,
    /// Another chain of the same ids.
    twin: Group,
    attempts: Attempts,
    /// What is to be executed once, in the order of expiration: each a millisecond after the one before.
    payments: Vec<SignedTransaction>,
    /// When the first of them expires.
    expires: Timestamp,
    /// Payments by which blocks are made when those have expired.
    late: Vec<SignedTransaction>,
}

impl Attack {
    async fn begin() -> Attack {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        Attack {
            group: Some(open_in(&place("group"), genesis_of("group", 1_000)).await),
            other: open_in(&place("other"), genesis_of("other", 1_000)).await,
            twin: open_in(&place("twin"), genesis_of("group", 1_001)).await,
            folder,
            attempts: Attempts::default(),
            payments: Vec::new(),
            expires: now().plus_ms(2 * HOUR_MS),
            late: Vec::new(),
        }
    }

    fn group(&self) -> &Group {
        self.group.as_ref().unwrap()
    }

    async fn restart(&mut self) {
        assert!(self.group.take().unwrap().close(PATIENCE).await);
        self.group = Some(open_in(&self.folder.path().join("group"), genesis_of("group", 1_000)).await);
    }

    /// What the group's clock says, to a millisecond or two.
    fn clock(&self) -> Timestamp {
        now().plus_ms(self.group().clock_ahead_ms())
    }

    async fn move_clock_to(&self, time: Timestamp) {
        self.group().advance_clock(Duration::from_millis(time.since_ms(self.clock()))).await;
    }

    fn payment(&self, nonce: usize, expiration: Timestamp) -> SignedTransaction {
        let (payer, payee) = (nonce % PAYERS, payees().nth(nonce % 7).unwrap());
        let args = borsh::to_vec(&(payee, 1 + (nonce % 13) as u128)).unwrap();
        let unsigned = call(self.group(), 1, nonce as u64, Address::native(1), "transfer", args);
        let (_, key) = secret(payer);
        let transaction = Transaction { sender: key.public_key().address(), expiration, ..unsigned };
        let signature = key.sign(&transaction.sign_bytes(&self.group().genesis_hash())).unwrap();
        SignedTransaction { transaction, public_key: key.public_key(), signature }
    }

    async fn replay(&mut self, kind: &'static str, sent: &[SignedTransaction], expected: &[&str]) {
        for answer in judged(self.group(), sent).await {
            self.attempts.count(kind, code(&answer), expected);
        }
    }

    async fn replay_all(&mut self, kind: &'static str, expected: &str) {
        let all = std::mem::take(&mut self.payments);
        self.replay(kind, &all, &[expected]).await;
        self.payments = all;
    }

    /// As they are, in other bytes, with another signature and in other groups, while a copy of each is `known`.
    async fn replay_in_every_way(&mut self, kind: &'static str, sent: &[SignedTransaction], known: &str) {
        self.replay(kind, sent, &[known]).await;
        self.replay_other_bytes(&sent[..BATCH / 2]).await;
        let again: Vec<_> = sent.iter().enumerate().filter_map(|(n, signed)| self.sign_again(signed, n)).collect();
        assert_eq!(again.len(), sent.len() / 2);
        self.replay("with another good signature", &again, &[known]).await;
        let renamed: Vec<_> = sent.iter().map(|signed| for_group(signed, "other")).collect();
        self.replay("in another group's name", &renamed, &["invalid_transaction"]).await;
        for (group, sent) in [(&self.other, sent), (&self.other, &renamed[..]), (&self.twin, sent)] {
            for answer in judged(group, sent).await {
                self.attempts.count("to another group", code(&answer), &["invalid_transaction"]);
            }
        }
    }

    async fn replay_other_bytes(&mut self, sent: &[SignedTransaction]) {
        let kind = "in other bytes";
        let others = sent.iter().enumerate().flat_map(|(n, signed)| other_bytes(signed, n));
        let (mut decoded, before) = (Vec::new(), self.attempts.of(kind));
        for bytes in others {
            match SignedTransaction::decode(&bytes) {
                Ok(signed) => decoded.push(signed),
                Err(_) => self.attempts.count(kind, "malformed", &["malformed"]),
            }
        }
        assert!(self.attempts.of(kind) > before && !decoded.is_empty());
        self.replay(kind, &decoded, &["invalid_transaction"]).await;
    }

    fn sign_again(&self, signed: &SignedTransaction, noise: usize) -> Option<SignedTransaction> {
        let payer = (0..PAYERS).find(|payer| secret(*payer).1.public_key() == signed.public_key).unwrap();
        let bytes = signed.transaction.sign_bytes(&self.group().genesis_hash());
        let again = || signed_again(signed, &bytes, secret(payer).0, [noise as u8; 32]);
        matches!(signed.public_key, PublicKey::Secp256k1(_)).then(again)
    }

    /// Has a block of payments made, and tries them in every stage.
    async fn round(&mut self, round: usize) {
        let numbers = round * BATCH..(round + 1) * BATCH;
        let new: Vec<_> = numbers.map(|n| self.payment(n, self.expires.plus_ms(n as u64))).collect();
        let answers = self.group().submit_many([&new[..], &new[..]].concat(), Durability::Disk).await;
        assert!(answers[..BATCH].iter().all(Result::is_ok));
        for answer in &answers[BATCH..] {
            self.attempts.count("in the same submission", code(answer), &["already_in_pool"]);
        }
        self.payments.extend(new.iter().cloned());
        self.replay_in_every_way("while it waits", &new, "already_in_pool").await;
        if round % 2 == 1 {
            self.restart().await;
            self.replay("while it waits, after a restart", &new, &["already_in_pool"]).await;
        }
        self.commit(&new).await;
        self.replay_in_every_way("after the commit", &new, "already_committed").await;
        if round >= ROUNDS / 2 {
            self.prune();
            self.replay_all("after pruning", "already_committed").await;
        }
        self.restart().await;
        self.replay_all("after a restart", "already_committed").await;
    }

    /// Has what waits committed, and tries it meanwhile.
    async fn commit(&mut self, new: &[SignedTransaction]) {
        let before = height(self.group());
        self.group().advance_clock(Duration::from_millis(HOUR_MS)).await;
        for part in new.chunks(50).cycle() {
            self.replay("while its block is made", part, &["already_in_pool", "already_committed"]).await;
            if height(self.group()) > before {
                break;
            }
        }
        for signed in new {
            let receipt = self.group().wait(signed.id(&self.group().genesis_hash()), PATIENCE).await.unwrap();
            assert_eq!((receipt.status, receipt.height), (Status::Success, before.next()), "{}", receipt.message);
        }
    }

    fn prune(&self) {
        let ledger = self.group().ledger();
        assert_eq!(ledger.prune_history(ledger.height()).unwrap(), ledger.height());
        assert!(ledger.rw_set(Height(1), TxIndex(0)).is_err() && ledger.state_at(Height(1)).is_err());
    }

    /// Tries those that expire about now while the clock passes their expirations.
    async fn follow_the_clock(&mut self) {
        self.move_clock_to(Timestamp(self.expires.0 - 20)).await;
        loop {
            let first = self.clock().since_ms(self.expires.plus_ms(3)) as usize;
            let Some(rest) = self.payments.get(first..).filter(|rest| !rest.is_empty()) else { return };
            let near: Vec<_> = rest.iter().take(30).cloned().collect();
            let answers = judged(self.group(), &near).await;
            let time = answers.iter().find_map(|answer| match answer {
                Err(SubmitError::Refused(Refusal::Expired { block_time, .. })) => Some(*block_time),
                _ => None,
            });
            // If none has expired, all of them are before it.
            self.count_around_expiration(&near, &answers, time.unwrap_or(Timestamp(self.expires.0 - 1_000)));
        }
    }

    /// Counts answers that were given when the next block could be of this time at the earliest.
    fn count_around_expiration(
        &mut self,
        sent: &[SignedTransaction],
        answers: &[Result<TxId, SubmitError>],
        next: Timestamp,
    ) {
        for (signed, answer) in sent.iter().zip(answers) {
            let expiration = signed.transaction.expiration;
            let (early, late) = (expiration.since_ms(next), next.since_ms(expiration));
            let (kind, expected) = match (early, late) {
                (0, 0) => ("when it expires", "expired"),
                (1, 0) => ("1 ms before it expires", "already_committed"),
                (0, 1) => ("1 ms after it expires", "expired"),
                (_, 0) => ("before it expires", "already_committed"),
                _ => ("after it has expired", "expired"),
            };
            self.attempts.count(kind, code(answer), &[expected]);
        }
    }

    /// Makes blocks whose times pass the expirations, and tries all payments at each with a clock that was set back: then
    /// the newest block's time alone says what has expired.
    async fn follow_the_blocks(&mut self) {
        let step = self.payments.len() as u64 / (LATE_BLOCKS - 2);
        for n in 1..=LATE_BLOCKS {
            let late = self.payment(self.payments.len() + n as usize, self.expires.plus_ms(HOUR_MS));
            let id = self.group().submit(late.clone(), Durability::Disk).await.unwrap();
            self.late.push(late);
            self.move_clock_to(self.expires.plus_ms(n * step)).await;
            self.group().wait(id, PATIENCE).await.unwrap();
            self.restart().await;
            let next = self.group().ledger().tip().header.timestamp.plus_ms(1);
            let answers = judged(self.group(), &self.payments).await;
            self.count_around_expiration(&self.payments.clone(), &answers, next);
        }
        assert!(self.group().ledger().tip().header.timestamp > self.payments.last().unwrap().transaction.expiration);
    }

    /// How often something was executed a second time, by all blocks of all groups.
    fn executed_twice(&self) -> usize {
        assert_eq!((height(&self.other), height(&self.twin)), (Height(0), Height(0)));
        let ledger = self.group().ledger();
        ledger.verify_blocks().unwrap();
        let ours = self.payments.iter().chain(&self.late);
        let genesis = self.group().genesis_hash();
        let mut times: HashMap<TxId, usize> = ours.map(|signed| (signed.id(&genesis), 0)).collect();
        let blocks = (1..=ledger.height().0).map(|height| ledger.block(Height(height)).unwrap().unwrap());
        for signed in blocks.flat_map(|block| block.transactions) {
            *times.get_mut(&signed.id(&genesis)).expect("only what was meant is in the chain") += 1;
        }
        assert!(times.values().all(|times| *times > 0), "a payment is not in the chain");
        times.values().map(|times| times - 1).sum()
    }

    /// Balances are those of one execution of each payment.
    async fn check_balances(&self) {
        let founding = &self.group().genesis().accounts;
        let mut expected: BTreeMap<Address, u128> =
            founding.iter().map(|account| (account.address, account.balance)).collect();
        for signed in self.payments.iter().chain(&self.late) {
            let (to, amount): (Address, u128) = borsh::from_slice(&signed.transaction.args).unwrap();
            *expected.get_mut(&signed.transaction.sender).unwrap() -= amount;
            *expected.get_mut(&to).unwrap() += amount;
        }
        for (account, expected) in expected {
            assert_eq!(balance_of(self.group(), account).await, expected, "{account}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_replays_execute_nothing_twice() {
    let mut attack = Attack::begin().await;
    for round in 0..ROUNDS {
        attack.round(round).await;
    }
    let exact = ["1 ms before it expires", "when it expires", "1 ms after it expires"];
    let mut passes = 0;
    while exact.iter().any(|kind| attack.attempts.of(kind) < CAUGHT) {
        passes += 1;
        assert!(passes < 100, "the clock was not caught at enough expirations");
        attack.follow_the_clock().await;
        attack.restart().await;
    }
    attack.follow_the_blocks().await;
    for ((kind, answer), count) in &attack.attempts.answers {
        println!("{count:>8}  {kind}: {answer}");
    }
    let (replays, executed_twice) = (attack.attempts.total(), attack.executed_twice());
    println!("replays: {replays}, executed twice: {executed_twice}");
    assert_eq!(executed_twice, 0);
    attack.check_balances().await;
    let surprises = &attack.attempts.surprises;
    assert!(surprises.is_empty(), "{} answers, of which the first: {:?}", surprises.len(), surprises.first());
    assert!(replays >= ATTEMPTS);
    for group in [attack.group.unwrap(), attack.other, attack.twin] {
        group.stop().await;
    }
}
