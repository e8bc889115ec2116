//! What reports on degraded captures are held to: findings may become fewer, or only likely, and never wrong.

use super::of_each;
use super::samples::{self, Sample};
use std::collections::BTreeSet;
use turnscope::analyzer::{self, Analyzer, Options};
use turnscope::capture::Capture;
use turnscope::frame::{Frame, LinkType};
use turnscope::report::{Confidence, Report, Severity, Verdict};
use turnscope::session::credentials::Credentials;
use turnscope::session::signalling::{self, Signalling};
use turnscope::time::Timestamp;

/// Runs a check on every sample, on as many threads as the machine has processors, and fails with all that they complained about.
pub fn on_every_sample(check: impl Fn(&Sample, &mut Vec<String>) + Sync) {
    on_all(&samples::all(), check);
}

/// The same on some samples.
pub fn on_all(samples: &[Sample], check: impl Fn(&Sample, &mut Vec<String>) + Sync) {
    let complaints: Vec<String> = of_each(samples, |sample| {
        let mut own = Vec::new();
        check(sample, &mut own);
        let more = own.len().saturating_sub(6);
        own.truncate(6);
        if more > 0 {
            own.push(format!("and {more} more"));
        }
        own.iter().map(|what| format!("{}: {what}", sample.name)).collect::<Vec<_>>()
    })
    .concat();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// The ids of findings that are said to be certain failures.
pub fn certain_failures(report: &Report) -> BTreeSet<String> {
    let certain =
        report.findings.iter().filter(|f| f.severity == Severity::Failure && f.confidence == Confidence::Certain);
    certain.map(|finding| finding.id.clone()).collect()
}

/// What the report on a part claims and the report on the whole knows nothing of.
///
/// A refusal that is only a warning in the whole, because the client had what it wanted later, may be a failure in a part that ends before.
pub fn new_failures(whole: &Report, part: &Report) -> Vec<String> {
    new_beside(&[whole], part)
}

/// What a report claims and none of several others knows anything of.
pub fn new_beside(wholes: &[&Report], part: &Report) -> Vec<String> {
    let known: BTreeSet<&str> =
        wholes.iter().flat_map(|whole| &whole.findings).map(|finding| finding.id.as_str()).collect();
    let claims = |id: &String| {
        let finding = part.findings.iter().find(|finding| finding.id == *id).unwrap();
        let frames: Vec<u64> = finding.places.iter().map(|place| place.frame).collect();
        format!("{id} in frames {frames:?}")
    };
    let mut new: Vec<String> =
        certain_failures(part).iter().filter(|id| !known.contains(id.as_str())).map(claims).collect();
    let healthy = wholes.iter().all(|whole| matches!(whole.verdict, Verdict::Healthy | Verdict::NothingFound));
    if part.verdict == Verdict::Failure && healthy {
        new.push("the verdict: a failure".to_owned());
    }
    new
}

/// One frame on its own.
#[derive(Clone, Debug)]
pub struct Kept {
    pub ns: i64,
    pub bytes: Vec<u8>,
    pub link: LinkType,
    pub wire: u32,
}

/// The frames of a sample, those that know their time.
pub fn frames(sample: &Sample) -> Vec<Kept> {
    let mut capture = Capture::open(&sample.bytes[..]).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = capture.next_frame() {
        if let Some(time) = frame.time {
            let bytes = frame.data.to_vec();
            frames.push(Kept { ns: time.0, bytes, link: frame.link_type, wire: frame.original_len });
        }
    }
    frames
}

/// The report on frames, in this order, with what lies beside some samples.
pub fn report_on(frames: &[Kept], beside: &[&Sample]) -> Report {
    let (mut credentials, mut signalling) = (Credentials::default(), Signalling::default());
    for sample in beside {
        if !sample.credentials.is_empty() {
            credentials.add_toml(&sample.credentials, "credentials.toml").unwrap();
        }
        for (name, bytes) in &sample.descriptions {
            signalling.take(&signalling::read(bytes, name).unwrap(), &mut credentials);
        }
    }
    let mut analyzer = Analyzer::new(Options { credentials, signalling, ..Options::default() });
    for (number, frame) in (1..).zip(frames) {
        let frame = Frame {
            number,
            time: Some(Timestamp(frame.ns)),
            digits: 9,
            link_type: frame.link,
            data: &frame.bytes,
            original_len: frame.wire,
            fcs_len: 0,
            big_endian: false,
        };
        analyzer.frame(&frame, &mut |_| {});
    }
    // the file itself plays no part any more
    let empty = super::degrade::pcap(&[]);
    let capture = Capture::open(&empty[..]).unwrap();
    analyzer::report(vec![analyzer.finish("made of frames".to_owned(), capture.info())])
}

/// Both captures as one, the second beginning `after` nanoseconds after the first.
pub fn merged(one: &[Kept], other: &[Kept], after: i64) -> Vec<Kept> {
    let (Some(first), Some(second)) = (one.first(), other.first()) else { return Vec::new() };
    let by = first.ns - second.ns + after;
    let later = other.iter().map(|kept| Kept { ns: kept.ns + by, ..kept.clone() });
    let mut all: Vec<Kept> = one.iter().cloned().chain(later).collect();
    all.sort_by_key(|kept| kept.ns);
    all
}
