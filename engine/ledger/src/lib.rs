//! What is durable: one database per group, one batch per block.
