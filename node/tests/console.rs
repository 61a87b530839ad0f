//! The console and the screen of `hanse top`, on a terminal and without one: of a real node.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write;
use std::process::{Command, Output, Stdio};

use common::Node;
use serde_json::Value;

/// What a console does with these lines.
fn console(node: &Node, options: &[&str], lines: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hanse"));
    command.env("HANSE_RPC", &node.url).args(options).arg("console");
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    process.wait_with_output().unwrap()
}

fn values(output: &Output) -> Vec<Value> {
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_console_reads_the_same_commands_line_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    let lines = "# pay, and look\n\ncontract call account transfer --to bob --amount 5\n\
                 hanse contract call account transfer carol 3 --from bob\nstatus\nexit\nnonsense\n";
    let output = console(&node, &["--json"], lines);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let values = values(&output);
    assert_eq!(values.len(), 3, "nothing is read after exit");
    assert_eq!((&values[0]["status"], &values[1]["status"]), (&"success".into(), &"success".into()));
    assert_eq!(values[1]["height"], values[2]["chain"]["height"]);

    let text = console(&node, &[], "errors 5003\nhelp tx trace\n");
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.starts_with("5003 outcome_unknown") && text.contains("Usage: hanse tx trace"), "{text}");
    node.stop();
}

#[test]
fn a_line_that_fails_ends_a_script_with_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    for (line, code) in [
        ("contract call account transfer bob 99999999999999999999999999999999", 3),
        ("contract info nothing", 7),
        ("contract info", 2),
        ("nonsense", 2),
        ("contract info 'account", 2),
        ("dev", 2),
        ("console", 2),
    ] {
        let output = console(&node, &["--json"], &format!("{line}\nstatus\n"));
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{line}: {error}");
        // A call that ran and failed shows its receipt; nothing comes after it.
        let after = String::from_utf8_lossy(&output.stdout).contains("\"pool\"");
        assert!(!error.is_empty() && !after, "{line}: {error}");
    }
    node.stop();
}

#[test]
fn the_screen_shows_what_the_node_says() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    for _ in 0..3 {
        node.run(&["contract", "call", "account", "transfer", "bob", "1"]);
    }
    let picture = node.run(&["top", "--once"]);
    assert_eq!(picture["stats"]["blocks"].as_array().unwrap().len(), 3, "{picture}");
    let screen = String::from_utf8(node.hanse(&["top", "--once"]).stdout).unwrap();
    for part in ["height 3", "the last blocks", "keys that transactions wait for", &node.url] {
        assert!(screen.contains(part), "{part}: {screen}");
    }
    // Nothing is kept up to date where nobody looks.
    let refused = node.hanse(&["top"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--once"));
    node.stop();
}

#[test]
fn a_console_on_a_terminal_completes_remembers_and_goes_on_after_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&folder.path().join("chain"));
    let mut terminal = node.on_a_terminal(folder.path(), &["console"]);
    terminal.expect("hanse");
    // Words become whole by one key: a command's, then those that only the node knows.
    terminal.send("contract que\tacc\tbalance_\tbob\r");
    terminal.expect("1000000000000000000");
    terminal.send("contract info nothing\r");
    terminal.expect("error: ");
    terminal.send("dev\r");
    terminal.expect("takes the whole terminal");
    // What follows and follows is ended by Ctrl-C, and the console is not.
    terminal.send("block watch --since 0\r");
    terminal.expect("0  0x");
    terminal.interrupt();
    terminal.expect("go on with --since");
    terminal.send("errors 5003\r");
    terminal.expect("5003 outcome_unknown");
    terminal.send("exit\r");
    let (code, written) = terminal.end();
    assert_eq!(code, Some(0), "{written}");
    let history = std::fs::read_to_string(folder.path().join("hanse/history")).unwrap();
    assert!(history.contains("contract query account balance_of bob"), "{history}");

    // Another console has the lines of this one.
    let mut terminal = node.on_a_terminal(folder.path(), &["console"]);
    terminal.expect("hanse");
    terminal.send("\x1b[A\x1b[A\r");
    terminal.expect("5003 outcome_unknown");
    terminal.prompted();
    terminal.send("\x04");
    assert_eq!(terminal.end().0, Some(0));
    node.stop();
}

#[test]
fn the_screen_is_kept_up_to_date_until_somebody_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&folder.path().join("chain"));
    let mut terminal = node.on_a_terminal(folder.path(), &["top", "--interval", "100"]);
    // Words are written one by one: what is empty already is not written over.
    terminal.expect("parallelism");
    node.run(&["contract", "call", "account", "transfer", "bob", "5"]);
    terminal.expect("1.0");
    node.stop();
    terminal.expect("answers");
    terminal.send("q");
    let (code, written) = terminal.end();
    assert_eq!(code, Some(0), "{written}");
    assert!(
        written.contains("\x1b[?1049h") && written.ends_with("\x1b[?25h"),
        "the terminal is as it was: {written:?}"
    );
}
