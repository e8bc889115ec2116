//! `turn-data-after-expiry`: the client goes on sending through an allocation that has ended.

use crate::rules::denied::request_rejected::OTHER;
use crate::rules::evidence::{counted, filter_of, frames};
use crate::rules::{Collector, Confidence, Occurrence, Severity, Text, View};
use crate::session::{Allocation, Conversation, End, Exchange, Seen};
use crate::time::{Span, Timestamp};
use crate::wire::stun::Method;

pub(super) const ID: &str = "turn-data-after-expiry";

/// What was on its way when the allocation ended does no harm: so many messages, over so much time, are more than that.
const ENOUGH: (u64, Span) = (3, Span::from_secs(2));

/// So much later than the lifetime says a server may end an allocation: its timer is no finer, and data of a peer is under way.
const SLACK: Span = Span::from_secs(5);

/// What makes an allocation end before its client thinks so; the first of it only where a Refresh was answered 438.
static CAUSES: [&str; 7] = [
    OTHER,
    "turn-no-response",
    "turn-allocation-gone",
    "turn-stale-nonce-loop",
    "turn-user-changed",
    "turn-credential-expired",
    "turn-integrity-rejected",
];

pub(super) fn judge(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    // what moved to another address of the client (RFC 8016) is good at the old one, too, until data comes by the new one
    for allocation in conversation.allocations().filter(|allocation| allocation.moved_to.is_none()) {
        late(conversation, allocation, view, out);
    }
}

/// What was sent through an allocation after its end, enough to be no accident.
struct Late {
    first: Seen,
    last: Seen,
    packets: u64,
    end: End,
    /// When the allocation ended.
    ended: Timestamp,
}

/// When the allocation ran out for which a Refresh was refused at `at`, where its client goes on as if it had not: what it carried until then does not make
/// up for what it no longer carries.
pub(in crate::rules) fn ran_out_after(conversation: &Conversation, at: Timestamp) -> Option<Timestamp> {
    let before = conversation.allocations().filter(|known| known.created.time <= at);
    before.last().and_then(Late::of).map(|late| late.ended).filter(|&ended| ended >= at)
}

impl Late {
    fn of(allocation: &Allocation) -> Option<Late> {
        let (first, last, packets) = allocation.strays.as_deref().and_then(|strays| strays.late)?;
        let (messages, over) = ENOUGH;
        let (end, ended) = (allocation.ended.map_or(End::Expired, |(end, _)| end), allocation.until());
        // data of a peer shows that the server still had it: a Refresh is missing from the capture
        let lives = allocation.received.packets > 0 && allocation.received.last > ended.after(SLACK);
        let passing = packets < messages || last.time.since(ended) < over || last.time.since(first.time) < over;
        (!lives && !passing).then_some(Late { first, last, packets, end, ended })
    }
}

fn late(conversation: &Conversation, allocation: &Allocation, view: &View<'_>, out: &mut Collector) {
    let Some(Late { first, last, packets, end, ended }) = Late::of(allocation) else { return };
    let (client, server) = (conversation.client, conversation.server);
    let whole = conversation.orphans == 0 && !conversation.began_before && conversation.both_heard();
    let listed = [allocation.created.frame, first.frame, last.frame];
    // a Refresh that the client left at 438
    let left =
        conversation.of(Method::REFRESH).any(|known| known.answer.as_ref().is_some_and(|answer| answer.is_error(438)));
    let seen = Occurrence {
        key: server.to_string(),
        severity: Severity::Warning,
        confidence: Confidence::certain_if(whole),
        at: first.time,
        frames: listed.to_vec(),
        filter: Some(filter_of(conversation)),
        subject: view.subject(conversation, allocation.user, allocation.realm),
        causes: if left { &CAUSES } else { &CAUSES[1..] },
        ..Occurrence::of(ID, "RFC 8656 §8")
    };
    out.add(seen, || {
        let how = match end {
            End::Released => "which it had given up itself".to_owned(),
            End::Rejected => "which the server no longer knows".to_owned(),
            End::Expired | End::Open => ran_out(conversation, allocation),
        };
        Text {
            title: format!("{client} goes on sending through an allocation on {server} that has ended"),
            explanation: format!(
                "{client} sent {} through an allocation {how} ({}), the last {} seconds after its end. The server drops them without a word.",
                counted(packets, "message"),
                frames(&listed),
                last.time.since(ended).secs(),
            ),
            fix: "Let the client refresh its allocation in time, about a minute before it ends, and allocate anew when that fails.".to_owned(),
        }
    });
}

/// How the lifetime of an allocation came to its end.
fn ran_out(conversation: &Conversation, allocation: &Allocation) -> String {
    let granted = allocation.expires.before(Span::from_secs(allocation.lifetime.into()));
    let asked = || conversation.of(Method::REFRESH).filter(|known| known.first.time > granted);
    let seconds = allocation.lifetime;
    match asked().filter(|known| known.failed()).count() {
        0 if asked().any(Exchange::is_unanswered) => {
            format!("whose {seconds} seconds ran out, since its Refresh got no answer")
        }
        0 if allocation.refreshes == 0 => format!("whose {seconds} seconds ran out without a Refresh"),
        0 => format!("whose last Refresh was for {seconds} seconds, which ran out"),
        1 => format!("whose {seconds} seconds ran out, since a Refresh was refused"),
        many => format!("whose {seconds} seconds ran out, since {many} Refreshes were refused"),
    }
}
