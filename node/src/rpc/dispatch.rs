//! From a body to an answer: the envelope, batches, the group, and which method.

use std::sync::Arc;
use std::time::Instant;

use futures::future::join_all;
use hanse_client::codes;
use hanse_client::jsonrpc::{Request, Response, RpcError, VERSION};
use hanse_client::methods::{GROUP, Method, SubmitMany, SubmitTx};
use serde::Serialize;
use serde_json::{Map, Value};

use super::caller::Caller;
use super::http::code_of;
use super::registry::{Entry, Run};
use super::{Server, errors, registry};

/// What requests that name no method of the table are called among the methods.
const NO_METHOD: &str = "unknown";

/// One response, or those of a batch in the order of its requests.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Answer {
    Single(Response),
    Batch(Vec<Response>),
}

/// Answers a body; none only for a batch without a request that wants one, which strictness rules out.
pub(super) async fn answer(server: &Arc<Server>, caller: &Caller, body: &[u8]) -> Answer {
    match serde_json::from_slice(body) {
        Err(error) => refused(RpcError::new(codes::PARSE_ERROR, format!("the body is not JSON: {error}"))),
        Ok(Value::Array(requests)) if requests.is_empty() => {
            refused(RpcError::new(codes::INVALID_REQUEST, "the batch is empty"))
        }
        Ok(Value::Array(requests)) if requests.len() > server.capacity.batch_requests => {
            let (found, limit) = (requests.len(), server.capacity.batch_requests);
            refused(RpcError::new(codes::TOO_LARGE, format!("the batch has {found} requests, the limit is {limit}")))
        }
        Ok(Value::Array(requests)) => {
            Answer::Batch(join_all(requests.into_iter().map(|request| single(server, caller, request))).await)
        }
        Ok(request) => Answer::Single(single(server, caller, request).await),
    }
}

fn refused(error: RpcError) -> Answer {
    Answer::Single(Response::new(Value::Null, Err(error)))
}

async fn single(server: &Arc<Server>, caller: &Caller, request: Value) -> Response {
    let id = request.get("id").filter(|id| is_id(id)).cloned().unwrap_or(Value::Null);
    let started = Instant::now();
    let (method, outcome) = match parse(request) {
        Ok(request) => match registry::find(&request.method) {
            Some(entry) => (entry.method.name, run(server, caller, entry, request.params).await),
            None => (NO_METHOD, Err(unknown(&request.method))),
        },
        Err(error) => (NO_METHOD, Err(error)),
    };
    server.metrics.requests.answered(method, code_of(&outcome), started.elapsed());
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

async fn run(server: &Arc<Server>, caller: &Caller, entry: &Entry, params: Value) -> Result<Value, RpcError> {
    caller.request(server)?;
    caller.check(server, entry)?;
    let places = match caller {
        Caller::Anyone(_) => &server.requests,
        Caller::Operator(_) => &server.operator_requests,
    };
    let _permit = places.try_acquire().map_err(|_| errors::busy())?;
    let mut params = match params {
        Value::Null => Map::new(),
        Value::Object(params) => params,
        _ => return Err(invalid(entry.method.name, "params must be an object")),
    };
    let group = group_of(entry.method.name, &mut params)?;
    caller.transactions(server, submitted(entry, &params))?;
    let told = caller.told(entry, &params);
    let outcome = match entry.run {
        Run::Server(run) => run(server, params).await,
        Run::Group(run) => match server.node(group.as_deref()) {
            Ok(node) => run(&node, params).await,
            Err(error) => Err(error),
        },
    };
    caller.log(entry, &told, &outcome);
    outcome
}

/// How many transactions a request submits.
fn submitted(entry: &Entry, params: &Map<String, Value>) -> usize {
    match entry.method.name {
        SubmitTx::NAME => 1,
        SubmitMany::NAME => params.get("transactions").and_then(Value::as_array).map_or(0, Vec::len),
        _ => 0,
    }
}

/// The group that is asked, if the request says so.
fn group_of(method: &str, params: &mut Map<String, Value>) -> Result<Option<String>, RpcError> {
    match params.remove(GROUP) {
        None => Ok(None),
        Some(Value::String(name)) => Ok(Some(name)),
        Some(_) => Err(invalid(method, "group must be a text, the id of a group")),
    }
}

fn invalid(method: &str, reason: &str) -> RpcError {
    RpcError::new(codes::INVALID_PARAMS, format!("{method}: {reason}"))
}

fn unknown(name: &str) -> RpcError {
    let names: Vec<&str> = registry::all().map(|entry| entry.method.name).collect();
    RpcError::new(codes::UNKNOWN_METHOD, format!("there is no method {name:?}"))
        .detail(serde_json::json!({ "methods": names }))
}
