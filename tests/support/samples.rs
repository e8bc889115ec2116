//! The samples: their captures, their credentials, and what `samples/README.md` says of them.

use std::fs;
use std::path::{Path, PathBuf};
use turnscope::analyzer::{self, Analyzer, Options};
use turnscope::capture::{Capture, OpenError};
use turnscope::event::Row;
use turnscope::frame::Frame;
use turnscope::keys::KeyLog;
use turnscope::report::Report;
use turnscope::session::credentials::Credentials;
use turnscope::session::deployment::Deployment;
use turnscope::session::signalling::{self, Signalling};

/// One sample, as its folder and its line of the README have it.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Name of its folder.
    pub name: String,
    /// Path of the capture from the root of the repository.
    pub path: String,
    /// The capture.
    pub bytes: Vec<u8>,
    /// The other captures of the same event, by name.
    pub beside: Vec<(String, Vec<u8>)>,
    /// `credentials.toml`, or nothing.
    pub credentials: String,
    /// `keylog.txt`, or nothing.
    pub keylog: Vec<u8>,
    /// `deployment.toml`, or nothing.
    pub deployment: String,
    /// The logs, `*.log`, by name.
    pub logs: Vec<(String, Vec<u8>)>,
    /// The session descriptions, `*.sdp`, by name.
    pub descriptions: Vec<(String, Vec<u8>)>,
    /// "headline finding", `None` where the table says "none".
    pub headline: Option<String>,
    /// "severity": `failure`, `warning`, `healthy` or `nothing-found`.
    pub severity: String,
    /// "other findings to expect".
    pub others: Vec<String>,
}

/// All samples of the README's table, in its order. A folder without a line, or a line without a folder, is a fault of the samples.
pub fn all() -> Vec<Sample> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let readme = fs::read_to_string(root.join("README.md")).expect("samples/README.md");
    let samples: Vec<Sample> = readme.lines().filter_map(|line| sample(&root, line)).collect();
    let mut named: Vec<&str> = samples.iter().map(|sample| sample.name.as_str()).collect();
    let mut folders: Vec<String> = fs::read_dir(&root)
        .expect("samples/")
        .map(|entry| entry.expect("an entry of samples/").path())
        .filter(|path| capture(path).is_some())
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    named.sort_unstable();
    folders.sort_unstable();
    assert_eq!(named, folders, "left: the table of samples/README.md; right: folders with a capture");
    samples
}

/// The capture of a sample's folder.
fn capture(folder: &Path) -> Option<PathBuf> {
    ["capture.pcapng", "capture.pcap"].map(|name| folder.join(name)).into_iter().find(|path| path.exists())
}

fn sample(root: &Path, line: &str) -> Option<Sample> {
    let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
    let &[name, _, _, headline, severity, others] = cells.as_slice() else { return None };
    let name = ticked(name).into_iter().next()?;
    let path = capture(&root.join(&name)).unwrap_or_else(|| panic!("samples/{name} has no capture"));
    let severities = ["failure", "warning", "healthy", "nothing-found"];
    assert!(severities.contains(&severity), "samples/README.md: severity {severity:?} of {name}");
    Some(Sample {
        path: format!("samples/{name}/{}", path.file_name().expect("a name").to_string_lossy()),
        bytes: fs::read(&path).expect("the capture"),
        credentials: fs::read_to_string(path.with_file_name("credentials.toml")).unwrap_or_default(),
        beside: other_points(&path),
        keylog: fs::read(path.with_file_name("keylog.txt")).unwrap_or_default(),
        deployment: fs::read_to_string(path.with_file_name("deployment.toml")).unwrap_or_default(),
        logs: beside(&root.join(&name), "log"),
        descriptions: beside(&root.join(&name), "sdp"),
        headline: ticked(headline).into_iter().next(),
        severity: severity.to_owned(),
        others: ticked(others),
        name,
    })
}

/// The captures of other points that lie beside a sample's own.
fn other_points(path: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(path.parent().expect("a folder")).expect("the folder");
    let mut found: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|other| other.extension().is_some_and(|extension| extension == "pcapng") && other != path)
        .map(|other| (other.file_name().expect("a name").to_string_lossy().into_owned(), fs::read(&other).expect("it")))
        .collect();
    found.sort();
    found
}

