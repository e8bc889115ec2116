//! `dtls-incomplete`: a handshake that stops half-way.

use super::fragments::{ON_ITS_WAY, too_big};
use super::{CLOSED_EARLY, INCOMPLETE, Reading, SMALLER, Story, TOO_LARGE};
use crate::rules::evidence::{capital, counted, frames, frames_at, times};
use crate::rules::{Collector, Confidence, Remedy, Severity, Text, View};
use crate::session::Seen;
use crate::session::handshake::{AlertSeen, Flight, Handshake, Role, What};
use crate::time::Span;
use crate::wire::handshake::HandshakeType;

/// A flight sent again so often does not get through, or the other end does not go on.
const OFTEN: u32 = 3;
/// A sender that waits for an answer sends again within this time: without that, the capture ends too early to tell.
const TIMER: Span = Span::from_secs(3);
/// Media that comes so long after a flight was sent in answer to it.
const MEANWHILE: Span = Span::from_millis(200);
/// Datagrams up to this size pass every path: IPv4 asks that much of each host (RFC 791 §3.2), headers included.
const SMALL: u32 = 576 - 28;

pub(super) fn judge(handshake: &Handshake, view: &View<'_>, out: &mut Collector) {
    let Some(story) = Story::of(handshake).filter(|story| story.reading == Reading::Stuck) else { return };
    if story.went_on(view) {
        return;
    }
    if let Some((by, at)) = handshake.refusal() {
        return refused(&story, by, at, out);
    }
    let Some(last) = handshake.flights.last().filter(|last| !is_end(handshake, last)) else { return };
    let repeated = handshake.flights.iter().map(|flight| flight.repeated).max().unwrap_or_default();
    let waited = handshake.surroundings.judged.since(handshake.last.time);
    let given_up = handshake.superseded.is_some();
    if let Some(hellos) = cookies_in_vain(handshake) {
        return cookie_refused(&story, &hellos, out);
    }
    if let Some(alert) =
        handshake.given_up().filter(|_| handshake.from_start && handshake.is_two_sided() && repeated < OFTEN)
    {
        return closed(&story, last, alert, out);
    }
    if repeated == 0 && (waited < TIMER || given_up || handshake.truncated) {
        return; // the capture ends within the handshake, or the client began anew, or what completed it stands behind the cut of a frame
    }
    if !handshake.is_two_sided() || !handshake.from_start && repeated < OFTEN {
        return;
    }
    let since = handshake.surroundings.judged.since(last.first.time);
    if since < ON_ITS_WAY {
        return;
    }
    let often = repeated >= OFTEN && since >= TIMER;
    let severity = if often { Severity::Failure } else { Severity::Warning };
    // of what is missing the rest may come after the end of the capture, and then it is a part that was lost
    let whole = [Role::Client, Role::Server].iter().all(|&role| handshake.sides[role].missing.is_empty());
    let sure = handshake.from_start && often && !handshake.truncated && whole && !view.session.forgot_packets();
    let confidence = Confidence::certain_if(sure);
    let number = handshake.flights.len();
    let mut seen = story.occurrence(INCOMPLETE, severity, confidence, &format!("{} {number}", last.from.name()));
    let listed = frames_at(handshake.flights.iter().flat_map(|flight| flight.times.iter().copied()));
    seen.frames = listed.clone();
    seen.causes = &["ice-consent-lost", "turn-permission-missing", "turn-channel-mismatch", "turn-allocation-gone"];
    story.add(seen, view, out, || stuck(&story, last, repeated, &listed, view));
}

/// Whether a flight is the server's last one, which answers the client's Finished, though the capture may not show that: nobody owes another.
fn is_end(handshake: &Handshake, last: &Flight) -> bool {
    let hello = What::Message(HandshakeType::CLIENT_HELLO);
    let finishes = last.messages.iter().any(|what| matches!(what, What::ChangeCipherSpec | What::Protected));
    let answers = |flight: &Flight| flight.from == Role::Client && flight.messages.iter().any(|what| *what != hello);
    last.from == Role::Server
        && finishes
        && handshake.flights.iter().any(|flight| answers(flight) && flight.first < last.first)
}

/// The frames of a client's hellos with a cookie and of what a server says to them, where that is again and again that it wants a cookie.
fn cookies_in_vain(handshake: &Handshake) -> Option<Vec<u64>> {
    const ROUNDS: usize = 3;
    let hello = What::Message(HandshakeType::CLIENT_HELLO);
    let verify = What::Message(HandshakeType::HELLO_VERIFY_REQUEST);
    let of = |what: What| handshake.flights.iter().filter(move |flight| flight.messages.contains(&what));
    let asked = of(verify).map(|flight| flight.first).min()?;
    // a hello that begins a flight of its own after that has another number than the first, and so the cookie
    let with: Vec<Seen> =
        of(hello).filter(|flight| flight.first > asked).flat_map(|flight| flight.times.iter().copied()).collect();
    let begun = with.iter().min().copied()?;
    let again: Vec<Seen> =
        of(verify).flat_map(|flight| flight.times.iter().copied()).filter(|seen| *seen > begun).collect();
    let all = handshake.flights.iter().all(|flight| flight.messages.iter().all(|what| [hello, verify].contains(what)));
    let enough = all && again.len() >= ROUNDS && with.len() >= ROUNDS && handshake.from_start;
    enough.then(|| frames_at(with.into_iter().chain(again)))
}

