//! `hanse console`: the same commands, line by line.
//!
//! A line is what would follow `hanse` in a shell: nothing else has to be learned. On a terminal there is a history and
//! completion of commands, contracts and methods; without one, lines are read until one fails, so that scripts and tests can
//! use it too. Options that the console was started with, such as `--rpc` and `--from`, hold for every line that does not
//! give them itself.

mod complete;

use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;

use clap::FromArgMatches;
use reedline::{
    ColumnarMenu, DefaultPrompt, DefaultPromptSegment, Emacs, FileBackedHistory, KeyCode, KeyModifiers, MenuBuilder,
    Reedline, ReedlineEvent, ReedlineMenu, Signal, default_emacs_keybindings,
};

use super::exit::Failure;
use super::grammar::grammar;
use super::output::{complain, say};
use super::{Cli, Command, Common, run};
use complete::Completion;

/// Lines that are remembered from one console to the next.
const HISTORY: usize = 1_000;
/// The menu of what a word can become.
const MENU: &str = "completions";

/// `hanse console`.
pub(crate) async fn console(common: Common) -> Result<(), Failure> {
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        on_a_terminal(&common).await
    } else {
        without_a_terminal(&common).await
    }
}

/// Reads lines until the end, or one that fails: that is how the console ends then.
async fn without_a_terminal(common: &Common) -> Result<(), Failure> {
    for line in std::io::stdin().lock().lines() {
        match Line::read(&line?, common)? {
            Line::Nothing => {}
            Line::Leave => break,
            Line::Run(command) => Box::pin(run(*command)).await?,
            Line::Say(text) => drop(say(text.trim_end())?),
        }
    }
    Ok(())
}

async fn on_a_terminal(common: &Common) -> Result<(), Failure> {
    let mut editor = editor(common)?;
    let prompt = DefaultPrompt::new(DefaultPromptSegment::Basic("hanse".into()), DefaultPromptSegment::Empty);
    loop {
        let read = tokio::task::block_in_place(|| editor.read_line(&prompt));
        let line = match read {
            Ok(Signal::Success(line)) => line,
            Ok(Signal::CtrlC) => continue,
            Ok(_) => return Ok(()),
            Err(error) => return Err(Failure::error(format!("the terminal can't be read: {error}"))),
        };
        let ended = match Line::read(&line, common) {
            Ok(Line::Nothing) => Ok(()),
            Ok(Line::Leave) => return Ok(()),
            Ok(Line::Run(command)) => interruptible(*command).await,
            Ok(Line::Say(text)) => say(text.trim_end()).map(drop).map_err(Failure::from),
            Err(failure) => Err(failure),
        };
        if let Err(failure) = ended {
            failure.report(common.json);
        }
    }
}

/// Runs a command until it ends, or Ctrl-C is pressed: that ends the command and not the console. A command that does
/// something of its own then, such as telling a cursor, does it first.
async fn interruptible(command: Cli) -> Result<(), Failure> {
    tokio::select! {
        biased;
        ended = Box::pin(run(command)) => ended,
        pressed = tokio::signal::ctrl_c() => Ok(pressed?),
    }
}

/// What a line asks for.
enum Line {
    /// It is empty, or a comment.
    Nothing,
    /// The end.
    Leave,
    /// A command.
    Run(Box<Cli>),
    /// Words that clap has ready: help, the version.
    Say(String),
}

