//! Whether what a configuration names can be used: the genesis, the key, folders, memory. Nothing is made or changed, so
//! that it can be asked beside a running node.

use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use hanse_types::crypto::{CryptoSuite, PublicKey};
use hanse_types::{Address, Genesis};
use libp2p::PeerId;

use super::error::Problems;
use super::load::Loaded;
use super::role::Role;
use super::{admin, certificates};
use crate::groups::{ChainFolder, is_among_nodes, read_genesis};
use crate::keys::dev;
use crate::p2p::identity;
use crate::rpc::AdminPlace;
use crate::rpc::admin::{check_socket_path, read_token};

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The genesis that the configuration names, if it is one.
    pub(crate) genesis: Option<Genesis>,
    /// The node does not start with these.
    pub(crate) problems: Problems,
    /// It starts, but perhaps not as was meant.
    pub(crate) notes: Problems,
}

/// Looks at everything.
pub(crate) fn check(loaded: &Loaded) -> Report {
    let mut report = Report::default();
    let is_seed = loaded.config.network.role == Role::Seed;
    if !is_seed {
        report.genesis = check_genesis(loaded, &mut report);
    }
    check_key(loaded, &mut report);
    let config = &loaded.config;
    for (section, key, folder) in [("node", "data", &config.node.data), ("log", "folder", &config.log.folder)] {
        if let Err(reason) = can_be_written(&loaded.resolve(folder)) {
            report.problems.add(loaded.origin(section, key), format!("{section}.{key}: {reason}"));
        }
    }
    check_admin(loaded, &mut report);
    if is_seed || report.genesis.as_ref().is_some_and(is_among_nodes) {
        certificates::check(loaded, public_key(loaded), &mut report);
    }
    check_network(loaded, &mut report);
    check_machine(loaded, &mut report);
    report
}

/// Whether operators' requests can be taken, and from them only.
fn check_admin(loaded: &Loaded, report: &mut Report) {
    match admin::place(loaded) {
        None => {}
        Some(AdminPlace::Socket(path)) => {
            let path = std::path::absolute(&path).unwrap_or(path);
            if let Err(reason) = check_socket_path(&path) {
                let text = format!("admin.socket: {}: {reason}; name a shorter one", path.display());
                report.problems.add(loaded.origin("admin", "socket"), text);
            }
        }
        Some(AdminPlace::Address { token_file, .. }) if token_file.exists() => {
            if let Err(error) = read_token(&token_file) {
                report.problems.add(loaded.origin("admin", "token_file"), format!("admin.token_file: {error}"));
            }
        }
        Some(AdminPlace::Address { .. }) => {}
    }
}

/// Whether the other nodes can be found.
fn check_network(loaded: &Loaded, report: &mut Report) {
    if loaded.config.network.role == Role::Seed {
        return check_seed(loaded, report);
    }
    let Some(genesis) = report.genesis.as_ref().filter(|genesis| is_among_nodes(genesis)) else { return };
    let network = &loaded.config.network;
    let members: Vec<PeerId> =
        genesis.validators.iter().filter_map(|validator| identity::peer_id(&validator.key)).collect();
    let is_known = |peer: &PeerId| members.contains(peer) || network.allow.iter().any(|node| node.0 == *peer);
    let is_tried = |peer: &PeerId| is_known(peer) || !network.authorities.is_empty();
    let origin = loaded.origin("network", "peers");
    for address in network.peers.iter().filter(|address| !is_tried(&address.peer)) {
        let text = format!("network.peers: {address} is the address of no member of the group, and is not tried");
        report.notes.add(origin, text);
    }
    if network.peers.is_empty() && network.seeds.is_empty() && genesis.validators.len() > 1 {
        let text =
            "network.peers, network.seeds: no address of another node is known; this one waits until they connect";
        report.notes.add(origin, text);
    }
}

