//! Raw state: of now or of a past block, with a proof if asked for.

use std::sync::Arc;

use hanse_abi::keys::{full_key, split_key};
use hanse_client::methods::{
    AtHeight, StateParams, StateRange, StateRangeParams, StateValue, StateValues, StatesParams,
};
use hanse_client::views::{StateProof, StateRoot};
use hanse_client::{Bytes, Contract, RpcError, codes};
use hanse_state::StateView;
use hanse_types::{Address, Canonical, Height, StateCommitment};
use hanse_vm::system::names;
use tokio::sync::SemaphorePermit;

use super::super::abi::Abis;
use super::super::registry::{Entry, reads};
use super::super::{Node, errors, range, render};

/// The methods of this namespace.
pub(super) const METHODS: &[Entry] =
    &[reads!(GetState, get), reads!(GetStates, get_many), reads!(GetStateRange, get_range), reads!(GetStateRoot, root)];

/// The state after a block.
pub(super) struct StateAt<'a> {
    pub(super) view: Arc<dyn StateView>,
    pub(super) height: Height,
    /// Held while a past state is read: it looks into many blocks.
    _permit: Option<SemaphorePermit<'a>>,
}

/// The state after the block at this height; the newest if absent.
pub(super) fn at(node: &Node, height: Option<Height>) -> Result<StateAt<'_>, RpcError> {
    let ledger = node.group.ledger();
    let newest = ledger.height();
    let height = height.unwrap_or(newest);
    let permit =
        (height != newest).then(|| node.server.deep_reads.try_acquire()).transpose().map_err(|_| errors::busy())?;
    let view = ledger.state_at(height).map_err(errors::ledger)?;
    Ok(StateAt { view, height, _permit: permit })
}

impl StateAt<'_> {
    /// The address that a contract goes by in it.
    pub(super) fn find(&self, contract: &Contract) -> Result<Address, RpcError> {
        let found = names::find(&*self.view, &contract.0).map_err(|error| errors::query(error.into()))?;
        found.ok_or_else(|| errors::not_found(format!("contract {contract} at {}", self.height)))
    }
}

/// [`hanse_client::methods::GetState`].
fn get(node: &Node, params: &StateParams) -> Result<StateValue, RpcError> {
    let state = at(node, params.height)?;
    let address = state.find(&params.contract)?;
    let height = state.height;
    if params.proof {
        drop(state);
        return prove(node, address, &params.key, height);
    }
    let value = state.view.get(&full_key(&address, &params.key.0)).map_err(|error| errors::query(error.into()))?;
    Ok(StateValue { value: value.map(|value| Bytes(value.to_vec())), height, address, proof: None })
}

fn prove(node: &Node, address: Address, key: &Bytes, height: Height) -> Result<StateValue, RpcError> {
    // Makes a tree anew.
    let _permit = node.server.deep_reads.try_acquire().map_err(|_| errors::busy())?;
    let key = full_key(&address, &key.0);
    let proven = node.group.ledger().prove_state_at(&key, height).map_err(errors::ledger)?;
    let block = render::certified(&proven.header, &proven.certificate);
    let proof = Some(StateProof { block, path: Bytes(proven.proof.encode()) });
    Ok(StateValue { value: proven.value.map(|value| Bytes(value.to_vec())), height, address, proof })
}

/// [`hanse_client::methods::GetStates`].
fn get_many(node: &Node, params: &StatesParams) -> Result<StateValues, RpcError> {
    let (found, limit) = (params.keys.len(), node.server.capacity.state_keys);
    if found > limit {
        return Err(RpcError::new(codes::TOO_LARGE, format!("{found} keys are given, the limit is {limit}")));
    }
    let state = at(node, params.height)?;
    let address = state.find(&params.contract)?;
    let keys: Vec<Vec<u8>> = params.keys.iter().map(|key| full_key(&address, &key.0)).collect();
    let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
    let values = state.view.multi_get(&keys).map_err(|error| errors::query(error.into()))?;
    let values = values.into_iter().map(|value| value.map(|value| Bytes(value.to_vec()))).collect();
    Ok(StateValues { values, height: state.height, address })
}

/// [`hanse_client::methods::GetStateRange`].
fn get_range(node: &Node, params: &StateRangeParams) -> Result<StateRange, RpcError> {
    let state = at(node, params.height)?;
    let address = state.find(&params.contract)?;
    let from = params.from.as_ref().map(|from| from.0.as_slice());
    let (found, next) =
        range::page(&*state.view, &address, &params.prefix.0, from, node.server.capacity.page(params.limit))?;
    let mut abis = Abis::new(node);
    let entries = found.iter().map(|(key, value)| render::entry(&mut abis, key, value)).collect();
    Ok(StateRange { entries, next: next.map(Bytes), height: state.height, address })
}

/// The own part of a full key.
pub(super) fn own_key(full: &[u8]) -> &[u8] {
    split_key(full).map_or(full, |(_, own)| own)
}

/// [`hanse_client::methods::GetStateRoot`].
fn root(node: &Node, params: &AtHeight) -> Result<StateRoot, RpcError> {
    let ledger = node.group.ledger();
    let height = params.height.unwrap_or_else(|| ledger.height());
    let header = ledger.header(height).map_err(errors::ledger)?;
    let header =
        header.ok_or_else(|| errors::not_found(format!("block {height}; the newest is {}", ledger.height())))?;
    let commitment = match node.group.genesis().state_commitment {
        StateCommitment::Flat => "flat",
        StateCommitment::Merkle => "merkle",
    };
    Ok(StateRoot { height, state_root: header.state_root, commitment: commitment.into() })
}
