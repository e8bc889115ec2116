//! `media-one-way`: media goes one way, and what should come back does not.
//!
//! A side that is muted still sends, and one that only watches still reports by RTCP (RFC 3550 §6.2); so silence of both, from a side whose
//! connectivity checks go on being seen, is a broken path or a broken application. Reports of media that never arrives are as good.
//! Reports without such a count prove nothing: relays of conferences send them for participants who are silent.

use super::TOGETHER;
use super::at_nat::Held;
use super::gone::Gone;
use crate::join::Kind;
use crate::net::{ClientAddress, Endpoint, PeerAddress};
use crate::rules::evidence::{capital, filter_between, frames, frames_at, uncapital};
use crate::rules::travel::{self, Sought};
use crate::rules::{Collector, Confidence, Occurrence, Severity, Subject, Text, View};
use crate::session::signalling::Description;
use crate::session::{MediaDirection, MediaWay, Name, Reports, Seen, Stream};
use crate::time::{Span, Timestamp};

pub(super) const ID: &str = "media-one-way";

/// So long media must go one way.
pub(super) const LONG: Span = Span::from_secs(10);
/// The silent side's last check may be so old at the end: consent is asked for every 5 s (RFC 7675 §5.1), give or take a fifth and a loss.
pub(super) const ALIVE: Span = Span::from_secs(12);
/// A handshake that goes on for longer than this after media began is not over.
const HANDSHAKE: Span = Span::from_secs(2);
/// Reports come every 2.5 to 7.5 s (RFC 3550 §6.2), and may be lost: for less than this nobody misses any.
const UNHEARD: Span = Span::from_secs(15);
/// After this long a side that reports every 5 s counts as one that has left (RFC 3550 §6.3.5).
pub(super) const UNREPORTED: Span = Span::from_secs(25);
/// So many packets a second make media, not probes and keepalives.
const RATE: u64 = 5;
/// So many packets must be missing that a report tells of.
pub(super) const REPORTED: u64 = 50;

/// What keeps media from coming back.
const BEHIND_SILENCE: &[&str] = &[
    "dtls-incomplete",
    "dtls-no-answer",
    "turn-unreachable",
    "turn-no-response",
    "ice-one-way",
    "ice-check-unauthorized",
    "ice-consent-lost",
    "turn-permission-missing",
    "turn-relay-silent",
    "turn-channel-mismatch",
    "turn-allocation-gone",
    "turn-data-after-expiry",
    "nat-rebinding",
];

/// One direction of a path, of which the other is silent.
pub(super) struct OneWay<'s> {
    pub(super) way: &'s MediaWay,
    /// Which of its directions it is.
    direction: usize,
    pub(super) own: &'s MediaDirection,
    pub(super) other: &'s MediaDirection,
    pub(super) src: Endpoint,
    pub(super) dst: Endpoint,
    /// The last media or RTCP from the silent side.
    heard: Option<Seen>,
    /// Since when media went one way.
    since: Seen,
    pub(super) last: Seen,
    ssrc: u32,
}

