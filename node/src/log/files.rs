//! Files of a log: rotated by the clock, the oldest given up, what could not be written counted.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};

use super::LogError;

/// Lines that wait for the disk before more are dropped.
const QUEUE_LINES: usize = 32_768;

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
    pub(super) fn direct(&self) -> Result<(impl Write + Send + 'static, Lost), LogError> {
        let refused = Arc::new(AtomicU64::new(0));
        let writer = Counted { inner: self.open()?, refused: refused.clone(), torn: false };
        Ok((writer, Lost { queue: None, refused }))
    }

    /// Written by a thread of its own; lines are dropped while more wait than [`QUEUE_LINES`].
    pub(super) fn queued(&self) -> Result<(NonBlocking, WorkerGuard, Lost), LogError> {
        let (writer, mut lost) = self.direct()?;
        let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(QUEUE_LINES);
        let (queue, guard) = builder.thread_name(&format!("hanse-log-{}", self.name)).finish(writer);
        lost.queue = Some(queue.error_counter());
        Ok((queue, guard, lost))
    }

    fn open(&self) -> Result<RollingFileAppender, LogError> {
        let failed =
            |reason: String| LogError::File { folder: self.folder.display().to_string(), name: self.name, reason };
        // The link to the newest file holds the path as it is given here, and lies in the folder itself.
        let folder = std::path::absolute(&self.folder).map_err(|error| failed(error.to_string()))?;
        std::fs::create_dir_all(&folder).map_err(|error| failed(error.to_string()))?;
        let builder = RollingFileAppender::builder().rotation(self.period.rotation());
        let builder = match self.period {
            // There is one file, of the name that else leads to the newest.
            Period::Never => builder,
            _ => builder.max_log_files(self.keep).latest_symlink(format!("{}.log", self.name)),
        };
        let built = builder.filename_prefix(self.name).filename_suffix("log").build(&folder);
        built.map_err(|error| failed(innermost(&error)))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn old_files_are_given_up_and_the_newest_has_a_name() {
        let folder = tempfile::tempdir().unwrap();
        for hour in 0..5 {
            std::fs::write(folder.path().join(format!("brief.2020-01-01-0{hour}.log")), "old\n").unwrap();
        }
        std::fs::write(folder.path().join("briefing.txt"), "not a log\n").unwrap();
        let log = FileLog { name: "brief", folder: folder.path().into(), period: Period::Hourly, keep: 3 };
        let (mut writer, lost) = log.direct().unwrap();
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
        log.direct().unwrap().0.write_all(b"one\n").unwrap();
        log.direct().unwrap().0.write_all(b"two\n").unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("event.log")).unwrap(), "one\ntwo\n");
    }

    #[test]
    fn a_folder_that_can_not_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let log = FileLog { name: "event", folder: file.path().join("log"), period: Period::Daily, keep: 1 };
        let error = log.direct().map(drop).unwrap_err().to_string();
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
}
