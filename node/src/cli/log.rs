//! `hanse log`: what a running node logs.

use clap::{Subcommand, ValueEnum};
use hanse_client::methods::{LogLevel, LogLevelParams};
use hanse_client::views::LogLevels;

use super::Common;
use super::admin::AdminArgs;
use super::exit::Failure;
use super::output::{Output, fields};

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Show what the running node logs, or change it until it is started again
    Level {
        /// The level, or a target (such as hanse_group or hanse::brief) and its level
        #[arg(value_name = "[TARGET] LEVEL", num_args = 0..=2)]
        change: Vec<String>,
        #[command(flatten)]
        admin: AdminArgs,
    },
}

/// What is logged.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// `hanse log`.
pub(crate) async fn run(command: LogCommand, common: &Common, output: Output) -> Result<(), Failure> {
    let LogCommand::Level { change, admin } = command;
    let params = params(&change)?;
    let levels = admin.connect(common).await?.call::<LogLevel>(params).await?;
    output.result(&levels, text)
}

fn params(change: &[String]) -> Result<LogLevelParams, Failure> {
    let (target, level) = match change {
        [] => return Ok(LogLevelParams::default()),
        [level] => (None, level),
        [target, level, ..] => (Some(target.clone()), level),
    };
    if Level::from_str(level, false).is_err() {
        let text = format!("{level:?} is no level: it is off, error, warn, info, debug or trace");
        return Err(Failure::usage(text));
    }
    Ok(LogLevelParams { target, level: Some(level.clone()) })
}

fn text(levels: &LogLevels) -> String {
    let mut lines = vec![("all", levels.level.clone())];
    lines.extend(levels.targets.iter().map(|(target, level)| (target.as_str(), level.clone())));
    let mut text = fields(lines);
    for (log, lost) in levels.lost.iter().filter(|(_, lost)| **lost > 0) {
        text += &format!("{lost} lines of {log} were lost\n");
    }
    text
}
