//! Error codes in all their dialects (IANA "STUN Error Codes", RFC 3489, the drafts, what browsers make up).

use super::Era;

/// What is known of an error code.
#[derive(Clone, Copy, Debug)]
pub struct ErrorRow {
    /// The code.
    pub code: u16,
    /// Its name today, or where it was last in use.
    pub name: &'static str,
    /// Other names under which it was or is sent.
    pub aliases: &'static [&'static str],
    /// Who uses it.
    pub eras: &'static [Era],
    /// What it says.
    pub meaning: &'static str,
    /// What mostly is behind it.
    pub cause: &'static str,
    /// What an operator can do.
    pub fix: &'static str,
    /// Where it is described.
    pub source: &'static str,
}

/// The row of an error code.
#[must_use]
pub fn error(code: u16) -> Option<&'static ErrorRow> {
    let index = ERRORS.binary_search_by_key(&code, |row| row.code).ok()?;
    ERRORS.get(index)
}

/// The rows with a name, today's or an old one, whatever its case.
pub fn errors_named(name: &str) -> impl Iterator<Item = &'static ErrorRow> + '_ {
    let named = move |candidate: &str| candidate.eq_ignore_ascii_case(name);
    ERRORS.iter().filter(move |row| named(row.name) || row.aliases.iter().any(|alias| named(alias)))
}

use Era::{Classic as C, Draft as D, Local, Microsoft as MS, Modern as M};

