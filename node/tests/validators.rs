//! A development chain of several validators: agreed by votes, killed, gone on with.
#![allow(clippy::unwrap_used)]

mod common;

use common::Node;
use hanse_client::methods::{BlockAt, GetChainStatus, NoParams};
use hanse_client::proof::Anchor;
use hanse_types::crypto::{SecretKey, Signer};
use hanse_types::{Epoch, Height};

const FOUR: [&str; 2] = ["--validators", "4"];

async fn height(node: &Node) -> Height {
    node.client().chain_info().await.unwrap().height
}

fn transfer(node: &Node, amount: &str) {
    node.run(&["contract", "call", "account", "transfer", "bob", amount, "--from", "alice"]);
}

#[tokio::test]
async fn four_validators_agree_and_go_on_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_with(folder.path(), &FOUR);
    let status = node.client().call::<GetChainStatus>(NoParams {}).await.unwrap();
    assert_eq!((status.consensus.as_str(), status.validators), ("bft", 4));
    for amount in ["1", "2", "3"] {
        transfer(&node, amount);
    }
    let before = height(&node).await;
    assert!(before >= Height(3));
    for index in 2..=4 {
        assert!(folder.path().join("validators").join(index.to_string()).join("ledger").is_dir());
    }
    node.kill();

    // The folder says how many there are.
    let node = Node::start(folder.path());
    assert!(height(&node).await >= before);
    transfer(&node, "4");
    // A block is proven by the votes of three.
    let genesis = serde_json::from_slice(&std::fs::read(folder.path().join("genesis.json")).unwrap()).unwrap();
    let header = node.client().proven_header(&Anchor::new(&genesis).unwrap(), BlockAt::Latest).await.unwrap();
    assert!(header.height >= before);
    let (_, error) = node.fail(&["dev", "advance", "10"]);
    assert!(error["message"].as_str().unwrap().contains("development"), "{error}");
    node.stop();
}

#[tokio::test]
async fn members_change_by_the_command_line_and_proofs_follow_from_the_genesis() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_with(folder.path(), &FOUR);
    transfer(&node, "1");
    let key = format!("ed25519:{}", "5f".repeat(32));
    let refused = node.fail(&["member", "add", "regulator", &key, "--from", "bob"]).1;
    assert!(refused["message"].as_str().unwrap().contains("no administrator"), "{refused}");
    let (_, refused) = node.fail(&["member", "role", "nobody", "light"]);
    assert!(refused["message"].as_str().unwrap().contains("no member nobody"), "{refused}");
    let regulator = SecretKey::ed25519([77; 32]).public_key().to_string();
    node.run(&["member", "add", "regulator", &regulator]);
    node.run(&["member", "remove", "dev-4"]);
    transfer(&node, "2");
    let listed = String::from_utf8(node.hanse(&["member", "list"]).stdout).unwrap();
    assert!(listed.contains("regulator  observer") && !listed.contains("dev-4"), "{listed}");
    let before = String::from_utf8(node.hanse(&["member", "list", "--height", "0"]).stdout).unwrap();
    assert!(before.contains("dev-4") && !before.contains("regulator"), "{before}");

    let client = node.client();
    let status = client.call::<GetChainStatus>(NoParams {}).await.unwrap();
    assert_eq!(status.validators, 3);
    let genesis = serde_json::from_slice(&std::fs::read(folder.path().join("genesis.json")).unwrap()).unwrap();
    let anchor = Anchor::new(&genesis).unwrap();
    let header = client.proven_header(&anchor, BlockAt::Latest).await.unwrap();
    assert_eq!((header.epoch, anchor.epoch()), (Epoch(1), Epoch(1)));
    let first = client.proven_header(&anchor, BlockAt::Height(Height(1))).await.unwrap();
    assert_eq!(first.epoch, Epoch(0));
    node.stop();
}

#[tokio::test]
async fn who_contradicts_itself_is_found_out_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.toml");
    let text =
        "[[rule]]\ndo = \"equivocate\"\nmessage = \"prevote\"\n\n[[rule]]\ndo = \"drop\"\nmessage = \"precommit\"\n";
    std::fs::write(&rules, text).unwrap();
    let option = format!("4={}", rules.display());
    let node = Node::start_with(&folder.path().join("chain"), &["--validators", "4", "--faults", &option]);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        transfer(&node, "1");
        let status = node.client().call::<GetChainStatus>(NoParams {}).await.unwrap();
        if let Some(evidence) = status.evidence.first() {
            assert_eq!((evidence.validator, evidence.name.as_str(), evidence.step.as_str()), (3, "dev-4", "prevote"));
            break;
        }
        assert!(std::time::Instant::now() < deadline, "nobody was found out");
    }
    let shown = String::from_utf8(node.hanse(&["status"]).stdout).unwrap();
    assert!(shown.contains("validator 3 (dev-4) contradicts itself"), "{shown}");
    node.stop();
}

#[test]
fn rules_that_are_none_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.toml");
    std::fs::write(&rules, "[[rule]]\ndo = \"explode\"\n").unwrap();
    let file = rules.display().to_string();
    let cases = [
        (format!("4={file}"), "explode"),
        (format!("5={file}"), "validator 5, the chain has 4"),
        (format!("1={file}"), "from 2 on"),
        ("4=missing.toml".to_owned(), "missing.toml"),
    ];
    for (option, expected) in cases {
        let output = common::hanse(folder.path(), &["dev", "--port", "0", "--validators", "4", "--faults", &option]);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains(expected), "{option}: {text}");
    }
}

#[tokio::test]
async fn three_validators_agree_by_raft_and_go_on_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_with(folder.path(), &["--validators", "3", "--consensus", "raft"]);
    for amount in ["1", "2", "3"] {
        transfer(&node, amount);
    }
    let status = node.client().call::<GetChainStatus>(NoParams {}).await.unwrap();
    assert_eq!((status.consensus.as_str(), status.validators), ("raft", 3));
    let agreement = status.agreement.unwrap();
    assert!(["leader", "follower", "candidate"].contains(&agreement.step.as_str()), "{agreement:?}");
    assert!(agreement.votes && agreement.round >= 1, "{agreement:?}");
    assert!(agreement.leader.is_none_or(|leader| leader.starts_with("dev")));
    let before = height(&node).await;
    assert!(before >= Height(3));
    node.kill();

    let node = Node::start(folder.path());
    assert!(height(&node).await >= before);
    transfer(&node, "4");
    // A block is proven by its maker's signature.
    let genesis = serde_json::from_slice(&std::fs::read(folder.path().join("genesis.json")).unwrap()).unwrap();
    let header = node.client().proven_header(&Anchor::new(&genesis).unwrap(), BlockAt::Latest).await.unwrap();
    assert!(header.height >= before);
    node.stop();
}
