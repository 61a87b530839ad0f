//! How a node gets what the others have, as a configuration says it.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The mode. As text: `full`, `fast` or `snapshot`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct SyncMode(pub(crate) hanse_group::SyncMode);

impl FromStr for SyncMode {
    type Err = String;

    fn from_str(text: &str) -> Result<SyncMode, String> {
        let found = hanse_group::SyncMode::ALL.into_iter().find(|mode| mode.name() == text);
        let refused = || format!("{text:?} is no way to catch up; write \"full\", \"fast\" or \"snapshot\"");
        found.map(SyncMode).ok_or_else(refused)
    }
}

impl TryFrom<String> for SyncMode {
    type Error = String;

    fn try_from(text: String) -> Result<SyncMode, String> {
        text.parse()
    }
}

impl From<SyncMode> for String {
    fn from(SyncMode(mode): SyncMode) -> String {
        mode.name().into()
    }
}