/// Whether a seed lets in anybody.
fn check_seed(loaded: &Loaded, report: &mut Report) {
    let network = &loaded.config.network;
    if network.authorities.is_empty() && network.allow.is_empty() {
        let text =
            "network.authorities, network.allow: both are empty, so this seed lets nobody in but whom operators allow";
        report.notes.add(loaded.origin("network", "allow"), text);
    }
}

/// The genesis of the configuration; what keeps a node from running it is in the report.
fn check_genesis(loaded: &Loaded, report: &mut Report) -> Option<Genesis> {
    let origin = loaded.origin("node", "genesis");
    let problem = |report: &mut Report, text: String| report.problems.add(origin, format!("node.genesis: {text}"));
    let genesis = match read_genesis(&loaded.resolve(&loaded.config.node.genesis)) {
        Ok(genesis) => genesis,
        Err(error) => {
            problem(report, error.to_string());
            return None;
        }
    };
    if let Err(error) = genesis.check() {
        problem(report, format!("the genesis is not sound: {error}"));
    }
    if let Some(name) = development_key(&genesis) {
        problem(
            report,
            format!("it names the development key {name}, which everyone has; `hanse dev` is for such chains"),
        );
    }
    match ChainFolder(loaded.resolve(&loaded.config.node.data)).genesis() {
        Ok(Some(found)) if found != genesis => problem(
            report,
            format!(
                "the data folder has the chain {} ({}), not {} ({})",
                found.chain_id,
                found.hash(),
                genesis.chain_id,
                genesis.hash()
            ),
        ),
        Ok(_) => {}
        Err(error) => report.problems.add(loaded.origin("node", "data"), format!("node.data: {error}")),
    }
    Some(genesis)
}

/// A development key that has a say on a chain, by its name.
pub(crate) fn development_key(genesis: &Genesis) -> Option<&'static str> {
    use hanse_types::crypto::Signer;
    let is_public = |key| (0..dev::VALIDATORS).any(|index| dev::validator(index).public_key() == key);
    if genesis.validators.iter().any(|known| is_public(known.key)) {
        return Some("validator");
    }
    let has_a_say = |address: &Address| {
        genesis.administrators.contains(address) || genesis.accounts.iter().any(|account| account.address == *address)
    };
    let address = |name| CryptoSuite::ALL.map(|crypto| dev::address(crypto, name)).into_iter().flatten();
    dev::NAMES.into_iter().find(|name| address(name).any(|address| has_a_say(&address)))
}

/// Looks at the key's file without opening it: that takes its password.
fn check_key(loaded: &Loaded, report: &mut Report) {
    let path = loaded.resolve(&loaded.config.node.key);
    let origin = loaded.origin("node", "key");
    if let Err(reason) = private_file(&path) {
        report.problems.add(origin, format!("node.key: {reason}"));
    }
    let password = &loaded.config.node.key_password_file;
    if !password.as_os_str().is_empty()
        && let Err(reason) = not_public_file(&loaded.resolve(password))
    {
        report.problems.add(loaded.origin("node", "key_password_file"), format!("node.key_password_file: {reason}"));
    }
    if let (Some(public), Some(genesis)) = (public_key(loaded), &report.genesis) {
        let is_validator = |key: &PublicKey| genesis.validators.iter().any(|validator| validator.key == *key);
        if !is_validator(&public) {
            let text = format!("node.key: {public} is none of the validators of the genesis");
            match is_among_nodes(genesis) {
                true => report
                    .notes
                    .add(origin, text + "; the node is connected once `hanse member add` has made it a member"),
                false => report.problems.add(origin, text),
            }
        }
    }
}

