//! Agree on one block per height.
