//! What goes into a node's folder besides what it reads: how it is run on its host; and how all folders are run in
//! containers.
//!
//! The unit is the one of `deploy/systemd`, which is tested there; a compose file overrides by variables what the folders say
//! of addresses, so the same folders serve both.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use hanse_types::Genesis;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

use super::super::exit::Failure;
use super::super::init::failed;
use super::super::{DEFAULT_NETWORK_PORT, DEFAULT_PORT};
use super::new::Place;
use crate::p2p::address::PeerAddress;

/// The unit of a node, in its folder.
const UNIT: &str = "hanse.service";
/// What its operator reads first.
const README: &str = "README.md";
/// The containers of all nodes, in the folder of all.
const COMPOSE: &str = "compose.yaml";
/// The service as it is shipped.
const SHIPPED_UNIT: &str = include_str!("../../../../deploy/systemd/hanse.service");
/// How a service is given the password of its key.
const PASSWORD: &str = "key-password";

/// A node, as its host and the others see it.
pub(super) struct Bundled<'a> {
    pub(super) place: &'a Place,
    /// Where the others find it, and who answers there.
    pub(super) address: &'a PeerAddress,
    /// Those whose addresses it is given.
    pub(super) knows: Vec<&'a PeerAddress>,
    /// Whether these are seeds.
    pub(super) knows_seeds: bool,
}

/// What all nodes of a chain have in common.
pub(super) struct Common<'a> {
    pub(super) genesis: &'a Genesis,
    /// Whether the keys have no passwords.
    pub(super) is_plain: bool,
    /// Whether nodes have certificates.
    pub(super) is_certified: bool,
}

/// Writes a node's unit, and what to do with its folder.
pub(super) fn write_for_host(node: &Bundled<'_>, common: &Common<'_>) -> Result<(), Failure> {
    let folder = &node.place.folder;
    write(&folder.join(UNIT), &unit(common.is_plain))?;
    write(&folder.join(README), &readme(node, common))
}

/// Writes the compose file of all.
pub(super) fn write_compose(folder: &Path, nodes: &[Bundled<'_>], common: &Common<'_>) -> Result<(), Failure> {
    write(&folder.join(COMPOSE), &compose(nodes, common))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| failed(path, &error))
}

/// The shipped unit. A key without a password needs none handed over: the unit would not start without the file.
fn unit(is_plain: bool) -> String {
    let is_kept = |line: &&str| !is_plain || !(line.contains(PASSWORD) || line.starts_with("# The password"));
    SHIPPED_UNIT.lines().filter(is_kept).flat_map(|line| [line, "\n"]).collect()
}

fn readme(node: &Bundled<'_>, common: &Common<'_>) -> String {
    let (name, chain) = (&node.place.name, &common.genesis.chain_id);
    let port = port_of(&node.place.address);
    let mut text = format!(
        "# {name} of the chain {chain}\n\n\
         Everything that this node needs on its host besides the program: the key (`validator.pem`, for nobody else's eyes), \
         the configuration (`hanse.toml`)"
    );
    if !node.place.is_seed {
        let _ = write!(text, ", the genesis of all nodes (`genesis.json`, hash {})", common.genesis.hash());
    }
    text += match common.is_certified {
        true => ", its certificate (`node.crt`) and those of the authorities that it trusts (`authorities/`), ",
        false => ", ",
    };
    text += "and the service (`hanse.service`).\n\n\
             As root, in this folder on the host, with `hanse` in `/usr/local/bin`:\n\n\
             ```\n\
             useradd --system --home-dir /var/lib/hanse hanse\n\
             install -d -o hanse -g hanse -m 0750 /etc/hanse\n\
             cp -R . /etc/hanse\n\
             chown -R hanse:hanse /etc/hanse\n";
    if !common.is_plain {
        // Writing to a text can't fail.
        let _ = writeln!(
            text,
            "install -m 0600 /dev/stdin /etc/hanse/{PASSWORD}      # type the key's password, then Ctrl-D"
        );
    }
    text += "sudo -u hanse hanse config check --config /etc/hanse/hanse.toml\n\
             install -m 0644 hanse.service /etc/systemd/system/\n\
             systemctl daemon-reload\n\
             systemctl enable --now hanse\n\
             ```\n\n";
    let _ = writeln!(
        text,
        "The other nodes reach it at `{}`: TCP port {port} must be open to them. Requests are taken on this host only \
         (`rpc.listen`). `hanse doctor --config /etc/hanse/hanse.toml` says what is wrong, `hanse net peers` which nodes are \
         connected.",
        node.place.address
    );
    text
}

