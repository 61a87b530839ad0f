//! Transactions: submit, look at.

use std::time::Duration;

use hanse_client::methods::{
    BatchSubmitted, ProofOf, ProveTxParams, ReceiptAnswer, ReceiptParams, SubmitBatchParams, SubmitParams, Submitted,
    TxParams, Wait,
};
use hanse_client::views::{InclusionProof, LocatedTransaction};
use hanse_client::{Bytes, RpcError, codes};
use hanse_group::WaitError;
use hanse_ledger::Tree;
use hanse_types::{Canonical, Receipt, SignedTransaction, TxId};

use super::super::abi::Abis;
use super::super::{Node, errors, http, limits, render};

/// [`hanse_client::methods::SubmitTx`].
pub(crate) async fn submit(node: &Node, params: SubmitParams) -> Result<Submitted, RpcError> {
    let signed = decode(&params.transaction)?;
    let id = signed.transaction.id(&node.group.genesis_hash());
    if params.wait == Wait::Pool {
        node.group.submit(signed).await.map_err(|error| errors::submit(error).tx(id.0))?;
        return Ok(Submitted { tx_id: id.0, receipt: None });
    }
    let timeout = limits::wait(params.timeout_ms);
    let receipt = node.group.submit_and_wait(signed, timeout).await.map_err(|error| errors::wait(error, id))?;
    Ok(Submitted { tx_id: id.0, receipt: Some(render::receipt(&mut Abis::new(node), &receipt)) })
}

/// [`hanse_client::methods::SubmitBatch`].
pub(crate) async fn submit_batch(node: &Node, params: SubmitBatchParams) -> Result<BatchSubmitted, RpcError> {
    let (found, limit) = (params.transactions.len(), limits::BULK_TRANSACTIONS);
    if found > limit {
        return Err(RpcError::new(codes::TOO_LARGE, format!("{found} transactions are given, the limit is {limit}")));
    }
    let decoded: Vec<Result<SignedTransaction, RpcError>> = params.transactions.iter().map(decode).collect();
    let good = decoded.iter().filter_map(|outcome| outcome.as_ref().ok().cloned()).collect();
    let mut answers = node.group.submit_many(good).await.into_iter();
    let outcomes = decoded.into_iter().map(|outcome| match outcome {
        Err(error) => Err(error),
        Ok(_) => match answers.next() {
            Some(answer) => answer.map(drop).map_err(errors::submit),
            None => Err(RpcError::new(codes::INTERNAL, "the group gave fewer answers than it got transactions")),
        },
    });
    Ok(http::summary(outcomes))
}

fn decode(bytes: &Bytes) -> Result<SignedTransaction, RpcError> {
    SignedTransaction::decode(&bytes.0).map_err(|error| RpcError::new(codes::MALFORMED, error.to_string()))
}

/// [`hanse_client::methods::GetTx`].
pub(crate) fn get(node: &Node, params: &TxParams) -> Result<LocatedTransaction, RpcError> {
    let id = TxId(params.tx_id);
    let found = node.group.ledger().transaction(&id).map_err(errors::ledger)?;
    let place = found.ok_or_else(|| errors::not_found(format!("transaction {id} in the chain")).tx(id.0))?;
    let transaction = render::transaction(&mut Abis::new(node), &place.signed, id);
    Ok(LocatedTransaction { transaction, height: place.height, index: place.index })
}

/// [`hanse_client::methods::GetReceipt`].
pub(crate) async fn receipt(node: &Node, params: ReceiptParams) -> Result<ReceiptAnswer, RpcError> {
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
    let timeout = Duration::from_millis(timeout_ms).min(limits::WAIT_MAX);
    match node.group.wait(id, timeout).await {
        Ok(receipt) => Ok((*receipt).clone()),
        // Whoever asks for a receipt has submitted nothing here: the transaction may never have existed.
        Err(WaitError::OutcomeUnknown) => Err(missing()),
        Err(error) => Err(errors::wait(error, id)),
    }
}

/// [`hanse_client::methods::ProveTx`].
pub(crate) fn proof(node: &Node, params: &ProveTxParams) -> Result<InclusionProof, RpcError> {
    prove(node, TxId(params.tx_id), params.of)
}

fn prove(node: &Node, id: TxId, of: ProofOf) -> Result<InclusionProof, RpcError> {
    let _permit = node.deep_reads.try_acquire().map_err(|_| errors::busy())?;
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