impl Line {
    fn read(line: &str, common: &Common) -> Result<Line, Failure> {
        let words = shlex::split(line)
            .ok_or_else(|| Failure::usage("a quotation mark or a backslash at the end of the line is left open"))?;
        let Some(first) = words.first() else { return Ok(Line::Nothing) };
        if ["exit", "quit"].contains(&first.as_str()) && words.len() == 1 {
            return Ok(Line::Leave);
        }
        // Who is used to it may write it.
        let words = if first == "hanse" { &words[1..] } else { &words[..] };
        // The later of two options counts.
        let grammar = grammar().args_override_self(true);
        let all = std::iter::once("hanse".to_owned()).chain(inherited(common)).chain(words.iter().cloned());
        let matches = match grammar.try_get_matches_from(all) {
            Ok(matches) => matches,
            Err(error) if error.exit_code() == 0 => return Ok(Line::Say(error.to_string())),
            Err(error) => return Err(Failure::usage(unprefixed(&error.to_string()))),
        };
        let cli = Cli::from_arg_matches(&matches).map_err(|error| Failure::usage(unprefixed(&error.to_string())))?;
        match cli.command {
            Command::Console | Command::Start(_) | Command::Top(_) => Err(not_inside()),
            Command::Dev(ref args) if args.command.is_none() => Err(not_inside()),
            _ => Ok(Line::Run(Box::new(cli))),
        }
    }
}

fn not_inside() -> Failure {
    Failure::usage("this command takes the whole terminal, and does not run in a console")
        .hint("leave the console with `exit`, or use another terminal")
}

/// What clap says, without the word that every failure is told with.
fn unprefixed(text: &str) -> String {
    text.strip_prefix("error: ").unwrap_or(text).trim_end().to_owned()
}

/// The options that the console was started with.
fn inherited(common: &Common) -> Vec<String> {
    let mut options = vec!["--rpc".to_owned(), common.rpc.clone(), "--from".to_owned(), common.from.clone()];
    options.extend(common.json.then(|| "--json".to_owned()));
    options.extend(common.quiet.then(|| "--quiet".to_owned()));
    if let Some(file) = &common.password_file {
        options.extend(["--password-file".to_owned(), file.display().to_string()]);
    }
    options
}

fn editor(common: &Common) -> Result<Reedline, Failure> {
    let mut keys = default_emacs_keybindings();
    let complete = ReedlineEvent::UntilFound(vec![ReedlineEvent::Menu(MENU.into()), ReedlineEvent::MenuNext]);
    keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, complete);
    let menu = Box::new(ColumnarMenu::default().with_name(MENU));
    let editor = Reedline::create()
        .with_completer(Box::new(Completion::new(common)?))
        .with_menu(ReedlineMenu::EngineCompleter(menu))
        .with_quick_completions(true)
        .with_edit_mode(Box::new(Emacs::new(keys)));
    let Some(file) = history_file() else { return Ok(editor) };
    match FileBackedHistory::with_file(HISTORY, file.clone()) {
        Ok(history) => Ok(editor.with_history(Box::new(history))),
        Err(error) => {
            complain(&format!("note: {}: {error}; this console's lines will not be remembered", file.display()));
            Ok(editor)
        }
    }
}

/// By the custom of the desktop: what is worth keeping, but nobody's configuration.
fn history_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    Some(state.or_else(home)?.join("hanse/history"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn common() -> Common {
        Common::at("http://127.0.0.1:1")
    }

    #[test]
    fn a_line_is_what_follows_hanse() {
        let common = common();
        assert!(matches!(Line::read("  # nothing", &common), Ok(Line::Nothing)));
        assert!(matches!(Line::read("", &common), Ok(Line::Nothing)));
        assert!(matches!(Line::read("exit", &common), Ok(Line::Leave)));
        assert!(matches!(Line::read("contract --help", &common), Ok(Line::Say(text)) if text.contains("deploy")));
        let Ok(Line::Run(cli)) = Line::read("hanse contract info 'my token' --from bob", &common) else { panic!() };
        assert_eq!((cli.common.from.as_str(), cli.common.rpc.as_str()), ("bob", "http://127.0.0.1:1"));
        for wrong in ["contract 'info", "nonsense", "console", "start", "dev", "top", "exit now"] {
            assert!(Line::read(wrong, &common).is_err(), "{wrong}");
        }
        assert!(matches!(Line::read("dev advance 5", &common), Ok(Line::Run(_))));
    }
}
