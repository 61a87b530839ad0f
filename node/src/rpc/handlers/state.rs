//! Raw state: of now or of a past block, with a proof if asked for.

use hanse_abi::keys::full_key;
use hanse_client::methods::{StateParams, StateValue};
use hanse_client::views::StateProof;
use hanse_client::{Bytes, RpcError};
use hanse_types::{Address, Canonical, Height};
use hanse_vm::system::names;

use super::super::registry::{Entry, reads};
use super::super::{Node, errors, render};

/// The methods of this namespace.
pub(super) const METHODS: &[Entry] = &[reads!(GetState, get)];

/// [`hanse_client::methods::GetState`].
fn get(node: &Node, params: &StateParams) -> Result<StateValue, RpcError> {
    let ledger = node.group.ledger();
    let newest = ledger.height();
    let height = params.height.unwrap_or(newest);
    // Looks into many blocks, or makes a tree anew.
    let deep = height != newest || params.proof;
    let _permit = deep.then(|| node.deep_reads.try_acquire()).transpose().map_err(|_| errors::busy())?;
    let state = ledger.state_at(height).map_err(errors::ledger)?;
    let found = names::find(&*state, &params.contract.0).map_err(|error| errors::query(error.into()))?;
    let address = found.ok_or_else(|| errors::not_found(format!("contract {} at {height}", params.contract)))?;
    if params.proof {
        return prove(node, address, &params.key, height);
    }
    let value = state.get(&full_key(&address, &params.key.0)).map_err(|error| errors::query(error.into()))?;
    Ok(StateValue { value: value.map(|value| Bytes(value.to_vec())), height, address, proof: None })
}

fn prove(node: &Node, address: Address, key: &Bytes, height: Height) -> Result<StateValue, RpcError> {
    let key = full_key(&address, &key.0);
    let proven = node.group.ledger().prove_state_at(&key, height).map_err(errors::ledger)?;
    let block = render::certified(&proven.header, &proven.certificate);
    let proof = Some(StateProof { block, path: Bytes(proven.proof.encode()) });
    Ok(StateValue { value: proven.value.map(|value| Bytes(value.to_vec())), height, address, proof })
}
