//! Many captures at once: a report each, and tables of all.
//!
//! ```text
//! inputs ──▶ work (all cores) ──▶ reports/…json
//!            file · archive         │
//!            └ analyzer             └──▶ journal ──finish──▶ summary.jsonl · tables · index.html
//! ```

mod archives;
mod codec;
mod finish;
mod inputs;
mod journal;
mod progress;
mod room;
mod store;
#[cfg(feature = "parquet")]
mod tables;
mod tee;
mod work;

use super::Status;
use super::args::FailOn;
use super::beside::Beside;
use super::error::{Error, say};
use super::options::{Look, Wanted};
use super::output;
use super::stop::on_stop;
use crate::render::batch::overview;
use crate::report::Totals;
use progress::Progress;
use rayon::prelude::*;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use store::Store;
use work::Work;

/// What a batch is asked to do.
#[derive(Debug)]
pub(super) struct Batch {
    /// Files, folders, globs.
    pub paths: Vec<PathBuf>,
    /// A list of further ones.
    pub files_from: Option<PathBuf>,
    /// The folder of results.
    pub out: PathBuf,
    /// How many at once; as many as there are cores where it is not given.
    pub jobs: Option<usize>,
    /// Whether to go on from what an earlier batch has done.
    pub resume: bool,
    /// What makes the exit status 1.
    pub fail_on: Option<FailOn>,
    /// Whether rotated files are one capture.
    pub join: bool,
    /// Whether the table of messages is wanted.
    pub messages: bool,
    /// Whether each report is wanted as a page, too.
    pub html: bool,
    /// What captures are read with, in short.
    pub settings: [u8; 32],
    pub reading: Wanted,
    /// The deployment as it should be, and logs: the same for all captures.
    pub beside: Beside,
    pub look: Look,
}

/// Runs a batch.
pub(super) fn run(mut batch: Batch) -> Result<Status, Error> {
    if let Some(list) = &batch.files_from {
        batch.paths.extend(inputs::listed(list)?);
    }
    let items = inputs::find(&batch.paths, &batch.out, batch.join);
    if items.is_empty() {
        return Err(Error::new(
            batch.paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" "),
            "no file in there",
            "give captures, or folders or archives of them",
        ));
    }
    // results of an earlier batch stay where there is nothing to put in their place
    let store = Store::open(&batch.out, batch.resume)?;
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    on_stop(move || asked.store(true, Ordering::Relaxed));
    let total = items.iter().map(|item| item.size).fold(0, u64::saturating_add);
    let progress = Progress::new(total, std::io::stderr().is_terminal() && !batch.look.is_quiet());
    let work = Work::new(&store, &batch, &progress, &stop);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(batch.jobs.unwrap_or(0)).build();
    let pool = pool.map_err(|error| Error::new("--jobs", format_args!("no threads ({error})"), "ask for fewer"))?;
    pool.install(|| items.par_iter().enumerate().with_max_len(1).for_each(|(index, item)| work.item(index, item)));
    let done = work.finish()?;
    progress.say("writing tables");
    let stopped = stop.load(Ordering::Relaxed);
    let totals = if stopped { None } else { finish::write(&store, &done, batch.messages, &stop)? };
    progress.end();
    let Some(totals) = totals else {
        let about = store.shown();
        say(&Error::new(about, format_args!("stopped after {} captures", done.len()), "--resume goes on from there"));
        return Ok(Status::Stopped);
    };
    if !batch.look.is_quiet() {
        let text = format!("{}Results: {}\n", overview(&totals), crate::render::escape::escape(&store.shown()));
        output::print(text.as_bytes()).or_else(super::broken)?;
    }
    Ok(status(&totals, batch.fail_on))
}

/// What could not be read comes first: the other findings are then not all that there are.
fn status(totals: &Totals, fail_on: Option<FailOn>) -> Status {
    let failed = match fail_on {
        None => 0,
        Some(FailOn::Failure) => totals.failure,
        Some(FailOn::Warning) => totals.failure + totals.warning,
    };
    match (totals.unreadable, failed) {
        (1.., _) => Status::Unusable,
        (0, 1..) => Status::Found,
        (0, 0) => Status::Fine,
    }
}
