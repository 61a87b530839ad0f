//! What a command that talks to a node has at hand: the client, the chain, the signer.

use std::path::Path;
use std::time::{Duration, Instant};

use hanse_client::views::{ChainInfo, ReceiptView};
use hanse_client::{ChainContext, Client, ClientError, Contract};
use hanse_types::crypto::{CryptoSuite, PublicKey, SecretKey};
use hanse_types::{Address, SignedTransaction};

use super::Common;
use super::admin::AdminArgs;
use super::exit::Failure;
use super::output::Output;
use crate::keys::dev;
use crate::keys::file::{KeyFolder, PasswordSource};

/// How long a node on this machine may take to start listening: `hanse dev &` and the next command are often typed as
/// one.
const START_PATIENCE: Duration = Duration::from_secs(5);
/// Between two attempts to connect.
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(50);

/// A connection to a node and the words of the command line about it.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) chain: ChainInfo,
    pub(crate) output: Output,
    common: Common,
}

impl Session {
    /// Connects to the node that the command line names.
    pub(crate) async fn open(common: &Common) -> Result<Session, Failure> {
        let client = client(common)?;
        let chain = first_answer(&client).await?;
        let output = Output { json: common.json, quiet: common.quiet };
        Ok(Session { client, chain, output, common: common.clone() })
    }

    /// A connection to the node's admin listener.
    pub(crate) async fn operator(&self, admin: &AdminArgs) -> Result<Client, Failure> {
        admin.connect(&self.common).await
    }

    /// From now on this account signs and asks.
    pub(crate) fn set_from(&mut self, name: String) {
        self.common.from = name;
    }

    /// What transactions name of the chain.
    pub(crate) fn context(&self) -> ChainContext {
        ChainContext::from(&self.chain)
    }

    /// The key that signs.
    pub(crate) fn signer(&self) -> Result<SecretKey, Failure> {
        key(&self.common.from, self.chain.crypto, &self.chain.chain_id, self.common.password_file.as_deref())
    }

    /// The address in whose name a query runs; needs no password.
    pub(crate) fn caller(&self) -> Result<Address, Failure> {
        self.account(&self.common.from)
    }

    /// The address of an account, by address or name.
    pub(crate) fn account(&self, name: &str) -> Result<Address, Failure> {
        if name.starts_with("0x") {
            return name.parse().map_err(|error| Failure::usage(format!("{name:?}: {error}")));
        }
        match dev::address(self.chain.crypto, name) {
            Some(address) if self.chain.chain_id == dev::CHAIN_ID => Ok(address),
            Some(_) => Err(not_a_dev_chain(name, &self.chain.chain_id)),
            None => {
                // What is paid to an account of another suite is lost: nobody can sign for it in this group.
                let key = KeyFolder::of_user()?.public_key(name)?;
                check_suite(self.chain.crypto, name, &key)?;
                Ok(key.address())
            }
        }
    }

    /// Submits a transaction and waits until it is in a block, through broken connections and restarts of the node.
    pub(crate) async fn submit(&self, signed: &SignedTransaction) -> Result<ReceiptView, Failure> {
        Ok(self.client.submit_and_wait(signed, self.common.commit_timeout()).await?.receipt()?)
    }

    /// A contract by name or address.
    pub(crate) fn contract(name: &str) -> Result<Contract, Failure> {
        name.parse().map_err(|error: hanse_client::text::ContractError| Failure::usage(error.to_string()))
    }
}

/// The key of this name, for transactions of this chain, which has this suite.
pub(crate) fn key(
    name: &str,
    crypto: CryptoSuite,
    chain_id: &str,
    password_file: Option<&Path>,
) -> Result<SecretKey, Failure> {
    match dev::key(crypto, name) {
        Some(key) if chain_id == dev::CHAIN_ID => Ok(key),
        Some(_) => Err(not_a_dev_chain(name, chain_id)),
        None => {
            let folder = KeyFolder::of_user()?;
            // Before its password is asked for.
            check_suite(crypto, name, &folder.public_key(name)?)?;
            Ok(folder.open(name, PasswordSource { file: password_file })?)
        }
    }
}

/// Whether clients of this suite use such keys.
pub(super) fn check_suite(crypto: CryptoSuite, name: &str, key: &PublicKey) -> Result<(), Failure> {
    if crypto.allows_client(key) {
        return Ok(());
    }
    let algorithm = match crypto {
        CryptoSuite::Standard => "ed25519",
        CryptoSuite::Guomi => "sm2",
    };
    Err(Failure::usage(format!("{name:?} is the key {key}, and the group's crypto is {crypto}"))
        .hint(format!("make a key for it with `hanse key new NAME --algorithm {algorithm}`")))
}

fn not_a_dev_chain(name: &str, chain: &str) -> Failure {
    Failure::usage(format!("{name:?} is a development account, and the chain {chain:?} is not for development"))
        .hint("make a key with `hanse key new NAME` and use it with --from NAME")
}

/// Whether the node is on this machine, as its address says.
pub(super) fn is_local(client: &Client) -> bool {
    ["http://127.", "http://localhost", "http://[::1]"].iter().any(|start| client.url().starts_with(start))
}

/// The client of the node and the group that the command line names.
pub(super) fn client(common: &Common) -> Result<Client, ClientError> {
    let client = Client::new(&common.rpc)?;
    Ok(match &common.group {
        Some(group) => client.in_group(group),
        None => client,
    })
}

/// The first answer of a node, for which a node on this machine gets a moment to start.
pub(super) async fn first_answer(client: &Client) -> Result<ChainInfo, ClientError> {
    patiently(client, || client.chain_info()).await
}

/// What a node answers, for which a node on this machine gets a moment to start.
pub(super) async fn patiently<T, F: Future<Output = Result<T, ClientError>>>(
    client: &Client,
    ask: impl Fn() -> F,
) -> Result<T, ClientError> {
    let deadline = Instant::now() + START_PATIENCE;
    let local = is_local(client);
    loop {
        match ask().await {
            Err(ClientError::Connect { .. }) if local && Instant::now() < deadline => {
                tokio::time::sleep(ATTEMPT_INTERVAL).await;
            }
            other => return other,
        }
    }
}
