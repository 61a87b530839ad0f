//! A development chain of several validators: agreed by votes, killed, gone on with.
#![allow(clippy::unwrap_used)]

mod common;

use common::Node;
use hanse_client::methods::{BlockAt, GetChainStatus, NoParams};
use hanse_client::proof::Anchor;
use hanse_types::Height;

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
