//! What the word before the cursor can become: a command, an option, a contract, a method, an argument of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clap::Command;
use hanse_abi::document::{Abi, MethodKind};
use hanse_client::Client;
use hanse_client::methods::{ListContracts, ListContractsParams};
use reedline::{Completer, CompletionResult, Span, Suggestion};
use tokio::runtime::Handle;

use super::super::Common;
use super::super::contract::fetch_abi;
use super::super::exit::Failure;
use super::super::grammar::grammar;

/// How long what a node said of its contracts is taken for true.
const FRESH: Duration = Duration::from_secs(5);
/// How long a key that asks for completion may make one wait.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is known of contracts.
pub(super) trait Contracts {
    /// Their names.
    fn names(&mut self) -> Vec<String>;

    /// What one of them offers, if that is known.
    fn abi(&mut self, contract: &str) -> Option<Abi>;
}

/// Completes lines of the console.
pub(super) struct Completion {
    grammar: Command,
    contracts: Remote,
}

impl Completion {
    pub(super) fn new(common: &Common) -> Result<Completion, Failure> {
        let client = Client::new(&common.rpc)?;
        let contracts = Remote { client, names: None, abis: BTreeMap::new() };
        Ok(Completion { grammar: built(), contracts })
    }
}

impl Completer for Completion {
    fn complete(&mut self, line: &str, position: usize) -> CompletionResult {
        let before = line.get(..position).unwrap_or(line);
        let start = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let suggestions: Vec<Suggestion> = candidates(before, &self.grammar, &mut self.contracts)
            .into_iter()
            .map(|(value, about)| Suggestion {
                value,
                description: about,
                span: Span::new(start, position),
                append_whitespace: true,
                ..Suggestion::default()
            })
            .collect();
        CompletionResult::fresh(suggestions)
    }
}

/// All commands, each with the options that all have.
fn built() -> Command {
    let mut grammar = grammar();
    grammar.build();
    grammar
}

/// What the last word of a line can become, with a word about each.
fn candidates(before: &str, grammar: &Command, contracts: &mut dyn Contracts) -> Vec<(String, Option<String>)> {
    let mut words: Vec<&str> = before.split_whitespace().collect();
    let last = if before.ends_with(char::is_whitespace) { "" } else { words.pop().unwrap_or_default() };
    let mut command = grammar;
    let mut path = Vec::new();
    let mut rest = words.into_iter().peekable();
    while let Some(found) = rest.peek().and_then(|word| command.find_subcommand(word)) {
        path.extend(rest.next());
        command = found;
    }
    let given = positionals(command, rest);
    let all = match (last.starts_with("--"), given.len()) {
        (true, _) => options(command, &path, &given, contracts),
        (false, 0) if command.has_subcommands() => subcommands(command),
        (false, 0) if takes_contract(command) => contracts.names().into_iter().map(|name| (name, None)).collect(),
        (false, 1) => methods(&path, given[0], contracts),
        _ => Vec::new(),
    };
    all.into_iter().filter(|(word, _)| word.starts_with(last)).collect()
}

/// The words that are neither options nor their values.
fn positionals<'a>(command: &Command, words: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let takes_value = |word: &str| {
        let long = word.strip_prefix("--").unwrap_or_default();
        command.get_arguments().any(|arg| arg.get_long() == Some(long) && arg.get_action().takes_values())
    };
    let mut positionals = Vec::new();
    let mut is_value = false;
    for word in words {
        if !word.starts_with('-') && !is_value {
            positionals.push(word);
        }
        is_value = takes_value(word);
    }
    positionals
}

fn subcommands(command: &Command) -> Vec<(String, Option<String>)> {
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    shown.map(|command| (command.get_name().to_owned(), command.get_about().map(ToString::to_string))).collect()
}

fn takes_contract(command: &Command) -> bool {
    command.get_positionals().next().is_some_and(|first| first.get_id() == "contract")
}

/// Whether this command calls a method.
fn calls(path: &[&str]) -> bool {
    matches!(path, ["contract", "call" | "simulate" | "query"])
}

fn methods(path: &[&str], contract: &str, contracts: &mut dyn Contracts) -> Vec<(String, Option<String>)> {
    if !calls(path) {
        return Vec::new();
    }
    let fits = |kind: MethodKind| match path {
        [_, "query"] => kind == MethodKind::View,
        _ => matches!(kind, MethodKind::Call | MethodKind::View),
    };
    let methods = contracts.abi(contract).map(|abi| abi.methods).unwrap_or_default();
    let fitting = methods.into_iter().filter(|method| fits(method.kind));
    fitting.map(|method| (method.name.clone(), Some(method.to_string()))).collect()
}

