//! Transactions that wait, and when a batch is ready.
