//! How long transactions take to run, for whoever keeps figures: of each thread one in [`SAMPLE`], so that looking at the clock
//! costs the others nothing that could be measured. No result depends on it.

use std::cell::Cell;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Of so many transactions of a thread, one is measured, its first included.
pub const SAMPLE: u32 = 64;

/// Hears how long transactions took. Called by the threads that ran them, so an implementation must neither wait nor fail.
pub trait Watch: Debug + Send + Sync {
    /// One of [`SAMPLE`] transactions ran for so long, with all calls in it, whatever came of it.
    fn called(&self, took: Duration);
}

/// A transaction that is measured.
pub(crate) struct Sample(Arc<dyn Watch>, Instant);

impl Sample {
    /// Begins one, if somebody listens and it is this thread's turn.
    pub(crate) fn begin(watch: Option<&Arc<dyn Watch>>) -> Option<Sample> {
        let watch = watch?;
        is_due().then(|| Sample(watch.clone(), Instant::now()))
    }

    /// It has been run.
    pub(crate) fn end(self) {
        self.0.called(self.1.elapsed());
    }
}

fn is_due() -> bool {
    thread_local! {
        static RUN: Cell<u32> = const { Cell::new(0) };
    }
    let run = RUN.get();
    RUN.set(run.wrapping_add(1));
    run.is_multiple_of(SAMPLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_so_many_is_measured_from_the_first_on() {
        let due: Vec<u32> = (0..2 * SAMPLE).filter(|_| is_due()).collect();
        assert_eq!(due, [0, SAMPLE]);
        assert!(Sample::begin(None).is_none());
    }
}
