//! `hanse key`: make, show and list signing keys.

use clap::Subcommand;
use hanse_types::crypto::{PublicKey, Signer};
use serde::Serialize;

use super::Common;
use super::exit::{Exit, Failure};
use super::output::{Output, fields, table};
use crate::keys::dev;
use crate::keys::file::{Algorithm, KeyError, KeyFolder, PasswordSource};

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
    },
    /// List your keys and the development accounts
    List,
}

/// A key as it is shown: never its secret.
#[derive(Debug, Serialize)]
struct ShownKey {
    name: String,
    address: String,
    public_key: String,
    /// Whether everyone has it.
    development: bool,
}

impl ShownKey {
    fn new(name: &str, key: &PublicKey, development: bool) -> ShownKey {
        let address = key.address().to_string();
        ShownKey { name: name.into(), address, public_key: key.to_string(), development }
    }

    fn text(&self) -> String {
        fields([
            ("name", self.name.clone()),
            ("address", self.address.clone()),
            ("public key", self.public_key.clone()),
            ("kind", self.kind().into()),
        ])
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
    match command {
        KeyCommand::New { name, algorithm } => {
            if dev::NAMES.contains(&name.as_str()) {
                return Err(Failure::usage(format!("{name:?} is the name of a development account; choose another")));
            }
            let public = folder.create(&name, algorithm, PasswordSource { file: common.password_file.as_deref() })?;
            output.result(&ShownKey::new(&name, &public, false), ShownKey::text)
        }
        KeyCommand::Show { name } => {
            let shown = match dev::key(&name) {
                Some(key) => ShownKey::new(&name, &key.public_key(), true),
                None => ShownKey::new(&name, &folder.public_key(&name)?, false),
            };
            output.result(&shown, ShownKey::text)
        }
        KeyCommand::List => output.result(&list(&folder)?, |keys| {
            let rows = keys.iter().map(|key| [key.name.clone(), key.address.clone(), key.kind().into()]);
            table(["name", "address", "kind"], rows)
        }),
    }
}

fn list(folder: &KeyFolder) -> Result<Vec<ShownKey>, Failure> {
    let own = folder.list()?;
    let mut keys: Vec<ShownKey> = own.iter().map(|(name, key)| ShownKey::new(name, key, false)).collect();
    for name in dev::NAMES {
        keys.extend(dev::key(name).map(|key| ShownKey::new(name, &key.public_key(), true)));
    }
    Ok(keys)
}
