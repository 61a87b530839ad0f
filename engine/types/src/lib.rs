//! What a block is: values, canonical bytes, hashes, sign-bytes, limits.
//!
//! Everything that nodes must agree on bit by bit is defined here: transactions, receipts, access sets, the block DAG,
//! headers and blocks, certificates, the genesis. Each value has one canonical encoding ([`encoding`]), which is
//! hashed and signed; protobuf (crate `hanse-proto`) only carries it.
//!
//! It does no I/O, reads no clock and draws no random numbers (key generation takes entropy as an argument).
//!
//! Start reading at [`transaction`], then [`rw_set`], [`dag`], [`block`].

pub mod block;
pub mod crypto;
pub mod dag;
pub mod encoding;
pub mod founding;
pub mod genesis;
pub mod hash;
pub mod limits;
pub mod members;
pub mod merkle;
pub mod names;
pub mod outcomes;
pub mod portable;
pub mod receipt;
pub mod rw_set;
pub mod sign_bytes;
#[cfg(test)]
mod test_values;
pub mod transaction;
pub mod units;
pub mod validator_set;
pub mod value;
pub mod vote;

pub use hanse_abi::{Address, Status};

pub use block::{Block, Header, ShapeError};
pub use crypto::Verified;
pub use dag::{Dag, DagError};
pub use encoding::{Canonical, DecodeError};
pub use founding::{Founding, FoundingError};
pub use genesis::{ChainIdentity, Genesis, GenesisError, Params, ParamsError, StateCommitment};
pub use hash::Hash;
pub use members::{Member, Members, Role};
pub use outcomes::{Outcomes, OutcomesError};
pub use receipt::{Execution, Receipt, ReceiptEvent};
pub use rw_set::{Add, Delta, RangeRead, Read, RwSet, Version, Write};
pub use transaction::{ContractRef, SignedTransaction, Transaction, TransactionError, TxId};
pub use units::{Epoch, Gas, Height, Round, Timestamp, TxIndex};
pub use validator_set::ValidatorSet;
pub use value::Value;
pub use vote::{Certificate, CertificateError};
