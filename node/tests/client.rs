//! The client's handles on a real node, and that its README says what is true.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "../../clients/rust/examples/token.rs"]
mod token_example;

use std::path::Path;
use std::time::Duration;

use common::Node;
use common::proxy::Proxy;
use hanse_client::methods::BlockAt;
use hanse_client::proof::{Anchor, ProofError};
use hanse_client::{Call, Client, ClientError, Contract, Outcome, codes};
use hanse_types::crypto::{SecretKey, Signer};
use hanse_types::{Genesis, Hash, Height};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(60);

fn alice() -> SecretKey {
    let mut seed = [b' '; 32];
    seed[..23].copy_from_slice(b"hanse development alice");
    SecretKey::ed25519(seed)
}

fn start(folder: &Path) -> Node {
    let node = Node::start(folder);
    node.run(&["contract", "deploy", "token", "--wasm", common::token_module(), "--supply", "1_000"]);
    node
}

fn anchor(folder: &Path) -> Anchor {
    let genesis: Genesis = serde_json::from_slice(&std::fs::read(folder.join("genesis.json")).unwrap()).unwrap();
    Anchor::new(&genesis).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_the_readme_works() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    let bob = node.started["accounts"][1]["address"].as_str().unwrap().to_owned();
    let paid = token_example::pay(&node.url, alice(), &bob, Some(&anchor(folder.path()))).await.unwrap();
    assert_eq!(paid, (bob, "5".to_owned()));
    node.stop();

    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("../clients/rust");
    let example = std::fs::read_to_string(client.join("examples/token.rs")).unwrap();
    let shown = example.split("// README: from here\n").nth(1).unwrap().split("// README: to here").next().unwrap();
    let readme = std::fs::read_to_string(client.join("README.md")).unwrap();
    assert!(readme.contains(&format!("```rust\n{shown}```")), "clients/rust/README.md does not show its example");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_is_called_by_its_abi() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    let client = node.client();
    let account = client.account(alice());
    let token = client.contract("token").await.unwrap();
    let bob = node.started["accounts"][1]["address"].clone();

    // What does not fit is refused before it is sent.
    for (method, args) in [("transfer", json!({ "to": bob })), ("transfers", json!({})), ("transfer", json!([bob, -1]))]
    {
        let error = token.call(&account, method, &args).await.unwrap_err();
        assert!(matches!(error, ClientError::Argument(_)), "{error}");
    }
    let pay = |amount: &str| json!({ "to": bob, "amount": amount });
    let simulated = token.simulate(account.address(), "transfer", &pay("1")).await.unwrap();
    assert!(simulated.outcome.failure.is_none() && !simulated.access.writes.is_empty());

    let receipt = token.call(&account, "transfer", &pay("30")).await.unwrap().receipt().unwrap().succeeded().unwrap();
    assert_eq!(receipt.events("Transfer").map(|fields| &fields["amount"]).collect::<Vec<_>>(), [&json!("30")]);
    assert_eq!(token.query("balance_of", &json!({ "owner": bob })).await.unwrap(), json!("30"));

    let refused = token.call(&account, "transfer", &pay("5000")).await.unwrap().receipt().unwrap();
    let failed = refused.succeeded().unwrap_err();
    assert_eq!(failed.0.code, codes::REVERTED.code);
    assert!(failed.to_string().contains("970"), "the contract's own words: {failed}");
    node.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn proofs_are_checked_by_the_same_handles() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_with(folder.path(), &["--commitment", "merkle"]);
    node.run(&["contract", "deploy", "token", "--wasm", common::token_module(), "--supply", "1_000"]);
    let (client, anchor) = (node.client(), anchor(folder.path()));
    let newest = client.chain_info().await.unwrap();
    let header = client.proven_header(&anchor, BlockAt::Latest).await.unwrap();
    assert_eq!(header.hash(), newest.block_hash);
    let first = client.proven_header(&anchor, BlockAt::Height(Height(1))).await.unwrap();
    assert_eq!(first.height, Height(1));

    let token = client.contract("token").await.unwrap();
    let key = [b"balances\0".as_slice(), &alice().public_key().address().0].concat();
    let proven = token.proven_state(&anchor, &key, None).await.unwrap();
    assert_eq!(proven.value.unwrap(), 1_000u128.to_le_bytes());

    let stranger_folder = tempfile::tempdir().unwrap();
    let stranger = Node::start(stranger_folder.path());
    let other = self::anchor(stranger_folder.path());
    let error = client.proven_header(&other, BlockAt::Latest).await.unwrap_err();
    assert!(matches!(error, ClientError::Proof(ProofError::Certificate(_))), "{error}");
    stranger.stop();
    node.stop();
}

/// A connection that breaks, a node that is killed: the outcome is known in the end, and the payment is made once.
#[tokio::test(flavor = "multi_thread")]
async fn a_submission_outlives_the_node() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    let proxy = Proxy::new(&node.url);
    let client = Client::new(&proxy.url).unwrap();
    let account = client.account(alice());
    let token = client.contract("token").await.unwrap();
    let bob = node.started["accounts"][1]["address"].clone();
    let signed = account.sign(token.prepare("transfer", &json!([bob, "7"])).unwrap()).await.unwrap();
    let id = signed.id(&client.chain_info().await.unwrap().genesis_hash).0;
    node.kill();

    let waiting = tokio::spawn({
        let (client, signed) = (client.clone(), signed.clone());
        async move { client.submit_and_wait(&signed, PATIENCE).await }
    });
    let node = Node::start(folder.path());
    proxy.point_at(&node.url);
    let Outcome::Committed(receipt) = waiting.await.unwrap().unwrap() else { panic!("it is known in the end") };
    assert_eq!((receipt.tx_id, receipt.outcome.failure), (id, None));

    // Sent again, it is the same transaction.
    let again = client.submit_and_wait(&signed, PATIENCE).await.unwrap().receipt().unwrap();
    assert_eq!((again.height, again.index), (receipt.height, receipt.index));
    assert_eq!(token.query("balance_of", &json!([bob])).await.unwrap(), json!("7"));
    node.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn time_that_is_over_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    let client = node.client();
    // Nobody ever sent this one: the node can't tell it from one that it has yet to hear of.
    let tx_id = Hash([7; 32]);
    match client.outcome(tx_id, Duration::from_millis(300)).await.unwrap() {
        Outcome::Unknown(unknown) => assert_eq!(unknown.tx_id, tx_id),
        Outcome::Committed(receipt) => panic!("{receipt:?}"),
    }
    // One that the node refuses has an outcome: it will never be executed.
    let account = client.account(alice());
    let call = Call::new(Contract::native(1), "transfer", Vec::new()).gas_limit(hanse_types::Gas(u64::MAX));
    let error = account.execute(call).await.unwrap_err();
    assert!(error.is(codes::GAS_LIMIT_TOO_HIGH), "{error}");
    node.stop();
}
