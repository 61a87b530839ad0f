//! Test contracts natively, without a node.
