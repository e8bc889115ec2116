//! What stands at "Wireshark:" can be pasted there: tshark takes the display filters, and they show a frame that the finding cites.
//!
//! One finding of each id is tried, since every filter costs a run of tshark. Without tshark the test says that it was skipped, unless
//! `TURNSCOPE_REQUIRE_TSHARK=1`.

#![allow(clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::thread;
use support::oracle::is_required;
use support::samples;
use turnscope::report::Finding;

/// The path of the capture, and one of its findings.
type Case = (String, Finding);

/// The first finding of each id that has a filter, over all samples.
fn cases() -> Vec<Case> {
    let mut first: BTreeMap<String, Case> = BTreeMap::new();
    for sample in samples::all() {
        for finding in sample.report().findings {
            if finding.filter.is_some() && !finding.places.is_empty() {
                first.entry(finding.id.clone()).or_insert((sample.path.clone(), finding));
            }
        }
    }
    first.into_values().collect()
}

/// The numbers of the frames that tshark shows, or what it says against the filter.
fn shown(path: &str, filter: &str) -> Result<Vec<u64>, String> {
    let mut tshark = Command::new("tshark");
    tshark.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")));
    tshark.args(["-n", "-r", path, "-Y", filter, "-T", "fields", "-e", "frame.number"]);
    let output = tshark.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| line.trim().parse().ok()).collect())
}

/// What is wrong with the filter of a finding, if anything is.
fn fault((path, finding): &Case) -> Option<String> {
    let filter = finding.filter.as_deref().unwrap_or_default();
    let cited: Vec<u64> = finding.places.iter().map(|place| place.frame).collect();
    let fault = match shown(path, filter) {
        Ok(frames) if cited.iter().any(|frame| frames.contains(frame)) => return None,
        Ok(frames) => format!("shows {} frames, none of {cited:?}", frames.len()),
        Err(error) => error,
    };
    Some(format!("{path}, {}\n  {filter}\n  {fault}", finding.id))
}

#[test]
fn the_filter_of_every_kind_of_finding_shows_frames_that_it_cites() {
    if Command::new("tshark").arg("--version").output().is_err() {
        assert!(!is_required(), "tshark is required and not there");
        eprintln!("skipped: no tshark");
        return;
    }
    let cases = cases();
    assert!(cases.len() > 40, "only {} findings have a filter", cases.len());
    let (one, other) = cases.split_at(cases.len() / 2);
    let faults: Vec<String> = thread::scope(|scope| {
        let halves = [one, other].map(|half| scope.spawn(|| half.iter().filter_map(fault).collect::<Vec<_>>()));
        halves.into_iter().flat_map(|half| half.join().expect("no panic")).collect()
    });
    assert!(faults.is_empty(), "{} of {} filters:\n{}", faults.len(), cases.len(), faults.join("\n"));
}
