//! Who is let in among processes: by certificates that are good, missing, foreign, expired, renewed; denied and allowed while
//! they run.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::consortium::{Consortium, peers, until, until_connected};
use common::{Node, hanse};
use hanse_client::Client;
use hanse_client::methods::{GetAdmission, NoParams};
use hanse_client::views::PeerView;
use serde_json::Value;

/// Runs `hanse ca`, which must succeed.
fn ca(folder: &Path, args: &[&str]) -> Value {
    let output = hanse(folder, &[&["--json", "ca"], args].concat());
    assert!(output.status.success(), "hanse ca {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// How often a node refused for this reason.
async fn refused(url: &str, reason: &str) -> u64 {
    let text = reqwest::get(format!("{url}/metrics")).await.unwrap().text().await.unwrap();
    let name = format!("hanse_net_refused_total{{reason=\"{reason}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
}

async fn until_refused(node: &Node, reason: &str) {
    until(reason, || refused(&node.url, reason), |count| *count > 0).await;
}

/// What a node sees of another.
async fn peer(client: &Client, name: &str) -> PeerView {
    peers(client).await.peers.into_iter().find(|peer| peer.name == name).unwrap()
}

fn certificate_of(number: usize) -> String {
    format!("all/node-{number}/node.crt")
}

fn authority_of(number: usize) -> String {
    format!("all/authorities/org-{number}")
}

/// The system log of a node.
fn log_of(consortium: &Consortium, number: usize) -> String {
    let folder = consortium.folder().join(format!("all/node-{number}/log"));
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with("system"));
    files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// Lines are written behind what they tell.
async fn until_logged(consortium: &Consortium, number: usize, words: &str) {
    until("it is in the log", || async { log_of(consortium, number) }, |log| log.contains(words)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_let_in_by_a_certificate_and_by_nothing_else() {
    let consortium = Consortium::new(2);
    let folder = consortium.folder();
    let node = consortium.start(1);
    let nodes = &consortium.made["nodes"];
    assert_eq!((nodes[0]["organisation"].as_str(), nodes[1]["organisation"].as_str()), (Some("org-1"), Some("org-2")));

    // None.
    let other = consortium.start_with(2, &[("HANSE_NETWORK__CERTIFICATE", "")]);
    until_refused(&node, "no_certificate").await;
    let client = other.client();
    let told = until(
        "it is told what to do",
        || peer(&client, "node-1"),
        |peer| peer.error.as_ref().is_some_and(|error| error.contains("its log says why")),
    );
    assert_ne!(told.await.state, "ready");
    other.stop();
    until_logged(&consortium, 1, "it presented no certificate").await;

    // One of an authority that nobody trusts.
    ca(folder, &["new", "elsewhere", "--organisation", "Elsewhere", "--plain-key"]);
    let key = nodes[1]["key"].as_str().unwrap();
    let issue = |by: &str, out: &str, more: &[&str]| {
        ca(folder, &[&["issue", "--ca", by, "--name", "node-2", "--key", key, "--out", out], more].concat())
    };
    issue("elsewhere", "all/node-2/foreign.crt", &[]);
    let other = consortium.start_with(2, &[("HANSE_NETWORK__CERTIFICATE", "foreign.crt")]);
    until_refused(&node, "certificate_authority").await;
    other.stop();

    // One that has expired, which `config check` says.
    issue(&authority_of(2), "all/node-2/short.crt", &["--seconds", "1"]);
    let path = folder.join("all/node-2/short.crt");
    let expired = || async { ca(folder, &["show", path.to_str().unwrap()]) };
    until("it expires", expired, |shown| shown.get("error").is_some()).await;
    let other = consortium.start_with(2, &[("HANSE_NETWORK__CERTIFICATE", "short.crt")]);
    until_refused(&node, "certificate_time").await;
    other.stop();

    // Somebody else's: the node does not even start.
    std::fs::copy(folder.join(certificate_of(1)), folder.join("all/node-2/others.crt")).unwrap();
    std::fs::rename(folder.join("all/node-2/others.crt"), folder.join(certificate_of(2))).unwrap();
    let check = hanse(folder, &["config", "check", "--config", "all/node-2/hanse.toml"]);
    let text = String::from_utf8_lossy(&check.stderr).into_owned() + &String::from_utf8_lossy(&check.stdout);
    assert!(!check.status.success() && text.contains("is for the key"), "{text}");

    // Its own.
    issue(&authority_of(2), &certificate_of(2), &[]);
    let other = consortium.start(2);
    until_connected(&node.client(), 1).await;
    let seen = peer(&node.client(), "node-2").await.certificate.unwrap();
    assert_eq!((seen.organisation.as_str(), seen.key.as_str(), seen.error), ("org-2", key, None));
    let shown = String::from_utf8(node.hanse(&["net", "list"]).stdout).unwrap();
    assert!(shown.contains("a certificate of a trusted authority") && shown.contains("org-2 CA"), "{shown}");
    let doctor = hanse(folder, &["doctor", "--config", "all/node-2/hanse.toml"]);
    let text = String::from_utf8(doctor.stdout).unwrap();
    assert!(
        text.contains("days left, as this clock says") && text.contains("certified by CN=org-1 CA,O=org-1"),
        "{text}"
    );
    let figures = reqwest::get(format!("{}/metrics", node.url)).await.unwrap().text().await.unwrap();
    assert!(
        figures.contains("hanse_net_certificate_end_timestamp_seconds{kind=\"node\",name=\"node-1\"}"),
        "{figures}"
    );
    other.stop();
    node.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_denied_is_cut_off_within_a_second_and_stays_out_until_allowed() {
    let consortium = Consortium::new(2);
    let (mut node, other) = (consortium.start(1), consortium.start(2));
    until_connected(&node.client(), 1).await;
    until_connected(&other.client(), 1).await;
    let [key, authority] = [peer(&node.client(), "node-2").await.key.unwrap(), {
        ca(consortium.folder(), &["show", &format!("{}/ca.crt", authority_of(2))])["key"].as_str().unwrap().to_owned()
    }];
    for denied in [&key, &authority] {
        let lists = node.run(&["net", "deny", denied]);
        let told = Instant::now();
        assert!(lists["denied"][0]["key"] == **denied && lists["denied"][0]["by"] == "operator", "{lists}");
        let client = node.client();
        let cut = || async { peer(&client, "node-2").await.connected_ms };
        until("it is cut off", cut, |connected| connected.is_none()).await;
        let took = told.elapsed();
        println!("a node was cut off {} ms after it was denied", took.as_millis());
        assert!(took < Duration::from_secs(10), "{took:?}");
        let client = other.client();
        until("both know", || peer(&client, "node-1"), |peer| peer.state != "ready").await;
        // It stays out after a restart of the one that denies.
        node.stop();
        node = consortium.start(1);
        until_refused(&node, if denied == &key { "denied" } else { "authority_denied" }).await;
        assert_ne!(peer(&node.client(), "node-2").await.state, "ready");
        let lists = node.run(&["net", "forget", denied]);
        assert_eq!(lists["denied"], serde_json::json!([]));
        until_connected(&node.client(), 1).await;
    }
    let (_, error) = node.fail(&["net", "deny", "nobody"]);
    assert!(error["message"].as_str().unwrap().contains("neither a node's id"), "{error}");
    other.stop();
    node.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_renewed_and_expire_without_a_restart() {
    let consortium = Consortium::new(2);
    let (node, other) = (consortium.start(1), consortium.start(2));
    until_connected(&node.client(), 1).await;
    let renew = |days: &[&str]| {
        let certificate = certificate_of(2);
        ca(consortium.folder(), &[&["renew", "--ca", &authority_of(2), &certificate], days].concat())
    };
    let shown = || async { other.run(&["net", "list"])["certificate"]["serial"].clone() };

    // The new one ends soon. It is taken up by the node that has it, and presented when the nodes connect again.
    let short = renew(&["--seconds", "45"])["serial"].clone();
    until("the new one is taken up", shown, |serial| *serial == short).await;
    let id = consortium.address(2).rsplit('/').next().unwrap().to_owned();
    let client = node.client();
    node.run(&["net", "deny", &id]);
    let cut = || async { peer(&client, "node-2").await.connected_ms };
    until("it is cut off", cut, |connected| connected.is_none()).await;
    node.run(&["net", "forget", &id]);
    let presented = || async { peer(&client, "node-2").await.certificate.map(|certificate| certificate.serial) };
    until("the new one is presented", presented, |serial| serial.as_ref().is_some_and(|serial| *serial == short)).await;
    until_refused(&node, "certificate_time").await;
    until_logged(&consortium, 1, "expired on").await;

    // Nobody was restarted.
    let long = renew(&[])["serial"].clone();
    until("another is presented", presented, |serial| serial.as_ref().is_some_and(|serial| *serial == long)).await;
    until_connected(&other.client(), 1).await;
    other.stop();
    node.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_keep_a_node_out_and_let_an_authority_in_by_transaction() {
    let consortium = Consortium::new_with(3, &["--consensus", "raft"]);
    let nodes = [1, 2, 3].map(|number| consortium.start(number));
    for node in &nodes {
        until_connected(&node.client(), 2).await;
    }
    let import = consortium.folder().join("all/node-1/validator.pem");
    let keys = [("HANSE_KEY_PASSWORD", "x")];
    let by = |args: &[&str]| nodes[0].run_with(&keys, &[args, &["--from", "admin"]].concat());
    nodes[0].run_with(&keys, &["key", "import", "admin", import.to_str().unwrap()]);
    let key = consortium.made["nodes"][2]["key"].as_str().unwrap().to_owned();

    by(&["admission", "deny", &key]);
    let decided = Instant::now();
    for node in &nodes[..2] {
        let client = node.client();
        let cut = || async { peer(&client, "node-3").await };
        until("it is cut off", cut, |peer| peer.connected_ms.is_none() && peer.state == "denied").await;
    }
    println!("denied by transaction: cut off at all nodes {} ms after the receipt", decided.elapsed().as_millis());
    until_refused(&nodes[0], "denied").await;
    assert_eq!(nodes[1].run(&["net", "list"])["denied"][0]["by"], "chain");
    by(&["admission", "pardon", &key]);
    until_connected(&nodes[0].client(), 2).await;
    until_connected(&nodes[1].client(), 2).await;

    ca(consortium.folder(), &["new", "more", "--organisation", "One more", "--plain-key"]);
    let file = consortium.folder().join("more/ca.crt");
    by(&["admission", "trust", file.to_str().unwrap()]);
    let client = nodes[1].client();
    let trusted = || async { client.call::<GetAdmission>(NoParams {}).await.unwrap().authorities };
    until("it is trusted", trusted, |all| all.iter().any(|one| one.by == "chain")).await;
    nodes.into_iter().for_each(Node::stop);
}
