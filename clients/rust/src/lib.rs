//! What an application links to talk to a node, and what the node's server shares with it.
//!
//! - [`methods`] is the list of RPC methods with their parameters and answers; the server dispatches by it and
//!   [`Client`] calls by it, so the two can't drift apart. [`views`] are the values in it.
//! - [`openrpc`] describes all of that to other languages' tools, made of the same types and tables.
//! - [`codes`] is the one table of error codes, for server, client, command line and docs.
//! - [`Client`] is the connection to a node: it reads ([`provider`]), and sends what was signed ([`submit`]). [`Account`]
//!   signs. [`ContractHandle`] makes calls by the contract's ABI and understands what comes back.
//! - [`stream`] follows events and blocks as they come, through reconnects, each once.
//! - [`proof`] checks a node's proofs of transactions, receipts, access sets and state, from nothing but the genesis.
//!
//! It promises that an error of a submission means that the transaction is not executed: where that is not known, it says
//! [`OutcomeUnknown`]. It trusts the node it asks with everything but what [`Client::proven_state`] and its kin give. It
//! keeps no keys: whoever signs passes a [`Signer`](hanse_types::crypto::Signer). It does not know how a node works inside.
//!
//! ```no_run
//! # async fn example(key: hanse_types::crypto::SecretKey) -> Result<(), Box<dyn std::error::Error>> {
//! use hanse_client::{Client, Outcome};
//! use serde_json::json;
//!
//! let client = Client::new("http://127.0.0.1:7420")?;
//! let counter = client.contract("counter").await?;
//! match counter.call(&client.account(key), "add", &json!({ "by": 3 })).await? {
//!     Outcome::Committed(receipt) => println!("in block {}", receipt.succeeded()?.height),
//!     Outcome::Unknown(unknown) => println!("{unknown}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Start reading at [`contract`], then [`methods`].

pub mod account;
pub mod bulk;
pub mod call;
pub mod client;
pub mod codes;
pub mod contract;
pub mod jsonrpc;
pub mod methods;
pub mod openrpc;
pub mod proof;
pub mod provider;
pub mod stream;
pub mod submit;
pub mod text;
pub mod views;

pub use account::Account;
pub use call::{Call, ChainContext};
pub use client::{Client, ClientError};
pub use codes::ErrorCode;
pub use contract::{CallFailed, ContractHandle};
pub use jsonrpc::RpcError;
pub use submit::{Outcome, OutcomeUnknown};
pub use text::{Bytes, Contract};
