//! A block in the form in which it is proposed: header, DAG, and what stands for each transaction.

use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize, io};
use hanse_types::{Dag, Hash, Header, ShapeError, limits, merkle};
use thiserror::Error;

/// A block without its transactions; cheap to copy.
///
/// A transaction is named by its leaf in the block's transaction tree, which covers its signature too, so the list
/// belongs to the header: whoever holds transactions with these leaves holds the block. Header, DAG and leaves fit one
/// another; a value of this type for which that is not so can't be made.
#[derive(Clone, Debug)]
pub struct CompactBlock(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    hash: Hash,
    header: Header,
    dag: Dag,
    transactions: Vec<Hash>,
}

/// Why parts make no block.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CompactBlockError {
    /// The header breaks a rule by itself, or the DAG is another's.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// There are not as many as the header says.
    #[error("the proposal names {found} transactions and has {vertices} vertices, its header says {stated}")]
    Count {
        /// Transactions named.
        found: usize,
        /// Vertices of the DAG.
        vertices: usize,
        /// What the header says.
        stated: u32,
    },
    /// The transactions are another block's.
    #[error("the proposal's transactions have the root {found}, its header says {stated}")]
    TxRoot {
        /// Of the list.
        found: Hash,
        /// In the header.
        stated: Hash,
    },
}

impl CompactBlock {
    /// A block of these parts.
    ///
    /// # Errors
    /// If they don't fit one another, or the header breaks a rule by itself.
    pub fn new(header: Header, dag: Dag, transactions: Vec<Hash>) -> Result<CompactBlock, CompactBlockError> {
        header.check()?;
        let (found, vertices, stated) = (transactions.len(), dag.len(), header.tx_count);
        if found != stated as usize || vertices != found {
            return Err(CompactBlockError::Count { found, vertices, stated });
        }
        let digest = dag.digest(header.crypto);
        if digest != header.dag_digest {
            return Err(ShapeError::DagDigest { found: digest, stated: header.dag_digest }.into());
        }
        let root = merkle::root(header.crypto, &transactions);
        if root != header.tx_root {
            return Err(CompactBlockError::TxRoot { found: root, stated: header.tx_root });
        }
        Ok(CompactBlock(Arc::new(Parts { hash: header.hash(), header, dag, transactions })))
    }

    /// The block's hash.
    pub fn hash(&self) -> Hash {
        self.0.hash
    }

    /// Its header.
    pub fn header(&self) -> &Header {
        &self.0.header
    }

    /// Its DAG.
    pub fn dag(&self) -> &Dag {
        &self.0.dag
    }

    /// The leaves of its transactions, in block order.
    pub fn transactions(&self) -> &[Hash] {
        &self.0.transactions
    }
}

/// By the hash, which covers the rest.
impl PartialEq for CompactBlock {
    fn eq(&self, other: &CompactBlock) -> bool {
        self.hash() == other.hash()
    }
}

impl Eq for CompactBlock {}

impl BorshSerialize for CompactBlock {
    fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        self.0.header.serialize(writer)?;
        self.0.dag.encode().serialize(writer)?;
        self.0.transactions.serialize(writer)
    }
}

impl BorshDeserialize for CompactBlock {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<CompactBlock> {
        let invalid = |error: String| io::Error::new(io::ErrorKind::InvalidData, error);
        let header = Header::deserialize_reader(reader)?;
        let dag = Dag::decode(&Vec::deserialize_reader(reader)?).map_err(|error| invalid(error.to_string()))?;
        let transactions = Vec::deserialize_reader(reader)?;
        CompactBlock::new(header, dag, transactions).map_err(|error| invalid(error.to_string()))
    }
}

/// Most canonical bytes of a compact block.
pub(crate) const BLOCK_BYTES: usize = limits::HEADER_BYTES + limits::DAG_BYTES + 32 * limits::BLOCK_TRANSACTIONS + 16;
