//! `hanse chain start`, `stop` and `status`: the nodes of a chain as processes on this machine.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use hanse_client::Client;
use hanse_client::methods::{GetChainStatus, GetNodeInfo, GetPeers, NoParams};
use hanse_client::views::{ChainInfo, ChainStatus, NodePeers};
use serde::Serialize;

use super::super::Common;
use super::super::exit::Failure;
use super::super::output::{Output, grouped, table};
use super::process::Process;
use super::{Nodes, name_of};
use crate::config::{self, Loaded, Role};

/// How long a node may take until it takes requests: a ledger that was not closed is read again.
const START_PATIENCE: Duration = Duration::from_secs(120);
/// How long it may take to end: what is under way is written.
const STOP_PATIENCE: Duration = Duration::from_secs(60);
/// Between two questions whether it takes requests.
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(50);

/// Lines of its log that are shown where it does not get ready.
const LAST_LINES: usize = 10;

/// A node that runs.
#[derive(Serialize)]
struct Running {
    name: String,
    pid: u32,
    rpc: String,
    /// Whether this command started it.
    started: bool,
}

/// A node that is to run.
struct Begun {
    process: Process,
    rpc: String,
    /// None if it ran already.
    child: Option<Child>,
}

/// `hanse chain start`.
pub(super) async fn start(nodes: &Nodes, common: &Common, output: Output) -> Result<(), Failure> {
    let mut begun = Vec::new();
    let running = match bring_up(nodes, common, &mut begun).await {
        Ok(running) => running,
        Err(failure) => return Err(take_back(begun, failure).await),
    };
    output.result(&running, |running| {
        let state = |node: &Running| if node.started { "started" } else { "ran already" };
        let rows =
            running.iter().map(|node| [node.name.clone(), node.rpc.clone(), node.pid.to_string(), state(node).into()]);
        table(["node", "requests", "process", ""], rows)
    })
}

/// Starts all of them, then waits until each takes requests. What was begun is told also where that fails.
async fn bring_up(nodes: &Nodes, common: &Common, begun: &mut Vec<Begun>) -> Result<Vec<Running>, Failure> {
    // All of them before any is waited for: they need each other.
    for folder in nodes.folders()? {
        let process = Process::of(folder);
        let rpc = url(&process)?;
        let child = match process.running() {
            Some(_) => None,
            None => Some(process.start(common.password_file.as_deref())?),
        };
        begun.push(Begun { process, rpc, child });
    }
    let mut running = Vec::new();
    for node in begun {
        let pid = until_it_answers(node).await?;
        let name = name_of(node.process.folder());
        running.push(Running { name, pid, rpc: node.rpc.clone(), started: node.child.is_some() });
    }
    Ok(running)
}

/// Waits until a node takes requests; its process.
async fn until_it_answers(node: &mut Begun) -> Result<u32, Failure> {
    let (client, deadline) = (Client::new(&node.rpc)?, Instant::now() + START_PATIENCE);
    // Seeds answer that too.
    while client.call::<GetNodeInfo>(NoParams {}).await.is_err() {
        let ended = match &mut node.child {
            Some(child) => child.try_wait()?.is_some(),
            None => node.process.running().is_none(),
        };
        if ended {
            return Err(not_ready(&node.process, "has ended"));
        }
        if Instant::now() > deadline {
            let why = format!("has not answered at {} for {} seconds", node.rpc, START_PATIENCE.as_secs());
            return Err(not_ready(&node.process, &why));
        }
        tokio::time::sleep(ATTEMPT_INTERVAL).await;
    }
    // Another program may answer at its address.
    node.process.running().ok_or_else(|| not_ready(&node.process, "has ended"))
}

/// What is known of a node that does not get ready, with the end of its log, and what to do.
fn not_ready(process: &Process, why: &str) -> Failure {
    let (name, log) = (name_of(process.folder()), log_of(process));
    let text = format!("{name} is not ready: it {why}; the last lines of {}:\n{}", log.display(), last_lines(&log));
    Failure::error(text).hint("mend that, then start the nodes again with the same command")
}

/// Where a node said something last: in its output if it could not go on, else in its log.
fn log_of(process: &Process) -> PathBuf {
    let (output, log) =
        (process.output(), configuration(process).map(|loaded| loaded.resolve(&loaded.config.log.folder)));
    match log {
        Ok(folder) if last_lines(&output).is_empty() => folder.join(format!("{}.log", crate::log::NAMES[0])),
        _ => output,
    }
}

fn last_lines(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}

