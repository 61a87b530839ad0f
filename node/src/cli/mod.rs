//! The command line: a noun, then a verb.
//!
//! Rules that every command keeps, so that scripts can rely on them: results go to standard output and everything else
//! to standard error; `--json` gives one JSON value; exit codes say how far a request came ([`exit`]); nothing is asked
//! unless standard input is a terminal; wherever an address is expected, a name does.

mod admin;
mod admission;
mod arguments;
mod bench;
mod bindings;
mod build;
mod ca;
mod chain;
mod changes;
mod config;
mod console;
mod consortium;
mod contract;
mod doctor;
pub(crate) mod exit;
mod failed;
mod founding;
mod gas_table;
mod grammar;
mod group;
mod help;
mod host;
mod init;
mod key;
mod ledger;
mod light;
mod log;
mod member;
mod name;
mod net;
mod new;
mod offline;
pub(crate) mod output;
mod parallel;
mod proof;
pub(crate) mod session;
mod start;
mod state;
mod storage;
mod test;
mod timeline;
mod top;
mod trace;
mod watch;

use std::io::Write;
use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, FromArgMatches, Parser, Subcommand};
use hanse_client::submit::COMMIT_TIMEOUT;

use crate::dev::{self, DevArgs};
use exit::Failure;
use output::Output;

/// Address of the node that `hanse dev` starts.
pub(crate) const DEFAULT_RPC: &str = "http://127.0.0.1:7420";
/// Its port.
pub(crate) const DEFAULT_PORT: u16 = 7420;
/// Where nodes connect to each other.
pub(crate) const DEFAULT_NETWORK_PORT: u16 = 7430;

#[derive(Debug, Parser)]
#[command(name = "hanse", version, about = "A consortium ledger: run a chain, build contracts, call them")]
#[command(disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// Address of the node
    #[arg(long, global = true, env = "HANSE_RPC", default_value = DEFAULT_RPC, value_name = "URL")]
    pub(crate) rpc: String,
    /// The node's group; the one of its configuration if not given
    #[arg(long, global = true, env = "HANSE_GROUP", value_name = "NAME")]
    pub(crate) group: Option<String>,
    /// Print results as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print results and errors only
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Who signs or asks: a development account such as alice, or a key of `hanse key list`
    #[arg(long, global = true, env = "HANSE_FROM", default_value = "alice", value_name = "NAME")]
    pub(crate) from: String,
    /// File with the password of the key, instead of HANSE_KEY_PASSWORD or a question
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) password_file: Option<std::path::PathBuf>,
    /// How long a transaction is awaited until it is in a block; then its outcome is unknown, and the exit code 5
    #[arg(long, global = true, env = "HANSE_COMMIT_TIMEOUT", default_value_t = COMMIT_TIMEOUT.as_secs(), value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(COMMIT_TIMEOUTS))]
    commit_timeout: u64,
}

/// For how many seconds a transaction may be awaited.
const COMMIT_TIMEOUTS: RangeInclusive<u64> = 1..=86_400;

impl Common {
    /// The default of all but the node.
    #[cfg(test)]
    fn at(rpc: &str) -> Common {
        let commit_timeout = COMMIT_TIMEOUT.as_secs();
        let (rpc, from) = (rpc.into(), "alice".into());
        Common { rpc, group: None, json: false, quiet: false, from, password_file: None, commit_timeout }
    }

