//! Values of every type with anything in their fields, whether it makes sense or not, in a fixed order.

use hanse_abi::Event;
use hanse_types::crypto::{PublicKey, Signature};
use hanse_types::genesis::{ConsensusKind, CryptoSuite, GenesisAccount, Validator};
use hanse_types::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

/// Gives the same values on every run, and the smallest value that fails.
pub(crate) fn runner(cases: u32) -> TestRunner {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..48)
}

/// A key of the state is never empty.
fn key() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 1..48)
}

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,12}"
}

fn hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash)
}

fn address() -> impl Strategy<Value = Address> {
    any::<[u8; 20]>().prop_map(Address)
}

fn crypto() -> impl Strategy<Value = CryptoSuite> {
    prop_oneof![Just(CryptoSuite::Standard), Just(CryptoSuite::Guomi)]
}

fn public_key() -> impl Strategy<Value = PublicKey> {
    prop_oneof![
        any::<[u8; 32]>().prop_map(PublicKey::Ed25519),
        (any::<[u8; 32]>(), any::<u8>()).prop_map(|(bytes, last)| {
            let mut key = [last; 33];
            key[..32].copy_from_slice(&bytes);
            PublicKey::Secp256k1(key)
        }),
        (any::<[u8; 32]>(), any::<u8>()).prop_map(|(bytes, last)| {
            let mut key = [last; 33];
            key[..32].copy_from_slice(&bytes);
            PublicKey::Sm2(key)
        }),
    ]
}

fn signature() -> impl Strategy<Value = Signature> {
    any::<[[u8; 32]; 2]>().prop_map(|[r, s]| {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&r);
        bytes[32..].copy_from_slice(&s);
        Signature(bytes)
    })
}

fn contract() -> impl Strategy<Value = ContractRef> {
    prop_oneof![
        address().prop_map(ContractRef::Address),
        (text(), any::<u32>()).prop_map(|(name, version)| ContractRef::Name { name, version }),
    ]
}

pub(crate) fn transaction() -> impl Strategy<Value = Transaction> {
    let origin = (any::<u16>(), text(), text(), address(), any::<u64>());
    let bounds = (any::<u64>(), any::<[u8; 8]>(), any::<u64>(), any::<u64>(), any::<u64>());
    let call = (bytes(), contract(), text(), bytes());
    (origin, bounds, call).prop_map(|(origin, bounds, call)| Transaction {
        version: origin.0,
        chain_id: origin.1,
        group_id: origin.2,
        sender: origin.3,
        nonce: origin.4,
        ref_height: Height(bounds.0),
        ref_hash: bounds.1,
        timestamp: Timestamp(bounds.2),
        expiration: Timestamp(bounds.3),
        gas_limit: Gas(bounds.4),
        business_id: call.0,
        contract: call.1,
        method: call.2,
        args: call.3,
    })
}

pub(crate) fn signed() -> impl Strategy<Value = SignedTransaction> {
    (transaction(), public_key(), signature()).prop_map(|(transaction, public_key, signature)| SignedTransaction {
        transaction,
        public_key,
        signature,
    })
}

fn event() -> impl Strategy<Value = ReceiptEvent> {
    (address(), text(), vec(bytes(), 0..4), bytes())
        .prop_map(|(contract, name, topics, data)| ReceiptEvent { contract, event: Event { name, topics, data } })
}

pub(crate) fn receipt() -> impl Strategy<Value = Receipt> {
    let place = (hash(), any::<u64>(), any::<u32>());
    let end = (proptest::sample::select(&Status::ALL[..]), any::<u64>(), bytes(), any::<u32>(), text(), address());
    (place, end, vec(event(), 0..3), hash()).prop_map(|(place, end, events, rw_set)| Receipt {
        tx_id: TxId(place.0),
        height: Height(place.1),
        index: TxIndex(place.2),
        status: end.0,
        gas_used: Gas(end.1),
        output: end.2,
        error_code: end.3,
        message: end.4,
        failed_in: end.5,
        events,
        rw_set,
    })
}

fn read() -> impl Strategy<Value = Read> {
    let version = prop_oneof![Just(Version::Parent), any::<u32>().prop_map(|index| Version::Tx(TxIndex(index)))];
    (key(), version, any::<bool>()).prop_map(|(key, version, present)| Read { key, version, present })
}

fn write() -> impl Strategy<Value = Write> {
    let value = proptest::option::of(bytes().prop_map(Value::from));
    (key(), value).prop_map(|(key, value)| Write { key, value })
}

fn add() -> impl Strategy<Value = Add> {
    let delta = (any::<i128>(), any::<u8>(), any::<u128>(), any::<u128>());
    let delta = delta.prop_map(|(amount, width, min, max)| Delta { amount, width, min, max });
    (key(), delta).prop_map(|(key, delta)| Add { key, delta })
}

