//! What happened inside committed transactions, of a real node.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Node, module, token_module};
use hanse_client::methods::{
    BlockAt, BlockParams, BlockPart, GetBlock, GetReceipt, ReceiptParams, TraceTx, TxParams, WaitMany,
};
use hanse_client::views::{DidView, TraceView};
use hanse_client::{Call, ChainContext, Client};
use hanse_types::crypto::{SecretKey, Signer};
use hanse_types::{Address, Hash, SignedTransaction};
use serde_json::{Value, json};

fn address(node: &Node, account: usize) -> String {
    node.started["accounts"][account]["address"].as_str().unwrap().to_owned()
}

async fn trace(client: &Client, tx_id: Hash) -> TraceView {
    client.call::<TraceTx>(TxParams { tx_id }).await.unwrap()
}

fn id_of(receipt: &Value) -> Hash {
    receipt["tx_id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn calls_inside_calls_are_told_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    let client = node.client();
    let deployed = node.run(&["contract", "deploy", "token", "--wasm", token_module(), "--supply", "1_000"]);
    let token = deployed["address"].as_str().unwrap().to_owned();
    let escrow = node.run(&["contract", "deploy", "escrow", "--wasm", &module("escrow")])["address"].clone();
    node.run(&["contract", "call", "token", "approve", escrow.as_str().unwrap(), "100"]);
    let deal = json!({ "seller": address(&node, 1), "token": token, "amount": "60", "until_ms": "0" }).to_string();
    let opened = node.run(&["contract", "call", "escrow", "open", "7", &deal]);

    let told = trace(&client, id_of(&opened)).await;
    assert!(told.reproduced, "{told:?}");
    assert_eq!(json!(told.outcome.gas_used), opened["gas_used"]);
    let calls: Vec<_> =
        told.calls.iter().map(|call| (call.parent, call.name.as_deref().unwrap(), call.method.as_str())).collect();
    assert_eq!(calls, [(None, "escrow", "open"), (Some(0), "token", "transfer_from")]);
    assert_eq!(told.calls[1].arguments.as_ref().unwrap()["amount"], "60");
    assert_eq!(json!(told.calls[1].caller), escrow);
    assert_eq!(told.gas_outside.0 + told.calls[0].gas_used.0, told.outcome.gas_used.0);
    assert!(told.calls[1].gas_used < told.calls[0].gas_used);
    // The deal is written before the token is called, and the event comes after.
    let place = |wanted: &dyn Fn(&DidView) -> bool| told.steps.iter().position(|step| wanted(&step.did)).unwrap();
    let field = |step: &DidView| match step {
        DidView::Write { key, .. } => key.field.clone(),
        _ => None,
    };
    let written = place(&|step| field(step).is_some_and(|field| field.starts_with("deals[")));
    let called = place(&|step| *step == DidView::Call { began: 1 });
    let emitted = place(&|step| matches!(step, DidView::Event { event } if event.name == "Opened"));
    assert!(written < called && called < emitted, "{:?}", told.steps);
    let DidView::Write { decoded, .. } = &told.steps[written].did else { unreachable!() };
    assert_eq!(decoded.as_ref().unwrap()["amount"], "60");

    let text = node.hanse(&["tx", "trace", &id_of(&opened).to_string()]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("as its receipt says") && text.contains("\n  token.transfer_from {"), "{text}");

    // A deployment, whose init runs inside the native contract that deploys.
    let told = trace(&client, id_of(&deployed["receipt"])).await;
    assert!(told.reproduced, "{:?}", told.differences);
    let init = told.calls.iter().find(|call| call.entry == "init").unwrap();
    assert_eq!((init.parent, json!(init.contract)), (Some(0), json!(token)));
    // What the chain's own contracts keep is decoded as what any other keeps.
    let written = |field: &str| {
        let found = told.steps.iter().find_map(|step| match &step.did {
            DidView::Write { key, decoded, .. } if key.field.as_deref() == Some(field) => decoded.clone(),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("{field}: {:?}", told.steps))
    };
    assert_eq!(written("latest[token]"), json!([token, 1]));
    assert_eq!(written("versions[token, 1]"), json!(token));
    assert_eq!(written("owners[token]"), json!(address(&node, 0)));
    assert_eq!(written(&format!("info[{token}]"))["name"], "token");
    assert_eq!(written(&format!("contracts[{token}]"))["condition"], "Active");
    node.stop();
}

#[tokio::test]
async fn the_call_that_failed_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    let client = node.client();
    let token = node.run(&["contract", "deploy", "token", "--wasm", token_module(), "--supply", "1_000"]);
    node.run(&["contract", "deploy", "escrow", "--wasm", &module("escrow")]);
    // Nothing was approved, so the token refuses, and then the escrow does.
    let deal = json!({ "seller": address(&node, 1), "token": token["address"], "amount": "60", "until_ms": "0" });
    let context = ChainContext::from(&client.chain_info().await.unwrap());
    let (code, error) = node.fail(&["contract", "call", "escrow", "open", "7", &deal.to_string()]);
    assert_eq!(code, 3, "{error}");
    let newest = client.call::<GetBlock>(BlockParams { include: vec![BlockPart::Receipts], ..BlockParams::default() });
    let receipt = newest.await.unwrap().receipts.unwrap().pop().unwrap();

    let told = trace(&client, receipt.tx_id).await;
    assert!(told.reproduced, "{told:?}");
    assert_eq!(told.outcome.failure, receipt.outcome.failure);
    // The token refused, the escrow heard of it and refused in turn: that is where the transaction's failure began.
    assert_eq!((told.calls.len(), told.failed_call), (2, Some(0)));
    let failures: Vec<_> = told.calls.iter().map(|call| call.failure.as_ref().unwrap()).collect();
    assert_eq!((failures[0].error.as_deref(), failures[1].error.as_deref()), (Some("Token"), Some("NotAllowed")));
    assert_eq!((failures[0].failed_in, failures[1].failed_in), (told.calls[0].contract, told.calls[1].contract));
    let text = String::from_utf8(node.hanse(&["tx", "trace", &receipt.tx_id.to_string()]).stdout).unwrap();
    assert!(text.contains("failed in  escrow.open") && text.contains("failed: allowance 0 is less than 60"), "{text}");

    // What is not there is not found.
    let genesis = context.genesis.to_string();
    assert_eq!(node.fail(&["tx", "trace", &genesis]).0, 7);
    // What is no id is told what one looks like.
    for command in ["show", "status", "trace", "proof"] {
        let refused = node.hanse(&["tx", command, "0x12"]);
        let error = String::from_utf8(refused.stderr).unwrap();
        assert!(refused.status.code() == Some(2) && error.contains("0x and 64 hexadecimal digits"), "{error}");
    }
    node.stop();
}

fn key(name: &str) -> SecretKey {
    let mut seed = [b' '; 32];
    let text = format!("hanse development {name}");
    seed[..text.len()].copy_from_slice(text.as_bytes());
    SecretKey::ed25519(seed)
}

/// Transfers that conflict in chains, and some that fail for want of money.
fn mixed(context: &ChainContext) -> Vec<SignedTransaction> {
    let keys = ["alice", "bob", "carol"].map(key);
    let addresses = [0, 1, 2].map(|at: usize| keys[at].public_key().address());
    let one = |at: usize| {
        let (from, to) =
            (&keys[at % 3], if at.is_multiple_of(5) { Address([at as u8; 20]) } else { addresses[(at + 1) % 3] });
        let contract = if at.is_multiple_of(2) { "account" } else { "token" };
        let amount = if at % 7 == 3 { u128::MAX } else { at as u128 };
        let args = borsh::to_vec(&(to, amount)).unwrap();
        Call::new(contract.parse().unwrap(), "transfer", args).sign(context, from).unwrap()
    };
    (0..60).map(one).collect()
}

#[tokio::test]
async fn every_transaction_of_a_block_gives_again_what_its_receipt_says_until_it_is_pruned() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    let client = node.client();
    node.run(&["contract", "deploy", "token", "--wasm", token_module(), "--supply", "1_000"]);
    let context = ChainContext::from(&client.chain_info().await.unwrap());
    let batch = mixed(&context);
    assert_eq!(client.submit_bulk(&batch, WaitMany::Pool).await.unwrap().accepted, batch.len());
    let ids: Vec<Hash> = batch.iter().map(|signed| signed.id(&context.genesis).0).collect();
    let mut height = 0;
    for id in &ids {
        let params = ReceiptParams { tx_id: *id, proof: false, timeout_ms: 60_000 };
        height = height.max(client.call::<GetReceipt>(params).await.unwrap().receipt.height.0);
    }
    // Later blocks change what these transactions read.
    for _ in 0..3 {
        node.run(&["contract", "call", "token", "transfer", "bob", "1"]);
    }
    let (mut failed, mut later_than_first) = (0, 0);
    for id in &ids {
        let told = trace(&client, *id).await;
        assert!(told.reproduced, "{id}: {:?}", told.differences);
        let params = ReceiptParams { tx_id: *id, proof: false, timeout_ms: 0 };
        assert_eq!(told.outcome, client.call::<GetReceipt>(params).await.unwrap().receipt.outcome);
        failed += usize::from(told.outcome.failure.is_some());
        later_than_first += usize::from(told.index.0 > 0);
    }
    assert!(failed >= 8 && later_than_first >= 40, "{failed}, {later_than_first}");
    let block = BlockParams { at: BlockAt::Height(hanse_types::Height(height)), ..BlockParams::default() };
    assert!(client.call::<GetBlock>(block).await.unwrap().header.tx_count > 1, "they were in blocks together");

    node.run(&["ledger", "prune", "--below", &(height + 1).to_string()]);
    let (_, error) = node.fail(&["tx", "trace", &ids[0].to_string()]);
    assert_eq!(error["code"], 1005, "{error}");
    // Receipts are no history: they stay, and so do their proofs.
    assert_eq!(node.run(&["tx", "show", &ids[0].to_string()])["receipt"]["tx_id"], json!(ids[0]));
    node.stop();
}
