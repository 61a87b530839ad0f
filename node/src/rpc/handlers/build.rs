//! Unsigned transactions: calls, and a contract's life. Whoever asked signs them elsewhere: no key is ever here.

use std::time::Duration;

use hanse_abi::document::{Abi, MethodKind};
use hanse_client::methods::{
    CallContractParams, CallParams, ChangeContractParams, DeployParams, NoParams, UpgradeParams,
};
use hanse_client::views::UnsignedView;
use hanse_client::{Bytes, Call, ChainContext, Contract, RpcError, codes};
use hanse_types::{Address, Canonical, Gas};
use hanse_vm::system::lifecycle;
use serde_json::Value;

use super::super::{Node, abi, errors};
use super::{chain, contract};

/// [`hanse_client::methods::BuildCall`].
pub(super) fn call(node: &Node, params: &CallContractParams) -> Result<UnsignedView, RpcError> {
    let CallContractParams { contract, method, args, sender, gas_limit, lifetime_ms } = params.clone();
    let asked = CallParams { contract: contract.clone(), method: method.clone(), args, caller: None, gas_limit };
    let call = Call::new(contract, &method, abi::encode_args(node, &asked)?);
    unsigned(node, sender, call, gas_limit, lifetime_ms)
}

/// [`hanse_client::methods::BuildDeploy`].
pub(super) fn deploy(node: &Node, params: &DeployParams) -> Result<UnsignedView, RpcError> {
    let args = arguments(&params.code, MethodKind::Init, &params.args)?;
    let args = encode(&(&params.name, &params.code.0, args))?;
    build(node, params.sender, "deploy", args, params.gas_limit, params.lifetime_ms)
}

/// [`hanse_client::methods::BuildUpgrade`].
pub(super) fn upgrade(node: &Node, params: &UpgradeParams) -> Result<UnsignedView, RpcError> {
    let address = contract::find(node, &params.contract)?.address;
    let args = arguments(&params.code, MethodKind::Migrate, &params.args)?;
    let args = encode(&(address, &params.code.0, args))?;
    build(node, params.sender, "upgrade", args, params.gas_limit, params.lifetime_ms)
}

/// [`hanse_client::methods::BuildFreeze`].
pub(super) fn freeze(node: &Node, params: &ChangeContractParams) -> Result<UnsignedView, RpcError> {
    change(node, "freeze", params)
}

/// [`hanse_client::methods::BuildUnfreeze`].
pub(super) fn unfreeze(node: &Node, params: &ChangeContractParams) -> Result<UnsignedView, RpcError> {
    change(node, "unfreeze", params)
}

/// [`hanse_client::methods::BuildRevoke`].
pub(super) fn revoke(node: &Node, params: &ChangeContractParams) -> Result<UnsignedView, RpcError> {
    change(node, "revoke", params)
}

fn change(node: &Node, method: &str, params: &ChangeContractParams) -> Result<UnsignedView, RpcError> {
    let address = contract::find(node, &params.contract)?.address;
    build(node, params.sender, method, encode(&(address,))?, params.gas_limit, params.lifetime_ms)
}

fn encode(args: &impl borsh::BorshSerialize) -> Result<Vec<u8>, RpcError> {
    borsh::to_vec(args).map_err(|error| errors::internal(&error))
}

/// The arguments of a module's method of this kind, as bytes.
fn arguments(code: &Bytes, kind: MethodKind, args: &Value) -> Result<Vec<u8>, RpcError> {
    let bad = |reason: String| RpcError::new(codes::BAD_ARGUMENT, reason);
    if let Value::String(text) = args {
        let bytes = text.parse::<Bytes>().map_err(|error| bad(format!("args: {error}")))?;
        return Ok(bytes.0);
    }
    let abi = Abi::from_wasm(&code.0).map_err(|error| RpcError::new(codes::INVALID_CODE, error.to_string()))?;
    let abi = abi.unwrap_or_default();
    match abi.methods.iter().find(|method| method.kind == kind) {
        Some(method) => abi.encode_args(&method.name, args).map_err(|error| bad(error.to_string())),
        None if args.is_null() => Ok(Vec::new()),
        None => Err(bad("the module has no method that takes the arguments".into())),
    }
}

fn build(
    node: &Node,
    sender: Address,
    method: &str,
    args: Vec<u8>,
    gas: Option<Gas>,
    lifetime_ms: Option<u64>,
) -> Result<UnsignedView, RpcError> {
    unsigned(node, sender, Call::new(Contract::from(lifecycle::ADDRESS), method, args), gas, lifetime_ms)
}

fn unsigned(
    node: &Node,
    sender: Address,
    mut call: Call,
    gas: Option<Gas>,
    lifetime_ms: Option<u64>,
) -> Result<UnsignedView, RpcError> {
    let context = ChainContext::from(&chain::info(node, &NoParams {})?);
    if let Some(gas) = gas {
        call = call.gas_limit(gas);
    }
    if let Some(ms) = lifetime_ms {
        call = call.lifetime(Duration::from_millis(ms));
    }
    let transaction = call.unsigned(&context, sender).map_err(|error| errors::internal(&error))?;
    Ok(UnsignedView {
        unsigned: Bytes(transaction.encode()),
        sign_bytes: Bytes(transaction.sign_bytes(&context.genesis)),
        genesis_hash: context.genesis,
        crypto: context.crypto,
        tx_id: transaction.id(context.crypto, &context.genesis).0,
        expiration: transaction.expiration,
    })
}
