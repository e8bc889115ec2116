//! What a capture at a conference server (an SFU) says of those participants for whom it does not work, among those for whom it does.

#![allow(clippy::indexing_slicing, clippy::panic)]

mod support;

use support::analyze::{assert_says, finding, report};
use support::dtls::{self, DTLS_1_2, End, Offer, certificate};
use support::*;
use turnscope::report::{Finding, Report, Verdict};
use turnscope::rules::{Confidence, Severity};

const SFU: &str = "203.0.113.9:10000";
const END: u64 = 60_000;

/// A participant, as the server's host sees it. Its browser asks for DTLS and for consent; the server only answers, unless it is a full agent.
struct Participant {
    number: u8,
    at: String,
    sfu: String,
    own: IceSide,
    its: IceSide,
    ends: [End; 2],
    /// Milliseconds since the capture began.
    now: u64,
    sequence: u16,
    is_full: bool,
}

/// What goes on between a participant and the server.
#[derive(Clone, Copy)]
struct Going {
    up: bool,
    down: bool,
    checks: Checks,
    /// The server's, where it is a full agent.
    back: Checks,
}

#[derive(Clone, Copy, PartialEq)]
enum Checks {
    None,
    Answered,
    InVain,
    Refused,
}

const WELL: Going = Going { up: true, down: true, checks: Checks::Answered, back: Checks::Answered };

impl Participant {
    fn new(number: u8, at: &str, sfu: &str) -> Participant {
        Participant {
            number,
            at: at.to_owned(),
            sfu: sfu.to_owned(),
            own: IceSide::new(&format!("own{number:03}"), &format!("password-of-participant-{number:03}"), 7),
            its: IceSide::new(&format!("sfu{number:03}"), &format!("password-of-the-sfu-for-{number:03}"), 1),
            ends: Default::default(),
            now: 500 + u64::from(number) * 700,
            sequence: u16::from(number) * 300,
            is_full: false,
        }
    }

    /// One of a network of its own.
    fn anywhere(number: u8, sfu: &str) -> Participant {
        Participant::new(number, &format!("198.{number}.100.7:40{number:03}"), sfu)
    }

    /// With a server that is a full agent.
    fn of_full_agent(self) -> Participant {
        Participant { is_full: true, ..self }
    }

    fn after(&mut self, scene: &mut Scene, milliseconds: u64) {
        self.now += milliseconds;
        scene.at_us(self.now * 1000 + u64::from(self.number));
    }

    fn check(&mut self, scene: &mut Scene, dress: impl FnOnce(Stun) -> Stun) -> Sent {
        self.after(scene, 20);
        let dress = |check: Stun| dress(check.attribute(0xC057, [0, 1, 0, 10])); // GOOG-NETWORK-INFO
        scene.ice_check(&*self.at, &*self.sfu, (&self.own, &self.its), true, dress)
    }

    fn answered(&mut self, scene: &mut Scene, dress: impl FnOnce(Stun) -> Stun) {
        let check = self.check(scene, dress);
        scene.after_ms(1).ice_answer(&check, &self.its);
    }

    fn asks_back(&mut self, scene: &mut Scene) -> Sent {
        self.after(scene, 20);
        scene.ice_check(&*self.sfu, &*self.at, (&self.its, &self.own), false, |check| check)
    }

    fn connect(&mut self, scene: &mut Scene) {
        self.answered(scene, |check| check);
        if self.is_full {
            let check = self.asks_back(scene);
            scene.after_ms(5).ice_answer(&check, &self.own);
        }
        self.answered(scene, Stun::use_candidate);
    }

    fn up(&mut self, scene: &mut Scene, payload: Vec<u8>) {
        self.after(scene, 5);
        scene.udp(&*self.at, &*self.sfu, payload);
    }

    fn down(&mut self, scene: &mut Scene, payload: Vec<u8>) {
        self.after(scene, 5);
        scene.udp(&*self.sfu, &*self.at, payload);
    }

    fn hello(&mut self) -> Vec<u8> {
        self.ends[0].client_hello(&Offer { random: self.number, ..Offer::default() })
    }

    fn flight(&mut self) -> Vec<u8> {
        let random = 255 - self.number;
        let end = &mut self.ends[1];
        let hello = end.server_hello(random, DTLS_1_2, 0xC02B);
        let certificate = end.certificate(&[&certificate("sfu")]);
        [hello, certificate, end.server_key_exchange(), end.certificate_request(), end.server_hello_done()].concat()
    }

