//! What is logged: a level for all, and levels of single targets.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tracing_subscriber::filter::{LevelFilter, Targets};

/// It warns of what is usual when a node starts.
const NOISY: &str = "libp2p_kad";
/// Longest name of a target.
const TARGET_BYTES: usize = 128;
/// Most targets that can have a level of their own.
const TARGETS: usize = 256;

/// See the module. As text: `info,hanse_group=debug,hanse::brief=off`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Levels {
    of_all: LevelFilter,
    of_targets: BTreeMap<String, LevelFilter>,
}

/// Why a text names no levels.
#[derive(Debug, PartialEq, Eq, Error)]
pub(crate) enum LevelsError {
    /// No such level.
    #[error("{0:?} is no level: it is off, error, warn, info, debug or trace")]
    Level(String),
    /// Two levels for all.
    #[error("{0:?} is a second level for all targets; write TARGET=LEVEL")]
    Second(String),
    /// A target's name can't be one.
    #[error("{0:?} is no target: it is the path of a module such as hanse_group::driver, or hanse::brief")]
    Target(String),
    /// There are too many.
    #[error("more than {TARGETS} targets have a level of their own; set some back to the level of all")]
    TooMany,
}

impl Levels {
    /// The same for all.
    pub(crate) fn of(level: LevelFilter) -> Levels {
        Levels { of_all: level, of_targets: BTreeMap::new() }
    }

    /// What a service logs if nobody says.
    pub(crate) fn service() -> Levels {
        Levels::of(LevelFilter::INFO)
    }

    /// Sets the level of a target, or of all that have none of their own.
    pub(crate) fn set(&mut self, target: Option<&str>, level: LevelFilter) {
        match target {
            None => self.of_all = level,
            Some(target) => drop(self.of_targets.insert(target.to_owned(), level)),
        }
    }

    /// Whether another target may get a level of its own.
    pub(crate) fn has_room(&self, target: &str) -> Result<(), LevelsError> {
        check_target(target)?;
        let known = self.of_targets.contains_key(target);
        if known || self.of_targets.len() < TARGETS { Ok(()) } else { Err(LevelsError::TooMany) }
    }

    /// The level of all targets that have none of their own.
    pub(crate) fn of_all(&self) -> LevelFilter {
        self.of_all
    }

    /// Targets with a level of their own.
    pub(crate) fn of_targets(&self) -> impl Iterator<Item = (&str, LevelFilter)> {
        self.of_targets.iter().map(|(target, level)| (target.as_str(), *level))
    }

    /// As a filter of events.
    pub(super) fn targets(&self) -> Targets {
        // Whoever asks for the level of all does not mean what a library says whenever it has nobody to ask yet.
        let of_noisy = self.of_all.min(LevelFilter::ERROR);
        Targets::new().with_default(self.of_all).with_target(NOISY, of_noisy).with_targets(self.of_targets())
    }
}

/// The level of this name.
pub(crate) fn level(name: &str) -> Result<LevelFilter, LevelsError> {
    match name {
        "off" => Ok(LevelFilter::OFF),
        "error" => Ok(LevelFilter::ERROR),
        "warn" => Ok(LevelFilter::WARN),
        "info" => Ok(LevelFilter::INFO),
        "debug" => Ok(LevelFilter::DEBUG),
        "trace" => Ok(LevelFilter::TRACE),
        other => Err(LevelsError::Level(other.to_owned())),
    }
}

fn check_target(target: &str) -> Result<(), LevelsError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':' || byte == b'-';
    if target.is_empty() || target.len() > TARGET_BYTES || !target.bytes().all(allowed) {
        return Err(LevelsError::Target(target.to_owned()));
    }
    Ok(())
}

impl FromStr for Levels {
    type Err = LevelsError;

    fn from_str(text: &str) -> Result<Levels, LevelsError> {
        let mut levels = Levels::of(LevelFilter::OFF);
        let mut all = None;
        for part in text.split(',').map(str::trim) {
            match part.split_once('=') {
                Some((target, name)) => {
                    levels.has_room(target)?;
                    levels.set(Some(target), level(name)?);
                }
                None if all.is_some() => return Err(LevelsError::Second(part.to_owned())),
                None => all = Some(level(part)?),
            }
        }
        levels.of_all = all.unwrap_or(LevelFilter::OFF);
        Ok(levels)
    }
}

impl TryFrom<String> for Levels {
    type Error = LevelsError;

    fn try_from(text: String) -> Result<Levels, LevelsError> {
        text.parse()
    }
}

impl From<Levels> for String {
    fn from(levels: Levels) -> String {
        levels.to_string()
    }
}

impl fmt::Display for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.of_all)?;
        self.of_targets.iter().try_for_each(|(target, level)| write!(f, ",{target}={level}"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tracing::Level;

    #[test]
    fn a_text_is_read_strictly_and_written_back() {
        let levels: Levels = "info, hanse_group=debug,hanse::brief=off".parse().unwrap();
        assert_eq!(levels.to_string(), "info,hanse::brief=off,hanse_group=debug");
        let targets = levels.targets();
        assert!(targets.would_enable("hanse_group::driver", &Level::DEBUG));
        assert!(!targets.would_enable("hanse::brief", &Level::ERROR));
        assert!(targets.would_enable("hanse::event", &Level::INFO));
        assert!(!targets.would_enable("hanse::event", &Level::DEBUG));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |text: &str| text.parse::<Levels>().unwrap_err();
        assert_eq!(error("loud"), LevelsError::Level("loud".into()));
        assert_eq!(error(""), LevelsError::Level(String::new()));
        assert_eq!(error("info,debug"), LevelsError::Second("debug".into()));
        assert_eq!(error("info,a b=debug"), LevelsError::Target("a b".into()));
        assert_eq!(error("info,=debug"), LevelsError::Target(String::new()));
        let many: Vec<String> = (0..=TARGETS).map(|n| format!("t{n}=info")).collect();
        assert_eq!(error(&many.join(",")), LevelsError::TooMany);
    }

    #[test]
    fn levels_change_one_by_one() {
        let mut levels = Levels::service();
        levels.set(Some("hanse_group"), LevelFilter::TRACE);
        levels.set(None, LevelFilter::ERROR);
        levels.set(Some("hanse_group"), LevelFilter::DEBUG);
        assert_eq!(levels.to_string(), "error,hanse_group=debug");
    }
}
