//! Whether a certificate is for a name (RFC 6125 §6.4, RFC 9525 §6).

use crate::wire::handshake::certificate::{Summary, covers};

/// Whether the name or address that a client asks for is among those of a certificate. Where that has no alternative names, the common name of its
/// subject counts, as it did once.
pub(super) fn is_for(certificate: &Summary, asked: &str) -> bool {
    if !certificate.names.is_empty() {
        return certificate.names.iter().any(|name| covers(name, asked));
    }
    common_name(&certificate.subject).is_some_and(|name| covers(name, asked))
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

/// The common name of a subject as RFC 4514 writes it.
fn common_name(subject: &str) -> Option<&str> {
    subject.split([',', '+']).find_map(|part| part.trim().strip_prefix("CN="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_name_is_found_in_a_subject() {
        assert_eq!(common_name("O=Example,CN=turn.example.org,C=GB"), Some("turn.example.org"));
        assert_eq!(common_name("O=Example"), None);
    }
}