    fn shake(&mut self, scene: &mut Scene) {
        let (hello, flight) = (self.hello(), self.flight());
        self.up(scene, hello);
        self.down(scene, flight);
        let flight = self.ends[0].client_flight(&certificate("participant"));
        self.up(scene, flight);
        let last = self.ends[1].last_flight();
        self.down(scene, last);
    }

    fn join(&mut self, scene: &mut Scene) {
        self.connect(scene);
        self.shake(scene);
    }

    /// Ten packets of RTP a second, a report each second and a check every two, until a time.
    fn goes_on(&mut self, scene: &mut Scene, until: u64, going: Going) {
        let (own, its) = (u32::from(self.number), 0x5000 + u32::from(self.number));
        while self.now < until {
            let began = self.now;
            self.sequence += 1;
            let (tick, stamp) = (self.sequence, u32::from(self.sequence) * 4800);
            if going.up {
                self.up(scene, payload::rtp(111, tick, stamp, own, 90));
            }
            if going.down {
                self.down(scene, payload::rtp(96, tick, stamp, its, 90));
            }
            if tick.is_multiple_of(10) && going.up {
                self.up(scene, payload::srtcp(&payload::rtcp_sender_report(own, tick.into()), tick.into()));
            }
            if tick.is_multiple_of(10) && going.down {
                self.down(scene, payload::srtcp(&payload::rtcp_sender_report(its, tick.into()), tick.into()));
            }
            if tick.is_multiple_of(20) && going.checks != Checks::None
                || going.checks == Checks::InVain && tick % 5 == 0
            {
                let check = self.check(scene, |check| check);
                match going.checks {
                    Checks::Answered => _ = scene.after_ms(1).ice_answer(&check, &self.its),
                    Checks::Refused => _ = scene.after_ms(1).refuse(&check, 401, "Unauthorized"),
                    _ => {}
                }
            }
            if self.is_full && tick.is_multiple_of(20) && going.back != Checks::None {
                let check = self.asks_back(scene);
                if going.back == Checks::Answered {
                    scene.after_ms(5).ice_answer(&check, &self.own);
                }
            }
            self.now = began + 100;
        }
    }

    fn works(&mut self, scene: &mut Scene) {
        self.join(scene);
        self.goes_on(scene, END, WELL);
    }

    /// The server asks it in vain.
    fn is_asked_in_vain(&mut self, scene: &mut Scene) {
        for _ in 0..30 {
            self.after(scene, 400);
            self.asks_back(scene);
        }
    }

    /// The server answers its checks, and no hello.
    fn gets_no_dtls(&mut self, scene: &mut Scene) {
        self.connect(scene);
        let hello = self.hello();
        for time in 0..6 {
            let hello = dtls::again(&mut self.ends[0], &hello);
            self.up(scene, hello);
            self.answered(scene, |check| check);
            self.after(scene, 500 << time.min(3));
        }
    }

    /// The server sends it a hello in vain, and answers its checks.
    fn gives_no_dtls(&mut self, scene: &mut Scene) {
        self.connect(scene);
        let hello = self.hello();
        for time in 0..6 {
            let hello = dtls::again(&mut self.ends[0], &hello);
            self.down(scene, hello);
            self.answered(scene, |check| check);
            self.after(scene, 500 << time.min(3));
        }
    }
}

/// What is said of a conference of so many.
fn conference(participants: u8, each: impl Fn(u8, &mut Scene)) -> Report {
    let mut scene = Scene::new();
    (0..participants).for_each(|number| each(number, &mut scene));
    report(&scene.in_order().later(30).pcap())
}

/// The one finding of these words that is no note.
fn only<'r>(report: &'r Report, id: &str) -> &'r Finding {
    let grave: Vec<&Finding> = report.findings.iter().filter(|found| found.severity != Severity::Note).collect();
    let [found] = &grave[..] else { panic!("{}\n{}", report.headline, calls::show(report)) };
    assert_eq!(found.id, id);
    found
}

