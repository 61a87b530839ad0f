//! `hanse group`: the groups of a node, and how new ones come to be.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use hanse_client::methods::{
    AcceptGroup, AtHeight, CreateGroup, CreateGroupParams, ExportGroup, FoundingDocument, GetGroup, GetMembers,
    GetNodeInfo, GroupName, ImportGroup, LeaveGroup, LeaveGroupParams, ListGroups, Method, NoParams, RemoveGroup,
    StartGroup, StopGroup,
};
use hanse_client::views::{GroupDetail, GroupView, MemberView};
use hanse_client::{Client, ClientError};
use hanse_types::crypto::PublicKey;
use hanse_types::genesis::Validator;

use super::Common;
use super::admin::AdminArgs;
use super::exit::{Exit, Failure};
use super::founding::TermsArgs;
use super::output::{Output, fields, grouped, table};
use super::session::patiently;

/// Between two looks at a group that is awaited.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// How long a group may take to close its files.
const CLOSING: Duration = Duration::from_secs(60);

#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    /// List the node's groups, and what it is invited to
    List,
    /// Show a group: its members, and who has not signed its founding
    Show {
        /// Its name
        name: String,
    },
    /// Found a group with other nodes: they are invited, and it runs once all have accepted
    Create(CreateArgs),
    /// Accept an invitation; the group runs once all have
    Accept(OneArgs),
    /// Decline an invitation
    Decline(OneArgs),
    /// Start a group that was stopped or left
    Start(OneArgs),
    /// Stop a group on this node until it is started again
    Stop(OneArgs),
    /// Take part in a group no more; what the node has of it stays until it is removed
    Leave {
        #[command(flatten)]
        one: OneArgs,
        /// Leave although the node makes the group's blocks, and the others will miss it
        #[arg(long)]
        force: bool,
    },
    /// Delete what the node has of a group that it left or stopped
    Remove {
        #[command(flatten)]
        one: OneArgs,
        /// Do it: nothing brings it back
        #[arg(long)]
        yes: bool,
    },
    /// Print the founding of a group, for a node that can't be told over the network
    Export(OneArgs),
    /// Take in a founding from a file
    Import {
        /// The file; - is standard input
        file: PathBuf,
        #[command(flatten)]
        admin: AdminArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct OneArgs {
    /// The group's name
    name: String,
    #[command(flatten)]
    admin: AdminArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// What it is called: letters, digits, '-', '_' and '.'
    name: String,
    /// Another node that makes its blocks: the name that it has in this node's group, or any name and its key, as NAME=KEY
    #[arg(long, value_name = "NAME[=KEY]", value_delimiter = ',')]
    member: Vec<String>,
    #[command(flatten)]
    terms: TermsArgs,
    /// How many seconds to wait until it runs; 0 only invites
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    wait: u64,
    #[command(flatten)]
    admin: AdminArgs,
}

/// `hanse group`.
pub(crate) async fn run(command: GroupCommand, common: &Common, output: Output) -> Result<(), Failure> {
    match command {
        GroupCommand::List => {
            let client = Client::new(&common.rpc)?;
            let groups = patiently(&client, || client.call::<ListGroups>(NoParams {})).await?;
            output.result(&groups, |groups| list_text(&groups.groups))
        }
        GroupCommand::Show { name } => {
            let client = Client::new(&common.rpc)?;
            let group = patiently(&client, || client.call::<GetGroup>(GroupName { name: name.clone() })).await?;
            output.result(&group, text)
        }
        GroupCommand::Create(args) => create(&args, common, output).await,
        GroupCommand::Accept(one) => change::<AcceptGroup>(one, common, output).await,
        GroupCommand::Start(one) => change::<StartGroup>(one, common, output).await,
        GroupCommand::Stop(one) => change::<StopGroup>(one, common, output).await,
        GroupCommand::Leave { one, force } => {
            let (name, client) = (one.name, one.admin.connect(common).await?);
            let left = client.call_within::<LeaveGroup>(LeaveGroupParams { name, force }, CLOSING).await?;
            output.result(&left, text)
        }
        GroupCommand::Decline(one) => {
            let client = one.admin.connect(common).await?;
            let group = client.call::<GetGroup>(GroupName { name: one.name.clone() }).await?.group;
            if group.state != "invited" {
                let text = format!("the group {:?} is {}, not an invitation", group.name, group.state);
                return Err(Failure::usage(text).hint("`hanse group leave`, then `hanse group remove`"));
            }
            remove(&client, one.name, output).await
        }
        GroupCommand::Remove { one, yes } => {
            if !yes {
                let text = format!("this deletes what the node has of the group {:?}, for good", one.name);
                return Err(Failure::usage(text).hint("say --yes if it is meant"));
            }
            let client = one.admin.connect(common).await?;
            remove(&client, one.name, output).await
        }
        GroupCommand::Export(one) => {
            let client = one.admin.connect(common).await?;
            let document = client.call::<ExportGroup>(GroupName { name: one.name }).await?;
            output.result(&document.founding, |founding| format!("{founding:#}"))
        }
        GroupCommand::Import { file, admin } => {
            let founding = read(&file)?;
            let client = admin.connect(common).await?;
            let group = client.call::<ImportGroup>(FoundingDocument { founding }).await?;
            output.result(&group, text)
        }
    }
}

async fn remove(client: &Client, name: String, output: Output) -> Result<(), Failure> {
    let removed = client.call::<RemoveGroup>(GroupName { name }).await?;
    output.result(&removed, |removed| format!("{} is removed", removed.name))
}

/// A method that changes one group, and shows it.
async fn change<M>(one: OneArgs, common: &Common, output: Output) -> Result<(), Failure>
where
    M: Method<Params = GroupName, Answer = GroupDetail>,
{
    let client = one.admin.connect(common).await?;
    let group = client.call_within::<M>(GroupName { name: one.name }, CLOSING).await?;
    output.result(&group, text)
}

async fn create(args: &CreateArgs, common: &Common, output: Output) -> Result<(), Failure> {
    let client = Client::new(&common.rpc)?;
    let own = patiently(&client, || client.call::<GetNodeInfo>(NoParams {})).await?.key;
    let known = client.call::<GetMembers>(AtHeight::default()).await?.members;
    let chain = client.chain_info().await?;
    let founding = args.terms.read(&chain.chain_id, &args.name)?;
    let mut validators = vec![own_member(&own, &known)?];
    for named in &args.member {
        validators.push(member(named, &known)?);
    }
    let genesis = founding.genesis(validators)?;
    let genesis = serde_json::to_value(&genesis).map_err(|error| Failure::error(error.to_string()))?;
    let operator = args.admin.connect(common).await?;
    let group = operator.call::<CreateGroup>(CreateGroupParams { genesis }).await?;
    let group = awaited(&client, group, Duration::from_secs(args.wait)).await?;
    let missing: Vec<&str> = group.unsigned.iter().map(|validator| &*validator.name).collect();
    if !missing.is_empty() {
        output.note(format!("waiting for {}: there, `hanse group accept {}`", missing.join(", "), args.name));
    }
    output.result(&group, text)
}

/// The group once it runs, or as it is when the time is over.
async fn awaited(client: &Client, mut group: GroupDetail, patience: Duration) -> Result<GroupDetail, ClientError> {
    let deadline = Instant::now() + patience;
    while matches!(&*group.group.state, "agreed" | "starting") && Instant::now() < deadline {
        tokio::time::sleep(LOOK_INTERVAL).await;
        group = client.call::<GetGroup>(GroupName { name: group.group.name }).await?;
    }
    Ok(group)
}

/// This node, as its own group calls it.
fn own_member(key: &str, known: &[MemberView]) -> Result<Validator, Failure> {
    let name = known.iter().find(|member| member.key == key).map_or("node-1", |member| &member.name);
    Ok(Validator { name: name.to_owned(), key: read_key(key)? })
}

fn member(named: &str, known: &[MemberView]) -> Result<Validator, Failure> {
    if let Some((name, key)) = named.split_once('=') {
        return Ok(Validator { name: name.to_owned(), key: read_key(key)? });
    }
    let Some(member) = known.iter().find(|member| member.name == named) else {
        let names: Vec<&str> = known.iter().map(|member| &*member.name).collect();
        let text = format!("{named:?} is no member of this node's group, which has {}", names.join(", "));
        return Err(Failure::usage(text).hint("name another node with its key: NAME=ed25519:…"));
    };
    Ok(Validator { name: member.name.clone(), key: read_key(&member.key)? })
}

fn read_key(text: &str) -> Result<PublicKey, Failure> {
    text.parse().map_err(|error| Failure::usage(format!("{text:?}: {error}")))
}

fn read(file: &std::path::Path) -> Result<serde_json::Value, Failure> {
    let text = match file.as_os_str() == "-" {
        true => std::io::read_to_string(std::io::stdin()),
        false => std::fs::read_to_string(file),
    };
    let text = text.map_err(|error| Failure::new(Exit::Usage, format!("{}: {error}", file.display())))?;
    serde_json::from_str(&text).map_err(|error| Failure::usage(format!("{}: {error}", file.display())))
}

fn list_text(groups: &[GroupView]) -> String {
    let row = |group: &GroupView| {
        [
            group.name.clone(),
            group.state.clone(),
            group.height.map(|height| grouped(height.0)).unwrap_or_default(),
            group.consensus.clone(),
            group.members.to_string(),
            group.role.map(|role| role.name().to_owned()).unwrap_or_default(),
            if group.is_home { "configured".into() } else { String::new() },
        ]
    };
    table(["name", "state", "height", "consensus", "members", "role", ""], groups.iter().map(row))
}

fn text(detail: &GroupDetail) -> String {
    let group = &detail.group;
    let mut lines = vec![
        ("group", group.name.clone()),
        ("state", group.state.clone()),
        ("chain", detail.chain_id.clone()),
        ("genesis", group.genesis_hash.to_string()),
        ("consensus", format!("{}, commitment {}, crypto {}", group.consensus, detail.state_commitment, detail.crypto)),
    ];
    lines.extend(group.height.map(|height| ("height", grouped(height.0))));
    lines.extend(group.error.clone().map(|error| ("error", error)));
    let unsigned: Vec<&str> = detail.unsigned.iter().map(|validator| &*validator.name).collect();
    if !unsigned.is_empty() {
        lines.push(("unsigned by", unsigned.join(", ")));
    }
    let row = |member: &MemberView| [member.name.clone(), member.role.name().to_owned(), member.key.clone()];
    format!("{}\n{}", fields(lines), table(["member", "role", "key"], detail.members_list.iter().map(row)))
}
