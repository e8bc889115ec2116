//! Calls that work, or of which nothing can be said, and that look like those that fail: no failure, and no warning that is not due.

mod support;

use support::analyze::report;
use support::calls::{Faults, failures, graver};
use support::degrade::{self, Shot, shots};
use support::lookalikes::{Case, cases};

/// Cases in which nothing at all goes wrong: what remains of them shows no trouble of which the excuse was lost.
fn untroubled() -> impl Iterator<Item = Case> {
    cases().into_iter().filter(|(name, _, due)| due.is_empty() && !name.contains("go unanswered since"))
}

/// A look-alike in some guise: no failure, and where the guise takes nothing away no warning that is not due.
fn check(faults: &mut Faults, name: &str, how: &str, shots: &[Shot], due: Option<&[&str]>) {
    let report = report(&degrade::pcap(shots));
    let undue = due.is_some_and(|due| graver(&report).iter().any(|id| !due.contains(id)));
    if undue || !failures(&report).is_empty() {
        faults.add(name, how, &report);
    }
}

#[test]
fn what_works_carries_no_failure_and_only_the_warnings_that_are_due() {
    let mut faults = Faults::default();
    for (name, scene, due) in cases() {
        check(&mut faults, name, "as it is", &shots(&scene), Some(due));
    }
}

#[test]
fn what_works_carries_no_failure_wherever_the_capture_starts_and_ends() {
    let mut faults = Faults::default();
    for (name, scene, _) in untroubled() {
        let all = shots(&scene);
        for place in 1..all.len().min(60) {
            check(&mut faults, name, &format!("from frame {} on", place + 1), &all[place..], None);
        }
    }
}

#[test]
fn what_works_carries_no_failure_with_one_frame_lost_by_the_capture() {
    let mut faults = Faults::default();
    for (name, scene, _) in untroubled() {
        let all = shots(&scene);
        for lost in 0..all.len().min(60) {
            let mut kept = all.clone();
            kept.remove(lost);
            check(&mut faults, name, &format!("without frame {}", lost + 1), &kept, None);
        }
    }
}

#[test]
fn what_works_carries_no_failure_with_one_direction_short_frames_or_copies() {
    let mut faults = Faults::default();
    for (name, scene, due) in cases() {
        let all = shots(&scene);
        let Some(end) = all.last() else { continue };
        for ip in ["172.16.84.124", "203.0.113.1", "198.51.100.9", "198.51.100.7"] {
            let mut sent = degrade::from(&all, ip);
            sent.push(end.clone());
            let mut got = degrade::to(&all, ip);
            got.push(end.clone());
            if due.is_empty() {
                check(&mut faults, name, &format!("only what {ip} sends"), &sent, None);
                check(&mut faults, name, &format!("only what {ip} gets"), &got, None);
            }
        }
        for length in [60, 72, 96, 128] {
            check(&mut faults, name, &format!("{length} bytes of each frame"), &degrade::snapped(&all, length), None);
        }
        for after in [0, 30, 900, 5000] {
            check(
                &mut faults,
                name,
                &format!("each frame twice within {after} us"),
                &degrade::mirrored(&all, after),
                Some(due),
            );
        }
        let nat = degrade::both_sides_of_a_nat(&all, "172.16.84.124", "198.51.100.200");
        check(&mut faults, name, "both sides of a NAT", &nat, Some(due));
    }
}

#[test]
fn what_works_carries_no_failure_where_the_clock_is_set() {
    let mut faults = Faults::default();
    for (name, scene, due) in cases().into_iter().filter(|(name, _, _)| !name.starts_with("a host")) {
        let all = shots(&scene);
        for place in 1..all.len().min(30) {
            for by in [-3_600_000, -2_000, 3_000, 3_600_000] {
                if by > 0 && !due.is_empty() {
                    continue;
                }
                check(
                    &mut faults,
                    name,
                    &format!("clock set by {by} ms before frame {}", place + 1),
                    &degrade::clock_set(&all, place, by),
                    None,
                );
            }
        }
    }
}

#[test]
fn what_works_carries_no_failure_in_a_capture_with_a_gap() {
    let mut faults = Faults::default();
    for (name, scene, _) in untroubled() {
        let all = shots(&scene);
        for (start, length) in (1..all.len().min(40)).flat_map(|start| [(start, 2), (start, 3), (start, 5), (start, 9)])
        {
            if start + length + 1 >= all.len() {
                continue; // nothing is left that shows how it went on
            }
            let kept: Vec<Shot> = all[..start].iter().chain(all.iter().skip(start + length)).cloned().collect();
            check(&mut faults, name, &format!("without {length} frames from {} on", start + 1), &kept, None);
        }
    }
}

#[test]
fn what_works_carries_no_failure_on_both_sides_of_the_servers_nat_or_with_a_coarse_clock() {
    let mut faults = Faults::default();
    for (name, scene, due) in cases() {
        let all = shots(&scene);
        let nat = degrade::both_sides_of_a_nat(&all, "203.0.113.1", "203.0.113.200");
        check(&mut faults, name, "both sides of the server's NAT", &nat, Some(due));
        check(&mut faults, name, "whole seconds", &degrade::coarse(&all), Some(due));
    }
}