    /// How long a transaction is awaited.
    pub(crate) fn commit_timeout(&self) -> Duration {
        Duration::from_secs(self.commit_timeout)
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a chain on this machine, for development
    Dev(DevArgs),
    /// Write the configuration, the key and the genesis of a new chain's node
    Init(init::InitArgs),
    /// Make a chain of several nodes, and run them on this machine
    #[command(subcommand)]
    Chain(consortium::ChainCommand),
    /// Run a node as a service, by its configuration
    Start(start::StartArgs),
    /// Follow a chain without trusting any node
    #[command(subcommand)]
    Light(light::LightCommand),
    /// Look for what is wrong with this machine, a configuration or a node, and say what to do
    Doctor(doctor::DoctorArgs),
    /// Change what a running node logs
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Check and print a node's configuration
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Write, build, deploy and call contracts
    #[command(subcommand)]
    Contract(contract::ContractCommand),
    /// Found groups with other nodes, join and leave them, and list those of the node
    #[command(subcommand)]
    Group(group::GroupCommand),
    /// Take members into the group and out of it, and list them
    #[command(subcommand)]
    Member(member::MemberCommand),
    /// Say who is let into the network and who is kept out, by transaction
    #[command(subcommand)]
    Admission(admission::AdmissionCommand),
    /// Register, show and list names of contracts
    #[command(subcommand)]
    Name(name::NameCommand),
    /// Look at the network between nodes, and say who is let in
    #[command(subcommand)]
    Net(net::NetCommand),
    /// Make an organisation's authority and the certificates of its nodes
    #[command(subcommand)]
    Ca(ca::CaCommand),
    /// Make and list signing keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Look at transactions
    #[command(subcommand)]
    Tx(chain::TxCommand),
    /// Look at blocks
    #[command(subcommand)]
    Block(chain::BlockCommand),
    /// Look at the state, now and in the past
    #[command(subcommand)]
    State(state::StateCommand),
    /// Snapshot, restore, check and prune a ledger
    #[command(subcommand)]
    Ledger(ledger::LedgerCommand),
    /// Look at events
    #[command(subcommand)]
    Event(chain::EventCommand),
    /// How parallel the chain is, and why not more
    #[command(subcommand)]
    Stats(parallel::StatsCommand),
    /// The chain, its newest block, the node's pool
    Status,
    /// Show how the chain is doing on one screen, kept up to date
    Top(top::TopArgs),
    /// Read commands line by line, with history and completion on a terminal
    Console,
    /// Send a load of transfers to a running node and measure
    Bench(bench::BenchArgs),
    /// Explain an error code, or list them all
    Errors {
        /// Its number or its name
        #[arg(allow_negative_numbers = true)]
        code: Option<String>,
    },
    /// Print what completes commands in a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print what a command does, or with `errors` what an error code means
    Help {
        /// The command, or `errors` and a code's number or name
        #[arg(value_name = "COMMAND", allow_negative_numbers = true)]
        words: Vec<String>,
    },
}

/// Parses the command line, runs the command, gives the exit code.
pub(crate) fn main() -> ExitCode {
    let parsed = grammar::grammar().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        // Programs are told in JSON what they got wrong; people with colours, and help where they asked for it.
        Err(error) if error.exit_code() != 0 && std::env::args().any(|word| word == "--json") => {
            return Failure::from(error).report(true);
        }
        Err(error) => error.exit(),
    };
    let json = cli.common.json;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::error(format!("the process can't start its threads: {error}")).report(json),
    };
    match runtime.block_on(run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let common = cli.common;
    let output = Output { json: common.json, quiet: common.quiet };
    match cli.command {
        Command::Dev(DevArgs { command: Some(command), .. }) => dev::command(command, &common).await,
        Command::Dev(args) => dev::run(args, output.json).await.map_err(|error| Failure::error(error.to_string())),
        Command::Init(args) => init::run(args, &common, output),
        Command::Chain(command) => consortium::run(command, &common, output).await,
        Command::Start(args) => start::run(args, &common, output).await,
        Command::Light(command) => light::run(command, output).await,
        Command::Doctor(args) => doctor::run(args, &common, output).await,
        Command::Log(command) => log::run(command, &common, output).await,
        Command::Config(command) => config::run(command, output),
        Command::Contract(command) => contract::run(command, common).await,
        Command::Group(command) => group::run(command, &common, output).await,
        Command::Member(command) => member::run(command, &common).await,
        Command::Admission(command) => admission::run(command, &common).await,
        Command::Name(command) => name::run(command, &common).await,
        Command::Net(command) => net::run(command, &common).await,
        Command::Ca(command) => ca::run(command, &common, output),
        Command::Key(command) => key::run(command, &common, output),
        Command::Tx(command) => chain::tx(command, &common).await,
        Command::Block(command) => chain::block(command, &common).await,
        Command::State(command) => state::run(command, &common).await,
        Command::Ledger(command) => ledger::run(command, &common, output).await,
        Command::Event(command) => chain::event(command, &common).await,
        Command::Stats(command) => parallel::stats(command, &common).await,
        Command::Status => chain::status(&common).await,
        Command::Top(args) => top::run(args, &common).await,
        Command::Console => console::console(common).await,
        Command::Bench(args) => bench::run(args, &common).await,
        Command::Errors { code } => help::errors(code.as_deref(), output),
        Command::Completions { shell } => completions(shell),
        Command::Help { words } => help::help(&words, grammar::grammar(), output),
    }
}

fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    // Made whole before it is written: a reader that went away, such as `head`, is no failure.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut grammar::grammar(), "hanse", &mut script);
    match std::io::stdout().write_all(&script) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
