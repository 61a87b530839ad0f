//! `hanse init`: the files of a new chain's first node.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use clap::Args;
use hanse_types::crypto::PublicKey;
use hanse_types::genesis::Validator;
use hanse_types::{Address, Hash};
use serde::Serialize;

use super::Common;
use super::exit::Failure;
use super::founding::{FoundingArgs, placeholder};
use super::output::{Output, fields};
use crate::config::{self, Config};
use crate::groups::write_genesis;
use crate::keys::file::{Algorithm, KeyFolder, PasswordSource};

/// The validator key's name in the node's folder.
pub(super) const KEY: &str = "validator";

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The node's folder, made if it is not there
    folder: PathBuf,
    #[command(flatten)]
    founding: FoundingArgs,
    /// What this node is called among the validators
    #[arg(long, default_value = "node-1")]
    name: String,
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
    let founding = args.founding.read(common)?;
    let alone = |key| vec![Validator { name: args.name.clone(), key }];
    founding.genesis(alone(placeholder(0)))?;

    make_folder(folder)?;
    let (keys, source) = (KeyFolder::at(folder.clone()), PasswordSource { file: common.password_file.as_deref() });
    let key = match args.plain_key {
        true => keys.create_plain(KEY, Algorithm::Ed25519)?,
        false => keys.create(KEY, Algorithm::Ed25519, source)?,
    };
    let genesis = founding.genesis(alone(key))?;
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

pub(super) fn make_folder(folder: &Path) -> Result<(), Failure> {
    fs::DirBuilder::new().recursive(true).mode(0o750).create(folder).map_err(|error| failed(folder, &error))
}

pub(super) fn failed(path: &Path, error: &std::io::Error) -> Failure {
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
