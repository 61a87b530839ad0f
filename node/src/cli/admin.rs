//! The admin listener that a command needs: found, and connected to.
//!
//! It is on the node's machine. `--admin` names it, or the node's folder or configuration, which does; without that, the node
//! of `--rpc` tells where its listener is, if it is on this machine.

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use clap::Args;
use hanse_client::Client;
use hanse_client::methods::{GetNodeInfo, NoParams};
use hanse_client::views::AdminView;

use super::Common;
use super::exit::{Exit, Failure};
use super::session::{is_local, patiently};
use crate::config::{self, Loaded};
use crate::rpc::AdminPlace;
use crate::rpc::admin::{SOCKET_FILE, read_token};

/// Which node's.
#[derive(Clone, Debug, Args)]
pub(crate) struct AdminArgs {
    /// The node's admin listener: its socket, its URL, or the node's folder or configuration. If not given, the node of --rpc
    /// is asked where it is
    #[arg(long, env = "HANSE_ADMIN", value_name = "WHERE")]
    admin: Option<String>,
    /// File with the token that an URL wants
    #[arg(long, env = "HANSE_ADMIN_TOKEN_FILE", value_name = "FILE")]
    admin_token_file: Option<PathBuf>,
}

impl AdminArgs {
    /// A connection to it.
    pub(super) async fn connect(&self, common: &Common) -> Result<Client, Failure> {
        let client = match &self.admin {
            Some(given) => self.at(given)?,
            None => self.of_node(common).await?,
        };
        Ok(match &common.group {
            Some(group) => client.in_group(group),
            None => client,
        })
    }

    fn at(&self, given: &str) -> Result<Client, Failure> {
        if given.starts_with("http://") {
            let file = self.admin_token_file.as_deref().ok_or_else(|| {
                Failure::usage(format!("the admin listener at {given} wants a token"))
                    .hint("name the file that has it with --admin-token-file, or the node's configuration with --admin")
            })?;
            return at_address(given, file);
        }
        let path = Path::new(given.strip_prefix("unix:").unwrap_or(given));
        if path.is_dir() {
            return self.in_folder(path);
        }
        if path.is_file() { self.of_configuration(path) } else { at_socket(path) }
    }

    fn in_folder(&self, folder: &Path) -> Result<Client, Failure> {
        let (configuration, socket) = (folder.join(config::FILE), folder.join(SOCKET_FILE));
        if configuration.exists() {
            return self.of_configuration(&configuration);
        }
        if socket.exists() {
            return at_socket(&socket);
        }
        let text = format!("{} has neither a {} nor the socket of a running node", folder.display(), config::FILE);
        Err(Failure::new(Exit::Unreachable, text).hint("start the node, or name its configuration: --admin FILE"))
    }

    fn of_configuration(&self, path: &Path) -> Result<Client, Failure> {
        let loaded = Loaded::read(path, config::load::environment())?;
        match config::admin::place(&loaded) {
            Some(AdminPlace::Socket(path)) => at_socket(&path),
            Some(AdminPlace::Address { listen, token_file }) if listen.port() != 0 => {
                at_address(&format!("http://{listen}"), self.admin_token_file.as_deref().unwrap_or(&token_file))
            }
            Some(AdminPlace::Address { .. }) => {
                let text = format!("{} takes any free port, so it does not say which", path.display());
                Err(Failure::usage(text).hint("name the URL with --admin, as the node printed it"))
            }
            None => Err(Failure::error(format!("{}: {OFF}", path.display()))),
        }
    }

    /// Where the node of the command line says.
    async fn of_node(&self, common: &Common) -> Result<Client, Failure> {
        let client = Client::new(&common.rpc)?;
        let admin = patiently(&client, || client.call::<GetNodeInfo>(NoParams {})).await?.admin;
        let admin = admin.ok_or_else(|| Failure::error(format!("{}: {OFF}", client.url())))?;
        // Another machine has no say in what is opened here.
        if !is_local(&client) {
            let text =
                format!("{} takes what its operators ask on its own machine only: {}", client.url(), admin.address);
            return Err(Failure::usage(text).hint("run the command there, or lead that here and name it with --admin"));
        }
        let AdminView { address, token_file } = admin;
        match (address.strip_prefix("unix:"), token_file) {
            (Some(path), _) => at_socket(Path::new(path)),
            (None, Some(file)) => at_address(&address, self.admin_token_file.as_deref().unwrap_or(Path::new(&file))),
            (None, None) => Err(Failure::error(format!("{} names {address} as its admin listener", client.url()))),
        }
    }
}

/// What is wrong with a node that has none.
const OFF: &str = "the node takes no requests of operators (admin.listen is off)";

/// A socket is tried first: what keeps one out has words of its own.
fn at_socket(path: &Path) -> Result<Client, Failure> {
    match UnixStream::connect(path) {
        Ok(_) => Ok(Client::over_socket(path)?),
        Err(error) => {
            let failure = |exit| Failure::new(exit, format!("the admin listener at {}: {error}", path.display()));
            Err(match error.kind() {
                ErrorKind::PermissionDenied => {
                    failure(Exit::Error).hint("only the user that runs the node may: sudo -u USER hanse …")
                }
                ErrorKind::NotFound | ErrorKind::ConnectionRefused => failure(Exit::Unreachable)
                    .hint("is the node running? --admin names its socket, folder or configuration"),
                _ => failure(Exit::Error),
            })
        }
    }
}

fn at_address(url: &str, token_file: &Path) -> Result<Client, Failure> {
    let token =
        read_token(token_file).map_err(|error| Failure::error(format!("the admin listener's token: {error}")))?;
    Ok(Client::with_token(url, &token)?)
}
