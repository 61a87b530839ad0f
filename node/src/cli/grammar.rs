//! The grammar of the command line, with an example of each command.
//!
//! What a command takes is declared where it is run; examples stand here, in one table, because they are read and checked
//! together: each of them is parsed by the tests, so none goes on recommending what is no longer there.

use clap::{Command, CommandFactory};

use super::Cli;

/// All commands, with their examples.
pub(super) fn grammar() -> Command {
    with_examples(Cli::command(), "")
}

fn with_examples(command: Command, path: &str) -> Command {
    let command = command.mut_subcommands(|below| {
        let path = format!("{path} {}", below.get_name());
        with_examples(below, path.trim_start())
    });
    match example(path) {
        Some(example) => command.after_help(format!("Example:\n  {example}")),
        None => command,
    }
}

fn example(path: &str) -> Option<&'static str> {
    EXAMPLES.iter().find(|(command, _)| *command == path).map(|(_, example)| *example)
}

/// An example of each command that does something. `$ID` is the id of a transaction.
const EXAMPLES: &[(&str, &str)] = &[
    ("dev", "hanse dev --dir chain"),
    ("dev advance", "hanse dev advance 3600"),
    ("dev revert", "hanse dev revert monday"),
    ("init", "hanse init node --chain-id acme --account treasury=1_000_000"),
    ("chain new", "hanse chain new consortium --nodes 4 --account treasury=1_000_000"),
    ("chain add-node", "hanse chain add-node consortium --organisation org-2"),
    ("chain start", "hanse chain start consortium"),
    ("chain stop", "hanse chain stop consortium --node node-2"),
    ("chain status", "hanse chain status consortium"),
    ("start", "hanse start --config node/hanse.toml"),
    ("light start", "hanse light start --genesis genesis.json --node http://10.0.0.1:7420 --node http://10.0.0.2:7420"),
    ("light status", "hanse light status"),
    ("doctor", "hanse doctor --config node/hanse.toml"),
    ("log level", "hanse log level hanse_group debug"),
    ("config check", "hanse config check --config node/hanse.toml"),
    ("config print", "hanse config print --origin"),
    ("config diff", "hanse config diff ../other/hanse.toml"),
    ("contract new", "hanse contract new counter"),
    ("contract build", "hanse contract build --path counter"),
    ("contract test", "hanse contract test --gas -- --nocapture"),
    ("contract deploy", "hanse contract deploy token --supply 1_000_000"),
    ("contract upgrade", "hanse contract upgrade token --wasm token.wasm"),
    ("contract freeze", "hanse contract freeze token"),
    ("contract unfreeze", "hanse contract unfreeze token"),
    ("contract revoke", "hanse contract revoke token"),
    ("contract call", "hanse contract call token transfer --to bob --amount 5"),
    ("contract simulate", "hanse contract simulate token transfer bob 5"),
    ("contract query", "hanse contract query token balance_of bob"),
    ("contract abi", "hanse contract abi token"),
    ("contract bindings", "hanse contract bindings token --lang ts"),
    ("contract info", "hanse contract info token"),
    ("contract list", "hanse contract list --limit 10"),
    ("contract storage", "hanse contract storage token balances bob"),
    ("group list", "hanse group list"),
    ("group show", "hanse group show trade"),
    ("group create", "hanse group create trade --member node-2 --member node-3"),
    ("group accept", "hanse group accept trade"),
    ("group decline", "hanse group decline trade"),
    ("group start", "hanse group start trade"),
    ("group stop", "hanse group stop trade"),
    ("group leave", "hanse group leave trade --force"),
    ("group remove", "hanse group remove trade --yes"),
    ("group export", "hanse group export trade"),
    ("group import", "hanse group import trade.json"),
    ("member list", "hanse member list --height 17"),
    (
        "member add",
        "hanse member add regulator ed25519:5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f",
    ),
    ("member remove", "hanse member remove regulator"),
    ("member role", "hanse member role regulator sealer"),
    (
        "member key",
        "hanse member key regulator ed25519:5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e",
    ),
    ("name set", "hanse name set coin token"),
    ("name get", "hanse name get coin"),
    ("name list", "hanse name list --limit 10"),
    ("net peers", "hanse net peers"),
    ("net list", "hanse net list"),
    ("net allow", "hanse net allow --authority bank-one.crt"),
    ("net deny", "hanse net deny 12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X"),
    ("net forget", "hanse net forget 12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X"),
    ("admission trust", "hanse admission trust bank-one.crt"),
    (
        "admission distrust",
        "hanse admission distrust ed25519:5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e",
    ),
    ("admission deny", "hanse admission deny 12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X"),
    ("admission pardon", "hanse admission pardon 12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X"),
    ("ca new", "hanse ca new ca --organisation Bank-One"),
    ("ca issue", "hanse ca issue --ca ca --name node-5 --key node-5/validator.pub --out node-5/node.crt"),
    ("ca renew", "hanse ca renew --ca ca node-5/node.crt"),
    ("ca show", "hanse ca show node-5/node.crt"),
    ("key new", "hanse key new treasury"),
    ("key show", "hanse key show treasury"),
    ("key list", "hanse key list"),
    ("key import", "hanse key import treasury openssl.pem"),
    ("key export", "hanse key export treasury"),
    ("tx show", "hanse tx show $ID --wait 10"),
    ("tx status", "hanse tx status $ID"),
    ("tx trace", "hanse tx trace $ID"),
    ("tx failed list", "hanse tx failed list --reason expired"),
    ("tx failed show", "hanse tx failed show $ID"),
    ("tx failed retry", "hanse tx failed retry $ID --sign-anew"),
    ("tx proof", "hanse tx proof $ID --of receipt --genesis node/genesis.json"),
    ("tx sign", "hanse tx sign unsigned.json --from treasury"),
    ("tx send", "hanse tx send signed.json"),
    ("tx decode", "hanse tx decode signed.json"),
    ("block show", "hanse block show 17"),
    ("block dag", "hanse block dag latest --vertices 5"),
    ("block timeline", "hanse block timeline latest --width 80"),
    ("block watch", "hanse block watch --since 0 --no-follow"),
    ("state get", "hanse state get token balances/bob --proof"),
    ("ledger info", "hanse ledger info"),
    ("ledger snapshot", "hanse ledger snapshot monday"),
    ("ledger restore", "hanse ledger restore node/data/snapshots/monday restored"),
    ("ledger check", "hanse ledger check node/data"),
    ("ledger prune", "hanse ledger prune --below 1000"),
    ("event list", "hanse event list --contract token --name Transfer"),
    ("event watch", "hanse event watch --contract token --name Transfer --since 0"),
    ("stats parallel", "hanse stats parallel --last 100"),
    ("status", "hanse status --json"),
    ("top", "hanse top --interval 500"),
    ("console", "hanse console --from bob"),
    ("bench", "hanse bench --workload token --duration 30 --rate 5000"),
    ("errors", "hanse errors outcome_unknown"),
    ("completions", "hanse completions bash"),
    ("help", "hanse help contract deploy"),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use clap::Arg;
    use hanse_client::codes;

    use super::*;

    /// Every command below one, by its words, but those that are not shown.
    fn all(command: &Command, path: &str) -> Vec<(String, Command)> {
        let shown = command.get_subcommands().filter(|below| !below.is_hide_set());
        let below = |below: &Command| {
            let path = format!("{path} {}", below.get_name()).trim_start().to_owned();
            let deeper = all(below, &path);
            std::iter::once((path, below.clone())).chain(deeper).collect::<Vec<_>>()
        };
        shown.flat_map(below).collect()
    }

    /// Whether it does something by itself, or only has commands that do.
    fn runs(command: &Command) -> bool {
        !command.is_subcommand_required_set()
    }

    #[test]
    fn the_grammar_is_consistent() {
        grammar().debug_assert();
    }

    #[test]
    fn every_command_and_option_says_what_it_is() {
        for (path, command) in all(&grammar(), "") {
            assert!(command.get_about().is_some_and(|about| !about.to_string().is_empty()), "{path}");
            for arg in command.get_arguments() {
                assert!(arg.get_help().is_some(), "{path}: {}", arg.get_id());
            }
        }
    }

    #[test]
    fn no_option_of_a_command_hides_one_that_all_have() {
        let names = |arg: &Arg| {
            let long =
                arg.get_long_and_visible_aliases().unwrap_or_default().into_iter().map(|long| format!("--{long}"));
            let short =
                arg.get_short_and_visible_aliases().unwrap_or_default().into_iter().map(|short| format!("-{short}"));
            long.chain(short).chain([arg.get_id().to_string()]).collect::<BTreeSet<_>>()
        };
        // Not built yet, so that no command has the common options as its own.
        let root = grammar();
        let common: BTreeSet<_> = root.get_arguments().filter(|arg| arg.is_global_set()).flat_map(names).collect();
        assert!(common.contains("--from") && common.contains("-q") && common.contains("password_file"), "{common:?}");
        for (path, command) in all(&root, "") {
            for arg in command.get_arguments() {
                let hidden: Vec<_> = names(arg).intersection(&common).cloned().collect();
                assert!(hidden.is_empty(), "hanse {path}: {hidden:?}");
            }
        }
    }

    #[test]
    fn every_command_has_an_example_that_is_right() {
        let mut running: BTreeSet<String> =
            all(&grammar(), "").into_iter().filter(|(_, command)| runs(command)).map(|(path, _)| path).collect();
        for (path, example) in EXAMPLES {
            assert!(running.remove(*path), "{path} is no command, or has two examples");
            let words = example.replace("$ID", &hanse_types::Hash([7; 32]).to_string());
            let matches = grammar().try_get_matches_from(words.split_whitespace());
            let matches = matches.unwrap_or_else(|error| panic!("{example}: {error}"));
            let (mut at, mut found) = (&matches, Vec::new());
            while let Some((name, below)) = at.subcommand() {
                found.push(name);
                at = below;
            }
            assert_eq!(found.join(" "), *path, "{example}");
            let help = help_of(path);
            assert!(help.contains(example), "{path}: {help}");
        }
        assert!(running.is_empty(), "no example of {running:?}");
    }

    fn help_of(path: &str) -> String {
        let mut root = grammar();
        root.build();
        let mut command = &mut root;
        for word in path.split(' ') {
            command = command.find_subcommand_mut(word).unwrap();
        }
        command.render_help().to_string()
    }

    #[test]
    fn a_node_starts_whatever_variables_are_set_for_the_commands() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(crate::config::FILE);
        std::fs::write(&file, "").unwrap();
        let root = grammar();
        let commands = all(&root, "");
        let arguments = std::iter::once(&root).chain(commands.iter().map(|(_, command)| command));
        let variables = arguments.flat_map(Command::get_arguments).filter_map(Arg::get_env);
        let names: BTreeSet<String> = variables.map(|name| name.to_str().unwrap().to_owned()).collect();
        assert!(names.contains("HANSE_RPC") && names.contains("HANSE_ADMIN_TOKEN_FILE"), "{names:?}");
        let environment = names.into_iter().map(|name| (name, "x".to_owned()));
        crate::config::Loaded::read(&file, environment).unwrap();
    }

    /// The texts between backquotes.
    fn quoted(text: &str) -> impl Iterator<Item = &str> {
        text.split('`').skip(1).step_by(2)
    }

    #[test]
    fn what_error_codes_recommend_is_there() {
        let root = grammar();
        let commands = all(&root, "");
        let has = |command: &Command, option: &str| {
            command.get_arguments().any(|arg| arg.get_long().is_some_and(|long| option == format!("--{long}")))
        };
        for code in codes::ALL {
            for words in quoted(code.meaning).chain(quoted(code.hint)) {
                let mut command = &root;
                let mut words = words.split_whitespace().peekable();
                let is_command = words.next_if_eq(&"hanse").is_some();
                while let Some(below) = words.peek().and_then(|word| command.find_subcommand(word)) {
                    command = below;
                    words.next();
                }
                for option in words.filter(|word| word.starts_with("--")) {
                    let known = match is_command {
                        true => has(command, option) || has(&root, option),
                        false => has(&root, option) || commands.iter().any(|(_, command)| has(command, option)),
                    };
                    assert!(known, "the hint of {}: {option}", code.name);
                }
                assert!(!is_command || command.get_name() != "hanse", "the hint of {} names no command", code.name);
            }
        }
    }
}
