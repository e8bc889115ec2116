//! The display filter of each finding in the samples' expected reports is one that tshark takes, and shows the frames that the finding names, to who has no keys,
//! too: all that tshark knows, and of each kind of finding at least one. Without tshark the test says that it was skipped; `TURNSCOPE_REQUIRE_TSHARK=1` makes it fail then.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use support::of_each;
use support::oracle::{fields, has_tshark};

/// A display filter on a capture, and for each finding that gives it the frames which that names there.
type Asked = BTreeMap<(PathBuf, String), Vec<(String, BTreeSet<u64>)>>;

fn asked() -> Asked {
    let mut asked = Asked::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for sample in fs::read_dir(root.join("samples")).unwrap() {
        let Ok(text) = fs::read(sample.unwrap().path().join("expected.json")) else { continue };
        let report: Value = serde_json::from_slice(&text).unwrap();
        for finding in report["findings"].as_array().unwrap() {
            let Some(filter) = finding["filter"].as_str() else { continue };
            let mut frames: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
            for place in finding["places"].as_array().unwrap() {
                let [capture, frame] = ["capture", "frame"].map(|key| place[key].as_u64().unwrap());
                frames.entry(capture).or_default().insert(frame);
            }
            for (capture, frames) in frames {
                let path = report["captures"][usize::try_from(capture).unwrap()]["path"].as_str().unwrap();
                let id = finding["id"].as_str().unwrap().to_owned();
                asked.entry((root.join(path), filter.to_owned())).or_default().push((id, frames));
            }
        }
    }
    asked
}

/// The frames whose last layer tshark does not know: records of DTLS 1.3, messages that are too malformed for it. No filter by layer shows them.
fn unknown(path: &Path, frames: &BTreeSet<u64>) -> BTreeSet<u64> {
    let listed: Vec<String> = frames.iter().map(u64::to_string).collect();
    let filter = format!("frame.number in {{{}}}", listed.join(", "));
    let rows = fields(path, &["-n", "-Y", &filter], &["frame.number", "frame.protocols"]);
    let unknown = |row: &Vec<String>| row[1].ends_with(":data").then(|| row[0].parse().unwrap());
    rows.unwrap().iter().filter_map(unknown).collect()
}

#[test]
fn the_display_filter_of_a_finding_shows_its_frames() {
    if !has_tshark() {
        return;
    }
    let asked: Vec<_> = asked().into_iter().collect();
    assert!(asked.len() > 150, "findings were compared: {}", asked.len());
    let told = of_each(&asked, |((path, filter), findings)| {
        let place = format!("{}: {filter}", path.display());
        let rows = match fields(path, &["-n", "-Y", filter], &["frame.number"]) {
            Ok(rows) => rows,
            Err(error) => return (BTreeSet::new(), vec![format!("{place}: {error}")]),
        };
        let rows: BTreeSet<u64> = rows.iter().map(|row| row[0].parse().unwrap()).collect();
        let shown = findings.iter().filter(|(_, frames)| !frames.is_disjoint(&rows)).map(|(id, _)| id.clone());
        let missing = findings.iter().filter_map(|(id, frames)| {
            let hidden: BTreeSet<u64> = frames.difference(&rows).copied().collect();
            let hidden = if hidden.is_empty() { hidden } else { &hidden - &unknown(path, &hidden) };
            (!hidden.is_empty()).then(|| format!("{place} does not show {hidden:?} of {id}"))
        });
        (shown.collect(), missing.collect())
    });
    let (shown, wrong): (Vec<BTreeSet<String>>, Vec<Vec<String>>) = told.into_iter().unzip();
    let wrong = wrong.concat();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let shown: BTreeSet<String> = shown.into_iter().flatten().collect();
    let kinds: BTreeSet<&String> = asked.iter().flat_map(|(_, findings)| findings).map(|(id, _)| id).collect();
    assert!(kinds.len() > 40, "kinds of findings were compared: {}", kinds.len());
    let hidden: Vec<_> = kinds.into_iter().filter(|&id| !shown.contains(id)).collect();
    assert!(hidden.is_empty(), "no frame of them is shown: {hidden:?}");
}
