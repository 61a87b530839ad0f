//! A real node as its own process on a free port, and the command line beside it.
#![allow(dead_code, clippy::unwrap_used)]

pub(crate) mod consortium;
pub(crate) mod proxy;
pub(crate) mod terminal;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use hanse_client::Client;
use hanse_client::methods::{BlockAt, BlockParams, BlockPart, GetBlock};
use hanse_client::views::ReceiptView;
use hanse_types::{Height, TxIndex};
use serde_json::Value;

/// The program under test.
const HANSE: &str = env!("CARGO_BIN_EXE_hanse");

/// How long commands wait for their transactions: on a machine that stands still at times.
const PATIENCE_SECONDS: &str = "60";
/// Logs are read whole, whatever the time of day.
const ONE_FILE: [(&str, &str); 4] = [
    ("HANSE_LOG__SYSTEM_PERIOD", "never"),
    ("HANSE_LOG__BRIEF_PERIOD", "never"),
    ("HANSE_LOG__EVENT_PERIOD", "never"),
    ("HANSE_LOG__EXCEPTION_PERIOD", "never"),
];

/// A running `hanse dev`.
pub(crate) struct Node {
    process: Child,
    pub(crate) url: String,
    pub(crate) started: Value,
    /// Keys of the commands that are run against it.
    keys: PathBuf,
}

impl Node {
    /// Starts a chain in this folder, or goes on with the one that is there.
    pub(crate) fn start(folder: &Path) -> Node {
        Node::start_with(folder, &[])
    }

    /// Starts a chain with further options.
    pub(crate) fn start_with(folder: &Path, options: &[&str]) -> Node {
        Node::launch(Command::new(HANSE), folder, options)
    }

    /// Starts one whose files can't grow beyond so many blocks, of 512 bytes or a KiB: writes fail then as on a full disk.
    pub(crate) fn start_on_small_disk(folder: &Path, blocks: u32) -> Node {
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' XFSZ; ulimit -f $0; exec \"$@\"", &blocks.to_string(), HANSE]);
        Node::launch(shell, folder, &[])
    }

    /// Runs the service that `hanse init node` made in this folder, with further variables.
    pub(crate) fn serve(folder: &Path, variables: &[(&str, &str)]) -> Node {
        let mut program = Command::new(HANSE);
        program.current_dir(folder).args(["start", "--json", "--config", "node/hanse.toml"]).envs(ONE_FILE);
        Node::ready(program.envs(variables.iter().copied()), folder)
    }

    /// Runs a node by this configuration, with further variables.
    pub(crate) fn serve_by(folder: &Path, configuration: &str, variables: &[(&str, &str)]) -> Node {
        let mut program = Command::new(HANSE);
        program.current_dir(folder).args(["start", "--json", "--config", configuration]).envs(ONE_FILE);
        Node::ready(program.envs(variables.iter().copied()), folder)
    }

    /// The same without asking for JSON; with what it says until it is ready.
    pub(crate) fn serve_quietly(folder: &Path) -> (Node, String) {
        let mut program = Command::new(HANSE);
        program.current_dir(folder).args(["start", "--config", "node/hanse.toml"]);
        let mut process = program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let line = first_line(&mut process);
        let url = line.trim().to_owned();
        (Node { process, url, started: Value::Null, keys: folder.join("keys") }, line)
    }

    fn launch(mut program: Command, folder: &Path, options: &[&str]) -> Node {
        Node::ready(program.args(["dev", "--json", "--port", "0", "--dir"]).arg(folder).args(options), folder)
    }

