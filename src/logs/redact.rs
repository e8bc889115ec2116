//! Secrets in lines of logs: what looks like one is replaced.

/// What stands in the place of a secret.
const HIDDEN: &str = "[…]";

/// Words after which a secret stands, in lower case; also as the end of a longer word (`turn-password`).
const WORDS: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "pass",
    "passphrase",
    "secret",
    "nonce",
    "token",
    "credential",
    "hmac",
    "key",
    "authorization",
    "bearer",
    "cookie",
    "psk",
];
/// Words that end like one of those and have nothing secret after them.
const HARMLESS: &[&str] = &["bypass", "monkey", "hotkey", "keyframe", "compass"];

/// The text with what looks like a secret replaced: what follows a word that announces one, the password of a URL, and the value of
/// `a=ice-pwd` and `a=crypto`.
pub(super) fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if !is_of_word(c) {
            out.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            continue;
        }
        let end = rest.find(|c: char| !is_of_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if let Some(hidden) = of_url(word, after) {
            let (kept, left) = hidden;
            out.push_str(&kept);
            rest = left;
            continue;
        }
        out.push_str(word);
        rest = after;
        if announces(word)
            && let Some((between, after)) = value(rest)
        {
            out.push_str(between);
            out.push_str(HIDDEN);
            rest = after;
        }
    }
    out
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-')
}

fn announces(word: &str) -> bool {
    let word = word.to_lowercase();
    let ends = |known: &str| {
        let start = word.strip_suffix(known);
        start.is_some_and(|start| start.is_empty() || start.ends_with(['-', '_']) || known.len() >= 6)
    };
    !HARMLESS.contains(&word.as_str()) && WORDS.iter().any(|known| ends(known))
}

/// What stands between an announcement and its value, and what follows the value; `None` where there is no value.
fn value(rest: &str) -> Option<(&str, &str)> {
    let (remark, signs) = rest.split_at_checked(remark(rest))?;
    let length =
        signs.find(|c: char| !matches!(c, '=' | ':' | ' ' | '"' | '\'' | '<' | '(' | '[')).unwrap_or(signs.len());
    let (signs, value) = signs.split_at_checked(length)?;
    let between = rest.get(..remark.len() + signs.len())?;
    // `password is wrong`: a sentence tells nothing; only a sign makes it a value
    if !signs.contains(['=', ':', '<', '"', '\'']) {
        return None;
    }
    let quoted = signs.chars().rev().find(|c| matches!(c, '"' | '\'' | '<' | '(' | '['));
    let close = match quoted {
        Some('<') => '>',
        Some('(') => ')',
        Some('[') => ']',
        Some(quote) => quote,
        None => ' ',
    };
    let end = value.find(|c: char| c == close || quoted.is_none() && matches!(c, ',' | ';' | '&' | '\t'));
    let end = end.unwrap_or(value.len());
    // `Authorization: Bearer x`: the scheme is not the secret
    let (found, after) = value.split_at_checked(end)?;
    if matches!(found.to_ascii_lowercase().as_str(), "bearer" | "basic" | "digest") && quoted.is_none() {
        let after = after.trim_start();
        let end = after.find([' ', ',', ';']).unwrap_or(after.len());
        return Some((between, after.get(end..)?));
    }
    (!found.is_empty()).then_some((between, after))
}

/// The bytes of what is said of a secret before the sign that its value follows: those of ` (sha1)` in `key (sha1): x`.
fn remark(rest: &str) -> usize {
    let length = rest.strip_prefix(" (").and_then(|inside| Some(inside.find(')')? + " ()".len()));
    let is_sign = |after: &str| after.trim_start().starts_with([':', '=']);
    length.filter(|&length| rest.get(length..).is_some_and(is_sign)).unwrap_or(0)
}

/// The password of `scheme://user:password@host` and of `turn:user:password@host`.
fn of_url<'a>(word: &str, after: &'a str) -> Option<(String, &'a str)> {
    let rest = after
        .strip_prefix("://")
        .or_else(|| matches!(word, "turn" | "turns" | "stun" | "stuns").then(|| after.strip_prefix(':')).flatten())?;
    let end = rest.find([' ', '/', '"', '\'', ',', ';', '<', '>', '?']).unwrap_or(rest.len());
    let (user, host) = rest.get(..end)?.rsplit_once('@')?;
    let (user, _) = user.split_once(':')?;
    let signs = if after.starts_with("://") { "://" } else { ":" };
    Some((format!("{word}{signs}{user}:{HIDDEN}@{host}"), rest.get(end..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_replaced() {
        for (text, expected) in [
            ("password=hunter2 user=bob", "password=[…] user=bob"),
            ("Password: hunter2", "Password: […]"),
            ("turn_password = \"hunter2 x\" ok", "turn_password = \"[…]\" ok"),
            ("nonce=<hunter2>, realm=<r>", "nonce=<[…]>, realm=<r>"),
            ("a=ice-pwd:hunter2", "a=ice-pwd:[…]"),
            ("Authorization: Bearer hunter2", "Authorization: […]"),
            ("GET https://bob:hunter2@host/x", "GET https://bob:[…]@host/x"),
            ("url turn:bob:hunter2@turn.example.org", "url turn:bob:[…]@turn.example.org"),
            ("{\"credential\":\"hunter2\",\"x\":1}", "{\"credential\":\"[…]\",\"x\":1}"),
            ("static-auth-secret=hunter2", "static-auth-secret=[…]"),
            ("shared secret (SHA-1): hunter2, realm x", "shared secret (SHA-1): […], realm x"),
        ] {
            assert_eq!(redact(text), expected, "{text}");
        }
    }

    #[test]
    fn ordinary_words_stay_as_they_are() {
        for text in [
            "check_stun_auth: user turnuser credentials are incorrect",
            "session 001: realm <turnuser> user <turnuser>: incoming packet message processed, error 401: Unauthorized",
            "call 6: ICE failure; relay candidate creation timeout",
            "the password is wrong",
            "bypass: on, monkey: 5, keyframe: 7",
            "stun:stun.example.org:3478",
            "日本 時刻: 値",
        ] {
            assert_eq!(redact(text), text);
        }
    }
}
