//! Makes and signs transactions.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hanse_types::crypto::{CryptoSuite, SignError, Signer};
use hanse_types::{Address, Gas, Hash, Height, SignedTransaction, Timestamp, Transaction};
use thiserror::Error;

use crate::text::Contract;
use crate::views::ChainInfo;

/// How long a transaction lives if nothing else is said.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(120);

/// What every chain in development calls itself. Its keys are everyone's, so no other chain may have this name.
pub const DEVELOPMENT_CHAIN: &str = "hanse-dev";

/// What a transaction must name of its chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainContext {
    /// The chain.
    pub chain_id: String,
    /// The group.
    pub group_id: String,
    /// Hash of the genesis, which every signature covers.
    pub genesis: Hash,
    /// What the group hashes by and its clients sign by.
    pub crypto: CryptoSuite,
    /// A recent block: its height
    pub ref_height: Height,
    /// and the first bytes of its hash.
    pub ref_hash: [u8; 8],
    /// The most gas that a transaction may ask for.
    pub gas_max: Gas,
    /// The longest life of a transaction.
    pub lifetime_max: Duration,
    /// By how much a chain in development is ahead of this machine's time; nothing elsewhere.
    pub clock_ahead: Duration,
}

impl From<&ChainInfo> for ChainContext {
    fn from(info: &ChainInfo) -> Self {
        let mut ref_hash = [0; 8];
        ref_hash.copy_from_slice(&info.block_hash.as_bytes()[..8]);
        ChainContext {
            chain_id: info.chain_id.clone(),
            group_id: info.group_id.clone(),
            genesis: info.genesis_hash,
            crypto: info.crypto,
            ref_height: info.height,
            ref_hash,
            gas_max: info.params.tx_gas_max,
            lifetime_max: Duration::from_millis(info.params.tx_lifetime_ms_max),
            clock_ahead: Duration::from_millis(clock_ahead_ms(info)),
        }
    }
}

/// Elsewhere a node's word must not move what a transaction says of time: one that is valid only in a year could be
/// kept until then.
fn clock_ahead_ms(info: &ChainInfo) -> u64 {
    info.clock_ahead_ms.filter(|_| info.chain_id == DEVELOPMENT_CHAIN).unwrap_or_default()
}

impl ChainContext {
    /// The chain's time, by this machine's clock.
    fn now(&self) -> Timestamp {
        now().plus_ms(self.clock_ahead.as_millis() as u64)
    }
}

/// Why a call did not become a signed transaction.
#[derive(Debug, Error)]
pub enum MakeError {
    /// No random number for the nonce.
    #[error("the operating system gave no random number for the nonce: {0}")]
    Random(getrandom::Error),
    /// The signer refused.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The transaction is another account's.
    #[error("the transaction is sent by {sender}, and the key is that of {key}; sign with the sender's key")]
    OtherSender {
        /// Who sends it.
        sender: Address,
        /// Whose key it is.
        key: Address,
    },
}

/// A call that becomes a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    contract: Contract,
    method: String,
    args: Vec<u8>,
    gas_limit: Option<Gas>,
    lifetime: Duration,
    business_id: Vec<u8>,
}

impl Call {
    /// A call of a method with Borsh-encoded arguments.
    pub fn new(contract: Contract, method: impl Into<String>, args: Vec<u8>) -> Call {
        Call {
            contract,
            method: method.into(),
            args,
            gas_limit: None,
            lifetime: DEFAULT_LIFETIME,
            business_id: Vec::new(),
        }
    }

    /// Allows at most so much gas; what the chain allows if never called.
    #[must_use]
    pub fn gas_limit(mut self, gas: Gas) -> Call {
        self.gas_limit = Some(gas);
        self
    }

    /// Lets the transaction expire after so long; two minutes if never called. A chain's own limit caps it.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Call {
        self.lifetime = lifetime;
        self
    }

    /// Gives it the client's own id.
    #[must_use]
    pub fn business_id(mut self, id: Vec<u8>) -> Call {
        self.business_id = id;
        self
    }

    /// The transaction, signed, with a random nonce and this machine's time.
    ///
    /// # Errors
    /// If there is no randomness, or the signer refuses.
    pub fn sign(self, chain: &ChainContext, signer: &dyn Signer) -> Result<SignedTransaction, MakeError> {
        let nonce = getrandom::u64().map_err(MakeError::Random)?;
        self.sign_with(chain, signer, nonce, chain.now())
    }

    /// As [`Call::sign`], with the nonce and the time given: the same arguments give the same transaction.
    ///
    /// # Errors
    /// If the signer refuses.
    pub fn sign_with(
        self,
        chain: &ChainContext,
        signer: &dyn Signer,
        nonce: u64,
        now: Timestamp,
    ) -> Result<SignedTransaction, MakeError> {
        let unsigned = self.unsigned_with(chain, signer.public_key().address(), nonce, now);
        sign(unsigned, &chain.genesis, signer)
    }

    /// The transaction for a key that is elsewhere, with a random nonce and this machine's time; [`sign`] makes it whole.
    ///
    /// # Errors
    /// If there is no randomness.
    pub fn unsigned(self, chain: &ChainContext, sender: Address) -> Result<Transaction, MakeError> {
        let nonce = getrandom::u64().map_err(MakeError::Random)?;
        Ok(self.unsigned_with(chain, sender, nonce, chain.now()))
    }

    fn unsigned_with(self, chain: &ChainContext, sender: Address, nonce: u64, now: Timestamp) -> Transaction {
        let lifetime = self.lifetime.min(chain.lifetime_max).as_millis() as u64;
        Transaction {
            version: Transaction::VERSION,
            chain_id: chain.chain_id.clone(),
            group_id: chain.group_id.clone(),
            sender,
            nonce,
            ref_height: chain.ref_height,
            ref_hash: chain.ref_hash,
            timestamp: now,
            expiration: now.plus_ms(lifetime),
            gas_limit: self.gas_limit.unwrap_or(chain.gas_max),
            business_id: self.business_id,
            contract: self.contract.0,
            method: self.method,
            args: self.args,
        }
    }
}