    fn ready(program: &mut Command, folder: &Path) -> Node {
        let mut process = program.stdout(Stdio::piped()).spawn().unwrap();
        let line = first_line(&mut process);
        let started: Value = serde_json::from_str(&line).expect("a node prints one line of JSON when it is ready");
        Node { process, url: started["url"].as_str().unwrap().to_owned(), started, keys: folder.join("keys") }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url).unwrap()
    }

    /// A figure of its metrics, by its name and, in braces, what it is of.
    pub(crate) async fn figure(&self, name: &str) -> f64 {
        let text = reqwest::get(format!("{}/metrics", self.url)).await.unwrap().text().await.unwrap();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}: {text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// The socket of its admin listener.
    pub(crate) fn admin_socket(&self) -> PathBuf {
        self.started["admin"].as_str().unwrap().strip_prefix("unix:").unwrap().into()
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Ends it as a crash does: nothing of it runs on.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to end, and sees that it ends well.
    pub(crate) fn stop(mut self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
    }

    /// The same of one whose output was kept; what it said since it was ready, and what it complained of.
    pub(crate) fn stop_and_read(mut self) -> (String, String) {
        let read = |stream: &mut dyn Read| {
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            text
        };
        let (mut output, mut errors) = (self.process.stdout.take().unwrap(), self.process.stderr.take().unwrap());
        self.stop();
        (read(&mut output), read(&mut errors))
    }

    /// The program, against this node.
    fn command(&self) -> Command {
        let mut command = Command::new(HANSE);
        let patience = ("HANSE_COMMIT_TIMEOUT", PATIENCE_SECONDS);
        command.env("HANSE_RPC", &self.url).env("HANSE_KEYS", &self.keys).envs([patience]);
        command
    }

    /// Runs a command against this node.
    pub(crate) fn hanse(&self, args: &[&str]) -> Output {
        self.command().args(args).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a command against this node on a terminal, with its history in this folder.
    pub(crate) fn on_a_terminal(&self, folder: &Path, args: &[&str]) -> terminal::Terminal {
        terminal::Terminal::start(self.command().env("XDG_STATE_HOME", folder).args(args))
    }

    /// Runs a command that must succeed; its result in JSON.
    pub(crate) fn run(&self, args: &[&str]) -> Value {
        let output = self.hanse(&[&["--json"], args].concat());
        assert!(output.status.success(), "hanse {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The same with further variables.
    pub(crate) fn run_with(&self, variables: &[(&str, &str)], args: &[&str]) -> Value {
        let output = self
            .command()
            .envs(variables.iter().copied())
            .arg("--json")
            .args(args)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "hanse {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a command that must fail; its exit code and its error in JSON.
    pub(crate) fn fail(&self, args: &[&str]) -> (i32, Value) {
        let output = self.hanse(&[&["--json"], args].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "hanse {args:?} should fail");
        let line = error.lines().last().unwrap_or_default();
        let value: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON error: {error}"));
        (output.status.code().unwrap(), value["error"].clone())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The first line that a process prints. What it prints after that is still there to be read.
fn first_line(process: &mut Child) -> String {
    let mut line = Vec::new();
    let output = process.stdout.as_mut().unwrap();
    while line.last() != Some(&b'\n') {
        let mut byte = [0];
        match output.read(&mut byte).unwrap() {
            0 => break,
            _ => line.push(byte[0]),
        }
    }
    String::from_utf8(line).unwrap()
}

/// Runs the program without a node.
pub(crate) fn hanse(folder: &Path, args: &[&str]) -> Output {
    Command::new(HANSE)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", build_folder())
        .env("HANSE_KEYS", folder.join("keys"))
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Where contracts are built: kept between runs.
pub(crate) fn build_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("contracts")
}

/// The token contract of this repository, built by `hanse contract build`, once.
pub(crate) fn token_module() -> &'static str {
    static MODULE: OnceLock<String> = OnceLock::new();
    MODULE.get_or_init(|| module("token"))
}

/// A contract of this repository, built by `hanse contract build`.
pub(crate) fn module(name: &str) -> String {
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts").join(name);
    let output = hanse(&contract, &["--json", "contract", "build"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let built: Value = serde_json::from_slice(&output.stdout).unwrap();
    built["wasm"].as_str().unwrap().to_owned()
}

/// The receipts of a block, page by page: a block may hold more than one answer shows.
pub(crate) async fn receipts_of(client: &Client, height: Height) -> Vec<ReceiptView> {
    let (mut receipts, mut from) = (Vec::new(), Some(TxIndex(0)));
    while let Some(start) = from {
        let params = BlockParams {
            at: BlockAt::Height(height),
            include: vec![BlockPart::Receipts],
            from: start,
            ..BlockParams::default()
        };
        let block = client.call::<GetBlock>(params).await.unwrap();
        receipts.extend(block.receipts.unwrap());
        from = block.next;
        assert!(from.is_some() || receipts.len() == block.header.tx_count as usize, "the last page is not the end");
    }
    receipts
}
