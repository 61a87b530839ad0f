//! The typed client over HTTP.

use std::time::Duration;

use hanse_abi::document::Abi;
use hanse_types::crypto::Signer;
use hanse_types::{Address, Canonical, Hash, Height, Receipt, RwSet, SignedTransaction, TxId};
use serde_json::Value;
use thiserror::Error;

use crate::bulk;
use crate::call::{Call, ChainContext, MakeError};
use crate::codes;
use crate::jsonrpc::{Request, Response, RpcError, VERSION};
use crate::methods::{
    ContractParams, GetAbi, GetChainInfo, GetReceipt, GetState, ManySubmitted, Method, NoParams, ProofOf, ProveTx,
    ProveTxParams, ReceiptParams, StateParams, SubmitParams, SubmitTx, Submitted, Wait, WaitBlock, WaitBlockParams,
    WaitedBlock,
};
use crate::proof::{self, Anchor, ProofError, Proven};
use crate::text::{Bytes, ContractError};
use crate::views::{ChainInfo, ReceiptView};

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait for an answer, beyond what the request itself asks the node to wait.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a submission waits for its block if nothing else is said.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(20);

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
    url: String,
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
        // A node is named directly; a proxy of the environment is for the outside world.
        let http = reqwest::Client::builder().no_proxy().connect_timeout(CONNECT_TIMEOUT).build();
        Ok(Client { http: http.map_err(|e| error(e.to_string()))?, url: url.trim_end_matches('/').into() })
    }

    /// The node's address.
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
        let params = serde_json::to_value(params).map_err(|e| self.protocol(e.to_string()))?;
        let request = Request { jsonrpc: VERSION.into(), method: M::NAME.into(), params, id: Value::from(1) };
        let sent = self.http.post(&self.url).json(&request).timeout(limit).send().await;
        let response: Response = self.read(sent).await?;
        if let Some(error) = response.error {
            return Err(error.into());
        }
        let result = response.result.ok_or_else(|| self.protocol("neither result nor error".into()))?;
        serde_json::from_value(result).map_err(|e| self.protocol(format!("the answer of {}: {e}", M::NAME)))
    }

    async fn read<T: serde::de::DeserializeOwned>(
        &self,
        sent: Result<reqwest::Response, reqwest::Error>,
    ) -> Result<T, ClientError> {
        let answer = sent.map_err(|e| self.broken(&e))?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|e| self.broken(&e))?;
        serde_json::from_slice(&body).map_err(|error| self.protocol(format!("HTTP status {status}, {error}")))
    }

    /// A request of a path of this node.
    pub(crate) fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.get(format!("{}{path}", self.url))
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

    /// The chain and its newest block.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn chain_info(&self) -> Result<ChainInfo, ClientError> {
        self.call::<GetChainInfo>(NoParams {}).await
    }

    /// A contract's ABI document.
    ///
    /// # Errors
    /// As [`Client::call`]; [`codes::NO_ABI`] if it has none.
    pub async fn abi(&self, contract: &str) -> Result<Value, ClientError> {
        let contract = contract.parse()?;
        Ok(self.call::<GetAbi>(ContractParams { contract }).await?.abi)
    }

    /// A method's arguments, an object by name, as the bytes of a [`Call`].
    ///
    /// # Errors
    /// As [`Client::abi`], and if the arguments are not those of the method.
    pub async fn encode_args(&self, contract: &str, method: &str, args: &Value) -> Result<Vec<u8>, ClientError> {
        let abi: Abi = serde_json::from_value(self.abi(contract).await?)
            .map_err(|error| self.protocol(format!("the ABI document of {contract}: {error}")))?;
        Ok(abi.encode_args(method, args)?)
    }

    /// Sends a signed transaction and waits until it is in a block.
    ///
    /// # Errors
    /// As [`Client::call`]. After [`codes::OUTCOME_UNKNOWN`] and [`ClientError::Broken`] the transaction may still be
    /// executed: ask by [`Client::receipt`].
    pub async fn submit(&self, transaction: &SignedTransaction) -> Result<ReceiptView, ClientError> {
        let submitted = self.send(transaction, Wait::Committed, COMMIT_TIMEOUT).await?;
        submitted.receipt.ok_or_else(|| self.protocol("a committed transaction without a receipt".into()))
    }

    /// Sends a signed transaction and waits as said, for at most so long.
    ///
    /// # Errors
    /// As [`Client::submit`].
    pub async fn send(
        &self,
        transaction: &SignedTransaction,
        wait: Wait,
        timeout: Duration,
    ) -> Result<Submitted, ClientError> {
        let timeout_ms = Some(timeout.as_millis() as u64);
        let params = SubmitParams { transaction: Bytes(transaction.encode()), wait, timeout_ms };
        self.call_within::<SubmitTx>(params, timeout.saturating_add(ANSWER_TIMEOUT)).await
    }

    /// Makes, signs and sends a call, and waits until it is in a block. The receipt may tell of a failure.
    ///
    /// # Errors
    /// As [`Client::submit`], and if the signer refuses.
    pub async fn execute(&self, call: Call, signer: &dyn Signer) -> Result<ReceiptView, ClientError> {
        let chain = ChainContext::from(&self.chain_info().await?);
        self.submit(&call.sign(&chain, signer)?).await
    }

    /// The receipt of a transaction, for which it waits at most so long.
    ///
    /// # Errors
    /// As [`Client::call`]; [`codes::NOT_FOUND`] if it is in no block yet.
    pub async fn receipt(&self, tx_id: Hash, timeout: Duration) -> Result<ReceiptView, ClientError> {
        let params = ReceiptParams { tx_id, proof: false, timeout_ms: timeout.as_millis() as u64 };
        let limit = timeout.saturating_add(ANSWER_TIMEOUT);
        Ok(self.call_within::<GetReceipt>(params, limit).await?.receipt)
    }

    /// The block at the height after, for which it waits at most so long; absent if it did not come.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn wait_block(&self, after: Height, timeout: Duration) -> Result<WaitedBlock, ClientError> {
        let params = WaitBlockParams { after, timeout_ms: Some(timeout.as_millis() as u64) };
        self.call_within::<WaitBlock>(params, timeout.saturating_add(ANSWER_TIMEOUT)).await
    }

    /// A transaction that is proven to be in the chain.
    ///
    /// # Errors
    /// As [`Client::call`], and if the node's proof does not hold.
    pub async fn proven_transaction(
        &self,
        anchor: &Anchor,
        id: Hash,
    ) -> Result<Proven<SignedTransaction>, ClientError> {
        let proof = self.call::<ProveTx>(ProveTxParams { tx_id: id, of: ProofOf::Transaction }).await?;
        let header = anchor.header(&proof.block)?;
        let value = proof::check_transaction(&proof, &header, &anchor.chain().genesis, &TxId(id))?;
        Ok(Proven { value, header })
    }

    /// The receipt of a transaction, proven to be in the chain.
    ///
    /// # Errors
    /// As [`Client::proven_transaction`].
    pub async fn proven_receipt(&self, anchor: &Anchor, id: Hash) -> Result<Proven<Receipt>, ClientError> {
        let proof = self.call::<ProveTx>(ProveTxParams { tx_id: id, of: ProofOf::Receipt }).await?;
        let header = anchor.header(&proof.block)?;
        let value = proof::check_receipt(&proof, &header, &TxId(id))?;
        Ok(Proven { value, header })
    }

    /// The access set of a transaction, proven to be in the chain; the transaction's receipt is asked for and checked
    /// too, because that is what names the access set.
    ///
    /// # Errors
    /// As [`Client::proven_transaction`].
    pub async fn proven_rw_set(&self, anchor: &Anchor, id: Hash) -> Result<Proven<RwSet>, ClientError> {
        let receipt = self.proven_receipt(anchor, id).await?.value;
        let proof = self.call::<ProveTx>(ProveTxParams { tx_id: id, of: ProofOf::AccessSet }).await?;
        let header = anchor.header(&proof.block)?;
        let value = proof::check_rw_set(&proof, &header, &receipt)?;
        Ok(Proven { value, header })
    }

    /// What a contract's key holds after a block (the newest if none is named), or that it holds nothing: proven.
    ///
    /// # Errors
    /// As [`Client::proven_transaction`].
    pub async fn proven_state(
        &self,
        anchor: &Anchor,
        contract: Address,
        key: &[u8],
        height: Option<Height>,
    ) -> Result<Proven<Option<Vec<u8>>>, ClientError> {
        let params = StateParams { contract: contract.into(), key: Bytes(key.to_vec()), height, proof: true };
        let answer = self.call::<GetState>(params).await?;
        let proof = answer.proof.ok_or_else(|| self.protocol("a state without the proof that was asked for".into()))?;
        let header = anchor.header(&proof.block)?;
        if height.is_some_and(|height| height != header.height) {
            return Err(ProofError::Other.into());
        }
        let value = answer.value.map(|value| value.0);
        proof::check_state(&proof, &header, &contract, key, value.as_deref())?;
        Ok(Proven { value, header })
    }

    /// Sends many signed transactions in one body and waits for none.
    ///
    /// # Errors
    /// As [`Client::call`]; a transaction that is refused by itself is in the answer.
    pub async fn submit_bulk(&self, transactions: &[SignedTransaction]) -> Result<ManySubmitted, ClientError> {
        self.submit_encoded(bulk::encode(transactions)).await
    }

    /// As [`Client::submit_bulk`], with a body made by [`bulk::encode`].
    ///
    /// # Errors
    /// As [`Client::submit_bulk`].
    pub async fn submit_encoded(&self, body: Vec<u8>) -> Result<ManySubmitted, ClientError> {
        let request = self.http.post(format!("{}{}", self.url, bulk::PATH)).body(body);
        let sent = request.header("content-type", bulk::CONTENT_TYPE).timeout(ANSWER_TIMEOUT).send().await;
        let answer: Value = self.read(sent).await?;
        if answer.get("code").is_some() {
            let error: RpcError = serde_json::from_value(answer).map_err(|e| self.protocol(e.to_string()))?;
            return Err(error.into());
        }
        serde_json::from_value(answer).map_err(|e| self.protocol(format!("the answer of {}: {e}", bulk::PATH)))
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
