//! What a light node answers: proven, or not at all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hanse_client::codes;
use hanse_client::jsonrpc::RpcError;
use hanse_client::methods::{
    BlockAt, CertificateParams, GetCertificate, GetChainInfo, GetState, Handovers, HandoversParams, NoParams, ProofOf,
    ProveTx, ProveTxParams, ReceiptAnswer, ReceiptParams, StateParams, StateValue, SubmitParams, Submitted,
};
use hanse_client::proof::{self, ProofError};
use hanse_client::views::{
    CertifiedHeader, ChainInfo, EventView, FailureView, InclusionProof, OutcomeView, ReceiptView,
};
use hanse_client::{Bytes, ClientError, ErrorCode, Outcome};
use hanse_types::{
    Canonical, ContractRef, Hash, Header, Height, Receipt, ReceiptEvent, SignedTransaction, Status, TxId,
};
use thiserror::Error;

use crate::chain::Fork;
use crate::file::FileError;
use crate::light::{Light, Source, Trouble};

/// How long a submission waits for its block if nothing else is said.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(20);

/// Why there is no proven answer.
#[derive(Debug, Error)]
pub enum ReadError {
    /// Nothing can be trusted any more.
    #[error(transparent)]
    Fork(#[from] Box<Fork>),
    /// No node gave an answer that holds; the last one's.
    #[error("no node gave an answer that can be verified; the last one: {reason}")]
    Unverified {
        /// What it said.
        reason: String,
    },
    /// A node refused, by its own word.
    #[error(transparent)]
    Refused(#[from] RpcError),
    /// The request is not for a light node.
    #[error("{reason}")]
    Request {
        /// Why not.
        reason: String,
    },
    /// The file can't be written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl ReadError {
    /// As it crosses the wire.
    pub fn to_rpc(&self) -> RpcError {
        match self {
            ReadError::Refused(error) => error.clone(),
            ReadError::Fork(_) => RpcError::new(codes::FORKED, self.to_string()),
            ReadError::Unverified { .. } => RpcError::new(codes::UNVERIFIED, self.to_string()),
            ReadError::Request { .. } => RpcError::new(codes::BAD_ARGUMENT, self.to_string()),
            ReadError::File(_) => RpcError::new(codes::INTERNAL, self.to_string()),
        }
    }
}

impl Light {
    /// What a client must know of a chain to make transactions for it. Chain and newest block are those that are followed. The
    /// rest is one node's word, and so is the genesis block's hash before the first block: by a wrong one a transaction is
    /// refused.
    ///
    /// # Errors
    /// As for all methods here: [`ReadError`].
    pub async fn chain_info(&self) -> Result<ChainInfo, ReadError> {
        self.ask(|source| async move {
            let told = source.call::<GetChainInfo>(NoParams {}).await?;
            let chain = self.chain.lock();
            let own = chain.anchor().chain();
            let theirs = (told.crypto, &told.chain_id, &told.group_id, &told.genesis_hash);
            if theirs != (own.crypto, &own.chain_id, &own.group_id, &own.genesis) {
                let other = ProofError::OtherChain { chain: told.chain_id, group: told.group_id, crypto: told.crypto };
                return Err(ClientError::from(other).into());
            }
            Ok(match chain.tip() {
                None => ChainInfo { height: Height(0), ..told },
                Some(tip) => {
                    ChainInfo { height: tip.height, block_hash: tip.hash(), block_time: tip.timestamp, ..told }
                }
            })
        })
        .await
    }

    /// A header with its certificate.
    ///
    /// # Errors
    /// As above.
    pub async fn certificate(&self, params: CertificateParams) -> Result<CertifiedHeader, ReadError> {
        self.still_trusted()?;
        let at = match params.at {
            BlockAt::Latest => {
                let newest = self.chain.lock().newest(1).pop();
                return newest.ok_or_else(|| ReadError::Unverified { reason: "there is no block yet".into() });
            }
            at => at,
        };
        if let BlockAt::Height(height) = at
            && let Some(known) = self.chain.lock().certified(height)
        {
            return Ok(known.clone());
        }
        self.ask(|source| async move {
            let certified = source.call::<GetCertificate>(CertificateParams { at }).await?;
            let header = self.take(&source, &certified).await?;
            let asked = match at {
                BlockAt::Latest => true,
                BlockAt::Height(height) => header.height == height,
                BlockAt::Hash(hash) => header.hash() == hash,
            };
            if asked { Ok(certified) } else { Err(ClientError::from(ProofError::Other).into()) }
        })
        .await
    }

    /// How the office of the validators passed on, as far as it is known here.
    ///
    /// # Errors
    /// If nothing can be trusted any more.
    pub fn handovers(&self, params: HandoversParams) -> Result<Handovers, ReadError> {
        self.still_trusted()?;
        let all = self.chain.lock().anchor().handovers();
        let wanted = all.into_iter().filter(|handover| handover.epoch >= params.from);
        let mut handovers: Vec<_> = wanted.collect();
        let limit = params.limit.unwrap_or(usize::MAX);
        let next = handovers.get(limit).map(|handover| handover.epoch);
        handovers.truncate(limit);
        Ok(Handovers { handovers, next })
    }

    /// The value of a key, or that there is none, with its proof. If no height is named: after a block that is no older than
    /// the newest that is followed, so that whoever was told of a block sees what it wrote.
    ///
    /// # Errors
    /// Also if the contract is given by a name: who has it is a question of its own.
    pub async fn state(&self, params: StateParams) -> Result<StateValue, ReadError> {
        let ContractRef::Address(address) = params.contract.0 else {
            return Err(request("a light node reads the state of contracts by their address, not by a name"));
        };
        let (params, newest) = (&StateParams { proof: true, ..params }, self.height());
        self.ask(|source| async move {
            let answer = source.call::<GetState>(params.clone()).await?;
            let Some(path) = &answer.proof else { return Err(ClientError::from(ProofError::Other).into()) };
            let header = self.proven_header(&source, &path.block).await?;
            let is_it = answer.height == header.height && params.height.is_none_or(|height| height == header.height);
            if !is_it || answer.address != address {
                return Err(ClientError::from(ProofError::Other).into());
            }
            if params.height.is_none() && header.height < newest {
                return Err(Trouble::Behind { found: header.height, newest });
            }
            let value = answer.value.as_ref().map(|value| &value.0[..]);
            proof::check_state(path, &header, &address, &params.key.0, value).map_err(ClientError::from)?;
            Ok(answer)
        })
        .await
    }

    /// A transaction or its receipt, with its proof.
    ///
    /// # Errors
    /// Also if its access set is asked for: the receipt must be asked for and compared first, which a client does.
    pub async fn prove(&self, params: ProveTxParams) -> Result<InclusionProof, ReadError> {
        let ProveTxParams { tx_id, of } = params;
        if of == ProofOf::AccessSet {
            return Err(request("a light node proves transactions and receipts; ask a full node for access sets"));
        }
        self.ask(|source| async move {
            let found = source.call::<ProveTx>(ProveTxParams { tx_id, of }).await?;
            let header = self.proven_header(&source, &found.block).await?;
            let genesis = self.genesis();
            match of {
                ProofOf::Receipt => proof::check_receipt(&found, &header, &TxId(tx_id)).map(drop),
                _ => proof::check_transaction(&found, &header, &genesis, &TxId(tx_id)).map(drop),
            }
            .map_err(ClientError::from)?;
            Ok(found)
        })
        .await
    }

    /// A receipt with its proof; waited for if that is asked for.
    ///
    /// # Errors
    /// As above.
    pub async fn receipt(&self, params: ReceiptParams) -> Result<ReceiptAnswer, ReadError> {
        let ReceiptParams { tx_id, timeout_ms, .. } = params;
        if timeout_ms > 0 {
            let until = Instant::now() + Duration::from_millis(timeout_ms);
            // Whoever says that it came is not believed, only the proof is.
            self.ask(|source| async move { Ok(source.client.receipt(tx_id, left(until)).await.map(drop)?) }).await?;
        }
        let proof = self.prove(ProveTxParams { tx_id, of: ProofOf::Receipt }).await?;
        let receipt = Receipt::decode(&proof.content.0).map_err(|error| request(error.to_string()))?;
        Ok(ReceiptAnswer { receipt: view(&receipt), proof: Some(proof) })
    }

    /// Sends a transaction; that it is in a block is proven. That it was refused is one node's word.
    ///
    /// # Errors
    /// As above.
    pub async fn submit(&self, params: SubmitParams) -> Result<Submitted, ReadError> {
        let signed = SignedTransaction::decode(&params.transaction.0);
        let signed = &signed.map_err(|error| RpcError::new(codes::MALFORMED, error.to_string()))?;
        let tx_id = signed.id(&self.genesis()).0;
        if params.wait != hanse_client::methods::Wait::Committed {
            let (wait, patience) = (params.wait, Duration::from_millis(params.timeout_ms.unwrap_or_default()));
            self.ask(|source| async move { Ok(source.client.send(signed, wait, patience).await.map(drop)?) }).await?;
            return Ok(Submitted { tx_id, receipt: None });
        }
        let until = Instant::now() + params.timeout_ms.map_or(COMMIT_TIMEOUT, Duration::from_millis);
        let waited = |source: Arc<Source>| async move { Ok(source.client.submit_and_wait(signed, left(until)).await?) };
        let outcome = self.ask(waited).await?;
        if let Outcome::Unknown(unknown) = outcome {
            return Err(RpcError::new(codes::OUTCOME_UNKNOWN, unknown.to_string()).tx(tx_id).into());
        }
        let answer = self.receipt(ReceiptParams { tx_id, proof: true, timeout_ms: 0 }).await?;
        Ok(Submitted { tx_id, receipt: Some(answer.receipt) })
    }

    /// That there is no fork.
    fn still_trusted(&self) -> Result<(), ReadError> {
        self.fork().map_or(Ok(()), |fork| Err(Box::new(fork).into()))
    }

    fn genesis(&self) -> Hash {
        self.chain.lock().anchor().chain().genesis
    }

    /// The header of a proof, if it holds and contradicts none of those that are followed. One that is newer than them is
    /// reached first.
    async fn proven_header(&self, source: &Source, block: &CertifiedHeader) -> Result<Header, Trouble> {
        match self.take(source, block).await {
            Err(Trouble::Refused(crate::chain::Refused::Gap { .. })) => {}
            other => return other,
        }
        self.follow(source).await?;
        self.take(source, block).await
    }

    /// Asks one node after another until one gives an answer that holds. If none does, a refusal says more than that
    /// another node was away.
    async fn ask<T, F>(&self, question: impl Fn(Arc<Source>) -> F) -> Result<T, ReadError>
    where
        F: Future<Output = Result<T, Trouble>>,
    {
        let (mut refused, mut reason) = (None, "it has no node".to_owned());
        for source in self.by_standing() {
            self.still_trusted()?;
            match question(source.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(Trouble::Client(ClientError::Refused(error))) => refused = Some(error),
                Err(trouble) => {
                    self.note(&source, &trouble)?;
                    reason = trouble.to_string();
                }
            }
        }
        self.still_trusted()?;
        Err(refused.map_or(ReadError::Unverified { reason }, ReadError::Refused))
    }
}

/// What is left of the time that a caller waits, however many nodes are asked.
fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

fn request(reason: impl Into<String>) -> ReadError {
    ReadError::Request { reason: reason.into() }
}

/// A receipt for people, without what only an ABI document tells: that is not proven.
fn view(receipt: &Receipt) -> ReceiptView {
    ReceiptView {
        tx_id: receipt.tx_id.0,
        height: receipt.height,
        index: receipt.index,
        outcome: OutcomeView {
            status: receipt.status,
            gas_used: receipt.gas_used,
            output: Bytes(receipt.output.clone()),
            result: None,
            failure: ErrorCode::of_status(receipt.status).map(|kind| failure(receipt, kind)),
            events: receipt.events.iter().map(event).collect(),
        },
        rw_set: receipt.rw_set,
    }
}

fn failure(receipt: &Receipt, kind: ErrorCode) -> FailureView {
    let reverted = receipt.status == Status::Reverted;
    let text = if reverted {
        format!("the contract refused with its error {}", receipt.error_code)
    } else if receipt.message.is_empty() {
        kind.meaning.to_lowercase().trim_end_matches('.').to_owned()
    } else {
        receipt.message.clone()
    };
    FailureView {
        code: kind.code,
        text,
        failed_in: receipt.failed_in,
        error_code: reverted.then_some(receipt.error_code),
        error: None,
        fields: None,
    }
}

fn event(found: &ReceiptEvent) -> EventView {
    EventView {
        contract: found.contract,
        name: found.event.name.clone(),
        topics: found.event.topics.iter().cloned().map(Bytes).collect(),
        data: Bytes(found.event.data.clone()),
        fields: None,
    }
}
