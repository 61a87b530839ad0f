//! The listener: paths, bounds on bodies, an end when told.

use std::cell::LazyCell;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, RawQuery, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hanse_client::codes::{ErrorCode, Retry};
use hanse_client::jsonrpc::RpcError;
use hanse_client::methods::{ManySubmitted, RefusedTx};
use hanse_client::stream::{BLOCKS_PATH, EVENTS_PATH};
use hanse_client::{bulk, codes, openrpc};
use serde::Serialize;
use tokio::net::TcpListener;

use super::caller::Caller;
use super::listener::{PatientListener, Peer};
use super::metrics::metrics;
use super::{Server, dispatch, errors, handlers, limits, refusals, stream};
use crate::groups::{GroupStatus, Standing};

/// What the bulk path is called among the methods.
const BULK: &str = "bulk_submit";

/// Serves until `stop` completes, then lets requests that are being served end.
///
/// # Errors
/// If the listener fails.
pub(crate) async fn serve(
    listener: TcpListener,
    server: Arc<Server>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let routes = Router::new()
        .route("/", post(json_rpc).layer(DefaultBodyLimit::max(limits::BODY_BYTES)))
        .route(
            bulk::PATH,
            post(submit_bulk)
                .layer(DefaultBodyLimit::max(server.capacity.bulk_bytes))
                .layer(middleware::from_fn_with_state(server.clone(), within_memory)),
        )
        .route(EVENTS_PATH, get(stream::events))
        .route(BLOCKS_PATH, get(stream::blocks))
        .route(openrpc::PATH, get(|| async { json(StatusCode::OK, openrpc::document()) }))
        .route("/health", get(|| async { "ok\n" }))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(server.clone());
    let listener = PatientListener::new(listener, server.capacity.reader_patience);
    let service = routes.into_make_service_with_connect_info::<Peer>();
    let streams = server.clone();
    let stop = async move {
        stop.await;
        // Streams have no end of their own, and the server waits for all that it serves.
        streams.streams.stop();
    };
    let beside = tokio::spawn(look_after(server.clone()));
    let served = axum::serve(listener, service).with_graceful_shutdown(stop).await;
    beside.abort();
    server.end();
    served
}

/// Tells of refusals that were not told one by one, also when no others follow, and forgets groups that stop.
async fn look_after(server: Arc<Server>) {
    let (mut spans, mut changes) = (tokio::time::interval(refusals::SPAN), server.groups.follow());
    loop {
        tokio::select! {
            _ = spans.tick() => server.known_nodes().iter().for_each(|node| node.refusals.tell_left_out(false)),
            changed = changes.changed() => match changed {
                Ok(()) => server.prune(),
                Err(_) => return,
            },
        }
    }
}

async fn json_rpc(State(server): State<Arc<Server>>, ConnectInfo(peer): ConnectInfo<Peer>, body: Bytes) -> Response {
    json(StatusCode::OK, &dispatch::answer(&server, &Caller::Anyone(peer), &body).await)
}

async fn submit_bulk(
    State(server): State<Arc<Server>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let started = Instant::now();
    let outcome = submit_all(&server, &Caller::Anyone(peer), query.as_deref().unwrap_or_default(), &body).await;
    server.metrics.requests.answered(BULK, code_of(&outcome), started.elapsed());
    match outcome {
        Ok(answer) => json(StatusCode::OK, &answer),
        Err(error) => json(status_of(&error), &error),
    }
}

/// Lets a bulk submission in as soon as all that are being read and worked on fit into memory; until then it is not read.
async fn within_memory(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let most = server.capacity.bulk_bytes;
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let kib = length.unwrap_or(most).min(most).div_ceil(1 << 10);
    let served = async {
        // It is never closed.
        let _room = server.bulk_kib.acquire_many(kib as u32).await;
        next.run(request).await
    };
    match tokio::time::timeout(limits::BULK_TIME, served).await {
        Ok(response) => response,
        Err(_) => json(StatusCode::REQUEST_TIMEOUT, &errors::busy()),
    }
}

