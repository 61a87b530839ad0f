//! Makes chains of blocks whose content is known, and checks a ledger against them.
#![allow(dead_code, reason = "every test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use hanse_ledger::{
    BlockContent, Commitment, Ledger, LedgerError, LedgerOptions, MemoryStore, NewBlock, Outcome, Store,
};
use hanse_state::commitment;
use hanse_state::{ChangeSet, number};
use hanse_types::crypto::verified::Verifier;
use hanse_types::crypto::{SecretKey, Signer};
use hanse_types::genesis::{ConsensusKind, CryptoSuite, Validator};
use hanse_types::*;

/// A block that a ledger can take.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) header: Header,
    pub(crate) content: Arc<BlockContent>,
    pub(crate) certificate: Certificate,
}

impl Made {
    pub(crate) fn new_block(&self) -> NewBlock<'_> {
        NewBlock {
            header: &self.header,
            content: &self.content,
            certificate: &self.certificate,
            noted: None,
            next_validators: None,
        }
    }
}

/// What a chain should hold: the state after every block, and the blocks.
pub(crate) struct Chain {
    pub(crate) genesis: Genesis,
    pub(crate) genesis_state: ChangeSet,
    pub(crate) states: Vec<BTreeMap<Vec<u8>, Value>>,
    pub(crate) blocks: Vec<Made>,
    verifier: Verifier,
    key: SecretKey,
    nonce: u64,
}

pub(crate) const CONTRACT: Address = Address([7; 20]);

pub(crate) fn options() -> LedgerOptions {
    LedgerOptions {
        block_cache_bytes: 8 << 20,
        write_buffer_bytes: 8 << 20,
        value_cache_bytes: 64 << 10,
        page_cache_bytes: 256 << 10,
        ..LedgerOptions::default()
    }
}

impl Chain {
    pub(crate) fn new(commitment: StateCommitment) -> Chain {
        let genesis = Genesis {
            chain_id: "test".into(),
            group_id: "one".into(),
            timestamp: Timestamp(1_000),
            crypto: CryptoSuite::Standard,
            consensus: ConsensusKind::Solo,
            state_commitment: commitment,
            validators: vec![Validator { name: "v".into(), key: validator().public_key() }],
            administrators: Vec::new(),
            accounts: Vec::new(),
            params: Params { ref_block_window: 10, ..Params::default() },
        };
        let state: BTreeMap<_, _> = (0..50).map(|n| (key(n), number::encode(1_000, 8))).collect();
        let entries = state.iter().map(|(key, value)| (key[..].into(), Some(value.clone()))).collect();
        Chain {
            verifier: Verifier::new(Arc::new(genesis.clone())),
            genesis,
            genesis_state: ChangeSet::from_unsorted(entries),
            states: vec![state],
            blocks: Vec::new(),
            key: SecretKey::ed25519([5; 32]),
            nonce: 0,
        }
    }

    /// Opens a ledger of this chain in a store.
    pub(crate) fn open(&self, store: Arc<dyn Store>) -> Result<Ledger, LedgerError> {
        Ledger::open_store(store, &self.genesis, &self.genesis_state, options())
    }

    /// A ledger in memory with all blocks so far.
    pub(crate) fn in_memory(&self) -> Ledger {
        let ledger = self.open(Arc::new(MemoryStore::default())).unwrap();
        for block in &self.blocks {
            ledger.append(&block.new_block()).unwrap();
        }
        ledger
    }

    pub(crate) fn transaction(&mut self, business_id: &[u8], expiration: Timestamp) -> Verified {
        self.nonce += 1;
        let transaction = Transaction {
            version: Transaction::VERSION,
            chain_id: "test".into(),
            group_id: "one".into(),
            sender: self.key.public_key().address(),
            nonce: self.nonce,
            ref_height: Height(0),
            ref_hash: [0; 8],
            timestamp: Timestamp(900),
            expiration,
            gas_limit: Gas(10),
            business_id: business_id.to_vec(),
            contract: ContractRef::Address(CONTRACT),
            method: "go".into(),
            args: vec![1; (self.nonce % 700) as usize],
        };
        let signature = self.key.sign(&transaction.sign_bytes(&self.genesis.hash())).unwrap();
        self.verifier.verify(SignedTransaction { transaction, public_key: self.key.public_key(), signature }).unwrap()
    }

