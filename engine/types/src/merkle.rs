//! Merkle trees over lists, with inclusion proofs.