fn compose(nodes: &[Bundled<'_>], common: &Common<'_>) -> String {
    let mut text = format!(
        "# The nodes of the chain {chain} in containers, on one machine: docker compose up -d\n\
         # The image is built in a checkout: docker build -t hanse:local -f deploy/compose/Dockerfile .\n",
        chain = common.genesis.chain_id
    );
    if !common.is_plain {
        let _ =
            writeln!(text, "# The password of the keys is read from the file {PASSWORD} in this folder (mode 0600).");
    }
    text += "services:\n";
    for (index, node) in nodes.iter().enumerate() {
        text += &service(index, node, nodes, common);
    }
    if !common.is_plain {
        let _ = writeln!(text, "secrets:\n  {PASSWORD}:\n    file: ./{PASSWORD}");
    }
    text
}

/// One node's container. It runs as whoever made the folders, so that it can read the key and write its data there.
fn service(index: usize, node: &Bundled<'_>, nodes: &[Bundled<'_>], common: &Common<'_>) -> String {
    let name = &node.place.name;
    let in_containers = |known: &&PeerAddress| {
        let other = nodes.iter().find(|other| other.address.peer == known.peer)?;
        Some(PeerAddress { peer: known.peer, address: container_address(&other.place.name) }.to_string())
    };
    let known: Vec<String> = node.knows.iter().filter_map(in_containers).collect();
    let (user, group) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let port = usize::from(DEFAULT_PORT) + index;
    let (secret, secrets) = match common.is_plain {
        true => (String::new(), String::new()),
        false => (
            format!("      HANSE_NODE__KEY_PASSWORD_FILE: /run/secrets/{PASSWORD}\n"),
            format!("    secrets: [{PASSWORD}]\n"),
        ),
    };
    format!(
        r#"  {name}:
    image: "${{HANSE_IMAGE:-hanse:local}}"
    command: ["start", "--config", "/node/hanse.toml"]
    user: "{user}:{group}"
    restart: unless-stopped
    environment:
      HANSE_RPC__LISTEN: "0.0.0.0:{DEFAULT_PORT}"
      HANSE_NETWORK__LISTEN: "0.0.0.0:{DEFAULT_NETWORK_PORT}"
      HANSE_NETWORK__EXTERNAL: "{external}"
      HANSE_NETWORK__{knows}: "{known}"
{secret}    ports: ["127.0.0.1:{port}:{DEFAULT_PORT}"]
    volumes: ["./{name}:/node"]
{secrets}    ulimits:
      nofile: 65536
    stop_grace_period: 1m
    read_only: true
    tmpfs: [/tmp]
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
"#,
        external = container_address(name),
        knows = if node.knows_seeds { "SEEDS" } else { "PEERS" },
        known = known.join(","),
    )
}

/// Where a container is found by those beside it.
fn container_address(name: &str) -> Multiaddr {
    Multiaddr::from(Protocol::Dns4(name.into())).with(Protocol::Tcp(DEFAULT_NETWORK_PORT))
}

fn port_of(address: &Multiaddr) -> u16 {
    let port = |part| match part {
        Protocol::Tcp(port) => Some(port),
        _ => None,
    };
    address.iter().find_map(port).unwrap_or(DEFAULT_NETWORK_PORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_without_a_password_leaves_the_rest_of_the_unit() {
        assert_eq!(unit(false), SHIPPED_UNIT);
        let plain = unit(true);
        assert!(!plain.contains("assword") && plain.lines().count() == SHIPPED_UNIT.lines().count() - 3, "{plain}");
    }
}
