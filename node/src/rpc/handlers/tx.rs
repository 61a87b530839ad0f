//! Transactions: submitted, looked at, proven, simulated.

use std::time::Duration;

use hanse_client::methods::{
    CallParams, ManySubmitted, ProofOf, ProveTxParams, ReceiptAnswer, ReceiptParams, SubmitManyParams, SubmitParams,
    Submitted, TxParams, Wait, WaitMany, WaitTxParams,
};
use hanse_client::views::{InclusionProof, LocatedTransaction, ReceiptView, SimulationView, TxAccess, TxStatusView};
use hanse_client::{Bytes, RpcError, codes};
use hanse_group::{Durability, TransactionStatus, WaitError};
use hanse_ledger::Tree;
use hanse_types::{Address, Canonical, Receipt, SignedTransaction, Timestamp, Transaction, TxId};

use super::super::abi::{self, Abis};
use super::super::registry::{Entry, reads, waits};
use super::super::{Node, conflicts, errors, http, limits, render};
use super::trace;

/// The methods of this namespace.
pub(super) const METHODS: &[Entry] = &[
    waits!(SubmitTx, submit),
    waits!(SubmitMany, submit_many),
    waits!(GetTxStatus, status),
    reads!(GetTx, get),
    waits!(GetReceipt, receipt),
    waits!(WaitTx, wait),
    reads!(GetRwSet, rw_set),
    waits!(TraceTx, trace::get),
    reads!(ProveTx, proof),
    waits!(SimulateTx, simulate),
];

/// [`hanse_client::methods::SubmitTx`].
async fn submit(node: &Node, params: SubmitParams) -> Result<Submitted, RpcError> {
    let signed = decode(&params.transaction).inspect_err(|error| node.refusals.tell(error, || None))?;
    let id = signed.id(&node.group.genesis_hash());
    let tell = |error: &RpcError| node.refusals.tell(error, || decode(&params.transaction).ok());
    let durability = match params.wait {
        Wait::None => Some(Durability::Memory),
        Wait::Pool => Some(Durability::Disk),
        Wait::Committed => None,
    };
    if let Some(durability) = durability {
        let sent = node.group.submit(signed, durability).await.map_err(|error| errors::submit(error).tx(id.0));
        sent.inspect_err(tell)?;
        return Ok(Submitted { tx_id: id.0, receipt: None });
    }
    let timeout = node.server.capacity.wait(params.timeout_ms);
    let receipt = node.group.submit_and_wait(signed, timeout).await.map_err(|error| {
        let is_refused = matches!(error, WaitError::Submit(_));
        let error = errors::wait(error, id);
        // Of one that was dropped later, the group has told.
        if is_refused {
            tell(&error);
        }
        error
    })?;
    Ok(Submitted { tx_id: id.0, receipt: Some(render::receipt(&mut Abis::new(node), &receipt)) })
}

/// [`hanse_client::methods::SubmitMany`].
async fn submit_many(node: &Node, params: SubmitManyParams) -> Result<ManySubmitted, RpcError> {
    let (found, limit) = (params.transactions.len(), node.server.capacity.bulk_transactions);
    if found > limit {
        return Err(RpcError::new(codes::TOO_LARGE, format!("{found} transactions are given, the limit is {limit}")));
    }
    let decoded: Vec<Result<SignedTransaction, RpcError>> = params.transactions.iter().map(decode).collect();
    let good = decoded.iter().filter_map(|outcome| outcome.as_ref().ok().cloned()).collect();
    let mut answers = node.group.submit_many(good, durability(params.wait)).await.into_iter();
    let outcomes = decoded.into_iter().map(|outcome| match outcome {
        Err(error) => Err(error),
        Ok(_) => match answers.next() {
            Some(answer) => answer.map(drop).map_err(errors::submit),
            None => Err(RpcError::new(codes::INTERNAL, "the group gave fewer answers than it got transactions")),
        },
    });
    let summary = http::summary(outcomes);
    for refused in &summary.refused {
        let bytes = params.transactions.get(refused.index);
        node.refusals.tell(&refused.error, || bytes.and_then(|bytes| decode(bytes).ok()));
    }
    Ok(summary)
}

