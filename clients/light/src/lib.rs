//! Follow a chain by headers and certificates alone, through nodes of which none is trusted.
//!
//! A [`Light`] node has the genesis, and the addresses of some full nodes. It walks from header to header, each with the
//! certificate by which the validators decided it, and from validator set to validator set by handovers. What it is asked
//! (a value of the state or that there is none, a transaction, a receipt), it asks its nodes for with proof, and checks
//! against the headers that it follows itself.
//!
//! It promises that
//! - nothing is answered that does not follow from the genesis by signatures and proofs;
//! - a node that lags, lies or is away is left for another;
//! - two blocks of one height that were both decided end all trust: it keeps both as evidence ([`Fork`]), over restarts too,
//!   and answers nothing any more;
//! - what it followed is in a file that is whole after a crash, and is checked again when it is read.
//!
//! What it can't promise: that its nodes show it the newest block (with all of them against it, it stands still), and that a
//! refusal of a transaction is deserved: that is one node's word. It executes nothing and holds no state.
//!
//! Start reading at [`chain`], then [`Light`].

pub mod chain;
pub mod file;
pub mod light;
pub mod reads;
pub mod status;

pub use chain::{Chain, Fork, Refused};
pub use file::FileError;
pub use light::{Light, OpenError};
pub use reads::ReadError;
pub use status::{GetLightStatus, LightStatus, NodeStanding, Standing};
