//! What a line of a log says: the codes, users, realms and addresses in it, and which findings speak of the same.

use std::net::IpAddr;

/// What a line says, as far as it is understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// A STUN error code: `error 401: Unauthorized`.
    pub code: Option<u16>,
    /// A user: `user <alice>`, `username=<alice>`. Empty: the line says that there is none.
    pub user: Option<String>,
    /// A realm: `realm <example.org>`.
    pub realm: Option<String>,
    /// The addresses in it, without ports.
    pub addresses: Vec<IpAddr>,
    /// A request that was granted, by its name in the log: `ALLOCATE`.
    pub granted: Option<String>,
    /// Whether it says that somebody's credentials were refused.
    pub refused: bool,
    /// The ids of findings that say why such a line is written.
    pub findings: Vec<&'static str>,
}

/// How many addresses of a line are looked at.
const MAX_ADDRESSES: usize = 8;

/// Why a client has no relay, the likeliest first.
const NO_RELAY: &[&str] = &[
    "turn-integrity-rejected",
    "turn-unknown-user",
    "turn-credential-expired",
    "turn-realm-mismatch",
    "turn-stale-nonce-loop",
    "turn-no-credentials",
    "turn-no-response",
    "turn-answer-lost",
    "turn-unreachable",
    "turn-answer-from-elsewhere",
    "turn-quota",
    "turn-capacity",
    "turn-refused",
    "turn-server-error",
    "turn-transport-unsupported",
    "turn-request-rejected",
    "turn-missing-attribute",
    "turn-unknown-attribute",
    "tls-certificate-rejected",
    "tls-certificate-name",
    "tls-handshake-failure",
    "dns-failed",
    "ice-no-relay-candidate",
];

/// Words of lines, in lower case, and the findings that explain them, the likeliest first.
const MEANINGS: &[(&str, &[&str])] = &[
    ("relay candidate creation timeout", NO_RELAY),
    (
        "ice failure",
        &[
            "ice-checks-unanswered",
            "ice-no-relay-candidate",
            "ice-one-way",
            "ice-check-unauthorized",
            "turn-relay-private",
        ],
    ),
    ("ice failure", NO_RELAY),
    ("credentials are incorrect", &["turn-integrity-rejected", "turn-credential-expired"]),
    ("cannot find credentials", &["turn-integrity-rejected", "turn-unknown-user", "turn-credential-expired"]),
    ("wrong nonce", &["turn-stale-nonce-loop", "turn-stale-nonce"]),
    ("stale nonce", &["turn-stale-nonce-loop", "turn-stale-nonce"]),
    ("quota", &["turn-quota"]),
    ("no available ports", &["turn-capacity"]),
    ("cannot create socket", &["turn-capacity"]),
    ("forbidden ip", &["turn-peer-forbidden"]),
    ("denied by", &["turn-peer-forbidden"]),
    ("nxdomain", &["dns-failed"]),
    ("cannot resolve", &["dns-failed"]),
    ("could not resolve", &["dns-failed"]),
    ("name resolution", &["dns-failed"]),
];

/// The same of words that are ordinary by themselves: they count in a line that tells of trouble.
const TOPICS: &[(&str, &[&str])] = &[
    ("consent", &["ice-consent-lost"]),
    ("fingerprint", &["dtls-fingerprint-mismatch", "dtls-certificate-rejected"]),
    (
        "certificate",
        &["tls-certificate-rejected", "tls-certificate-name", "tls-certificate-expired", "dtls-certificate-rejected"],
    ),
    (
        "dtls",
        &["dtls-no-answer", "dtls-never-started", "dtls-fragment-lost", "dtls-incomplete", "dtls-handshake-failure"],
    ),
    ("tls", &["tls-handshake-failure", "tls-certificate-rejected"]),
];

/// Words that tell of trouble.
const TROUBLE: &[&str] = &[
    "error",
    "fail",
    "warn",
    "timeout",
    "timed out",
    "reject",
    "refus",
    "alert",
    "expired",
    "incorrect",
    "mismatch",
    "denied",
    "cannot",
    "could not",
    "unable",
    "lost",
    "invalid",
];

/// Error codes of lines and the findings that explain them.
const CODES: &[(u16, &[&str])] = &[
    (300, &["turn-redirect-ignored", "turn-redirect-loop", "turn-redirect"]),
    (400, &["turn-integrity-rejected", "turn-missing-attribute", "turn-request-rejected", "turn-allocation-gone"]),
    (401, &["turn-integrity-rejected", "turn-credential-expired", "turn-no-credentials"]),
    (403, &["turn-peer-forbidden", "turn-refused"]),
    (405, &["turn-request-rejected"]),
    (420, &["turn-unknown-attribute"]),
    (430, &["turn-integrity-rejected", "turn-credential-expired"]),
    (431, &["turn-integrity-rejected"]),
    (436, &["turn-unknown-user"]),
    (437, &["turn-allocation-mismatch", "turn-realm-mismatch", "turn-allocation-gone", "turn-retransmission-rejected"]),
    (438, &["turn-stale-nonce-loop", "turn-stale-nonce"]),
    (440, &["turn-address-family"]),
    (441, &["turn-user-changed", "turn-realm-mismatch"]),
    (442, &["turn-transport-unsupported"]),
    (443, &["turn-address-family"]),
    (446, &["turn-peer-connect-failed"]),
    (447, &["turn-peer-connect-failed"]),
    (486, &["turn-quota"]),
    (500, &["turn-server-error"]),
    (508, &["turn-capacity"]),
];

