//! `media-one-way`, of a side of which nothing comes any more in the middle of a call, without a goodbye.
//!
//! Whoever asks for consent (RFC 7675) learns that by itself, and it is told as that; agents that do not (libnice, and what is built on it) send on.

use super::one_way::{ALIVE, LONG, OneWay, UNREPORTED};
use crate::net::{ClientAddress, ServerAddress};
use crate::rules::evidence::{first_frames, times};
use crate::rules::{Confidence, Text, View};
use crate::session::{IcmpErrors, MediaWay, Seen};
use crate::time::Span;

/// So many reports show that a side gives them; and so many ICMP errors are more than those of a socket that was closed a moment before the other.
const OFTEN: u64 = 2;

/// A side that said nothing more after some packet.
pub(super) struct Gone<'s> {
    /// The last that came of it.
    pub heard: Seen,
    /// What says by ICMP that the other's packets do not get there.
    refused: Option<&'s IcmpErrors>,
    /// The server of the relay that carries the media.
    pub server: Option<ServerAddress>,
    /// Where its media gets to a relay, which does not pass it on: the last of that.
    pub arrived: Option<Seen>,
}

impl Gone<'_> {
    pub(super) fn confidence(&self) -> Confidence {
        Confidence::certain_if(self.refused.is_some())
    }

    pub(super) fn frames(&self) -> Vec<Seen> {
        [Some(self.heard), self.refused.map(|known| known.first), self.arrived].into_iter().flatten().collect()
    }

    pub(super) fn text(&self, of: &OneWay<'_>, went: &str) -> Text {
        let (src, dst, frame) = (of.src, of.dst, self.heard.frame);
        let over = of.last.time.since(self.heard.time);
        let silent = format!(
            "The last that came of {dst} is frame {frame}; then, for {over}, neither RTP nor RTCP, nor DTLS or STUN, and no goodbye before it (BYE of RTCP, an \
             alert that closes DTLS).",
        );
        let told = format!("{src} asks for no consent (RFC 7675), which would have told it.");
        if let Some(known) = self.refused {
            let (what, sender) = (known.answer.kind, known.answer.sender);
            return Text {
                title: format!("From frame {frame} on media of {src} does not get to {dst}: ICMP {what} from {sender}"),
                explanation: format!(
                    "{went}. {silent} {sender} answers what {src} sends by ICMP {what}, {} ({}). {told}",
                    times(known.total),
                    first_frames(&known.frames, known.total)
                ),
                fix: format!(
                    "Look at why {dst} ended at that time: its application, or where it is a relayed address its TURN server; and let {src} end a call when \
                     nothing comes any more."
                ),
            };
        }
        if let Some(arrived) = self.arrived {
            return Text {
                title: format!(
                    "From frame {frame} on the relay passes nothing of {dst} on to {src}, though it arrives there"
                ),
                explanation: format!(
                    "{went}. The last of {dst} that the relay passed on is frame {frame}; then, for {over}, it passed on nothing of it, though RTP of {dst} goes on \
                     arriving there, until frame {}.",
                    arrived.frame
                ),
                fix: "Look at the TURN server at that time: its log, whether its process was started anew (it then knows nothing of this relay), hangs, or is out of processor time or file descriptors, and the firewall \
                      of its host."
                    .to_owned(),
            };
        }
        Text {
            title: format!(
                "From frame {frame} on media goes from {src} to {dst} only: of {dst} nothing comes any more"
            ),
            explanation: format!(
                "{went}. {silent} {told} Either the way from {dst} was cut in the middle, or {dst} ended, or lost its network, without a word."
            ),
            fix: format!(
                "Capture at {dst} too. If its RTP goes on leaving there, look for what on the way drops it: a NAT or firewall that forgot the flow, a route that \
                 changed. If it does not, look at why its application ended."
            ),
        }
    }
}

impl OneWay<'_> {
    /// Whether a side that gave reports says nothing at all after this, for so long that it counts as one that has left (RFC 3550 §6.3.5), nor that it
    /// goes, while the other goes on and asks for no consent.
    /// A side that gave none is gone where ICMP errors say so for longer than a call takes to end, or where its media gets to a relay that passes none on.
    pub(super) fn is_gone(&self, heard: Seen, multiplexed: bool, ways: &[&MediaWay], view: &View<'_>) -> bool {
        let (rest, _) = self.own.lifeless;
        let asks = (Span(1)..=ALIVE).contains(&rest)
            && self.own.alive.is_some_and(|seen| self.last.time.since(seen.time) <= ALIVE);
        let after = [self.other.alive, self.other.sealed].into_iter().flatten().any(|seen| seen > heard);
        let reported = multiplexed && self.other.rtcp >= OFTEN && self.last.time.since(heard.time) >= UNREPORTED;
        let refused = self.refused(heard, view).is_some_and(|known| known.last.time.since(heard.time) >= LONG);
        (reported || refused || self.arrives_at_relay(ways, heard).is_some()) && !after && !asks
    }

    /// The story of a side that is.
    pub(super) fn gone<'v>(&self, heard: Seen, ways: &[&MediaWay], view: &View<'v>) -> Gone<'v> {
        Gone { heard, refused: self.refused(heard, view), server: self.server(ways, view), arrived: None }
    }

    /// The ICMP errors that answer what is sent to a side after the last that came of it.
    fn refused<'v>(&self, heard: Seen, view: &View<'v>) -> Option<&'v IcmpErrors> {
        let refused = view.session.turned_away(self.src, self.dst);
        refused.filter(|known| known.total >= OFTEN && known.last.time > heard.time)
    }

    /// The last media of the silent side that got to a relay, for long after nothing came any more.
    pub(super) fn arrives_at_relay(&self, ways: &[&MediaWay], heard: Seen) -> Option<Seen> {
        let ends = Some((self.dst, self.src));
        let (_, last) = self.beyond_relay(ways)?.directions.iter().find(|known| known.ends == ends)?.media?;
        (last.time.since(heard.time) >= UNREPORTED).then_some(last)
    }

    /// The server of the relay that carries it, where the capture shows the leg of the relay's client.
    fn server(&self, ways: &[&MediaWay], view: &View<'_>) -> Option<ServerAddress> {
        let inside = |way: &&MediaWay| way.path.inside.is_some();
        let leg = Some(self.way).filter(inside).or_else(|| self.beyond_relay(ways).filter(inside))?.path.ends;
        let of = |(client, server)| view.session.last_lent(ClientAddress(client), ServerAddress(server));
        Some([(leg.low, leg.high), (leg.high, leg.low)].into_iter().find_map(of)?.server)
    }

    /// The way of the same on the other side of a relay.
    fn beyond_relay<'w>(&self, ways: &[&'w MediaWay]) -> Option<&'w MediaWay> {
        let is_it = |way: &&MediaWay| {
            let ends = way.directions.iter().find_map(|known| known.ends);
            way.path.inside.is_some() != self.way.path.inside.is_some()
                && (ends == Some((self.src, self.dst)) || ends == Some((self.dst, self.src)))
        };
        ways.iter().copied().find(is_it)
    }
}
