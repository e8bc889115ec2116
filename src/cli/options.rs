//! Options: arguments that have been checked, with the files of credentials read.

use super::args::{self, Args, Colour, Command, Common, Reading, ReportFormat, RowFormat, Times};
use super::batch::Batch;
use super::beside::Beside;
use super::config::Config;
use super::credentials::Given;
use super::error::Error;
use super::input::is_stdin;
use super::keylog::KeyLogs;
use super::output::STDOUT;
use super::signalling::Told;
use super::time::{Moment, range};
use super::{annotate, redact, run};
use crate::analyzer::{Filters, Host};
use crate::net::Network;
use crate::render::clock::Clock;
use crate::render::ladder::Choice;
use crate::render::text::Detail;
use crate::report::SCHEMA;
use crate::time::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::slice;

/// Names a file of credentials, for those who always give the same.
const CREDENTIALS: &str = "TURNSCOPE_CREDENTIALS";

/// What is to be done.
#[derive(Debug)]
pub(super) enum Options {
    Analyze(Box<run::Analyze>),
    Messages { capture: PathBuf, format: RowFormat, media: bool, reading: Wanted, look: Look },
    Verify { capture: PathBuf, format: ReportFormat, reading: Wanted, look: Look },
    Flow(Box<run::Flow>),
    Batch(Box<Batch>),
    Annotate(Box<annotate::Annotate>),
    Redact(Box<redact::Redact>),
    Explain { what: String, look: Look },
    Completions(clap_complete::Shell),
    Man,
}

/// What of a capture is looked at, and what its messages are tested with.
#[derive(Debug)]
pub(super) struct Wanted {
    pub credentials: Given,
    pub told: Told,
    pub keys: KeyLogs,
    pub from: Option<Moment>,
    pub to: Option<Moment>,
    pub hosts: Vec<Host>,
    pub user: Option<String>,
    pub zone: TimeZone,
}

/// How results look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub times: Times,
    pub colour: Colour,
    pub detail: Detail,
}

impl Options {
    /// Checks the arguments, reads the files that they name, and asks for what is to be asked for.
    pub(super) fn new(args: Args, defaults: &Config) -> Result<Self, Error> {
        let Args { command, analyze, common } = args;
        let Some(command) = command else { return Self::analyze(analyze, common, defaults) };
        Ok(match command {
            Command::Analyze(analyze) => Self::analyze(*analyze, common, defaults)?,
            Command::Messages(messages) => Options::Messages {
                capture: messages.capture,
                format: messages.format,
                media: messages.media,
                reading: Wanted::new(messages.reading.with_defaults(defaults), messages.text.time)?,
                look: Look::new(messages.text.time, common),
            },
            Command::Verify(verify) => Options::Verify {
                capture: verify.capture,
                format: verify.format,
                reading: Wanted::new(verify.reading.with_defaults(defaults), verify.text.time)?,
                look: Look::new(verify.text.time, common),
            },
            Command::Flow(flow) => Self::flow(*flow, common, defaults)?,
            Command::Batch(batch) => Self::batch(*batch, common, defaults)?,
            Command::Annotate(annotate) => Self::annotate(*annotate, common, defaults)?,
            Command::Redact(redact) => Self::redact(*redact, common, defaults)?,
            Command::Explain { what } => {
                Options::Explain { what: what.join(" "), look: Look::new(Times::default(), common) }
            }
            Command::Completions { shell } => Options::Completions(shell),
            Command::Man => Options::Man,
        })
    }

    /// Says what is passed over of the files that are given beside the captures, and what will take long.
    pub(super) fn warn(&self) {
        let (captures, reading, beside, look) = match self {
            Options::Analyze(job) => (job.captures.as_slice(), &job.reading, Some(&job.beside), job.look),
            Options::Messages { capture, reading, look, .. } | Options::Verify { capture, reading, look, .. } => {
                (slice::from_ref(capture), reading, None, *look)
            }
            Options::Flow(job) => (job.captures.as_slice(), &job.reading, None, job.look),
            Options::Batch(job) => (job.paths.as_slice(), &job.reading, Some(&job.beside), job.look),
            Options::Annotate(job) => (slice::from_ref(&job.capture), &job.reading, None, job.look),
            Options::Redact(job) => (slice::from_ref(&job.capture), &job.reading, None, job.look),
            Options::Explain { .. } | Options::Completions(_) | Options::Man => return,
        };
        if look.is_quiet() {
            return;
        }
        reading.credentials.warn(captures);
        reading.told.warn();
        reading.keys.warn();
        if let Some(beside) = beside {
            beside.warn();
        }
    }