    /// Makes the next block, with so many transactions, on top of what the ledger holds.
    pub(crate) fn make(&mut self, ledger: &Ledger, count: u32) -> Made {
        let tip = ledger.tip();
        let height = tip.header.height.next();
        let timestamp = tip.header.timestamp.plus_ms(100);
        let mut state = self.states.last().unwrap().clone();
        let before = state.clone();
        let (mut transactions, mut executions, mut rw_sets) = (Vec::new(), Vec::new(), Vec::new());
        for index in 0..count {
            let business_id = if index % 3 == 0 { format!("order-{index}") } else { String::new() };
            let expiration = timestamp.plus_ms(50 + u64::from(index % 5) * 100);
            transactions.push(self.transaction(business_id.as_bytes(), expiration));
            let rw_set = rw_set(height, index);
            apply(&mut state, &rw_set);
            executions.push(execution(index));
            rw_sets.push(rw_set);
        }
        let dag = Dag::from_rows(&vec![Vec::<u32>::new(); count as usize]).unwrap();
        let outcome = Outcome { height, transactions, executions, rw_sets, dag };
        let (nodes, root, kind) = (ledger.nodes(), tip.header.state_root, self.genesis.state_commitment);
        let commitment = Commitment { kind, root, nodes: &*nodes };
        let content = BlockContent::compute(outcome, &commitment, || difference(&before, &state)).unwrap();
        let digests = *content.digests();
        let header = Header {
            height,
            parent: tip.hash,
            timestamp,
            tx_root: digests.tx_root,
            receipt_root: digests.receipt_root,
            rw_set_root: digests.rw_set_root,
            dag_digest: digests.dag_digest,
            state_root: digests.state_root,
            gas_used: digests.gas_used,
            tx_count: digests.tx_count,
            extra: Vec::new(),
            ..(*tip.header).clone()
        };
        let certificate = self.certify(&header);
        let block = Made { header, content: Arc::new(content), certificate };
        self.states.push(state);
        self.blocks.push(block.clone());
        block
    }

    /// What shows that the validator decided the block with this header.
    pub(crate) fn certify(&self, header: &Header) -> Certificate {
        let Header { height, round, epoch, .. } = *header;
        let mut certificate = Certificate { height, round, epoch, block_hash: header.hash(), signatures: Vec::new() };
        let bytes = certificate.sign_bytes(&self.genesis.identity());
        certificate.signatures.push((0, validator().sign(&bytes).unwrap()));
        certificate
    }

    /// Makes and appends blocks with so many transactions each.
    pub(crate) fn grow(&mut self, ledger: &Ledger, counts: &[u32]) {
        for count in counts {
            let block = self.make(ledger, *count);
            ledger.append(&block.new_block()).unwrap();
        }
    }

    /// Checks that the ledger holds exactly this chain up to a height.
    pub(crate) fn check(&self, ledger: &Ledger, height: u64) {
        assert_eq!(ledger.height(), Height(height));
        let state = ledger.state();
        let all: Vec<_> = state.range(&[], &[0xff; 40], usize::MAX, false).unwrap();
        let expected: Vec<_> = self.states[height as usize].clone().into_iter().collect();
        assert_eq!(all, expected);
        let keys: Vec<_> = (0..120).map(key).collect();
        for key in &keys {
            assert_eq!(state.get(key).unwrap(), self.states[height as usize].get(key).cloned());
        }
        let slices: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
        let values: Vec<_> = keys.iter().map(|key| self.states[height as usize].get(key).cloned()).collect();
        assert_eq!(state.multi_get(&slices).unwrap(), values);
        if self.genesis.state_commitment == StateCommitment::Merkle {
            let root = commitment::tree::root_of(
                self.genesis.crypto,
                expected.iter().map(|(key, value)| (&key[..], value.as_slice())),
            );
            assert_eq!(ledger.tip().header.state_root, root);
        }
        for (at, block) in self.blocks.iter().enumerate() {
            self.check_block(ledger, block, (at as u64) < height);
        }
    }

