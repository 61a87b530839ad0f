//! A real node as its own process on a free port, and the command line beside it.
#![allow(dead_code, clippy::unwrap_used)]

pub(crate) mod proxy;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use hanse_client::Client;
use serde_json::Value;

/// The program under test.
const HANSE: &str = env!("CARGO_BIN_EXE_hanse");

/// A running `hanse dev`.
pub(crate) struct Node {
    process: Child,
    pub(crate) url: String,
    pub(crate) started: Value,
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

    fn launch(mut program: Command, folder: &Path, options: &[&str]) -> Node {
        let mut process = program
            .args(["dev", "--json", "--port", "0", "--dir"])
            .arg(folder)
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let started: Value = serde_json::from_str(&line).expect("hanse dev prints one line of JSON when it is ready");
        Node { process, url: started["url"].as_str().unwrap().to_owned(), started }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url).unwrap()
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

    /// Runs a command against this node.
    pub(crate) fn hanse(&self, args: &[&str]) -> Output {
        Command::new(HANSE).env("HANSE_RPC", &self.url).args(args).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a command that must succeed; its result in JSON.
    pub(crate) fn run(&self, args: &[&str]) -> Value {
        let output = self.hanse(&[&["--json"], args].concat());
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
    MODULE.get_or_init(|| {
        let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts/token");
        let output = hanse(&contract, &["--json", "contract", "build"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let built: Value = serde_json::from_slice(&output.stdout).unwrap();
        built["wasm"].as_str().unwrap().to_owned()
    })
}