    fn batch(batch: args::Batch, common: Common, defaults: &Config) -> Result<Self, Error> {
        let reading = batch.reading.with_defaults(defaults);
        let settings = reading.settings((batch.messages, batch.html), &batch.beside);
        Ok(Options::Batch(Box::new(Batch {
            paths: batch.paths,
            files_from: batch.files_from,
            out: batch.out,
            jobs: batch.jobs.map(usize::from),
            resume: batch.resume,
            fail_on: batch.fail_on,
            join: batch.join,
            messages: batch.messages,
            html: batch.html,
            settings,
            beside: Beside::read(&batch.beside)?,
            reading: Wanted::new(reading, Times::default())?,
            look: Look::new(Times::default(), common),
        })))
    }

    fn flow(flow: args::Flow, common: Common, defaults: &Config) -> Result<Self, Error> {
        once(&flow.captures)?;
        let reading = flow.reading.with_defaults(defaults);
        let output = file(flow.output);
        apart(&flow.captures, &Vec::from_iter(&output), &reading.files())?;
        let number = flow.session.and_then(|number| usize::try_from(number).ok());
        Ok(Options::Flow(Box::new(run::Flow {
            captures: flow.captures,
            format: flow.format,
            choice: number.map_or(Choice::Telling, Choice::Session),
            output,
            reading: Wanted::new(reading, flow.time)?,
            look: Look::new(flow.time, common),
        })))
    }

    fn redact(redact: args::Redact, common: Common, defaults: &Config) -> Result<Self, Error> {
        let args::Redact { capture, output, credentials_out, sdp_out, map, keep_certificates, reading } = redact;
        twice(&capture)?;
        let whole = reading.from.is_none() && reading.to.is_none() && reading.host.is_empty() && reading.user.is_none();
        if !whole {
            let hint = "cut the capture with editcap first";
            return Err(Error::new(
                "",
                "redact writes the whole capture: --from, --to, --host and --user do not apply",
                hint,
            ));
        }
        let reading = reading.with_defaults(defaults);
        let outputs: Vec<&PathBuf> =
            [Some(&output), credentials_out.as_ref(), sdp_out.as_ref(), map.as_ref()].into_iter().flatten().collect();
        apart(slice::from_ref(&capture), &outputs, &reading.files())?;
        let reading = Wanted::new(reading, Times::default())?;
        let look = Look::new(Times::default(), common);
        Ok(Options::Redact(Box::new(redact::Redact {
            capture,
            output,
            credentials_out,
            sdp_out,
            map,
            keep_certificates,
            reading,
            look,
        })))
    }

    fn annotate(annotate: args::Annotate, common: Common, defaults: &Config) -> Result<Self, Error> {
        let args::Annotate { capture, output, all, embed_keys, reading } = annotate;
        twice(&capture)?;
        let reading = reading.with_defaults(defaults);
        apart(slice::from_ref(&capture), &[&output], &reading.files())?;
        if embed_keys && reading.keylog.is_empty() {
            return Err(Error::new("--embed-keys", "there are no keys to embed", "give a key log with --keylog"));
        }
        let embedded = if embed_keys { reading.keylog.clone() } else { Vec::new() };
        let reading = Wanted::new(reading, Times::default())?;
        let look = Look::new(Times::default(), common);
        Ok(Options::Annotate(Box::new(annotate::Annotate { capture, output, all, embedded, reading, look })))
    }

    fn analyze(analyze: args::Analyze, common: Common, defaults: &Config) -> Result<Self, Error> {
        once(&analyze.captures)?;
        let reading = analyze.reading.with_defaults(defaults);
        let given = [reading.files(), analyze.beside.files()].concat();
        let output = file(analyze.output);
        apart(&analyze.captures, &Vec::from_iter(&output), &given)?;
        Ok(Options::Analyze(Box::new(run::Analyze {
            captures: analyze.captures,
            join: analyze.join,
            format: analyze.format,
            output,
            beside: Beside::read(&analyze.beside)?,
            reading: Wanted::new(reading, analyze.text.time)?,
            look: Look::new(analyze.text.time, common),
        })))
    }
}

