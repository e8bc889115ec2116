//! STUN, NAT, and the capture itself.

use super::RuleInfo;

pub(super) static RULES: &[RuleInfo] = &[
    RuleInfo {
        id: "nat-symmetric",
        severity: "warning",
        title: "The NAT uses another outside port for every destination",
        signature: "One local port has different mapped ports towards different servers or peers.",
        cause: "Endpoint-dependent mapping, often called symmetric NAT: the address learned from a server is of no use to a peer.",
        fix: "Such clients need a TURN relay.",
        reference: "RFC 5780 §4.3",
    },
    RuleInfo {
        id: "nat-alg-rewrite",
        severity: "warning",
        title: "A device on the way rewrites addresses inside messages",
        signature: "MAPPED-ADDRESS and XOR-MAPPED-ADDRESS differ, or fingerprint or integrity is wrong around a rewritten address.",
        cause: "An application layer gateway changes payload that it should leave alone.",
        fix: "Switch the gateway off, or use TLS.",
        reference: "RFC 8489 §14.2",
    },
    RuleInfo {
        id: "nat-rebinding",
        severity: "warning",
        title: "The client's outside address changed in the middle",
        signature: "The same allocation or ICE session goes on from a new source port or address while the old one falls silent; or, captured before the NAT, \
                    the answers to an agent's checks tell another address than before.",
        cause: "The NAT forgot its mapping, or the client changed networks.",
        fix: "Keepalives at shorter intervals; ICE restart on a change of network; TURN mobility.",
        reference: "RFC 8656 §5, RFC 8445 §11",
    },
    RuleInfo {
        id: "stun-malformed",
        severity: "warning",
        title: "Messages are malformed",
        signature: "On a flow known to be STUN: lengths past the end, a wrong cookie, attributes cut short, none of it by the snap length.",
        cause: "A defect of the stack that sends them, or damage on the way.",
        fix: "The finding names frame and byte; report it to the maker of the sender.",
        reference: "RFC 8489 §5",
    },
    RuleInfo {
        id: "stun-fingerprint-bad",
        severity: "warning",
        title: "Fingerprints of messages are wrong",
        signature: "FINGERPRINT is present and does not match.",
        cause: "The message was changed or damaged on the way, or its sender computes the checksum wrongly.",
        fix: "Capture at both ends to see where it changes.",
        reference: "RFC 8489 §14.7",
    },
    RuleInfo {
        id: "capture-duplicates",
        severity: "note",
        title: "The capture holds packets twice",
        signature: "The same packet twice within milliseconds, with the same IP identification.",
        cause: "A mirror port copies both directions. Copies are counted once, also of relayed data and media, and never taken for retransmissions.",
        fix: "",
        reference: "",
    },
    RuleInfo {
        id: "capture-truncated",
        severity: "note",
        title: "The capture cuts messages short",
        signature: "The snap length ends frames in the middle of a message.",
        cause: "The capture was taken with a small snap length; integrity of such messages cannot be verified.",
        fix: "Capture whole packets (tcpdump -s 0).",
        reference: "",
    },
    RuleInfo {
        id: "capture-one-sided",
        severity: "note",
        title: "The capture holds one direction only",
        signature: "Of a flow that must have had answers only one direction is there.",
        cause: "The capture point sees one direction, or the filter left the other out. Absence proves nothing then.",
        fix: "Capture both directions.",
        reference: "",
    },
];
