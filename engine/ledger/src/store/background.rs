//! The threads of RocksDB that write what was buffered as tables, and merge these.
//!
//! All databases of a process share them. They have seconds for what they do, and blocks have a fraction of one, so the system
//! prefers other threads to them: writing out a buffer takes a fifth of a second of a core, and who waited for a block on a
//! machine without an idle core waited that much longer. RocksDB itself can rank them last only: on such a machine they would then
//! get next to nothing, until whoever writes has to wait for them.

use std::sync::Once;
use std::thread;

use rocksdb::Env;

/// Threads that write tables.
const FLUSHING: i32 = 1;

/// Threads that merge them.
const MERGING: i32 = 1;

/// What a database is told to have run at a time. Of up to seven, RocksDB has one write tables: a database that may have more than there
/// are threads starts its own, which rank as all others.
pub(super) const JOBS: i32 = FLUSHING + MERGING;

/// By how much the system prefers other threads to them (`nice`): on a core that all want to have they get about a third of what
/// another thread gets, which is several times what they need for what the rest of the core can write.
#[cfg(target_os = "linux")]
const NICE: i32 = 5;

/// Starts them, once. If the system starts no thread for that, RocksDB starts them itself, and they rank as all others.
pub(super) fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let starter = thread::Builder::new().name("hanse-rocksdb".into()).spawn(start_from_here);
        if let Ok(starter) = starter {
            let _ = starter.join();
        }
    });
}

/// A thread ranks as the one that started it.
fn start_from_here() {
    // For the calling thread alone; elsewhere it would be for the whole process.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(NICE);
    // That of the process, which databases have by default.
    if let Ok(mut environment) = Env::new() {
        environment.set_high_priority_background_threads(FLUSHING);
        environment.set_low_priority_background_threads(MERGING);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

    use std::fs;

    use rustix::process::{Pid, getpriority_process};

    use super::*;

    /// Of the threads of this process whose name begins so: by how much others are preferred to them.
    fn ranks(name: &str) -> Vec<i32> {
        let threads = fs::read_dir("/proc/self/task").unwrap().map(|thread| thread.unwrap().path());
        let named =
            threads.filter(|path| fs::read_to_string(path.join("comm")).is_ok_and(|found| found.starts_with(name)));
        let id = |path: std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().parse().unwrap();
        named.map(|path| getpriority_process(Pid::from_raw(id(path))).unwrap()).collect()
    }

    #[test]
    fn threads_that_make_blocks_are_preferred_to_those_of_the_database() {
        let own = getpriority_process(None).unwrap();
        start();
        start();
        assert_eq!(ranks("rocksdb:"), [(own + NICE).min(19); JOBS as usize]);
        assert_eq!(getpriority_process(None).unwrap(), own);
    }
}
