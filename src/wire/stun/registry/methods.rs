//! Methods (IANA "STUN Methods", and the drafts and dialects before).

use super::Era;
use crate::wire::stun::{Class, Method};

/// What is known of a method.
#[derive(Clone, Copy, Debug)]
pub struct MethodRow {
    /// Its number.
    pub method: Method,
    /// Its name in the IANA registry, or in the document that used it.
    pub name: &'static str,
    /// Whose it is.
    pub era: Era,
    /// The classes in which it occurs.
    pub classes: &'static [Class],
    /// What it does, in one line.
    pub meaning: &'static str,
    /// What its number meant elsewhere; empty if nothing.
    pub elsewhere: &'static str,
    /// Where it is described.
    pub source: &'static str,
}

/// The row of a method.
#[must_use]
pub fn method(method: Method) -> Option<&'static MethodRow> {
    let index = METHODS.binary_search_by_key(&method, |row| row.method).ok()?;
    METHODS.get(index)
}

const ANSWERED: &[Class] = &[Class::Request, Class::Success, Class::Error];
const INDICATED: &[Class] = &[Class::Indication];
const ALL: &[Class] = &[Class::Request, Class::Indication, Class::Success, Class::Error];

const fn row(
    method: Method,
    name: &'static str,
    era: Era,
    classes: &'static [Class],
    meaning: &'static str,
    elsewhere: &'static str,
    source: &'static str,
) -> MethodRow {
    MethodRow { method, name, era, classes, meaning, elsewhere, source }
}

/// All methods that are known, by number.
#[rustfmt::skip]
pub static METHODS: &[MethodRow] = &[
    row(Method::BINDING, "Binding", Era::Modern, ALL,
        "Asks the server which address a request came from; between ICE agents it checks a path; as an indication it keeps a NAT binding alive.", "", "RFC 8489 §3"),
    row(Method::SHARED_SECRET, "SharedSecret", Era::Classic, ANSWERED,
        "Asked a classic server, over TLS only, for a short-lived user name and password. Reserved today.", "", "RFC 3489 §11.1"),
    row(Method::ALLOCATE, "Allocate", Era::Modern, ANSWERED,
        "Asks a TURN server for a relayed address. The first one is answered 401 with realm and nonce, the next is signed.",
        "In MS-TURN and its relatives a second Allocate on the same addresses also refreshes.", "RFC 8656 §7"),
    row(Method::REFRESH, "Refresh", Era::Modern, ANSWERED,
        "Extends an allocation, or ends it with a LIFETIME of 0.",
        "Without the cookie: Send request, which early TURN and MS-TURN never answer; Set-Active-Destination in TURN-04.", "RFC 8656 §8"),
    row(Method(0x005), "", Era::Draft, ALL,
        "Unassigned today.", "Connect request of TURN-04; type 0x0115 is the Data indication of early TURN and MS-TURN.", "IANA"),
    row(Method::SEND, "Send", Era::Modern, INDICATED,
        "Carries data from the client to a peer through the relay; dropped without a word if there is no permission.",
        "Set Active Destination request in early TURN and MS-TURN.", "RFC 8656 §11"),
    row(Method::DATA, "Data", Era::Modern, INDICATED,
        "Carries data, or an ICMP error, from a peer to the client.", "", "RFC 8656 §11"),
    row(Method::CREATE_PERMISSION, "CreatePermission", Era::Modern, ANSWERED,
        "Lets the address of a peer through the relay for 5 minutes, whatever its port.",
        "Type 0x0018 is the Connect-Status indication of TURN-04.", "RFC 8656 §10"),
    row(Method::CHANNEL_BIND, "ChannelBind", Era::Modern, ANSWERED,
        "Gives a peer a channel number for 10 minutes, so that its data needs 4 bytes of header instead of 36.", "", "RFC 8656 §12"),
    row(Method::CONNECT, "Connect", Era::Modern, ANSWERED,
        "Asks the server to open a TCP connection to a peer.", "A path discovery experiment used the number.", "RFC 6062 §4.3"),
    row(Method::CONNECTION_BIND, "ConnectionBind", Era::Modern, ANSWERED,
        "Sent on a new connection to the server: from the answer on it is the connection to the peer.", "", "RFC 6062 §4.3"),
    row(Method::CONNECTION_ATTEMPT, "ConnectionAttempt", Era::Modern, INDICATED,
        "Tells the client that a peer opened a TCP connection to the relay.", "", "RFC 6062 §4.4"),
    row(Method::GOOG_PING, "GOOG-PING", Era::Google, ANSWERED,
        "A short connectivity check of libwebrtc, once both sides have said in GOOG-MISC-INFO that they can.", "", "libwebrtc, IANA"),
    row(Method(0x200), "", Era::Private, &[Class::Request],
        "WhatsApp call setup, undocumented.", "", "seen in traffic"),
    row(Method(0x201), "", Era::Private, &[Class::Request],
        "WhatsApp call setup, undocumented.", "", "seen in traffic"),
    row(Method(0x202), "", Era::Private, &[Class::Request],
        "WhatsApp call setup, undocumented.", "", "seen in traffic"),
    row(Method::SET_ACTIVE_DESTINATION, "SetActiveDestination", Era::Draft, ANSWERED,
        "Names the peer to which everything goes from now on without framing. Its wire number is that of Send.", "", "TURN drafts, MS-TURN"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_every_row_is_found() {
        for row in METHODS {
            assert_eq!(method(row.method).map(|found| found.name), Some(row.name));
        }
    }
}
