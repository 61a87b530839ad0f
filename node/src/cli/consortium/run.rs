//! `hanse chain start`, `stop` and `status`: the nodes of a chain as processes on this machine.

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

/// A node that runs.
#[derive(Serialize)]
struct Running {
    name: String,
    pid: u32,
    rpc: String,
    /// Whether this command started it.
    started: bool,
}

/// `hanse chain start`.
pub(super) async fn start(nodes: &Nodes, common: &Common, output: Output) -> Result<(), Failure> {
    let mut begun = Vec::new();
    // All of them before any is waited for: they need each other.
    for folder in nodes.folders()? {
        let process = Process::of(folder);
        let url = url(&process)?;
        let child = match process.running() {
            Some(_) => None,
            None => Some(process.start(common.password_file.as_deref())?),
        };
        begun.push((process, url, child));
    }
    let mut running = Vec::new();
    for (process, rpc, mut child) in begun {
        until_it_answers(&process, &rpc, child.as_mut()).await?;
        let pid = process.running().ok_or_else(|| has_ended(&process))?;
        running.push(Running { name: name_of(process.folder()), pid, rpc, started: child.is_some() });
    }
    output.result(&running, |running| {
        let state = |node: &Running| if node.started { "started" } else { "ran already" };
        let rows =
            running.iter().map(|node| [node.name.clone(), node.rpc.clone(), node.pid.to_string(), state(node).into()]);
        table(["node", "requests", "process", ""], rows)
    })
}

async fn until_it_answers(process: &Process, url: &str, mut child: Option<&mut Child>) -> Result<(), Failure> {
    let (client, deadline) = (Client::new(url)?, Instant::now() + START_PATIENCE);
    // Seeds answer that too.
    while client.call::<GetNodeInfo>(NoParams {}).await.is_err() {
        let ended = match &mut child {
            Some(child) => child.try_wait()?.is_some(),
            None => process.running().is_none(),
        };
        if ended {
            return Err(has_ended(process));
        }
        if Instant::now() > deadline {
            let text = format!("{} runs, but does not answer at {url}", name_of(process.folder()));
            return Err(Failure::error(text).hint("look at its log"));
        }
        tokio::time::sleep(ATTEMPT_INTERVAL).await;
    }
    Ok(())
}

fn has_ended(process: &Process) -> Failure {
    Failure::error(format!("{} has ended: {}", name_of(process.folder()), process.last_words()))
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
