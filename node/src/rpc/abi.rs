//! The ABI documents of contracts, at hand for as long as they are asked for.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use hanse_abi::document::Abi;
use hanse_client::methods::CallParams;
use hanse_client::{Bytes, Contract, RpcError, codes};
use hanse_group::ContractInfo;
use hanse_types::{Address, ContractRef, Hash, Receipt};
use serde_json::Value;

use super::{Node, errors, limits};

/// Documents by contract and code: an upgrade brings another document. Native contracts have no code hash.
#[derive(Default)]
pub(super) struct AbiCache(Mutex<HashMap<(Address, Hash), Document>>);

/// A contract's document, if it has one.
type Document = Option<Arc<Abi>>;

impl AbiCache {
    /// The document of a contract, read and parsed the first time.
    fn of(&self, node: &Node, info: &ContractInfo) -> Document {
        let code = info.deployed.as_ref().map_or(Hash::ZERO, |(record, _)| record.code);
        let key = (info.address, code);
        if let Some(known) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return known.clone();
        }
        let bytes = node.group.abi(&ContractRef::Address(info.address)).ok()?;
        let abi = bytes.and_then(|bytes| Abi::parse(&bytes).ok()).map(Arc::new);
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= limits::CACHED_ABIS {
            cache.clear();
        }
        cache.insert(key, abi.clone());
        abi
    }
}

/// Contracts and documents as one answer needs them: each is looked up once.
pub(super) struct Abis<'a> {
    node: &'a Node,
    documents: BTreeMap<Address, Document>,
    names: BTreeMap<(String, u32), Option<Address>>,
}

impl<'a> Abis<'a> {
    /// For one answer.
    pub(super) fn new(node: &'a Node) -> Abis<'a> {
        Abis { node, documents: BTreeMap::new(), names: BTreeMap::new() }
    }

    /// The document of the contract at an address.
    pub(super) fn of(&mut self, address: &Address) -> Document {
        if let Some(known) = self.documents.get(address) {
            return known.clone();
        }
        let info = self.node.group.contract_info(&ContractRef::Address(*address)).ok().flatten();
        let abi = info.and_then(|info| self.node.abis.of(self.node, &info));
        self.documents.insert(*address, abi.clone());
        abi
    }

    /// The address that a contract goes by now.
    pub(super) fn address(&mut self, contract: &ContractRef) -> Option<Address> {
        match contract {
            ContractRef::Address(address) => Some(*address),
            ContractRef::Name { name, version } => {
                let node = self.node;
                *self
                    .names
                    .entry((name.clone(), *version))
                    .or_insert_with(|| node.group.contract_info(contract).ok().flatten().map(|info| info.address))
            }
        }
    }

    /// Contract and method of the transaction that a receipt is of.
    pub(super) fn call_of(&mut self, receipt: &Receipt) -> Option<(Option<Address>, String)> {
        let place = self.node.group.ledger().transaction(&receipt.tx_id).ok()??;
        let transaction = place.signed.transaction;
        Some((self.address(&transaction.contract), transaction.method))
    }
}

/// A call's arguments as bytes: given so, or encoded by the ABI.
pub(super) fn encode_args(node: &Node, params: &CallParams) -> Result<Vec<u8>, RpcError> {
    let bad = |reason: String| RpcError::new(codes::BAD_ARGUMENT, reason);
    if let Value::String(text) = &params.args {
        return text.parse().map(|Bytes(bytes)| bytes).map_err(|error: hanse_client::text::BytesError| {
            bad(format!("args: {error}; or give an object of arguments by name"))
        });
    }
    let info = node.group.contract_info(&params.contract.0).map_err(errors::query)?;
    let info = info.ok_or_else(|| errors::not_found(format!("contract {}", params.contract)))?;
    let abi = node.abis.of(node, &info);
    if params.args.is_null() && abi.is_none() {
        return Ok(Vec::new());
    }
    let abi = abi.ok_or_else(|| no_abi(&params.contract))?;
    abi.encode_args(&params.method, &params.args).map_err(|error| bad(error.to_string()))
}

/// The contract has no document.
pub(super) fn no_abi(contract: &Contract) -> RpcError {
    RpcError::new(codes::NO_ABI, format!("contract {contract} has no ABI document"))
}
