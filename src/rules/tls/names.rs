//! Whether a certificate is for a name (RFC 6125 §6.4, RFC 9525 §6).

use crate::wire::handshake::certificate::Summary;
use std::net::IpAddr;

/// Whether the name or address that a client asks for is among those of a certificate. Where that has no alternative names, the common name of its
/// subject counts, as it did once.
pub(super) fn is_for(certificate: &Summary, asked: &str) -> bool {
    let asked = asked.trim_end_matches('.');
    if !certificate.names.is_empty() {
        return certificate.names.iter().any(|name| matches(name, asked));
    }
    common_name(&certificate.subject).is_some_and(|name| matches(name, asked))
}

/// The names of a certificate as a person reads them.
pub(super) fn listed(certificate: &Summary) -> String {
    const SHOWN: usize = 6;
    let names: Vec<String> = certificate.names.iter().take(SHOWN).map(|name| super::quote(name)).collect();
    match (names.as_slice(), certificate.names.len().saturating_sub(SHOWN)) {
        ([], _) => format!("no alternative name (its subject is {})", super::quote(&certificate.subject)),
        (names, 0) => names.join(", "),
        (names, more) => format!("{} and {more} more", names.join(", ")),
    }
}

fn matches(name: &str, asked: &str) -> bool {
    if let (Ok(one), Ok(other)) = (name.parse::<IpAddr>(), asked.trim_matches(['[', ']']).parse::<IpAddr>()) {
        return one == other;
    }
    let name = name.trim_end_matches('.');
    match name.strip_prefix("*.") {
        // a wildcard stands for one label, the first
        Some(domain) => asked.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(domain)),
        None => name.eq_ignore_ascii_case(asked),
    }
}

/// The common name of a subject as RFC 4514 writes it.
fn common_name(subject: &str) -> Option<&str> {
    subject.split([',', '+']).find_map(|part| part.trim().strip_prefix("CN="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_rfc_6125_has_it() {
        assert!(matches("turn.example.org", "TURN.example.org"));
        assert!(matches("*.example.org", "turn.example.org"));
        assert!(!matches("*.example.org", "example.org") && !matches("*.example.org", "a.b.example.org"));
        assert!(!matches("turn.example.org", "turn.example.com"));
        assert!(matches("192.0.2.1", "192.0.2.1") && matches("2001:db8::1", "[2001:DB8:0::1]"));
        assert!(!matches("192.0.2.1", "192.0.2.10"));
    }

    #[test]
    fn the_common_name_is_found_in_a_subject() {
        assert_eq!(common_name("O=Example,CN=turn.example.org,C=GB"), Some("turn.example.org"));
        assert_eq!(common_name("O=Example"), None);
    }
}
