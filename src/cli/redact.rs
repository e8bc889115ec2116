//! `redact`: the same capture twice, once to learn what comes in pieces, once to write it anew; before that its keys, if it has any.

use super::Status;
use super::error::{Error, say};
use super::input::{Input, records};
use super::options::{Look, Wanted};
use super::output;
use crate::capture::Record;
use crate::redact::{Counts, Key, Redactor};
use crate::render::escape::escape;
use crate::session::signalling::Signalling;
use std::path::{Path, PathBuf};

/// What `redact` is asked to do.
#[derive(Debug)]
pub(super) struct Redact {
    pub capture: PathBuf,
    /// The capture to write.
    pub output: PathBuf,
    /// Where the credentials go that stand in for those given.
    pub credentials_out: Option<PathBuf>,
    /// Where the descriptions given go, as they are of the redacted capture.
    pub sdp_out: Option<PathBuf>,
    /// Where it is written what was replaced by what.
    pub map: Option<PathBuf>,
    /// Whether certificates stay.
    pub keep_certificates: bool,
    pub reading: Wanted,
    pub look: Look,
}

/// Writes the redacted capture.
pub(super) fn run(job: &Redact) -> Result<Status, Error> {
    let Redact { capture: path, output, reading, .. } = job;
    Input::open_file(path)?;
    let key = Key::random().map_err(|error| Error::new("", format_args!("no random numbers: {error}"), ""))?;
    let mut credentials = reading.credentials.credentials()?;
    reading.told.add_to(&mut Signalling::default(), &mut credentials);
    let mut redactor = Redactor::new(&key, credentials, job.keep_certificates);
    redactor.keys(reading.keys.log());
    redactor.gather(&mut records(path)?);
    let mut first = records(path)?;
    while let Some(record) = first.next_record() {
        if let Record::Packet(packet) = record {
            redactor.learn(&packet.frame);
        }
    }
    let mut second = records(path)?;
    let counts = output::write_file(output, |to| redactor.write(&mut second, to))?;
    if let Some(path) = &job.credentials_out {
        output::write_file(path, |to| to.write_all(redactor.credentials().expose()))?;
    }
    if let Some(path) = &job.sdp_out {
        output::write_file(path, |to| to.write_all(redactor.descriptions(&reading.told.descriptions()).expose()))?;
    }
    if let Some(path) = &job.map {
        let map = serde_json::to_vec_pretty(&redactor.replaced()).unwrap_or_default();
        output::write_private_file(path, &map)?;
    }
    if !job.look.is_quiet() {
        tell(&path.display().to_string(), output, &counts, second.info().damage.len());
    }
    Ok(Status::Fine)
}

fn tell(path: &str, out: &Path, counts: &Counts, damage: usize) {
    if damage > 0 {
        say(&Error::new(path, format_args!("damaged at {damage} places, which are left out"), ""));
    }
    let signed_anew = "give the credentials with --credentials, and they are signed anew";
    for (count, what, hint) in [
        (counts.unsigned, "messages keep an integrity that nobody can verify any more", signed_anew),
        (
            counts.resealed,
            "records that the keys open are redacted and encrypted with other keys, which the file holds",
            "",
        ),
        (counts.unsealed, "records that the keys open could not be encrypted anew: emptied", ""),
        (counts.unknown, "frames are of a link type that is not known here: emptied", ""),
        (counts.zeroed, "pieces without the rest of their message are zeroed", ""),
    ] {
        if count > 0 {
            say(&Error::new(path, format_args!("{count} {what}"), hint));
        }
    }
    let (frames, certificates) = (counts.frames, counts.certificates);
    say(&format_args!("{}: {frames} frames, {certificates} certificates left out", escape(&out.display().to_string())));
}
