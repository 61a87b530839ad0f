//! A reader that reconnects.

use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use futures::StreamExt;
use hanse_types::Height;
use reqwest::RequestBuilder;
use reqwest::header::{ACCEPT, CONTENT_TYPE as CONTENT_TYPE_HEADER};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sse_stream::{Sse, SseStream};
use tokio::time::{Instant, sleep_until, timeout};

use super::{
    BLOCKS_PATH, BlockStream, BlockStreamParams, CONTENT_TYPE, CURSOR_FRAME, Cursor, END_FRAME, EVENTS_PATH,
    EventFilter, EventStream, EventStreamParams, HEARTBEAT, LAST_EVENT_ID, Progress,
};
use crate::client::{Client, ClientError};
use crate::codes::Retry;
use crate::jsonrpc::RpcError;
use crate::methods::EventCursor;

/// The first wait before connecting again; it doubles with each attempt that fails,
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// up to this.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// A connection that says nothing for so long is taken for broken: three frames are missing.
const SILENCE_MAX: Duration = Duration::from_secs(3 * HEARTBEAT.as_secs());

/// Follows a stream of a node, and connects again where it was when the connection breaks.
///
/// Gives each value once and in the chain's order, also when a node repeats some after a reconnect. All of its methods
/// may be cancelled: dropping a future loses nothing.
#[derive(Debug)]
pub struct Follow<C, V> {
    client: Client,
    request: RequestBuilder,
    cursor: Option<C>,
    newest: Option<Height>,
    connection: Option<Frames>,
    /// Connections that failed or were lost since the last frame.
    attempts: u32,
    /// When the connection was lost, while it is,
    lost: Option<Instant>,
    /// and when to try again.
    again: Option<Instant>,
    patience: Duration,
    /// Whether a node ever answered: before it did, every error is told.
    answered: bool,
    values: PhantomData<fn() -> V>,
}

/// The frames of one connection.
struct Frames(Pin<Box<SseStream<reqwest::Body>>>);

impl std::fmt::Debug for Frames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Frames")
    }
}

/// What a stream gives next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step<C, V> {
    /// A value, and the cursor right after it.
    Value(C, V),
    /// Nothing that was asked for lies before this cursor any more.
    Progress {
        /// The cursor.
        cursor: C,
        /// Height of the node's newest block.
        newest: Height,
    },
    /// The connection is lost; the next step connects again.
    Lost {
        /// Why.
        reason: String,
    },
}

impl Client {
    /// Follows events from a cursor on; those committed from now on without one. Connects when first asked.
    pub fn events(&self, filter: EventFilter, from: Option<EventCursor>) -> EventStream {
        let EventFilter { contract, name, topic } = filter;
        let from_text = from.map(|cursor| cursor.to_string());
        let params =
            EventStreamParams { contract, name, topic, from: from_text, group: self.group().map(str::to_owned) };
        Follow::new(self, EVENTS_PATH, &params, from)
    }

    /// Follows blocks from a height on; those committed from now on without one. Connects when first asked.
    pub fn blocks(&self, from: Option<Height>) -> BlockStream {
        self.blocks_with(from, false)
    }

    /// As [`Client::blocks`], with the ids of each block's transactions if wanted.
    pub fn blocks_with(&self, from: Option<Height>, tx_ids: bool) -> BlockStream {
        let group = self.group().map(str::to_owned);
        let params = BlockStreamParams { from: from.map(|height| height.to_string()), tx_ids, group };
        Follow::new(self, BLOCKS_PATH, &params, from)
    }
}

impl<C: Cursor, V: DeserializeOwned> Follow<C, V> {
    fn new(client: &Client, path: &str, params: &impl Serialize, cursor: Option<C>) -> Follow<C, V> {
        let request = client.get(path).query(params).header(ACCEPT, CONTENT_TYPE);
        Follow {
            client: client.clone(),
            request,
            cursor,
            newest: None,
            connection: None,
            attempts: 0,
            lost: None,
            again: None,
            patience: Duration::MAX,
            answered: false,
            values: PhantomData,
        }
    }

    /// Gives up once the connection was lost for so long; never if not called. What fails before a node answered for
    /// the first time is told at once in any case.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Where reading goes on: to be stored with the effects of what was read. None until a node answered, if the stream
    /// was started without one.
    pub fn cursor(&self) -> Option<C> {
        self.cursor
    }

