//! How far a long run is, for a person at a terminal; scripts see nothing of it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::output::Output;

/// How often the bar moves.
pub(super) const STEP: Duration = Duration::from_millis(200);

/// A bar on standard error, if that is a terminal and nobody asked for quiet.
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn new(output: Output) -> Progress {
        let shown = !output.quiet && !output.json;
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{msg:24} {wide_bar} {pos}/{len} {per_sec}") {
            bar.set_style(style);
        }
        Progress(bar)
    }

    /// What happens now, and of how many transactions.
    pub(super) fn phase(&self, name: &'static str, count: usize) {
        self.0.reset();
        self.0.set_length(count as u64);
        self.0.set_message(name);
    }

    /// So many are done.
    pub(super) fn at(&self, count: u64) {
        self.0.set_position(count);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
