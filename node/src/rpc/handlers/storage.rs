//! What contracts keep, decoded by their ABIs.

use hanse_abi::document::Abi;
use hanse_client::methods::{StoragePage, StorageParams};
use hanse_client::views::StorageFieldView;
use hanse_client::{Bytes, RpcError, codes};

use super::super::abi::{self, Abis};
use super::super::{Node, range, render};
use super::state;

/// [`hanse_client::methods::GetStorage`].
pub(super) fn get(node: &Node, params: &StorageParams) -> Result<StoragePage, RpcError> {
    let state = state::at(node, params.height)?;
    let address = state.find(&params.contract)?;
    let mut abis = Abis::new(node);
    let abi = abis.of(&address).ok_or_else(|| abi::no_abi(&params.contract))?;
    let prefix = prefix(&abi, params)?;
    let from = params.from.as_ref().map(|from| from.0.as_slice());
    let (mut found, mut next) =
        range::page(&*state.view, &address, &prefix, from, node.server.capacity.page(params.limit))?;
    if params.element.is_some() {
        // A text's key may be the beginning of another's.
        found.retain(|(key, _)| state::own_key(key) == prefix);
        next = None;
    }
    let field = |field: &hanse_abi::document::StorageField| StorageFieldView {
        name: field.name.clone(),
        ty: field.ty.clone(),
        docs: field.docs.clone(),
    };
    Ok(StoragePage {
        fields: abi.storage.iter().map(field).collect(),
        entries: found.iter().map(|(key, value)| render::entry(&mut abis, key, value)).collect(),
        next: next.map(Bytes),
        height: state.height,
    })
}

/// What the keys of the field, or that of the element, begin with.
fn prefix(abi: &Abi, params: &StorageParams) -> Result<Vec<u8>, RpcError> {
    let bad = |reason: String| RpcError::new(codes::BAD_ARGUMENT, reason);
    match &params.field {
        Some(field) => abi.encode_key(field, params.element.as_ref()).map_err(|error| bad(error.to_string())),
        None if params.element.is_some() => Err(bad("an element is of a field: give field too".into())),
        None => Ok(Vec::new()),
    }
}
