//! Transactions.

use hanse_types::crypto::PublicKey;
use hanse_types::{Canonical, ContractRef, Gas, Height, SignedTransaction, Timestamp, Transaction, limits};

use crate::WireError;
use crate::convert::{Convert, wire_limit, within_canonical_limit};
use crate::elements::List;
use crate::fields::{address, all, array, narrow, required, signature};
use crate::generated as wire;
use crate::generated::contract_ref::Contract;
use crate::generated::public_key::Key;

/// Fewest bytes of a signed transaction: its sender, reference, key and signature alone.
pub(crate) const SIGNED_LEAST: usize = 20 + 8 + 32 + 64;

/// Transactions that are submitted or passed on together, at most [`limits::BATCH_TRANSACTIONS`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch(pub Vec<SignedTransaction>);

impl Convert for Transaction {
    type Message = wire::Transaction;
    const WHAT: &'static str = Transaction::NAME;
    const MAX_BYTES: usize = wire_limit(limits::TRANSACTION_BYTES);

    fn to_message(&self) -> wire::Transaction {
        wire::Transaction {
            version: self.version.into(),
            chain_id: self.chain_id.clone(),
            group_id: self.group_id.clone(),
            sender: self.sender.0.to_vec(),
            nonce: self.nonce,
            ref_height: self.ref_height.0,
            ref_hash: self.ref_hash.to_vec(),
            timestamp: self.timestamp.0,
            expiration: self.expiration.0,
            gas_limit: self.gas_limit.0,
            business_id: self.business_id.clone(),
            contract: Some(contract_to_message(&self.contract)),
            method: self.method.clone(),
            args: self.args.clone(),
        }
    }

    fn from_message(message: wire::Transaction) -> Result<Transaction, WireError> {
        Ok(Transaction {
            version: narrow("Transaction.version", message.version)?,
            chain_id: message.chain_id,
            group_id: message.group_id,
            sender: address("Transaction.sender", &message.sender)?,
            nonce: message.nonce,
            ref_height: Height(message.ref_height),
            ref_hash: array("Transaction.ref_hash", &message.ref_hash)?,
            timestamp: Timestamp(message.timestamp),
            expiration: Timestamp(message.expiration),
            gas_limit: Gas(message.gas_limit),
            business_id: message.business_id,
            contract: contract_from_message(required("Transaction.contract", message.contract)?)?,
            method: message.method,
            args: message.args,
        })
    }

    fn check_size(&self) -> Result<(), WireError> {
        within_canonical_limit(self)
    }
}

fn contract_to_message(contract: &ContractRef) -> wire::ContractRef {
    let contract = match contract {
        ContractRef::Address(address) => Contract::Address(address.0.to_vec()),
        ContractRef::Name { name, version } => {
            Contract::Name(wire::ContractName { name: name.clone(), version: *version })
        }
    };
    wire::ContractRef { contract: Some(contract) }
}

fn contract_from_message(message: wire::ContractRef) -> Result<ContractRef, WireError> {
    Ok(match required("ContractRef.contract", message.contract)? {
        Contract::Address(bytes) => ContractRef::Address(address("ContractRef.address", &bytes)?),
        Contract::Name(wire::ContractName { name, version }) => ContractRef::Name { name, version },
    })
}

pub(crate) fn key_to_message(key: &PublicKey) -> wire::PublicKey {
    let key = match key {
        PublicKey::Ed25519(bytes) => Key::Ed25519(bytes.to_vec()),
        PublicKey::Secp256k1(bytes) => Key::Secp256k1(bytes.to_vec()),
        PublicKey::Sm2(bytes) => Key::Sm2(bytes.to_vec()),
    };
    wire::PublicKey { key: Some(key) }
}

pub(crate) fn key_from_message(message: wire::PublicKey) -> Result<PublicKey, WireError> {
    match required("PublicKey.key", message.key)? {
        Key::Ed25519(bytes) => array("PublicKey.ed25519", &bytes).map(PublicKey::Ed25519),
        Key::Secp256k1(bytes) => array("PublicKey.secp256k1", &bytes).map(PublicKey::Secp256k1),
        Key::Sm2(bytes) => array("PublicKey.sm2", &bytes).map(PublicKey::Sm2),
    }
}

impl Convert for SignedTransaction {
    type Message = wire::SignedTransaction;
    const WHAT: &'static str = SignedTransaction::NAME;
    const MAX_BYTES: usize = wire_limit(limits::SIGNED_TRANSACTION_BYTES);

    fn to_message(&self) -> wire::SignedTransaction {
        wire::SignedTransaction {
            transaction: Some(self.transaction.to_message()),
            public_key: Some(key_to_message(&self.public_key)),
            signature: self.signature.0.to_vec(),
        }
    }

    fn from_message(message: wire::SignedTransaction) -> Result<SignedTransaction, WireError> {
        let transaction = required("SignedTransaction.transaction", message.transaction)?;
        Ok(SignedTransaction {
            transaction: Transaction::from_message(transaction)?,
            public_key: key_from_message(required("SignedTransaction.public_key", message.public_key)?)?,
            signature: signature("SignedTransaction.signature", &message.signature)?,
        })
    }

    fn check_size(&self) -> Result<(), WireError> {
        within_canonical_limit(self)
    }
}

impl Convert for Batch {
    type Message = wire::SubmitBatch;
    const WHAT: &'static str = "batch of transactions";
    const MAX_BYTES: usize = limits::BATCH_BYTES;
    const LISTS: &'static [List] = &[List { number: 1, field: "SubmitBatch.transactions", least: SIGNED_LEAST }];

    fn to_message(&self) -> wire::SubmitBatch {
        wire::SubmitBatch { transactions: self.0.iter().map(Convert::to_message).collect() }
    }

    fn from_message(message: wire::SubmitBatch) -> Result<Batch, WireError> {
        let (found, limit) = (message.transactions.len(), limits::BATCH_TRANSACTIONS);
        if found > limit {
            return Err(WireError::TooMany { field: "SubmitBatch.transactions", found, limit });
        }
        all(message.transactions, SignedTransaction::from_message).map(Batch)
    }

    fn check_size(&self) -> Result<(), WireError> {
        self.0.iter().try_for_each(within_canonical_limit)
    }
}
