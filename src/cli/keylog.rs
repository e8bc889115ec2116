//! The key logs given on the command line.

use super::credentials::slurp;
use super::error::{Error, say};
use super::options::Look;
use crate::keys::{Added, KeyLog, MAX_SECRETS};
use std::path::{Path, PathBuf};

/// Key logs, read before the captures that they open.
#[derive(Debug, Default)]
pub(super) struct KeyLogs {
    log: KeyLog,
    files: Vec<(String, Added)>,
}

/// The largest file that is read: a line has at most some 250 bytes, and so many secrets are kept at most; comments have room beside them.
const MAX_FILE: u64 = 256 << 20;

impl KeyLogs {
    /// Reads the files. Damaged lines are passed over; a file without a single line of a key log is none.
    pub(super) fn read(files: &[PathBuf]) -> Result<Self, Error> {
        let mut logs = KeyLogs::default();
        for path in files {
            let origin = path.display().to_string();
            small_enough(path, &origin)?;
            let text = slurp(path)?;
            let added = logs.log.add(text.expose());
            let lines = added.secrets + added.repeated + added.unneeded + added.unsupported + added.dropped;
            if lines == 0 && added.damaged_total > 0 {
                let hint =
                    "give a file as programs write it to SSLKEYLOGFILE: a label, a client random and a secret a line";
                return Err(Error::new(origin, "not a key log", hint));
            }
            logs.files.push((origin, added));
        }
        Ok(logs)
    }

    /// The secrets of all files.
    pub(super) fn log(&self) -> KeyLog {
        self.log.clone()
    }

    /// Says what was passed over.
    pub(super) fn warn(&self, look: Look) {
        if look.is_quiet() {
            return;
        }
        for (origin, added) in &self.files {
            for damaged in &added.damaged {
                say(&Error::new(origin, format_args!("{damaged}, passed over"), ""));
            }
            if let more @ 1.. = added.damaged_total.saturating_sub(added.damaged.len() as u64) {
                say(&Error::new(origin, format_args!("{more} more damaged lines passed over"), ""));
            }
            if added.unsupported > 0 && added.secrets + added.repeated == 0 {
                let what = "no line of a kind that is read, but for instance RSA premaster secrets";
                say(&Error::new(origin, what, "log CLIENT_RANDOM, or the secrets of TLS 1.3"));
            }
            if added.dropped > 0 {
                let what = format!("{} secrets left out, more than the {MAX_SECRETS} that are kept", added.dropped);
                say(&Error::new(origin, what, "give the part of the log that is of the capture's time"));
            }
        }
    }
}

fn small_enough(path: &Path, origin: &str) -> Result<(), Error> {
    let size = std::fs::metadata(path).map_err(|error| Error::reading(origin, &error))?;
    if size.len() > MAX_FILE {
        let what = format!("a key log of more than {} MiB", MAX_FILE >> 20);
        return Err(Error::new(origin, what, "give the part of it that is of the capture's time"));
    }
    Ok(())
}
