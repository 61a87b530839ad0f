//! This process as Linux sees it, from `/proc`. On other systems there is none of it.

use std::fs;

/// Entries of the auxiliary vector: bytes of a page, and clock ticks in a second.
const AT_PAGESZ: u64 = 6;
const AT_CLKTCK: u64 = 17;

/// Figures with the names that Prometheus gives them for every program.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Process {
    pub(super) cpu_seconds: f64,
    /// Since 1970.
    pub(super) start_seconds: f64,
    pub(super) resident_bytes: u64,
    pub(super) virtual_bytes: u64,
    pub(super) open_files: u64,
    pub(super) files_max: u64,
    pub(super) threads: u64,
}

impl Process {
    /// As it is now; none where the system does not tell.
    pub(super) fn read() -> Option<Process> {
        let auxiliary = fs::read("/proc/self/auxv").ok()?;
        let (ticks, page) = (auxiliary_value(&auxiliary, AT_CLKTCK)?, auxiliary_value(&auxiliary, AT_PAGESZ)?);
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let system = fs::read_to_string("/proc/stat").ok()?;
        let limits = fs::read_to_string("/proc/self/limits").ok()?;
        let field = |number| stat_field(&stat, number);
        let boot: u64 = system.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
        Some(Process {
            cpu_seconds: (field(14)? + field(15)?) as f64 / ticks as f64,
            start_seconds: boot as f64 + field(22)? as f64 / ticks as f64,
            resident_bytes: field(24)? * page,
            virtual_bytes: field(23)?,
            open_files: fs::read_dir("/proc/self/fd").ok()?.count() as u64,
            files_max: files_max(&limits)?,
            threads: field(20)?,
        })
    }
}

/// A field of `/proc/PID/stat`, counted from 1 as its manual does. The second is a name in brackets, of any letters.
fn stat_field(stat: &str, number: usize) -> Option<u64> {
    let after_name = stat.rsplit_once(')')?.1;
    after_name.split_ascii_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

/// The soft limit, which is the one that counts.
fn files_max(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_ascii_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// The value of a kind in pairs of kind and value.
fn auxiliary_value(pairs: &[u8], kind: u64) -> Option<u64> {
    const WORD: usize = size_of::<usize>();
    let word = |bytes: &[u8]| Some(usize::from_ne_bytes(bytes.try_into().ok()?) as u64);
    pairs.chunks_exact(2 * WORD).find(|pair| word(&pair[..WORD]) == Some(kind)).and_then(|pair| word(&pair[WORD..]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn this_process_has_files_threads_and_memory() {
        let process = Process::read().unwrap();
        assert!(process.open_files > 2 && process.open_files <= process.files_max);
        assert!(process.threads >= 1 && process.resident_bytes > 1 << 20);
        assert!(process.virtual_bytes >= process.resident_bytes);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        assert!(process.start_seconds < now + 1.0 && process.start_seconds > now - 86_400.0);
    }

    #[test]
    fn a_name_with_brackets_and_spaces_moves_no_field() {
        let stat = "7 (a) b) S 1 7 7 0 -1 0 0 0 0 0 10 20 0 0 20 0 5 0 100 4096 3";
        assert_eq!(stat_field(stat, 14), Some(10));
        assert_eq!(stat_field(stat, 15), Some(20));
        assert_eq!(stat_field(stat, 20), Some(5));
        assert_eq!(stat_field(stat, 22), Some(100));
        assert_eq!(stat_field(stat, 24), Some(3));
        assert_eq!(stat_field("nonsense", 14), None);
    }
}