fn cookie_refused(story: &Story<'_>, listed: &[u64], out: &mut Collector) {
    let mut seen = story.occurrence(INCOMPLETE, Severity::Failure, Confidence::Certain, "cookie");
    seen.frames = listed.to_vec();
    seen.reference = "RFC 9147 §5.1";
    out.add(seen, || {
        let (client, server) = (story.end(Role::Client), story.end(Role::Server));
        Text {
            title: format!("{server} does not take the DTLS cookie of {client}: it asks for one again and again"),
            explanation: format!(
                "{server} answers the ClientHello with a HelloVerifyRequest, which brings a cookie; the client sends its ClientHello with one, and gets \
                 another HelloVerifyRequest ({}). Either several servers answer by turns and do not know each other's cookies, or the client's address as the \
                 server sees it changes from one to the next, or one of the stacks handles cookies wrongly.",
                frames(listed),
            ),
            fix: format!(
                "Have all datagrams of one client go to one server behind {server}, or give the servers the same secret for cookies; if there is one server only, \
                 update the two stacks."
            ),
        }
    });
}

/// One end closed it before it was complete: no flight had been waited for long enough to blame anybody.
fn closed(story: &Story<'_>, last: &Flight, alert: &AlertSeen, out: &mut Collector) {
    let name = alert.alert.description.to_string();
    let what = format!("{} {name}", alert.from.name());
    // an ordinary hang-up is healthy
    let mut seen = story.occurrence(INCOMPLETE, Severity::Note, Confidence::Certain, &what);
    seen.remedy = Remedy::None;
    let listed = frames_at(story.handshake.flights.iter().map(|flight| flight.first).chain([alert.seen]));
    seen.frames = listed.clone();
    seen.reference = "RFC 8446 §6.1";
    out.add(seen, || {
        let (who, other) = (story.end(alert.from), story.end(alert.from.other()));
        let owes = story.end(last.from.other());
        let after = alert.seen.time.since(last.first.time);
        let certified = story.handshake.sides[alert.from.other()].sent(HandshakeType::CERTIFICATE);
        let hint = if certified {
            " Stacks that compare the other side's certificate with a=fingerprint by themselves end like this as well, where it is another one."
        } else {
            ""
        };
        Text {
            title: format!("{who} closes DTLS with {other} before the handshake is complete ({name})"),
            explanation: format!(
                "{} sent {name} {after} after the last flight, which is of {} and which {owes} had not answered yet (frame {}; flights: {}). That names no \
                 fault: the application hung up, or no longer waited.{hint}",
                capital(&story.named(alert.from)),
                story.end(last.from),
                alert.seen.frame,
                frames(listed.split_last().map_or(&[], |(_, flights)| flights)),
            ),
            fix: format!("Look at the log of {who} for why it closed at that time: a hang-up, a timer, or a call that failed elsewhere."),
        }
    });
}

