//! Whole calls, for scenes in which something else is the matter.

use super::{IceSide, Login, Place, Scene, Sent, Stun, attribute, method, payload};
use turnscope::report::{Confidence, Report, Severity};

impl Scene {
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
        let (a, b) = (
            IceSide::new("aaaa", "a-password-of-ice-0123456", 2),
            IceSide::new("bbbb", "b-password-of-ice-0123456", 1),
        );
        let check = self.after_ms(20).ice_check(one, other, (&a, &b), true, Stun::use_candidate);
        self.after_ms(10).ice_answer(&check, &b);
        let check = self.after_ms(10).ice_check(other, one, (&b, &a), false, |check| check);
        self.after_ms(10).ice_answer(&check, &a);
        for number in 0..packets {
            let packet = payload::rtp(96, number, u32::from(number) * 960, 1, 100);
            self.after_ms(10).udp(one, other, packet.clone());
            self.after_ms(10).udp(other, one, packet);
        }
        self
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
