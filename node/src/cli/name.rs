//! `hanse name`: names that stand for contracts, version by version.

use clap::Subcommand;
use hanse_client::Contract;
use hanse_client::methods::{GetName, ListNames, ListNamesParams, NameList, NameParams};
use hanse_client::views::NameView;

use super::Common;
use super::chain::finish;
use super::contract::{contract_address, execute};
use super::exit::Failure;
use super::output::{fields, table};
use super::session::Session;

/// Number of the native contract that keeps names.
const NAMES: u16 = 3;

#[derive(Debug, Subcommand)]
pub(crate) enum NameCommand {
    /// Register a version of a name, which is free or one's own, for a contract
    Set {
        /// The name: a letter, then letters, digits, '-', '_' and '.'
        name: String,
        /// The contract that it shall stand for, by name or address
        contract: String,
        /// Number of the version, above the newest; the next one if not given
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        version: u32,
    },
    /// Show whose a name is, and what each of its versions stands for
    Get {
        /// The name, without a version
        name: String,
    },
    /// List names in alphabetical order
    List {
        /// Only names after this one
        #[arg(long, value_name = "NAME")]
        after: Option<String>,
        /// Most names to list
        #[arg(long, default_value_t = 100, value_name = "COUNT")]
        limit: usize,
    },
}

/// `hanse name`.
pub(crate) async fn run(command: NameCommand, common: &Common) -> Result<(), Failure> {
    let session = Session::open(common).await?;
    match command {
        NameCommand::Set { name, contract, version } => set(&session, &name, &contract, version).await,
        NameCommand::Get { name } => {
            let name = session.client.call::<GetName>(NameParams { name }).await?;
            session.output.result(&name, name_text)
        }
        NameCommand::List { after, limit } => {
            let names = session.client.call::<ListNames>(ListNamesParams { after, limit: Some(limit) }).await?;
            session.output.result(&names, list_text)?;
            if let Some(next) = &names.next {
                session.output.note(format!("there are more: --after {next}"));
            }
            Ok(())
        }
    }
}

async fn set(session: &Session, name: &str, contract: &str, version: u32) -> Result<(), Failure> {
    let address = contract_address(&session.client, contract).await?;
    let args = borsh::to_vec(&(name, version, address)).map_err(|error| Failure::error(error.to_string()))?;
    let receipt = execute(session, Contract::native(NAMES), "register", args, None).await?;
    finish(&receipt, session.output)
}

fn name_text(name: &NameView) -> String {
    let head = fields([("name", name.name.clone()), ("owner", owner(name))]);
    let rows = name.versions.iter().map(|version| [version.version.to_string(), version.address.to_string()]);
    let more = if name.more { "older versions are not shown\n" } else { "" };
    format!("{head}\n{}{more}", table(["version", "contract"], rows))
}

fn list_text(list: &NameList) -> String {
    let row = |name: &NameView| {
        let newest = name.versions.first();
        let version = newest.map(|newest| newest.version.to_string()).unwrap_or_default();
        [name.name.clone(), version, newest.map(|newest| newest.address.to_string()).unwrap_or_default(), owner(name)]
    };
    table(["name", "version", "contract", "owner"], list.names.iter().map(row))
}

fn owner(name: &NameView) -> String {
    name.owner.map_or("the chain itself".to_owned(), |owner| owner.to_string())
}
