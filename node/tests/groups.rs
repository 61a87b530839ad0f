//! Groups of running nodes: founded by invitation, used beside each other, stopped, left and removed.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::Node;
use common::consortium::{Consortium, PATIENCE, payment, treasury, until, until_connected};
use hanse_client::methods::{BlockAt, BlockParams, GetBlock, ListGroups, NoParams};
use hanse_client::views::GroupView;
use hanse_client::{Call, ChainContext, Client, ClientError, Contract, codes};
use hanse_types::crypto::Signer;
use hanse_types::{Hash, Height};
use serde_json::{Value, json};

/// What a node that does not take part never has anything of.
const SECRET: &str = "canary-4cb1f0d9";

async fn height(client: &Client) -> Height {
    client.chain_info().await.unwrap().height
}

async fn hash_at(client: &Client, height: Height) -> Hash {
    let params = BlockParams { at: BlockAt::Height(height), ..BlockParams::default() };
    client.call::<GetBlock>(params).await.unwrap().header.hash
}

async fn pay(client: &Client, number: u64) -> Height {
    let context = ChainContext::from(&client.chain_info().await.unwrap());
    let paid = client.submit_and_wait(&payment(&context, number), PATIENCE).await.unwrap();
    paid.receipt().unwrap().height
}

async fn group(client: &Client, name: &str) -> Option<GroupView> {
    client.call::<ListGroups>(NoParams {}).await.unwrap().groups.into_iter().find(|group| group.name == name)
}

async fn until_state(client: &Client, name: &str, state: &str) {
    let is = |found: &Option<GroupView>| found.as_ref().is_some_and(|group| group.state == state);
    until(&format!("{name} is {state}"), || group(client, name), is).await;
}

fn funds() -> String {
    format!("{}=1_000_000", treasury().public_key().address())
}

/// All nodes of a chain, connected.
async fn started(consortium: &Consortium, count: usize, variables: &[(&str, &str)]) -> Vec<Node> {
    let nodes: Vec<Node> = (1..=count).map(|number| consortium.start_with(number, variables)).collect();
    for node in &nodes {
        until_connected(&node.client(), count - 1).await;
    }
    nodes
}

