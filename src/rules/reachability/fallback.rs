//! `turn-fallback`: UDP to the server is silent, and TCP or TLS to the same server works.

use crate::frame::in_order;
use crate::net::{ServerAddress, Transport};
use crate::rules::evidence::{frames, ip_filter, layers};
use crate::rules::{Collector, Confidence, Occurrence, Severity, Subject, Text, View};
use crate::session::tls::TlsWay;
use crate::session::{Seen, Way};

pub(super) const ID: &str = "turn-fallback";

/// So many copies of requests that nothing answered are silence, not a loss.
const SEVERAL: u64 = 3;

pub(super) fn judge(view: &View<'_>, out: &mut Collector) {
    let ways = view.session.ways();
    for silent in ways.sorted() {
        if silent.transport != Transport::Udp || silent.answered > 0 || silent.in_vain < SEVERAL {
            continue;
        }
        let (client, server) = (silent.client.0.ip(), silent.server.0.ip());
        let other = |transport| ways.get(client, server, transport).filter(|way| way.answered > 0);
        if let Some(works) = other(Transport::Tcp).or_else(|| other(Transport::Tls)) {
            tell(silent, works, out);
        } else if let Some((way, answered)) =
            view.session.tls().way(client, server).and_then(|way| Some((way, way.exchanged?)))
        {
            tell_sealed(silent, way, answered, out);
        }
    }
}

/// TLS to the server that nobody opened: the handshake was completed and data went both ways, which is what TURN looks like from outside.
fn tell_sealed(silent: &Way, way: &TlsWay, answered: Seen, out: &mut Collector) {
    let (client, server) = (silent.client.0.ip(), ServerAddress(way.server));
    let seen = Occurrence {
        key: server.to_string(),
        severity: Severity::Note,
        confidence: Confidence::Likely,
        at: silent.first.time,
        frames: in_order(silent.frames.iter().copied().chain([way.first.frame, way.completed.frame, answered.frame])),
        filter: Some(format!("{} && {}", layers(Transport::Tls), ip_filter(silent.client.0, server.0))),
        subject: Subject::between(silent.client, server),
        ..Occurrence::of(ID, "RFC 8656 §3.1")
    };
    out.add(seen, || Text {
        title: format!("UDP to {} is silent, and {client} went over TLS instead", server.0.ip()),
        explanation: format!(
            "{client} asked {} over UDP and got no answer ({}); its TLS connection to {server} was completed (frame {}), and data went both \
             ways in it (frame {}). Whether that is an allocation takes the keys to see (--keylog). A firewall on the way drops UDP. Media that goes over TLS \
             is held up by every lost packet.",
            silent.server,
            frames(&silent.frames),
            way.completed.frame,
            answered.frame
        ),
        fix: format!("Open UDP to {} in the firewalls on the way, for better quality.", silent.server),
    });
}

fn tell(silent: &Way, works: &Way, out: &mut Collector) {
    let listed = in_order(silent.frames.iter().copied().chain([works.first.frame]));
    let (client, server) = (works.client.0.ip(), works.server);
    let seen = Occurrence {
        key: server.to_string(),
        severity: Severity::Note,
        confidence: Confidence::Certain,
        at: silent.first.time,
        frames: listed,
        filter: Some(format!("{} && {}", layers(works.transport), ip_filter(works.client.0, server.0))),
        subject: Subject::between(works.client, server),
        ..Occurrence::of(ID, "RFC 8656 §3.1")
    };
    let got = if works.allocated > 0 { "gave it a relayed address" } else { "answered it" };
    out.add(seen, || Text {
        title: format!("UDP to {} is silent, and {client} went over {} instead", server.0.ip(), works.transport.name()),
        explanation: format!(
            "{client} asked {} over UDP and got no answer ({}); over {} the same server {got} (from frame {} on). A firewall on the way drops \
             UDP. Media that goes over {} is held up by every lost packet.",
            silent.server,
            frames(&silent.frames),
            works.transport.name(),
            works.first.frame,
            works.transport.name(),
        ),
        fix: format!("Open UDP to {} in the firewalls on the way, for better quality.", silent.server),
    });
}