/// The file to write to, where that is not standard output.
fn file(output: Option<PathBuf>) -> Option<PathBuf> {
    output.filter(|path| path != Path::new(STDOUT))
}

/// Standard input can be read only once.
fn once(captures: &[PathBuf]) -> Result<(), Error> {
    if captures.iter().filter(|path| is_stdin(path)).count() > 1 {
        return Err(Error::new("-", "standard input is given twice", "it can be read only once"));
    }
    Ok(())
}

impl Reading {
    /// What the environment, and then the file of defaults, say where the command line says nothing. It counts only here, behind the command:
    /// clap would take it for an option that stands before, too.
    fn with_defaults(mut self, defaults: &Config) -> Self {
        if self.credentials.is_empty() {
            self.credentials.extend(std::env::var_os(CREDENTIALS).filter(|path| !path.is_empty()).map(PathBuf::from));
        }
        let files = [
            (&mut self.credentials, &defaults.credentials),
            (&mut self.passwords, &defaults.passwords),
            (&mut self.sdp, &defaults.sdp),
            (&mut self.keylog, &defaults.keylog),
        ];
        for (given, default) in files.into_iter().filter(|(given, _)| given.is_empty()) {
            given.clone_from(default);
        }
        self
    }

    /// The files that it names.
    fn files(&self) -> Vec<&PathBuf> {
        [&self.credentials, &self.sdp, &self.passwords, &self.keylog].into_iter().flatten().collect()
    }

    /// All of it in short, with this program's version: results that were found with other settings are not those of these. Of files their time of
    /// change stands for what is in them, since a hash of a password would let others try passwords on it.
    fn settings(&self, (messages, html): (bool, bool), beside: &args::Beside) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(format!("{} {SCHEMA} {messages} {html} {self:?} {beside:?}", env!("CARGO_PKG_VERSION")));
        for path in [self.files(), beside.files()].concat() {
            let metadata = std::fs::metadata(path);
            let changed = metadata.as_ref().ok().and_then(|metadata| metadata.modified().ok());
            hash.update(format!("{:?} {changed:?}", metadata.map(|metadata| metadata.len()).ok()));
        }
        if self.ask_password {
            // what will be typed is not known
            hash.update(format!("{:?} {}", std::time::SystemTime::now(), std::process::id()));
        }
        hash.finalize().into()
    }
}

impl args::Beside {
    /// The files that it names.
    fn files(&self) -> Vec<&PathBuf> {
        self.deployment.iter().chain(&self.log).collect()
    }
}

impl Wanted {
    fn new(reading: Reading, times: Times) -> Result<Self, Error> {
        let moment = |option: &str, text: Option<String>| match text {
            None => Ok(None),
            Some(text) => match Moment::parse(&text) {
                Some(moment) => Ok(Some(moment)),
                None => Err(Error::new(
                    format!("{option} {text}"),
                    "not a time",
                    "write 2024-05-01T12:00:00Z, 12:00:00 or +12.5 (seconds)",
                )),
            },
        };
        let from = moment("--from", reading.from)?;
        let to = moment("--to", reading.to)?;
        if from.zip(to).is_some_and(|(from, to)| to.is_always_before(from)) {
            return Err(Error::new("--to", "is before --from", "nothing is between the two: exchange them"));
        }
        let hosts = reading
            .host
            .iter()
            .map(|text| {
                host(text).ok_or_else(|| {
                    Error::new(
                        format!("--host {text}"),
                        "not an address",
                        "write 192.0.2.1, 192.0.2.1:3478, [2001:db8::1]:3478 or 192.0.2.0/24",
                    )
                })
            })
            .collect::<Result<_, _>>()?;
        let zone = if times == Times::Local { TimeZone::system() } else { TimeZone::UTC };
        let credentials = Given::read(&reading.credentials, &reading.passwords, reading.ask_password)?;
        let told = Told::read(&reading.sdp)?;
        let keys = KeyLogs::read(&reading.keylog)?;
        Ok(Wanted { credentials, told, keys, from, to, hosts, user: reading.user, zone })
    }

