//! `gas.toml`: what each method's calls in the tests cost, kept beside a contract's code, so that a change of it is seen.
//!
//! Gas counts the module's instructions, so another compiler may give other figures for the same code: the table says
//! which one made it.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::exit::Failure;
use super::output::{grouped, table};

/// The table's name in the folder that is tested.
const FILE: &str = "gas.toml";
/// What stands above it.
const HEAD: &str = "# Gas of each method's calls in the tests. `hanse contract test --gas` compares, `--update-gas` writes this anew.\n\n";

/// Gas of a method's calls, instructions included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MethodGas {
    pub(crate) calls: u64,
    pub(crate) least: u64,
    pub(crate) most: u64,
}

impl MethodGas {
    /// Of one call.
    pub(crate) fn once(gas: u64) -> MethodGas {
        MethodGas { calls: 1, least: gas, most: gas }
    }

    /// With another call.
    pub(crate) fn add(&mut self, gas: u64) {
        *self = MethodGas { calls: self.calls + 1, least: self.least.min(gas), most: self.most.max(gas) };
    }
}

/// By method, as `Token.transfer`.
pub(crate) type Methods = BTreeMap<String, MethodGas>;

/// The table in the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GasTable {
    /// What `rustc --version` said.
    compiler: String,
    methods: Methods,
}

/// A method that costs something else than the table says.
#[derive(Debug, Serialize)]
pub(crate) struct GasChange {
    method: String,
    /// None: the table does not have it.
    before: Option<MethodGas>,
    /// None: no test called it.
    now: Option<MethodGas>,
}

/// What became of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Compared {
    /// There is none.
    NoTable,
    /// It was written anew.
    Written,
    /// It says what is.
    Same,
}

/// Why the table does not hold.
#[derive(Debug, Error)]
pub(crate) enum GasError {
    /// Something costs more or less than it says.
    #[error("{} costs something else than {path} says\n{}", plural(changes.len()), listed(changes))]
    Changed {
        /// The table.
        path: String,
        /// What.
        changes: Vec<GasChange>,
        /// The compiler that made the table, if it was not this one.
        compiler: Option<String>,
    },
    /// It can't be read or written.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// It is no table.
    #[error("{path} is no table of gas: {error}")]
    Malformed {
        /// Which.
        path: String,
        /// What is wrong.
        error: toml::de::Error,
    },
    /// It can't be put into words.
    #[error("the table of gas does not encode: {0}")]
    Encode(#[from] toml::ser::Error),
    /// There is no compiler to ask for its version.
    #[error("rustc can't be started: {0}")]
    Compiler(std::io::Error),
}

impl From<GasError> for Failure {
    fn from(error: GasError) -> Self {
        let failure = Failure::error(error.to_string());
        match error {
            GasError::Changed { compiler: Some(compiler), changes, .. } => failure.detail(&changes).hint(format!(
                "another compiler made the table, {compiler}; if the code is the same, write it anew with --update-gas"
            )),
            GasError::Changed { changes, .. } => {
                failure.detail(&changes).hint("if that is meant, write the table anew with --update-gas")
            }
            GasError::Malformed { .. } => failure.hint("write it anew with --update-gas"),
            GasError::File { .. } | GasError::Encode(_) | GasError::Compiler(_) => failure,
        }
    }
}

fn plural(methods: usize) -> String {
    if methods == 1 { "a method".into() } else { format!("each of {methods} methods") }
}

/// Writes the table into this folder.
///
/// # Errors
/// If it can't be written.
pub(crate) fn write(folder: &Path, methods: &Methods) -> Result<Compared, GasError> {
    let path = folder.join(FILE);
    let text = toml::to_string(&GasTable { compiler: compiler()?, methods: methods.clone() })?;
    let file = |error| GasError::File { path: path.display().to_string(), error };
    fs::write(&path, HEAD.to_owned() + &text).map_err(file)?;
    Ok(Compared::Written)
}

/// Compares what calls cost with the table in this folder, if there is one.
///
/// # Errors
/// If a method's cost is not that of the table, or the table can't be read.
pub(crate) fn compare(folder: &Path, methods: &Methods) -> Result<Compared, GasError> {
    let path = folder.join(FILE);
    let shown = path.display().to_string();
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Compared::NoTable),
        Err(error) => return Err(GasError::File { path: shown, error }),
        Ok(text) => text,
    };
    let known: GasTable = toml::from_str(&text).map_err(|error| GasError::Malformed { path: shown.clone(), error })?;
    let changes = changes(&known.methods, methods);
    if changes.is_empty() {
        return Ok(Compared::Same);
    }
    let compiler = Some(known.compiler).filter(|known| compiler().is_ok_and(|own| own != *known));
    Err(GasError::Changed { path: shown, changes, compiler })
}

fn changes(before: &Methods, now: &Methods) -> Vec<GasChange> {
    let mut names: Vec<&String> = before.keys().chain(now.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let change = |name: &String| {
        let (before, now) = (before.get(name).cloned(), now.get(name).cloned());
        (before != now).then(|| GasChange { method: name.clone(), before, now })
    };
    names.into_iter().filter_map(change).collect()
}

fn listed(changes: &[GasChange]) -> String {
    let least = |gas: &Option<MethodGas>| gas.as_ref().map_or("-".into(), |gas| grouped(gas.least));
    let most = |gas: &Option<MethodGas>| gas.as_ref().map_or("-".into(), |gas| grouped(gas.most));
    let calls = |gas: &Option<MethodGas>| gas.as_ref().map_or("-".into(), |gas| grouped(gas.calls));
    let row = |change: &GasChange| {
        let GasChange { method, before, now } = change;
        let arrow = |of: &dyn Fn(&Option<MethodGas>) -> String| match (of(before), of(now)) {
            (before, now) if before == now => now,
            (before, now) => format!("{before} → {now}"),
        };
        [method.clone(), arrow(&calls), arrow(&least), arrow(&most)]
    };
    table(["method", "calls", "least gas", "most gas"], changes.iter().map(row))
}

fn compiler() -> Result<String, GasError> {
    let output = Command::new("rustc").arg("--version").output().map_err(GasError::Compiler)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn methods(list: &[(&str, u64)]) -> Methods {
        list.iter().map(|(name, gas)| ((*name).to_owned(), MethodGas::once(*gas))).collect()
    }

    #[test]
    fn a_table_that_was_written_agrees_until_something_changes() {
        let folder = tempfile::tempdir().unwrap();
        let before = methods(&[("Token.create", 900), ("Token.transfer", 1_200)]);
        assert!(matches!(compare(folder.path(), &before).unwrap(), Compared::NoTable));
        assert!(matches!(write(folder.path(), &before).unwrap(), Compared::Written));
        assert!(matches!(compare(folder.path(), &before).unwrap(), Compared::Same));

        let now = methods(&[("Token.burn", 5), ("Token.transfer", 1_300)]);
        let text = compare(folder.path(), &now).unwrap_err().to_string();
        assert!(text.contains("each of 3 methods costs something else"), "{text}");
        for line in ["1,200 → 1,300", "- → 5", "900 → -"] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }

    #[test]
    fn a_table_that_is_none_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "compiler = 3").unwrap();
        let text = compare(folder.path(), &Methods::new()).unwrap_err().to_string();
        assert!(text.contains("is no table of gas"), "{text}");
    }
}
