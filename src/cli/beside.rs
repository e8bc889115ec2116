//! What is laid beside the captures on the command line: the deployment as it should be, and logs.

use super::args::Beside as Arguments;
use super::credentials::head_of;
use super::error::{Error, say};
use crate::logs::{self, LogFile, MAX_FILE};
use crate::secret::Secret;
use crate::session::deployment::{self, Deployment};
use crate::time::Span;
use std::sync::{Arc, Mutex, PoisonError};

/// What was given beside the captures.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// What should be.
    pub deployment: Deployment,
    /// The logs: path and content, which may hold secrets.
    logs: Vec<(String, Secret)>,
    /// What is added to their times.
    pub log_offset: Option<Span>,
    /// The logs as they were read last, and with which year.
    last: Mutex<Option<(i16, Arc<Vec<LogFile>>)>>,
}

impl Beside {
    /// Reads the files.
    pub(super) fn read(given: &Arguments) -> Result<Self, Error> {
        let mut beside = Beside::default();
        for path in &given.deployment {
            let origin = path.display().to_string();
            let bytes = head_of(path, deployment::MAX_FILE)?;
            let Ok(text) = std::str::from_utf8(bytes.expose()) else {
                return Err(Error::new(
                    origin,
                    "not UTF-8 text",
                    "a deployment is written as TOML, see the manual page",
                ));
            };
            beside.deployment.add_file(text, &origin).map_err(|error| Error::new("", error, ""))?;
        }
        for path in &given.log {
            beside.logs.push((path.display().to_string(), head_of(path, MAX_FILE)?));
        }
        if let Some(text) = &given.log_offset {
            let hint = "write seconds (-2.5, +3600) or ±hh:mm:ss: what is added to the log's times";
            let offset = logs::parse_offset(text);
            beside.log_offset =
                Some(offset.ok_or_else(|| Error::new(format!("--log-offset {text}"), "not an offset", hint))?);
        }
        Ok(beside)
    }

    /// The logs as a report takes them of captures of a year; read once for all captures of it that follow one another.
    pub(super) fn logs_of(&self, year: i16) -> Arc<Vec<LogFile>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((of, files)) if *of == year => Arc::clone(files),
            _ => {
                let read = |(path, bytes): &(String, Secret)| LogFile::read(bytes.expose(), path, year);
                let files = Arc::new(self.logs.iter().map(read).collect());
                *last = Some((year, Arc::clone(&files)));
                files
            }
        }
    }

    /// The logs, for the report.
    pub(super) fn logs(&self) -> Vec<(String, &[u8])> {
        self.logs.iter().map(|(path, bytes)| (path.clone(), bytes.expose())).collect()
    }

    /// Says what was not read.
    pub(super) fn warn(&self) {
        for (path, bytes) in &self.logs {
            if bytes.expose().len() > MAX_FILE {
                let hint = "cut out the time of the capture";
                say(&Error::new(path, format_args!("only its first {} MiB are read", MAX_FILE >> 20), hint));
            }
        }
    }
}