    /// The filters for a capture whose first frame has this time.
    pub(super) fn filters(&self, start: Timestamp) -> Filters {
        let (from, to) = range(self.from, self.to, start, &self.zone);
        Filters { from, to, hosts: self.hosts.clone(), user: self.user.clone() }
    }
}

impl Look {
    fn new(times: Times, common: Common) -> Self {
        let detail = match (common.quiet, common.verbose) {
            (true, _) => Detail::Quiet,
            (_, true) => Detail::Verbose,
            _ => Detail::Normal,
        };
        Look { times, colour: common.color, detail }
    }

    /// The clock for captures of which the first begins at this time.
    pub(super) fn clock(self, start: Option<Timestamp>) -> Clock {
        match self.times {
            Times::Utc => Clock::Utc,
            Times::Local => Clock::Local(TimeZone::system()),
            Times::Relative => Clock::Relative(start.unwrap_or_default()),
        }
    }

    /// Whether warnings are unwanted.
    pub(super) fn is_quiet(self) -> bool {
        self.detail == Detail::Quiet
    }
}

/// `192.0.2.1`, `2001:db8::1`, `192.0.2.1:3478`, `[2001:db8::1]:3478`, `192.0.2.0/24`.
fn host(text: &str) -> Option<Host> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(Host { network: Network::of(address.ip()), port: Some(address.port()) });
    }
    // an address in brackets without a port, perhaps with a prefix behind them
    let bare = text.strip_prefix('[').and_then(|text| text.split_once(']')).map(|(ip, rest)| format!("{ip}{rest}"));
    Some(Host { network: Network::parse(bare.as_deref().unwrap_or(text))?, port: None })
}

/// Refuses files that would be written twice, over a capture, or over what is given to be read.
fn apart(captures: &[PathBuf], written: &[&PathBuf], given: &[&PathBuf]) -> Result<(), Error> {
    let is_same = |one: &Path, other: &Path| place(one).is_some_and(|one| Some(one) == place(other));
    for (number, path) in written.iter().enumerate() {
        let shown = path.display().to_string();
        if let Some(capture) = captures.iter().find(|capture| is_same(capture, path)) {
            return Err(Error::new(
                capture.display().to_string(),
                "would be overwritten while it is read",
                "give another name with --output",
            ));
        }
        if written.iter().take(number).any(|before| is_same(before, path)) {
            return Err(Error::new(shown, "would be written twice", "give each file a name of its own"));
        }
        if given.iter().any(|given| is_same(given, path)) {
            return Err(Error::new(shown, "would be overwritten, and is given to be read", "give another name"));
        }
    }
    Ok(())
}

/// Where a file is or will be, by whatever way it is named; `None` of devices and pipes.
fn place(path: &Path) -> Option<PathBuf> {
    if let Ok(metadata) = std::fs::metadata(path) {
        return std::fs::canonicalize(path).ok().filter(|_| metadata.is_file());
    }
    let path = std::path::absolute(path).ok()?;
    Some(std::fs::canonicalize(path.parent()?).ok()?.join(path.file_name()?))
}

/// Refuses standard input where a capture is read twice.
fn twice(capture: &Path) -> Result<(), Error> {
    if is_stdin(capture) {
        let hint = "save the capture to a file first";
        return Err(Error::new("-", "is read twice, which standard input cannot be", hint));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Endpoint;

    #[test]
    fn hosts_are_addresses_networks_or_addresses_with_a_port() {
        let matches = |text: &str, address: &str| {
            host(text).expect(text).matches(Endpoint::from(address.parse::<SocketAddr>().unwrap()))
        };
        assert!(matches("192.0.2.1", "192.0.2.1:5"));
        assert!(!matches("192.0.2.1:6", "192.0.2.1:5"));
        assert!(matches("192.0.2.0/24", "192.0.2.77:5"));
        assert!(!matches("192.0.2.0/24", "192.0.3.77:5"));
        assert!(matches("0.0.0.0/0", "192.0.3.77:5"));
        assert!(matches("[2001:db8::1]:3478", "[2001:db8::1]:3478"));
        assert!(matches("2001:db8::/32", "[2001:db8:1::1]:3478"));
        assert!(!matches("::/0", "192.0.2.1:1"));
        for text in ["", "example.org", "192.0.2.1/33", "192.0.2.1/x", "192.0.2.1:99999", "/8"] {
            assert_eq!(host(text), None, "{text}");
        }
    }
}
