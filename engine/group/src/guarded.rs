//! A panic in a thread of the group becomes an error of what it did.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs something whose panic must not take the thread with it.
pub(crate) fn guarded<T, E: std::fmt::Display>(act: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(format!("the node failed: {}", text.unwrap_or_default()))
        }
    }
}
