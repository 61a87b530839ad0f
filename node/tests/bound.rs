//! Clients in Rust as `hanse contract bindings` makes them, compiled here, call a real node. `bindings.rs` holds them to what
//! is made today.
#![allow(clippy::unwrap_used)]

#[path = "bindings/assets.rs"]
#[rustfmt::skip]
mod assets;
mod common;
#[path = "bindings/escrow.rs"]
#[rustfmt::skip]
mod escrow;
#[path = "bindings/token.rs"]
#[rustfmt::skip]
mod token;

use common::{Node, module, token_module};
use hanse_client::Outcome;
use hanse_client::views::ReceiptView;
use hanse_types::crypto::{SecretKey, Signer};

fn key(name: &str) -> SecretKey {
    let mut seed = [b' '; 32];
    let text = format!("hanse development {name}");
    seed[..text.len()].copy_from_slice(text.as_bytes());
    SecretKey::ed25519(seed)
}

fn receipt(outcome: Outcome) -> ReceiptView {
    match outcome {
        Outcome::Committed(receipt) => *receipt,
        Outcome::Unknown(unknown) => panic!("{unknown}"),
    }
}

#[tokio::test]
async fn a_client_in_rust_calls_a_node() {
    let chain = tempfile::tempdir().unwrap();
    let node = Node::start(chain.path());
    node.run(&["contract", "deploy", "token", "--wasm", token_module(), "--supply", "1_000"]);
    for name in ["escrow", "assets"] {
        node.run(&["contract", "deploy", name, "--wasm", &module(name)]);
    }
    let client = node.client();
    let (alice, bob) = (client.account(key("alice")), key("bob").public_key().address());
    let token = token::TokenClient::at(client.clone(), token::TokenClient::CONTRACT.parse().unwrap());
    let paid = receipt(token.transfer(&alice, bob, 30).await.unwrap());
    let event = token::TransferEvent::of(&paid.outcome.events[0]).unwrap();
    assert_eq!((event.from, event.to, event.amount), (alice.address(), bob, 30));
    assert_eq!(token::ApprovalEvent::of(&paid.outcome.events[0]), None);
    assert_eq!(token.balance_of(bob).await.unwrap(), 30);

    let refused = receipt(alice.execute(token.transfer_call(bob, 5_000)).await.unwrap());
    let error = token::ContractError::of(&refused.outcome).unwrap();
    assert_eq!(error, token::ContractError::TooLittle { have: 970, need: 5_000 });
    assert_eq!(token::ContractError::of(&paid.outcome), None);

    let escrow = escrow::EscrowClient::at(client.clone(), "escrow".parse().unwrap());
    assert_eq!(escrow.deal(bob, 1).await.unwrap(), None);
    let registry = assets::AssetsClient::at(client.clone(), "assets".parse().unwrap());
    let registered = registry.register(&alice, "crate-7".into(), "Riga".into()).await.unwrap();
    receipt(registered).succeeded().unwrap();
    let asset = registry.find("crate-7".into()).await.unwrap().unwrap();
    assert_eq!((asset.owner, asset.state, asset.steps), (alice.address(), assets::State::Registered, 1));
    assert_eq!(registry.history("crate-7".into(), 0, 10).await.unwrap().len(), 1);

    // Another contract under the client: its answers are of other types.
    let wrong = token::TokenClient::at(client, "assets".parse().unwrap());
    assert!(wrong.balance_of(bob).await.is_err());
    node.stop();
}
