//! Whole calls, for scenes in which something else is the matter.

use std::collections::BTreeMap;

use super::{Login, Place, Scene, Sent, Stun, alice, attribute, method, payload, sides};
use turnscope::report::{Confidence, Report, Severity};

impl Scene {
    /// A client that begins with an allocation as [`alice`]: frames 1 to 4.
    pub fn allocated(client: &str, server: &str, nonce: &str, relayed: &str) -> Scene {
        let mut scene = Scene::new();
        scene.allocation(client, server, &alice(), nonce, relayed);
        scene
    }

    /// A channel is bound to a peer and `packets` of RTP go each way over it, 20 ms apart.
    pub fn talk(
        &mut self,
        client: &str,
        server: &str,
        login: &Login,
        nonce: &str,
        (channel, peer): (u16, &str),
        packets: u16,
    ) -> &mut Self {
        let bind = self.after_ms(20).channel_bind(client, server, login, nonce, (channel, peer));
        self.after_ms(10).granted(&bind, None, login);
        self.media(client, server, channel, packets)
    }

    /// Packets of RTP each way over a channel, 20 ms apart.
    pub fn media(&mut self, client: &str, server: &str, channel: u16, packets: u16) -> &mut Self {
        for number in 0..packets {
            let packet = payload::rtp(96, number, u32::from(number) * 960, 1, 100);
            self.after_ms(10).channel_data(client, server, channel, &packet);
            self.after_ms(10).channel_data(server, client, channel, &packet);
        }
        self
    }

    /// The client gives its allocation up, and the server agrees.
    pub fn hang_up(&mut self, client: &str, server: &str, login: &Login, nonce: &str) -> &mut Self {
        let release = self.after_ms(20).refresh(client, server, login, nonce, 0);
        self.after_ms(10).granted(&release, Some(0), login);
        self
    }

    /// A Binding request to a server and its answer.
    pub fn binding(&mut self, client: &str, server: &str, mapped: &str) -> &mut Self {
        let request = self.after_ms(5).send(client, server, Stun::request(method::BINDING));
        self.after_ms(20).succeed(&request, |success| success.xor_mapped(mapped));
        self
    }

    /// Two agents check each other, both are answered, and RTP flows.
    pub fn direct_call(&mut self, one: &str, other: &str, packets: u16) -> &mut Self {
        let (a, b) = sides();
        let check = self.after_ms(20).ice_check(one, other, (&a, &b), true, Stun::use_candidate);
        self.after_ms(10).ice_answer(&check, &b);
        let check = self.after_ms(10).ice_check(other, one, (&b, &a), false, |check| check);
        self.after_ms(10).ice_answer(&check, &a);
        self.talk_directly(one, other, packets)
    }

    /// The capture goes on for so many seconds, with something in it that is not STUN.
    pub fn later(&mut self, seconds: u64) -> &mut Self {
        self.after_ms(seconds * 1000).frame(&[0; 60]);
        self
    }

    /// An Allocate with whatever makes it signed, refused.
    pub fn refused_allocate(&mut self, client: &str, server: &str, login: &Login, nonce: &str, code: u16) -> Sent {
        let request = self.after_ms(20).allocate_as(client, server, login, nonce);
        self.after_ms(10).refuse_with(&request, code, "", |error| error.integrity(login.key()));
        request
    }

    /// The second leg with a wrong password, as coturn answers it.
    pub fn wrong_password(&mut self, client: &str, server: &str, login: &Login, nonce: &str) -> Sent {
        self.allocate_challenge(client, server, &login.realm, nonce);
        let retry = self.after_ms(10).allocate_as(client, server, &login.with_password("wrong"), nonce);
        self.after_ms(10).challenge(&retry, 401, "Unauthorized", &login.realm, nonce)
    }

    /// A success response that names another mapped address than the one it is sent to.
    pub fn granted_behind_nat(
        &mut self,
        request: &Sent,
        mapped: impl Place,
        relayed: impl Place,
        login: &Login,
    ) -> Sent {
        self.succeed(request, |success| {
            success
                .xor_relayed(relayed)
                .xor_mapped(mapped)
                .lifetime(600)
                .software("Coturn-4.6.1")
                .integrity(login.key())
        })
    }
}

/// The ids of what is graver than a note.
pub fn graver(report: &Report) -> Vec<&str> {
    let grave = report.findings.iter().filter(|finding| finding.severity != Severity::Note);
    grave.map(|finding| finding.id.as_str()).collect()
}

/// The ids of what makes the verdict "failure".
pub fn failures(report: &Report) -> Vec<&str> {
    let failing = |severity, confidence| severity == Severity::Failure && confidence == Confidence::Certain;
    let found = report.findings.iter().filter(|finding| failing(finding.severity, finding.confidence));
    found.map(|finding| finding.id.as_str()).collect()
}

/// REQUESTED-ADDRESS-FAMILY for IPv6, as an attribute of an Allocate.
pub fn allocate_v6() -> Stun {
    Stun::request(method::ALLOCATE).requested_transport(17).attribute(attribute::REQUESTED_ADDRESS_FAMILY, [2, 0, 0, 0])
}

/// What a report finds, a line each.
pub fn show(report: &Report) -> String {
    let lines = report.findings.iter().map(|found| {
        let cause = found.caused_by.as_deref().unwrap_or("-");
        let (severity, confidence, times) = (found.severity, found.confidence, found.occurrences);
        format!("    {severity:?} {confidence:?} {} x{times} (by {cause}): {}", found.key, found.title)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Collects what is wrong, so that one run shows all of it; panics at its end if there was anything.
#[derive(Default)]
pub struct Faults(BTreeMap<String, Vec<String>>);

impl Faults {
    /// A case that gave the wrong report in some guise.
    pub fn add(&mut self, name: &str, how: &str, report: &Report) {
        let all = self.0.entry(format!("{name}: {:?}", graver(report))).or_default();
        all.push(format!("[{how}] {}\n{}", report.headline, show(report)));
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let told = self.0.iter().map(|(what, all)| format!("{what} x{}, first {}", all.len(), all[0]));
            assert!(self.0.is_empty(), "faults:\n{}", told.collect::<Vec<_>>().join("\n"));
        }
    }
}

/// A capture in which the names, the software and the phrases of a refused Allocate are all this text.
pub fn refused_with(text: &str) -> Vec<u8> {
    let (client, server) = ("10.0.0.2:50000", "192.0.2.1:3478");
    let mut scene = Scene::new();
    let login = Login::new(text, text, "wrong");
    let challenged = scene.allocate(client, server);
    scene.after_ms(20).challenge(&challenged, 401, text, text, text);
    let retry = scene.after_ms(1).allocate_as(client, server, &login, text);
    scene
        .after_ms(20)
        .refuse_with(&retry, 431, text, |answer| answer.software(text).username(text).realm(text).nonce(text));
    scene.pcap()
}
