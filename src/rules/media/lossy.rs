//! `media-lossy`: packets of a stream are missing where it was captured, many of them or all for a while.

use super::TOGETHER;
use crate::frame::in_order;
use crate::join::Kind;
use crate::net::{ClientAddress, PeerAddress};
use crate::rules::evidence::{filter_between, frames};
use crate::rules::travel::{self, Sought};
use crate::rules::{Collector, Confidence, Occurrence, Severity, Subject, Text, View};
use crate::session::{Break, MediaWay, Stream};

pub(super) const ID: &str = "media-lossy";

/// So many packets must be expected before a share of them says anything.
const ENOUGH: u64 = 100;
/// One in so many may be missing.
const ONE_IN: u64 = 20;

/// A stream with its path and direction.
type Known<'s> = (&'s MediaWay, usize, &'s Stream);

pub(super) fn judge(view: &View<'_>, out: &mut Collector) {
    let streams = view.session.media().streams();
    for &(way, direction, stream) in &streams {
        let share = stream.expected() >= ENOUGH && stream.lost().saturating_mul(ONE_IN) > stream.expected();
        let known = (way, direction, stream);
        if (share || stream.outages > 0) && !is_elsewhere(known, &streams) && !is_told(known, &streams) {
            tell(known, share, &streams, view, out);
        }
    }
}

/// The streams of the same source on other paths.
fn others<'s>((way, direction, stream): Known<'s>, streams: &[Known<'s>]) -> impl Iterator<Item = &'s Stream> {
    let same =
        move |&&(known, of, other): &&Known<'s>| other.ssrc == stream.ssrc && (known.path, of) != (way.path, direction);
    streams.iter().filter(same).map(|(_, _, other)| *other)
}

/// Whether these are the same packets seen twice, as on both sides of a NAT: they begin and end together, and are together more than there are.
fn are_the_same(one: &Stream, other: &Stream) -> bool {
    let about = |one: u64, other: u64| one.abs_diff(other).saturating_mul(ONE_IN) <= one.max(other);
    one.first.time.apart(other.first.time) < TOGETHER
        && one.last.time.apart(other.last.time) < TOGETHER
        && about(one.expected(), other.expected())
        && (one.packets + other.packets).saturating_mul(10) > one.expected().max(other.expected()).saturating_mul(11)
}

/// Whether what is missing may have gone another way: the same source is seen on another path, and not as the same packets seen twice.
fn is_elsewhere(known: Known<'_>, streams: &[Known<'_>]) -> bool {
    let (_, _, stream) = known;
    let whole = |other: &Stream| other.packets.saturating_mul(10) >= stream.expected().saturating_mul(9);
    others(known, streams).any(|other| {
        let apart = !whole(other) && !are_the_same(stream, other);
        apart && other.first < stream.last && stream.first < other.last
    })
}

/// Whether the same packets are missing where they passed first, so that it is told of there.
fn is_told(known: Known<'_>, streams: &[Known<'_>]) -> bool {
    let (_, _, stream) = known;
    let missing = |other: &Stream| (other.lost(), other.outages) == (stream.lost(), stream.outages);
    others(known, streams).any(|other| other.first < stream.first && are_the_same(stream, other) && missing(other))
}

/// Whether all other streams that were under way broke off too: the capture itself may have missed that time then.
fn all_broke_off(outage: &Break, own: &Stream, streams: &[Known<'_>]) -> bool {
    let until = outage.from.after(outage.span);
    let mut under_way = streams
        .iter()
        .map(|(_, _, other)| *other)
        .filter(|other| !std::ptr::eq(*other, own) && other.first.time < outage.from && other.last.time > until)
        .peekable();
    let breaks = |other: &Stream| {
        [other.longest_gap, other.longest_pause, other.longest_outage].into_iter().flatten().any(|known| {
            let shared = known.from.after(known.span).min(until).since(known.from.max(outage.from));
            shared.0 >= outage.span.0 / 4 * 3
        })
    };
    under_way.peek().is_some() && under_way.all(breaks)
}

fn tell((way, direction, stream): Known<'_>, share: bool, streams: &[Known<'_>], view: &View<'_>, out: &mut Collector) {
    let (own, _) = way.from(direction);
    let Some((src, dst)) = own.ends else { return };
    let outage = stream.longest_outage;
    let missed = !share && outage.is_some_and(|outage| all_broke_off(&outage, stream, streams));
    let ends = [stream.first.frame, stream.last.frame];
    let listed = in_order(ends.into_iter().chain(outage.map(|outage| outage.until)));
    let seen = Occurrence {
        key: format!("{src} {dst}"),
        severity: Severity::Warning,
        confidence: Confidence::certain_if(!missed),
        at: stream.first.time,
        frames: listed,
        filter: Some(filter_between(&way.path.ends)),
        subject: Subject { client: Some(ClientAddress(src)), peer: Some(PeerAddress(dst)), ..Subject::default() },
        ..Occurrence::of(ID, "RFC 3550 §6.4.1")
    };
    out.add(seen, || {
        let what = match outage {
            Some(outage) if !share => format!("breaks off for {}", outage.span),
            _ => format!("arrives here with {} of its packets missing", per_cent(stream)),
        };
        let counted = format!(
            "Of the {} packets that the sequence numbers of source 0x{:08x} ({}) speak of, {} are not in the capture, in {}.",
            stream.expected(),
            stream.ssrc,
            frames(&[stream.first.frame, stream.last.frame]),
            stream.lost(),
            if stream.gaps == 1 { "one gap".to_owned() } else { format!("{} gaps", stream.gaps) }
        );
        let longest = outage.map_or(String::new(), |outage| {
            let others = if stream.outages > 1 { format!(", the longest of {}", stream.outages) } else { String::new() };
            let (span, missing, until) = (outage.span, outage.missing, outage.until);
            format!(" For {span} before frame {until} nothing came and {missing} packets are missing{others}.")
        });
        let missed = if missed {
            " All other media breaks off at that time too, so the capture itself may have missed it."
        } else {
            ""
        };
        let times = [stream.first.time, stream.last.time];
        let sought = Sought { kinds: &[Kind::Media], what: "RTP and RTCP packets", from: Some(src), times, how_far: false };
        let mut between = travel::of_path(&way.path, &sought, view);
        if between.text.is_empty() {
            between.text = travel::missing_before(&way.path, src, dst, view);
        }
        Text {
            title: format!("Media from {src} to {dst} {what}"),
            explanation: format!(
                "{counted}{longest}{missed} This is measured at the capture point: the packets were lost on the way from {src} to here, or by \
                 the capturing machine; what is lost behind it is not seen. Pauses of the sender are not counted.{}",
                between.text
            ),
            fix: format!(
                "Capture nearer to {src}, and on both sides of what lies between, to find the hop that drops packets: congestion, radio, \
                 policing, a full queue. Check that the capturing machine reported no drops.{}",
                between.fix
            ),
        }
    });
}

/// `12.3 %`.
fn per_cent(stream: &Stream) -> String {
    let per_mille = u128::from(stream.lost()) * 1000 / u128::from(stream.expected().max(1));
    format!("{}.{} %", per_mille / 10, per_mille % 10)
}