    /// Whether all that the node had when it last spoke was given.
    pub fn caught_up(&self) -> bool {
        matches!((self.cursor, self.newest), (Some(cursor), Some(newest)) if cursor.height() > newest)
    }

    /// The next value, with the cursor right after it. Waits for it, through reconnects.
    ///
    /// # Errors
    /// If the node refuses for good, or the connection is lost for longer than the patience.
    pub async fn next(&mut self) -> Result<(C, V), ClientError> {
        loop {
            if let Step::Value(cursor, value) = self.step().await? {
                return Ok((cursor, value));
            }
        }
    }

    /// Connects, and waits until the node said where the stream stands: what is committed from then on is not missed.
    /// Does nothing if that has happened.
    ///
    /// # Errors
    /// As [`Follow::next`].
    pub async fn ready(&mut self) -> Result<(), ClientError> {
        while self.cursor.is_none() {
            self.step().await?;
        }
        Ok(())
    }

    /// As [`Follow::next`], and tells of progress without a value and of lost connections too.
    ///
    /// # Errors
    /// As [`Follow::next`].
    pub async fn step(&mut self) -> Result<Step<C, V>, ClientError> {
        loop {
            let Some(connection) = &mut self.connection else {
                match self.connect().await {
                    Ok(()) => continue,
                    Err(error) => return self.lost(error),
                }
            };
            let reason = match timeout(SILENCE_MAX, connection.0.next()).await {
                Ok(Some(Ok(frame))) => match self.take(frame) {
                    Ok(None) => continue,
                    Ok(Some(step)) => return Ok(step),
                    Err(error) => return self.lost(error),
                },
                Ok(Some(Err(error))) => error.to_string(),
                Ok(None) => "the node closed it".to_owned(),
                Err(_) => format!("nothing came for {} s", SILENCE_MAX.as_secs()),
            };
            return self.lost(self.client.broken_stream(reason));
        }
    }

    async fn connect(&mut self) -> Result<(), ClientError> {
        if let Some(again) = self.again {
            sleep_until(again).await;
        }
        let Some(mut request) = self.request.try_clone() else {
            return Err(self.client.protocol("a request can't be repeated".into()));
        };
        if let Some(cursor) = self.cursor {
            request = request.header(LAST_EVENT_ID, cursor.to_string());
        }
        let answer = request.send().await.map_err(|error| self.client.broken(&error))?;
        if !answer.status().is_success() {
            return Err(self.client.refusal(answer).await);
        }
        let kind = answer.headers().get(CONTENT_TYPE_HEADER).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.starts_with(CONTENT_TYPE) {
            return Err(self.client.protocol(format!("a stream of type {kind:?}, expected is {CONTENT_TYPE}")));
        }
        self.connection = Some(Frames(Box::pin(SseStream::new(reqwest::Body::from(answer)))));
        self.answered = true;
        Ok(())
    }

    /// What a frame says, if it is something new.
    fn take(&mut self, frame: Sse) -> Result<Option<Step<C, V>>, ClientError> {
        self.attempts = 0;
        self.lost = None;
        let Some(data) = frame.data else { return Ok(None) };
        match frame.event.as_deref() {
            Some(END_FRAME) => Err(self.decode::<RpcError>(&data)?.into()),
            Some(CURSOR_FRAME) => {
                let progress: Progress = self.decode(&data)?;
                self.newest = Some(progress.newest);
                let cursor = self.parse(&progress.cursor)?;
                if self.cursor.is_none_or(|known| cursor > known) {
                    self.cursor = Some(cursor);
                }
                Ok(Some(Step::Progress { cursor, newest: progress.newest }))
            }
            // A kind that a later node may add.
            Some(_) => Ok(None),
            None => {
                let id = frame.id.ok_or_else(|| self.client.protocol("a frame without a cursor".into()))?;
                let cursor = self.parse(&id)?;
                if self.cursor.is_some_and(|known| cursor <= known) {
                    return Ok(None);
                }
                let value = self.decode(&data)?;
                self.cursor = Some(cursor);
                Ok(Some(Step::Value(cursor, value)))
            }
        }
    }

    fn parse(&self, text: &str) -> Result<C, ClientError> {
        C::parse(text).map_err(|error| self.client.protocol(error.to_string()))
    }

