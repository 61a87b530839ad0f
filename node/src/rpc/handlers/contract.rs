//! Contracts: what is known of them, what their views answer.

use hanse_client::methods::{AbiAnswer, CallParams, ContractList, ContractParams, ListContractsParams};
use hanse_client::views::{ContractView, DeployedView, QueryView};
use hanse_client::{Contract, RpcError, codes};
use hanse_group::ContractInfo;
use hanse_types::Address;
use hanse_vm::system;
use hanse_vm::system::lifecycle::{self, Condition};

use super::super::abi::{self, Abis};
use super::super::registry::{Entry, reads, waits};
use super::super::{Node, errors, render};

use super::{build, storage};

/// The methods of this namespace.
pub(super) const METHODS: &[Entry] = &[
    reads!(ListContracts, list),
    reads!(GetContract, info),
    reads!(GetAbi, abi),
    reads!(GetStorage, storage::get),
    reads!(BuildCall, build::call),
    reads!(BuildDeploy, build::deploy),
    reads!(BuildUpgrade, build::upgrade),
    reads!(BuildFreeze, build::freeze),
    reads!(BuildUnfreeze, build::unfreeze),
    reads!(BuildRevoke, build::revoke),
    waits!(QueryContract, query),
];

pub(super) fn find(node: &Node, contract: &Contract) -> Result<ContractInfo, RpcError> {
    let found = node.group.contract_info(&contract.0).map_err(errors::query)?;
    found.ok_or_else(|| errors::not_found(format!("contract {contract}")))
}

/// [`hanse_client::methods::GetContract`].
fn info(node: &Node, params: &ContractParams) -> Result<ContractView, RpcError> {
    Ok(view(find(node, &params.contract)?))
}

fn view(info: ContractInfo) -> ContractView {
    let deployed = info.deployed.map(|(record, about)| DeployedView {
        owner: about.owner,
        version: record.version,
        code_hash: record.code,
        status: condition(record.condition).into(),
        deployed_at: hanse_types::Height(about.deployed_at),
        upgraded_at: hanse_types::Height(about.upgraded_at),
    });
    ContractView { address: info.address, name: info.name, deployed }
}

/// [`hanse_client::methods::ListContracts`].
fn list(node: &Node, params: &ListContractsParams) -> Result<ContractList, RpcError> {
    let limit = node.server.capacity.page(params.limit);
    let after = params.after.unwrap_or(Address::ZERO);
    let native = (1..=system::CONTRACTS.len() as u16).map(Address::native).filter(|address| *address > after);
    let mut addresses: Vec<Address> = native.collect();
    // One more than asked for shows whether there are more.
    addresses.extend(
        lifecycle::list(&*node.group.ledger().state(), &after, limit + 1).map_err(|e| errors::query(e.into()))?,
    );
    let more = addresses.len() > limit;
    addresses.truncate(limit);
    let next = addresses.last().filter(|_| more).copied();
    let contracts: Result<Vec<ContractView>, RpcError> =
        addresses.into_iter().map(|address| find(node, &address.into()).map(view)).collect();
    Ok(ContractList { contracts: contracts?, next })
}

fn condition(condition: Condition) -> &'static str {
    match condition {
        Condition::Active => "active",
        Condition::Frozen => "frozen",
        Condition::Revoked => "revoked",
    }
}

/// [`hanse_client::methods::GetAbi`].
fn abi(node: &Node, params: &ContractParams) -> Result<AbiAnswer, RpcError> {
    let info = find(node, &params.contract)?;
    let abi = Abis::new(node).of(&info.address).ok_or_else(|| abi::no_abi(&params.contract))?;
    let abi = serde_json::to_value(&*abi).map_err(|error| RpcError::new(codes::INTERNAL, error.to_string()))?;
    Ok(AbiAnswer { abi })
}

/// [`hanse_client::methods::QueryContract`].
async fn query(node: &Node, params: CallParams) -> Result<QueryView, RpcError> {
    let args = tokio::task::block_in_place(|| abi::encode_args(node, &params))?;
    let caller = params.caller.unwrap_or(Address::ZERO);
    let contract = params.contract.0.clone();
    let _permit = node.server.queries.try_acquire().map_err(|_| errors::busy())?;
    let execution = node.group.query(contract, &params.method, args, caller).await.map_err(errors::query)?;
    tokio::task::block_in_place(|| {
        let mut abis = Abis::new(node);
        let address = abis.address(&params.contract.0);
        let outcome = render::execution(&mut abis, &execution, address, &params.method);
        match outcome.failure {
            Some(failure) => Err(render::failed(&failure)),
            None => Ok(QueryView { output: outcome.output, result: outcome.result, gas_used: outcome.gas_used }),
        }
    })
}
