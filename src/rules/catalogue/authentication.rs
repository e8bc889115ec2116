//! TURN: who the client is, and whether the server believes it.

use super::RuleInfo;

pub(super) static RULES: &[RuleInfo] = &[
    RuleInfo {
        id: "turn-challenge",
        severity: "note",
        title: "The server asked for credentials and the client gave them",
        signature: "An Allocate without integrity is answered 401 with REALM and NONCE; the next one carries both and succeeds.",
        cause: "This is how long-term credentials begin: the first request only fetches realm and nonce.",
        fix: "",
        reference: "RFC 8489 §9.2",
    },
    RuleInfo {
        id: "turn-integrity-rejected",
        severity: "failure",
        title: "The server does not accept the client's credentials",
        signature: "A request with USERNAME, REALM, an uncontradicted NONCE and integrity is answered 431, or 401 with a new \
                    challenge, or (servers built on pion) a bare 400, and the client gets nowhere afterwards.",
        cause: "Client and server hold different passwords for that user, or the server does not know the user. With credentials \
                given, the integrity values show which side holds which.",
        fix: "Set the same user name, realm and password on both sides. Between a Cisco Meeting Server and an Expressway-E: the \
              TURN server object of the Meeting Server's API and the Expressway-E's local authentication database.",
        reference: "RFC 8489 §9.2.4",
    },
    RuleInfo {
        id: "turn-unknown-user",
        severity: "failure",
        title: "The server does not know the user",
        signature: "A signed request is answered 436, or with a phrase that names the user.",
        cause: "The user name that the client was given does not exist on this server. coturn answers an unknown user and a wrong \
                password alike; that case is turn-integrity-rejected.",
        fix: "Create the user on the server, or correct the name on the client.",
        reference: "draft-rosenberg-midcom-turn",
    },
    RuleInfo {
        id: "turn-credential-expired",
        severity: "failure",
        title: "A time-limited credential was used after its end",
        signature: "The USERNAME has the form expiry:user, the expiry is a plausible date before the time of the frame, and the \
                    server answers with an error. Bare digits count only where a given shared secret verifies the message.",
        cause: "The client kept a TURN REST credential beyond its life, or the clocks of issuer, server and client are apart.",
        fix: "Fetch a new credential before the old one ends; compare the clocks of all three.",
        reference: "draft-uberti-behave-turn-rest",
    },
    RuleInfo {
        id: "turn-expired-credential-accepted",
        severity: "warning",
        title: "The server accepts an expired credential",
        signature: "As turn-credential-expired, but an Allocate is answered by success.",
        cause: "The server does not look at the expiry, so a leaked credential works for ever.",
        fix: "Configure the server to treat user names as time-limited.",
        reference: "draft-uberti-behave-turn-rest",
    },
    RuleInfo {
        id: "turn-realm-mismatch",
        severity: "failure",
        title: "The client signs for another realm than the server's",
        signature: "The retry carries a REALM other than the challenge's and is refused (coturn: 437 on Allocate, else 441), or \
                    the reason phrase names the realm.",
        cause: "The realm is fixed in the client, was changed on the server, or a balancer spreads requests over servers with \
                different realms.",
        fix: "One realm on all nodes; let the client take the realm from the challenge.",
        reference: "RFC 8489 §9.2.4",
    },
    RuleInfo {
        id: "turn-stale-nonce",
        severity: "note",
        title: "A nonce ran out and was renewed",
        signature: "One 438 with a new NONCE, and the next request that carries it succeeds.",
        cause: "Servers give nonces a limited life; a client takes the new one and goes on.",
        fix: "",
        reference: "RFC 8489 §9.2.5",
    },
    RuleInfo {
        id: "turn-stale-nonce-loop",
        severity: "failure",
        title: "The server rejects every nonce",
        signature: "Three or more answers 438 to the same client, and none of its requests succeeds.",
        cause: "Each request reaches the server from another address or port than the one the nonce was given to (NAT rebinding, a \
                new socket each time), or reaches another server (a balancer without stickiness), or the nonce is not echoed \
                byte for byte.",
        fix: "Make the balancer keep a client on one server; keep one socket for the whole exchange; echo the nonce unchanged.",
        reference: "RFC 8489 §9.2.4",
    },
    RuleInfo {
        id: "turn-user-changed",
        severity: "failure",
        title: "The client changed its user under a live allocation",
        signature: "441 (437 on Allocate), where the USERNAME is not the one that made the allocation.",
        cause: "Credentials were rotated while an allocation lived. An allocation belongs to the user who made it.",
        fix: "Keep the user for the life of the allocation, or allocate anew with the new one.",
        reference: "RFC 8656 §5",
    },
    RuleInfo {
        id: "turn-no-credentials",
        severity: "failure",
        title: "The server asked for credentials and the client had none",
        signature: "A 401 challenge, after which the client neither sends credentials nor repeats its request.",
        cause: "No credentials are configured for this server, or the client cannot use long-term credentials.",
        fix: "Configure user name and password with the server's address.",
        reference: "RFC 8489 §9.2.5",
    },
    RuleInfo {
        id: "turn-response-integrity-bad",
        severity: "warning",
        title: "A success response is signed with something else",
        signature: "The request verifies with a given key; the integrity of its success response does not.",
        cause: "Something between capture point and server rewrote the response, or the server signs with another key.",
        fix: "Take the middlebox (often a SIP ALG) out of the way, or use TURN over TLS.",
        reference: "RFC 8489 §9.2.5",
    },
    RuleInfo {
        id: "turn-missing-attribute",
        severity: "failure",
        title: "The request lacks an attribute that the server needs",
        signature: "400 to a request without REQUESTED-TRANSPORT, or with integrity but without USERNAME, REALM or NONCE; 432, 434 \
                    or 435 on servers of the old drafts.",
        cause: "A defect of the client.",
        fix: "Update or repair the client; the finding names the attribute.",
        reference: "RFC 8489 §9.2.4, RFC 8656 §7.2, RFC 8656 §10.2, RFC 8656 §12.2",
    },
    RuleInfo {
        id: "turn-unknown-attribute",
        severity: "failure",
        title: "The server does not know an attribute that the client insists on",
        signature: "420, with UNKNOWN-ATTRIBUTES.",
        cause: "The client sends an attribute of the comprehension-required range that this server does not implement.",
        fix: "Switch off the feature behind the attribute, or update the server.",
        reference: "RFC 8489 §6.3.1",
    },
    RuleInfo {
        id: "turn-bid-down",
        severity: "warning",
        title: "Weaker protection was used than both sides could have had",
        signature: "The nonce promises password algorithms or user anonymity, and the client answers as if it did not.",
        cause: "The client is older than RFC 8489, or someone in between took the offer out.",
        fix: "Update the client; use TLS.",
        reference: "RFC 8489 §9.2.1",
    },
];
