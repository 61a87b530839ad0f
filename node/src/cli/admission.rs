//! `hanse admission`: who is let into the network of the group's nodes and who is kept out, by transaction.

use std::path::PathBuf;

use borsh::BorshSerialize;
use clap::Subcommand;
use hanse_client::Contract;
use hanse_types::crypto::PublicKey;

use super::Common;
use super::chain::finish;
use super::contract::execute;
use super::exit::Failure;
use super::session::Session;
use crate::p2p::address::NodeName;
use crate::p2p::identity;
use crate::pki::file::read_authority;

/// Number of the native contract that keeps it.
const ADMISSION: u16 = 6;

#[derive(Debug, Subcommand)]
pub(crate) enum AdmissionCommand {
    /// Let in the nodes of one more authority, or give one its new certificate; for administrators
    Trust {
        /// The file with its certificate
        file: PathBuf,
    },
    /// Take that back; for administrators
    Distrust {
        /// The authority's key
        key: PublicKey,
    },
    /// Keep out a node, or all nodes of an authority, on all nodes of the group; for administrators
    Deny {
        /// The node's id or key, or the authority's key
        key: String,
    },
    /// Take that back; for administrators
    Pardon {
        /// The id or key
        key: String,
    },
}

/// `hanse admission`.
pub(crate) async fn run(command: AdmissionCommand, common: &Common) -> Result<(), Failure> {
    match command {
        AdmissionCommand::Trust { file } => {
            let authority = read_authority(&file)?;
            let certificate = authority.certificate();
            change(common, "trust", &(certificate.key().to_string(), certificate.der())).await
        }
        AdmissionCommand::Distrust { key } => change(common, "distrust", &key.to_string()).await,
        AdmissionCommand::Deny { key } => change(common, "deny", &key_of(&key)?).await,
        AdmissionCommand::Pardon { key } => change(common, "pardon", &key_of(&key)?).await,
    }
}

/// A key as the contract has it, also where a node's id is given.
fn key_of(text: &str) -> Result<String, Failure> {
    let name = text.parse::<NodeName>().map_err(|error| Failure::usage(error.to_string()))?;
    let key = identity::public_key(&name.0).ok_or_else(|| Failure::usage(format!("{text} has no key of ed25519")))?;
    Ok(key.to_string())
}

async fn change(common: &Common, method: &str, args: &impl BorshSerialize) -> Result<(), Failure> {
    let session = Session::open(common).await?;
    let args = borsh::to_vec(args).map_err(|error| Failure::error(error.to_string()))?;
    let receipt = execute(&session, Contract::native(ADMISSION), method, args, None).await?;
    finish(&receipt, session.output)
}
