//! Runs the library over bytes of a capture, as the command does over a file.

use std::net::IpAddr;
use turnscope::analyzer::{self, Analyzed, Analyzer, Filters, Host, IcmpAnswers, Options};
use turnscope::capture::Capture;
use turnscope::event::{Body, Framing, Row, Via};
use turnscope::net::Network;
use turnscope::report::ladder::{Collector, Ladder};
use turnscope::report::{Finding, Report};
use turnscope::session::credentials::Credentials;
use turnscope::session::deployment::Deployment;
use turnscope::session::signalling::Signalling;
use turnscope::time::Span;

/// The report on a capture, without credentials.
pub fn report(capture: &[u8]) -> Report {
    report_with(capture, "")
}

/// The report on a capture, with the credentials of a TOML text.
pub fn report_with(capture: &[u8], credentials: &str) -> Report {
    report_of(capture, Options { credentials: given(credentials), ..Options::default() })
}

/// The credentials of a TOML text, or none.
pub fn given(toml: &str) -> Credentials {
    let mut given = Credentials::default();
    if !toml.is_empty() {
        given.add_toml(toml, "credentials.toml").expect("the test's credentials are well-formed");
    }
    given
}

/// The report on a capture with session descriptions beside it: the name and text of each file.
pub fn report_told(capture: &[u8], files: &[(&str, &str)]) -> Report {
    let (mut signalling, mut credentials) = (Signalling::default(), Credentials::default());
    for (name, text) in files {
        let told = turnscope::session::signalling::read(text.as_bytes(), name).expect("the test's description is one");
        signalling.take(&told, &mut credentials);
    }
    report_of(capture, Options { credentials, signalling, ..Options::default() })
}

/// The report on a capture, with session descriptions.
pub fn report_signalled(capture: &[u8], signalling: Signalling) -> Report {
    report_of(capture, Options { signalling, ..Options::default() })
}

/// The report on a capture with the deployment as it should be, and logs beside it: the name and text of each.
pub fn report_beside(capture: &[u8], deployment: &str, logs: &[(&str, &str)], offset: Option<Span>) -> Report {
    let mut stated = Deployment::default();
    if !deployment.is_empty() {
        stated.add_file(deployment, "deployment.toml").expect("the test's deployment is well-formed");
    }
    let options = Options { deployment: stated, ..Options::default() };
    let part = analyzed("test.pcap", capture, options, &mut |_| {});
    let logs: Vec<(String, &[u8])> = logs.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes())).collect();
    analyzer::report_beside(vec![part], &logs, offset)
}

/// The report on what of a capture is from or to one host.
pub fn report_of_host(pcap: &[u8], host: IpAddr) -> Report {
    let hosts = vec![Host { network: Network::of(host), port: None }];
    report_of(pcap, Options { filters: Filters { hosts, ..Filters::default() }, ..Options::default() })
}

/// The report on a capture, read with these options.
pub fn report_of(capture: &[u8], options: Options) -> Report {
    analyzer::report(vec![analyzed("test.pcap", capture, options, &mut |_| {})])
}

fn analyzed(path: &str, capture: &[u8], options: Options, tell: &mut impl FnMut(&Row<'_>)) -> Analyzed {
    let mut frames = Capture::open(capture).expect("the test's capture is one");
    let mut analyzer = Analyzer::new(options);
    while let Some(frame) = frames.next_frame() {
        analyzer.frame(&frame, tell);
    }
    analyzer.finish(path.to_owned(), frames.info())
}

/// The ladder of a capture and the report on it, as `flow` has them: media and ICMP errors included.
pub fn ladder(path: &str, capture: &[u8], credentials: &str) -> (Ladder, Report) {
    let mut frames = Capture::open(capture).expect("the test's capture is one");
    let mut errors = IcmpAnswers::default();
    while let Some(frame) = frames.next_frame() {
        errors.frame(&frame);
    }
    let mut collector = Collector::new(0);
    let options = Options { credentials: given(credentials), media: true, icmp: errors.finish(), ..Options::default() };
    let report = analyzer::report(vec![analyzed(path, capture, options, &mut |row| collector.row(row))]);
    (Ladder::new(vec![collector], &report), report)
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

/// What is told has these words in it.
#[track_caller]
pub fn assert_says(told: &str, words: &str) {
    assert!(told.contains(words), "{words:?} is not in: {told}");
}

/// The frames that a finding lists.
pub fn frames_of(report: &Report, id: &str) -> Vec<u64> {
    finding(report, id).places.iter().map(|place| place.frame).collect()
}

/// What `messages` would print of one message, reduced to what tests ask about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub frame: u64,
    /// From the transport inwards.
    pub layers: Vec<&'static str>,
    /// Of a nested message: `peer` and `relayed`, where known.
    pub hop: Option<(Option<String>, Option<String>)>,
    pub request_frame: Option<u64>,
    pub rtt_us: Option<i64>,
    pub retransmission_of: Option<u64>,
}

/// The rows of all messages, media left out.
pub fn rows(capture: &[u8]) -> Vec<Told> {
    let mut frames = Capture::open(capture).expect("the test's capture is one");
    let mut analyzer = Analyzer::new(Options::default());
    let mut told = Vec::new();
    let mut tell = |row: &Row<'_>| {
        let event = row.event;
        let innermost = match event.body {
            Body::Stun(_) => "stun",
            Body::ChannelData(_) => "channel-data",
            Body::Dtls(_) => "dtls",
            Body::Tls(_) => "tls",
            Body::Rtp(_) => "rtp",
            Body::Rtcp(_) => "rtcp",
        };
        let hops = event.hops.iter().map(|hop| hop.via.layer());
        let hop = event.hops.last();
        let framing = match event.framing {
            Framing::Bare | Framing::Tls => None,
            Framing::Rfc4571 => Some("rfc4571"),
            Framing::MsTurn => Some("ms-turn"),
        };
        let is_bound = event.hops.iter().any(|hop| hop.via == Via::Connection);
        told.push(Told {
            frame: event.frame,
            layers: [if event.transport.is_stream() { "tcp" } else { "udp" }]
                .into_iter()
                .chain(framing.filter(|_| !is_bound))
                .chain(hops)
                .chain(framing.filter(|_| is_bound))
                .chain([innermost])
                .collect(),
            hop: hop.map(|hop| (hop.peer.map(|peer| peer.to_string()), hop.relayed.map(|relayed| relayed.to_string()))),
            request_frame: row.request_frame,
            rtt_us: row.rtt.map(|rtt| rtt.micros()),
            retransmission_of: row.retransmission_of,
        });
    };
    while let Some(frame) = frames.next_frame() {
        analyzer.frame(&frame, &mut tell);
    }
    analyzer.drain(&mut tell);
    told
}
