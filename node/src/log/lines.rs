//! From an event to a line in the log that its target belongs to.

use std::cell::RefCell;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tracing::{Event, Subscriber};
use tracing_appender::non_blocking::NonBlocking;
use tracing_subscriber::layer::{Context as Around, Layer};

use super::format::{Context, Format};

/// Instead of a height while there is no chain.
pub(super) const NO_HEIGHT: u64 = u64::MAX;
/// A line's buffer is not kept when it got larger than this.
const KEPT_BYTES: usize = 16 << 10;

/// Where lines go.
pub(super) enum Sinks {
    /// All to standard error.
    Stderr,
    /// Each to its file.
    Files { system: NonBlocking, brief: NonBlocking, event: Direct, exception: Direct },
}

/// A file that whoever logs writes to.
type Direct = Mutex<Box<dyn Write + Send>>;

/// See the module.
pub(super) struct Lines {
    sinks: Sinks,
    format: Format,
    height: Arc<AtomicU64>,
}

impl Lines {
    pub(super) fn new(sinks: Sinks, format: Format, height: Arc<AtomicU64>) -> Lines {
        Lines { sinks, format, height }
    }

    fn write(&self, target: &str, line: &[u8]) {
        // Whoever logs can do nothing about a log that fails; what is lost of files is counted.
        let _ = match &self.sinks {
            Sinks::Stderr => std::io::stderr().write_all(line),
            Sinks::Files { system, brief, event, exception } => match target {
                "hanse::brief" => brief.clone().write_all(line),
                "hanse::event" => write_direct(event, line),
                "hanse::exception" => write_direct(exception, line),
                _ => system.clone().write_all(line),
            },
        };
    }
}

fn write_direct(file: &Direct, line: &[u8]) -> std::io::Result<()> {
    file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line)
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Around<'_, S>) {
        thread_local! {
            static LINE: RefCell<String> = const { RefCell::new(String::new()) };
        }
        let height = self.height.load(Ordering::Relaxed);
        let context = Context { time: SystemTime::now(), height: Some(height).filter(|height| *height != NO_HEIGHT) };
        LINE.with(|line| {
            // A value that logs while it is formatted gets a line of its own.
            let mut own = String::new();
            let mut borrowed = line.try_borrow_mut();
            let line = borrowed.as_deref_mut().unwrap_or(&mut own);
            line.clear();
            self.format.write(line, event, context);
            self.write(event.metadata().target(), line.as_bytes());
            line.shrink_to(KEPT_BYTES);
        });
    }
}
