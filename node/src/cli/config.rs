//! `hanse config`: what a node would start with, where each value comes from, and what is wrong with it.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::exit::Failure;
use super::output::{Output, table};
use crate::config::error::{Problem, Problems};
use crate::config::keys::{SECTIONS, all, full_name};
use crate::config::{self, Config, ConfigError, Loaded, Origin};

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say what is wrong with a configuration, and with the files and folders that it names
    Check(File),
    /// Print all values, those of the environment included
    Print {
        #[command(flatten)]
        file: File,
        /// Say where each value came from
        #[arg(long)]
        origin: bool,
    },
    /// Print the values that are not the defaults, or not those of another configuration
    Diff {
        #[command(flatten)]
        file: File,
        /// Another configuration
        other: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct File {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = config::FILE)]
    config: PathBuf,
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let detail = match &error {
            ConfigError::Invalid(problems) => Some(json!({ "problems": list(problems) })),
            _ => None,
        };
        let failure = Failure::error(error.to_string());
        match detail {
            Some(detail) => failure.detail(&detail),
            None => failure,
        }
    }
}

/// `hanse config`.
pub(crate) fn run(command: ConfigCommand, output: Output) -> Result<(), Failure> {
    match command {
        ConfigCommand::Check(file) => check(&file, output),
        ConfigCommand::Print { file, origin } => print(&file.read()?, origin, output),
        ConfigCommand::Diff { file, other } => diff(&file.read()?, other, output),
    }
}

impl File {
    fn read(&self) -> Result<Loaded, Failure> {
        Ok(Loaded::read(&self.config, config::load::environment())?)
    }
}

/// A file without anything wrong.
#[derive(Serialize)]
struct Checked {
    file: String,
    notes: Vec<Value>,
}

fn check(file: &File, output: Output) -> Result<(), Failure> {
    let loaded = file.read()?;
    let report = config::check::check(&loaded);
    report.problems.into_result()?;
    let checked = Checked { file: loaded.path.display().to_string(), notes: list(&report.notes) };
    output.result(&checked, |checked| {
        let notes: String =
            report.notes.0.iter().map(|note| format!("note: {}: {}\n", note.origin, note.text)).collect();
        format!("{notes}{}: nothing is wrong", checked.file)
    })
}

fn list(problems: &Problems) -> Vec<Value> {
    let value = |problem: &Problem| json!({ "origin": problem.origin, "text": problem.text });
    problems.0.iter().map(value).collect()
}

fn print(loaded: &Loaded, origin: bool, output: Output) -> Result<(), Failure> {
    let mut sections = Map::new();
    for (section, key) in all() {
        let value = json_value(&loaded.config, section, key.name);
        let value = match origin {
            true => json!({ "value": value, "origin": loaded.origin(section, key.name) }),
            false => value,
        };
        let keys = sections.entry(section).or_insert_with(|| Value::Object(Map::new()));
        if let Some(keys) = keys.as_object_mut() {
            keys.insert(key.name.to_owned(), value);
        }
    }
    output.result(&sections, |_| text(loaded, origin))
}

/// As a file, with origins as comments.
fn text(loaded: &Loaded, origin: bool) -> String {
    let mut text = String::new();
    for section in SECTIONS {
        text += &format!("[{}]\n", section.name);
        for key in section.keys {
            let line = format!("{} = {}", key.name, shown(&loaded.config, section.name, key.name));
            text += &match origin {
                true => format!("{line:40} # {}\n", loaded.origin(section.name, key.name)),
                false => format!("{line}\n"),
            };
        }
        text += "\n";
    }
    text
}

/// A value that differs.
#[derive(Serialize)]
struct Difference {
    key: String,
    value: Value,
    other: Value,
    origin: Origin,
}

fn diff(loaded: &Loaded, other: Option<PathBuf>, output: Output) -> Result<(), Failure> {
    let against = match &other {
        Some(path) => Loaded::read(path, std::iter::empty())?.config,
        None => Config::default(),
    };
    let differs = |(section, key): &(&str, &str)| loaded.config.get(section, key) != against.get(section, key);
    let different: Vec<(&str, &str)> = all().map(|(section, key)| (section, key.name)).filter(differs).collect();
    let differences = different.iter().map(|(section, key)| Difference {
        key: full_name(section, key),
        value: json_value(&loaded.config, section, key),
        other: json_value(&against, section, key),
        origin: loaded.origin(section, key).clone(),
    });
    output.result(&differences.collect::<Vec<_>>(), |_| {
        let row = |(section, key): &(&str, &str)| {
            let origin = loaded.origin(section, key).to_string();
            [full_name(section, key), shown(&loaded.config, section, key), shown(&against, section, key), origin]
        };
        let other = if other.is_some() { "other" } else { "default" };
        table(["key", "value", other, "from"], different.iter().map(row))
    })
}

fn shown(config: &Config, section: &str, key: &str) -> String {
    config.get(section, key).map(|value| value.to_string()).unwrap_or_default()
}

fn json_value(config: &Config, section: &str, key: &str) -> Value {
    config.get(section, key).and_then(|value| serde_json::to_value(value).ok()).unwrap_or_default()
}
