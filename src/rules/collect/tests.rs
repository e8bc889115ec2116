use super::*;
use crate::net::Endpoint;
use crate::session::Grievance;
use group::MAX_WORDED;

fn seen(key: &str, at: i64, severity: Severity) -> Occurrence {
    Occurrence {
        key: key.to_owned(),
        severity,
        at: Timestamp(at),
        frames: vec![u64::try_from(at).unwrap()],
        ..Occurrence::of("turn-server-error", "")
    }
}

fn names() -> Names {
    Names::new(10, 100)
}

fn grievance(at: i64) -> Grievance {
    let server = Endpoint::v4([192, 0, 2, 1], 3478);
    Grievance::new("192.0.2.9".parse().unwrap(), None, server, Timestamp(at))
}

/// What the client gets over if it gets a relay later.
fn failure(key: &str, at: i64) -> Occurrence {
    Occurrence { remedy: Remedy::Service(grievance(at)), ..seen(key, at, Severity::Failure) }
}

#[test]
fn like_occurrences_are_one_finding_with_a_count_and_its_first_frames() {
    let mut collector = Collector::default();
    for at in 1..=100 {
        collector.add(seen("x", at, Severity::Failure), Text::default);
    }
    let findings = collector.conclude(&Clients::new(10), &names());
    assert_eq!(findings.len(), 1);
    assert_eq!((findings[0].occurrences, findings[0].frames_total), (100, 100));
    assert_eq!(findings[0].frames, (1..=16).collect::<Vec<_>>());
}

#[test]
fn what_is_added_to_a_note_counts_as_if_it_was_told_in_full() {
    let server = ServerAddress(Endpoint::v4([192, 0, 2, 1], 3478));
    let told = |at| seen(&server.to_string(), at, Severity::Note);
    let (mut short, mut full) = (Collector::default(), Collector::default());
    for at in [50, 40, 60, 30] {
        let occurrence = told(at);
        if !short.add_to_note(occurrence.id, server, occurrence.at, &occurrence.frames) {
            short.add(occurrence, Text::default);
        }
        full.add(told(at), Text::default);
    }
    assert_eq!(short.added(), full.added());
    let of = |collector: Collector| {
        let finding = collector.conclude(&Clients::new(10), &names()).remove(0);
        (finding.key, finding.occurrences, finding.at, finding.frames, finding.frames_total)
    };
    assert_eq!(of(short), of(full));
}

#[test]
fn a_failure_that_was_remedied_is_a_warning() {
    let mut clients = Clients::new(10);
    clients.allocated("192.0.2.9".parse().unwrap(), None, Endpoint::v4([192, 0, 2, 1], 3478), Timestamp(50));
    let mut collector = Collector::default();
    collector.add(failure("early", 10), Text::default);
    collector.add(failure("late", 60), Text::default);
    let findings = collector.conclude(&clients, &names());
    assert_eq!(findings[0].key, "turn-server-error/late");
    assert_eq!(findings[0].severity, Severity::Failure);
    assert_eq!(findings[1].severity, Severity::Warning);
}

#[test]
fn one_failure_stands_among_however_many_that_were_got_over() {
    let mut clients = Clients::new(10);
    clients.allocated("192.0.2.9".parse().unwrap(), None, Endpoint::v4([192, 0, 2, 1], 3478), Timestamp(50));
    let concluded = |stands: usize| {
        let mut collector = Collector::default();
        for number in 0..20_000 {
            let from = grievance(if number == stands { 60 } else { 10 });
            let told = Occurrence { remedy: Remedy::Service(from), ..seen("x", 1, Severity::Failure) };
            collector.add(told, Text::default);
            collector.make_room(&clients);
        }
        let finding = collector.conclude(&clients, &names()).remove(0);
        (finding.severity, finding.occurrences, finding.affected.clients_total)
    };
    for stands in [0, 4_095, 4_096, 8_191, 8_192, 19_999] {
        assert_eq!(concluded(stands), (Severity::Failure, 20_000, 1), "{stands}");
    }
    assert_eq!(concluded(usize::MAX), (Severity::Warning, 20_000, 1));
}

#[test]
fn words_are_not_made_for_every_client_that_gets_over_it() {
    let mut clients = Clients::new(20_000);
    let (mut collector, mut worded) = (Collector::default(), 0);
    for number in 0..20_000_u32 {
        let from = Grievance { client: std::net::Ipv4Addr::from_bits(number).into(), ..grievance(10) };
        clients.allocated(from.client, None, from.server, Timestamp(20));
        let told = Occurrence { remedy: Remedy::Service(from), ..seen("x", 1, Severity::Failure) };
        collector.add(told, || {
            worded += 1;
            Text::default()
        });
        collector.make_room(&clients);
    }
    assert_eq!(worded, 1 + MAX_WORDED);
}

