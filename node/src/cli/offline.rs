//! Transactions in files: made on one machine, signed on another that no network reaches, sent from anywhere.
//!
//! `hanse contract call … --unsigned` makes the file, `hanse tx sign` signs what is in it and says what that is, `hanse tx
//! send` sends it, `hanse tx decode` shows it. The file is one JSON object, so that other programs can make and read it.

use std::io::Read;
use std::path::Path;

use hanse_client::{Bytes, ChainContext, call};
use hanse_types::crypto::CryptoSuite;
use hanse_types::{Canonical, Hash, SignedTransaction, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Common;
use super::chain::finish;
use super::exit::Failure;
use super::output::{Output, fields, grouped};
use super::session::{self, Session};

/// Standard input, where a file is expected.
const STANDARD_INPUT: &str = "-";

/// A transaction in a file, signed or to be signed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(crate) enum TransactionFile {
    /// To be signed.
    Unsigned {
        /// Hash of the chain's genesis, which the signature covers.
        genesis_hash: Hash,
        /// What the chain hashes by and its clients sign by; files of before there was a choice don't say it.
        #[serde(default = "standard")]
        crypto: CryptoSuite,
        /// Canonical bytes of the transaction.
        unsigned: Bytes,
    },
    /// To be sent.
    Signed {
        /// The transaction's id.
        tx_id: Hash,
        /// Canonical bytes of the signed transaction.
        signed: Bytes,
    },
}

fn standard() -> CryptoSuite {
    CryptoSuite::Standard
}

impl TransactionFile {
    /// Of a transaction that waits for its signature.
    pub(crate) fn unsigned(transaction: &Transaction, chain: &ChainContext) -> TransactionFile {
        let (genesis_hash, crypto) = (chain.genesis, chain.crypto);
        TransactionFile::Unsigned { genesis_hash, crypto, unsigned: Bytes(transaction.encode()) }
    }

    fn read(file: &str) -> Result<TransactionFile, Failure> {
        let text = match file {
            STANDARD_INPUT => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).map(|_| text)
            }
            file => std::fs::read_to_string(Path::new(file)),
        };
        let text = text.map_err(|error| Failure::error(format!("{file}: {error}")))?;
        // Not by `serde` alone: of an untagged choice it only says that nothing fits.
        let value: Value = serde_json::from_str(&text)
            .map_err(|error| Failure::usage(format!("{file} holds no JSON: {error}")).hint(EXPECTED))?;
        serde_json::from_value(value).map_err(|_| Failure::usage(format!("{file} holds no transaction")).hint(EXPECTED))
    }

    /// The line for a file.
    pub(crate) fn text(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

const EXPECTED: &str = "`hanse contract call … --unsigned` makes such a file, `hanse tx sign` another";

/// What a file says, for people and programs.
#[derive(Debug, Serialize)]
struct Decoded {
    tx_id: Option<Hash>,
    signed: bool,
    chain: String,
    group: String,
    sender: String,
    contract: String,
    method: String,
    args: Bytes,
    nonce: u64,
    timestamp: u64,
    expiration: u64,
    gas_limit: u64,
}

impl Decoded {
    fn new(transaction: &Transaction, tx_id: Option<Hash>, signed: bool) -> Decoded {
        Decoded {
            tx_id,
            signed,
            chain: transaction.chain_id.clone(),
            group: transaction.group_id.clone(),
            sender: transaction.sender.to_string(),
            contract: hanse_client::Contract(transaction.contract.clone()).to_string(),
            method: transaction.method.clone(),
            args: Bytes(transaction.args.clone()),
            nonce: transaction.nonce,
            timestamp: transaction.timestamp.0,
            expiration: transaction.expiration.0,
            gas_limit: transaction.gas_limit.0,
        }
    }

    fn text(&self) -> String {
        let left = self.expiration.saturating_sub(call::now().0);
        let expires = if left == 0 { "it is over".to_owned() } else { format!("in {} s", left.div_ceil(1_000)) };
        fields([
            ("chain", format!("{} / {}", self.chain, self.group)),
            ("sender", self.sender.clone()),
            ("call", format!("{}.{} {}", self.contract, self.method, self.args)),
            ("gas", format!("at most {}", grouped(self.gas_limit))),
            ("expires", expires),
            ("transaction", self.tx_id.map_or("not known before it is on its chain".into(), |id| id.to_string())),
            ("signed", if self.signed { "yes" } else { "not yet" }.into()),
        ])
    }
}

fn decoded<T: Canonical>(bytes: &Bytes) -> Result<T, Failure> {
    T::decode(&bytes.0).map_err(|error| Failure::usage(format!("the file's transaction is damaged: {error}")))
}

/// `hanse tx decode`.
pub(crate) fn decode(file: &str, output: Output) -> Result<(), Failure> {
    let shown = match TransactionFile::read(file)? {
        TransactionFile::Unsigned { genesis_hash, crypto, unsigned } => {
            let transaction: Transaction = decoded(&unsigned)?;
            Decoded::new(&transaction, Some(transaction.id(crypto, &genesis_hash).0), false)
        }
        TransactionFile::Signed { tx_id, signed } => {
            let signed: SignedTransaction = decoded(&signed)?;
            Decoded::new(&signed.transaction, Some(tx_id), true)
        }
    };
    output.result(&shown, Decoded::text)
}

/// `hanse tx sign`; needs no node.
pub(crate) fn sign(file: &str, common: &Common, output: Output) -> Result<(), Failure> {
    let TransactionFile::Unsigned { genesis_hash, crypto, unsigned } = TransactionFile::read(file)? else {
        return Err(Failure::usage(format!("{file} is signed already")).hint("`hanse tx send` sends it"));
    };
    let transaction: Transaction = decoded(&unsigned)?;
    let tx_id = transaction.id(crypto, &genesis_hash).0;
    output.note(Decoded::new(&transaction, Some(tx_id), false).text());
    let key = session::key(&common.from, crypto, &transaction.chain_id, common.password_file.as_deref())?;
    let signed = call::sign(transaction, &genesis_hash, &key).map_err(|error| Failure::usage(error.to_string()))?;
    let file = TransactionFile::Signed { tx_id, signed: Bytes(signed.encode()) };
    output.result(&file, TransactionFile::text)
}

/// `hanse tx send`: submits and waits until it is in a block.
pub(crate) async fn send(file: &str, common: &Common) -> Result<(), Failure> {
    let TransactionFile::Signed { signed, .. } = TransactionFile::read(file)? else {
        return Err(Failure::usage(format!("{file} is not signed")).hint("`hanse tx sign` signs it"));
    };
    let signed: SignedTransaction = decoded(&signed)?;
    let session = Session::open(common).await?;
    finish(&session.submit(&signed).await?, session.output)
}
