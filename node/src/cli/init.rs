//! `hanse init`: the files of a new chain's first node.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use clap::Args;
use hanse_client::call::now;
use hanse_types::crypto::PublicKey;
use hanse_types::genesis::{CryptoSuite, GenesisAccount, Validator};
use hanse_types::{Address, Genesis, Hash, Params};
use serde::Serialize;

use super::Common;
use super::exit::Failure;
use super::output::{Output, fields};
use crate::config::{self, Config};
use crate::dev::{Commitment, Consensus};
use crate::keys::dev;
use crate::keys::file::{Algorithm, KeyFolder, PasswordSource};
use crate::service::write_genesis;

/// The validator key's name in the node's folder.
const KEY: &str = "validator";

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The node's folder, made if it is not there
    folder: PathBuf,
    /// What the chain calls itself; part of every signature
    #[arg(long, default_value = "hanse")]
    chain_id: String,
    /// What its first group calls itself
    #[arg(long, default_value = "main")]
    group: String,
    /// What this node is called among the validators
    #[arg(long, default_value = "node-1")]
    name: String,
    /// How headers commit to the state
    #[arg(long, value_enum, default_value_t)]
    commitment: Commitment,
    /// How its validators agree. This writes a chain of one; add others to genesis.json before it starts anywhere
    #[arg(long, value_enum, default_value = "solo")]
    consensus: Consensus,
    /// Longest time that a transaction waits for its block to fill, in milliseconds
    #[arg(long, default_value_t = Params::default().block_interval_ms, value_name = "MS")]
    block_interval: u64,
    /// Who may change parameters and freeze contracts: addresses, or keys of `hanse key list`; this node's validator if
    /// not given
    #[arg(long, value_name = "WHO")]
    administrator: Vec<String>,
    /// An account with a balance of the native asset, as WHO=AMOUNT
    #[arg(long, value_name = "WHO=AMOUNT")]
    account: Vec<String>,
    /// Where the node takes requests; port 0 is any free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Write the validator's key without a password: whoever reads the file decides blocks
    #[arg(long)]
    plain_key: bool,
}

/// What was written.
#[derive(Serialize)]
struct Written {
    folder: String,
    configuration: String,
    genesis: String,
    genesis_hash: Hash,
    key: String,
    encrypted: bool,
    validator: PublicKey,
    administrators: Vec<Address>,
}

/// `hanse init`.
pub(crate) fn run(args: InitArgs, common: &Common, output: Output) -> Result<(), Failure> {
    let folder = &args.folder;
    let file = |name: &str| folder.join(name);
    let (config_path, genesis_path) = (file(config::FILE), file("genesis.json"));
    for path in [&config_path, &genesis_path, &file("validator.pem")] {
        if path.exists() {
            let text = format!("{} is there already; nothing was written", path.display());
            return Err(Failure::usage(text).hint("name another folder"));
        }
    }
    // Everything that can be wrong with the command line is found before anything is written.
    let (administrators, accounts) = (addresses(&args.administrator)?, balances(&args.account)?);
    let validator = |key| Validator { name: args.name.clone(), key };
    let genesis = |key: PublicKey| Genesis {
        chain_id: args.chain_id.clone(),
        group_id: args.group.clone(),
        timestamp: now(),
        crypto: CryptoSuite::Standard,
        consensus: args.consensus.into(),
        state_commitment: args.commitment.into(),
        validators: vec![validator(key)],
        administrators: if administrators.is_empty() { vec![key.address()] } else { administrators.clone() },
        accounts: accounts.clone(),
        params: Params { block_interval_ms: args.block_interval, ..Params::default() },
    };
    check(&genesis(placeholder()))?;

    make_folder(folder)?;
    let (keys, source) = (KeyFolder::at(folder.clone()), PasswordSource { file: common.password_file.as_deref() });
    let key = match args.plain_key {
        true => keys.create_plain(KEY, Algorithm::Ed25519)?,
        false => keys.create(KEY, Algorithm::Ed25519, source)?,
    };
    let genesis = genesis(key);
    let text = serde_json::to_vec_pretty(&genesis).map_err(|error| Failure::error(error.to_string()))?;
    write_genesis(&genesis_path, &text).map_err(|error| failed(&genesis_path, &error))?;
    let settings = settings(&args, common)?;
    fs::write(&config_path, config::template::text(&settings)).map_err(|error| failed(&config_path, &error))?;

    let shown = |path: &Path| path.display().to_string();
    let written = Written {
        folder: shown(folder),
        configuration: shown(&config_path),
        genesis: shown(&genesis_path),
        genesis_hash: genesis.hash(),
        key: shown(&file("validator.pem")),
        encrypted: !args.plain_key,
        validator: key,
        administrators: genesis.administrators,
    };
    output.result(&written, text_of)?;
    output.note(format!("\nrun it with: hanse start --config {}", written.configuration));
    Ok(())
}

