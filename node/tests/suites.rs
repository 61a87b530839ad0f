//! Groups of different crypto suites on the same nodes: each a process, beside each other.
#![allow(clippy::unwrap_used)]

mod common;

use common::Node;
use common::consortium::{Consortium, PATIENCE, payment, treasury, until, until_connected};
use hanse_client::methods::{BlockAt, BlockParams, GetBlock, GetChainStatus, NoParams};
use hanse_client::proof::Anchor;
use hanse_client::{Call, ChainContext, Client, Contract, codes};
use hanse_types::crypto::key_file::from_plain_pem;
use hanse_types::crypto::{CryptoSuite, SecretKey, Signer};
use hanse_types::{Address, Genesis, Hash, Height};
use serde_json::{Value, json};

const PASSWORD: &[(&str, &str)] = &[("HANSE_KEY_PASSWORD", "x")];
/// The group whose suite is guomi; the chain's first has the standard one.
const GROUP: &str = "guomi";

async fn height(client: &Client) -> Height {
    client.chain_info().await.unwrap().height
}

/// The height that a node knows, which may not have the group yet.
async fn known_height(client: &Client) -> Height {
    client.chain_info().await.map_or(Height(0), |info| info.height)
}

async fn hash_at(client: &Client, height: Height) -> Hash {
    let params = BlockParams { at: BlockAt::Height(height), ..BlockParams::default() };
    client.call::<GetBlock>(params).await.unwrap().header.hash
}

/// Pays one unit to a receiver of this number.
async fn pay(client: &Client, key: &SecretKey, number: u8) -> Hash {
    let context = ChainContext::from(&client.chain_info().await.unwrap());
    let args = borsh::to_vec(&(Address([number; 20]), 1u128)).unwrap();
    let signed = Call::new(Contract::native(1), "transfer", args).sign(&context, key).unwrap();
    let receipt = client.submit_and_wait(&signed, PATIENCE).await.unwrap().receipt().unwrap();
    assert_eq!(receipt.tx_id, signed.id(&context.genesis).0);
    receipt.tx_id
}

/// A key that the command line made, of a folder that all nodes' commands share.
fn key(node: &Node, name: &str) -> SecretKey {
    let exported = node.run_with(PASSWORD, &["key", "export", name, "--plain"]);
    from_plain_pem(exported["pem"].as_str().unwrap()).unwrap()
}

/// A command in the group of guomi, in the name of whom it was founded for.
fn as_merchant(node: &Node, args: &[&str]) -> Value {
    node.run_with(PASSWORD, &[&["--group", GROUP, "--from", "merchant"], args].concat())
}