/// What is known of the silent side.
enum Story<'s> {
    /// Neither media nor RTCP comes, and it is there; whether it [would say something](OneWay::owes_reports) whatever it sends.
    Silent { confidence: Confidence, owes_reports: bool },
    /// Nothing at all comes any more, and no goodbye was said.
    Gone(Gone<'s>),
    /// It goes on sending, and a NAT no longer passes that on.
    Held(Held),
    /// It reports to send what does not come.
    Reported(&'s Reports),
    /// It sends RTCP and no media: a spectator looks like that.
    Spectator,
    /// The same, after it had sent media.
    Ended(Seen),
}

pub(super) fn judge(view: &View<'_>, out: &mut Collector) {
    let media = view.session.media();
    let (ways, streams) = (media.ways(), media.streams());
    let mut told: Vec<OneWay<'_>> = Vec::new();
    for &way in &ways {
        for direction in 0..2 {
            let Some(found) = one_way(way, direction, &streams) else { continue };
            if let Some(held) = Held::of(&found, &streams, view) {
                found.tell(Story::Held(held), view, out);
                told.push(found);
                continue;
            }
            let Some(mut story) = found.story(&ways, view) else { continue };
            if told.iter().any(|known| known.is_beyond_nat(&found, view)) {
                continue;
            }
            // a conference server sends media to others, too: of one that answers everybody else it is only likely that it should send here
            let serves = matches!(story, Story::Silent { .. }) && found.is_of_a_server(&ways, view);
            if let Story::Silent { confidence, .. } = &mut story
                && serves
            {
                *confidence = Confidence::Likely;
            }
            if found.goes_elsewhere(&ways, serves, view) {
                // what gets to a relay goes no other way, but no further
                let Story::Gone(gone) = &mut story else { continue };
                gone.arrived = found.arrives_at_relay(&ways, gone.heard);
                if gone.arrived.is_none() {
                    continue;
                }
            } else if let Story::Gone(gone) = &story
                && found.goes_on_from_elsewhere(gone.heard, &streams)
            {
                continue;
            }
            found.tell(story, view, out);
            told.push(found);
        }
    }
}

/// A direction with media that went on for long with no media in the other.
fn one_way<'s>(way: &'s MediaWay, direction: usize, streams: &[(&MediaWay, usize, &Stream)]) -> Option<OneWay<'s>> {
    let (own, other) = way.from(direction);
    let (src, dst) = own.ends?;
    let (first, last) = own.media?;
    let heard = [other.media, other.rtcp_seen].into_iter().flatten().map(|(_, last)| last).max();
    let since = other.media.map_or(first, |(_, silent)| silent.max(first));
    // a goodbye at the end of it all tells nothing of the time before
    let is_over = [own.bye, other.bye].into_iter().flatten().any(|bye| bye.time.since(since.time) < LONG);
    if is_over || last.time.since(since.time) < LONG {
        return None;
    }
    // probes, and what repeats packets, is no conversation
    let steady = |stream: &Stream| {
        let pauses = [stream.longest_pause, stream.longest_gap].into_iter().flatten();
        let longest = pauses.map(|pause| pause.span).max().unwrap_or_default();
        let seconds = u64::try_from(stream.duration().secs()).unwrap_or(0);
        stream.packets >= RATE * seconds && longest < LONG && last.time.since(stream.last.time) < LONG
    };
    let of_way = |known: &MediaWay, of: usize| known.path == way.path && of == direction;
    let stream = streams
        .iter()
        .filter(|(known, of, stream)| of_way(known, *of) && stream.duration() >= LONG && steady(stream))
        .map(|(_, _, stream)| stream)
        .min_by_key(|stream| (stream.first, stream.ssrc))?;
    let since = since.max(stream.first);
    // the longest time without a packet is left out: a clock that steps makes one
    let idle = [stream.longest_pause, stream.longest_gap].into_iter().flatten().map(|pause| pause.span).max();
    if Span(stream.last.time.since(since.time).0 - idle.unwrap_or_default().0) < LONG {
        return None;
    }
    Some(OneWay { way, direction, own, other, src, dst, heard, since, last: stream.last, ssrc: stream.ssrc })
}

