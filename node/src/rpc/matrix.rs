//! Who is answered what, of which group: every method, asked by anybody and by an operator, of a group in every state. Each
//! cell is written down in `matrix.txt` beside this file, and compared.
//!
//! A cell says `yes` (the request reaches its method), `stopped` (the group does not run here), `none` (there is no such group
//! here: as of a group that exists elsewhere), `refused` (the method is for operators). `HANSE_WRITE_MATRIX=1` writes it anew,
//! to be read before it is committed.
#![allow(clippy::unwrap_used)]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use hanse_client::jsonrpc::RpcError;
use hanse_client::{codes, methods};
use hanse_group::GroupConfig;
use hanse_types::crypto::Signer;
use hanse_types::{Founding, Genesis, Params};
use serde_json::json;

use super::admin::Operator;
use super::caller::Caller;
use super::dispatch::{self, Answer};
use super::listener::Peer;
use super::{Capacity, Server, Setup};
use crate::groups::{Accept, ChainFolder, Groups, Housekeeping, Shared};
use crate::keys::dev;
use crate::metrics::Metrics;

/// States of a group on a node, by the names of groups that are in them.
const STATES: [&str; 5] = ["running", "stopped", "left", "invited", "unknown"];
/// Cells that there have to be, so that nobody takes half of them away.
const CELLS_LEAST: usize = 500;

fn genesis(group: &str) -> Genesis {
    let usual = dev_genesis();
    Genesis { group_id: group.into(), ..usual }
}

fn dev_genesis() -> Genesis {
    let genesis = crate::dev::example_genesis();
    Genesis { params: Params { block_interval_ms: 1, ..Params::default() }, ..genesis }
}

/// A node with a group in each state; the running one is its home.
async fn server(folder: &std::path::Path) -> Arc<Server> {
    let folder = ChainFolder(folder.to_owned());
    let small = |genesis| GroupConfig { threads: 1, ..GroupConfig::new(genesis, folder.group()) };
    let (metrics, log) = (Metrics::new(), super::mutated::log());
    let shared = Shared {
        signer: Arc::new(dev::validator(0)),
        net: None,
        housekeeping: Housekeeping::default(),
        metrics: metrics.clone(),
        log: log.clone(),
    };
    let groups = Groups::open(shared, small(genesis("running")), None, folder.clone(), Accept::Ask).await.unwrap();
    for name in ["stopped", "left"] {
        groups.create(genesis(name)).await.unwrap();
    }
    groups.stop("stopped").await.unwrap();
    groups.leave("left", true).await.unwrap();
    groups.invite(Founding::new(genesis("invited")).unwrap(), Some(dev::validator(1).public_key())).await.unwrap();
    Server::new(Setup {
        groups,
        net: None,
        capacity: Capacity::default(),
        metrics,
        serve_metrics: false,
        log,
        development: None,
        admin: None,
    })
}

async fn cell(server: &Arc<Server>, caller: &Caller, method: &str, group: &str) -> &'static str {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": { "group": group } }).to_string();
    let Answer::Single(response) = dispatch::answer(server, caller, body.as_bytes()).await else {
        panic!("one request has one answer");
    };
    let of_group = |error: &RpcError| error.message.contains("group") && error.message.contains(group);
    match response.error {
        Some(error) if error.is(codes::NO_SUCH_RIGHT) => "refused",
        Some(error) if error.is(codes::GROUP_STOPPED) && of_group(&error) => "stopped",
        Some(error) if error.is(codes::NOT_FOUND) && of_group(&error) => "none",
        _ => "yes",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_method_answers_each_caller_of_each_state_as_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path()).await;
    let anyone = Caller::Anyone(Peer(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    let operator = Caller::Operator(Operator("a test".into()));
    let mut rows =
        vec![format!("{:22} {:9} {}", "method", "caller", STATES.map(|state| format!("{state:8}")).join(" "))];
    let mut cells = 0;
    for method in methods::all() {
        for (name, caller) in [("anyone", &anyone), ("operator", &operator)] {
            let mut row = format!("{:22} {name:9}", method.name);
            for group in STATES {
                row += &format!(" {:8}", cell(&server, caller, method.name, group).await);
                cells += 1;
            }
            rows.push(row);
        }
    }
    let found: String = rows.iter().map(|row| row.trim_end().to_owned() + "\n").collect();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rpc/matrix.txt");
    if std::env::var_os("HANSE_WRITE_MATRIX").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    for (found, written) in found.lines().zip(written.lines()) {
        assert_eq!(found, written);
    }
    assert_eq!(found.lines().count(), written.lines().count());
    println!("{cells} cells of methods, callers and states");
    assert!(cells >= CELLS_LEAST, "{cells}");
    server.end();
    assert!(server.groups.close(std::time::Duration::from_secs(30)).await);
}
