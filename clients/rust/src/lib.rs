//! What an application links to talk to a node, and what the node's server shares with it.
//!
//! - [`methods`] is the list of RPC methods with their parameters and answers; the server dispatches by it and
//!   [`Client`] calls by it, so the two can't drift apart. [`views`] are the values in it.
//! - [`openrpc`] describes all of that to other languages' tools, made of the same types and tables.
//! - [`codes`] is the one table of error codes, for server, client, command line and docs.
//! - [`call`] makes and signs transactions; [`Client`] submits them and waits for receipts.
//! - [`stream`] follows events and blocks as they come, through reconnects, each once.
//! - [`proof`] checks a node's proofs of transactions, receipts, access sets and state, from nothing but the genesis.
//!
//! It trusts the node it asks with everything but what [`Client::proven_state`] and its kin give. It keeps no keys: whoever signs passes a
//! [`Signer`](hanse_types::crypto::Signer). It does not know how a node works inside.
//!
//! ```no_run
//! # async fn example(key: hanse_types::crypto::SecretKey) -> Result<(), hanse_client::ClientError> {
//! use hanse_client::{Call, Client};
//!
//! let client = Client::new("http://127.0.0.1:7420")?;
//! let args = client.encode_args("counter", "add", &serde_json::json!({ "by": 3 })).await?;
//! let receipt = client.execute(Call::new("counter".parse()?, "add", args), &key).await?;
//! println!("{} in block {}", receipt.outcome.status.name(), receipt.height);
//! # Ok(())
//! # }
//! ```
//!
//! Start reading at [`methods`].

pub mod bulk;
pub mod call;
pub mod client;
pub mod codes;
pub mod jsonrpc;
pub mod methods;
pub mod openrpc;
pub mod proof;
pub mod stream;
pub mod text;
pub mod views;

pub use call::{Call, ChainContext};
pub use client::{Client, ClientError};
pub use codes::ErrorCode;
pub use jsonrpc::RpcError;
pub use text::{Bytes, Contract};