#[test]
fn what_a_server_agrees_on_with_others_is_no_comfort_for_the_one_that_it_does_not_answer() {
    for others in [4, 12] {
        let report = conference(others, |number, scene| match number {
            2 => Participant::anywhere(number, SFU).gets_no_dtls(scene),
            _ => Participant::anywhere(number, SFU).works(scene),
        });
        let found = only(&report, "dtls-no-answer");
        assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain), "{}", report.headline);
        assert_says(&report.headline, "203.0.113.9:10000 does not answer DTLS: 198.2.100.7:40002 sent its ClientHello");
    }
}

#[test]
fn the_ports_of_a_server_at_which_participants_fail_are_told_from_those_at_which_they_do_not() {
    let report = conference(16, |number, scene| match number % 4 {
        3 => Participant::anywhere(number, "203.0.113.9:10001").gets_no_dtls(scene),
        _ => Participant::anywhere(number, SFU).works(scene),
    });
    let found = only(&report, "dtls-no-answer");
    assert_eq!((found.severity, found.occurrences, found.affected.clients_total), (Severity::Failure, 4, 4));
    let told = "3 others met the same with it, all of them at its port 10001, while others exchange data with it at its port 10000.";
    assert_says(&found.explanation, told);
    assert_says(&found.fix, "See what is different about port 10001 of 203.0.113.9");
}

#[test]
fn participants_that_a_server_asks_in_vain_are_told_of_and_not_it() {
    // the upper half of its ports is closed
    let report = conference(16, |number, scene| {
        let sfu = format!("203.0.113.9:{}", 40_000 + u16::from(number) * 5);
        let mut participant = Participant::anywhere(number, &sfu).of_full_agent();
        if number < 8 { participant.works(scene) } else { participant.is_asked_in_vain(scene) }
    });
    let found = only(&report, "ice-checks-unanswered");
    assert_eq!((report.verdict, found.confidence), (Verdict::Failure, Confidence::Certain), "{}", report.headline);
    assert_says(&report.headline, "No connectivity check between 203.0.113.9 and 198.8.100.7 is answered (and 7 other");
    let told =
        "all of them at its ports 40040 to 40075, while others exchange data with it at its ports 40000 to 40035.";
    assert_says(&found.explanation, told);
    // it announces an address of its own network
    let report = conference(12, |number, scene| {
        if number < 4 {
            let at = format!("10.0.0.{}:40000", 50 + number);
            Participant::new(number, &at, "10.0.0.9:10000").of_full_agent().works(scene);
        } else {
            Participant::anywhere(number, "10.0.0.9:10000").of_full_agent().is_asked_in_vain(scene);
        }
    });
    let found = only(&report, "ice-checks-unanswered");
    assert_eq!((report.verdict, found.confidence), (Verdict::Failure, Confidence::Certain), "{}", report.headline);
    assert_says(
        &found.explanation,
        "while 4 hosts go on exchanging data with it, so that it is not 10.0.0.9 as a whole",
    );
    assert_says(&found.explanation, "none of them is in 10.0.0.0/24, its own network, and all that go on are");
    // one that calls others, from a port for each or from one for all, calls some in vain
    for ports in [1, 0] {
        let report = conference(12, |number, scene| {
            let caller = format!("192.0.2.9:{}", 40_000 + u16::from(number) * ports);
            let mut participant = Participant::anywhere(number, &caller).of_full_agent();
            if number % 2 == 0 { participant.works(scene) } else { participant.is_asked_in_vain(scene) }
        });
        assert_eq!(report.verdict, Verdict::Warning, "{}", report.headline);
    }
}