/// The files of a sample's folder with this extension, such as session descriptions.
fn beside(folder: &Path, extension: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    let mut found: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|known| known == extension))
        .map(|path| {
            (path.file_name().expect("a name").to_string_lossy().into_owned(), fs::read(&path).expect("a file"))
        })
        .collect();
    found.sort();
    found
}

/// What stands in backticks in a cell.
fn ticked(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

impl Sample {
    /// The keys that lie beside the capture.
    pub fn keys(&self) -> KeyLog {
        let mut keys = KeyLog::new();
        assert_eq!(keys.add(&self.keylog).damaged, [], "{}: its key log is well-formed", self.name);
        keys
    }

    /// The report on the whole capture, with the credentials, deployment, logs and session descriptions that lie beside it.
    pub fn report(&self) -> Report {
        self.report_on(&self.bytes).expect("a sample is a capture")
    }

    /// The report on all captures of the sample together, in this order: 0 is the sample's own, then those beside it.
    pub fn together(&self, order: &[usize]) -> Report {
        let own = (self.path.as_str(), self.bytes.clone());
        let folder = self.path.rsplit_once('/').expect("a folder").0;
        let names: Vec<String> = self.beside.iter().map(|(name, _)| format!("{folder}/{name}")).collect();
        let others = names.iter().zip(&self.beside).map(|(name, (_, bytes))| (name.as_str(), bytes.clone()));
        let all: Vec<(&str, Vec<u8>)> = std::iter::once(own).chain(others).collect();
        let ordered: Vec<_> = order.iter().map(|&at| all[at].clone()).collect();
        super::points::report_with(&ordered, &self.credentials)
    }

    /// The report on other bytes in place of the capture, with this sample's credentials.
    pub fn report_on(&self, bytes: &[u8]) -> Result<Report, OpenError> {
        self.report_edited(bytes, &mut |_| true, &mut |_| {})
    }

    /// The report on frames of `bytes` as `edit` leaves them; those are passed over for which it says no. `sink` gets the rows.
    pub fn report_edited(
        &self,
        bytes: &[u8],
        edit: &mut impl FnMut(&mut Frame<'_>) -> bool,
        sink: &mut impl FnMut(&Row<'_>),
    ) -> Result<Report, OpenError> {
        let mut credentials = Credentials::default();
        if !self.credentials.is_empty() {
            credentials
                .add_toml(&self.credentials, "credentials.toml")
                .expect("credentials of a sample are well-formed");
        }
        let mut signalling = Signalling::default();
        for (name, bytes) in &self.descriptions {
            let told = signalling::read(bytes, name).expect("descriptions of a sample are well-formed");
            signalling.take(&told, &mut credentials);
        }
        let mut deployment = Deployment::default();
        if !self.deployment.is_empty() {
            deployment
                .add_file(&self.deployment, "deployment.toml")
                .expect("the deployment of a sample is well-formed");
        }
        let mut capture = Capture::open(bytes)?;
        let keys = self.keys();
        let mut analyzer = Analyzer::new(Options { credentials, signalling, deployment, keys, ..Options::default() });
        while let Some((mut frame, secrets)) = capture.next_with_secrets() {
            analyzer.secrets(secrets);
            if edit(&mut frame) {
                analyzer.frame(&frame, sink);
            }
        }
        let logs: Vec<(String, &[u8])> =
            self.logs.iter().map(|(name, bytes)| (name.clone(), bytes.as_slice())).collect();
        let part = analyzer.finish(self.path.clone(), capture.info());
        Ok(analyzer::report_beside(vec![part], &logs, None))
    }
}

/// All captures of the samples, and those in the folders of `TURNSCOPE_CAPTURES=DIR[:DIR…]`.
pub fn captures() -> Vec<PathBuf> {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let more = std::env::var_os("TURNSCOPE_CAPTURES").unwrap_or_default();
    let folders = fs::read_dir(samples).unwrap().map(|entry| entry.unwrap().path()).chain(std::env::split_paths(&more));
    let mut found: Vec<PathBuf> = folders
        .filter(|folder| folder.is_dir())
        .flat_map(|folder| fs::read_dir(folder).unwrap())
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "pcap" || end == "pcapng"))
        .collect();
    assert!(found.len() > 20, "the samples are there");
    found.sort();
    found
}
