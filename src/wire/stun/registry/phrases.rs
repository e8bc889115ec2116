//! Reason phrases of coturn that say more than their code.

/// A reason phrase and what is behind it.
#[derive(Clone, Copy, Debug)]
pub struct Phrase {
    /// The code that it comes with.
    pub code: u16,
    /// What the phrase contains, in lower case.
    pub contains: &'static str,
    /// What it says about server or client.
    pub meaning: &'static str,
}

/// What a reason phrase says beyond its code, if it is one that coturn is known to send. The most specific row wins.
#[must_use]
pub fn phrase(code: u16, reason: &[u8]) -> Option<&'static Phrase> {
    PHRASES.iter().filter(|row| row.code == code).find(|row| {
        let wanted = row.contains.as_bytes();
        reason.windows(wanted.len()).any(|window| window.eq_ignore_ascii_case(wanted))
    })
}

const fn row(code: u16, contains: &'static str, meaning: &'static str) -> Phrase {
    Phrase { code, contains, meaning }
}

/// All phrases that are known. Within a code, the more specific come first.
#[rustfmt::skip]
pub static PHRASES: &[Phrase] = &[
    row(300, "try alternate", "The server sends the client to another one by its configuration."),
    row(400, "transport field missed or wrong", "REQUESTED-TRANSPORT is missing from the Allocate request, or is neither UDP nor TCP."),
    row(400, "wrong lifetime field", "LIFETIME has a length other than 4."),
    row(400, "even port and reservation token", "The client asks for an even port and claims a reserved one in the same request."),
    row(400, "wrong format of reservation token", "RESERVATION-TOKEN has a length other than 8."),
    row(400, "extra address family attribute", "An address family was asked for together with something that excludes it."),
    row(400, "same channel number with different peer", "The channel is bound to another peer already; it is free again 5 minutes after its end."),
    row(400, "same peer with different channel number", "The peer has another channel already; it can change 5 minutes after its end."),
    row(400, "bad channel number", "The channel is missing or outside the range that the server lends."),
    row(400, "bad peer address", "XOR-PEER-ADDRESS cannot be read."),
    row(400, "where is peer address", "XOR-PEER-ADDRESS is missing."),
    row(400, "wrong connection id field", "CONNECTION-ID is missing, malformed or not known."),
    row(400, "connection_bind only possible with tcp/tls", "A ConnectionBind came over UDP or DTLS."),
    row(400, "data duplication", "The message has DATA twice."),
    row(403, "forbidden ip", "The peer is in a range that the server denies (denied-peer-ip, or the built-in loopback and multicast)."),
    row(403, "connect cannot be used with udp relay", "Connect needs an allocation for TCP."),
    row(403, "channel bind cannot be used with tcp relay", "An allocation for TCP has no channels."),
    row(403, "send cannot be used with tcp relay", "An allocation for TCP has no Send."),
    row(403, "draining", "The server takes no new allocations, since it is about to be stopped."),
    row(405, "mobility forbidden", "The server runs without mobility."),
    row(420, "without rfc 5780 support", "The server has one address, or NAT discovery is switched off: it cannot answer from another one."),
    row(437, "wrong transaction id", "The addresses have an allocation from an earlier Allocate: the client took a port again too soon."),
    row(437, "wrong tid", "The addresses have an allocation from an earlier Allocate: the client took a port again too soon."),
    row(437, "wrong credentials", "The allocation of these addresses belongs to another user."),
    row(437, "invalid allocation", "There is no allocation at these addresses (any more)."),
    row(437, "allocation mismatch", "There is an allocation where none should be, or none where one should."),
    row(438, "wrong nonce", "The server never gave this nonce to this client: another server did, or the client's address changed."),
    row(438, "stale nonce", "The nonce was right and has expired."),
    row(440, "address family", "The server has no relay address of the family asked for."),
    row(441, "the realm value is incorrect", "The request has another realm than the allocation."),
    row(441, "origin attribute mismatch", "The request has another ORIGIN than the allocation."),
    row(442, "tcp transport is not allowed", "The server runs with TCP relaying switched off (no-tcp-relay)."),
    row(442, "udp transport is not allowed", "The server runs with UDP relaying switched off (no-udp-relay)."),
    row(443, "peer address family mismatch", "The peer is of a family for which the allocation has no relayed address."),
    row(446, "connection already exists", "A TCP connection to this peer is open or being opened."),
    row(447, "connection timeout or failure", "The server could not connect to the peer."),
    row(486, "allocation bandwidth quota reached", "The bandwidth that all sessions may use together is taken (bps-capacity)."),
    row(486, "quota reached", "The user, or the server as a whole, has as many allocations as allowed (user-quota, total-quota)."),
    row(500, "server error", "Something failed inside the server; its log says more."),
    row(508, "cannot find reserved socket", "The reserved port is gone: the token is wrong or older than 30 s."),
    row(508, "cannot create relay socket", "No port could be opened on the relay address: the range is used up, or the address is not the machine's."),
    row(508, "peer-endpoint", "The allocation has as many peers as it may."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_found_inside_longer_ones_in_any_case() {
        let found = |code, reason: &str| phrase(code, reason.as_bytes()).map(|row| row.contains);
        let mismatched = found(437, "Mismatched allocation: wrong transaction ID");
        assert_eq!(mismatched, Some("wrong transaction id"));
        assert_eq!(found(437, "Allocation mismatch: wrong credentials"), Some("wrong credentials"));
        assert_eq!(found(486, "Allocation Bandwidth Quota Reached"), Some("allocation bandwidth quota reached"));
        assert_eq!(found(401, "Unauthorized"), None);
        assert_eq!(found(400, ""), None);
    }
}
