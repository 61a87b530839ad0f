//! What waits.

use super::{NoParams, methods};
use crate::views::PoolView;

methods! { POOL:
    /// What waits in the pool.
    GetPool = "pool_status", NoParams => PoolView, fails [];
}
