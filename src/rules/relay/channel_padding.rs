//! `turn-channel-padding`: ChannelData whose padding is counted as data, or, over a byte stream, is not there.

use crate::net::{ClientAddress, ServerAddress};
use crate::rules::evidence::{first_frames, ip_filter};
use crate::rules::{Collector, Confidence, Occurrence, Severity, Subject, Text, View};
use crate::session::Sender;

pub(super) const ID: &str = "turn-channel-padding";

/// What comes of it where a stack of DTLS is strict.
const EFFECTS: &[&str] = &["dtls-no-answer", "dtls-incomplete"];

/// Once may be what the application itself sent.
const SEVERAL: u64 = 2;

pub(super) fn judge(view: &View<'_>, out: &mut Collector) {
    let totals = view.session.totals();
    // who tells a length that is no multiple of 4 does not count the padding
    let counts = |sender: &&Sender| !totals.odd_lengths.senders.contains_key(&sender.src.ip());
    for sender in totals.padded.senders.values().filter(counts) {
        tell(sender, ("counted", "tcp"), view, out, counted);
    }
    // a server or client does so over both
    let only = |sender: &&Sender| !totals.padded.senders.contains_key(&sender.src.ip());
    for sender in totals.padded_datagrams.senders.values().filter(counts).filter(only) {
        tell(sender, ("counted", "udp"), view, out, counted_in_datagrams);
    }
    for sender in totals.unpadded.senders.values() {
        tell(sender, ("missing", "tcp"), view, out, missing);
    }
}

fn tell(
    sender: &Sender,
    (what, transport): (&str, &str),
    view: &View<'_>,
    out: &mut Collector,
    text: fn(&Sender, &str) -> Text,
) {
    let (src, dst) = (sender.src, sender.dst);
    let is_server = view.session.servers().is_known(ServerAddress(src));
    let (client, server) = if is_server { (dst, src) } else { (src, dst) };
    let seen = Occurrence {
        key: format!("{} {what}", src.ip()),
        severity: Severity::Warning,
        confidence: Confidence::certain_if(sender.sample.total >= SEVERAL),
        at: sender.first.time,
        frames: sender.sample.frames.clone(),
        filter: Some(format!("{} && {transport}.port == {}", ip_filter(src, dst), client.port())),
        subject: Subject::between(ClientAddress(client), ServerAddress(server)),
        ..Occurrence::of(ID, "RFC 8656 §12.5")
    };
    out.add_cause(seen, EFFECTS, || text(sender, if is_server { "TURN server" } else { "client" }));
}

fn messages(total: u64) -> String {
    if total == 1 { "one message".to_owned() } else { format!("{total} messages") }
}

fn counted(sender: &Sender, role: &str) -> Text {
    let why = "which brings a message to a multiple of 4 bytes in a byte stream";
    told(sender, why, format!("Update the {role} at {}, or use TURN over UDP, which has no padding.", sender.src))
}

fn counted_in_datagrams(sender: &Sender, role: &str) -> Text {
    let why =
        "which a message may have in a datagram, too (pion sends it), its own or that of the message that it passes on";
    told(sender, why, format!("Update the {role} at {}, or use another one.", sender.src))
}

fn told(sender: &Sender, why: &str, fix: String) -> Text {
    let Sender { sample, src, .. } = sender;
    Text {
        title: format!("{src} counts the padding of ChannelData as data: what it relays is up to three bytes too long"),
        explanation: format!(
            "In {} of {src} the DTLS records inside ChannelData end one to three bytes before the data that the header tells ({}), and every length that it \
             tells is a multiple of 4: it takes the padding, {why}, for part of the data. \
             The receiver hands these bytes on to the application, and SRTP and strict DTLS stacks drop such packets.",
            messages(sample.total),
            first_frames(&sample.frames, sample.total)
        ),
        fix,
    }
}

fn missing(sender: &Sender, role: &str) -> Text {
    let Sender { sample, src, dst, .. } = sender;
    Text {
        title: format!("{src} sends ChannelData without padding over TCP: {dst} loses its place in the stream"),
        explanation: format!(
            "After {} of {src} whose length is no multiple of 4, the next message follows at once ({}). In a byte stream ChannelData is padded to a \
             multiple of 4 bytes (RFC 8656 §12.5); a receiver that goes by that takes the start of the next message for padding, and understands nothing \
             that comes after it.",
            messages(sample.total),
            first_frames(&sample.frames, sample.total)
        ),
        fix: format!("Update the {role} at {src}."),
    }
}
