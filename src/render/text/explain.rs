//! What a number or name means: error codes, attributes, methods, alerts, cipher suites, SRTP profiles and finding ids, offline.

use super::page::{Options, Page, Tint};
use crate::rules::catalogue::{self, RuleInfo};
use crate::wire::handshake::registry::{ALERTS, AlertInfo, Authentication, CIPHER_SUITES, SRTP_PROFILES, SrtpRow};
use crate::wire::handshake::{CipherSuite, SrtpProfile};
use crate::wire::stun::registry::{ATTRIBUTES, AttributeRow, ERRORS, ErrorRow, METHODS, MethodRow, PHRASES};
use crate::wire::stun::{AttributeCode, Class, Method};
use std::fmt;

/// How many suggestions are made for a word that is not known.
const SUGGESTIONS: usize = 6;

/// A word that means nothing here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    what: String,
    /// What may have been meant, the nearest first; ready to be asked for.
    pub suggestions: Vec<String>,
}

impl std::error::Error for Unknown {}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: no error code, attribute, method, alert, suite, profile or finding has that name or number",
            self.what
        )?;
        if self.suggestions.is_empty() {
            f.write_str("; try 431, USERNAME, 0x0006, Allocate, bad_certificate or turn-integrity-rejected")
        } else {
            write!(f, "; near to it: {}", self.suggestions.join(", "))
        }
    }
}

