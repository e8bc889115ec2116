//! Media, names, deployment.

use super::RuleInfo;

pub(super) static RULES: &[RuleInfo] = &[
    RuleInfo {
        id: "media-one-way",
        severity: "failure; note where the silent side sends RTCP",
        title: "Media flows in one direction only",
        signature: "After a completed handshake media flows one way for many seconds, and though checks of the silent side are seen, none of \
                    its RTCP is; or it reports packets that never arrive; or nothing at all comes of it any more, without a goodbye, and the other asks for no \
                    consent (RFC 7675).",
        cause: "The path, a firewall, a relay that passes nothing on, or the application of the silent side. A muted sender still sends.",
        fix: "Look at the silent side: what it sends, and what becomes of it on the way.",
        reference: "RFC 3550 §6.4",
    },
    RuleInfo {
        id: "media-lossy",
        severity: "warning",
        title: "Media arrives with gaps",
        signature: "More than 5 % of a flow is lost, or gaps of more than a second, measured at the capture point; or a router turns back by ICMP what is \
                    too large for the way on, again and again.",
        cause: "Congestion, radio, or policing on the way to the capture point; or the MTU of a tunnel or VPN on the path.",
        fix: "Find the hop: capture on both sides of it. Send smaller packets, or raise the MTU.",
        reference: "RFC 3550 §6.4.1",
    },
    RuleInfo {
        id: "dns-failed",
        severity: "failure if the client then never reaches the server, else warning",
        title: "The server's name cannot be resolved",
        signature: "Every question of a client for an address of a server's name (one that is stated, that SRV told, or that begins with turn or \
                    stun) is answered by NXDOMAIN, SERVFAIL or another error, or was repeated and never answered.",
        cause: "The name is wrong, the client's resolver does not know it, or the resolver is out of reach.",
        fix: "Correct the name or the zone; check split DNS, and the way to the resolver.",
        reference: "RFC 8489 §8",
    },
    RuleInfo {
        id: "deployment-mismatch",
        severity: "warning, failure where it is the cause of one",
        title: "The deployment is not as it should be",
        signature: "A line of the file given with --deployment is contradicted by frames: an address, port, realm, user, name or certificate is \
                    another than stated.",
        cause: "The system is not configured as it should be, or the file does not say how it should be. The finding names line and frames.",
        fix: "Correct the system, or the file.",
        reference: "",
    },
];