/// What is promised of transactions that are accepted.
pub(in crate::rpc) fn durability(wait: WaitMany) -> Durability {
    match wait {
        WaitMany::None => Durability::Memory,
        WaitMany::Pool => Durability::Disk,
    }
}

/// A signed transaction of these bytes.
pub(super) fn decode(bytes: &Bytes) -> Result<SignedTransaction, RpcError> {
    SignedTransaction::decode(&bytes.0).map_err(|error| RpcError::new(codes::MALFORMED, error.to_string()))
}

/// [`hanse_client::methods::GetTxStatus`].
async fn status(node: &Node, params: TxParams) -> Result<TxStatusView, RpcError> {
    let status = node.group.status(TxId(params.tx_id)).await.map_err(errors::ledger)?;
    Ok(match status {
        TransactionStatus::Waiting => TxStatusView::Waiting,
        TransactionStatus::Sealed { height } => TxStatusView::Sealed { height },
        TransactionStatus::Committed(receipt) => {
            TxStatusView::Committed { height: receipt.height, index: receipt.index, status: receipt.status }
        }
        TransactionStatus::Dropped(dropped) => TxStatusView::Dropped {
            retry: errors::of_reason(&dropped.reason).retry,
            reason: dropped.reason,
            message: dropped.message,
            height: dropped.height,
            timestamp: dropped.timestamp,
        },
        TransactionStatus::Unknown => TxStatusView::Unknown,
    })
}

/// [`hanse_client::methods::GetTx`].
fn get(node: &Node, params: &TxParams) -> Result<LocatedTransaction, RpcError> {
    let id = TxId(params.tx_id);
    let found = node.group.ledger().transaction(&id).map_err(errors::ledger)?;
    let place = found.ok_or_else(|| errors::not_found(format!("transaction {id} in the chain")).tx(id.0))?;
    let transaction = render::transaction(&mut Abis::new(node), &place.signed, id);
    Ok(LocatedTransaction { transaction, height: place.height, index: place.index })
}

/// [`hanse_client::methods::GetReceipt`].
async fn receipt(node: &Node, params: ReceiptParams) -> Result<ReceiptAnswer, RpcError> {
    let id = TxId(params.tx_id);
    let receipt = find(node, id, params.timeout_ms).await?;
    tokio::task::block_in_place(|| {
        let proof = if params.proof { Some(prove(node, id, ProofOf::Receipt)?) } else { None };
        Ok(ReceiptAnswer { receipt: render::receipt(&mut Abis::new(node), &receipt), proof })
    })
}

async fn find(node: &Node, id: TxId, timeout_ms: u64) -> Result<Receipt, RpcError> {
    let missing = || errors::not_found(format!("transaction {id} in the chain")).tx(id.0);
    if timeout_ms == 0 {
        return node.group.ledger().receipt_of(&id).map_err(errors::ledger)?.ok_or_else(missing);
    }
    let timeout = Duration::from_millis(timeout_ms).min(node.server.capacity.wait);
    match node.group.wait(id, timeout).await {
        Ok(receipt) => Ok((*receipt).clone()),
        // Whoever asks for a receipt has submitted nothing here: the transaction may never have existed.
        Err(WaitError::OutcomeUnknown) => Err(missing()),
        Err(error) => Err(errors::wait(error, id)),
    }
}

/// [`hanse_client::methods::WaitTx`].
async fn wait(node: &Node, params: WaitTxParams) -> Result<ReceiptView, RpcError> {
    let id = TxId(params.tx_id);
    let receipt = node
        .group
        .wait(id, node.server.capacity.wait(params.timeout_ms))
        .await
        .map_err(|error| errors::wait(error, id))?;
    Ok(tokio::task::block_in_place(|| render::receipt(&mut Abis::new(node), &receipt)))
}

