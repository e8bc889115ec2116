//! The command line: the only place with files, environment and terminal.
//!
//! ```text
//! args (as typed) ──▶ options (validated, files of credentials read) ──▶ run (captures in, results out) ──▶ exit status
//! ```

mod annotate;
mod archive;
mod args;
mod batch;
mod beside;
mod config;
mod credentials;
mod error;
mod input;
mod keylog;
mod man;
mod options;
mod output;
mod redact;
mod rotation;
mod run;
mod signalling;
mod stop;
mod time;
mod together;

use args::Args;
use clap::FromArgMatches as _;
use config::Config;
use error::Error;
use std::process::ExitCode;

/// What the command found, as its exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// 0: nothing failed.
    Fine,
    /// 1: at least one failure; of `verify`: a message that verifies with none of the credentials that apply to it.
    Found,
    /// 2: wrong usage, or nothing readable; of `batch`: something that could not be read.
    Unusable,
    /// 130: someone stopped it, as shells have it.
    Stopped,
}

/// The exit status where someone stopped it.
const STOPPED: u8 = 130;

impl From<Status> for ExitCode {
    fn from(status: Status) -> ExitCode {
        match status {
            Status::Fine => ExitCode::SUCCESS,
            Status::Found => ExitCode::from(1),
            Status::Unusable => ExitCode::from(2),
            Status::Stopped => ExitCode::from(STOPPED),
        }
    }
}

/// The whole command, from the arguments of the process to its exit status.
#[must_use]
pub fn main() -> ExitCode {
    let defaults = Config::read();
    // help and the like must work whatever stands in the file
    let command = defaults.as_ref().map_or_else(|_| Args::definition(), |config| config.apply(Args::definition()));
    let parsed = command.try_get_matches().and_then(|matches| Ok((Args::from_arg_matches(&matches)?, matches)));
    let (args, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            let printed = error.print().map_err(|error| output::stdout_error(&error)).or_else(broken);
            if !error.use_stderr()
                && let Err(error) = &printed
            {
                error::say(error);
            }
            return if error.use_stderr() || printed.is_err() { Status::Unusable.into() } else { ExitCode::SUCCESS };
        }
    };
    let defaults = if args.reads_captures() { defaults } else { Ok(Config::default()) };
    let defaults = Args::check_order(&matches).and(defaults);
    match defaults.and_then(|defaults| options::Options::new(args, &defaults)).and_then(run::run) {
        Ok(status) => status.into(),
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            error::say(&error);
            Status::Unusable.into()
        }
    }
}

#[allow(clippy::needless_pass_by_value)] // an error ends here
fn broken(error: Error) -> Result<(), Error> {
    if error.is_broken_pipe() { Ok(()) } else { Err(error) }
}
