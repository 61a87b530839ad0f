//! Events and blocks as they are committed, over server-sent events (SSE); what is on the wire is described in
//! [`hanse_client::stream`].
//!
//! A stream reads pages of the ledger from its cursor on, and waits for the next block where there is nothing left to
//! read: history and what is new come from one place, so there is no gap between them, and nothing is given that is not
//! durable. A page is read when the one before it has been taken, so a stream holds one page however far behind its
//! reader is; one that takes nothing at all is cut by [`super::listener`] and goes on elsewhere from its last cursor.
//! Few pages are read at a time, for all streams together: catching up must not keep the node from making blocks.
//!
//! Start reading at [`follow`](Follower::next).

mod blocks;
mod events;
mod seats;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use hanse_client::stream::{
    BlockStreamParams, CURSOR_FRAME, Cursor, END_FRAME, EventStreamParams, HEARTBEAT, LAST_EVENT_ID, Progress,
};
use hanse_client::{RpcError, codes};
use hanse_types::{Header, Height};
use serde::Serialize;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::listener::Peer;
use super::{Node, Server, errors, http, limits};
use seats::{Seat, Seats};

/// What all streams of a node share.
pub(super) struct Streams {
    seats: Arc<Seats>,
    /// A permit for each page that is being read.
    reads: Semaphore,
    stopping: watch::Sender<bool>,
}

impl Streams {
    /// For at most so many streams, and so many of one client.
    pub(super) fn new(most: usize, most_per_client: usize) -> Streams {
        Streams {
            seats: Arc::new(Seats::new(most, most_per_client)),
            reads: Semaphore::new(limits::STREAM_READS),
            stopping: watch::Sender::new(false),
        }
    }

    /// Ends all streams, and those that are asked for from now on.
    pub(super) fn stop(&self) {
        self.stopping.send_replace(true);
    }
}

/// `GET /v1/stream/events`.
pub(super) async fn events(
    State(server): State<Arc<Server>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    params: Result<Query<EventStreamParams>, QueryRejection>,
) -> Response {
    let begin = |params: EventStreamParams| {
        let node = server.node(params.group.as_deref())?;
        let from = from(&node, &headers, params.from.as_deref())?;
        let source = events::Source::new(&node, params, from)?;
        Ok((node, Box::new(source) as Box<dyn Source>))
    };
    answer(&server, peer, params, begin)
}

/// `GET /v1/stream/blocks`.
pub(super) async fn blocks(
    State(server): State<Arc<Server>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    params: Result<Query<BlockStreamParams>, QueryRejection>,
) -> Response {
    let begin = |params: BlockStreamParams| {
        let node = server.node(params.group.as_deref())?;
        let from = from(&node, &headers, params.from.as_deref())?;
        Ok((node, Box::new(blocks::Source::new(from, params.tx_ids)) as Box<dyn Source>))
    };
    answer(&server, peer, params, begin)
}

/// Something that is given page by page.
trait Source: Send {
    /// The next frames, and whether there are more. Moves the cursor past what was looked at.
    fn page(&mut self, node: &Node) -> Result<Vec<Event>, RpcError>;

    /// The text of the cursor.
    fn cursor(&self) -> String;

    /// The block that is looked at next.
    fn height(&self) -> Height;
}

/// Where to begin: after what the client has, at what it asks for, or at the next block.
fn from<C: Cursor>(node: &Node, headers: &HeaderMap, from: Option<&str>) -> Result<C, RpcError> {
    let newest = node.group.ledger().height();
    // Some clients send an empty one before they were given any.
    let last = headers.get(LAST_EVENT_ID).map(|value| value.to_str().unwrap_or("?")).filter(|text| !text.is_empty());
    let Some(text) = last.or(from) else { return Ok(C::from(newest.next())) };
    let cursor = C::parse(text).map_err(|error| RpcError::new(codes::INVALID_PARAMS, error.to_string()))?;
    if cursor.height() > newest.next() {
        let height = cursor.height();
        let words = format!("block {height} to stream from; the newest is {newest}, so no stream gave that cursor");
        return Err(errors::not_found(words));
    }
    Ok(cursor)
}

/// The stream, or why there is none.
fn answer<P>(
    server: &Arc<Server>,
    peer: Peer,
    params: Result<Query<P>, QueryRejection>,
    begin: impl FnOnce(P) -> Result<(Arc<Node>, Box<dyn Source>), RpcError>,
) -> Response {
    let open = || {
        let Query(params) = params.map_err(|error| RpcError::new(codes::INVALID_PARAMS, error.body_text()))?;
        let seat = server.streams.seats.take(peer)?;
        let (node, mut source) = tokio::task::block_in_place(|| begin(params))?;
        // Read before the answer begins, so that whatever is wrong with the request has its HTTP status.
        let first = tokio::task::block_in_place(|| read(&node, &mut *source))?;
        Ok((seat, node, source, first))
    };
    match open() {
        Ok((seat, node, source, first)) => Follower::new(node, source, first, seat).response(),
        Err(error) => refusal(&error),
    }
}

