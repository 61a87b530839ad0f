//! A light node as a process: follows the chain round after round, and answers on a loopback address what it has proven.
//!
//! What it answers is [`hanse_light`]'s; here are the rounds, the listener and the envelope.

use std::future::ready;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::Response as HttpResponse;
use axum::routing::{get, post};
use hanse_client::codes;
use hanse_client::jsonrpc::{Request, Response, RpcError, VERSION};
use hanse_client::methods::{
    GROUP, GetCertificate, GetChainInfo, GetHandovers, GetReceipt, GetState, Method, ProveTx, SubmitTx,
};
use hanse_light::{FileError, Fork, GetLightStatus, Light, LightStatus, ReadError};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::rpc::json;

/// From the end of one round to the next.
const PAUSE: Duration = Duration::from_millis(300);
/// Bytes of a request: a transaction in hexadecimal digits, with room to spare.
const BODY_BYTES: usize = 4 << 20;

/// How it ended.
pub(crate) enum End {
    /// It was told to.
    Stopped,
    /// It met a fork, and trusts nothing any more.
    Forked(Box<Fork>),
}

/// Why it failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LightError {
    /// What was followed could not be kept.
    #[error(transparent)]
    File(#[from] FileError),
    /// The listener failed.
    #[error("the listener failed: {0}")]
    Listener(#[from] io::Error),
}

/// Follows and serves until it is told to stop, or meets a fork. After each round `watch` is told how it is doing.
///
/// # Errors
/// If the file can't be written, or the listener fails.
pub(crate) async fn run(
    light: Arc<Light>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send,
    watch: impl FnMut(&LightStatus) + Send,
) -> Result<End, LightError> {
    let routes = Router::new()
        .route("/", post(answer).layer(DefaultBodyLimit::max(BODY_BYTES)))
        .route("/health", get(|| async { "ok\n" }))
        .with_state(light.clone());
    tokio::select! {
        () = stop => Ok(End::Stopped),
        served = std::future::IntoFuture::into_future(axum::serve(listener, routes)) => {
            served?;
            Ok(End::Stopped)
        }
        end = follow(&light, watch) => end,
    }
}

async fn follow(light: &Light, mut watch: impl FnMut(&LightStatus)) -> Result<End, LightError> {
    loop {
        light.round().await?;
        watch(&light.status());
        if let Some(fork) = light.fork() {
            return Ok(End::Forked(Box::new(fork)));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn answer(State(light): State<Arc<Light>>, body: Bytes) -> HttpResponse {
    let request: Result<Value, _> = serde_json::from_slice(&body);
    let response = match request {
        Err(error) => {
            let error = RpcError::new(codes::PARSE_ERROR, format!("the body is not JSON: {error}"));
            Response::new(Value::Null, Err(error))
        }
        Ok(request) => {
            let id = request.get("id").cloned().unwrap_or(Value::Null);
            Response::new(id, single(&light, request).await)
        }
    };
    json(StatusCode::OK, &response)
}

async fn single(light: &Light, request: Value) -> Result<Value, RpcError> {
    let invalid = |reason: String| RpcError::new(codes::INVALID_REQUEST, reason);
    let Request { jsonrpc, method, mut params, .. } =
        serde_json::from_value(request).map_err(|error| invalid(format!("not a JSON-RPC 2.0 request: {error}")))?;
    if jsonrpc != VERSION {
        return Err(invalid(format!("jsonrpc is {jsonrpc:?}, expected is {VERSION:?}")));
    }
    check_group(light, &mut params)?;
    match &method[..] {
        GetLightStatus::NAME => with::<GetLightStatus, _>(params, |_| ready(Ok(light.status()))).await,
        GetChainInfo::NAME => with::<GetChainInfo, _>(params, |_| light.chain_info()).await,
        GetCertificate::NAME => with::<GetCertificate, _>(params, |params| light.certificate(params)).await,
        GetHandovers::NAME => with::<GetHandovers, _>(params, |params| ready(light.handovers(params))).await,
        GetState::NAME => with::<GetState, _>(params, |params| light.state(params)).await,
        ProveTx::NAME => with::<ProveTx, _>(params, |params| light.prove(params)).await,
        GetReceipt::NAME => with::<GetReceipt, _>(params, |params| light.receipt(params)).await,
        SubmitTx::NAME => with::<SubmitTx, _>(params, |params| light.submit(params)).await,
        _ => Err(RpcError::new(
            codes::UNKNOWN_METHOD,
            format!("a light node has no method {method:?}: it answers only what it can prove; ask a full node"),
        )),
    }
}

fn check_group(light: &Light, params: &mut Value) -> Result<(), RpcError> {
    let Some(group) = params.as_object_mut().and_then(|params| params.remove(GROUP)) else { return Ok(()) };
    let own = light.status().group_id;
    match group == Value::String(own.clone()) {
        true => Ok(()),
        false => Err(RpcError::new(codes::NOT_FOUND, format!("there is no group {group} here, this is {own:?}"))),
    }
}

async fn with<M: Method, F>(params: Value, ask: impl FnOnce(M::Params) -> F) -> Result<Value, RpcError>
where
    F: Future<Output = Result<M::Answer, ReadError>>,
{
    let params = if params.is_null() { Value::Object(Default::default()) } else { params };
    let params = serde_json::from_value(params);
    let params = params.map_err(|error| RpcError::new(codes::INVALID_PARAMS, format!("{}: {error}", M::NAME)))?;
    let answer = ask(params).await.map_err(|error| error.to_rpc())?;
    serde_json::to_value(answer).map_err(|error| RpcError::new(codes::INTERNAL, error.to_string()))
}