#[test]
fn participants_that_leave_without_a_goodbye_are_not_laid_to_the_servers_charge() {
    let leaves = |scene: &mut Scene, number: u8, at: &str, when: u64| {
        let mut participant = Participant::new(number, at, SFU).of_full_agent();
        participant.join(scene);
        participant.goes_on(scene, when, WELL);
        let gone = Going { up: false, down: true, checks: Checks::None, back: Checks::InVain };
        participant.goes_on(scene, when + 31_000, gone);
    };
    let report = conference(12, |number, scene| match number % 3 {
        0 => leaves(scene, number, &format!("198.{number}.100.7:40000"), 12_000 + u64::from(number) * 1_500),
        _ => Participant::anywhere(number, SFU).of_full_agent().works(scene),
    });
    let found = only(&report, "ice-consent-lost");
    assert_eq!((report.verdict, found.affected.clients_total), (Verdict::Warning, 4), "{}", report.headline);
    assert_says(&found.explanation, "3 others met the same with it within 14 seconds, while 8 hosts go on");
    assert_says(&found.explanation, "Participants that leave without a goodbye look like that, too.");
    assert!(!found.explanation.contains("203.0.113.9 itself"), "{}", found.explanation);
    // a network is cut off
    let report = conference(12, |number, scene| match number % 3 {
        0 => leaves(scene, number, &format!("198.51.100.{number}:40000"), 20_000),
        _ => Participant::anywhere(number, SFU).of_full_agent().works(scene),
    });
    let found = only(&report, "ice-consent-lost");
    assert_says(&found.explanation, "3 others met the same with it at about that time, while 8 hosts go on");
    assert_says(&found.explanation, "all of them are in 198.51.100.0/24, and none that goes on is.");
    assert!(!found.explanation.contains("goodbye"), "{}", found.explanation);
}

#[test]
fn a_server_that_was_restarted_and_refuses_all_checks_is_one_story() {
    let report = conference(8, |number, scene| {
        let mut participant = Participant::anywhere(number, SFU);
        participant.join(scene);
        participant.goes_on(scene, 25_000, WELL);
        let refused = Going { up: true, down: false, checks: Checks::Refused, back: Checks::None };
        participant.goes_on(scene, 45_000, refused);
    });
    let grave: Vec<&Finding> = report.findings.iter().filter(|found| found.caused_by.is_none()).collect();
    let [found] = &grave[..] else { panic!("{}\n{}", report.headline, calls::show(&report)) };
    assert_eq!((&*found.id, found.severity), ("ice-check-unauthorized", Severity::Failure));
    assert_eq!((found.confidence, found.affected.clients_total), (Confidence::Certain, 8));
    let told = "with 401 Unauthorized: it takes them no more (and 7 other clients)";
    assert_says(&report.headline, told);
    assert_says(&found.explanation, "7 others met the same with it: it is 203.0.113.9 itself");
}

#[test]
fn participants_that_hang_up_are_one_note() {
    let report = conference(8, |number, scene| {
        let mut participant = Participant::anywhere(number, SFU);
        participant.join(scene);
        participant.goes_on(scene, 20_000, WELL);
        let closing = participant.ends[0].sealed(21, 26);
        participant.up(scene, closing);
    });
    assert_eq!(report.verdict, Verdict::Healthy, "{}", report.headline);
    let [found] = &report.findings[..] else { panic!("{}", calls::show(&report)) };
    assert_eq!((&*found.id, found.occurrences), ("dtls-closed", 8));
    assert_says(&found.explanation, "It is the same with 7 others and 203.0.113.9.");
}

#[test]
fn a_hello_that_never_gets_to_a_server_that_only_answers_is_missed() {
    let report = conference(8, |number, scene| {
        let mut participant = Participant::anywhere(number, SFU);
        if number != 5 {
            return participant.works(scene);
        }
        participant.connect(scene);
        participant.goes_on(scene, 30_000, Going { up: false, down: false, ..WELL });
    });
    let found = only(&report, "dtls-never-started");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain), "{}", report.headline);
    assert_says(
        &report.headline,
        "198.5.100.7:40005 and 203.0.113.9:10000 have a working pair, and neither begins DTLS",
    );
}

#[test]
fn a_participant_that_moves_is_missed_where_the_server_does_not_answer_it_there() {
    let moves = |answers: bool| {
        conference(6, |number, scene| {
            let mut participant = Participant::anywhere(number, SFU);
            if number != 3 {
                return participant.works(scene);
            }
            participant.join(scene);
            participant.goes_on(scene, 20_000, WELL);
            participant.at = "172.16.7.3:30003".to_owned();
            let checks = if answers { Checks::Answered } else { Checks::InVain };
            participant.goes_on(scene, 40_000, Going { up: true, down: answers, checks, back: Checks::None });
        })
    };
    let report = moves(false);
    let found = only(&report, "ice-consent-lost");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Likely), "{}", report.headline);
    let told = "203.0.113.9:10000 does not answer 172.16.7.3:30003, from where 198.3.100.7:40003 goes on";
    assert_says(&report.headline, told);
    assert_says(&found.fix, "any address and go on there");
    assert_eq!(moves(true).verdict, Verdict::Healthy);
}