/// The error in JSON, with the HTTP status that fits it.
fn refusal(error: &RpcError) -> Response {
    let status = match error.code {
        code if code == codes::NOT_FOUND.code || code == codes::CONTRACT_NOT_FOUND.code => StatusCode::NOT_FOUND,
        code if code == codes::PRUNED.code => StatusCode::GONE,
        code if code == codes::BUSY.code || code == codes::GROUP_STOPPED.code => StatusCode::SERVICE_UNAVAILABLE,
        code if code == codes::INTERNAL.code => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    };
    http::json(status, error)
}

/// One stream.
struct Follower {
    node: Arc<Node>,
    source: Box<dyn Source>,
    tip: watch::Receiver<Arc<Header>>,
    stopping: watch::Receiver<bool>,
    /// Frames that were read and not yet given.
    ready: Vec<Event>,
    /// When the last frame was given.
    spoke: Instant,
    ended: bool,
    _seat: Seat,
}

impl Follower {
    fn new(node: Arc<Node>, source: Box<dyn Source>, first: Vec<Event>, seat: Seat) -> Follower {
        let (tip, stopping) = (node.group.tip(), node.server.streams.stopping.subscribe());
        let mut follower =
            Follower { node, source, tip, stopping, ready: first, spoke: Instant::now(), ended: false, _seat: seat };
        if follower.ready.is_empty() {
            // Says at once where the stream stands: a reader who came without a cursor has one from here on.
            follower.ready.push(follower.progress().retry(RETRY));
        }
        follower
    }

    fn response(self) -> Response {
        let pages = stream::unfold(self, |mut follower| async {
            let frames = follower.next().await;
            (!frames.is_empty()).then_some((frames, follower))
        });
        let frames = pages.flat_map(|frames| stream::iter(frames).map(Ok::<_, std::convert::Infallible>));
        let mut response = Sse::new(frames).into_response();
        // Proxies that gather answers would hold frames back.
        let unbuffered = (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
        response.headers_mut().insert(unbuffered.0, unbuffered.1);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// The next frames; none once the stream has ended.
    async fn next(&mut self) -> Vec<Event> {
        if self.ended {
            return Vec::new();
        }
        if self.ready.is_empty() {
            self.ready = match self.read().await {
                Ok(frames) => frames,
                Err(error) => {
                    self.ended = true;
                    vec![frame(&error).event(END_FRAME).id(self.source.cursor())]
                }
            };
        }
        self.spoke = Instant::now();
        std::mem::take(&mut self.ready)
    }

    /// Reads on until there is a frame to give.
    async fn read(&mut self) -> Result<Vec<Event>, RpcError> {
        loop {
            if *self.stopping.borrow() {
                return Err(RpcError::new(codes::GROUP_STOPPED, "the node is stopping"));
            }
            let silent_until = self.spoke + HEARTBEAT;
            if self.source.height() <= self.node.group.ledger().height() {
                let frames = self.page().await?;
                if !frames.is_empty() {
                    return Ok(frames);
                }
                // A page without a frame has moved the cursor all the same; others have their turn before the next.
                tokio::task::yield_now().await;
            } else {
                let height = self.source.height();
                tokio::select! {
                    newer = self.tip.wait_for(|header| header.height >= height) => drop(newer.map_err(|_| stopped())?),
                    _ = self.stopping.wait_for(|stopping| *stopping) => continue,
                    () = tokio::time::sleep_until(silent_until) => {}
                }
            }
            if Instant::now() >= silent_until {
                if let Some(reason) = self.node.group.stopped() {
                    return Err(RpcError::new(codes::GROUP_STOPPED, format!("the group has stopped: {reason}")));
                }
                return Ok(vec![self.progress()]);
            }
        }
    }

    async fn page(&mut self) -> Result<Vec<Event>, RpcError> {
        let _turn = self.node.server.streams.reads.acquire().await.map_err(|_| stopped())?;
        tokio::task::block_in_place(|| read(&self.node, &mut *self.source))
    }

    fn progress(&self) -> Event {
        progress(&*self.source, self.node.group.ledger().height())
    }
}

/// The next page. Where it is the last one for now, its reader is told so.
fn read(node: &Node, source: &mut dyn Source) -> Result<Vec<Event>, RpcError> {
    let mut frames = source.page(node)?;
    let newest = node.group.ledger().height();
    if !frames.is_empty() && source.height() > newest {
        frames.push(progress(source, newest));
    }
    Ok(frames)
}

fn progress(source: &dyn Source, newest: Height) -> Event {
    let cursor = source.cursor();
    frame(&Progress { cursor: cursor.clone(), newest }).event(CURSOR_FRAME).id(cursor)
}

fn stopped() -> RpcError {
    RpcError::new(codes::GROUP_STOPPED, "the group has stopped")
}

/// A frame with a value in JSON. What does not encode ends the reader's stream with an error of its own making, and is
/// a fault of this program that its log tells.
fn frame(value: &impl Serialize) -> Event {
    match serde_json::to_string(value) {
        Ok(text) => Event::default().data(text),
        Err(error) => {
            tracing::error!(%error, "a frame of a stream does not encode");
            Event::default().data("null")
        }
    }
}

/// How long a reader waits before it connects again, unless it knows better.
const RETRY: Duration = Duration::from_millis(500);
