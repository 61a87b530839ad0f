//! Files of a log: rotated by the clock, the oldest given up, what could not be written counted, synced as they grow.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use serde::{Deserialize, Serialize};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};

use super::LogError;

/// Lines that wait for the disk before more are dropped.
const QUEUE_LINES: usize = 32_768;

/// Bytes of a log after which its file is synced.
const SYNC_BYTES: usize = 1 << 20;

/// When a new file is begun, by UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Period {
    /// Every minute.
    Minutely,
    /// Every hour.
    Hourly,
    /// Every day.
    Daily,
    /// Never.
    Never,
}

impl Period {
    fn rotation(self) -> Rotation {
        match self {
            Period::Minutely => Rotation::MINUTELY,
            Period::Hourly => Rotation::HOURLY,
            Period::Daily => Rotation::DAILY,
            Period::Never => Rotation::NEVER,
        }
    }
}

/// The files of one log: `NAME.PERIOD.log`, and `NAME.log`, which leads to the newest.
#[derive(Clone, Debug)]
pub(crate) struct FileLog {
    /// The log's name.
    pub(crate) name: &'static str,
    /// Their folder, made if it is not there.
    pub(crate) folder: PathBuf,
    /// When a new one is begun.
    pub(crate) period: Period,
    /// How many are kept.
    pub(crate) keep: usize,
}

/// How many lines of a log were lost.
#[derive(Clone, Debug)]
pub(crate) struct Lost {
    /// Because more came than were written.
    queue: Option<ErrorCounter>,
    /// Because the disk refused.
    refused: Arc<AtomicU64>,
}

impl Lost {
    /// All of them.
    pub(crate) fn count(&self) -> u64 {
        let dropped = self.queue.as_ref().map_or(0, |queue| queue.dropped_lines() as u64);
        dropped + self.refused.load(Ordering::Relaxed)
    }
}

impl FileLog {
    /// Written by whoever logs, before it goes on: what was logged is the system's, and outlives this process.
    pub(super) fn direct(&self, syncs: &Syncs) -> Result<(impl Write + Send + 'static, Lost), LogError> {
        let refused = Arc::new(AtomicU64::new(0));
        let (folder, inner) = self.open()?;
        let inner = Synced { inner, newest: folder.join(self.newest()), unsynced: 0, syncs: syncs.clone() };
        Ok((Counted { inner, refused: refused.clone(), torn: false }, Lost { queue: None, refused }))
    }

    /// Written by a thread of its own; lines are dropped while more wait than [`QUEUE_LINES`].
    pub(super) fn queued(&self, syncs: &Syncs) -> Result<(NonBlocking, WorkerGuard, Lost), LogError> {
        let (writer, mut lost) = self.direct(syncs)?;
        let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(QUEUE_LINES);
        let (queue, guard) = builder.thread_name(&format!("hanse-log-{}", self.name)).finish(writer);
        lost.queue = Some(queue.error_counter());
        Ok((queue, guard, lost))
    }

    /// The name of the newest file, or of the link to it.
    fn newest(&self) -> String {
        format!("{}.log", self.name)
    }

