//! Whose invitations a node accepts without asking its operators.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Accept {
    /// Nobody's.
    #[default]
    Ask,
    /// Those of members of the configured group.
    Members,
}

impl FromStr for Accept {
    type Err = String;

    fn from_str(text: &str) -> Result<Accept, String> {
        match text {
            "ask" => Ok(Accept::Ask),
            "members" => Ok(Accept::Members),
            other => Err(format!("{other:?} says not whose invitations are accepted; write \"ask\" or \"members\"")),
        }
    }
}

impl TryFrom<String> for Accept {
    type Error = String;

    fn try_from(text: String) -> Result<Accept, String> {
        text.parse()
    }
}

impl From<Accept> for String {
    fn from(accept: Accept) -> String {
        accept.to_string()
    }
}

impl fmt::Display for Accept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Accept::Ask => "ask",
            Accept::Members => "members",
        })
    }
}
