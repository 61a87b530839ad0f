//! From a body to an answer: the envelope, batches, and which handler.

use futures::future::join_all;
use hanse_client::codes;
use hanse_client::jsonrpc::{Request, Response, RpcError, VERSION};
use hanse_client::methods::{self as m, Method};
use serde::Serialize;
use serde_json::Value;

use super::{Node, errors, handlers, limits};

/// One response, or those of a batch in the order of its requests.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Answer {
    Single(Response),
    Batch(Vec<Response>),
}

/// Answers a body; none only for a batch without a request that wants one, which strictness rules out.
pub(super) async fn answer(node: &Node, body: &[u8]) -> Answer {
    match serde_json::from_slice(body) {
        Err(error) => refused(RpcError::new(codes::PARSE_ERROR, format!("the body is not JSON: {error}"))),
        Ok(Value::Array(requests)) if requests.is_empty() => {
            refused(RpcError::new(codes::INVALID_REQUEST, "the batch is empty"))
        }
        Ok(Value::Array(requests)) if requests.len() > limits::BATCH_REQUESTS => {
            let (found, limit) = (requests.len(), limits::BATCH_REQUESTS);
            refused(RpcError::new(codes::TOO_LARGE, format!("the batch has {found} requests, the limit is {limit}")))
        }
        Ok(Value::Array(requests)) => {
            Answer::Batch(join_all(requests.into_iter().map(|request| single(node, request))).await)
        }
        Ok(request) => Answer::Single(single(node, request).await),
    }
}

fn refused(error: RpcError) -> Answer {
    Answer::Single(Response::new(Value::Null, Err(error)))
}

async fn single(node: &Node, request: Value) -> Response {
    let id = request.get("id").filter(|id| is_id(id)).cloned().unwrap_or(Value::Null);
    let outcome = match parse(request) {
        Ok(request) => run(node, request).await,
        Err(error) => Err(error),
    };
    Response::new(id, outcome)
}

fn is_id(id: &Value) -> bool {
    id.is_string() || id.is_number()
}

fn parse(request: Value) -> Result<Request, RpcError> {
    let invalid = |reason: String| RpcError::new(codes::INVALID_REQUEST, reason);
    let request: Request =
        serde_json::from_value(request).map_err(|error| invalid(format!("not a JSON-RPC 2.0 request: {error}")))?;
    if request.jsonrpc != VERSION {
        return Err(invalid(format!("jsonrpc is {:?}, expected is {VERSION:?}", request.jsonrpc)));
    }
    if !is_id(&request.id) {
        return Err(invalid("id must be a text or a number".into()));
    }
    Ok(request)
}

async fn run(node: &Node, request: Request) -> Result<Value, RpcError> {
    let _permit = node.requests.try_acquire().map_err(|_| errors::busy())?;
    let params = request.params;
    match request.method.as_str() {
        m::GetChainInfo::NAME => sync::<m::GetChainInfo>(params, |m::NoParams {}| handlers::chain::info(node)),
        m::SubmitTx::NAME => encode(handlers::tx::submit(node, read::<m::SubmitTx>(params)?).await),
        m::SubmitBatch::NAME => encode(handlers::tx::submit_batch(node, read::<m::SubmitBatch>(params)?).await),
        m::GetTx::NAME => sync::<m::GetTx>(params, |params| handlers::tx::get(node, &params)),
        m::GetReceipt::NAME => encode(handlers::tx::receipt(node, read::<m::GetReceipt>(params)?).await),
        m::ProveTx::NAME => sync::<m::ProveTx>(params, |params| handlers::tx::proof(node, &params)),
        m::SimulateTx::NAME => encode(handlers::contract::simulate(node, read::<m::SimulateTx>(params)?).await),
        m::GetBlock::NAME => sync::<m::GetBlock>(params, |params| handlers::block::get(node, &params)),
        m::GetCertificate::NAME => {
            sync::<m::GetCertificate>(params, |params| handlers::block::certificate(node, &params))
        }
        m::WaitBlock::NAME => encode(handlers::block::wait(node, read::<m::WaitBlock>(params)?).await),
        m::GetDag::NAME => sync::<m::GetDag>(params, |params| handlers::block::dag(node, &params)),
        m::GetState::NAME => sync::<m::GetState>(params, |params| handlers::state::get(node, &params)),
        m::GetAbi::NAME => sync::<m::GetAbi>(params, |params| handlers::contract::abi(node, &params)),
        m::GetContract::NAME => sync::<m::GetContract>(params, |params| handlers::contract::info(node, &params)),
        m::QueryContract::NAME => encode(handlers::contract::query(node, read::<m::QueryContract>(params)?).await),
        m::GetPool::NAME => sync::<m::GetPool>(params, |m::NoParams {}| handlers::chain::pool(node)),
        m::GetLedger::NAME => sync::<m::GetLedger>(params, |m::NoParams {}| handlers::ledger::info(node)),
        m::TakeSnapshot::NAME => sync::<m::TakeSnapshot>(params, |params| handlers::ledger::snapshot(node, params)),
        m::PruneHistory::NAME => sync::<m::PruneHistory>(params, |params| handlers::ledger::prune(node, &params)),
        m::QueryEvents::NAME => sync::<m::QueryEvents>(params, |params| handlers::event::query(node, &params)),
        unknown => Err(RpcError::new(codes::UNKNOWN_METHOD, format!("there is no method {unknown:?}"))
            .detail(serde_json::json!({ "methods": m::NAMES }))),
    }
}

/// Runs a handler that only reads. It blocks on the disk, so other tasks of this thread are moved away first.
fn sync<M: Method>(
    params: Value,
    handler: impl FnOnce(M::Params) -> Result<M::Answer, RpcError>,
) -> Result<Value, RpcError> {
    let params = read::<M>(params)?;
    tokio::task::block_in_place(|| encode(handler(params)))
}

fn read<M: Method>(params: Value) -> Result<M::Params, RpcError> {
    let params = match params {
        Value::Null => Value::Object(serde_json::Map::new()),
        object @ Value::Object(_) => object,
        _ => return Err(RpcError::new(codes::INVALID_PARAMS, format!("{}: params must be an object", M::NAME))),
    };
    serde_json::from_value(params)
        .map_err(|error| RpcError::new(codes::INVALID_PARAMS, format!("{}: {error}", M::NAME)))
}

fn encode<T: Serialize>(outcome: Result<T, RpcError>) -> Result<Value, RpcError> {
    serde_json::to_value(outcome?).map_err(|error| RpcError::new(codes::INTERNAL, error.to_string()))
}
