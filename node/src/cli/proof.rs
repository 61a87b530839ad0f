//! Proofs on the command line: asked from a node, checked here.
//!
//! What is checked is said: with the genesis at hand (`--genesis`), its validators must have decided the block; with a
//! block's hash that is known from elsewhere (`--trust`), it must be that block; with neither, a proof leads to a header
//! of which the node alone says that it is the chain's, and its hash is shown for comparing.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use hanse_client::methods::{ProofOf, ProveTx, ProveTxParams};
use hanse_client::proof::{self, Anchor};
use hanse_client::views::{CertifiedHeader, InclusionProof};
use hanse_client::{Bytes, Client, ClientError};
use hanse_types::{Canonical, Genesis, Hash, Header, Height, TxId};
use serde::Serialize;

use super::exit::Failure;
use super::output::fields;
use super::session::Session;

/// What makes a header one of the chain's.
#[derive(Debug, Default, Args)]
pub(crate) struct Trust {
    /// File with the chain's genesis: its validators must have decided the block
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// Hash of the block, known from elsewhere: the proof must lead to it
    #[arg(long, value_name = "HASH")]
    trust: Option<Hash>,
}

/// What of a transaction is proven.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Subject {
    /// The signed transaction
    #[default]
    Transaction,
    /// Its receipt
    Receipt,
    /// Its access set, until it is pruned
    AccessSet,
}

/// On what ground a header is taken for the chain's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ground {
    /// The genesis' validators decided it.
    Validators,
    /// Its hash is the one that was named.
    Hash,
    /// The node says so.
    Node,
}

/// A header, and why it is taken for the chain's.
pub(crate) struct Trusted {
    pub(crate) header: Header,
    pub(crate) ground: Ground,
}

impl Trust {
    /// Whether a header has to be checked at all.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.genesis.is_some() || self.trust.is_some()
    }

    /// The header that a proof comes with, if there is every ground for it that was asked for.
    pub(crate) async fn header(&self, client: &Client, block: &CertifiedHeader) -> Result<Trusted, Failure> {
        let refused = |error: proof::ProofError| Failure::from(ClientError::Proof(error));
        let header = Header::decode(&block.header.0).map_err(|error| refused(error.into()))?;
        let mut ground = Ground::Node;
        if let Some(known) = &self.trust {
            let found = header.hash();
            if found != *known {
                return Err(Failure::error(format!("the proof leads to block {found}, not to {known}")));
            }
            ground = Ground::Hash;
        }
        if let Some(anchor) = self.anchor()? {
            client.trusted(&anchor, block).await?;
            ground = Ground::Validators;
        }
        Ok(Trusted { header, ground })
    }

    fn anchor(&self) -> Result<Option<Anchor>, Failure> {
        let Some(path) = &self.genesis else { return Ok(None) };
        let bad = |reason: String| Failure::usage(format!("{}: {reason}", path.display()));
        let bytes = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
        let genesis: Genesis =
            serde_json::from_slice(&bytes).map_err(|error| bad(format!("it is no genesis: {error}")))?;
        Anchor::new(&genesis).map(Some).map_err(|error| bad(error.to_string()))
    }
}

impl Trusted {
    /// The block, for people.
    pub(crate) fn lines(&self) -> Vec<(&'static str, String)> {
        let ground = match self.ground {
            Ground::Validators => "decided by the validators of the genesis, or those they named",
            Ground::Hash => "the block that was named",
            Ground::Node => "by the node's word; give --genesis or --trust to check it",
        };
        vec![
            ("block", self.header.height.to_string()),
            ("block hash", self.header.hash().to_string()),
            ("trusted", ground.into()),
        ]
    }
}

/// A proof that held, for programs.
#[derive(Serialize)]
struct Shown {
    tx_id: Hash,
    height: Height,
    block_hash: Hash,
    trusted: Ground,
    /// The leaf of the block's tree.
    digest: Hash,
    proof: InclusionProof,
}

/// `hanse tx proof`.
pub(crate) async fn transaction(session: &Session, id: Hash, of: Subject, trust: &Trust) -> Result<(), Failure> {
    let ask = |of| session.client.call::<ProveTx>(ProveTxParams { tx_id: id, of });
    let refused = |error| Failure::from(ClientError::Proof(error));
    let asked = match of {
        Subject::Transaction => ProofOf::Transaction,
        Subject::Receipt => ProofOf::Receipt,
        Subject::AccessSet => ProofOf::AccessSet,
    };
    let proof = ask(asked).await?;
    let trusted = trust.header(&session.client, &proof.block).await?;
    let header = &trusted.header;
    let digest = match of {
        Subject::Transaction => {
            let signed = proof::check_transaction(&proof, header, &session.chain.genesis_hash, &TxId(id));
            signed.map_err(refused)?.leaf(TxId(id))
        }
        Subject::Receipt => proof::check_receipt(&proof, header, &TxId(id)).map_err(refused)?.digest(header.crypto),
        Subject::AccessSet => {
            let receipt = proof::check_receipt(&ask(ProofOf::Receipt).await?, header, &TxId(id)).map_err(refused)?;
            proof::check_rw_set(&proof, header, &receipt).map_err(refused)?.digest(header.crypto)
        }
    };
    let (height, block_hash) = (header.height, header.hash());
    let shown = Shown { tx_id: id, height, block_hash, trusted: trusted.ground, digest, proof };
    session.output.result(&shown, |shown| {
        let Bytes(content) = &shown.proof.content;
        let mut lines = vec![
            ("transaction", shown.tx_id.to_string()),
            ("digest", format!("{} of {} bytes (proven)", shown.digest, content.len())),
            ("place", shown.proof.index.to_string()),
        ];
        lines.extend(trusted.lines());
        fields(lines)
    })
}