pub(crate) fn rw_set() -> impl Strategy<Value = RwSet> {
    let range = (key(), key()).prop_map(|(start, end)| RangeRead { start, end });
    (vec(read(), 0..4), vec(range, 0..3), vec(write(), 0..4), vec(add(), 0..3))
        .prop_map(|(reads, ranges, writes, adds)| RwSet { reads, ranges, writes, adds })
}

pub(crate) fn outcomes() -> impl Strategy<Value = Outcomes> {
    (crypto(), vec((receipt(), rw_set()), 0..3)).prop_map(|(crypto, parts)| {
        let fitting = parts.into_iter().map(|(receipt, set)| (Receipt { rw_set: set.digest(crypto), ..receipt }, set));
        let (receipts, rw_sets) = fitting.unzip();
        Outcomes::new(crypto, receipts, rw_sets).unwrap()
    })
}

pub(crate) fn dag() -> impl Strategy<Value = Dag> {
    vec(vec(any::<u32>(), 0..4), 0..12).prop_map(|mut rows| {
        for (vertex, row) in rows.iter_mut().enumerate() {
            row.iter_mut().for_each(|predecessor| *predecessor %= vertex.max(1) as u32);
            row.sort_unstable();
            row.dedup();
            row.retain(|predecessor| (*predecessor as usize) < vertex);
        }
        Dag::from_rows(&rows).unwrap()
    })
}

pub(crate) fn header() -> impl Strategy<Value = Header> {
    let place = (crypto(), text(), text(), any::<u64>(), any::<u64>());
    let decided = (any::<u64>(), any::<u32>(), any::<u32>(), any::<u64>(), any::<u32>(), bytes());
    (place, vec(hash(), 8), decided).prop_map(|(place, hashes, decided)| Header {
        crypto: place.0,
        chain_id: place.1,
        group_id: place.2,
        height: Height(place.3),
        timestamp: Timestamp(place.4),
        parent: hashes[0],
        tx_root: hashes[1],
        receipt_root: hashes[2],
        rw_set_root: hashes[3],
        dag_digest: hashes[4],
        state_root: hashes[5],
        validators: hashes[6],
        next_validators: hashes[7],
        epoch: Epoch(decided.0),
        round: Round(decided.1),
        proposer: decided.2,
        gas_used: Gas(decided.3),
        tx_count: decided.4,
        extra: decided.5,
    })
}

pub(crate) fn block() -> impl Strategy<Value = Block> {
    (header(), dag(), vec(signed(), 0..4)).prop_map(|(header, dag, transactions)| Block { header, dag, transactions })
}

pub(crate) fn certificate() -> impl Strategy<Value = Certificate> {
    let subject = (any::<u64>(), any::<u32>(), any::<u64>(), hash());
    (subject, vec((any::<u32>(), signature()), 0..4)).prop_map(|(subject, signatures)| Certificate {
        height: Height(subject.0),
        round: Round(subject.1),
        epoch: Epoch(subject.2),
        block_hash: subject.3,
        signatures,
    })
}

fn params() -> impl Strategy<Value = Params> {
    let block = (any::<u32>(), any::<u64>(), any::<u64>());
    let transaction = (any::<u64>(), any::<u64>(), any::<u64>());
    let machine = (any::<u32>(), any::<bool>(), any::<u32>(), any::<bool>());
    (block, transaction, machine).prop_map(|(block, transaction, machine)| Params {
        block_tx_count_max: block.0,
        block_bytes_max: block.1,
        block_interval_ms: block.2,
        tx_gas_max: Gas(transaction.0),
        tx_lifetime_ms_max: transaction.1,
        ref_block_window: transaction.2,
        memory_pages_max: machine.0,
        floats_allowed: machine.1,
        gas_schedule: machine.2,
        open_deployment: machine.3,
    })
}

pub(crate) fn genesis() -> impl Strategy<Value = Genesis> {
    let commitment = prop_oneof![Just(StateCommitment::Flat), Just(StateCommitment::Merkle)];
    let validator = (text(), public_key()).prop_map(|(name, key)| Validator { name, key });
    let account = (address(), any::<u128>()).prop_map(|(address, balance)| GenesisAccount { address, balance });
    let place = (text(), text(), any::<u64>(), commitment);
    let people = (vec(validator, 0..3), vec(address(), 0..3), vec(account, 0..3));
    (crypto(), place, people, params()).prop_map(|(crypto, place, people, params)| Genesis {
        chain_id: place.0,
        group_id: place.1,
        timestamp: Timestamp(place.2),
        crypto,
        consensus: ConsensusKind::Solo,
        state_commitment: place.3,
        validators: people.0,
        administrators: people.1,
        accounts: people.2,
        params,
    })
}