/// [`hanse_client::methods::GetRwSet`].
fn rw_set(node: &Node, params: &TxParams) -> Result<TxAccess, RpcError> {
    let id = TxId(params.tx_id);
    let ledger = node.group.ledger();
    let missing = || errors::not_found(format!("transaction {id} in the chain")).tx(id.0);
    let (height, index) = ledger.find_transaction(&id).map_err(errors::ledger)?.ok_or_else(missing)?;
    let set = ledger.rw_set(height, index).map_err(errors::ledger)?.ok_or_else(missing)?;
    let access = render::access(&mut Abis::new(node), &set);
    Ok(TxAccess { tx_id: id.0, height, index, access })
}

/// [`hanse_client::methods::ProveTx`].
fn proof(node: &Node, params: &ProveTxParams) -> Result<InclusionProof, RpcError> {
    prove(node, TxId(params.tx_id), params.of)
}

fn prove(node: &Node, id: TxId, of: ProofOf) -> Result<InclusionProof, RpcError> {
    let _permit = node.server.deep_reads.try_acquire().map_err(|_| errors::busy())?;
    let ledger = node.group.ledger();
    let tree = match of {
        ProofOf::Transaction => Tree::Transactions,
        ProofOf::Receipt => Tree::Receipts,
        ProofOf::AccessSet => Tree::RwSets,
    };
    let missing = || errors::not_found(format!("transaction {id} in the chain")).tx(id.0);
    let found = ledger.prove_inclusion(&id, tree).map_err(errors::ledger)?.ok_or_else(missing)?;
    let (height, index) = (found.header.height, found.index);
    let content = match of {
        ProofOf::Transaction => ledger.transaction(&id).map(|place| place.map(|place| place.signed.encode())),
        ProofOf::Receipt => ledger.receipt(height, index).map(|receipt| receipt.map(|receipt| receipt.encode())),
        ProofOf::AccessSet => ledger.rw_set(height, index).map(|rw_set| rw_set.map(|rw_set| rw_set.encode())),
    };
    Ok(InclusionProof {
        block: render::certified(&found.header, &found.certificate),
        content: Bytes(content.map_err(errors::ledger)?.ok_or_else(missing)?),
        index,
        path: found.path.0,
    })
}

/// [`hanse_client::methods::SimulateTx`].
async fn simulate(node: &Node, params: CallParams) -> Result<SimulationView, RpcError> {
    let transaction = transaction(node, &params)?;
    let _permit = node.server.queries.try_acquire().map_err(|_| errors::busy())?;
    let simulation = node.group.simulate(transaction).await.map_err(errors::query)?;
    let (waiting, more) = node.group.pool_list(None, limits::CONFLICTS_LOOKED_AT).await;
    tokio::task::block_in_place(|| {
        let mut abis = Abis::new(node);
        let address = abis.address(&params.contract.0);
        let (conflicts, mut pool) = conflicts::find(&mut abis, &waiting, &simulation.rw_set);
        pool.more = more;
        Ok(SimulationView {
            height: simulation.height,
            outcome: render::execution(&mut abis, &simulation.execution, address, &params.method),
            access: render::access(&mut abis, &simulation.rw_set),
            conflicts,
            pool,
            debug: simulation.debug,
        })
    })
}

/// The transaction that a simulation runs; it is never signed, so only what execution sees matters.
fn transaction(node: &Node, params: &CallParams) -> Result<Transaction, RpcError> {
    let genesis = node.group.genesis();
    let tip = node.group.ledger().tip();
    let args = tokio::task::block_in_place(|| abi::encode_args(node, params))?;
    Ok(Transaction {
        version: Transaction::VERSION,
        chain_id: genesis.chain_id.clone(),
        group_id: genesis.group_id.clone(),
        sender: params.caller.unwrap_or(Address::ZERO),
        nonce: 0,
        ref_height: tip.header.height,
        ref_hash: [0; 8],
        timestamp: tip.header.timestamp,
        expiration: Timestamp(u64::MAX),
        gas_limit: params.gas_limit.unwrap_or(genesis.params.tx_gas_max).min(genesis.params.tx_gas_max),
        business_id: Vec::new(),
        contract: params.contract.0.clone(),
        method: params.method.clone(),
        args,
    })
}