/// Options of the command, and arguments of the method that is called.
fn options(
    command: &Command,
    path: &[&str],
    given: &[&str],
    contracts: &mut dyn Contracts,
) -> Vec<(String, Option<String>)> {
    let mut all = Vec::new();
    if let (true, [contract, method, ..]) = (calls(path), given) {
        let abi = contracts.abi(contract);
        let args = abi.as_ref().and_then(|abi| abi.method(method)).map(|method| method.args.as_slice());
        all.extend(args.unwrap_or_default().iter().map(|arg| (format!("--{}", arg.name), Some(arg.ty.clone()))));
    }
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
    all.extend(shown.filter_map(|arg| {
        let about = arg.get_help().map(ToString::to_string);
        arg.get_long().map(|long| (format!("--{long}"), about))
    }));
    all
}

/// Contracts of a node.
struct Remote {
    client: Client,
    names: Option<(Instant, Vec<String>)>,
    abis: BTreeMap<String, (Instant, Option<Abi>)>,
}

impl Remote {
    /// Asks the node; nothing if it does not answer soon.
    fn ask<T>(question: impl Future<Output = Option<T>>) -> Option<T> {
        let limited = async { tokio::time::timeout(PATIENCE, question).await.ok().flatten() };
        Handle::current().block_on(limited)
    }
}

impl Contracts for Remote {
    fn names(&mut self) -> Vec<String> {
        if let Some((_, names)) = self.names.as_ref().filter(|(when, _)| when.elapsed() < FRESH) {
            return names.clone();
        }
        let client = &self.client;
        let list = Remote::ask(async { client.call::<ListContracts>(ListContractsParams::default()).await.ok() });
        let mut names: Vec<String> =
            list.into_iter().flat_map(|list| list.contracts).map(|contract| contract.name).collect();
        names.sort();
        names.dedup();
        self.names = Some((Instant::now(), names.clone()));
        names
    }

    fn abi(&mut self, contract: &str) -> Option<Abi> {
        if let Some((_, abi)) = self.abis.get(contract).filter(|(when, _)| when.elapsed() < FRESH) {
            return abi.clone();
        }
        let client = &self.client;
        let abi = Remote::ask(async { fetch_abi(client, contract).await.ok() });
        self.abis.insert(contract.to_owned(), (Instant::now(), abi.clone()));
        abi
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    struct Known;

    impl Contracts for Known {
        fn names(&mut self) -> Vec<String> {
            vec!["account".into(), "token".into()]
        }

        fn abi(&mut self, contract: &str) -> Option<Abi> {
            let abi = json!({ "methods": [
                { "name": "transfer", "args": [{ "name": "to", "type": "Address" }, { "name": "amount", "type": "u128" }] },
                { "name": "balance_of", "kind": "view" },
                { "name": "create", "kind": "init" },
            ] });
            (contract == "token").then(|| serde_json::from_value(abi).unwrap())
        }
    }

    fn complete(before: &str) -> Vec<String> {
        candidates(before, &built(), &mut Known).into_iter().map(|(word, _)| word).collect()
    }

    #[test]
    fn words_become_commands_contracts_methods_and_arguments() {
        assert_eq!(complete("con"), ["config", "contract", "console"].map(String::from).to_vec());
        assert_eq!(complete("contract de"), ["deploy"]);
        assert_eq!(complete("contract call "), ["account", "token"]);
        assert_eq!(complete("contract call to"), ["token"]);
        assert_eq!(complete("contract call token "), ["transfer", "balance_of"]);
        assert_eq!(complete("contract query token "), ["balance_of"]);
        assert!(complete("contract call token transfer --").starts_with(&["--to".into(), "--amount".into()]));
        assert_eq!(complete("contract call token transfer --sim"), ["--simulate"]);
        assert_eq!(complete("contract storage "), ["account", "token"]);
        assert_eq!(complete("contract call --from bob token tr"), ["transfer"]);
        assert_eq!(complete("tx tr"), ["trace"]);
        assert!(complete("contract call nothing ").is_empty());
        assert!(!complete("contract ").contains(&"host".to_owned()), "hidden");
    }
}