    fn decode<T: DeserializeOwned>(&self, data: &str) -> Result<T, ClientError> {
        serde_json::from_str(data).map_err(|error| self.client.protocol(format!("a frame of the stream: {error}")))
    }

    /// Drops the connection; an error only if trying again is no use or took too long.
    fn lost(&mut self, error: ClientError) -> Result<Step<C, V>, ClientError> {
        self.connection = None;
        let since = *self.lost.get_or_insert_with(Instant::now);
        if !self.answered || !passes(&error) || since.elapsed() >= self.patience {
            return Err(error);
        }
        self.attempts = self.attempts.saturating_add(1);
        self.again = Some(Instant::now() + backoff(self.attempts));
        Ok(Step::Lost { reason: error.to_string() })
    }
}

/// Whether trying again may help.
fn passes(error: &ClientError) -> bool {
    match error {
        ClientError::Connect { .. } | ClientError::Broken { .. } => true,
        ClientError::Refused(error) => error.data.as_ref().is_some_and(|data| data.retry == Retry::Later),
        _ => false,
    }
}

/// The wait after so many failures: doubled each time, and spread, lest all readers of a node that restarts
/// come back at the same moment.
fn backoff(attempts: u32) -> Duration {
    let longest = BACKOFF_MIN.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(BACKOFF_MAX);
    // Without randomness the full wait is as good.
    let spread = getrandom::u32().map_or(1.0, |bits| 0.5 + f64::from(bits) / f64::from(u32::MAX) / 2.0);
    longest.mul_f64(spread)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn stream() -> BlockStream {
        Client::new("http://127.0.0.1:1").unwrap().blocks(Some(Height(3)))
    }

    fn frame(event: Option<&str>, id: &str, data: &str) -> Sse {
        Sse { event: event.map(str::to_owned), id: Some(id.into()), data: Some(data.into()), retry: None }
    }

    #[test]
    fn waits_grow_and_end() {
        for attempts in 1..100 {
            let wait = backoff(attempts);
            assert!(wait >= BACKOFF_MIN / 2 && wait <= BACKOFF_MAX, "{wait:?}");
        }
        assert!(backoff(100) >= BACKOFF_MAX / 2);
    }

    #[test]
    fn what_was_given_is_not_given_again() {
        let client = Client::new("http://127.0.0.1:1").unwrap();
        let mut stream: Follow<Height, u32> = Follow::new(&client, "/", &[("a", "b")], Some(Height(3)));
        assert_eq!(stream.take(frame(None, "3", "1")).unwrap(), None);
        assert_eq!(stream.take(frame(None, "4", "2")).unwrap(), Some(Step::Value(Height(4), 2)));
        assert_eq!(stream.take(frame(None, "4", "2")).unwrap(), None);
        let progress = frame(Some(CURSOR_FRAME), "6", r#"{"cursor":"6","newest":5}"#);
        assert_eq!(stream.take(progress).unwrap(), Some(Step::Progress { cursor: Height(6), newest: Height(5) }));
        assert!(stream.caught_up());
        assert_eq!(stream.take(frame(None, "5", "3")).unwrap(), None);
        assert_eq!(stream.take(frame(Some("later"), "9", "3")).unwrap(), None);
        assert_eq!(stream.cursor(), Some(Height(6)));
    }

    #[test]
    fn an_end_is_told_by_its_code_and_nonsense_by_itself() {
        let mut stream = stream();
        let end = RpcError::new(crate::codes::GROUP_STOPPED, "stopping");
        let end = frame(Some(END_FRAME), "4", &serde_json::to_string(&end).unwrap());
        let error = stream.take(end).unwrap_err();
        assert!(error.is(crate::codes::GROUP_STOPPED) && passes(&error));
        for bad in [frame(None, "x", "1"), frame(None, "9", "?"), frame(Some(CURSOR_FRAME), "9", "{}")] {
            let error = stream.take(bad).unwrap_err();
            assert!(matches!(error, ClientError::Protocol { .. }) && !passes(&error), "{error}");
        }
        assert_eq!(stream.cursor(), Some(Height(3)));
    }

    #[tokio::test]
    async fn a_node_that_never_answered_is_told_at_once() {
        let error = stream().next().await.unwrap_err();
        assert!(matches!(error, ClientError::Connect { .. }), "{error}");
    }
}
