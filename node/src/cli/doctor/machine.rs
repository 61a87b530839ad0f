//! Clock, limits, ports, the user's keys.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Finding;
use crate::config::check::private_file;
use crate::keys::file::KeyFolder;

/// A clock before this moment, the start of 2026 in seconds since 1970, was never set.
const NOT_BEFORE: Duration = Duration::from_secs(1_767_225_600);
/// A node with fewer open files than this may run out of them: the database's, and a socket per request and stream.
const FILES_WANTED: u64 = 4_096;

pub(super) fn look(findings: &mut Vec<Finding>) {
    findings.push(clock(SystemTime::now()));
    findings.extend(files());
}

fn clock(now: SystemTime) -> Finding {
    const ABOUT: &str = "clock";
    let text = humantime::format_rfc3339_seconds(now).to_string();
    match now.duration_since(UNIX_EPOCH).is_ok_and(|since| since > NOT_BEFORE) {
        true => Finding::ok(ABOUT, format!("{text} by this machine")),
        false => {
            let advice = "set it, by NTP if you can: transactions expire by it";
            Finding::fault(ABOUT, format!("this machine thinks that it is {text}"), advice)
        }
    }
}

fn files() -> Option<Finding> {
    const ABOUT: &str = "open files";
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let limit = line.split_ascii_whitespace().next()?;
    Some(match limit.parse::<u64>() {
        Ok(most) if most < FILES_WANTED => {
            let advice = format!("raise it: `ulimit -n {FILES_WANTED}`, or LimitNOFILE of the service");
            Finding::warning(ABOUT, format!("a process may open {most} here"), advice)
        }
        _ => Finding::ok(ABOUT, format!("a process may open {limit}")),
    })
}

/// Whether a node could listen there.
pub(super) fn look_at_port(address: SocketAddr, findings: &mut Vec<Finding>) {
    const ABOUT: &str = "port";
    findings.push(match TcpListener::bind(address) {
        Ok(_) => Finding::ok(ABOUT, format!("{address} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            let advice = "if that is this node, all is well; otherwise choose another port (rpc.listen)";
            Finding::warning(ABOUT, format!("somebody listens on {address} already"), advice)
        }
        Err(error) => {
            let advice = "choose an address of this machine and a port from 1024 on (rpc.listen)";
            Finding::fault(ABOUT, format!("nobody can listen on {address}: {error}"), advice)
        }
    });
}

/// Whether the user's keys are the user's alone.
pub(super) fn look_at_keys(findings: &mut Vec<Finding>) {
    const ABOUT: &str = "keys";
    let Ok(folder) = KeyFolder::of_user() else { return };
    let Ok(entries) = std::fs::read_dir(folder.path_of_folder()) else { return };
    let mode = std::fs::metadata(folder.path_of_folder()).map_or(0, |metadata| metadata.permissions().mode() & 0o777);
    if mode & 0o077 != 0 {
        let path = folder.path_of_folder().display();
        findings.push(Finding::warning(
            ABOUT,
            format!("{path} is open to others (mode {mode:o})"),
            format!("chmod 700 {path}"),
        ));
    }
    let is_key = |path: &Path| path.extension().is_some_and(|extension| extension == "pem");
    let mut keys: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(|path| is_key(path)).collect();
    keys.sort();
    let mut sound = 0;
    for key in &keys {
        match private_file(key) {
            Ok(()) => sound += 1,
            Err(reason) => findings.push(Finding::fault(
                ABOUT,
                reason,
                "whoever has read it has the key: make another if in doubt",
            )),
        }
    }
    if sound > 0 {
        findings.push(Finding::ok(
            ABOUT,
            format!("{sound} in {}, readable by you alone", folder.path_of_folder().display()),
        ));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::State;
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_is_a_fault() {
        assert_eq!(clock(UNIX_EPOCH).state, State::Fault);
        assert_eq!(clock(UNIX_EPOCH + NOT_BEFORE * 2).state, State::Ok);
    }

    #[test]
    fn a_port_in_use_is_told_from_an_address_of_another_machine() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut findings = Vec::new();
        look_at_port(taken.local_addr().unwrap(), &mut findings);
        // An address for documentation, which no machine has.
        look_at_port("192.0.2.1:7420".parse().unwrap(), &mut findings);
        assert_eq!(findings[0].state, State::Warning);
        assert_eq!(findings[1].state, State::Fault);
    }
}