/// The status of a bulk submission that was refused as a whole: whether trying again helps.
fn status_of(error: &RpcError) -> StatusCode {
    match ErrorCode::of(error.code) {
        Some(codes::CLIENT_LIMIT) => StatusCode::TOO_MANY_REQUESTS,
        Some(code) if code.retry == Retry::Later => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// The error code of an outcome; 0 of success.
pub(super) fn code_of<T>(outcome: &Result<T, RpcError>) -> i32 {
    outcome.as_ref().err().map_or(0, |error| error.code)
}

pub(super) async fn submit_all(
    server: &Arc<Server>,
    caller: &Caller,
    query: &str,
    body: &[u8],
) -> Result<ManySubmitted, RpcError> {
    caller.request(server)?;
    let query = bulk::read_query(query).map_err(|error| RpcError::new(codes::INVALID_PARAMS, error.to_string()))?;
    let _permit = server.requests.try_acquire().map_err(|_| errors::busy())?;
    let node = server.node(query.group.as_deref())?;
    // A node that takes nothing now does not pay for decoding what it refuses.
    let announced = bulk::announced(body).min(server.capacity.bulk_transactions);
    caller.transactions(server, announced)?;
    let open = node.group.check_open(announced).map_err(errors::submit);
    open.inspect_err(|error| node.refusals.tell_unread(error, announced as u64))?;
    let transactions = bulk::decode(body, server.capacity.bulk_transactions).map_err(errors::bulk);
    let transactions = transactions.inspect_err(|error| node.refusals.tell(error, || None))?;
    let outcomes = node.group.submit_many(transactions, handlers::durability(query.wait)).await;
    let summary = summary(outcomes.into_iter().map(|outcome| outcome.map(drop).map_err(errors::submit)));
    // They went into the group, and few of those that came back are told of: these are read again.
    let transactions = LazyCell::new(|| bulk::decode(body, server.capacity.bulk_transactions).unwrap_or_default());
    for refused in &summary.refused {
        node.refusals.tell(&refused.error, || transactions.get(refused.index).cloned());
    }
    Ok(summary)
}

/// How many were accepted, and which were not.
pub(super) fn summary(outcomes: impl Iterator<Item = Result<(), RpcError>>) -> ManySubmitted {
    let mut summary = ManySubmitted { accepted: 0, refused: Vec::new() };
    for (index, outcome) in outcomes.enumerate() {
        match outcome {
            Ok(()) => summary.accepted += 1,
            Err(error) => summary.refused.push(RefusedTx { index, error }),
        }
    }
    summary
}

/// Whether all groups take transactions that are to, or the one that is asked for.
async fn ready(State(server): State<Arc<Server>>, RawQuery(query): RawQuery) -> (StatusCode, String) {
    let asked = query.as_deref().and_then(|query| query.strip_prefix("group="));
    let mut all = server.groups.list();
    all.retain(|status| match asked {
        Some(name) => status.genesis.group_id == name,
        None => status.is_home || status.standing == Standing::Active,
    });
    if all.is_empty() && asked.is_none() {
        // A seed is ready as soon as it serves.
        return (StatusCode::OK, "ready\n".into());
    }
    if all.is_empty() {
        return (StatusCode::NOT_FOUND, format!("there is no group {:?} on this node\n", asked.unwrap_or_default()));
    }
    let why = |status: &GroupStatus| match (&status.running, &status.error) {
        (Some(_), None) => None,
        (_, Some(error)) => Some(format!("the group {} has stopped: {error}\n", status.genesis.group_id)),
        (None, None) => Some(format!("the group {} is {}\n", status.genesis.group_id, status.standing.name())),
    };
    let stopped: String = all.iter().filter_map(why).collect();
    if stopped.is_empty() { (StatusCode::OK, "ready\n".into()) } else { (StatusCode::SERVICE_UNAVAILABLE, stopped) }
}

/// An answer in JSON.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => (status, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer does not encode");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
