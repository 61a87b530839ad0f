//! The chain as a whole.

use super::{NoParams, methods};
use crate::views::ChainInfo;

methods! { CHAIN:
    /// The chain, its newest block, its parameters, and this node's limits.
    GetChainInfo = "chain_info", NoParams => ChainInfo, fails [];
}
