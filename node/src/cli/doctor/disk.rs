//! Room, and how long a synced write takes: each block waits for two.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Finding;
use crate::config::Loaded;

const ABOUT: &str = "disk";
/// With less than this part of the disk free, or less than these bytes, a node may soon stop.
const FREE_PART: u64 = 10;
const FREE_BYTES: u64 = 2 << 30;
/// Synced writes that are timed, and the bytes of one: about the record of a vote.
const WRITES: usize = 16;
const WRITE_BYTES: usize = 512;
/// A disk that takes longer for one holds blocks up.
const SLOW: Duration = Duration::from_millis(20);

/// Looks at the disk of the configured data, or of temporary files, where `hanse dev` works.
pub(super) fn look(loaded: Option<&Loaded>, findings: &mut Vec<Finding>) {
    let folder = match loaded {
        Some(loaded) => existing(&loaded.resolve(&loaded.config.node.data)),
        None => std::env::temp_dir(),
    };
    findings.extend(room(&folder));
    findings.push(speed(&folder));
}

/// The folder, or the next above it that is there.
fn existing(folder: &Path) -> PathBuf {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    absolute.ancestors().find(|path| path.is_dir()).map(Path::to_owned).unwrap_or_default()
}

fn room(folder: &Path) -> Option<Finding> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    let [free, size] = [disk.f_bavail, disk.f_blocks].map(|blocks| blocks.saturating_mul(disk.f_frsize));
    let text = format!("{} of {} GiB are free in {}", free >> 30, size >> 30, folder.display());
    let is_short = free < FREE_BYTES || free < size / FREE_PART;
    let advice =
        "make room, give up history (history.keep_blocks, `hanse ledger prune`), or name another disk (node.data)";
    Some(if is_short { Finding::warning(ABOUT, text, advice) } else { Finding::ok(ABOUT, text) })
}

fn speed(folder: &Path) -> Finding {
    match median_sync(folder) {
        Ok(median) if median > SLOW => {
            let text = format!("a synced write takes {:.1} ms in {}", median.as_secs_f64() * 1e3, folder.display());
            Finding::warning(
                ABOUT,
                text,
                "each block waits for two: take a disk with a lower latency, such as a local SSD",
            )
        }
        Ok(median) => Finding::ok(ABOUT, format!("a synced write takes {:.1} ms", median.as_secs_f64() * 1e3)),
        Err(error) => {
            let text = format!("{} can't be written: {error}", folder.display());
            Finding::fault(
                ABOUT,
                text,
                "give the node's user the right to write there, or name another folder (node.data)",
            )
        }
    }
}

fn median_sync(folder: &Path) -> std::io::Result<Duration> {
    let mut file: File = tempfile::tempfile_in(folder)?;
    let mut times = Vec::with_capacity(WRITES);
    for _ in 0..WRITES {
        let start = Instant::now();
        file.write_all(&[0; WRITE_BYTES])?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    times.sort();
    Ok(times[WRITES / 2])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::State;
    use super::*;

    #[test]
    fn the_disk_is_looked_at_where_the_folder_would_be_and_nothing_is_left_there() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(existing(&folder.path().join("a/b")), folder.path());
        assert!(median_sync(folder.path()).unwrap() > Duration::ZERO);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert_eq!(speed(&folder.path().join("absent")).state, State::Fault);
    }
}