/// Signs a transaction of the chain with this genesis.
///
/// # Errors
/// If the key is not the sender's, or the signer refuses.
pub fn sign(transaction: Transaction, genesis: &Hash, signer: &dyn Signer) -> Result<SignedTransaction, MakeError> {
    let public_key = signer.public_key();
    let (sender, key) = (transaction.sender, public_key.address());
    if sender != key {
        return Err(MakeError::OtherSender { sender, key });
    }
    let signature = signer.sign(&transaction.sign_bytes(genesis))?;
    Ok(SignedTransaction { transaction, public_key, signature })
}

/// This machine's time.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(since.as_millis() as u64)
}

#[cfg(test)]
pub(crate) mod test_values {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hanse_types::crypto::SecretKey;

    pub(crate) fn context() -> ChainContext {
        ChainContext {
            chain_id: "chain".into(),
            group_id: "group".into(),
            genesis: Hash([4; 32]),
            crypto: CryptoSuite::Standard,
            ref_height: Height(9),
            ref_hash: [1; 8],
            gas_max: Gas(1_000),
            lifetime_max: Duration::from_secs(60),
            clock_ahead: Duration::ZERO,
        }
    }

    pub(crate) fn signed(nonce: u64) -> SignedTransaction {
        let call = Call::new(Contract::native(1), "transfer", vec![1, 2]);
        call.sign_with(&context(), &SecretKey::ed25519([7; 32]), nonce, Timestamp(5_000)).unwrap()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::test_values::{context, signed};
    use super::*;

    #[test]
    fn the_signature_is_good_for_this_chain_alone() {
        let signed = signed(1);
        let good = signed.transaction.sign_bytes(&context().genesis);
        assert_eq!(signed.public_key.verify(&good, &signed.signature), Ok(()));
        let elsewhere = signed.transaction.sign_bytes(&Hash([5; 32]));
        assert!(signed.public_key.verify(&elsewhere, &signed.signature).is_err());
        assert_eq!(signed.transaction.sender, signed.public_key.address());
    }

    #[test]
    fn only_a_chain_in_development_is_followed_into_the_future() {
        let example = &crate::openrpc::examples()["chain_info"][0]["result"];
        let mut info: ChainInfo = serde_json::from_value(example.clone()).unwrap();
        info.clock_ahead_ms = Some(86_400_000);
        assert_eq!(info.chain_id, DEVELOPMENT_CHAIN);
        assert_eq!(ChainContext::from(&info).clock_ahead, Duration::from_secs(86_400));
        info.chain_id = "harbour".into();
        assert_eq!(ChainContext::from(&info).clock_ahead, Duration::ZERO);
    }

    #[test]
    fn only_the_sender_signs() {
        let call = || Call::new(Contract::native(1), "transfer", vec![]);
        let key = hanse_types::crypto::SecretKey::ed25519([7; 32]);
        let own = call().unsigned(&context(), key.public_key().address()).unwrap();
        let signed = sign(own.clone(), &context().genesis, &key).unwrap();
        assert_eq!(signed.transaction, own);
        assert_eq!(key.public_key().verify(&own.sign_bytes(&context().genesis), &signed.signature), Ok(()));
        let other = call().unsigned(&context(), Address([1; 20])).unwrap();
        assert!(matches!(sign(other, &context().genesis, &key), Err(MakeError::OtherSender { .. })));
    }

    #[test]
    fn the_chain_caps_gas_and_lifetime() {
        let transaction = signed(1).transaction;
        assert_eq!(transaction.gas_limit, Gas(1_000));
        assert_eq!(transaction.expiration, Timestamp(65_000));
    }

    #[test]
    fn two_equal_calls_are_two_transactions() {
        let make = || {
            let call = Call::new(Contract::native(1), "transfer", vec![]);
            call.sign(&context(), &hanse_types::crypto::SecretKey::ed25519([7; 32])).unwrap().transaction
        };
        assert_ne!(make().id(CryptoSuite::Standard, &Hash::ZERO), make().id(CryptoSuite::Standard, &Hash::ZERO));
    }
}