/// Who owes the next flight: the end that the last flight was sent to.
fn stuck(story: &Story<'_>, last: &Flight, repeated: u32, listed: &[u64], view: &View<'_>) -> Text {
    let handshake = story.handshake;
    let (sender, owes) = (story.end(last.from), story.end(last.from.other()));
    let names: Vec<String> = last.messages.iter().map(|what| what.name()).collect();
    let names = names.join(", ");
    let largest = handshake.sides[last.from].largest_datagram;
    let way = story.whereabouts(last.from, "DTLS datagrams", view);
    let before = handshake.flights.iter().rev().find(|flight| flight.from != last.from);
    let deaf = before.filter(|flight| flight.repeated > 0).map(|flight| {
        let large = if largest >= SMALL {
            format!(", and its largest datagram, of {largest} bytes, may be too large for the path")
        } else {
            String::new()
        };
        let cut = handshake.sides[last.from].messages.iter().any(|message| message.fragments > 1);
        // what several captures tell of its way says more
        let pieces = match cut && way.text.is_empty() {
            true => ", or it arrives and is not understood: some stacks cannot put a message together of which a copy is cut at other places than the first one was",
            false => "",
        };
        format!(
            " Meanwhile {owes} sent its own flight again {}, as though nothing had come: what {sender} sends does not arrive{large}{pieces}.",
            times(flight.repeated.into())
        )
    });
    // whoever sends media has its keys
    let media = story.last_media(last.from.other(), view).filter(|seen| seen.time > last.first.time.after(MEANWHILE));
    let goes_on = match media {
        Some(seen) => format!(
            "{owes} sends media meanwhile (up to frame {}), so that for {owes} it is complete: what does not get here is its last flight.",
            seen.frame
        ),
        None => format!("{owes} does not go on."),
    };
    // a cookie came, which is small, and what comes next holds the certificate
    let verified = handshake.sides.server.sent(HandshakeType::HELLO_VERIFY_REQUEST);
    let asked_again = last.from == Role::Client && last.messages == [What::Message(HandshakeType::CLIENT_HELLO)];
    let unheard = verified && asked_again && story.pair_works(view);
    let hint = match last.messages.first() {
        _ if media.is_some() => "",
        Some(What::ChangeCipherSpec | What::Protected) | None => "",
        _ if last.from == Role::Client && last.messages.contains(&What::Protected) => {
            " A server that does not take the client's certificate, and says nothing, shows the same."
        }
        _ if deaf.is_none()
            && last.from == Role::Server
            && last.messages.contains(&What::Message(HandshakeType::CERTIFICATE)) =>
        {
            " A client that does not take the server's certificate, because another fingerprint was signalled to it, and says nothing, shows the same."
        }
        _ => "",
    };
    let size = match unheard && way.text.is_empty() {
        true => format!(" Its stack or application refuses the hello without a word{TOO_LARGE}."),
        false => String::new(),
    };
    let icmp = handshake.unreachable.as_ref().map(|(_, known)| {
        format!(" {} ({}) came from {}.", counted(known.total, "ICMP error"), known.answer.kind, known.answer.sender)
    });
    let icmp = icmp.or_else(|| too_big(handshake));
    let closed = handshake.given_up().map(|alert| {
        let (who, name) = (story.end(alert.from), &alert.alert.description);
        format!(" {who} closed it in the end ({name}, frame {}).", alert.seen.frame)
    });
    let fix = if media.is_some() {
        format!("Capture at {owes}, too: whether its last flight leaves it tells the path from the stack.{}", way.fix)
    } else if way.fix.is_empty() {
        format!(
            "Capture at {owes}, too: whether that flight arrives there tells the path from the stack; then look at its log.{}",
            if unheard { format!(" If it arrives and is answered, {SMALLER}") } else { String::new() }
        )
    } else {
        format!("Look at the log of {owes} if its side got the flight.{}", way.fix)
    };
    Text {
        title: format!(
            "The DTLS handshake between {} and {} stops: {owes} owes the next flight",
            story.end(Role::Client),
            story.end(Role::Server)
        ),
        explanation: format!(
            "Flight {} of the handshake, {names} from {sender}, is the last one{} ({}). {goes_on}{size}{}{hint}{}{}{}",
            handshake.flights.len(),
            if repeated > 0 {
                format!("; flights were sent again up to {}", times(repeated.into()))
            } else {
                String::new()
            },
            frames(listed),
            deaf.unwrap_or_default(),
            icmp.unwrap_or_default(),
            closed.unwrap_or_default(),
            way.text
        ),
        fix,
    }
}

/// A protected alert in place of what would complete the handshake: what it says takes the keys. Where both ends had sent all their flights, it is
/// as much a handshake that was closed at once.
fn refused(story: &Story<'_>, by: Role, at: Seen, out: &mut Collector) {
    let handshake = story.handshake;
    let finished = [Role::Client, Role::Server].iter().all(|&role| handshake.sides[role].protected.is_some());
    let id = if finished { CLOSED_EARLY } else { INCOMPLETE };
    let mut seen = story.occurrence(id, Severity::Warning, Confidence::Certain, &format!("{} refuses", by.name()));
    if finished {
        seen.reference = "RFC 8122 §6.2";
    }
    let listed = frames_at(handshake.flights.iter().map(|flight| flight.first).chain([at]));
    seen.frames = listed.clone();
    seen.at = at.time;
    let certified =
        handshake.flights.iter().any(|flight| flight.from != by && flight.messages.contains(&What::Protected));
    out.add(seen, || {
        let (who, other) = (story.end(by), story.end(by.other()));
        let version = handshake.version().map(|version| format!("{version} ")).unwrap_or_default();
        let cause = if certified && !handshake.sides[by.other()].sent(HandshakeType::CERTIFICATE) {
            format!(
                " What came before it is the encrypted flight of {other} with its certificate: mostly {who} does not take that, because it is not the \
                 one whose fingerprint was signalled."
            )
        } else {
            String::new()
        };
        Text {
            title: format!("{who} breaks off the {version}handshake with {other} by an encrypted alert"),
            explanation: format!(
                "Instead of what would complete the handshake, {} sent a protected record of the size of an alert (frame {}; flights: {}). What it says \
                 is not readable without the keys.{cause}",
                story.named(by),
                at.frame,
                frames(&listed)
            ),
            fix: format!(
                "Look at the log of {who}, or record the keys of the handshake. Compare a=fingerprint in the description that {who} was given with \
                 the certificate of {other}."
            ),
        }
    });
}
