//! A chain of small blocks, with their outcomes, that four validators have decided; others take over in the middle of it.

use std::sync::Arc;

use hanse_replica::sync::{BlockSync, DecidedBlock, SyncLimits};
use hanse_types::crypto::verified::Verifier;
use hanse_types::crypto::{CryptoSuite, SecretKey, Signer};
use hanse_types::genesis::Validator;
use hanse_types::hash::Domain;
use hanse_types::{
    Address, Block, Canonical, Certificate, ChainIdentity, Dag, Epoch, Gas, Hash, Header, Height, Outcomes, Params,
    Receipt, Round, RwSet, SignedTransaction, Status, TxIndex, ValidatorSet, Value, Verified, Write, merkle,
};

use super::Kind;
use crate::support::{World, at, block_hash};

/// Validators of each set.
const VALIDATORS: u8 = 4;

pub(crate) struct Chain {
    world: World,
    blocks: Vec<DecidedBlock>,
    outcomes: Vec<Outcomes>,
    /// Whether whoever fetches them asks for the outcomes too.
    by_outcomes: bool,
    /// The height that names the second set.
    handover: u64,
}

fn key(set: u8, n: u8) -> SecretKey {
    SecretKey::ed25519([100 + 10 * set + n; 32])
}

fn set(set: u8) -> ValidatorSet {
    let validator = |n| Validator { name: format!("v{set}{n}"), key: key(set, n).public_key() };
    ValidatorSet::new((0..VALIDATORS).map(validator).collect()).unwrap()
}

impl Chain {
    pub(crate) fn new(length: u64) -> Chain {
        let (world, handover) = (World::new(Params::default()), length / 2);
        let mut chain = Chain { world, blocks: Vec::new(), outcomes: Vec::new(), by_outcomes: false, handover };
        for height in 1..=length {
            let epoch = u8::from(height > chain.handover);
            let transactions = vec![chain.world.call(height as usize % 8, height, 200_000)];
            let transactions = transactions.into_iter().map(|tx| chain.world.sign(tx)).collect();
            let parent = chain.hash(Height(height - 1));
            let (block, outcomes) = chain.block(height, parent, transactions);
            chain.blocks.push(decide(&chain.world, epoch, block));
            chain.outcomes.push(outcomes);
        }
        chain
    }

    /// The same, fetched with its outcomes.
    pub(crate) fn by_outcomes(self) -> Chain {
        Chain { by_outcomes: true, ..self }
    }

    fn block(&self, height: u64, parent: Hash, transactions: Vec<SignedTransaction>) -> (Block, Outcomes) {
        let verified: Vec<Verified> = transactions.iter().map(|tx| self.world.verify(tx.clone())).collect();
        let dag = Dag::from_rows(&vec![[]; transactions.len()]).unwrap();
        let epoch = u8::from(height > self.handover);
        let outcomes = outcomes(Height(height), &verified, height as u8);
        let header = Header {
            crypto: CryptoSuite::Standard,
            chain_id: "chain".into(),
            group_id: "group".into(),
            height: Height(height),
            parent,
            timestamp: at(height),
            tx_root: merkle::root(CryptoSuite::Standard, &Verified::leaves(&verified)),
            receipt_root: outcomes.receipt_root(),
            rw_set_root: outcomes.rw_set_root(),
            dag_digest: dag.digest(CryptoSuite::Standard),
            state_root: Hash::of(Domain::Header, parent.as_bytes()),
            validators: set(epoch).hash(CryptoSuite::Standard),
            next_validators: set(u8::from(height >= self.handover)).hash(CryptoSuite::Standard),
            epoch: Epoch(u64::from(epoch)),
            round: Round(0),
            proposer: 0,
            gas_used: Gas(1),
            tx_count: transactions.len() as u32,
            extra: Vec::new(),
        };
        (Block { header, dag, transactions }, outcomes)
    }

    pub(crate) fn identity(&self) -> ChainIdentity {
        self.world.genesis.identity()
    }

    pub(crate) fn height(&self) -> Height {
        Height(self.blocks.len() as u64)
    }

    pub(crate) fn hash(&self, height: Height) -> Hash {
        match height.0.checked_sub(1) {
            Some(at) => self.blocks[at as usize].block.header.hash(),
            None => block_hash(Height(0)),
        }
    }

    /// Who decides the next block, if it is others.
    pub(crate) fn next_validators(&self, height: Height) -> Option<Arc<ValidatorSet>> {
        (height.0 == self.handover).then(|| Arc::new(set(1)))
    }

    /// A node that has the blocks up to a height.
    pub(crate) fn begin(&self, limits: SyncLimits, height: Height) -> BlockSync {
        let epoch = u8::from(height.0 >= self.handover);
        let sync = BlockSync::new(limits, (height, self.hash(height)), Arc::new(set(epoch)), Epoch(u64::from(epoch)));
        if self.by_outcomes { sync.by_outcomes() } else { sync }
    }