#[test]
fn a_client_that_is_known_failed_for_certain_though_others_found_no_room() {
    let confidence = |first: &str| {
        let mut clients = Clients::new(1);
        for client in [first, "192.0.2.77"] {
            clients.data(client.parse().unwrap(), Timestamp(5));
        }
        let mut collector = Collector::default();
        collector.add(failure("", 10), Text::default);
        collector.conclude(&clients, &names())[0].confidence
    };
    assert_eq!(confidence("192.0.2.9"), Confidence::Certain);
    assert_eq!(confidence("192.0.2.8"), Confidence::Likely);
}

#[test]
fn what_is_less_grave_does_not_uphold_a_failure_that_was_got_over() {
    let mut clients = Clients::new(10);
    clients.allocated("192.0.2.9".parse().unwrap(), None, Endpoint::v4([192, 0, 2, 1], 3478), Timestamp(50));
    let told = |at, severity, from| Occurrence { remedy: Remedy::Service(grievance(from)), ..seen("x", at, severity) };
    let concluded = |from: i64| {
        let mut collector = Collector::default();
        for (at, severity, from) in [(1, Severity::Warning, 60), (2, Severity::Failure, from), (3, Severity::Note, 60)]
        {
            collector.add(told(at, severity, from), || Text { title: at.to_string(), ..Text::default() });
        }
        collector.conclude(&clients, &names()).remove(0)
    };
    let (got_over, stands) = (concluded(10), concluded(60));
    assert_eq!((got_over.severity, got_over.occurrences), (Severity::Warning, 3));
    assert_eq!((stands.severity, stands.text.title.as_str()), (Severity::Failure, "2"));
}

#[test]
fn what_befell_the_same_client_is_its_cause_and_not_what_befell_another_of_the_same_server() {
    let mut collector = Collector::default();
    let server = Some(ServerAddress(Endpoint::v4([192, 0, 2, 1], 3478)));
    let of = |host: u8| {
        let client = Some(ClientAddress(Endpoint::v4([192, 0, 2, host], 1)));
        Subject { client, server, ..Subject::default() }
    };
    for (id, host) in [("turn-integrity-rejected", 8), ("turn-quota", 9)] {
        let told = Occurrence { id, subject: of(host), ..seen("", 1, Severity::Failure) };
        collector.add(told, Text::default);
    }
    let (id, causes): (_, &[&str]) = ("ice-no-relay-candidate", &["turn-integrity-rejected", "turn-quota"]);
    collector.add(Occurrence { id, causes, subject: of(9), ..seen("", 1, Severity::Failure) }, Text::default);
    let findings = collector.conclude(&Clients::new(10), &names());
    let found = findings.iter().find(|found| found.id == "ice-no-relay-candidate").unwrap();
    assert_eq!(found.caused_by.as_deref(), Some("turn-quota"));
}

#[test]
fn what_befell_the_other_side_is_a_cause_where_nothing_befell_this_one() {
    let at = |host: u8| Endpoint::v4([192, 0, 2, host], 1);
    let of = |host| Subject { client: Some(ClientAddress(at(host))), ..Subject::default() };
    let caused_by = |struck: &[u8]| {
        let mut collector = Collector::default();
        for &host in struck {
            let told = Occurrence { subject: of(host), ..seen(&host.to_string(), 1, Severity::Warning) };
            collector.add(told, Text::default);
        }
        let subject = Subject { peer: Some(PeerAddress(at(9))), ..of(8) };
        let symptom = Occurrence {
            id: "ice-consent-lost",
            causes: &["turn-server-error"],
            subject,
            ..seen("", 2, Severity::Failure)
        };
        collector.add(symptom, Text::default);
        let findings = collector.conclude(&Clients::new(10), &names());
        findings.iter().find(|found| found.id == "ice-consent-lost").unwrap().caused_by.clone()
    };
    assert_eq!(caused_by(&[7]), None);
    assert_eq!(caused_by(&[7, 9]).as_deref(), Some("turn-server-error/9"));
    assert_eq!(caused_by(&[9, 8]).as_deref(), Some("turn-server-error/8"));
}

#[test]
fn a_cause_comes_before_its_symptom() {
    let mut collector = Collector::default();
    let client = Some(ClientAddress(Endpoint::v4([192, 0, 2, 9], 1)));
    let subject = Subject { client, ..Subject::default() };
    let symptom = Occurrence {
        id: "turn-allocation-gone",
        causes: &["turn-server-error"],
        subject: subject.clone(),
        ..seen("", 1, Severity::Failure)
    };
    collector.add(symptom, Text::default);
    collector.add(Occurrence { subject, ..seen("", 2, Severity::Failure) }, Text::default);
    let findings = collector.conclude(&Clients::new(10), &names());
    assert_eq!(findings[0].id, "turn-server-error");
    assert_eq!(findings[1].caused_by.as_deref(), Some("turn-server-error"));
}