/// Files below this folder that have the text in them or in their names.
fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let in_name = path.file_name().unwrap().to_string_lossy().contains(text);
        let in_bytes = |bytes: Vec<u8>| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        match path.is_dir() {
            true => found.extend(files_with(&path, text)),
            false if std::fs::read(&path).is_ok_and(in_bytes) => found.push(path.display().to_string()),
            false => {}
        }
        if in_name {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn three_of_four_found_a_group_that_the_fourth_knows_nothing_of() {
    let consortium = Consortium::new(4);
    let mut nodes = started(&consortium, 4, &[]).await;
    let began = Instant::now();
    let create =
        ["group", "create", SECRET, "--member", "node-2,node-4", "--consensus", "raft", "--commitment", "merkle"];
    let treasurer = treasury().public_key().address().to_string();
    let terms = ["--block-interval", "20", "--account", &funds(), "--administrator", &treasurer];
    let made = nodes[0].run(&[&create[..], &terms].concat());
    assert_eq!((&made["state"], &made["members"], &made["unsigned"]), (&json!("running"), &json!(3), &json!([])));
    let inside: Vec<Client> = [0, 1, 3].map(|at: usize| nodes[at].client().in_group(SECRET)).into();
    let first = pay(&inside[0], 1).await;
    println!("from the command to the first block of the new group: {} ms", began.elapsed().as_millis());
    // Two of three are enough for that, and each opens it by itself.
    for member in [0, 1, 3] {
        until_state(&nodes[member].client(), SECRET, "running").await;
    }
    for (number, client) in inside.iter().enumerate() {
        until("the group's first block is everywhere", || height(client), |height| *height >= first).await;
        pay(client, 10 + number as u64).await;
    }

    // The chain of all goes on beside it, with another history.
    let all = nodes[2].client();
    pay(&all, 1).await;
    assert_ne!(hash_at(&all, Height(0)).await, hash_at(&inside[0], Height(0)).await);

    // Whoever does not take part can't tell it from a group that nobody has.
    for name in [SECRET, "canary-00000000"] {
        let error = all.in_group(name).chain_info().await.unwrap_err();
        assert_eq!(error.to_string(), format!("there is no group {name:?} on this node, which has main"));
        let ClientError::Refused(error) = error else { panic!("{error}") };
        assert!(error.is(codes::NOT_FOUND) && error.hint().unwrap().contains("hanse group list"), "{error:?}");
    }
    let figures = reqwest::get(format!("{}/metrics", nodes[2].url)).await.unwrap().text().await.unwrap();
    let listed = nodes[2].run(&["group", "list"]).to_string() + &nodes[2].run(&["net", "peers"]).to_string();
    assert!(!figures.contains(SECRET) && !listed.contains(SECRET), "{listed}");
    let found = files_with(&consortium.folder().join("all/node-3"), SECRET);
    assert!(found.is_empty(), "{found:?}");
    assert!(!files_with(&consortium.folder().join("all/node-1/data"), SECRET).is_empty(), "it would be found");

    // One of three stops, and the others go on without it; the chain of all with it.
    assert_eq!(nodes[1].run(&["group", "stop", SECRET])["state"], "stopped");
    let error = inside[1].chain_info().await.unwrap_err();
    assert!(error.is(codes::GROUP_STOPPED) && error.to_string().contains("hanse group start"), "{error}");
    pay(&inside[2], 20).await;
    pay(&nodes[1].client(), 20).await;
    // What an operator decided holds after a crash.
    nodes.remove(1).kill();
    nodes.insert(1, consortium.start(2));
    until_connected(&nodes[1].client(), 3).await;
    let inside_of_second = nodes[1].client().in_group(SECRET);
    until_state(&nodes[1].client(), SECRET, "stopped").await;
    assert_eq!(nodes[1].run(&["group", "start", SECRET])["state"], "running");
    let newest = pay(&inside[0], 30).await;
    until("it has caught up", || height(&inside_of_second), |height| *height >= newest).await;
    assert_eq!(hash_at(&inside_of_second, newest).await, hash_at(&inside[0], newest).await);

    // Who is made a member later is told of the group, also if it was not there then.
    nodes.remove(2).kill();
    let late = consortium.made["nodes"][2]["key"].as_str().unwrap();
    let args = borsh::to_vec(&("node-3", late, hanse_types::Role::Observer)).unwrap();
    let context = ChainContext::from(&inside[0].chain_info().await.unwrap());
    let add = Call::new(Contract::native(5), "add", args).sign(&context, &treasury()).unwrap();
    inside[0].submit_and_wait(&add, PATIENCE).await.unwrap().receipt().unwrap();
    nodes.insert(2, consortium.start(3));
    until_state(&nodes[2].client(), SECRET, "running").await;
    let newest = height(&inside[0]).await;
    let inside_of_third = nodes[2].client().in_group(SECRET);
    until("the new member has caught up", || height(&inside_of_third), |height| *height >= newest).await;

    // It is missed, so it does not just leave; and what it had goes at a second word only.
    let (_, error) = nodes[1].fail(&["group", "leave", SECRET]);
    assert_eq!(error["code"], codes::GROUP_STATE.code, "{error}");
    let (_, error) = nodes[1].fail(&["group", "remove", SECRET, "--yes"]);
    assert!(error["message"].as_str().unwrap().contains("is active"), "{error}");
    assert_eq!(nodes[1].run(&["group", "leave", SECRET, "--force"])["state"], "left");
    let folder = consortium.folder().join("all/node-2/data/groups").join(SECRET);
    assert!(folder.exists());
    let (code, error) = nodes[1].fail(&["group", "remove", SECRET]);
    assert!(code == 2 && error["hint"].as_str().unwrap().contains("--yes"), "{error}");
    nodes[1].run(&["group", "remove", SECRET, "--yes"]);
    assert!(!folder.exists());
    pay(&inside[2], 40).await;
    nodes.into_iter().for_each(Node::stop);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_asked_and_says_yes_or_no() {
    let consortium = Consortium::new(2);
    let ask = [("HANSE_GROUPS__ACCEPT", "ask")];
    let mut nodes = started(&consortium, 2, &ask).await;
    let create = |name: &str| -> Value {
        nodes[0].run(&["group", "create", name, "--member", "node-2", "--wait", "0", "--account", &funds()])
    };
    for name in ["loans", "bonds"] {
        let made = create(name);
        assert_eq!((&made["state"], &made["unsigned"][0]["name"]), (&json!("agreed"), &json!("node-2")), "{made}");
        until_state(&nodes[1].client(), name, "invited").await;
    }
    let error = nodes[1].client().in_group("loans").chain_info().await.unwrap_err();
    assert!(error.to_string().contains("hanse group accept"), "{error}");

    // An invitation outlives a crash of both.
    for (at, number) in [(0, 1), (1, 2)] {
        nodes.remove(at).kill();
        nodes.insert(at, consortium.start_with(number, &ask));
    }
    until_connected(&nodes[0].client(), 1).await;
    until_state(&nodes[1].client(), "loans", "invited").await;
    let (_, error) = nodes[1].fail(&["group", "start", "loans"]);
    assert!(error["message"].as_str().unwrap().contains("accept the invitation first"), "{error}");
    assert_eq!(nodes[1].run(&["group", "accept", "loans"])["state"], "running");
    until_state(&nodes[0].client(), "loans", "running").await;
    pay(&nodes[0].client().in_group("loans"), 1).await;

    nodes[1].run(&["group", "decline", "bonds"]);
    assert!(group(&nodes[1].client(), "bonds").await.is_none());
    assert_eq!(group(&nodes[0].client(), "bonds").await.unwrap().state, "agreed");
    // It is told of again to whoever connects, before what comes later in the alphabet; and is not heard.
    for (at, number) in [(0, 1), (1, 2)] {
        nodes.remove(at).kill();
        nodes.insert(at, consortium.start_with(number, &ask));
    }
    until_connected(&nodes[0].client(), 1).await;
    nodes[0].run(&["group", "create", "notes", "--member", "node-2", "--wait", "0", "--account", &funds()]);
    until_state(&nodes[1].client(), "notes", "invited").await;
    assert!(group(&nodes[1].client(), "bonds").await.is_none());
    // Its operators may think better of it.
    let file = consortium.folder().join("bonds.json");
    std::fs::write(&file, nodes[0].run(&["group", "export", "bonds"]).to_string()).unwrap();
    assert_eq!(nodes[1].run(&["group", "import", file.to_str().unwrap()])["state"], "invited");
    assert_eq!(nodes[1].run(&["group", "accept", "bonds"])["state"], "running");
    let (_, error) = nodes[1].fail(&["group", "decline", "loans"]);
    assert!(error["message"].as_str().unwrap().contains("is running, not an invitation"), "{error}");
    nodes.into_iter().for_each(Node::stop);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_is_refused_and_nothing_of_it_stays() {
    let consortium = Consortium::new(2);
    let nodes = started(&consortium, 2, &[]).await;
    let refused = |args: &[&str], code: i32, expected: &str| {
        let (exit, error) = nodes[0].fail(args);
        let text = error["message"].as_str().unwrap();
        let is = error["code"].as_i64().unwrap_or(exit.into());
        assert!(is == i64::from(code) && text.contains(expected), "{args:?}: {exit} {error}");
    };
    const USAGE: i32 = 2;
    refused(&["group", "create", "main", "--member", "node-2"], codes::EXISTS.code, "has a group \"main\" already");
    refused(&["group", "create", "trade", "--member", "bank"], USAGE, "which has node-1, node-2");
    refused(&["group", "create", "tra/de"], USAGE, "group_id");
    refused(&["group", "create", "trade", "--member", "node-2", "--consensus", "solo"], USAGE, "exactly one");
    refused(&["group", "accept", "trade"], codes::NOT_FOUND.code, "which has main");
    refused(&["group", "accept", "main"], codes::GROUP_STATE.code, "there is no invitation");
    refused(&["group", "leave", "main", "--force"], codes::GROUP_STATE.code, "the node's configuration");
    refused(&["group", "remove", "main", "--yes"], codes::GROUP_STATE.code, "the node's configuration");
    refused(&["group", "export", "main"], codes::GROUP_STATE.code, "its genesis is a file");
    refused(&["--group", "trade", "status"], codes::NOT_FOUND.code, "there is no group \"trade\"");
    assert_eq!(nodes[0].run(&["group", "list"])["groups"].as_array().unwrap().len(), 1);

    // A founding in a file is what the network would have brought; a changed one is none.
    let made = nodes[0].run(&["group", "create", "trade", "--member", "node-2", "--account", &funds()]);
    assert_eq!(made["state"], "running");
    let mut founding = nodes[0].run(&["group", "export", "trade"]);
    let file = consortium.folder().join("trade.json");
    let import = |founding: &Value| {
        std::fs::write(&file, founding.to_string()).unwrap();
        nodes[1].hanse(&["--json", "group", "import", file.to_str().unwrap()])
    };
    let taken = import(&founding);
    assert!(taken.status.success(), "{}", String::from_utf8_lossy(&taken.stderr));
    founding["genesis"]["params"]["block_interval_ms"] = json!(1);
    let said = String::from_utf8(import(&founding).stderr).unwrap();
    assert!(said.contains("is not its signature under this genesis"), "{said}");

    // Stopping the configured group leaves the other running, and the node reachable.
    assert_eq!(nodes[1].run(&["group", "stop", "main"])["state"], "stopped");
    pay(&nodes[0].client().in_group("trade"), 7).await;
    let ready = reqwest::get(format!("{}/ready", nodes[1].url)).await.unwrap();
    assert_eq!((ready.status().as_u16(), ready.text().await.unwrap()), (503, "the group main is stopped\n".into()));
    let ready = reqwest::get(format!("{}/ready?group=trade", nodes[1].url)).await.unwrap();
    assert_eq!(ready.status().as_u16(), 200);
    assert_eq!(nodes[1].run(&["group", "start", "main"])["state"], "running");
    pay(&nodes[1].client(), 8).await;
    nodes.into_iter().for_each(Node::stop);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_development_chain_has_groups_too() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    let made =
        node.run(&["group", "create", "side", "--administrator", "alice", "--account", "alice=1_000_000_000_000"]);
    assert_eq!(
        (&made["state"], &made["consensus"], &made["role"]),
        (&json!("running"), &json!("solo"), &json!("sealer"))
    );
    let call = ["--group", "side", "contract", "call", "account", "transfer", "--to", "bob", "--amount", "5"];
    assert_eq!(node.run(&call)["status"], "success");
    let balance = |group: &str| node.run(&["--group", group, "contract", "query", "account", "balance_of", "bob"]);
    assert_eq!(balance("side")["result"], "5");
    assert_ne!(balance("main")["result"], "5");
    // In bulk, and as a stream.
    let side = node.client().in_group("side");
    let mut blocks = side.blocks(Some(Height(1)));
    let (_, block) = blocks.next().await.unwrap();
    assert_eq!(block.header.hash, hash_at(&side, Height(1)).await);
    let sent = node.run(&["--group", "side", "bench", "--transactions", "200", "--batch", "50", "--connections", "2"]);
    assert_eq!(sent["failed"], 0, "{sent}");
    assert!(height(&side).await > Height(1) && height(&node.client()).await == Height(0));
    // A signature for one group is worth nothing in another.
    let context = ChainContext::from(&side.chain_info().await.unwrap());
    let error = node.client().submit_and_wait(&payment(&context, 1), Duration::from_secs(5)).await.unwrap_err();
    assert!(error.is(codes::WRONG_CHAIN), "{error}");
    let (exit, error) = node.fail(&["group", "create", "far", "--member", "x=ed25519:5f5f"]);
    assert!(exit == 2 && error["message"].as_str().unwrap().contains("64 hexadecimal digits"), "{error}");
    node.stop();
}
