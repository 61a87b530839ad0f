//! `hanse key`: make, show and list signing keys.

use std::path::PathBuf;

use clap::Subcommand;
use hanse_types::crypto::{CryptoSuite, PublicKey, Signer, key_file};
use serde::Serialize;

use super::Common;
use super::exit::{Exit, Failure};
use super::output::{Output, fields, table};
use crate::dev::Crypto;
use crate::keys::dev;
use crate::keys::file::{Algorithm, KeyError, KeyFolder, PasswordSource};
use crate::p2p::identity;

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key and write it encrypted
    New {
        /// Its name
        name: String,
        /// Its algorithm
        #[arg(long, value_enum, default_value_t)]
        algorithm: Algorithm,
    },
    /// Show a key's address and public key; needs no password
    Show {
        /// Its name
        name: String,
        /// Of a development account: on a chain with this crypto suite
        #[arg(long, value_enum, default_value_t)]
        crypto: Crypto,
    },
    /// List your keys and the development accounts
    List,
    /// Take over a key from a PEM file (PKCS#8, as openssl writes it), encrypted or not
    Import {
        /// Its name from now on
        name: String,
        /// The file
        file: PathBuf,
    },
    /// Print a key as PEM, encrypted as it lies in its file
    Export {
        /// Its name
        name: String,
        /// Decrypt it: whoever reads the output has the key
        #[arg(long)]
        plain: bool,
        /// Of a development account: on a chain with this crypto suite
        #[arg(long, value_enum, default_value_t)]
        crypto: Crypto,
    },
}

/// A key as it is shown: never its secret.
#[derive(Debug, Serialize)]
struct ShownKey {
    name: String,
    address: String,
    public_key: String,
    /// What a node with this key is called in the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    node_id: Option<String>,
    /// Whether everyone has it.
    development: bool,
}

/// A key in full.
#[derive(Serialize)]
struct ExportedKey {
    name: String,
    /// Encrypted, unless asked otherwise or everyone has it.
    pem: String,
}

impl ShownKey {
    fn new(name: &str, key: &PublicKey, development: bool) -> ShownKey {
        let address = key.address().to_string();
        let node_id = identity::peer_id(key).map(|peer| peer.to_string());
        ShownKey { name: name.into(), address, public_key: key.to_string(), node_id, development }
    }

    fn text(&self) -> String {
        let node_id = self.node_id.iter().map(|id| ("node id", id.clone()));
        let lines =
            [("name", self.name.clone()), ("address", self.address.clone()), ("public key", self.public_key.clone())];
        fields(lines.into_iter().chain(node_id).chain([("kind", self.kind().into())]))
    }

    fn algorithm(&self) -> &str {
        self.public_key.split(':').next().unwrap_or_default()
    }

    fn kind(&self) -> &'static str {
        if self.development { "development only: everyone has it" } else { "yours" }
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        let exit = match error {
            KeyError::Missing { .. } => Exit::NotFound,
            KeyError::Name { .. } | KeyError::NoPassword { .. } => Exit::Usage,
            _ => Exit::Error,
        };
        Failure::new(exit, error.to_string())
    }
}

/// Runs it.
pub(crate) fn run(command: KeyCommand, common: &Common, output: Output) -> Result<(), Failure> {
    let folder = KeyFolder::of_user()?;
    let source = PasswordSource { file: common.password_file.as_deref() };
    match command {
        KeyCommand::New { name, algorithm } => {
            check_name(&name)?;
            let public = folder.create(&name, algorithm, source)?;
            output.result(&ShownKey::new(&name, &public, false), ShownKey::text)
        }
        KeyCommand::Import { name, file } => {
            check_name(&name)?;
            let public = folder.import(&name, &file, source)?;
            output.result(&ShownKey::new(&name, &public, false), ShownKey::text)
        }
        KeyCommand::Export { name, plain, crypto } => {
            let pem = match (dev::key(crypto.into(), &name), plain) {
                (Some(key), _) => key_file::to_plain_pem(&key).to_string(),
                (None, true) => key_file::to_plain_pem(&folder.open(&name, source)?).to_string(),
                (None, false) => folder.export(&name)?,
            };
            output.result(&ExportedKey { name, pem }, |key| key.pem.clone())
        }
        KeyCommand::Show { name, crypto } => {
            let shown = match dev::key(crypto.into(), &name) {
                Some(key) => ShownKey::new(&name, &key.public_key(), true),
                None => ShownKey::new(&name, &folder.public_key(&name)?, false),
            };
            output.result(&shown, ShownKey::text)
        }
        KeyCommand::List => output.result(&list(&folder)?, |keys| {
            let row =
                |key: &ShownKey| [key.name.clone(), key.address.clone(), key.algorithm().into(), key.kind().into()];
            table(["name", "address", "algorithm", "kind"], keys.iter().map(row))
        }),
    }
}

/// Development accounts keep their names.
fn check_name(name: &str) -> Result<(), Failure> {
    let taken = dev::NAMES.contains(&name);
    let failure = || Failure::usage(format!("{name:?} is the name of a development account; choose another"));
    if taken { Err(failure()) } else { Ok(()) }
}

fn list(folder: &KeyFolder) -> Result<Vec<ShownKey>, Failure> {
    let own = folder.list()?;
    let mut keys: Vec<ShownKey> = own.iter().map(|(name, key)| ShownKey::new(name, key, false)).collect();
    for name in dev::NAMES {
        let of_suites = CryptoSuite::ALL.into_iter().filter_map(|crypto| dev::key(crypto, name));
        keys.extend(of_suites.map(|key| ShownKey::new(name, &key.public_key(), true)));
    }
    Ok(keys)
}
