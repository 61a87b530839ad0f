//! Run one block: speculate, order, replay, prove.