    /// The folder's whole path, and the newest file in it.
    fn open(&self) -> Result<(PathBuf, RollingFileAppender), LogError> {
        let failed =
            |reason: String| LogError::File { folder: self.folder.display().to_string(), name: self.name, reason };
        // The link to the newest file holds the path as it is given here, and lies in the folder itself.
        let folder = std::path::absolute(&self.folder).map_err(|error| failed(error.to_string()))?;
        std::fs::create_dir_all(&folder).map_err(|error| failed(error.to_string()))?;
        let builder = RollingFileAppender::builder().rotation(self.period.rotation());
        let builder = match self.period {
            // There is one file, of the name that else leads to the newest.
            Period::Never => builder,
            _ => builder.max_log_files(self.keep).latest_symlink(self.newest()),
        };
        let built = builder.filename_prefix(self.name).filename_suffix("log").build(&folder);
        let file = built.map_err(|error| failed(innermost(&error)))?;
        Ok((folder, file))
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Counts lines that the disk refused, rather than fail: a node whose log is full goes on, and says so.
struct Counted<W> {
    inner: W,
    refused: Arc<AtomicU64>,
    /// Part of a line was written, and its end was not.
    torn: bool,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let ended = if self.torn { self.inner.write_all(b"\n") } else { Ok(()) };
        let written = ended.and_then(|()| self.inner.write_all(line));
        self.torn = written.is_err();
        if written.is_err() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // What can't be flushed was counted when it was written.
        let _ = self.inner.flush();
        Ok(())
    }
}

/// Asks for a log's newest file to be on disk each [`SYNC_BYTES`].
///
/// What nobody syncs the system writes all at once, each half minute: hundreds of megabytes of a busy node, behind which
/// the ledger's next sync would wait for most of a second.
struct Synced<W> {
    inner: W,
    newest: PathBuf,
    unsynced: usize,
    syncs: Syncs,
}

impl<W: Write> Write for Synced<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.unsynced += written;
        if self.unsynced >= SYNC_BYTES && self.syncs.ask(&self.newest) {
            self.unsynced = 0;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The thread that syncs files of logs, so that nobody who logs waits for it. It ends with the last that asks.
#[derive(Clone, Debug)]
pub(super) struct Syncs(SyncSender<PathBuf>);

impl Syncs {
    /// Starts it.
    pub(super) fn start() -> io::Result<Syncs> {
        let (syncs, asked) = Syncs::new();
        thread::Builder::new().name("hanse-log-sync".into()).spawn(move || {
            for file in asked {
                // A file that is gone, or a disk that fails: who writes to it counts what is lost.
                let _ = sync(&file);
            }
        })?;
        Ok(syncs)
    }

    fn new() -> (Syncs, Receiver<PathBuf>) {
        let (syncs, asked) = sync_channel(super::NAMES.len());
        (Syncs(syncs), asked)
    }

    /// Whether the file will be synced: not now while as many wait as there are logs.
    fn ask(&self, file: &Path) -> bool {
        self.0.try_send(file.to_owned()).is_ok()
    }
}

fn sync(file: &Path) -> io::Result<()> {
    File::open(file)?.sync_data()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    #[test]
    fn old_files_are_given_up_and_the_newest_has_a_name() {
        let folder = tempfile::tempdir().unwrap();
        for hour in 0..5 {
            std::fs::write(folder.path().join(format!("brief.2020-01-01-0{hour}.log")), "old\n").unwrap();
        }
        std::fs::write(folder.path().join("briefing.txt"), "not a log\n").unwrap();
        let log = FileLog { name: "brief", folder: folder.path().into(), period: Period::Hourly, keep: 3 };
        let (mut writer, lost) = log.direct(&Syncs::new().0).unwrap();
        writer.write_all(b"new\n").unwrap();
        let names: Vec<String> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let of = |what: &str| names.iter().filter(|name| name.starts_with(what)).count();
        assert_eq!((of("brief.2020-"), of("brief.2")), (2, 3), "{names:?}");
        assert_eq!((of("brief.log"), of("briefing.txt")), (1, 1), "{names:?}");
        assert_eq!(std::fs::read_to_string(folder.path().join("brief.log")).unwrap(), "new\n");
        assert_eq!(lost.count(), 0);
    }

    #[test]
    fn a_log_that_is_never_rotated_is_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let log = FileLog { name: "event", folder: folder.path().into(), period: Period::Never, keep: 1 };
        log.direct(&Syncs::new().0).unwrap().0.write_all(b"one\n").unwrap();
        log.direct(&Syncs::new().0).unwrap().0.write_all(b"two\n").unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("event.log")).unwrap(), "one\ntwo\n");
    }

    #[test]
    fn a_folder_that_can_not_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let log = FileLog { name: "event", folder: file.path().join("log"), period: Period::Daily, keep: 1 };
        let error = log.direct(&Syncs::new().0).map(drop).unwrap_err().to_string();
        assert!(error.contains("event.log") && error.contains("log.folder"), "{error}");
    }

    /// A disk with room for so many bytes.
    struct Small<'a>(&'a mut Vec<u8>, usize);

    impl Write for Small<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let room = self.1.saturating_sub(self.0.len()).min(bytes.len());
            self.0.extend_from_slice(&bytes[..room]);
            if room == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(room) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_the_disk_refuses_are_counted_and_the_next_begins_anew() {
        let (mut disk, refused) = (Vec::new(), Arc::new(AtomicU64::new(0)));
        let mut log = Counted { inner: Small(&mut disk, 6), refused: refused.clone(), torn: false };
        for line in ["one\n", "two\n", "three\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        log.inner.1 = 100;
        log.write_all(b"four\n").unwrap();
        assert_eq!(refused.load(Ordering::Relaxed), 2);
        assert_eq!(disk, b"one\ntw\nfour\n");
    }

    #[test]
    fn the_newest_file_is_to_be_synced_as_it_grows() {
        let folder = tempfile::tempdir().unwrap();
        let log = FileLog { name: "brief", folder: folder.path().into(), period: Period::Hourly, keep: 3 };
        let (syncs, asked) = Syncs::new();
        let (mut writer, _) = log.direct(&syncs).unwrap();
        let half = vec![b'x'; SYNC_BYTES / 2];
        writer.write_all(&half).unwrap();
        assert!(asked.try_recv().is_err());
        for _ in 0..5 {
            writer.write_all(&half).unwrap();
        }
        let files: Vec<PathBuf> = asked.try_iter().collect();
        assert_eq!(files, vec![folder.path().join("brief.log"); 3]);
        for file in files {
            sync(&file).unwrap();
        }
    }

    #[test]
    fn a_thread_opens_each_file_that_is_to_be_synced() {
        let folder = tempfile::tempdir().unwrap();
        let syncs = Syncs::start().unwrap();
        for name in ["brief.log", "event.log"] {
            // Who opens a pipe to write goes on when somebody opens it to read, and not before.
            let pipe = folder.path().join(name);
            assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
            assert!(syncs.ask(&pipe));
            let (opened, is_opened) = sync_channel(1);
            thread::spawn(move || opened.send(File::options().write(true).open(pipe).is_ok()));
            assert_eq!(is_opened.recv_timeout(Duration::from_secs(60)), Ok(true));
        }
    }

    #[test]
    fn while_a_disk_is_slow_a_log_goes_on_and_asks_again() {
        let (syncs, asked) = Syncs::new();
        let mut disk = Vec::new();
        let mut log = Synced { inner: &mut disk, newest: "brief.log".into(), unsynced: 0, syncs };
        for _ in 0..10 {
            log.write_all(&vec![b'x'; SYNC_BYTES]).unwrap();
        }
        let waiting = asked.try_iter().count();
        log.write_all(b"line").unwrap();
        let asked_again = asked.try_iter().count();
        assert_eq!((waiting, asked_again, disk.len()), (super::super::NAMES.len(), 1, 10 * SYNC_BYTES + 4));
    }
}
