//! `hanse state`: what contracts have stored, now and in the past.

use clap::Subcommand;
use hanse_abi::keys::field_prefix;
use hanse_client::methods::{GetState, StateParams, StateValue};
use hanse_client::proof::check_state;
use hanse_client::{Bytes, ClientError};
use hanse_types::{Hash, Height};
use serde::Serialize;

use super::Common;
use super::exit::Failure;
use super::output::fields;
use super::proof::{Ground, Trust};
use super::session::Session;

#[derive(Debug, Subcommand)]
pub(crate) enum StateCommand {
    /// Show what a contract's key holds, and check the proof if one is asked for
    Get {
        /// The contract, by name or address
        contract: String,
        /// A storage field such as supply, a field with an element such as balances/bob or balances/0x…, or the whole
        /// key as 0x…
        key: String,
        /// After which block; the newest if not given
        #[arg(long)]
        height: Option<u64>,
        /// Prove the value, or that there is none; needs a group with the merkle commitment
        #[arg(long)]
        proof: bool,
        #[command(flatten)]
        trust: Trust,
    },
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    state: StateValue,
    /// Of the block whose header the proof leads to.
    #[serde(skip_serializing_if = "Option::is_none")]
    block_hash: Option<Hash>,
    /// On what ground that header is taken for the chain's.
    #[serde(skip_serializing_if = "Option::is_none")]
    trusted: Option<Ground>,
}

/// `hanse state`.
pub(crate) async fn run(command: StateCommand, common: &Common) -> Result<(), Failure> {
    let StateCommand::Get { contract, key, height, proof, trust } = command;
    let proof = proof || trust.is_asked_for();
    let session = Session::open(common).await?;
    let (contract, key) = (Session::contract(&contract)?, Bytes(key_bytes(&session, &key)?));
    let height = height.map(Height);
    let params = StateParams { contract, key: key.clone(), height, proof };
    let state = session.client.call::<GetState>(params).await?;
    let mut lines = vec![
        ("value", state.value.as_ref().map_or("none".into(), ToString::to_string)),
        ("contract", state.address.to_string()),
        ("height", state.height.to_string()),
    ];
    let mut shown = Shown { state, block_hash: None, trusted: None };
    if proof {
        let state = &shown.state;
        let proof = state.proof.as_ref().ok_or_else(|| Failure::error("the node gave no proof for the value"))?;
        let trusted = trust.header(&session.client, &proof.block).await?;
        if trusted.header.height != state.height || height.is_some_and(|height| height != state.height) {
            return Err(Failure::error("the node proved the state of another block than the one that was asked for"));
        }
        let value = state.value.as_ref().map(|value| value.0.as_slice());
        let checked = check_state(proof, &trusted.header, &state.address, &key.0, value);
        checked.map_err(|error| Failure::from(ClientError::Proof(error)))?;
        lines[0].1 += " (proven)";
        lines.pop();
        lines.extend(trusted.lines());
        (shown.block_hash, shown.trusted) = (Some(trusted.header.hash()), Some(trusted.ground));
    }
    session.output.result(&shown, |_| fields(lines))
}

/// The key that a text means.
fn key_bytes(session: &Session, text: &str) -> Result<Vec<u8>, Failure> {
    let bytes = |text: &str| text.parse().map(|Bytes(bytes)| bytes).map_err(|error| bad_key(text, &error));
    if text.starts_with("0x") {
        return bytes(text);
    }
    let (field, element) = text.split_once('/').map_or((text, None), |(field, element)| (field, Some(element)));
    let mut key = field_prefix(field);
    match element {
        None => {}
        Some(element) if element.starts_with("0x") => key.extend(bytes(element)?),
        Some(element) => key.extend(session.account(element)?.0),
    }
    Ok(key)
}

fn bad_key(text: &str, error: &hanse_client::text::BytesError) -> Failure {
    Failure::usage(format!("{text:?}: {error}"))
}
