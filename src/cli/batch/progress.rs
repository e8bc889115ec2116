//! How far a batch is, on a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A bar on standard error, if that is a terminal: bytes read of all bytes, rate, time left; and how many captures failed.
pub(super) struct Progress {
    bar: ProgressBar,
    captures: AtomicU64,
    failures: AtomicU64,
}

impl Progress {
    /// A bar for so many bytes; none where it is not wanted.
    pub(super) fn new(bytes: u64, wanted: bool) -> Self {
        let target = if wanted { ProgressDrawTarget::stderr_with_hz(5) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(bytes), target);
        let style = "{percent:>3} % {bar:30} {msg}  {binary_bytes_per_sec}  {eta} left";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        Progress { bar, captures: AtomicU64::new(0), failures: AtomicU64::new(0) }
    }

    /// A capture is done.
    pub(super) fn capture(&self, failed: bool) {
        let captures = self.captures.fetch_add(1, Ordering::Relaxed) + 1;
        let failures = self.failures.fetch_add(u64::from(failed), Ordering::Relaxed) + u64::from(failed);
        if !self.bar.is_hidden() {
            self.bar.set_message(format!("{captures} captures, {failures} with a failure"));
        }
    }

    /// So many bytes of the files are done.
    pub(super) fn bytes(&self, count: u64) {
        self.bar.inc(count);
    }

    /// Says what is going on behind the last capture.
    pub(super) fn say(&self, what: &'static str) {
        self.bar.set_message(what);
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
