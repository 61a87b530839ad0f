//! `hanse light`: a node that follows headers and certificates alone, through nodes that it does not trust.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use hanse_client::Client;
use hanse_client::methods::NoParams;
use hanse_light::{Fork, GetLightStatus, Light, LightStatus, NodeStanding, OpenError, Standing};
use hanse_types::{Founding, Genesis, Hash};
use serde::Serialize;
use tokio::net::TcpListener;

use super::exit::{Exit, Failure};
use super::output::{Output, fields};
use crate::groups::read_genesis;
use crate::light::{self, End};
use crate::service;

/// Where a light node listens.
const LISTEN: &str = "127.0.0.1:7440";

/// What to do about a genesis that is not there, or is another.
const GENESIS_FROM: &str = "get it from the chain's founders, not from the nodes: it is the genesis.json that `hanse chain new` wrote, or \
    what `hanse group export` writes of a group; name its file with --genesis";

#[derive(Debug, Subcommand)]
pub(crate) enum LightCommand {
    /// Follow a chain from its genesis, and answer on this machine what is proven
    Start(StartArgs),
    /// How far a light node is, and what it thinks of its nodes
    Status(StatusArgs),
}

#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// File with the chain's genesis, or with its founding as `hanse group export` writes it: all that is trusted
    #[arg(long, value_name = "FILE", default_value = "genesis.json")]
    genesis: PathBuf,
    /// Hash of the genesis that it must be
    #[arg(long, value_name = "HASH")]
    genesis_hash: Option<Hash>,
    /// Address of a full node; several times for several
    #[arg(long = "node", value_name = "URL", required = true)]
    nodes: Vec<String>,
    /// File for what was followed
    #[arg(long, value_name = "FILE", default_value = "light.json")]
    file: PathBuf,
    /// Loopback address to listen at
    #[arg(long, value_name = "ADDRESS", default_value = LISTEN)]
    listen: SocketAddr,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Address of the light node
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7440")]
    light: String,
}

/// What is printed once it listens.
#[derive(Serialize)]
struct Started {
    url: String,
    genesis_hash: String,
    height: u64,
    /// The newest whose validators are known.
    epoch: u64,
}

/// What is said of a node that gives no answer of use, or gives them again.
#[derive(Serialize)]
struct Told<'a> {
    node: &'a NodeStanding,
    /// Whether no other node is of use either.
    alone: bool,
}

/// Nodes that gave no answer, or a wrong one, when it was looked last.
#[derive(Default)]
struct Silent(BTreeSet<String>);

impl Silent {
    /// Says of which nodes that has changed: whoever started this would else wait and not know for what.
    fn look(&mut self, status: &LightStatus, output: Output) {
        let is_silent = |node: &NodeStanding| matches!(node.standing, Standing::Away { .. } | Standing::Lying { .. });
        let alone = status.nodes.iter().all(is_silent);
        for node in &status.nodes {
            let changed = match is_silent(node) {
                true => self.0.insert(node.url.clone()),
                false => self.0.remove(&node.url),
            };
            if changed {
                output.warn(&Told { node, alone }, words);
            }
        }
    }
}

fn words(told: &Told<'_>) -> String {
    let Told { node, alone } = told;
    let rest = match (&node.standing, alone) {
        (Standing::Away { .. } | Standing::Lying { .. }, true) => "; no other node answers, and all are asked on",
        (Standing::Away { .. } | Standing::Lying { .. }, false) => "; it is asked on, and others are followed",
        _ => "",
    };
    format!("{} {}{rest}", node.url, standing(&node.standing))
}

/// `hanse light`.
pub(crate) async fn run(command: LightCommand, output: Output) -> Result<(), Failure> {
    match command {
        LightCommand::Start(args) => start(args, output).await,
        LightCommand::Status(StatusArgs { light }) => {
            let status = Client::new(&light)?.call::<GetLightStatus>(NoParams {}).await?;
            output.result(&status, text)
        }
    }
}

async fn start(args: StartArgs, output: Output) -> Result<(), Failure> {
    if !args.listen.ip().is_loopback() {
        let hint = "let others run a light node of their own: they would have to trust this one";
        return Err(Failure::usage(format!("{} is no loopback address", args.listen)).hint(hint));
    }
    let genesis = trusted(&args.genesis, args.genesis_hash.as_ref())?;
    let light = Light::open(&genesis, &args.file, &args.nodes).map_err(|error| match error {
        OpenError::Node(error) => error.into(),
        other => Failure::error(other.to_string()),
    })?;
    if let Some(fork) = light.fork() {
        return Err(forked(&fork));
    }
    let listener = TcpListener::bind(args.listen).await?;
    let status = light.status();
    let url = format!("http://{}", listener.local_addr()?);
    let started =
        Started { url, genesis_hash: status.genesis_hash.to_string(), height: status.height.0, epoch: status.epoch };
    output.result(&started, |started| format!("{} (from block {})", started.url, started.height))?;
    let mut silent = Silent::default();
    let watch = move |status: &LightStatus| silent.look(status, output);
    match light::run(Arc::new(light), listener, service::stop_signal()?, watch).await {
        Ok(End::Stopped) => Ok(()),
        Ok(End::Forked(fork)) => Err(forked(&fork)),
        Err(error) => Err(Failure::error(error.to_string())),
    }
}

/// The genesis that a file holds, if it has this hash.
fn trusted(path: &Path, expected: Option<&Hash>) -> Result<Genesis, Failure> {
    let founding = std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice::<Founding>(&bytes).ok());
    let genesis = match founding {
        Some(founding) => founding.genesis().clone(),
        None => read_genesis(path).map_err(|error| Failure::usage(error.to_string()).hint(GENESIS_FROM))?,
    };
    let hash = genesis.hash();
    match expected.filter(|expected| **expected != hash) {
        None => Ok(genesis),
        Some(expected) => {
            let message = format!("{}: the genesis has the hash {hash}, not {expected}", path.display());
            Err(Failure::usage(message).hint(GENESIS_FROM))
        }
    }
}

fn forked(fork: &Fork) -> Failure {
    Failure::new(Exit::Forked, fork.to_string()).detail(fork)
}

fn text(status: &LightStatus) -> String {
    let figures = status.figures;
    let each = |total: u64| total.checked_div(figures.headers).unwrap_or_default();
    let mut lines = vec![
        ("chain", format!("{} / {}", status.chain_id, status.group_id)),
        ("block", status.height.to_string()),
        ("block hash", status.block_hash.map(|hash| hash.to_string()).unwrap_or_default()),
        ("epoch", status.epoch.to_string()),
        (
            "headers",
            format!("{}, {} bytes and {} µs each", figures.headers, each(figures.bytes), each(figures.check_us)),
        ),
    ];
    lines.extend(status.nodes.iter().map(|node| ("node", format!("{} {}", node.url, standing(&node.standing)))));
    if let Some(fork) = &status.fork {
        lines.push(("fork", fork.to_string()));
    }
    fields(lines)
}

fn standing(standing: &Standing) -> String {
    match standing {
        Standing::Unknown => "was not asked yet".into(),
        Standing::Good { height } => format!("is at block {height}"),
        Standing::Lagging { height } => format!("is behind, at block {height}"),
        Standing::Away { reason } => format!("gives no answer: {reason}"),
        Standing::Lying { reason } => format!("says what is not true: {reason}"),
    }
}