/// The node's key, if its public part lies beside it.
pub(crate) fn public_key(loaded: &Loaded) -> Option<PublicKey> {
    let path = loaded.resolve(&loaded.config.node.key).with_extension("pub");
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Whether a file with a secret is there, can be read, and by nobody else.
pub(crate) fn private_file(path: &Path) -> Result<(), String> {
    secret_file(path, 0o077)
}

/// The same of a file that a service manager hands over: it lets the service read by an access list, which looks like a
/// right of the group.
fn not_public_file(path: &Path) -> Result<(), String> {
    secret_file(path, 0o007)
}

fn secret_file(path: &Path, forbidden: u32) -> Result<(), String> {
    let metadata = std::fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & forbidden != 0 {
        return Err(format!(
            "{path} can be read by others (mode {mode:o}); run: chmod 600 {path}",
            path = path.display()
        ));
    }
    std::fs::File::open(path).map(drop).map_err(|error| format!("{}: {error}", path.display()))
}

/// Whether a folder is there and can be written, or can be made.
pub(crate) fn can_be_written(folder: &Path) -> Result<(), String> {
    let absolute = std::path::absolute(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let existing = absolute.ancestors().find(|path| path.exists()).map(PathBuf::from).unwrap_or_default();
    if !existing.is_dir() {
        return Err(format!("{} is no folder", existing.display()));
    }
    let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    rustix::fs::access(&existing, access).map_err(|error| format!("{} can't be written: {error}", existing.display()))
}

fn check_machine(loaded: &Loaded, report: &mut Report) {
    let config = &loaded.config;
    if !is_local(config.rpc.listen.ip()) {
        let text =
            "rpc.listen: there is no login and no TLS; whoever reaches this address may send transactions and read all";
        report.notes.add(loaded.origin("rpc", "listen"), text);
    }
    let cores = available_parallelism().map_or(1, usize::from);
    if config.execution.bind_cores && config.execution.threads > cores {
        let text = format!(
            "execution.bind_cores: without effect, there are {cores} cores for {} threads",
            config.execution.threads
        );
        report.notes.add(loaded.origin("execution", "bind_cores"), text);
    }
    if config.rpc.bulk_memory_mib < config.rpc.bulk_mib {
        let (one, all) = (config.rpc.bulk_mib, config.rpc.bulk_memory_mib);
        let text =
            format!("rpc.bulk_memory_mib is {all}, and must be {one} (rpc.bulk_mib) or more: none would fit otherwise");
        report.problems.add(loaded.origin("rpc", "bulk_memory_mib"), text);
    }
    let ledger = &config.ledger;
    let caches = ledger.block_cache_mib + ledger.write_buffer_mib + ledger.value_cache_mib + ledger.page_cache_mib;
    let memory = memory_mib();
    if memory.is_some_and(|memory| caches + config.pool.mib > memory) {
        let text = format!(
            "ledger, pool: together they may take {} MiB, the machine has {}",
            caches + config.pool.mib,
            memory.unwrap_or_default()
        );
        report.notes.add(loaded.origin("ledger", "block_cache_mib"), text);
    }
    if config.pool.sender_transactions > config.pool.transactions || config.pool.sender_mib > config.pool.mib {
        let text = "pool: one sender may have more than the whole pool, so one can keep out all others";
        report.notes.add(loaded.origin("pool", "sender_transactions"), text);
    }
}

fn is_local(address: IpAddr) -> bool {
    address.is_loopback()
}

/// The machine's memory, where the system tells it.
fn memory_mib() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib >> 10)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_development_chain_is_known_by_any_of_its_keys() {
        let genesis = crate::dev::example_genesis();
        assert_eq!(development_key(&genesis), Some("validator"));
        let own = Genesis { validators: Vec::new(), ..genesis.clone() };
        assert_eq!(development_key(&own), Some("alice"));
        let own = Genesis { administrators: Vec::new(), accounts: Vec::new(), ..own };
        assert_eq!(development_key(&own), None);
    }

    #[test]
    fn a_folder_that_is_absent_is_judged_by_where_it_would_be_made() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(can_be_written(&folder.path().join("a/b/c")), Ok(()));
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(can_be_written(&file.join("x")).unwrap_err().contains("is no folder"));
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        assert!(private_file(&path).unwrap_err().contains("key.pem"));
        std::fs::write(&path, "x").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(private_file(&path).unwrap_err().contains("chmod 600"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(private_file(&path), Ok(()));
    }
}