/// All error codes that are known, by number.
pub static ERRORS: &[ErrorRow] = &[
    ErrorRow {
        code: 274,
        name: "Disable Candidate",
        aliases: &[],
        eras: &[MS],
        meaning: "Bandwidth management tells the client to drop a candidate.",
        cause: "The call admission policy of a Lync or Skype for Business site.",
        fix: "Look at the bandwidth policy of the site.",
        source: "MS-ICE2BWN",
    },
    ErrorRow {
        code: 275,
        name: "Disable Candidate Pair",
        aliases: &[],
        eras: &[MS],
        meaning: "Bandwidth management tells the client to drop a pair of candidates.",
        cause: "The call admission policy of a Lync or Skype for Business site.",
        fix: "Look at the bandwidth policy of the site.",
        source: "MS-ICE2BWN",
    },
    ErrorRow {
        code: 300,
        name: "Try Alternate",
        aliases: &[],
        eras: &[M, D],
        meaning: "The client shall go to the server in ALTERNATE-SERVER.",
        cause: "Load balancing, a server being drained, steering by region.",
        fix: "Make the alternate server reachable from the client, in the same address family. Servers that send clients back to one they came \
              from within 5 minutes make a loop, which the client treats as failure.",
        source: "RFC 8489 §10",
    },
    ErrorRow {
        code: 400,
        name: "Bad Request",
        aliases: &[],
        eras: &[C, M],
        meaning: "The request is malformed or contradicts itself.",
        cause: "REQUESTED-TRANSPORT missing; RESERVATION-TOKEN beside EVEN-PORT or a family; both family attributes; IPv4 as additional family; an \
                integrity attribute without USERNAME, REALM or NONCE; a channel out of range or bound otherwise; PASSWORD-ALGORITHMS not \
                repeated to the letter.",
        fix: "Read the reason phrase. Correct the client, or a server that is stricter than the client knows (channel numbers of RFC 5766 on a \
              server of RFC 8656).",
        source: "RFC 8489 §14.8, RFC 8656 §7.2, §12.2",
    },
    ErrorRow {
        code: 401,
        name: "Unauthenticated",
        aliases: &["Unauthorized", "Unauthorised"],
        eras: &[C, M],
        meaning: "The first time it is the challenge and normal. After credentials were sent: the user is unknown, or the integrity value \
                  is wrong. In RFC 3489 only: there was no integrity value.",
        cause: "Wrong password or shared secret, wrong realm, time-limited credentials that expired or a clock that is off, a user that was never \
                set up, a client that garbles non-ASCII characters.",
        fix: "Compare user name, realm and expiry with what the server has; verify the integrity value with the password offline; set the clocks.",
        source: "RFC 8489 §9.2.4, RFC 3489 §11.2.9",
    },
    ErrorRow {
        code: 403,
        name: "Forbidden",
        aliases: &["Forbidden IP"],
        eras: &[M],
        meaning: "The request is valid and policy refuses it. In answer to an ICE check: the peer takes back its consent.",
        cause: "A peer in a denied range (loopback, private, multicast), permissions or TCP peers switched off, a server being drained.",
        fix: "Allow the range of the peer, or use a candidate that can be reached; look at the server's list of denied peers.",
        source: "RFC 8656 §19, RFC 7675 §5.2",
    },
    ErrorRow {
        code: 404,
        name: "Not Found",
        aliases: &[],
        eras: &[D],
        meaning: "There is no session for the ticket or connection.",
        cause: "Older coturn: an unknown mobility ticket, or a ConnectionBind whose session is closing.",
        fix: "As for 437: allocate anew.",
        source: "coturn",
    },
    ErrorRow {
        code: 405,
        name: "Mobility Forbidden",
        aliases: &[],
        eras: &[M],
        meaning: "Policy does not allow mobility.",
        cause: "The server runs without mobility.",
        fix: "Switch mobility on, or have the client leave MOBILITY-TICKET out.",
        source: "RFC 8016",
    },
    ErrorRow {
        code: 408,
        name: "Request Timed Out",
        aliases: &[],
        eras: &[Local],
        meaning: "The client's own word for an answer that never came; no server sends it.",
        cause: "UDP is blocked, or the server is down.",
        fix: "Try TURN over TCP or TLS on port 443; look at firewalls.",
        source: "RFC 8656 §7.4",
    },
    ErrorRow {
        code: 420,
        name: "Unknown Attribute",
        aliases: &[],
        eras: &[C, M],
        meaning: "The server does not know an attribute that it would have to understand; UNKNOWN-ATTRIBUTES lists it.",
        cause: "A client newer than the server (ACCESS-TOKEN, EVEN-PORT, address families), a server without DONT-FRAGMENT, CHANGE-REQUEST to one \
                without NAT tests.",
        fix: "Switch the feature off in the client, or update the server.",
        source: "RFC 8489 §6.3.1, RFC 8656 §7.2",
    },
    ErrorRow {
        code: 430,
        name: "Stale Credentials",
        aliases: &[],
        eras: &[C],
        meaning: "The password of a SharedSecret answer has expired.",
        cause: "A classic client that used it for too long.",
        fix: "The client has to ask for a new one; better, replace it by one of RFC 5389 or later.",
        source: "RFC 3489 §11.2.9",
    },
    ErrorRow {
        code: 431,
        name: "Integrity Check Failure",
        aliases: &[],
        eras: &[C, D],
        meaning: "The integrity value is wrong. Current servers say 401.",
        cause: "Wrong password or realm, another way to derive the key, or the zero padding of classic STUN on one side only. Servers of draft \
                times and products built on them send it still.",
        fix: "Check password and realm on both sides, then whether both follow the classic or the modern integrity rule.",
        source: "RFC 3489 §11.2.9, TURN drafts",
    },
    ErrorRow {
        code: 432,
        name: "Missing Username",
        aliases: &[],
        eras: &[C, D],
        meaning: "An integrity value without USERNAME. Current servers say 400.",
        cause: "A broken client.",
        fix: "Correct or update the client.",
        source: "RFC 3489 §11.2.9",
    },
    ErrorRow {
        code: 433,
        name: "Use TLS",
        aliases: &[],
        eras: &[C],
        meaning: "A SharedSecret request must come over TLS.",
        cause: "A classic client that asked over UDP.",
        fix: "Configure the client for TLS, or replace it by one of RFC 5389 or later.",
        source: "RFC 3489 §11.2.9",
    },
    ErrorRow {
        code: 434,
        name: "Missing Realm",
        aliases: &[],
        eras: &[D, MS],
        meaning: "REALM is missing. Current servers say 401 or 400.",
        cause: "Client and server of different drafts.",
        fix: "Update the older of the two.",
        source: "TURN drafts, MS-TURN",
    },
    ErrorRow {
        code: 435,
        name: "Missing Nonce",
        aliases: &[],
        eras: &[D, MS],
        meaning: "NONCE is missing. Current servers say 401 or 400.",
        cause: "Client and server of different drafts.",
        fix: "Update the older of the two.",
        source: "TURN drafts, MS-TURN",
    },
    ErrorRow {
        code: 436,
        name: "Unknown User",
        aliases: &["Unknown Username"],
        eras: &[D, MS],
        meaning: "The user is not known in the realm. Current servers say 401.",
        cause: "The user was never set up on this server.",
        fix: "Set the user up, or correct the name in the client.",
        source: "TURN drafts, MS-TURN",
    },
    ErrorRow {
        code: 437,
        name: "Allocation Mismatch",
        aliases: &["No Binding"],
        eras: &[M, D],
        meaning: "An Allocate where there is an allocation already, or any other request where there is none.",
        cause: "The allocation expired or was deleted, a NAT gave the client another port, the server restarted, the client took a port again after \
                a crash, a load balancer moved the flow.",
        fix: "Refresh about 60 s before the end, keep the NAT binding alive, use a new local port (at most 3, then wait 2 minutes), make the balancer \
              stick to source addresses.",
        source: "RFC 8656 §5, §7.4, §19",
    },
    ErrorRow {
        code: 438,
        name: "Stale Nonce",
        aliases: &[],
        eras: &[M, D],
        meaning: "The nonce has expired; the answer holds the one to go on with.",
        cause: "Normal once every lifetime of a nonce. Again and again: servers behind a balancer that do not share nonces, a source address that \
                changes, a client that does not take up the new one.",
        fix: "Make the balancer stick to a server, or share the nonce key; else correct the client.",
        source: "RFC 8489 §9.2.4, §9.2.5",
    },
    ErrorRow {
        code: 439,
        name: "Wrong Credentials",
        aliases: &["Active Destination Already Set", "Transitioning"],
        eras: &[D],
        meaning: "In TURN-07: the user differs from the one of the allocation. In TURN-04: an active destination is set already, or still being set.",
        cause: "A peer of draft times.",
        fix: "Update it.",
        source: "TURN drafts",
    },
    ErrorRow {
        code: 440,
        name: "Address Family not Supported",
        aliases: &[],
        eras: &[M],
        meaning: "The server has no relay addresses of the family asked for.",
        cause: "IPv6 relaying is off, or IPv4 is not served.",
        fix: "Give the server an address of the family, or have the client ask for the other; it must not try again.",
        source: "RFC 8656 §7.2, §19",
    },
    ErrorRow {
        code: 441,
        name: "Wrong Credentials",
        aliases: &["Wrong Username"],
        eras: &[M, D],
        meaning: "The request is signed by a user other than the one who made the allocation.",
        cause: "Credentials changed without a new allocation, two clients behind one port, a realm that changed.",
        fix: "Keep the user name for the life of an allocation.",
        source: "RFC 8656 §5, §19",
    },
    ErrorRow {
        code: 442,
        name: "Unsupported Transport Protocol",
        aliases: &["Unsupported Transport Address"],
        eras: &[M],
        meaning: "The server does not relay over the protocol in REQUESTED-TRANSPORT. That is its side to the peer, not the client's connection.",
        cause: "TCP relaying is off, or was asked for over UDP.",
        fix: "Switch on TCP relaying (RFC 6062), or ask for UDP.",
        source: "RFC 8656 §7.2, §19",
    },
    ErrorRow {
        code: 443,
        name: "Peer Address Family Mismatch",
        aliases: &["Invalid IP Address"],
        eras: &[M, D],
        meaning: "The peer's address is of another family than the relay's, or a Refresh asks for another one.",
        cause: "An IPv6 peer on an IPv4 relay, or the reverse.",
        fix: "Have the client allocate both families.",
        source: "RFC 8656 §19, RFC 6156",
    },
    ErrorRow {
        code: 444,
        name: "Invalid Port",
        aliases: &[],
        eras: &[D],
        meaning: "The port asked for cannot be had.",
        cause: "A peer of draft times.",
        fix: "Update it.",
        source: "TURN-04",
    },
    ErrorRow {
        code: 445,
        name: "Operation for TCP Only",
        aliases: &[],
        eras: &[D],
        meaning: "The request makes sense for TCP only.",
        cause: "A peer of draft times.",
        fix: "Update it.",
        source: "TURN-04",
    },
    ErrorRow {
        code: 446,
        name: "Connection Already Exists",
        aliases: &[],
        eras: &[M, D],
        meaning: "There is a TCP connection to this peer already.",
        cause: "A Connect sent twice, or both sides opening at once.",
        fix: "Wait for the first one.",
        source: "RFC 6062 §5.2, §6.3",
    },
    ErrorRow {
        code: 447,
        name: "Connection Timeout or Failure",
        aliases: &[],
        eras: &[M],
        meaning: "The server could not connect to the peer; it tries for at least 30 s.",
        cause: "The peer's port is closed or filtered.",
        fix: "Open the port of the peer to the relay.",
        source: "RFC 6062 §5.2, §6.3",
    },
    ErrorRow {
        code: 481,
        name: "Connection does not exist",
        aliases: &[],
        eras: &[D],
        meaning: "There is no such connection.",
        cause: "A peer of draft times.",
        fix: "Update it.",
        source: "nat-behavior-discovery draft",
    },
    ErrorRow {
        code: 486,
        name: "Allocation Quota Reached",
        aliases: &["Allocation Bandwidth Quota Reached"],
        eras: &[M],
        meaning: "The user has as many allocations as it may.",
        cause: "Allocations that are left behind without a Refresh of lifetime 0, a low quota, one account that many share.",
        fix: "Raise the quota, have clients release what they no longer use; a client waits a minute at least.",
        source: "RFC 8656 §7.2, §7.4",
    },
    ErrorRow {
        code: 487,
        name: "Role Conflict",
        aliases: &[],
        eras: &[M],
        meaning: "Both ICE agents believe that they have the same role.",
        cause: "Third-party call control, offers that crossed, restarts at the same time.",
        fix: "Normal once. In a loop, one agent never changes its role: correct it.",
        source: "RFC 8445 §7.3.1.1, §16.2",
    },
    ErrorRow {
        code: 500,
        name: "Server Error",
        aliases: &[],
        eras: &[C, M],
        meaning: "The server failed for the moment.",
        cause: "An internal error; also classic STUN inside DTLS.",
        fix: "Read the server's log.",
        source: "RFC 8489 §14.8, §11",
    },
    ErrorRow {
        code: 503,
        name: "Service Unavailable",
        aliases: &[],
        eras: &[D],
        meaning: "The server does not offer the test.",
        cause: "A server of draft times.",
        fix: "Update it.",
        source: "nat-behavior-discovery draft",
    },
    ErrorRow {
        code: 507,
        name: "Insufficient Bandwidth Capacity",
        aliases: &["Insufficient Server Capacity"],
        eras: &[D],
        meaning: "The server cannot take more.",
        cause: "A server of draft times at its limit.",
        fix: "Lighten or enlarge it, and update it.",
        source: "TURN drafts",
    },
    ErrorRow {
        code: 508,
        name: "Insufficient Capacity",
        aliases: &["Insufficient Port Capacity"],
        eras: &[M],
        meaning: "No relay port is left, none has the property asked for, the reservation has expired, or a table is full.",
        cause: "The relay port range is used up, there is one relay address only, no even pair is free, the token is older than 30 s.",
        fix: "Widen the port range, add addresses. A client waits a minute at least, or asks without EVEN-PORT and token.",
        source: "RFC 8656 §7.2, §7.4, §12.2",
    },
    ErrorRow {
        code: 600,
        name: "Global Failure",
        aliases: &[],
        eras: &[C, D],
        meaning: "The server refuses for good.",
        cause: "Policy.",
        fix: "The client must not try again.",
        source: "RFC 3489 §11.2.9",
    },
    ErrorRow {
        code: 701,
        name: "Server could not be reached",
        aliases: &[],
        eras: &[Local],
        meaning: "What browsers report in icecandidateerror when a server did not answer; no server sends it.",
        cause: "Name resolution, a firewall, a TLS failure.",
        fix: "Check that the client reaches the server, by each transport.",
        source: "W3C WebRTC",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_every_row_is_found() {
        assert!(ERRORS.is_sorted_by_key(|row| row.code));
        for row in ERRORS {
            assert_eq!(error(row.code).map(|found| found.name), Some(row.name));
            for text in [row.meaning, row.cause, row.fix, row.source] {
                assert!(!text.is_empty() && !text.contains("  "), "{}: {text:?}", row.code);
            }
        }
    }

    #[test]
    fn a_name_finds_every_code_that_had_it() {
        let codes: Vec<u16> = errors_named("wrong credentials").map(|row| row.code).collect();
        assert_eq!(codes, [439, 441]);
        assert_eq!(errors_named("Unauthorized").next().map(|row| row.code), Some(401));
    }

    #[test]
    fn the_codes_in_force_are_those_of_the_registry() {
        let current: Vec<u16> =
            ERRORS.iter().filter(|row| row.eras.contains(&Era::Modern)).map(|row| row.code).collect();
        let listed = [300, 400, 401, 403, 405, 420, 437, 438, 440, 441, 442, 443, 446, 447, 486, 487, 500, 508];
        assert_eq!(current, listed);
    }
}