/// What stands in the file besides defaults.
fn settings(args: &InitArgs, common: &Common) -> Result<Config, Failure> {
    let mut config = Config::default();
    if let Some(listen) = args.listen {
        config.rpc.listen = listen;
    }
    if let Some(path) = common.password_file.as_deref().filter(|_| !args.plain_key) {
        config.node.key_password_file = std::path::absolute(path).map_err(|error| failed(path, &error))?;
    }
    Ok(config)
}

/// A key in the place of the one that is not made yet.
fn placeholder() -> PublicKey {
    use hanse_types::crypto::{SecretKey, Signer};
    SecretKey::ed25519([1; 32]).public_key()
}

fn check(genesis: &Genesis) -> Result<(), Failure> {
    if genesis.chain_id == dev::CHAIN_ID {
        return Err(Failure::usage(format!(
            "{:?} is the name of development chains; choose another --chain-id",
            dev::CHAIN_ID
        )));
    }
    if let Some(name) = config::check::development_key(genesis) {
        return Err(Failure::usage(format!("everyone has the development key {name}; name an account of yours")));
    }
    genesis.check().map_err(|error| Failure::usage(format!("no chain can have this genesis: {error}")))
}

fn addresses(names: &[String]) -> Result<Vec<Address>, Failure> {
    names.iter().map(|name| address(name)).collect()
}

fn balances(texts: &[String]) -> Result<Vec<GenesisAccount>, Failure> {
    let balance = |text: &String| {
        let wrong = || Failure::usage(format!("--account {text}: write WHO=AMOUNT, such as treasury=1_000_000"));
        let (who, amount) = text.split_once('=').ok_or_else(wrong)?;
        let balance = amount.replace('_', "").parse().map_err(|_| wrong())?;
        Ok(GenesisAccount { address: address(who)?, balance })
    };
    texts.iter().map(balance).collect()
}

/// An address, or that of a key of this user.
fn address(name: &str) -> Result<Address, Failure> {
    match name.parse() {
        Ok(address) => Ok(address),
        Err(_) => match dev::address(name) {
            Some(address) => Ok(address),
            None => Ok(KeyFolder::of_user()?.public_key(name)?.address()),
        },
    }
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    fs::DirBuilder::new().recursive(true).mode(0o750).create(folder).map_err(|error| failed(folder, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::error(format!("{}: {error}", path.display()))
}

fn text_of(written: &Written) -> String {
    let key = if written.encrypted { "encrypted" } else { "not encrypted" };
    let administrators: Vec<String> = written.administrators.iter().map(Address::to_string).collect();
    fields([
        ("configuration", written.configuration.clone()),
        ("genesis", format!("{} ({})", written.genesis, written.genesis_hash)),
        ("key", format!("{} ({key})", written.key)),
        ("validator", written.validator.to_string()),
        ("administrators", administrators.join(", ")),
    ])
}
