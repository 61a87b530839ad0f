//! `hanse chain`: a chain of several nodes, its files and, on one machine, its processes.
//!
//! [`new`] makes a folder for each node, ready to run or to hand out ([`bundle`]), and [`add`] one for one more. The other
//! commands are for the nodes whose folders lie here: each is a process of its own as `hanse start` runs it, and its number is in the file `hanse.pid` of its folder.

mod add;
mod bundle;
mod new;
mod process;
mod run;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::Common;
use super::exit::Failure;
use super::output::Output;
use crate::config;

#[derive(Debug, Subcommand)]
pub(crate) enum ChainCommand {
    /// Write the folders of the nodes of a new chain: keys, configuration, genesis
    New(new::NewArgs),
    /// Write the folder of one more node
    AddNode(add::AddArgs),
    /// Start the nodes whose folders are here, and wait until they take requests; all of them, or none
    Start(Nodes),
    /// Stop them
    Stop(Nodes),
    /// Show how each of them is doing
    Status(Nodes),
}

/// Which nodes.
#[derive(Debug, Args)]
pub(crate) struct Nodes {
    /// The folder that `hanse chain new` made
    folder: PathBuf,
    /// Only this node, by the name of its folder; may be given for several
    #[arg(long, value_name = "NAME")]
    node: Vec<String>,
}

/// `hanse chain`.
pub(crate) async fn run(command: ChainCommand, common: &Common, output: Output) -> Result<(), Failure> {
    match command {
        ChainCommand::New(args) => new::run(&args, common, output),
        ChainCommand::AddNode(args) => add::run(&args, common, output),
        ChainCommand::Start(nodes) => run::start(&nodes, common, output).await,
        ChainCommand::Stop(nodes) => run::stop(&nodes, output).await,
        ChainCommand::Status(nodes) => run::status(&nodes, output).await,
    }
}

impl Nodes {
    /// All whose folders are in this one.
    fn all(folder: &Path) -> Nodes {
        Nodes { folder: folder.to_owned(), node: Vec::new() }
    }

    /// Their folders, in the order of their numbers.
    fn folders(&self) -> Result<Vec<PathBuf>, Failure> {
        let wanted = |name: &str| self.node.is_empty() || self.node.iter().any(|node| node == name);
        let entries = std::fs::read_dir(&self.folder)
            .map_err(|error| Failure::usage(format!("{}: {error}", self.folder.display())))
            .map_err(|failure| failure.hint("name the folder that `hanse chain new` made"))?;
        let mut found: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.join(config::FILE).is_file()).collect();
        // node-2 comes before node-10.
        found.sort_by_key(|path| (name_of(path).len(), name_of(path)));
        if let Some(missing) = self.node.iter().find(|name| !found.iter().any(|path| name_of(path) == **name)) {
            let known: Vec<String> = found.iter().map(|path| name_of(path)).collect();
            let text = format!("there is no node {missing:?} in {}", self.folder.display());
            return Err(Failure::usage(text).hint(format!("there are {}", known.join(", "))));
        }
        found.retain(|path| wanted(&name_of(path)));
        if found.is_empty() {
            let text = format!("{} has no folder of a node", self.folder.display());
            return Err(Failure::usage(text).hint("`hanse chain new FOLDER` makes them"));
        }
        Ok(found)
    }
}

/// What a node in a folder is called.
fn name_of(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
