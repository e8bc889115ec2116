//! The sentence for a capture without any message: why there may be none, and where to capture instead.

use super::Report;
use super::convert::{ENCRYPTED, LINK_TYPE, MALFORMED, UNCLAIMED, UNSEEN, VPN};
use super::headline::frames;
use super::proxy::refusal;

/// The sentence; of a capture of which only a part was asked for, where that is `narrow`.
pub(super) fn silence(report: &Report, narrow: bool) -> String {
    let frames = if narrow { format!("what was asked for of {}", frames(report)) } else { frames(report) };
    if let Some(refused) = refusal(&report.proxies) {
        return format!("No STUN, TURN or DTLS in {frames}: {refused}.");
    }
    let mut unread = report.counts.skipped.keys().filter(|what| what.starts_with(LINK_TYPE));
    if let Some(what) = unread.next() {
        let others = if unread.next().is_some() { " and others" } else { "" };
        return format!("No STUN, TURN or DTLS in what could be read of {frames}: {what}{others} is not supported.");
    }
    let skipped = |what| report.counts.skipped.get(what).copied().unwrap_or_default();
    let (cut, broken, encrypted) = (skipped(UNSEEN), skipped(MALFORMED), skipped(ENCRYPTED));
    if cut > 0 {
        return format!(
            "No STUN, TURN or DTLS can be told in {frames}: {cut} datagrams are cut short before their content. Capture whole \
             packets (tcpdump -s 0)."
        );
    }
    if broken > 0 {
        return format!(
            "No STUN, TURN or DTLS in what could be read of {frames}: the headers of {broken} make no sense or are cut short."
        );
    }
    if skipped(UNCLAIMED) > 0 {
        return format!(
            "No STUN, TURN or DTLS in {frames}, only RTP: the call was set up before the capture began, or without ICE. Start \
             the capture before the call."
        );
    }
    if let Some((tunnel, datagrams)) = tunnel(report) {
        return format!(
            "No STUN, TURN or DTLS in {frames}, but {datagrams} of {tunnel}, which hides what goes through it. Capture inside \
             the VPN, on the interface that it has at the client."
        );
    }
    if encrypted > 0 {
        return format!(
            "No STUN, TURN or DTLS in {frames}, {encrypted} of them encrypted (Wi-Fi, MACsec or IPsec). Capture on the \
             client itself, where they are not."
        );
    }
    let advice = match (narrow, report.counts.udp, report.counts.tcp) {
        (true, _, _) => "",
        (false, 0, 1..) => {
            " They hold TCP alone, and calls go over UDP first: capture without a filter, on the client, from before the call."
        }
        (false, _, _) => " Capture without a filter, on the client or the TURN server, from before the call.",
    };
    format!("No STUN, TURN or DTLS in {frames}.{advice}")
}

/// What hides the most datagrams, and how many.
fn tunnel(report: &Report) -> Option<(&str, String)> {
    let tunnels = report.counts.skipped.iter().filter_map(|(what, &count)| Some((what.strip_prefix(VPN)?, count)));
    let (tunnel, datagrams) = tunnels.max_by_key(|&(_, datagrams)| datagrams)?;
    let datagrams = if datagrams == 1 { "1 datagram".to_owned() } else { format!("{datagrams} datagrams") };
    Some((tunnel, datagrams))
}
