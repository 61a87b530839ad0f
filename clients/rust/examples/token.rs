//! Pays with a token, and follows its payments: `cargo run --example token -p hanse-client`, beside a `hanse dev` on which
//! `contracts/token` is deployed.

use hanse_client::proof::Anchor;
use hanse_client::{Client, Outcome};
use hanse_types::crypto::Signer;
use serde_json::json;

// README: from here
/// Pays five tokens, and gives back who was paid how much, as the chain's event says.
pub(crate) async fn pay(
    url: &str,
    key: impl Signer + 'static,
    to: &str,
    anchor: Option<&Anchor>,
) -> Result<(String, String), Box<dyn std::error::Error>> {
    let client = Client::new(url)?; // reads
    let account = client.account(key); // signs
    let token = client.contract("token").await?; // calls, by the contract's ABI

    // Begun before the payment, so that its event is not missed.
    let mut payments = token.events_with("Transfer", &json!(account.address()), None)?;
    payments.ready().await?;

    let receipt = match token.call(&account, "transfer", &json!({ "to": to, "amount": "5" })).await? {
        Outcome::Committed(receipt) => receipt.succeeded()?, // a refusal by the contract is an error with its words
        Outcome::Unknown(unknown) => return Err(unknown.into()), // no failure: ask again by its id
    };
    if let Some(anchor) = anchor {
        // Not by the node's word: the validators of the genesis decided the block that holds this receipt.
        assert_eq!(client.proven_receipt(anchor, receipt.tx_id).await?.value.height, receipt.height);
    }

    let (cursor, event) = payments.next().await?;
    println!("go on after a restart with {cursor}");
    let balance: String = token.query_as("balance_of", &json!({ "owner": to })).await?;
    println!("{to} has {balance} now");
    let fields = event.event.fields.ok_or("the token's ABI describes its events")?;
    Ok((fields["to"].as_str().unwrap_or_default().into(), fields["amount"].as_str().unwrap_or_default().into()))
}
// README: to here

#[allow(dead_code, reason = "a test includes this file for the function above")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // alice, whom every `hanse dev` has; a real key comes from a file or a device.
    let mut seed = [b' '; 32];
    seed[..23].copy_from_slice(b"hanse development alice");
    let alice = hanse_types::crypto::SecretKey::ed25519(seed);
    let (to, amount) = pay("http://127.0.0.1:7420", alice, &format!("0x{}", "09".repeat(20)), None).await?;
    println!("{to} got {amount}");
    Ok(())
}
