//! The connection to a node: methods with their types over HTTP.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hanse_types::Hash;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde_json::Value;
use thiserror::Error;

use crate::call::MakeError;
use crate::codes;
use crate::jsonrpc::{Request, Response, RpcError, VERSION};
use crate::methods::{GROUP, Method};
use crate::proof::ProofError;
use crate::text::ContractError;

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait for an answer, beyond what the request itself asks the node to wait.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer: whoever sends more means harm. A block of 32 MiB in JSON has room.
const ANSWER_BYTES: usize = 128 << 20;

/// Why a client has no answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// There is no node, or none that could be reached.
    #[error("no node answers at {url}: {reason}; is it running, and is the address right?")]
    Connect {
        /// Where.
        url: String,
        /// What the system said.
        reason: String,
    },
    /// The connection broke, or no answer came in time: what the node did with the request is not known.
    #[error("the connection to {url} broke before an answer came: {reason}")]
    Broken {
        /// Where.
        url: String,
        /// What the system said.
        reason: String,
    },
    /// Something answered that does not speak this protocol.
    #[error("{url} does not answer as a Hanse node does: {reason}")]
    Protocol {
        /// Where.
        url: String,
        /// What was wrong with the answer.
        reason: String,
    },
    /// The node refused.
    #[error(transparent)]
    Refused(#[from] RpcError),
    /// The URL can't be used.
    #[error("{url:?} can't be used as a node's address: {reason}; write http://host:port")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// A transaction was not made.
    #[error(transparent)]
    Make(#[from] MakeError),
    /// A text names no contract.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// The node's proof does not hold.
    #[error("the node's proof does not hold: {0}")]
    Proof(#[from] ProofError),
    /// An argument does not fit the contract's ABI.
    #[error(transparent)]
    Argument(#[from] hanse_abi::document::ValueError),
}

impl ClientError {
    /// The node's error, if it is of this kind.
    pub fn is(&self, kind: codes::ErrorCode) -> bool {
        matches!(self, ClientError::Refused(error) if error.is(kind))
    }
}

/// A connection to one node; cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    /// What it is called: its URL, or `unix:` and a path.
    url: String,
    /// What requests name.
    base: String,
    /// The group that is asked; the node's own without one.
    group: Option<Arc<str>>,
    /// Of the chain behind the address, once it is known.
    genesis: Arc<Mutex<Option<Hash>>>,
}

impl Client {
    /// A client of the node at this address, such as `http://127.0.0.1:7420`. Connects when first used.
    ///
    /// # Errors
    /// If the address is no HTTP address.
    pub fn new(url: &str) -> Result<Client, ClientError> {
        let error = |reason: String| ClientError::Url { url: url.into(), reason };
        let parsed = reqwest::Url::parse(url).map_err(|e| error(e.to_string()))?;
        if parsed.scheme() != "http" {
            return Err(error(format!("the scheme {:?} is not supported", parsed.scheme())));
        }
        Client::build(url, url, |http| http)
    }

    /// A client of the admin listener at this address of this machine, which wants its token.
    ///
    /// # Errors
    /// If the address is no HTTP address, or the token can't be sent.
    pub fn with_token(url: &str, token: &str) -> Result<Client, ClientError> {
        let bearer = HeaderValue::from_str(&format!("Bearer {token}"));
        let mut bearer = bearer.map_err(|e| ClientError::Url { url: url.into(), reason: format!("the token: {e}") })?;
        bearer.set_sensitive(true);
        // Checks the address.
        Client::new(url)?;
        Client::build(url, url, |http| http.default_headers([(AUTHORIZATION, bearer)].into_iter().collect()))
    }

    /// A client of the admin listener at this unix socket.
    ///
    /// # Errors
    /// If the system can't make a client.
    #[cfg(unix)]
    pub fn over_socket(path: &Path) -> Result<Client, ClientError> {
        let url = format!("unix:{}", path.display());
        Client::build(&url, "http://localhost", |http| http.unix_socket(path))
    }

    /// `url` is what errors call the node, `base` what requests name.
    fn build(
        url: &str,
        base: &str,
        configure: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Result<Client, ClientError> {
        // A node is named directly; a proxy of the environment is for the outside world.
        let http = configure(reqwest::Client::builder().no_proxy().connect_timeout(CONNECT_TIMEOUT)).build();
        let http = http.map_err(|e| ClientError::Url { url: url.into(), reason: e.to_string() })?;
        let [url, base] = [url, base].map(|url| url.trim_end_matches('/').to_owned());
        Ok(Client { http, url, base, group: None, genesis: Arc::default() })
    }

    /// The same connection, asking this group of the node instead of its own.
    #[must_use]
    pub fn in_group(&self, group: &str) -> Client {
        Client { group: Some(group.into()), genesis: Arc::default(), ..self.clone() }
    }

    /// The same connection, to a chain whose genesis is known: the node is not asked, nor believed, which chain it is of.
    #[must_use]
    pub fn of_chain(&self, genesis: Hash) -> Client {
        Client { genesis: Arc::new(Mutex::new(Some(genesis))), ..self.clone() }
    }

    /// The group that is asked, if it is not left to the node.
    pub fn group(&self) -> Option<&str> {
        self.group.as_deref()
    }

    /// The node's address: its URL, or `unix:` and the path of its socket.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Calls a method.
    ///
    /// # Errors
    /// If there is no node, no answer, or the node refuses.
    pub async fn call<M: Method>(&self, params: M::Params) -> Result<M::Answer, ClientError> {
        self.call_within::<M>(params, ANSWER_TIMEOUT).await
    }

    /// Calls a method whose work takes the node at most so long.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn call_within<M: Method>(&self, params: M::Params, limit: Duration) -> Result<M::Answer, ClientError> {
        let mut params = serde_json::to_value(params).map_err(|e| self.protocol(e.to_string()))?;
        if let (Some(group), Value::Object(params)) = (&self.group, &mut params) {
            params.insert(GROUP.into(), Value::from(&**group));
        }
        let request = Request { jsonrpc: VERSION.into(), method: M::NAME.into(), params, id: Value::from(1) };
        let sent = self.http.post(&self.base).json(&request).timeout(limit).send().await;
        let response: Response = self.read(sent).await?;
        if let Some(error) = response.error {
            return Err(error.into());
        }
        let result = response.result.ok_or_else(|| self.protocol("neither result nor error".into()))?;
        serde_json::from_value(result).map_err(|e| self.protocol(format!("the answer of {}: {e}", M::NAME)))
    }

    /// The answer's body in JSON.
    pub(crate) async fn read<T: serde::de::DeserializeOwned>(
        &self,
        sent: Result<reqwest::Response, reqwest::Error>,
    ) -> Result<T, ClientError> {
        let mut answer = sent.map_err(|e| self.broken(&e))?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| self.broken(&e))? {
            if body.len() + chunk.len() > ANSWER_BYTES {
                return Err(self.protocol(format!("its answer has more than {ANSWER_BYTES} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|error| self.protocol(format!("HTTP status {status}, {error}")))
    }

    /// The chain's genesis, as last heard of.
    pub(crate) async fn genesis_hash(&self) -> Result<Hash, ClientError> {
        let known = *self.genesis.lock().unwrap_or_else(PoisonError::into_inner);
        match known {
            Some(known) => Ok(known),
            None => Ok(self.chain_info().await?.genesis_hash),
        }
    }

    /// Remembers the chain's genesis, which is another one where a chain for development was started anew.
    pub(crate) fn learn_genesis(&self, genesis: Hash) {
        *self.genesis.lock().unwrap_or_else(PoisonError::into_inner) = Some(genesis);
    }

    /// A body for a path of this node.
    pub(crate) fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.post(format!("{}{path}", self.base))
    }

    /// A request of a path of this node.
    pub(crate) fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.get(format!("{}{path}", self.base))
    }

    /// The error of an answer that refuses a request of a path: the node's own, if it gave one.
    pub(crate) async fn refusal(&self, answer: reqwest::Response) -> ClientError {
        let status = answer.status();
        match answer.bytes().await {
            Err(error) => self.broken(&error),
            Ok(body) => match serde_json::from_slice::<RpcError>(&body) {
                Ok(error) => error.into(),
                Err(_) => self.protocol(format!("HTTP status {status}")),
            },
        }
    }

    /// A connection that was open and is not any more.
    pub(crate) fn broken_stream(&self, reason: String) -> ClientError {
        ClientError::Broken { url: self.url.clone(), reason }
    }

    pub(crate) fn broken(&self, error: &reqwest::Error) -> ClientError {
        let reason = root_cause(error);
        if error.is_connect() {
            return ClientError::Connect { url: self.url.clone(), reason };
        }
        ClientError::Broken { url: self.url.clone(), reason }
    }

    pub(crate) fn protocol(&self, reason: String) -> ClientError {
        ClientError::Protocol { url: self.url.clone(), reason }
    }
}

/// The innermost cause: what the operating system said.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
