//! `media-one-way`, of media that a NAT or firewall no longer passes on, as a capture shows that holds both of its sides.

use super::one_way::{LONG, OneWay, REPORTED};
use crate::net::Endpoint;
use crate::rules::{Text, View};
use crate::session::{MediaWay, Seen, Stream};

/// What goes on coming to one side of a NAT while nothing of it leaves on the other any more.
pub(super) struct Held {
    /// Who sends it, and where to, on that side.
    ends: [Endpoint; 2],
    /// The last that was passed on.
    passed: Seen,
    /// The last that came.
    last: Seen,
    ssrc: u32,
}

impl Held {
    pub(super) fn of(of: &OneWay<'_>, streams: &[(&MediaWay, usize, &Stream)], view: &View<'_>) -> Option<Held> {
        let (passed, nat) = (of.heard()?, view.session.nat());
        nat.mappings().first()?;
        let ends = |way: &MediaWay, direction: usize| way.from(direction).0.ends;
        let back = |&&(way, direction, _): &&(&MediaWay, usize, &Stream)| {
            way.path == of.way.path && ends(way, direction) == Some((of.dst, of.src))
        };
        let (.., before) = streams.iter().filter(back).max_by_key(|(.., stream)| stream.last)?;
        streams.iter().find_map(|&(way, direction, stream)| {
            let (src, dst) = ends(way, direction)?;
            let same = stream.ssrc == before.ssrc && nat.are_one(src, of.dst) && nat.are_one(dst, of.src);
            let beyond = way.path != of.way.path && way.path.inside.is_none() && of.way.path.inside.is_none();
            let goes_on = stream.last.time.since(passed.time) >= LONG && stream.packets >= before.packets + REPORTED;
            (same && beyond && goes_on).then_some(Held {
                ends: [src, dst],
                passed,
                last: stream.last,
                ssrc: stream.ssrc,
            })
        })
    }

    /// Who is behind the NAT, and with whom it talks.
    pub(super) fn client_and_peer(&self, of: &OneWay<'_>) -> (Endpoint, Endpoint) {
        let [src, dst] = self.ends;
        if dst == of.src { (src, dst) } else { (of.src, of.dst) }
    }

    pub(super) fn frames(&self) -> Vec<Seen> {
        vec![self.passed, self.last]
    }

    pub(super) fn text(&self, of: &OneWay<'_>, went: &str) -> Text {
        let [src, dst] = self.ends;
        let frame = self.passed.frame;
        let (passed_on, beyond) = if dst == of.src {
            (format!("from {}", of.dst), format!("as {}", of.dst))
        } else {
            (format!("to {}", of.src), format!("to {}", of.src))
        };
        Text {
            title: format!("RTP from {src} to {dst} ends at the NAT, which passed it on {passed_on} until frame {frame}"),
            explanation: format!(
                "{went}. The capture holds both sides of the NAT: source 0x{:08x} of {src} goes on coming to {dst} until frame {}, {} longer than it is passed on \
                 {beyond}; of that nothing is seen after frame {frame}.",
                self.ssrc,
                self.last.frame,
                self.last.time.since(self.passed.time),
            ),
            fix: "Look at the NAT or firewall itself at that time: whether it was started anew or handed over to another one, forgot or changed the mapping, or drops \
                  these packets by a rule, a limit or an inspection. An ICE restart, or a new call, makes a new mapping."
                .to_owned(),
        }
    }
}