    /// Whether a block may be applied: it is not one of the newest.
    pub(crate) fn is_applicable(&self, height: Height, limits: &SyncLimits) -> bool {
        self.by_outcomes && height.0 + limits.replayed <= self.height().0
    }

    pub(crate) fn outcomes_of(&self, height: Height) -> &Outcomes {
        &self.outcomes[height.0 as usize - 1]
    }

    /// So many blocks as they are sent, as far as there are.
    pub(crate) fn blocks(&self, from: Height, count: u64) -> Vec<Vec<u8>> {
        self.blocks.iter().skip(from.0 as usize - 1).take(count as usize).map(Canonical::encode).collect()
    }

    /// The outcomes of so many blocks as they are sent, as far as there are.
    pub(crate) fn outcomes(&self, from: Height, count: u64) -> Vec<Vec<u8>> {
        self.outcomes.iter().skip(from.0 as usize - 1).take(count as usize).map(Canonical::encode).collect()
    }

    /// Outcomes of a block with a lie in them.
    pub(crate) fn tampered_outcomes(&self, height: u64, lie: Kind) -> Vec<u8> {
        let (receipts, rw_sets) = self.outcomes[height as usize - 1].clone().into_parts();
        let other = &self.outcomes[(height as usize) % self.outcomes.len()];
        match lie {
            Kind::OtherOutcomes => other.encode(),
            // It fits its receipt, as an honest node's would.
            Kind::OtherWrite => {
                let block = &self.blocks[height as usize - 1].block;
                let verified: Vec<Verified> =
                    block.transactions.iter().map(|tx| self.world.verify(tx.clone())).collect();
                outcomes(Height(height), &verified, (height as u8).wrapping_add(1)).encode()
            }
            // The receipts are the block's, the access sets are not.
            Kind::OtherSets => Outcomes::encode_parts(CryptoSuite::Standard, &receipts, other.rw_sets()),
            Kind::FewerOutcomes => Outcomes::encode_parts(CryptoSuite::Standard, &receipts[1..], &rw_sets[1..]),
            Kind::GarbageOutcomes => vec![7; 100],
            other => panic!("{other:?} does not tamper with outcomes"),
        }
    }

    pub(crate) fn verifier(&self) -> &Verifier {
        self.world.verifier()
    }

    /// A block with a lie in it.
    pub(crate) fn tampered(&self, height: u64, lie: Kind) -> Vec<u8> {
        let mut decided = self.blocks[height as usize - 1].clone();
        let other = &self.blocks[(height as usize) % self.blocks.len()];
        match lie {
            Kind::BadCertificate => decided.certificate.signatures[1].1.0[7] ^= 1,
            Kind::OtherContent => decided.block.transactions.clone_from(&other.block.transactions),
            Kind::BadTransaction => decided.block.transactions[0].signature.0[7] ^= 1,
            Kind::OwnValidators => {
                let mut block = decided.block;
                block.header.validators = set(2).hash(CryptoSuite::Standard);
                decided = decide(&self.world, 2, block);
            }
            other => panic!("{other:?} does not tamper"),
        }
        decided.encode()
    }
}

/// What came of these transactions: each wrote a byte.
fn outcomes(height: Height, transactions: &[Verified], byte: u8) -> Outcomes {
    let write = |index: u32| Write { key: vec![index as u8], value: Some(Value::new(&[byte])) };
    let rw_set = |index| RwSet { writes: vec![write(index)], ..RwSet::default() };
    let rw_sets: Vec<RwSet> = (0..transactions.len() as u32).map(rw_set).collect();
    let receipt = |(index, transaction): (u32, &Verified)| Receipt {
        tx_id: transaction.id(),
        height,
        index: TxIndex(index),
        status: Status::Success,
        gas_used: Gas(1),
        output: Vec::new(),
        error_code: 0,
        message: String::new(),
        failed_in: Address::ZERO,
        events: Vec::new(),
        rw_set: rw_sets[index as usize].digest(CryptoSuite::Standard),
    };
    Outcomes::new(CryptoSuite::Standard, (0..).zip(transactions).map(receipt).collect(), rw_sets.clone()).unwrap()
}

fn decide(world: &World, by: u8, block: Block) -> DecidedBlock {
    let Header { height, round, epoch, .. } = block.header;
    let mut certificate = Certificate { height, round, epoch, block_hash: block.header.hash(), signatures: Vec::new() };
    let bytes = certificate.sign_bytes(&world.genesis.identity());
    certificate.signatures = (0..3).map(|n| (u32::from(n), key(by, n).sign(&bytes).unwrap())).collect();
    DecidedBlock { certificate, block }
}