/// Stops what this command has started, as it failed: who starts again finds nothing half done. The failure, with what became
/// of the nodes.
async fn take_back(begun: Vec<Begun>, failure: Failure) -> Failure {
    let started = begun.into_iter().filter(|node| node.child.is_some());
    let stops = started.map(|node| async move {
        let stopped = node.process.stop(STOP_PATIENCE).await;
        stopped.map(|ran| ran.then(|| name_of(node.process.folder())))
    });
    let stopped: Result<Vec<Option<String>>, Failure> = futures::future::join_all(stops).await.into_iter().collect();
    match stopped {
        Ok(names) if names.iter().all(Option::is_none) => failure,
        Ok(names) => {
            let names: Vec<String> = names.into_iter().flatten().collect();
            failure.add(&format!("stopped again, as this command had started them: {}", names.join(", ")))
        }
        Err(error) => failure.add(&format!("what this command had started runs on in part: {}", error.message())),
    }
}

/// `hanse chain stop`.
pub(super) async fn stop(nodes: &Nodes, output: Output) -> Result<(), Failure> {
    let mut stopped = Vec::new();
    for folder in nodes.folders()? {
        let name = name_of(&folder);
        if Process::of(folder).stop(STOP_PATIENCE).await? {
            stopped.push(name);
        }
    }
    output.result(&stopped, |stopped| match stopped.is_empty() {
        true => "none of them ran".into(),
        false => format!("stopped {}", stopped.join(", ")),
    })
}

/// How a node is doing.
#[derive(Serialize)]
struct Seen {
    name: String,
    rpc: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain: Option<ChainInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<ChainStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<NodePeers>,
    /// Why it says nothing, if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// `hanse chain status`.
pub(super) async fn status(nodes: &Nodes, output: Output) -> Result<(), Failure> {
    let mut seen = Vec::new();
    for folder in nodes.folders()? {
        seen.push(look(&Process::of(folder)).await?);
    }
    output.result(&seen, |seen| {
        let head = ["node", "process", "requests", "height", "block", "round", "peers", "state"];
        table(head, seen.iter().map(row))
    })
}

async fn look(process: &Process) -> Result<Seen, Failure> {
    let (loaded, pid) = (configuration(process)?, process.running());
    let (rpc, is_seed) = (url_of(process, &loaded)?, loaded.config.network.role == Role::Seed);
    let name = name_of(process.folder());
    let mut seen = Seen { name, rpc, pid, chain: None, status: None, network: None, error: None };
    let client = Client::new(&seen.rpc)?;
    let asked = async {
        seen.network = Some(client.call::<GetPeers>(NoParams {}).await?);
        if !is_seed {
            seen.chain = Some(client.chain_info().await?);
            seen.status = Some(client.call::<GetChainStatus>(NoParams {}).await?);
        }
        Ok::<(), hanse_client::ClientError>(())
    };
    seen.error = asked.await.err().map(|error| error.to_string());
    Ok(seen)
}

fn row(seen: &Seen) -> [String; 8] {
    let chain = seen.chain.as_ref();
    let agreement = seen.status.as_ref().and_then(|status| status.agreement.as_ref());
    let peers = |network: &NodePeers| {
        let connected = network.peers.iter().filter(|peer| peer.connected_ms.is_some()).count();
        format!("{connected} of {}", network.peers.len())
    };
    let state = match (seen.pid, &seen.error, chain.and_then(|chain| chain.stopped.as_ref())) {
        (None, ..) => "does not run".into(),
        (_, Some(error), _) => error.clone(),
        (_, _, Some(reason)) => format!("stopped: {reason}"),
        _ => "running".into(),
    };
    [
        seen.name.clone(),
        seen.pid.map(|pid| pid.to_string()).unwrap_or_default(),
        seen.rpc.clone(),
        chain.map(|chain| grouped(chain.height.0)).unwrap_or_default(),
        chain.map(|chain| chain.block_hash.to_string().chars().take(18).collect()).unwrap_or_default(),
        agreement.map(|agreement| agreement.round.to_string()).unwrap_or_default(),
        seen.network.as_ref().map(peers).unwrap_or_default(),
        state,
    ]
}

/// Where the node takes requests.
fn url(process: &Process) -> Result<String, Failure> {
    url_of(process, &configuration(process)?)
}

fn configuration(process: &Process) -> Result<Loaded, Failure> {
    Ok(Loaded::read(&process.configuration(), config::load::environment())?)
}

fn url_of(process: &Process, loaded: &Loaded) -> Result<String, Failure> {
    let listen = loaded.config.rpc.listen;
    if listen.port() == 0 {
        let text = format!("{}: rpc.listen has port 0, so nobody knows where it is", process.configuration().display());
        return Err(Failure::usage(text).hint("give it a port of its own"));
    }
    let host = if listen.ip().is_unspecified() { std::net::Ipv4Addr::LOCALHOST.into() } else { listen.ip() };
    Ok(format!("http://{}", std::net::SocketAddr::new(host, listen.port())))
}