impl Said {
    /// What a line says.
    #[must_use]
    pub fn of(text: &str) -> Said {
        let lower = text.to_lowercase();
        let code = code(&lower);
        let mut findings: Vec<&'static str> = Vec::new();
        let found = MEANINGS.iter().filter(|(words, _)| lower.contains(words)).map(|(_, ids)| *ids);
        let trouble = TROUBLE.iter().any(|word| lower.contains(word));
        let topics = TOPICS.iter().filter(|(words, _)| trouble && lower.contains(words)).map(|(_, ids)| *ids);
        let coded = CODES.iter().filter(|(known, _)| Some(*known) == code).map(|(_, ids)| *ids);
        for &id in found.chain(coded).chain(topics).flatten() {
            if !findings.contains(&id) {
                findings.push(id);
            }
        }
        let user = value(text, "username=").or_else(|| value(text, "user=")).or_else(|| value(text, "user "));
        // a challenge is no refusal
        if user.as_deref() == Some("") {
            findings.clear();
        }
        Said {
            code,
            user,
            realm: value(text, "realm=").or_else(|| value(text, "realm ")),
            addresses: addresses(text),
            granted: granted(text),
            refused: lower.contains("credentials are incorrect") || lower.contains("cannot find credentials"),
            findings,
        }
    }
}

/// `error 401: …`, in lower case.
fn code(lower: &str) -> Option<u16> {
    lower.match_indices("error ").find_map(|(at, word)| {
        let digits: String = lower.get(at + word.len()..)?.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok().filter(|code| (300..700).contains(code))
    })
}

/// What stands in `<…>` after a word, or bare after `user `.
fn value(text: &str, word: &str) -> Option<String> {
    text.match_indices(word).find_map(|(at, _)| {
        let whole = text.get(..at)?.chars().next_back().is_none_or(|c| !c.is_alphanumeric());
        let rest = text.get(at + word.len()..).filter(|_| whole)?;
        match rest.strip_prefix('<') {
            Some(rest) => rest.split_once('>').map(|(value, _)| value.to_owned()),
            None => {
                let end = rest.find([' ', ',', ';', ':']).unwrap_or(rest.len());
                rest.get(..end).filter(|value| !value.is_empty()).map(str::to_owned)
            }
        }
    })
}

/// `incoming packet ALLOCATE processed, success`.
fn granted(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("incoming packet ")?;
    let (method, rest) = rest.split_once(" processed")?;
    rest.contains("success").then(|| method.to_owned())
}

/// The addresses of a text, with ports or without, in brackets or without; the first ones.
fn addresses(text: &str) -> Vec<IpAddr> {
    let words = text.split(|c: char| !(c.is_ascii_hexdigit() || matches!(c, '.' | ':')));
    let mut found = Vec::new();
    for word in words.filter(|word| word.len() >= 3) {
        let word = word.trim_matches(['.', ':']);
        let ip = word.parse().ok().or_else(|| word.rsplit_once(':').and_then(|(ip, _)| ip.parse().ok()));
        if let Some(ip) = ip
            && found.len() < MAX_ADDRESSES
            && !found.contains(&ip)
        {
            found.push(ip);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_coturn_tell_code_user_and_realm() {
        let said = Said::of(
            "session 000000000000000001: realm <turnuser> user <bob>: incoming packet message processed, error 401: Unauthorized",
        );
        assert_eq!(
            (said.code, said.user.as_deref(), said.realm.as_deref()),
            (Some(401), Some("bob"), Some("turnuser"))
        );
        assert_eq!(said.findings.first(), Some(&"turn-integrity-rejected"));
        let challenge =
            Said::of("session 2: realm <turnuser> user <>: incoming packet message processed, error 401: Unauthorized");
        assert!(challenge.findings.is_empty() && challenge.user.as_deref() == Some(""));
        let said = Said::of("session 2: realm <r> user <u>: incoming packet ALLOCATE processed, success");
        assert_eq!(said.granted.as_deref(), Some("ALLOCATE"));
        let said = Said::of("session 2: new, realm=<r>, username=<u>, lifetime=777");
        assert_eq!((said.user.as_deref(), said.realm.as_deref()), (Some("u"), Some("r")));
        assert_eq!(Said::of("ERROR: check_stun_auth: user bob credentials are incorrect").user.as_deref(), Some("bob"));
    }

    #[test]
    fn lines_of_a_meeting_server_tell_what_failed() {
        let said = Said::of("Warning call 6: ICE failure; relay candidate creation timeout");
        assert_eq!(said.findings.first(), Some(&"turn-integrity-rejected"));
        assert!(said.findings.contains(&"turn-no-response") && said.addresses.is_empty());
    }

    #[test]
    fn addresses_are_found_with_ports_and_in_brackets() {
        let ips = |text: &str| addresses(text).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(ips("from 192.0.2.1:3478 to [2001:db8::1]:5, 10.0.0.1."), ["192.0.2.1", "2001:db8::1", "10.0.0.1"]);
        assert!(ips("at 12:00:00 session 001: a.b, 1.2.3").is_empty());
    }
}