    fn check_block(&self, ledger: &Ledger, block: &Made, exists: bool) {
        let height = block.header.height;
        assert_eq!(ledger.header(height).unwrap(), exists.then(|| block.header.clone()));
        assert_eq!(ledger.header_by_hash(&block.header.hash()).unwrap(), exists.then(|| block.header.clone()));
        assert_eq!(ledger.block_hash(height).unwrap(), exists.then(|| block.header.hash()));
        assert_eq!(ledger.receipts(height).unwrap(), exists.then(|| block.content.receipts().to_vec()));
        assert_eq!(ledger.rw_sets(height).unwrap(), exists.then(|| block.content.rw_sets().to_vec()));
        for (transaction, receipt) in block.content.transactions().iter().zip(block.content.receipts()) {
            let found = ledger.transaction(&transaction.id()).unwrap();
            assert_eq!(found.map(|found| found.signed), exists.then(|| transaction.signed().clone()));
            assert_eq!(ledger.receipt_of(&transaction.id()).unwrap(), exists.then(|| receipt.clone()));
        }
    }
}

fn validator() -> SecretKey {
    SecretKey::ed25519([3; 32])
}

pub(crate) fn key(n: u64) -> Vec<u8> {
    [&CONTRACT.0[..], &[0], &n.to_be_bytes()].concat()
}

/// Writes, removes, and adds to a few keys, differently for every place.
fn rw_set(height: Height, index: u32) -> RwSet {
    let n = height.0 * 31 + u64::from(index) * 7;
    let delta = Delta { amount: i128::from(index) + 1, width: 8, min: 0, max: u128::from(u64::MAX) };
    let value = (!n.is_multiple_of(4)).then(|| Value::new(&n.to_le_bytes().repeat(1 + (n % 9) as usize)));
    RwSet {
        reads: vec![Read { key: key(n % 90), version: Version::Parent, present: true }],
        ranges: Vec::new(),
        writes: vec![Write { key: key(50 + n % 60), value }],
        adds: vec![Add { key: key(n % 50), delta }],
    }
}

fn apply(state: &mut BTreeMap<Vec<u8>, Value>, rw_set: &RwSet) {
    for write in &rw_set.writes {
        match &write.value {
            Some(value) => state.insert(write.key.clone(), value.clone()),
            None => state.remove(&write.key),
        };
    }
    for add in &rw_set.adds {
        let value = number::apply(state.get(&add.key), &add.delta).unwrap();
        state.insert(add.key.clone(), value);
    }
}

fn execution(index: u32) -> Execution {
    let event = |name: &str, topic: &str| ReceiptEvent {
        contract: CONTRACT,
        event: hanse_abi::Event { name: name.into(), topics: vec![topic.as_bytes().to_vec()], data: vec![index as u8] },
    };
    let events = match index % 4 {
        0 => Vec::new(),
        1 => vec![event("moved", "a")],
        _ => vec![event("moved", "b"), event("paid", "a"), event("moved", "a")],
    };
    Execution {
        status: Status::Success,
        gas_used: Gas(1),
        output: vec![2; (index % 300) as usize],
        error_code: 0,
        message: String::new(),
        failed_in: Address([0; 20]),
        events,
    }
}

fn difference(before: &BTreeMap<Vec<u8>, Value>, after: &BTreeMap<Vec<u8>, Value>) -> ChangeSet {
    let changed = after.iter().filter(|(key, value)| before.get(*key) != Some(value));
    let changed = changed.map(|(key, value)| (key[..].into(), Some(value.clone())));
    let removed = before.keys().filter(|key| !after.contains_key(*key)).map(|key| (key[..].into(), None));
    ChangeSet::from_unsorted(changed.chain(removed).collect())
}

/// Names the folder in which a child works, and makes a test a child.
const CHILD: &str = "HANSE_TEST_CHILD";

/// The folder of a child process; none in the test run itself.
pub(crate) fn child_folder() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// When a child is killed: so long after it printed so many lines.
#[derive(Clone, Copy)]
pub(crate) struct Kill {
    pub(crate) lines: usize,
    pub(crate) micros: u64,
}

/// Runs a test of this file as a process of its own in a folder, and kills it like a power cut would. Gives the lines
/// that it had printed.
pub(crate) fn run_and_kill(test: &str, folder: &Path, after: Kill) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture", "--test-threads", "1"])
        .env(CHILD, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let is_own = |line: &String| !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit());
    let mut lines: Vec<String> = output.by_ref().filter(is_own).take(after.lines).collect();
    assert_eq!(lines.len(), after.lines, "the child ended by itself");
    // The moment of the kill is what varies; nothing is waited for.
    std::thread::sleep(Duration::from_micros(after.micros));
    child.kill().unwrap();
    child.wait().unwrap();
    lines.extend(output.filter(is_own));
    lines
}
