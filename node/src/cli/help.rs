//! `hanse help` and `hanse errors`: what a command does, and what an error code means.

use clap::Command;
use hanse_client::codes::{self, ErrorCode};

use super::arguments::nearest;
use super::exit::{Exit, Failure};
use super::output::Output;

/// The first word after `help` that asks for error codes.
const ERRORS: &str = "errors";

/// `hanse help WORDS`.
pub(crate) fn help(words: &[String], grammar: Command, output: Output) -> Result<(), Failure> {
    match words.split_first() {
        Some((first, [])) if first == ERRORS => errors(None, output),
        Some((first, [code])) if first == ERRORS => errors(Some(code), output),
        _ => output.result(&command(words, grammar)?, Clone::clone),
    }
}

/// What is said of the command that these words name.
fn command(words: &[String], mut grammar: Command) -> Result<String, Failure> {
    // Gives each command its whole name and the options that all have.
    grammar.build();
    let mut command = &mut grammar;
    for word in words {
        let known: Vec<String> = command.get_subcommands().map(|known| known.get_name().to_owned()).collect();
        let parent = command.get_bin_name().unwrap_or_default().to_owned();
        command = command.find_subcommand_mut(word).ok_or_else(|| {
            let failure = Failure::usage(format!("{parent} has no command {word:?}"));
            match nearest(word, known.iter().map(String::as_str)) {
                Some(near) => failure.hint(format!("did you mean {near}?")),
                None if known.is_empty() => failure,
                None => failure.hint(format!("it has {}", known.join(", "))),
            }
        })?;
    }
    Ok(command.render_long_help().to_string())
}

/// `hanse errors` and `hanse help errors`: one code, by number or name, or all of them.
pub(crate) fn errors(code: Option<&str>, output: Output) -> Result<(), Failure> {
    let entries = match code {
        None => codes::ALL.to_vec(),
        Some(code) => vec![find(code)?],
    };
    output.result(&entries, |entries| {
        entries.iter().map(|e| format!("{} {}\n    {}\n    {}\n", e.code, e.name, e.meaning, e.hint)).collect()
    })
}

fn find(code: &str) -> Result<ErrorCode, Failure> {
    let found = match code.parse() {
        Ok(number) => ErrorCode::of(number),
        Err(_) => ErrorCode::named(code),
    };
    found.ok_or_else(|| {
        let failure = Failure::new(Exit::NotFound, format!("there is no error code {code}"));
        match nearest(code, codes::ALL.iter().map(|known| known.name)) {
            Some(near) => failure.hint(format!("did you mean {near}?")),
            None => failure.hint("`hanse errors` lists them all"),
        }
    })
}
