//! Runs the library over bytes of a capture, as the command does over a file.

use turnscope::analyzer::{self, Analyzer, Options};
use turnscope::capture::Capture;
use turnscope::report::{Finding, Report};
use turnscope::session::credentials::Credentials;

/// The report on a capture, without credentials.
pub fn report(capture: &[u8]) -> Report {
    report_with(capture, "")
}

/// The report on a capture, with the credentials of a TOML text.
pub fn report_with(capture: &[u8], credentials: &str) -> Report {
    let mut given = Credentials::default();
    if !credentials.is_empty() {
        given.add_toml(credentials, "credentials.toml").expect("the test's credentials are well-formed");
    }
    let mut frames = Capture::open(capture).expect("the test's capture is one");
    let mut analyzer = Analyzer::new(Options { credentials: given, ..Options::default() });
    while let Some(frame) = frames.next_frame() {
        analyzer.frame(&frame, &mut |_| {});
    }
    analyzer::report(vec![analyzer.finish("test.pcap".to_owned(), frames.info())])
}

/// The ids of all findings of a report, in its order.
pub fn ids(report: &Report) -> Vec<&str> {
    report.findings.iter().map(|finding| finding.id.as_str()).collect()
}

/// The finding with this id.
pub fn finding<'r>(report: &'r Report, id: &str) -> &'r Finding {
    let found = report.findings.iter().find(|finding| finding.id == id);
    found.unwrap_or_else(|| panic!("no {id} among {:?}", ids(report)))
}
