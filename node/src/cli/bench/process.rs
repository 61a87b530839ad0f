//! What a process on this machine uses, as Linux tells it: the node beside the load. Elsewhere, nothing is known.

use std::fs;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

/// Units of CPU time in `/proc`: fixed for programs on Linux, whatever the kernel counts in.
const TICKS_PER_SECOND: u64 = 100;
/// State of a listening socket in `/proc/net/tcp`.
const LISTENING: &str = "0A";

/// A process.
#[derive(Clone, Debug)]
pub(super) struct Process {
    folder: PathBuf,
}

impl Process {
    /// This program.
    pub(super) fn own() -> Process {
        Process { folder: "/proc/self".into() }
    }

    /// Whoever listens at an address of this machine, if we may know.
    pub(super) fn listening_at(url: &str) -> Option<Process> {
        let host_and_port = url.strip_prefix("http://")?.split('/').next()?;
        let address = host_and_port.to_socket_addrs().ok()?.find(|address| address.ip().is_loopback())?;
        let inode = listener(address)?;
        let wanted = PathBuf::from(format!("socket:[{inode}]"));
        for entry in fs::read_dir("/proc").ok()?.flatten() {
            let is_process = entry.file_name().to_str().is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()));
            // Files of other users' processes can't be listed; ours can.
            let Ok(files) = fs::read_dir(entry.path().join("fd")) else { continue };
            if is_process && files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|link| link == wanted)) {
                return Some(Process { folder: entry.path() });
            }
        }
        None
    }

    /// The CPU time that it has used, all threads together.
    pub(super) fn cpu_time(&self) -> Option<Duration> {
        let stat = fs::read_to_string(self.folder.join("stat")).ok()?;
        cpu_time(&stat)
    }

    /// The memory that it holds, in bytes.
    pub(super) fn memory(&self) -> Option<u64> {
        let status = fs::read_to_string(self.folder.join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
    }
}

/// How many threads of this machine wanted a core lately: 1, 5 and 15 minutes.
pub(super) fn load_average() -> Option<[f64; 3]> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    let mut numbers = text.split(' ').map_while(|word| word.parse().ok());
    Some([numbers.next()?, numbers.next()?, numbers.next()?])
}

/// User and system time: the 14th and 15th field, of which the second may hold anything in parentheses.
fn cpu_time(stat: &str) -> Option<Duration> {
    let after_name = &stat[stat.rfind(')')? + 1..];
    let mut fields = after_name.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
}

/// Inode of the socket that listens at an address.
fn listener(address: SocketAddr) -> Option<String> {
    let table = match address.ip() {
        IpAddr::V4(_) => "/proc/net/tcp",
        IpAddr::V6(_) => "/proc/net/tcp6",
    };
    listener_in(&fs::read_to_string(table).ok()?, address.port())
}

fn listener_in(table: &str, port: u16) -> Option<String> {
    let suffix = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let found = fields.len() > 9 && fields[1].ends_with(&suffix) && fields[3] == LISTENING;
        found.then(|| fields[9].to_owned())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_kernels_words_are_understood() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 1 1 1";
        assert_eq!(cpu_time(stat), Some(Duration::from_secs(3)));
        assert_eq!(cpu_time("42 (x"), None);
        let table = "  sl  local_address rem_address   st\n   \
             0: 0100007F:1CFC 00000000:0000 01 0:0 00:0 00000000     0        0 11 1 0 100\n   \
             1: 0100007F:1CFC 00000000:0000 0A 0:0 00:0 00000000     0        0 12 1 0 100\n";
        assert_eq!(listener_in(table, 7420), Some("12".into()));
        assert_eq!(listener_in(table, 7421), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_program_is_found_by_where_it_listens() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let found = Process::listening_at(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        assert_eq!(found.folder, PathBuf::from(format!("/proc/{}", std::process::id())));
        assert!(found.memory().unwrap() > 0 && found.cpu_time().is_some());
        assert!(Process::own().memory().unwrap() > 0);
    }
}
