//! Certificates of nodes: X.509, version 3, with keys of ed25519 (RFC 5280, RFC 8410).
//!
//! An organisation has an authority, whose certificate it signs itself and hands to the others. The authority certifies the
//! organisation's nodes: a node's certificate has the node's own key as its subject key, so it is bound to the node's id in
//! the network, and whoever presents it proves that key in the handshake. Nothing stands between authority and node.
//!
//! It promises that no bytes make a reader fail otherwise than by an error, that an answer depends on its arguments only (the
//! time is one of them), and that what is refused is refused for a reason that says what to do.
//!
//! It does not know who is trusted, connected or denied: that is [`admission`](crate::p2p::admission). Start reading at
//! [`Certificate::from_der`] and [`Authority::certifies`]; [`issue`] makes them, [`mod@file`] keeps them.

mod certificate;
pub(crate) mod file;
pub(crate) mod issue;
mod time;

pub(crate) use certificate::{Authority, Certificate, CertificateError, MAX_BYTES};
pub(crate) use time::{DAY, date, in_words, now};

#[cfg(test)]
mod tests;
