//! Who signs: a key, and the node to which what it signs is sent.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hanse_types::crypto::Signer;
use hanse_types::{Address, SignedTransaction};

use crate::call::{Call, ChainContext};
use crate::client::{Client, ClientError};
use crate::submit::{COMMIT_TIMEOUT, Outcome};

/// A signer at a node; cheap to clone. The key stays with the [`Signer`], which may be a device.
#[derive(Clone)]
pub struct Account {
    client: Client,
    signer: Arc<dyn Signer>,
    patience: Duration,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("address", &self.address()).field("url", &self.client.url()).finish()
    }
}

impl Client {
    /// What this signer signs is sent to this node.
    pub fn account(&self, signer: impl Signer + 'static) -> Account {
        Account { client: self.clone(), signer: Arc::new(signer), patience: COMMIT_TIMEOUT }
    }
}

impl Account {
    /// Waits for at most so long until a transaction is in a block; 20 seconds if never called.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Account {
        self.patience = patience;
        self
    }

    /// In whose name it signs.
    pub fn address(&self) -> Address {
        self.signer.public_key().address()
    }

    /// A call as a signed transaction, which refers to the newest block and is not sent.
    ///
    /// # Errors
    /// If there is no node, or the signer refuses.
    pub async fn sign(&self, call: Call) -> Result<SignedTransaction, ClientError> {
        let chain = ChainContext::from(&self.client.chain_info().await?);
        Ok(call.sign(&chain, &*self.signer)?)
    }

    /// Signs a call, sends it, and waits until it is in a block.
    ///
    /// # Errors
    /// As [`Client::submit_and_wait`], and if the signer refuses.
    pub async fn execute(&self, call: Call) -> Result<Outcome, ClientError> {
        let signed = self.sign(call).await?;
        self.client.submit_and_wait(&signed, self.patience).await
    }
}
