//! What a client reads: the chain, contracts, blocks, receipts; by the node's word, or proven.

use std::time::Duration;

use hanse_abi::document::Abi;
use hanse_types::{Address, Hash, Header, Height, Receipt, RwSet, SignedTransaction, TxId};
use serde_json::Value;

use crate::client::{ANSWER_TIMEOUT, Client, ClientError};
use crate::methods::{
    BlockAt, CertificateParams, ContractParams, GetAbi, GetCertificate, GetChainInfo, GetHandovers, GetReceipt,
    GetState, HandoversParams, NoParams, ProofOf, ProveTx, ProveTxParams, ReceiptParams, StateParams, WaitBlock,
    WaitBlockParams, WaitedBlock,
};
use crate::proof::{self, Anchor, ProofError, Proven};
use crate::text::Bytes;
use crate::views::{CertifiedHeader, ChainInfo, ReceiptView};

/// By the node's word.
impl Client {
    /// The chain and its newest block.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn chain_info(&self) -> Result<ChainInfo, ClientError> {
        let info = self.call::<GetChainInfo>(NoParams {}).await?;
        self.learn_genesis(info.genesis_hash);
        Ok(info)
    }

    /// A contract's ABI document.
    ///
    /// # Errors
    /// As [`Client::call`]; [`codes::NO_ABI`](crate::codes::NO_ABI) if it has none.
    pub async fn abi(&self, contract: &str) -> Result<Value, ClientError> {
        let contract = contract.parse()?;
        Ok(self.call::<GetAbi>(ContractParams { contract }).await?.abi)
    }

    /// A method's arguments, an object by name, as the bytes of a [`Call`](crate::Call).
    ///
    /// # Errors
    /// As [`Client::abi`], and if the arguments are not those of the method.
    pub async fn encode_args(&self, contract: &str, method: &str, args: &Value) -> Result<Vec<u8>, ClientError> {
        let abi: Abi = serde_json::from_value(self.abi(contract).await?)
            .map_err(|error| self.protocol(format!("the ABI document of {contract}: {error}")))?;
        Ok(abi.encode_args(method, args)?)
    }

    /// The receipt of a transaction, for which it waits at most so long.
    ///
    /// # Errors
    /// As [`Client::call`]; [`codes::NOT_FOUND`](crate::codes::NOT_FOUND) if it is in no block yet.
    pub async fn receipt(&self, tx_id: Hash, timeout: Duration) -> Result<ReceiptView, ClientError> {
        let params = ReceiptParams { tx_id, proof: false, timeout_ms: timeout.as_millis() as u64 };
        let limit = timeout.saturating_add(ANSWER_TIMEOUT);
        Ok(self.call_within::<GetReceipt>(params, limit).await?.receipt)
    }

    /// The block at the height after, for which it waits at most so long; absent if it did not come. To follow blocks,
    /// use [`Client::blocks`].
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn wait_block(&self, after: Height, timeout: Duration) -> Result<WaitedBlock, ClientError> {
        let params = WaitBlockParams { after, timeout_ms: Some(timeout.as_millis() as u64) };
        self.call_within::<WaitBlock>(params, timeout.saturating_add(ANSWER_TIMEOUT)).await
    }
}

/// Proven: from an [`Anchor`], whatever the node says.
impl Client {
    /// The header of a block, if the validators decided it: those that the anchor knows, or those who follow from them by
    /// handovers, for which the node is asked.
    ///
    /// # Errors
    /// As [`Client::call`], and if one of them did not.
    pub async fn trusted(&self, anchor: &Anchor, block: &CertifiedHeader) -> Result<Header, ClientError> {
        loop {
            let known = anchor.epoch();
            match anchor.header(block) {
                Err(ProofError::UnknownEpoch { .. }) => {}
                checked => return Ok(checked?),
            }
            let params = HandoversParams { from: known.0 + 1, limit: None };
            for handover in self.call::<GetHandovers>(params).await?.handovers {
                anchor.follow(&handover)?;
            }
            if anchor.epoch() == known {
                return Err(anchor.header(block).err().unwrap_or(ProofError::Other).into());
            }
        }
    }

    /// A block's header, decided by the validators; not that of the genesis block, which nobody decided.
    ///
    /// # Errors
    /// As [`Client::call`], and if the node's proof does not hold.
    pub async fn proven_header(&self, anchor: &Anchor, at: BlockAt) -> Result<Header, ClientError> {
        let certified = self.call::<GetCertificate>(CertificateParams { at }).await?;
        let header = self.trusted(anchor, &certified).await?;
        let asked = match at {
            BlockAt::Latest => true,
            BlockAt::Height(height) => header.height == height,
            BlockAt::Hash(hash) => header.hash() == hash,
        };
        if asked { Ok(header) } else { Err(ProofError::Other.into()) }
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
        let header = self.trusted(anchor, &proof.block).await?;
        let value = proof::check_transaction(&proof, &header, &anchor.chain().genesis, &TxId(id))?;
        Ok(Proven { value, header })
    }

    /// The receipt of a transaction, proven to be in the chain.
    ///
    /// # Errors
    /// As [`Client::proven_transaction`].
    pub async fn proven_receipt(&self, anchor: &Anchor, id: Hash) -> Result<Proven<Receipt>, ClientError> {
        let proof = self.call::<ProveTx>(ProveTxParams { tx_id: id, of: ProofOf::Receipt }).await?;
        let header = self.trusted(anchor, &proof.block).await?;
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
        let header = self.trusted(anchor, &proof.block).await?;
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
        let header = self.trusted(anchor, &proof.block).await?;
        if height.is_some_and(|height| height != header.height) {
            return Err(ProofError::Other.into());
        }
        let value = answer.value.map(|value| value.0);
        proof::check_state(&proof, &header, &contract, key, value.as_deref())?;
        Ok(Proven { value, header })
    }
}
