//! `media-lossy`, of packets that are too large for the path, as a router says that turns them back.

use crate::net::{ClientAddress, PeerAddress};
use crate::rules::evidence::{first_frames, host_filter, how_long};
use crate::rules::{Collector, Confidence, Occurrence, Remedy, Severity, Subject, Text, View};
use crate::time::Span;

/// So many errors over so much time say that the sender goes on as before.
const LASTING: (u64, Span) = (3, Span::from_secs(1));

pub(super) fn judge(view: &View<'_>, out: &mut Collector) {
    for (src, dst, known) in view.session.too_large() {
        let lasted = known.last.time.since(known.first.time);
        if known.total < LASTING.0 || lasted < LASTING.1 {
            continue;
        }
        let seen = Occurrence {
            id: super::lossy::ID,
            key: format!("{src} {dst} size"),
            severity: Severity::Warning,
            confidence: Confidence::Certain,
            remedy: Remedy::None,
            at: known.first.time,
            frames: known.frames.clone(),
            filter: Some(format!(
                "(icmp || icmpv6) && {} && {}",
                host_filter(known.answer.sender),
                host_filter(src.ip())
            )),
            reference: "RFC 8899 §3",
            subject: Subject { client: Some(ClientAddress(src)), peer: Some(PeerAddress(dst)), ..Subject::default() },
            causes: &[],
        };
        out.add(seen, || {
            let router = known.answer.sender;
            let takes = known.mtu.map(|mtu| format!(": {router} passes on {mtu} bytes at most")).unwrap_or_default();
            let fits = match known.largest_payload() {
                Some(bytes) => format!("{bytes} bytes or less without the headers of IP and UDP"),
                None => "1200 bytes or less".to_owned(),
            };
            Text {
                title: format!("Large packets from {src} do not get to {dst}{takes}"),
                explanation: format!(
                    "{router} answered packets of {src} with ICMP \"{}\" {} times over {} ({}), and so did not pass them on. {src} sends packets of that size all \
                     the same. What is small gets through, such as connectivity checks and audio, so that a call connects, and its video or data channel stalls.",
                    known.answer.kind,
                    known.total,
                    how_long(lasted),
                    first_frames(&known.frames, known.total)
                ),
                fix: format!(
                    "Let {src} send smaller packets ({fits}). Or raise the MTU of the path, which a VPN or tunnel lowers; or let {router} fragment what is too large, \
                     by not forbidding it in the packets of {src}."
                ),
            }
        });
    }
}
