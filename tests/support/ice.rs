//! Two ICE agents that check each other, for stories about ICE.

use super::scene::ice_check;
use super::{IceSide, Scene, Sent, Stun, alice, method, payload};

/// Two agents and where they are.
#[derive(Clone)]
pub struct Agents {
    pub a: IceSide,
    pub b: IceSide,
    pub at_a: &'static str,
    pub at_b: &'static str,
    /// Whether `a` is the controlling one.
    pub a_controls: bool,
}

impl Agents {
    pub fn new(at_a: &'static str, at_b: &'static str) -> Agents {
        let (a, b) = sides();
        Agents { a, b, at_a, at_b, a_controls: true }
    }

    /// The same two after a restart.
    pub fn restarted(&self) -> Agents {
        let a = IceSide::new("a2a2", "a-password-of-ice-6543210", 2);
        let b = IceSide::new("b2b2", "b-password-of-ice-6543210", 1);
        Agents { a, b, ..self.clone() }
    }

    /// A call of `a` through its relay: an allocation, a channel to `b` with three checks that are answered, and media both ways.
    pub fn call_through(&self, server: &str, relayed: &str) -> Scene {
        let mut scene = Scene::allocated(self.at_a, server, "nonce-1", relayed);
        let bind = scene.after_ms(20).channel_bind(self.at_a, server, &alice(), "nonce-1", (0x4000, self.at_b));
        scene.after_ms(10).granted(&bind, None, &alice());
        for number in 0..3 {
            let check = self.message(Stun::use_candidate).tid([number; 12]).bytes();
            scene.after_ms(20).channel_data(self.at_a, server, 0x4000, &check);
            let answer = Stun::success_to(&check).xor_mapped(relayed).bytes();
            scene.after_ms(30).channel_data(server, self.at_a, 0x4000, answer);
        }
        scene.media(self.at_a, server, 0x4000, 20);
        scene
    }

    /// A check of `a` on `b` as a message.
    pub fn message(&self, dress: impl FnOnce(Stun) -> Stun) -> Stun {
        ice_check(&self.a, &self.b, self.a_controls, dress)
    }
}

/// The one that controls, where that is asked, and the other.
pub fn sides() -> (IceSide, IceSide) {
    (IceSide::new("aaaa", "a-password-of-ice-0123456", 2), IceSide::new("bbbb", "b-password-of-ice-0123456", 1))
}

/// What is sent as it is.
pub fn plain(check: Stun) -> Stun {
    check
}

impl Scene {
    /// `a` checks `b`.
    pub fn a_checks(&mut self, agents: &Agents, dress: impl FnOnce(Stun) -> Stun) -> Sent {
        self.ice_check(agents.at_a, agents.at_b, (&agents.a, &agents.b), agents.a_controls, dress)
    }

    /// `b` checks `a`.
    pub fn b_checks(&mut self, agents: &Agents, dress: impl FnOnce(Stun) -> Stun) -> Sent {
        self.ice_check(agents.at_b, agents.at_a, (&agents.b, &agents.a), !agents.a_controls, dress)
    }

    /// `a` checks `b`, and is answered 10 ms later.
    pub fn a_is_answered(&mut self, agents: &Agents, dress: impl FnOnce(Stun) -> Stun) -> Sent {
        let check = self.after_ms(20).a_checks(agents, dress);
        self.after_ms(10).ice_answer(&check, &agents.b);
        check
    }

    /// `b` checks `a`, and is answered 1 ms later: the capture is on the side of `a`.
    pub fn b_is_answered(&mut self, agents: &Agents, dress: impl FnOnce(Stun) -> Stun) -> Sent {
        let check = self.after_ms(20).b_checks(agents, dress);
        self.after_ms(1).ice_answer(&check, &agents.a);
        check
    }

    /// Both check each other and are answered; the controlling one then nominates.
    pub fn connect(&mut self, agents: &Agents) -> &mut Self {
        self.a_is_answered(agents, plain);
        self.b_is_answered(agents, plain);
        if agents.a_controls {
            self.a_is_answered(agents, Stun::use_candidate);
        } else {
            self.b_is_answered(agents, Stun::use_candidate);
        }
        self
    }

    /// RTP both ways between two addresses, a pair of packets every 20 ms.
    pub fn talk_directly(&mut self, one: &str, other: &str, packets: u16) -> &mut Self {
        for number in 0..packets {
            let packet = payload::rtp(96, number, u32::from(number) * 960, 1, 100);
            self.after_ms(10).udp(one, other, packet.clone());
            self.after_ms(10).udp(other, one, packet);
        }
        self
    }

    /// `a` checks `b` so many times, every so many milliseconds, each with a transaction of its own, in vain.
    pub fn a_checks_in_vain(&mut self, agents: &Agents, times: u32, every_ms: u64) -> &mut Self {
        for _ in 0..times {
            self.after_ms(every_ms).a_checks(agents, plain);
        }
        self
    }

    /// `b` does.
    pub fn b_checks_in_vain(&mut self, agents: &Agents, times: u32, every_ms: u64) -> &mut Self {
        for _ in 0..times {
            self.after_ms(every_ms).b_checks(agents, plain);
        }
        self
    }

    /// Consent checks of both sides for so many seconds, one every 5 s, all answered.
    pub fn consent(&mut self, agents: &Agents, seconds: u64) -> &mut Self {
        for _ in 0..seconds / 5 {
            self.after_ms(4949).a_is_answered(agents, plain);
            self.b_is_answered(agents, plain);
        }
        self
    }

    /// A GOOG-PING, which names nobody.
    pub fn goog_ping(&mut self, from: &str, to: &str) -> Sent {
        self.send(from, to, Stun::request(0x080).attribute(0xC061, [1, 2, 3, 4]))
    }

    /// Its answer.
    pub fn goog_pong(&mut self, ping: &Sent) -> Sent {
        self.succeed(ping, |answer| answer.attribute(0xC061, [1, 2, 3, 4]))
    }

    /// The same bytes again inside a Send indication.
    pub fn sent_inside(&mut self, client: &str, server: &str, peer: &str, inner: &[u8]) -> Sent {
        self.send(client, server, Stun::indication(method::SEND).xor_peer(peer).data(inner))
    }
}
