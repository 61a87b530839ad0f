//! From a file and the environment to values, each with its origin.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use toml::de::DeTable;

use super::error::{ConfigError, Problems};
use super::keys::{Config, all, full_name, variable};
use super::nearest;

/// What a variable that overrides a key begins with, and what is between its section and its key.
const PREFIX: &str = "HANSE_";
const SEPARATOR: &str = "__";

/// A variable of the command line which is one of the configuration but for an underscore.
const OF_COMMANDS: &str = "HANSE_ADMIN_TOKEN_FILE";

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody said anything.
    Default,
    /// A line of the file.
    File {
        /// Which file.
        path: PathBuf,
        /// Line, from 1 on.
        line: usize,
    },
    /// A variable.
    Environment {
        /// Its name.
        variable: String,
    },
}

/// Values, and where each came from.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    /// The values.
    pub(crate) config: Config,
    /// The file.
    pub(crate) path: PathBuf,
    /// By section and key; what is not here is a default.
    origins: BTreeMap<(&'static str, &'static str), Origin>,
}

/// The environment of this process, as far as it is text.
pub(crate) fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

impl Loaded {
    /// Reads a file, and lays the environment over it.
    ///
    /// # Errors
    /// With everything that is wrong, if the file is TOML at all.
    pub(crate) fn read(
        path: &Path,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Loaded, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::File { path: path.into(), error })?;
        let mut loaded = Loaded { config: Config::default(), path: path.into(), origins: BTreeMap::new() };
        let mut problems = Problems::default();
        loaded.take_file(&text, &mut problems)?;
        problems.0.sort_by_key(|problem| problem.origin.line());
        loaded.take_environment(environment, &mut problems);
        problems.into_result()?;
        Ok(loaded)
    }

    /// Where a key's value came from.
    pub(crate) fn origin(&self, section: &str, key: &str) -> &Origin {
        let known = self.origins.iter().find(|((of, name), _)| *of == section && *name == key);
        known.map_or(&Origin::Default, |(_, origin)| origin)
    }

    /// A path of the configuration as this process can use it: relative ones start at the file's folder.
    pub(crate) fn resolve(&self, path: &Path) -> PathBuf {
        self.folder().join(path)
    }

    /// The folder of the file.
    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    fn take_file(&mut self, text: &str, problems: &mut Problems) -> Result<(), ConfigError> {
        let syntax = |error: toml::de::Error| {
            let (line, column) = place(text, &error.span().unwrap_or_default());
            ConfigError::Syntax { path: self.path.clone(), line, column, message: error.message().to_owned() }
        };
        // Twice: once for where things are, once for what they are.
        let places = DeTable::parse(text).map_err(syntax)?;
        let values: toml::Table = text.parse().map_err(syntax)?;
        for (section, entries) in places.get_ref() {
            let origin = self.at(text, &section.span());
            let section: &str = section.get_ref();
            let known = super::keys::SECTIONS.iter().any(|known| known.name == section);
            match entries.get_ref().as_table() {
                Some(keys) if known => {
                    for key in keys.keys() {
                        let origin = self.at(text, &key.span());
                        let value = values.get(section).and_then(|section| section.get(&**key.get_ref()));
                        self.take(section, key.get_ref(), value.cloned(), origin, problems);
                    }
                }
                Some(_) => {
                    let hint = nearest::hint(nearest::section(section).map(|name| format!("[{name}]")));
                    problems.add(&origin, format!("there is no section [{section}]{hint}"));
                }
                None => {
                    let hint = nearest::hint(nearest::key("", section));
                    problems.add(&origin, format!("{section} stands in no section{hint}"));
                }
            }
        }
        Ok(())
    }

    fn take_environment(&mut self, environment: impl Iterator<Item = (String, String)>, problems: &mut Problems) {
        let mut overrides: Vec<(String, String)> = environment.collect();
        overrides.retain(|(name, _)| name.starts_with(PREFIX));
        overrides.sort();
        for (name, text) in overrides {
            let origin = Origin::Environment { variable: name.clone() };
            let lower = name.to_lowercase();
            let Some((section, key)) = lower.strip_prefix("hanse_").and_then(|name| name.split_once(SEPARATOR)) else {
                // Other variables begin so too; they are not the configuration's.
                if let Some(meant) = lacking_an_underscore(&name) {
                    problems.add(&origin, format!("overrides no key{}", nearest::hint(Some(meant))));
                }
                continue;
            };
            match self.config.get(section, key) {
                Some(current) => {
                    let value = value_of(&text, &current).ok_or_else(|| expected(&text, &current));
                    match value {
                        Ok(value) => self.take(section, key, Some(value), origin, problems),
                        Err(text) => problems.add(&origin, format!("{}: {text}", full_name(section, key))),
                    }
                }
                None => {
                    let meant = nearest::key(section, key);
                    let meant =
                        meant.and_then(|name| name.split_once('.').map(|(section, key)| variable(section, key)));
                    problems.add(&origin, format!("overrides no key{}", nearest::hint(meant)));
                }
            }
        }
    }

    fn take(&mut self, section: &str, key: &str, value: Option<toml::Value>, origin: Origin, problems: &mut Problems) {
        let name = full_name(section, key);
        let known = all().find(|(of, known)| *of == section && known.name == key);
        let (Some((section, known)), Some(value)) = (known, value) else {
            let hint = nearest::hint(nearest::key(section, key));
            return problems.add(&origin, format!("there is no key {name}{hint}"));
        };
        if let (Some(bounds), Some(number)) = (&known.bounds, value.as_integer())
            && !bounds.contains(&number)
        {
            let (least, most) = (bounds.start(), bounds.end());
            return problems.add(&origin, format!("{name} is {number}, and must be from {least} to {most}"));
        }
        match self.config.set(section, known.name, value) {
            Ok(()) => drop(self.origins.insert((section, known.name), origin)),
            Err(reason) => problems.add(&origin, format!("{name}: {reason}")),
        }
    }

    fn at(&self, text: &str, span: &Range<usize>) -> Origin {
        Origin::File { path: self.path.clone(), line: place(text, span).0 }
    }
}

/// The variable that was meant by one with a single underscore between its section and its key.
fn lacking_an_underscore(name: &str) -> Option<String> {
    let mut variables = all().map(|(section, key)| variable(section, key.name));
    variables.find(|variable| variable.replacen(SEPARATOR, "_", 1) == name).filter(|_| name != OF_COMMANDS)
}

/// The text of a variable as a value of the kind that the key has.
fn value_of(text: &str, current: &toml::Value) -> Option<toml::Value> {
    match current {
        toml::Value::Integer(_) => text.trim().replace('_', "").parse().ok().map(toml::Value::Integer),
        toml::Value::Boolean(_) => text.trim().parse().ok().map(toml::Value::Boolean),
        toml::Value::Array(_) => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            Some(toml::Value::Array(parts.map(|part| toml::Value::String(part.to_owned())).collect()))
        }
        _ => Some(toml::Value::String(text.to_owned())),
    }
}

fn expected(text: &str, current: &toml::Value) -> String {
    let kind = if current.is_integer() { "a number" } else { "true or false" };
    format!("{text:?} is not {kind}")
}

/// Line and column of a part of a text, from 1 on.
fn place(text: &str, span: &Range<usize>) -> (usize, usize) {
    let before = text.get(..span.start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

impl Origin {
    /// The line, of a file.
    fn line(&self) -> Option<usize> {
        match self {
            Origin::File { line, .. } => Some(*line),
            Origin::Default | Origin::Environment { .. } => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => write!(f, "default"),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Environment { variable } => write!(f, "{variable}"),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests;