#[test]
fn a_participant_to_whom_nothing_is_sent_is_missed_among_others_to_whom_something_is() {
    let silent = |silent: &[u8]| {
        conference(8, |number, scene| {
            let mut participant = Participant::anywhere(number, SFU);
            participant.join(scene);
            participant.goes_on(scene, END, Going { down: !silent.contains(&number), ..WELL });
        })
    };
    let report = silent(&[3]);
    let found = only(&report, "media-one-way");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Likely), "{}", report.headline);
    assert_says(
        &report.headline,
        "Media goes from 198.3.100.7:40003 to 203.0.113.9:10000 only: neither media nor RTCP",
    );
    let report = silent(&[1, 3, 5, 7]);
    assert_says(&only(&report, "media-one-way").explanation, "3 others met the same with it, while 4 hosts go on");
    // a server that gives nobody reports, and media to few
    let report = silent(&[0, 1, 2, 3, 4, 5]);
    assert_eq!(report.verdict, Verdict::Healthy, "{}", report.headline);
}

#[test]
fn the_session_that_fails_is_shown_before_those_that_work() {
    let mut scene = Scene::new();
    for number in 0..8 {
        let mut participant = Participant::anywhere(number, SFU).of_full_agent();
        if number == 6 { participant.is_asked_in_vain(&mut scene) } else { participant.works(&mut scene) }
    }
    let report = report(&scene.in_order().later(30).pcap());
    let text = turnscope::render::text::report(&report, &turnscope::render::text::Options::default());
    let first = text.lines().find(|line| line.starts_with("ICE ")).unwrap_or_default();
    assert_says(first, "198.6.100.7");
}

#[test]
fn a_participant_that_the_answers_of_the_server_do_not_get_to_any_more_is_told_by_how_it_asks() {
    let report = conference(6, |number, scene| {
        let mut participant = Participant::anywhere(number, SFU);
        if number != 3 {
            return participant.works(scene);
        }
        participant.join(scene);
        participant.goes_on(scene, 25_000, WELL);
        for _ in 0..150 {
            participant.answered(scene, |check| check);
            participant.after(scene, 50);
        }
    });
    let found = only(&report, "ice-consent-lost");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Likely), "{}", report.headline);
    assert_says(&report.headline, "198.3.100.7 asks for consent like one that hears no answers any more");
}

#[test]
fn what_befell_one_participant_is_not_the_cause_of_what_befell_another() {
    let report = conference(8, |number, scene| {
        let mut participant = Participant::anywhere(number, SFU);
        if number == 2 {
            return participant.gives_no_dtls(scene);
        }
        participant.join(scene);
        participant.goes_on(scene, END, Going { down: number != 5, ..WELL });
    });
    for (id, whom) in [("dtls-no-answer", "198.2.100.7"), ("media-one-way", "198.5.100.7")] {
        let found = finding(&report, id);
        assert_eq!((found.severity, found.caused_by.as_deref()), (Severity::Failure, None), "{}", found.title);
        assert_says(&found.title, whom);
    }
}

#[test]
fn a_worker_that_several_lose_at_once_is_gone_for_certain() {
    let dies = |workers: u16, lost: Checks| {
        conference(12, |number, scene| {
            let worker = u16::from(number) % workers;
            let mut participant = Participant::anywhere(number, &format!("203.0.113.9:{}", 10_000 + worker));
            if worker > 0 {
                return participant.works(scene);
            }
            participant.join(scene);
            participant.goes_on(scene, 20_000, WELL);
            participant.goes_on(scene, 37_000, Going { up: true, down: false, checks: lost, back: Checks::None });
        })
    };
    let report = dies(3, Checks::InVain);
    let found = only(&report, "ice-consent-lost");
    assert_eq!((report.verdict, found.confidence), (Verdict::Failure, Confidence::Certain), "{}", report.headline);
    assert_says(&found.explanation, "3 others met the same with it at about that time, all of them at its port 10000");
    let report = dies(1, Checks::InVain);
    assert_eq!(report.verdict, Verdict::Failure, "{}", report.headline);
    assert_says(&only(&report, "ice-consent-lost").explanation, "it is 203.0.113.9 itself");
    assert_eq!(dies(6, Checks::InVain).verdict, Verdict::Warning, "two alone may have hung up");
}
