//! The credentials given on the command line: by file, or typed at the terminal. Never as an argument, where others could read it.

use super::error::Error;
use super::signalling::{Told, is_packed};
use crate::secret::Secret;
use crate::session::credentials::Credentials;
use crate::session::signalling::{self, Signalling};
use std::fs;
use std::path::{Path, PathBuf};

/// What was given, kept so that every capture gets a set of its own.
#[derive(Debug, Default)]
pub(super) struct Given {
    sources: Vec<Source>,
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
            let text = slurp(path)?;
            let origin = path.display().to_string();
            given.sources.push(if signalling::looks_like_one(text.expose()) || is_packed(text.expose()) {
                Source::Told(Told::of(&text, &origin)?)
            } else {
                Source::File { text, origin }
            });
        }
        for path in passwords {
            given.sources.push(Source::Passwords { bytes: slurp(path)?, origin: path.display().to_string() });
        }
        if ask {
            given.sources.push(Source::Typed(typed()?));
        }
        given.credentials()?;
        Ok(given)
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

pub(super) fn slurp(path: &Path) -> Result<Secret, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(Secret::new(bytes)),
        Err(error) => Err(Error::reading(&path.display().to_string(), &error)),
    }
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