impl OneWay<'_> {
    /// The last media or RTCP from the silent side.
    pub(super) fn heard(&self) -> Option<Seen> {
        self.heard
    }

    fn story<'v>(&'v self, ways: &[&MediaWay], view: &View<'v>) -> Option<Story<'v>> {
        if let Some(reports) = self.other.reports.iter().find(|known| self.is_unseen(known)) {
            return Some(Story::Reported(reports));
        }
        let early = self.last.time.since(self.heard.map_or(self.since.time, |heard| heard.time)) < self.patience();
        if early && self.heard.is_some() {
            // too early to miss the next report; one since the media ended shows that the way back works
            let reported = self.other.rtcp_seen.filter(|(_, last)| last.time > self.since.time);
            return reported.map(|_| self.other.media.map_or(Story::Spectator, |(_, last)| Story::Ended(last)));
        }
        // what does not come is missed only where the silent side is there, and the sender expects RTCP on this path
        let silent_since = self.heard.map_or(self.since.time, |heard| heard.time.max(self.since.time));
        let alive = self.other.alive.is_some_and(|seen| {
            // one that was suspended comes back when it is too late
            let (rest, from) = self.other.lifeless;
            let rested = from.after(rest).min(self.last.time).since(from.max(silent_since));
            rested <= ALIVE
                && self.last.time.since(seen.time) <= ALIVE
                && seen.time.since(silent_since) >= Span(LONG.0 / 2)
        });
        let multiplexed = self.own.rtcp_seen.is_some_and(|(_, last)| last.time >= silent_since);
        if !alive {
            let heard = self.heard.filter(|&heard| self.is_gone(heard, multiplexed, ways, view))?;
            return Some(Story::Gone(self.gone(heard, ways, view)));
        }
        if !multiplexed {
            return None;
        }
        let over = |until: Timestamp| until <= silent_since.after(HANDSHAKE);
        let owes_reports = self.owes_reports(view);
        let confidence = match (self.own.handshake, self.other.handshake) {
            (Some((_, one)), Some((_, other))) if over(one.time) && over(other.time) && early => Confidence::Likely,
            (Some((_, one)), Some((_, other))) if over(one.time) && over(other.time) && !owes_reports => {
                Confidence::Likely
            }
            (Some((_, one)), Some((_, other))) if over(one.time) && over(other.time) => Confidence::Certain,
            (None, None) if self.other.media.is_some() && owes_reports => Confidence::Certain,
            (None, None) => Confidence::Likely,
            _ => return None, // a handshake that is not over is a story of its own
        };
        Some(Story::Silent { confidence, owes_reports })
    }

    /// Whether the silent side would say something whatever it sends: it gave reports, or nothing tells that it is not meant to send. One that sent media and whose
    /// stack gives no reports may pause.
    fn owes_reports(&self, view: &View<'_>) -> bool {
        self.other.rtcp_seen.is_some() || self.heard.is_none() && !self.is_meant(view)
    }

    /// Whether, by the session descriptions, the silent side does not send, or the other does not take it.
    fn is_meant(&self, view: &View<'_>) -> bool {
        let (signalling, names) = (view.session.signalling(), view.session.names());
        let [low, high] = self.way.agents;
        let (own, silent) = if self.direction == 0 { (low, high) } else { (high, low) };
        let lacks = |agent: Option<Name>, direction: fn(&Description) -> bool| {
            let mut told = signalling.all_of_agent(agent.map_or(&[], |ufrag| names.bytes(ufrag))).peekable();
            told.peek().is_some() && !told.any(direction)
        };
        lacks(silent, |known| known.directions.sends) || lacks(own, |known| known.directions.receives)
    }

    /// How long the silent side has to give no report until one is missed: five times the interval in which it gave them (RFC 3550 §6.3.5).
    fn patience(&self) -> Span {
        let Some((first, last)) = self.other.rtcp_seen else { return UNHEARD };
        match i64::try_from(self.other.rtcp) {
            Ok(reports @ 3..) => Span(last.time.since(first.time).0 / (reports - 1) * 5).clamp(UNHEARD, UNREPORTED),
            _ => UNREPORTED,
        }
    }

    /// Whether a source of the silent side reports packets, for long and while media goes the other way, of which none came.
    fn is_unseen(&self, reports: &Reports) -> bool {
        reports.unseen >= REPORTED
            && reports.unseen_seen.is_some_and(|(first, last)| {
                let from = first.time.max(self.since.time);
                last.time.min(self.last.time).since(from) >= LONG
            })
    }

    /// Whether another one is the same on the other side of a NAT.
    fn is_beyond_nat(&self, other: &OneWay<'_>, view: &View<'_>) -> bool {
        let nat = view.session.nat();
        self.ssrc == other.ssrc
            && self.way.path != other.way.path
            && nat.are_one(self.src, other.src)
            && nat.are_one(self.dst, other.dst)
    }

    /// Whether a source of a side of which nothing comes any more goes on from another host: it has changed its network.
    fn goes_on_from_elsewhere(&self, heard: Seen, streams: &[(&MediaWay, usize, &Stream)]) -> bool {
        let ends = |way: &MediaWay, of: usize| way.from(of).0.ends;
        let own = |&&(way, of, _): &&(&MediaWay, usize, &Stream)| {
            way.path == self.way.path && ends(way, of) == Some((self.dst, self.src))
        };
        streams.iter().filter(own).any(|(.., silent)| {
            streams.iter().any(|&(way, of, stream)| {
                let moved =
                    ends(way, of).is_some_and(|(src, _)| src.ip() != self.dst.ip() && src.ip() != self.src.ip());
                moved && stream.ssrc == silent.ssrc && stream.last.time > heard.time.after(TOGETHER)
            })
        })
    }

    /// Whether the silent side is a conference server that gives media or reports to several others of whom it gets media.
    fn is_of_a_server(&self, ways: &[&MediaWay], view: &View<'_>) -> bool {
        const SEVERAL: usize = 3;
        let host = self.dst.ip();
        let answers = |way: &&&MediaWay| {
            (0..2).any(|of| {
                let (known, other) = way.from(of);
                let ends = known.ends.filter(|(src, dst)| src.ip() == host && dst.ip() != self.src.ip());
                ends.is_some() && (known.media.is_some() || known.rtcp_seen.is_some()) && other.media.is_some()
            })
        };
        view.session.clients().company().serves_several(host) && ways.iter().filter(answers).nth(SEVERAL - 1).is_some()
    }

    /// Whether the silent side's media may take another way: something of it, or for the same port, or through a relay for the same host, was
    /// seen on another path in that time, or of the same two agents on another pair, where a NAT may give either another address. On the other side
    /// of a NAT the same is seen until it stops. What one who `serves` others sends to these goes no other way.
    fn goes_elsewhere(&self, ways: &[&MediaWay], serves: bool, view: &View<'_>) -> bool {
        let nat = view.session.nat();
        let stopped = self.heard.map_or(self.since.time, |heard| heard.time.max(self.since.time));
        let meanwhile = |seen: Option<(Seen, Seen)>, from: Timestamp| {
            seen.is_some_and(|(first, last)| first.time <= self.last.time && last.time >= from)
        };
        let own = self.way.path;
        let wire = |way: &MediaWay| [way.path.ends.low.ip(), way.path.ends.high.ip()];
        ways.iter().filter(|way| way.path != own).any(|way| {
            way.directions.iter().any(|known| {
                let Some((src, dst)) = known.ends else { return false };
                let for_the_same_host = way.path.inside.is_some() && wire(way).contains(&self.src.ip());
                let of_agents = self.way.ice.is_some() && way.ice == self.way.ice && dst.ip() == self.src.ip();
                let of_host = src.ip() == self.dst.ip() && (!serves || dst.ip() == self.src.ip());
                let related = of_host || dst == self.src || for_the_same_host || of_agents;
                let opposite = src != self.src;
                let same = nat.are_one(src, self.dst) && nat.are_one(dst, self.src);
                let from = if same { stopped.after(TOGETHER) } else { self.since.time };
                related && opposite && (meanwhile(known.media, from) || meanwhile(known.rtcp_seen, from))
            })
        })
    }

    fn tell(&self, mut story: Story<'_>, view: &View<'_>, out: &mut Collector) {
        let &OneWay { src, dst, .. } = self;
        let times = [self.since.time, self.last.time];
        // what should come back is what was lost
        let sought =
            Sought { kinds: &[Kind::Media], what: "RTP and RTCP packets", from: Some(dst), times, how_far: false };
        let lost = travel::of_path(&self.way.path, &sought, view);
        if !lost.fix.is_empty() && matches!(story, Story::Silent { owes_reports: false, .. }) {
            // it did send, as another capture shows
            story = Story::Silent { confidence: Confidence::Certain, owes_reports: true };
        }
        let (severity, confidence) = match &story {
            Story::Silent { confidence, .. } => (Severity::Failure, *confidence),
            Story::Gone(gone) => (Severity::Failure, gone.confidence()),
            Story::Reported(_) | Story::Held(_) => (Severity::Failure, Confidence::Certain),
            Story::Spectator | Story::Ended(_) => (Severity::Note, Confidence::Certain),
        };
        let alive = self.other.alive.filter(|_| matches!(story, Story::Silent { .. }));
        let reports = match &story {
            Story::Reported(Reports { unseen_seen: Some((first, last)), .. }) => vec![*first, *last],
            Story::Gone(gone) => gone.frames(),
            Story::Held(held) => held.frames(),
            _ => Vec::new(),
        };
        let (client, peer) = match &story {
            Story::Held(held) => held.client_and_peer(self),
            _ => (src, dst),
        };
        let (server, held_back) = match &story {
            Story::Gone(gone) => (gone.server, gone.arrived.is_some()),
            _ => (None, false),
        };
        let seen = Occurrence {
            key: match server.filter(|_| held_back) {
                Some(server) => format!("{server} holds back"),
                None => format!("0x{:08x}", self.ssrc),
            },
            severity,
            confidence,
            at: self.since.time,
            frames: frames_at([self.since, self.last].into_iter().chain(alive).chain(reports)),
            filter: Some(filter_between(&self.way.path.ends)),
            subject: Subject {
                client: Some(ClientAddress(client)),
                peer: Some(PeerAddress(peer)),
                server,
                ..Subject::default()
            },
            // a side that reports and sends nothing wants it so
            causes: if severity == Severity::Failure { BEHIND_SILENCE } else { &[] },
            ..Occurrence::of(ID, "RFC 3550 §6.4")
        };
        out.add(seen, || {
            let mut text = self.text(&story);
            text.explanation += &lost.text;
            text.fix += &lost.fix;
            text
        });
    }

    fn text(&self, story: &Story<'_>) -> Text {
        let &OneWay { src, dst, .. } = self;
        let alone = self.last.time.since(self.since.time);
        let went = format!(
            "{src} sent RTP to {dst} from frame {} to frame {}, for {alone}",
            self.since.frame, self.last.frame
        );
        let fix = format!(
            "Capture at {dst} too. If its RTP leaves there, something on the way drops it that lets STUN and DTLS pass: look for a firewall or \
             an inspecting gateway. If it does not, look at what its application sends: the direction in the session description, the \
             device, the encoder."
        );
        match story {
            &Story::Silent { owes_reports, .. } => {
                let media = self.other.media.map(|(_, last)| last);
                let before = media.map(|last| format!(" Until frame {} media came back, and then none.", last.frame));
                let report = self.heard.filter(|heard| Some(*heard) > media);
                let report = report.map(|heard| format!(" The last RTCP came in frame {}.", heard.frame));
                let before = before.unwrap_or_default() + &report.unwrap_or_default();
                let handshake = match self.own.handshake {
                    Some((_, last)) => format!("The DTLS handshake was over (frame {}), and ", last.frame),
                    None => String::new(),
                };
                let alive = self.other.alive.map(|seen| format!(" (frame {})", seen.frame)).unwrap_or_default();
                let since = if self.heard > Some(self.since) { "since then" } else { "in that time" };
                let there = format!("connectivity checks of {dst}, or its answers to them, went on to be seen{alive}");
                let there = if handshake.is_empty() { capital(&there) } else { format!("{handshake}{there}") };
                Text {
                    title: format!(
                        "Media goes from {src} to {dst} only: neither media nor RTCP comes back, though connectivity checks do"
                    ),
                    explanation: format!(
                        "{went}.{before} {there}, so that this direction works and is in the capture; but {since} it holds no RTP and no RTCP of it. A muted sender still sends, and a side that only listens still sends RTCP{}.",
                        if owes_reports {
                            ""
                        } else {
                            ", unless its stack gives no reports at all, as that of some servers which only take media in"
                        }
                    ),
                    fix: if owes_reports {
                        fix
                    } else {
                        format!(
                            "None is needed where {dst} is meant to send nothing, as of a broadcast, or in a pause. Else: {}",
                            uncapital(&fix)
                        )
                    },
                }
            }
            Story::Gone(gone) => gone.text(self, &went),
            Story::Held(held) => held.text(self, &went),
            Story::Reported(reports) => {
                let (first, last) = reports.unseen_seen.unwrap_or((self.since, self.last));
                Text {
                    title: format!(
                        "Media goes from {src} to {dst} only: {dst} reports to have sent {} packets of which none arrives here",
                        reports.unseen
                    ),
                    explanation: format!(
                        "{went}. In its sender reports ({}) {dst} says that it sent {} packets of source 0x{:08x}; the capture holds none of \
                         these.",
                        frames(&[first.frame, last.frame]),
                        reports.unseen,
                        reports.ssrc
                    ),
                    fix,
                }
            }
            Story::Ended(end) => Text {
                title: format!(
                    "From frame {} on media goes from {src} to {dst} only; {dst} goes on with RTCP",
                    end.frame
                ),
                explanation: format!(
                    "{went}. The last media of {dst} came in frame {}; its RTCP goes on ({}), so the way back works. That is what a hold looks like, a \
                     track that was stopped, or a camera that was switched off; a gateway that stops RTP and lets RTCP pass looks the same.",
                    end.frame,
                    self.other.rtcp_seen.map(|(_, last)| frames(&[last.frame])).unwrap_or_default()
                ),
                fix: format!(
                    "None, where {dst} was put on hold or muted at that time. Else capture at {dst} too, and see whether its RTP still leaves there."
                ),
            },
            Story::Spectator => Text {
                title: format!("Media goes from {src} to {dst} only; {dst} reports by RTCP and sends none"),
                explanation: format!(
                    "{went}. {dst} sends RTCP ({}), so the way back works. That is what a broadcast looks like, or a call in which that side \
                     sends nothing.",
                    self.other.rtcp_seen.map(|(first, _)| frames(&[first.frame])).unwrap_or_default()
                ),
                fix: format!("None is needed for a broadcast. In a call, look at what the application of {dst} sends."),
            },
        }
    }
}
