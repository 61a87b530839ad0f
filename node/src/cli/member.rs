//! `hanse member`: who takes part in the group, and how.

use borsh::BorshSerialize;
use clap::{Subcommand, ValueEnum};
use hanse_client::Contract;
use hanse_client::methods::{AtHeight, GetMembers};
use hanse_client::views::{ChainMembers, MemberView};
use hanse_types::crypto::PublicKey;
use hanse_types::{Height, Role};

use super::Common;
use super::chain::finish;
use super::contract::execute;
use super::exit::Failure;
use super::output::table;
use super::session::Session;

/// Number of the native contract that keeps members.
const MEMBERS: u16 = 5;

#[derive(Debug, Subcommand)]
pub(crate) enum MemberCommand {
    /// List the members with their keys and roles
    List {
        /// After the block at this height, instead of the newest
        #[arg(long)]
        height: Option<u64>,
    },
    /// Take somebody in; for administrators
    Add {
        /// Its name: a letter, then letters, digits, '-', '_' and '.'
        name: String,
        /// The key of its node, as `hanse key show` prints it: ed25519:<64 hexadecimal digits>
        key: PublicKey,
        /// What it does
        #[arg(long, value_enum, default_value_t)]
        role: RoleName,
    },
    /// Take a member out; for administrators
    Remove {
        /// Its name
        name: String,
    },
    /// Give a member another role; for administrators
    Role {
        /// Its name
        name: String,
        /// What it is to do
        #[arg(value_enum)]
        role: RoleName,
    },
    /// Give a member another key, for a node that takes the place of its old one; for administrators
    Key {
        /// Its name
        name: String,
        /// The key of the new node
        key: PublicKey,
    },
}

/// A role on the command line.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum RoleName {
    /// Makes blocks and votes on them
    Sealer,
    /// Follows and checks everything, votes on nothing
    #[default]
    Observer,
    /// Is given headers, certificates and proofs
    Light,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Role {
        match name {
            RoleName::Sealer => Role::Sealer,
            RoleName::Observer => Role::Observer,
            RoleName::Light => Role::Light,
        }
    }
}

/// `hanse member`.
pub(crate) async fn run(command: MemberCommand, common: &Common) -> Result<(), Failure> {
    let session = Session::open(common).await?;
    match command {
        MemberCommand::List { height } => {
            let members = session.client.call::<GetMembers>(AtHeight { height: height.map(Height) }).await?;
            session.output.result(&members, list_text)
        }
        MemberCommand::Add { name, key, role } => {
            change(&session, "add", &(name, key.to_string(), Role::from(role))).await
        }
        MemberCommand::Remove { name } => change(&session, "remove", &name).await,
        MemberCommand::Role { name, role } => change(&session, "set_role", &(name, Role::from(role))).await,
        MemberCommand::Key { name, key } => change(&session, "replace_key", &(name, key.to_string())).await,
    }
}

async fn change(session: &Session, method: &str, args: &impl BorshSerialize) -> Result<(), Failure> {
    let args = borsh::to_vec(args).map_err(|error| Failure::error(error.to_string()))?;
    let receipt = execute(session, Contract::native(MEMBERS), method, args, None).await?;
    finish(&receipt, session.output)
}

fn list_text(members: &ChainMembers) -> String {
    let row = |member: &MemberView| [member.name.clone(), member.role.name().to_owned(), member.key.clone()];
    table(["name", "role", "key"], members.members.iter().map(row))
}
