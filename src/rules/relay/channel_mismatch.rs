//! `turn-channel-mismatch`: ChannelData on a channel that is not bound.

use crate::frame::in_order;
use crate::rules::evidence::{counted, filter_of, frames, hides_a_peer, is_whole};
use crate::rules::{Collector, Confidence, Occurrence, Remedy, Severity, Text, View};
use crate::session::{Allocation, Conversation, Grievance, Lack, MAX_IN_USE, Stray};
use crate::time::Span;
use crate::wire::stun::Method;

pub(super) const ID: &str = "turn-channel-mismatch";

/// So many messages must have gone nowhere, over so much time.
const ENOUGH: (u64, Span) = (3, Span::from_secs(1));
/// As many channels as are kept of one allocation: with so many nobody knows them all.
const ALL_KEPT: usize = 32;

pub(super) fn judge(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    // a request that was cut before it says for whom, or which channel, may have bound it
    let hides_a_channel =
        conversation.of(Method::CHANNEL_BIND).any(|known| known.asked.truncated && known.asked.channel.is_none());
    if hides_a_channel || hides_a_peer(conversation, Method::CHANNEL_BIND) {
        return;
    }
    for allocation in conversation.allocations() {
        let Some(strays) = &allocation.strays else { continue };
        for stray in &strays.unbound {
            let back = allocation.received.packets > 0 && allocation.received.last >= stray.first.time;
            let (messages, over) = ENOUGH;
            let enough = stray.packets >= messages && stray.last.time.since(stray.first.time) >= over;
            let known = allocation
                .channels
                .iter()
                .any(|known| Some(known.number) == stray.channel && known.expires > stray.last.time);
            // where data comes back, the server knows the channel, and the capture lacks its binding, or its renewal
            let in_use = match stray.lack {
                Lack::Never => {
                    strays.in_use.len() == MAX_IN_USE
                        || strays.in_use.iter().any(|&channel| Some(channel) == stray.channel)
                }
                Lack::Expired => back,
                Lack::Other => false,
            };
            let unbound = stray.lack == Lack::Other || (!known && !in_use);
            if enough && unbound && allocation.channels.len() < ALL_KEPT {
                tell(stray, conversation, allocation, back, view, out);
            }
        }
    }
}

fn tell(
    stray: &Stray,
    conversation: &Conversation,
    allocation: &Allocation,
    back: bool,
    view: &View<'_>,
    out: &mut Collector,
) {
    let (client, server) = (conversation.client, conversation.server);
    let Some(number) = stray.channel else { return };
    let refused =
        conversation.of(Method::CHANNEL_BIND).find(|known| known.failed() && known.asked.channel == Some(number));
    // what comes back may be meant for the peer that the channel is bound to, and so may be what is sent; and a peer that says nothing on a channel
    // of its own may be there beside one that does
    let whole = is_whole(conversation) && !back;
    let at = stray.first.time;
    let strays = [allocation.created.frame, stray.first.frame, stray.last.frame];
    let listed = in_order(strays.into_iter().chain(refused.into_iter().flat_map(|refused| refused.frames())));
    let seen = Occurrence {
        id: ID,
        key: format!("{server} {:?}", stray.lack),
        severity: Severity::Failure,
        confidence: Confidence::certain_if(whole),
        remedy: Remedy::Data(Grievance::of(conversation, allocation.user, at)),
        at,
        frames: listed.clone(),
        filter: Some(filter_of(conversation)),
        reference: "RFC 8656 §12",
        subject: view.subject(conversation, allocation.user, allocation.realm),
        causes: &["turn-peer-forbidden", "turn-allocation-gone", "turn-request-rejected"],
    };
    if stray.lack == Lack::Other {
        out.add(seen, || other_peer(stray, conversation, allocation, &listed, view));
        return;
    }
    out.add(seen, || {
        let why = match (stray.lack, refused.and_then(|refused| refused.answer.as_ref())) {
            (Lack::Expired, _) => "whose binding ran out: it holds for 600 seconds unless a ChannelBind renews it".to_owned(),
            (_, Some(answer)) => format!("for which the server refused the ChannelBind with {}", view.error(answer)),
            (_, None) if !(0x4000..=0x4fff).contains(&number) => {
                "which is outside the range of channel numbers (0x4000 to 0x4FFF), and was never bound on this allocation".to_owned()
            }
            (_, None) => "which was never bound on this allocation, whose start is in the capture".to_owned(),
        };
        Text {
            title: format!("{client} sends on channel {number:#06x}, which {server} does not know as bound"),
            explanation: format!(
                "{client} sent {} on channel {number:#06x} ({}), {why}. The server drops such data without a word, and nothing came back{}.",
                counted(stray.packets, "message"),
                frames(&listed),
                if back { " on this channel" } else { "" },
            ),
            fix: "Let the client bind the channel to the peer (ChannelBind) before it sends on it, and bind it again before 600 seconds are over; after a refusal it \
                  must not use the channel."
                .to_owned(),
        }
    });
}

/// Data on a channel that is bound to another peer than the client asked for last.
fn other_peer(
    stray: &Stray,
    conversation: &Conversation,
    allocation: &Allocation,
    listed: &[u64],
    view: &View<'_>,
) -> Text {
    let (client, server) = (conversation.client, conversation.server);
    let number = stray.channel.unwrap_or_default();
    let bound = allocation.channels.iter().rev().find(|known| known.number == number);
    let to = bound.map(|known| known.peer.to_string()).unwrap_or_default();
    let wanted = bound.and_then(|known| known.wanted).map(|peer| peer.to_string()).unwrap_or_default();
    let refusal = conversation
        .of(Method::CHANNEL_BIND)
        .rfind(|known| known.failed() && known.asked.channel == Some(number))
        .and_then(|refused| refused.answer.as_ref());
    let refusal = refusal.map(|answer| format!(" with {}", view.error(answer))).unwrap_or_default();
    Text {
        title: format!("{client} sends on channel {number:#06x} for {wanted}, and {server} has it bound to {to}"),
        explanation: format!(
            "The channel is bound to {to}. {client} asked to bind it to {wanted}, was refused{refusal}, and sent {} on it all the same ({}): they go \
             to {to}, or nowhere once its permission has run out, and never to {wanted}.",
            counted(stray.packets, "message"),
            frames(listed),
        ),
        fix: "Let the client take a free channel number for each peer, and keep it for that peer: a number may be bound to another peer only five minutes after its \
              binding ran out (RFC 8656 §12)."
            .to_owned(),
    }
}