fn refused(node: &Node, args: &[&str], expected: &str) {
    let (exit, error) = node.fail(args);
    assert!(exit == 2 && error["message"].as_str().unwrap().contains(expected), "{args:?}: {exit} {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_guomi_lives_beside_one_of_the_standard_suite() {
    let consortium = Consortium::new(5);
    let snapshots: &[(&str, &str)] = &[("HANSE_SYNC__SNAPSHOT_EVERY", "5")];
    let mut nodes: Vec<Node> = (1..=5).map(|number| consortium.start_with(number, snapshots)).collect();
    until_connected(&nodes[0].client(), 4).await;
    for (name, algorithm) in [("merchant", "sm2"), ("other", "ed25519")] {
        nodes[0].run_with(PASSWORD, &["key", "new", name, "--algorithm", algorithm]);
    }
    let merchant = key(&nodes[0], "merchant");
    let address = merchant.public_key().address();
    assert_eq!(nodes[0].run(&["key", "show", "merchant"])["address"], address.to_string());

    // Whoever has no key of the suite can't do anything in the group, so it is not founded on them.
    let create =
        ["group", "create", GROUP, "--crypto", "guomi", "--commitment", "merkle", "--member", "node-2,node-3,node-4"];
    let with = |options: &[&'static str]| [&create[..], &["--block-interval", "20"], options].concat();
    refused(&nodes[0], &with(&[]), "validators can't administer");
    refused(&nodes[0], &with(&["--administrator", "other"]), "the group's crypto is guomi");
    refused(&nodes[0], &with(&["--administrator", "merchant", "--account", "other=1"]), "the group's crypto is guomi");
    let made = nodes[0].run(&with(&["--administrator", "merchant", "--account", "merchant=1_000_000_000_000"]));
    assert_eq!((&made["state"], &made["consensus"]), (&json!("running"), &json!("bft")), "{made}");
    assert_eq!(nodes[0].run(&["group", "show", GROUP])["crypto"], "guomi");

    // Both take what their clients sign, and nothing else.
    let standard = nodes[1].client();
    let guomi = nodes[1].client().in_group(GROUP);
    until("the group is everywhere", || async { guomi.chain_info().await.is_ok() }, |is| *is).await;
    let first = pay(&guomi, &merchant, 1).await;
    let context = ChainContext::from(&standard.chain_info().await.unwrap());
    standard.submit_and_wait(&payment(&context, 1), PATIENCE).await.unwrap().receipt().unwrap();
    for (client, key, of) in [(&standard, &merchant, "sm2:"), (&guomi, &treasury(), "ed25519:")] {
        let context = ChainContext::from(&client.chain_info().await.unwrap());
        let call = Call::new(Contract::native(1), "transfer", borsh::to_vec(&(address, 1u128)).unwrap());
        let error = client.submit_and_wait(&call.sign(&context, key).unwrap(), PATIENCE).await.unwrap_err();
        assert!(error.is(codes::NOT_PERMITTED) && error.to_string().contains(of), "{error}");
    }
    let call = ["contract", "call", "account", "transfer", "--to", "other", "--amount", "1"];
    refused(&nodes[0], &[&["--group", GROUP, "--from", "other"], &call[..]].concat(), "the group's crypto is guomi");
    refused(&nodes[0], &[&["--from", "merchant"], &call[..]].concat(), "the group's crypto is standard");
    // What would be paid to an account that nobody can sign for would be lost.
    refused(&nodes[0], &[&["--group", GROUP, "--from", "merchant"], &call[..]].concat(), "\"other\" is the key");

    // Contracts have their addresses and their code's hash by the suite; what they do is the same.
    let wasm = common::token_module();
    let deployed = as_merchant(&nodes[0], &["contract", "deploy", "token", "--wasm", wasm, "--supply", "1000"]);
    assert_eq!(deployed["receipt"]["status"], "success", "{deployed}");
    as_merchant(&nodes[0], &["contract", "call", "token", "transfer", "--to", "merchant", "--amount", "0"]);
    let code = std::fs::read(wasm).unwrap();
    let info = as_merchant(&nodes[0], &["contract", "info", "token"]);
    let expected = CryptoSuite::Guomi.hash(hanse_types::hash::Domain::Code, &code);
    assert_eq!(info["deployed"]["code_hash"], expected.to_string(), "{info}");
    let loaded = as_merchant(
        &nodes[0],
        &["bench", "--accounts", "10", "--transactions", "60", "--batch", "10", "--connections", "2"],
    );
    assert_eq!(loaded["failed"], 0, "{loaded}");

    // Proofs hold for whoever knows the genesis and nothing else.
    let founded: Value = nodes[0].run(&["group", "export", GROUP]);
    let genesis: Genesis = serde_json::from_value(founded["genesis"].clone()).unwrap();
    assert_eq!(genesis.crypto, CryptoSuite::Guomi);
    let anchor = Anchor::new(&genesis).unwrap();
    guomi.proven_transaction(&anchor, first).await.unwrap();
    guomi.proven_receipt(&anchor, first).await.unwrap();
    guomi.proven_rw_set(&anchor, first).await.unwrap();
    let header = guomi.proven_header(&anchor, BlockAt::Latest).await.unwrap();
    assert_eq!(header.crypto, CryptoSuite::Guomi);
    let key = [&hanse_abi::keys::field_prefix("balances")[..], &[1; 20]].concat();
    let paid = guomi.proven_state(&anchor, Address::native(1), &key, None).await.unwrap();
    assert_eq!(paid.value.unwrap(), 1u128.to_le_bytes());
    let absent = guomi.proven_state(&anchor, Address::native(1), b"nothing", None).await.unwrap();
    assert!(absent.value.is_none());

    // One is killed and fetches what it missed, with what came of it; another comes new, with a snapshot, and its validators
    // are others then.
    nodes.remove(2).kill();
    for number in 2..50 {
        pay(&guomi, &merchant, number).await;
    }
    let fast = [snapshots, &[("HANSE_SYNC__MODE", "fast")]].concat();
    nodes.insert(2, consortium.start_with(3, &fast));
    let back = nodes[2].client().in_group(GROUP);
    let reached = height(&guomi).await;
    until("it has caught up", || known_height(&back), |height| *height >= reached).await;
    assert_eq!(hash_at(&back, reached).await, hash_at(&guomi, reached).await);
    let status = back.call::<GetChainStatus>(NoParams {}).await.unwrap();
    assert!(status.sync.unwrap().applied > 0, "it did not run the older ones");

    nodes.remove(4).kill();
    let late = consortium.made["nodes"][4]["key"].as_str().unwrap();
    as_merchant(&nodes[0], &["member", "add", "node-5", late, "--role", "sealer"]);
    let by_snapshot = [snapshots, &[("HANSE_SYNC__MODE", "snapshot")]].concat();
    nodes.insert(4, consortium.start_with(5, &by_snapshot));
    let fifth = nodes[4].client().in_group(GROUP);
    let paid = pay(&guomi, &merchant, 77).await;
    let reached = height(&guomi).await;
    until("the new one has caught up", || known_height(&fifth), |height| *height >= reached).await;
    let status = fifth.call::<GetChainStatus>(NoParams {}).await.unwrap();
    assert!(status.first_height > Height(1), "it began with a snapshot");
    assert_eq!(hash_at(&fifth, reached).await, hash_at(&guomi, reached).await);
    // Decided by validators that a block of the group has named.
    guomi.proven_receipt(&anchor, paid).await.unwrap();
    nodes.into_iter().for_each(Node::stop);
}
