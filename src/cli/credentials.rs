//! The credentials given on the command line: by file, or typed at the terminal. Never as an argument, where others could read it.

use super::error::{Error, say};
use super::signalling::{Told, is_packed};
use crate::secret::Secret;
use crate::session::credentials::Credentials;
use crate::session::signalling::{self, Signalling};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// What was given, kept so that every capture gets a set of its own.
#[derive(Debug, Default)]
pub(super) struct Given {
    sources: Vec<Source>,
}

/// The largest list of passwords that is read, in bytes; to try so many on one message takes minutes.
const MAX_PASSWORDS: usize = 1 << 30;
/// What trying one password on one message takes, in nanoseconds.
const NANOSECONDS: u64 = 1000;
/// A message with its headers has at least this many bytes in a capture.
const MESSAGE: u64 = 120;
/// As many tries take some ten seconds.
const MANY_TRIES: u64 = 10_000_000;
/// Fewer passwords than this are worth no word, whatever the capture.
const MANY_PASSWORDS: u64 = 500;

/// Whether passwords times messages may be so many that a person wonders what takes so long. How much comes through a pipe, or is in a folder, nobody knows.
fn takes_long(passwords: u64, captures: &[PathBuf]) -> bool {
    let length = |path: &PathBuf| fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|file| file.len());
    let bytes: Option<u64> = captures.iter().map(length).sum();
    let tries = |bytes: u64| passwords.saturating_mul(bytes / MESSAGE);
    passwords >= MANY_PASSWORDS && bytes.is_none_or(|bytes| tries(bytes) >= MANY_TRIES)
}

#[derive(Debug)]
enum Source {
    /// TOML or `turnserver.conf`, told apart by what is in it.
    File { text: Secret, origin: String },
    /// Session descriptions, of which the passwords are wanted.
    Told(Told),
    /// A list of passwords.
    Passwords { bytes: Secret, origin: String },
    /// Typed in.
    Typed(Secret),
}

impl Given {
    /// Reads the files, asks for a password if that is wanted, and sees whether it all makes sense.
    pub(super) fn read(files: &[PathBuf], passwords: &[PathBuf], ask: bool) -> Result<Self, Error> {
        let mut given = Given::default();
        for path in files {
            let text = slurp(path, signalling::MAX_FILE)?;
            let origin = path.display().to_string();
            given.sources.push(if signalling::looks_like_one(text.expose()) || is_packed(text.expose()) {
                Source::Told(Told::of(&text, &origin)?)
            } else {
                Source::File { text, origin }
            });
        }
        for path in passwords {
            let bytes = slurp(path, MAX_PASSWORDS)?;
            given.sources.push(Source::Passwords { bytes, origin: path.display().to_string() });
        }
        if ask {
            given.sources.push(Source::Typed(typed()?));
        }
        given.credentials()?;
        Ok(given)
    }

    /// Says at the start that a list of passwords is so long that reading may take a while.
    pub(super) fn warn(&self, captures: &[PathBuf]) {
        let lists = self.sources.iter().filter_map(|source| match source {
            Source::Passwords { bytes, origin } => Some((bytes, origin)),
            _ => None,
        });
        for (bytes, origin) in lists {
            let passwords = bytes.expose().split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).count() as u64;
            if takes_long(passwords, captures) {
                let seconds = passwords.saturating_mul(NANOSECONDS) / 100_000;
                let what = format_args!(
                    "its {passwords} passwords are tried on each signed message, which takes some {seconds} s for 10,000 of those"
                );
                say(&Error::new(origin, what, ""));
            }
        }
    }

    /// A set for one capture.
    pub(super) fn credentials(&self) -> Result<Credentials, Error> {
        let mut credentials = Credentials::default();
        for source in &self.sources {
            let added = match source {
                Source::File { text, origin } => match std::str::from_utf8(text.expose()) {
                    Ok(text) => credentials.add_file(text, origin),
                    Err(_) => {
                        let hint = "credentials are written as TOML, see the manual page";
                        return Err(Error::new(origin, "not UTF-8 text", hint));
                    }
                },
                Source::Told(told) => {
                    told.add_to(&mut Signalling::default(), &mut credentials);
                    Ok(())
                }
                Source::Passwords { bytes, origin } => credentials.add_passwords(bytes.expose().to_vec(), origin),
                Source::Typed(password) => {
                    credentials.add_password("typed password", password.clone());
                    Ok(())
                }
            };
            added.map_err(|error| Error::new("", error, ""))?;
        }
        Ok(credentials)
    }
}

/// The content of a file, which must have an end before so many bytes.
pub(super) fn slurp(path: &Path, most: usize) -> Result<Secret, Error> {
    let bytes = head_of(path, most)?;
    if bytes.expose().len() > most {
        let what = format!("larger than {} MiB", most >> 20);
        return Err(Error::new(path.display().to_string(), what, "give the part of it that is needed"));
    }
    Ok(bytes)
}

/// The content of a file, as far as it is read and a byte more, which shows that there is more.
pub(super) fn head_of(path: &Path, most: usize) -> Result<Secret, Error> {
    let read = || {
        let file = fs::File::open(path)?;
        // with room for all of it, or copies of secrets would be left behind where it grows
        let size = usize::try_from(file.metadata()?.len()).unwrap_or(most).min(most);
        let mut bytes = Vec::with_capacity(size + 1);
        file.take(most as u64 + 1).read_to_end(&mut bytes)?;
        Ok(Secret::new(bytes))
    };
    read().map_err(|error| Error::reading(&path.display().to_string(), &error))
}

fn typed() -> Result<Secret, Error> {
    match rpassword::prompt_password("Password to test: ") {
        Ok(password) if password.is_empty() => Err(Error::new("--ask-password", "nothing was typed", "")),
        Ok(password) => Ok(Secret::from(password)),
        Err(error) => Err(Error::new(
            "--ask-password",
            format_args!("no password could be asked for ({error})"),
            "run it at a terminal, or use --passwords FILE",
        )),
    }
}