/// A thing that can be explained.
#[derive(Clone, Copy)]
enum Topic {
    Error(&'static ErrorRow),
    Attribute(&'static AttributeRow),
    Method(&'static MethodRow),
    /// The number in the first two bytes of a message: method and class.
    Type(u16, &'static MethodRow),
    Alert(&'static AlertInfo),
    Suite(CipherSuite, &'static str),
    Profile(&'static SrtpRow),
    Finding(&'static RuleInfo),
}

/// What is asked for, if a word before it says so: `alert 40`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Error,
    Attribute,
    Method,
    Alert,
    Suite,
    Profile,
    Finding,
}

/// Explains a number or name. What means several things (`6`, `data`) is explained in each of its meanings.
///
/// # Errors
/// The word is not known; the error names what is near.
pub fn explain(what: &str, options: &Options) -> Result<String, Unknown> {
    let topics = find(what);
    if topics.is_empty() {
        let what = super::super::escape::escape(what).into_owned();
        return Err(Unknown { suggestions: suggestions(&what), what });
    }
    let mut page = Page::new(options);
    for (i, topic) in topics.iter().enumerate() {
        if i > 0 {
            page.item(0, "", None, "");
        }
        topic.tell(&mut page);
    }
    Ok(page.finish())
}

fn find(what: &str) -> Vec<Topic> {
    let what = what.trim();
    let (kind, word) = match what.split_once(' ') {
        Some((first, rest)) => match kind(first) {
            Some(kind) => (Some(kind), rest.trim()),
            None => (None, what),
        },
        None => (None, what),
    };
    let mut topics = by_number(word, kind);
    if topics.is_empty() {
        topics = by_name(word);
    }
    if topics.is_empty()
        && let Some((number, _)) = word.split_once(' ')
    {
        topics = by_number(number, kind); // "431 Integrity Check Failure"
    }
    if let Some(kind) = kind {
        topics.retain(|topic| topic.kind() == kind);
    }
    topics
}

fn kind(word: &str) -> Option<Kind> {
    Some(match word.to_ascii_lowercase().as_str() {
        "error" | "code" => Kind::Error,
        "attribute" => Kind::Attribute,
        "method" | "message" | "type" => Kind::Method,
        "alert" => Kind::Alert,
        "suite" | "cipher" => Kind::Suite,
        "profile" | "srtp" => Kind::Profile,
        "finding" | "rule" => Kind::Finding,
        _ => return None,
    })
}

/// Numbers: decimal ones may be anything; hexadecimal ones with four digits are attributes or message types, with three methods. Suites and
/// profiles have numbers that all others have too: they are found by number only where the word before it asks for them, or where
/// nothing else has the number.
fn by_number(word: &str, kind: Option<Kind>) -> Vec<Topic> {
    let hex = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
    let number = match hex {
        Some(digits) => u16::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    };
    let Some(number) = number else { return Vec::new() };
    let digits = hex.map_or(0, str::len);
    let mut topics = Vec::new();
    let suite =
        || CIPHER_SUITES.iter().find(|(suite, _)| suite.0 == number).map(|&(suite, name)| Topic::Suite(suite, name));
    match kind {
        Some(Kind::Suite) => return suite().into_iter().collect(),
        Some(Kind::Profile) => {
            return SRTP_PROFILES.iter().filter(|row| row.profile == SrtpProfile(number)).map(Topic::Profile).collect();
        }
        _ => {}
    }
    if hex.is_none() {
        topics.extend(ERRORS.iter().filter(|row| row.code == number).map(Topic::Error));
        topics.extend(ALERTS.iter().filter(|row| u16::from(row.code) == number).map(Topic::Alert));
    }
    if !topics.is_empty() {
        return topics; // what decimal numbers are used for
    }
    if digits != 3 {
        topics.extend(ATTRIBUTES.iter().filter(|row| row.code == AttributeCode(number)).map(Topic::Attribute));
    }
    if digits != 4 {
        topics.extend(METHODS.iter().filter(|row| row.method == Method(number)).map(Topic::Method));
    }
    if topics.is_empty() && digits == 4 && number < 0x4000 {
        let method = Method::of(number);
        topics.extend(METHODS.iter().find(|row| row.method == method).map(|row| Topic::Type(number, row)));
    }
    if topics.is_empty() && digits == 4 {
        topics.extend(suite());
    }
    topics
}

fn by_name(word: &str) -> Vec<Topic> {
    let word = plain(word);
    let same = |name: &str| !name.is_empty() && plain(name) == word;
    let mut topics: Vec<Topic> = Vec::new();
    topics.extend(catalogue::all().filter(|row| same(row.id)).map(Topic::Finding));
    topics.extend(METHODS.iter().filter(|row| same(row.name)).map(Topic::Method));
    topics.extend(ATTRIBUTES.iter().filter(|row| row.names().any(same)).map(Topic::Attribute));
    topics.extend(
        ERRORS.iter().filter(|row| same(row.name) || row.aliases.iter().any(|name| same(name))).map(Topic::Error),
    );
    topics.extend(ALERTS.iter().filter(|row| same(row.name)).map(Topic::Alert));
    topics.extend(CIPHER_SUITES.iter().filter(|row| same(row.1)).map(|&(suite, name)| Topic::Suite(suite, name)));
    topics.extend(SRTP_PROFILES.iter().filter(|row| same(row.name)).map(Topic::Profile));
    topics
}

/// Names are compared without case, and without what joins their words.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn suggestions(what: &str) -> Vec<String> {
    let word = plain(what);
    if word.is_empty() {
        return Vec::new();
    }
    let names = catalogue::all()
        .map(|row| row.id.to_owned())
        .chain(METHODS.iter().map(|row| row.name.to_owned()))
        .chain(ATTRIBUTES.iter().flat_map(AttributeRow::names).map(str::to_owned))
        .chain(ERRORS.iter().map(|row| format!("{} {}", row.code, row.name)))
        .chain(ALERTS.iter().map(|row| row.name.to_owned()))
        .chain(CIPHER_SUITES.iter().map(|row| row.1.to_owned()))
        .chain(SRTP_PROFILES.iter().map(|row| row.name.to_owned()));
    let mut near: Vec<(usize, String)> = names
        .filter_map(|name| {
            let candidate = plain(&name);
            let contained = word.len() > 2 && candidate.contains(&word);
            let in_parts = || name.split(['-', '_', ' ']).map(|part| distance(&word, &plain(part)) + 1).min();
            let distance =
                if contained { 0 } else { distance(&word, &candidate).min(in_parts().unwrap_or(usize::MAX)) };
            (!candidate.is_empty() && distance <= word.len() / 3).then_some((distance, name))
        })
        .collect();
    near.sort();
    near.dedup();
    near.into_iter().take(SUGGESTIONS).map(|(_, name)| name).collect()
}

/// How many letters must be put in, taken out or changed to get from one word to the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (slot, to) in row.iter_mut().skip(1).zip(b.bytes()) {
            let best = (diagonal + usize::from(from != to)).min(left + 1).min(*slot + 1);
            diagonal = *slot;
            *slot = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

impl Topic {
    fn kind(self) -> Kind {
        match self {
            Topic::Error(_) => Kind::Error,
            Topic::Attribute(_) => Kind::Attribute,
            Topic::Method(_) | Topic::Type(..) => Kind::Method,
            Topic::Alert(_) => Kind::Alert,
            Topic::Suite(..) => Kind::Suite,
            Topic::Profile(_) => Kind::Profile,
            Topic::Finding(_) => Kind::Finding,
        }
    }

    fn tell(self, page: &mut Page<'_>) {
        match self {
            Topic::Error(row) => error(page, row),
            Topic::Attribute(row) => attribute(page, row),
            Topic::Method(row) => method(page, row),
            Topic::Type(number, row) => {
                let title = format!("message type: {} {}", row.method, Class::of(number));
                page.lead(&format!("0x{number:04x}"), Tint::Note, &title);
                method(page, row);
            }
            Topic::Alert(row) => alert(page, row),
            Topic::Suite(number, name) => suite(page, number, name),
            Topic::Profile(row) => profile(page, row),
            Topic::Finding(row) => finding(page, row),
        }
    }
}

fn say(page: &mut Page<'_>, label: &str, text: &str) {
    if !text.is_empty() {
        page.item(2, label, Some(Tint::Dim), text);
    }
}

fn name_or_none(name: &'static str) -> &'static str {
    if name.is_empty() { "(without name)" } else { name }
}

fn error(page: &mut Page<'_>, row: &ErrorRow) {
    let eras: Vec<String> = row.eras.iter().map(ToString::to_string).collect();
    page.lead(&row.code.to_string(), Tint::Note, &format!("{}: error code ({})", row.name, eras.join(", ")));
    say(page, "Also called:", &row.aliases.join(", "));
    say(page, "Meaning:", row.meaning);
    say(page, "Cause:", row.cause);
    say(page, "Fix:", row.fix);
    for phrase in PHRASES.iter().filter(|phrase| phrase.code == row.code) {
        say(page, &format!("“… {} …”:", phrase.contains), phrase.meaning);
    }
    say(page, "See:", row.source);
}

fn attribute(page: &mut Page<'_>, row: &AttributeRow) {
    let title = format!("{}: attribute ({})", name_or_none(row.name), row.era);
    page.lead(&format!("0x{:04x}", row.code.0), Tint::Note, &title);
    say(page, "Also called:", &row.other_names().collect::<Vec<_>>().join(", "));
    say(page, "Meaning:", row.meaning);
    let rule = if row.code.is_required() {
        "A receiver must understand it: a request with one that it does not know is refused with 420."
    } else {
        "A receiver that does not know it passes it over."
    };
    say(page, "Rule:", rule);
    say(page, "See:", row.source);
}

fn method(page: &mut Page<'_>, row: &MethodRow) {
    let number = row.method.0 & 0x0fff; // as messages have it
    page.lead(&format!("0x{number:03x}"), Tint::Note, &format!("{}: method ({})", name_or_none(row.name), row.era));
    say(page, "Meaning:", row.meaning);
    let types: Vec<String> =
        row.classes.iter().map(|class| format!("{class} 0x{:04x}", row.method.message_type(*class))).collect();
    say(page, "Types:", &types.join(", "));
    say(page, "Elsewhere:", row.elsewhere);
    say(page, "See:", row.source);
}

fn alert(page: &mut Page<'_>, row: &AlertInfo) {
    page.lead(&row.code.to_string(), Tint::Note, &format!("{}: alert of TLS and DTLS", row.name));
    say(page, "Meaning:", row.meaning);
    say(page, "Cause:", row.cause);
}

fn suite(page: &mut Page<'_>, suite: CipherSuite, name: &str) {
    page.lead(&format!("0x{:04x}", suite.0), Tint::Note, &format!("{name}: cipher suite of TLS and DTLS"));
    let Some(parts) = suite.parts() else {
        return say(page, "Meaning:", "No suite but a signal of the client, which a server never chooses.");
    };
    let exchange = match parts.key_exchange {
        "" => "agreed on by itself, in the extensions supported_groups and key_share",
        "ECDHE" => "ECDHE: each session on an elliptic curve with keys of its own",
        "DHE" => "DHE: each session in a finite field with keys of its own",
        "RSA" => "RSA: the client encrypts the secret to the server's key",
        "ECDHE_PSK" => "ECDHE besides a pre-shared key",
        _ => "from a pre-shared key alone",
    };
    say(page, "Key exchange:", exchange);
    let certificate = match parts.authentication {
        Authentication::Rsa => "RSA. A side whose certificate has an elliptic-curve key cannot take part.",
        Authentication::Ecdsa => "an elliptic-curve key. A side whose certificate is RSA cannot take part.",
        Authentication::Psk => "none: both sides must hold the same pre-shared key. WebRTC does not use it.",
        Authentication::Any => "any: the extension signature_algorithms settles it (version 1.3 only).",
    };
    say(page, "Certificate:", certificate);
    say(page, "Cipher:", &parts.cipher.replace('_', " "));
    if !parts.forward_secret {
        say(page, "Note:", "Not forward secret: who gets the long-term key later can read what was recorded.");
    }
}

fn profile(page: &mut Page<'_>, row: &SrtpRow) {
    page.lead(&format!("0x{:04x}", row.profile.0), Tint::Note, &format!("{}: SRTP protection profile", row.name));
    let cipher =
        if row.key == 0 { "none: media is authenticated only".to_owned() } else { format!("{} bits", row.key) };
    say(page, "Key:", &cipher);
    say(page, "Salt:", &format!("{} bits", row.salt));
    say(page, "Tag:", &format!("{} bits on RTP, {} on RTCP", row.tag, row.rtcp_tag));
    say(
        page,
        "Agreed on:",
        "The DTLS client offers profiles in use_srtp and the server chooses one; with none in common there is no media.",
    );
    say(page, "See:", row.source);
}

fn finding(page: &mut Page<'_>, row: &RuleInfo) {
    let tint = match row.severity.split([' ', ',']).next() {
        Some("failure") => Tint::Failure,
        Some("warning") => Tint::Warning,
        _ => Tint::Note,
    };
    page.lead(row.id, tint, row.title);
    say(page, "Severity:", row.severity);
    say(page, "Seen:", row.signature);
    say(page, "Cause:", row.cause);
    say(page, "Fix:", row.fix);
    say(page, "See:", row.reference);
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr;

    fn told(what: &str) -> String {
        explain(what, &Options { width: 80, ..Options::default() }).unwrap_or_else(|unknown| panic!("{unknown}"))
    }

    #[test]
    fn everything_is_found_by_each_of_its_names_and_numbers() {
        for (what, first) in [
            ("431", "431  Integrity Check Failure: error code"),
            ("error 431", "431  Integrity Check Failure"),
            ("431 Integrity Check Failure", "431  Integrity Check Failure"),
            ("stale nonce", "438  Stale Nonce"),
            ("username", "0x0006  USERNAME: attribute"),
            ("MESSAGE_INTEGRITY", "0x0008  MESSAGE-INTEGRITY"),
            ("0x0006", "0x0006  USERNAME"),
            ("0x8028", "0x8028  FINGERPRINT"),
            ("Allocate", "0x003  Allocate: method"),
            ("0x003", "0x003  Allocate"),
            ("create-permission", "0x008  CreatePermission"),
            ("0x0113", "0x0113  message type: Allocate error"),
            ("bad_certificate", "42  bad_certificate: alert"),
            ("alert 48", "48  unknown_ca"),
            ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "0xc02b  TLS_ECDHE"),
            ("0xC02F", "0xc02f  TLS_ECDHE_RSA"),
            ("suite 0x000A", "0x000a  TLS_RSA_WITH_3DES"),
            ("srtp 0x0007", "0x0007  SRTP_AEAD_AES_128_GCM"),
            ("SRTP_AES128_CM_HMAC_SHA1_80", "0x0001  SRTP_AES128"),
            ("turn-integrity-rejected", "turn-integrity-rejected  The server does not accept"),
        ] {
            let text = told(what);
            assert!(text.starts_with(first), "{what}: {text}");
        }
    }

    #[test]
    fn what_means_several_things_is_told_in_each_meaning() {
        let text = told("6");
        assert!(text.contains("USERNAME: attribute") && text.contains("Send: method"), "{text}");
        let text = told("data");
        assert!(text.contains("Data: method") && text.contains("DATA: attribute"), "{text}");
        assert!(!told("attribute data").contains("Data: method"));
        assert!(told("NOMINATION").contains("0xc001  ENF-FLOW-DESCRIPTION"), "every name that a message is told with");
    }

    #[test]
    fn a_method_is_told_by_its_number_on_the_wire_whether_it_has_a_name_or_not() {
        for (what, parts) in [
            ("0x005", ["0x005  (without name): method", "0x0115"]),
            ("0x0115", ["0x0115  message type: 0x005 error", "0x005  (without name): method"]),
            ("0x0801", ["0x0801  message type: 0x201 request", "0x201  (without name): method"]),
            ("Set Active Destination", ["0x006  SetActiveDestination: method", "request 0x0006"]),
        ] {
            let text = told(what);
            assert!(parts.iter().all(|part| text.contains(part)), "{what}: {text}");
        }
    }

    #[test]
    fn a_finding_has_severity_signature_cause_and_fix() {
        let text = told("turn-peer-forbidden");
        for part in
            ["Severity: failure if no peer exchanges data, else warning", "Seen: 403", "Cause:", "Fix:", "RFC 8656"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn an_unknown_word_is_answered_with_what_is_near() {
        let suggest = |what: &str| explain(what, &Options::default()).expect_err("unknown").suggestions;
        assert!(suggest("USERNMAE").contains(&"USERNAME".to_owned()));
        assert!(suggest("integrity").contains(&"turn-integrity-rejected".to_owned()));
        assert!(suggest("integrty").contains(&"MESSAGE-INTEGRITY".to_owned()), "{:?}", suggest("integrty"));
        assert!(suggest("xyzzyxyzzy").is_empty());
        assert!(suggest("").is_empty());
        let unknown = explain("evil\x1b[2J", &Options::default()).expect_err("unknown").to_string();
        assert!(unknown.starts_with("evil\\x1b[2J: no error code"), "{unknown}");
        assert!(explain("99999999", &Options::default()).is_err());
        assert!(explain("0x", &Options::default()).is_err());
    }

    #[test]
    fn every_entry_of_every_table_can_be_told_within_eighty_columns() {
        let mut words: Vec<String> = catalogue::all().map(|row| row.id.to_owned()).collect();
        words.extend(ERRORS.iter().map(|row| row.code.to_string()));
        words.extend(ALERTS.iter().map(|row| format!("alert {}", row.name)));
        words.extend(ATTRIBUTES.iter().map(|row| format!("0x{:04x}", row.code.0)));
        words.extend(METHODS.iter().filter(|row| row.method.0 < 0x1000).map(|row| format!("0x{:03x}", row.method.0)));
        words.extend(CIPHER_SUITES.iter().map(|row| format!("suite {}", row.1)));
        words.extend(SRTP_PROFILES.iter().map(|row| format!("profile {}", row.name)));
        for word in words {
            let text = told(&word);
            assert!(text.lines().all(|line| line.width() <= 80), "{text}");
        }
    }

    #[test]
    fn distances_are_counted_in_letters() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
    }
}
