//! Blocks, DAGs and certificates.

use hanse_types::crypto::CryptoSuite;
use hanse_types::dag::DagBuilder;
use hanse_types::{
    Block, Canonical, Certificate, Dag, Epoch, Gas, Header, Height, Round, SignedTransaction, Timestamp, limits,
};

use crate::WireError;
use crate::convert::{Convert, wire_limit, within_canonical_limit};
use crate::elements::List;
use crate::fields::{all, hash, narrow, required, signature};
use crate::generated as wire;
use crate::transaction::SIGNED_LEAST;

impl Convert for Header {
    type Message = wire::Header;
    const WHAT: &'static str = Header::NAME;
    const MAX_BYTES: usize = wire_limit(limits::HEADER_BYTES);

    fn to_message(&self) -> wire::Header {
        wire::Header {
            version: self.crypto.header_version().into(),
            chain_id: self.chain_id.clone(),
            group_id: self.group_id.clone(),
            height: self.height.0,
            parent: self.parent.0.to_vec(),
            timestamp: self.timestamp.0,
            tx_root: self.tx_root.0.to_vec(),
            receipt_root: self.receipt_root.0.to_vec(),
            rw_set_root: self.rw_set_root.0.to_vec(),
            dag_digest: self.dag_digest.0.to_vec(),
            state_root: self.state_root.0.to_vec(),
            validators: self.validators.0.to_vec(),
            next_validators: self.next_validators.0.to_vec(),
            epoch: self.epoch.0,
            round: self.round.0,
            proposer: self.proposer,
            gas_used: self.gas_used.0,
            tx_count: self.tx_count,
            extra: self.extra.clone(),
        }
    }

    fn from_message(message: wire::Header) -> Result<Header, WireError> {
        Ok(Header {
            crypto: suite(message.version)?,
            chain_id: message.chain_id,
            group_id: message.group_id,
            height: Height(message.height),
            parent: hash("Header.parent", &message.parent)?,
            timestamp: Timestamp(message.timestamp),
            tx_root: hash("Header.tx_root", &message.tx_root)?,
            receipt_root: hash("Header.receipt_root", &message.receipt_root)?,
            rw_set_root: hash("Header.rw_set_root", &message.rw_set_root)?,
            dag_digest: hash("Header.dag_digest", &message.dag_digest)?,
            state_root: hash("Header.state_root", &message.state_root)?,
            validators: hash("Header.validators", &message.validators)?,
            next_validators: hash("Header.next_validators", &message.next_validators)?,
            epoch: Epoch(message.epoch),
            round: Round(message.round),
            proposer: message.proposer,
            gas_used: Gas(message.gas_used),
            tx_count: message.tx_count,
            extra: message.extra,
        })
    }

    fn check_size(&self) -> Result<(), WireError> {
        within_canonical_limit(self)
    }
}

/// Headers of each suite have a version of their own.
fn suite(version: u32) -> Result<CryptoSuite, WireError> {
    let known = narrow("Header.version", version).map(CryptoSuite::of_header_version)?;
    known.ok_or(WireError::OutOfRange { field: "Header.version", found: version.into() })
}

impl Convert for Dag {
    type Message = wire::Dag;
    const WHAT: &'static str = "DAG";
    // Three bytes for a predecessor and for a count are enough, where the canonical limit has four.
    const MAX_BYTES: usize = limits::DAG_BYTES;

    fn to_message(&self) -> wire::Dag {
        let rows = || (0..self.len()).map(|vertex| self.predecessors(vertex));
        wire::Dag {
            counts: rows().map(|row| row.len() as u32).collect(),
            predecessors: rows().flatten().copied().collect(),
        }
    }

    fn from_message(message: wire::Dag) -> Result<Dag, WireError> {
        let total: u64 = message.counts.iter().copied().map(u64::from).sum();
        if total != message.predecessors.len() as u64 {
            // The counts must share out the predecessors; a sum that does not fit is as wrong as any other.
            let found = i64::try_from(total).unwrap_or(i64::MAX);
            return Err(WireError::OutOfRange { field: "Dag.counts, added up,", found });
        }
        let mut builder = DagBuilder::with_capacity(message.counts.len(), message.predecessors.len());
        let mut rest = message.predecessors.as_slice();
        for count in message.counts {
            let (row, after) = rest.split_at(count as usize);
            builder.push_row(row)?;
            rest = after;
        }
        Ok(builder.finish())
    }
}

impl Convert for Block {
    type Message = wire::Block;
    const WHAT: &'static str = Block::NAME;
    // What the transactions take more than in canonical bytes, the DAG leaves over.
    const MAX_BYTES: usize = limits::BLOCK_BYTES;
    const LISTS: &'static [List] = &[List { number: 3, field: "Block.transactions", least: SIGNED_LEAST }];

    fn to_message(&self) -> wire::Block {
        wire::Block {
            header: Some(self.header.to_message()),
            dag: Some(self.dag.to_message()),
            transactions: self.transactions.iter().map(Convert::to_message).collect(),
        }
    }

    fn from_message(message: wire::Block) -> Result<Block, WireError> {
        let (found, limit) = (message.transactions.len(), limits::BLOCK_TRANSACTIONS);
        if found > limit {
            return Err(WireError::TooMany { field: "Block.transactions", found, limit });
        }
        Ok(Block {
            header: Header::from_message(required("Block.header", message.header)?)?,
            dag: Dag::from_message(required("Block.dag", message.dag)?)?,
            transactions: all(message.transactions, SignedTransaction::from_message)?,
        })
    }

    fn check_size(&self) -> Result<(), WireError> {
        within_canonical_limit(self)
    }
}

impl Convert for Certificate {
    type Message = wire::Certificate;
    const WHAT: &'static str = Certificate::NAME;
    const MAX_BYTES: usize = wire_limit(limits::CERTIFICATE_BYTES);
    const LISTS: &'static [List] = &[List { number: 5, field: "Certificate.signatures", least: 64 }];

    fn to_message(&self) -> wire::Certificate {
        let signature = |(validator, signature): &(u32, hanse_types::crypto::Signature)| wire::CommitSignature {
            validator: *validator,
            signature: signature.0.to_vec(),
        };
        wire::Certificate {
            height: self.height.0,
            round: self.round.0,
            epoch: self.epoch.0,
            block_hash: self.block_hash.0.to_vec(),
            signatures: self.signatures.iter().map(signature).collect(),
        }
    }

    fn from_message(message: wire::Certificate) -> Result<Certificate, WireError> {
        let entry = |entry: wire::CommitSignature| {
            Ok((entry.validator, signature("CommitSignature.signature", &entry.signature)?))
        };
        Ok(Certificate {
            height: Height(message.height),
            round: Round(message.round),
            epoch: Epoch(message.epoch),
            block_hash: hash("Certificate.block_hash", &message.block_hash)?,
            signatures: all(message.signatures, entry)?,
        })
    }

    fn check_size(&self) -> Result<(), WireError> {
        within_canonical_limit(self)
    }
}
