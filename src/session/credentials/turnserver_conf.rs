//! Users and shared secrets of a coturn `turnserver.conf`.
//!
//! A line is a name, then spaces or `=`, then a value, which may stand in double quotes; `#` at its start makes it a comment. Only what bears on
//! keys is read.

use super::error::FileError;
use super::{Credential, Kind, NO_KEY, Side, base_name, hex_key};
use crate::secret::Secret;

/// One setting and where it stands.
pub(in crate::session) struct Setting<'a> {
    pub line: usize,
    pub name: &'a str,
    pub value: &'a str,
}

/// The settings of a file, in order; one without value has an empty one.
pub(in crate::session) fn settings(text: &str) -> impl Iterator<Item = Setting<'_>> {
    text.trim_start_matches('\u{feff}').lines().zip(1..).filter_map(|(line, number)| {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let separator = |c: char| c == '=' || c == ' ' || c == '\t';
        let (name, value) = line.split_once(separator).unwrap_or((line, ""));
        let value = unquoted(value.trim_start_matches(separator));
        Some(Setting { line: number, name: name.trim_start_matches('-'), value })
    })
}

/// A value without the quotes around it; one at its end alone belongs to it.
fn unquoted(value: &str) -> &str {
    let Some(value) = value.strip_prefix('"') else { return value };
    value.strip_suffix('"').unwrap_or(value)
}

/// Whether a file is more likely one of coturn than TOML.
pub(in crate::session) fn looks_like_one(text: &str) -> bool {
    let ours = |line: &str| line.split_whitespace().collect::<String>().starts_with("[[credential]]");
    !text.trim_start_matches('\u{feff}').lines().any(ours)
        && settings(text).any(|setting| {
            matches!(
                setting.name,
                "user"
                    | "static-auth-secret"
                    | "use-auth-secret"
                    | "lt-cred-mech"
                    | "realm"
                    | "listening-port"
                    | "fingerprint"
            )
        })
}

/// Reads the credentials: each user with the realm of the file, each shared secret. All are the server's.
pub(super) fn read(text: &str, origin: &str) -> Result<Vec<Credential>, FileError> {
    // The last realm of a file is the one that counts, wherever it stands.
    let realm = settings(text).filter(|setting| setting.name == "realm" && !setting.value.is_empty()).last();
    let realm = realm.map(|setting| setting.value.to_owned());
    let mut credentials = Vec::new();
    for setting in settings(text) {
        let Setting { line, name, value } = setting;
        let (username, kind, secret) = match name {
            "user" => user(value, line, origin)?,
            "static-auth-secret" if value.is_empty() => {
                return Err(FileError::new(origin, line, "static-auth-secret is empty"));
            }
            "static-auth-secret" => (None, Kind::SharedSecret, Secret::from(value.as_bytes())),
            _ => continue,
        };
        credentials.push(Credential {
            label: format!("{} line {line}", base_name(origin)),
            side: Some(Side::Server),
            username,
            realm: realm.clone(),
            kind,
            secret,
        });
    }
    if credentials.is_empty() {
        return Err(FileError::nothing(origin, "user=name:password or static-auth-secret=secret"));
    }
    Ok(credentials)
}

/// `name:password`, or `name:0x` and a key in hex.
fn user(value: &str, line: usize, origin: &str) -> Result<(Option<String>, Kind, Secret), FileError> {
    let bad = || FileError::new(origin, line, "user must be name:password or name:0xkey");
    let (name, password) = value.split_once(':').ok_or_else(bad)?;
    let name = name.trim();
    if name.is_empty() || password.is_empty() {
        return Err(bad());
    }
    let (kind, secret) = if password.starts_with("0x") {
        let key = hex_key(password).ok_or_else(|| FileError::new(origin, line, NO_KEY))?;
        (Kind::Key, key)
    } else {
        (Kind::Password, Secret::from(password.as_bytes()))
    };
    Ok((Some(name.to_owned()), kind, secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# TURN\nlistening-port=3478\n  fingerprint\nlt-cred-mech\nrealm=example.org\nuser=alice:pa:ss#word\n\
        #user=old:old\nuser = bob:0x8493fbc53ba582fb4c044c456bdc40eb\nuse-auth-secret\nstatic-auth-secret=north\nstatic-auth-secret = south=\n\
        realm=example.net\r\n";

    #[test]
    fn users_and_shared_secrets_are_read_with_the_realm_of_the_file() {
        let credentials = read(FILE, "/etc/turnserver.conf").expect("a configuration");
        let row = |c: &Credential| (c.label.clone(), c.username.clone(), c.kind.clone(), c.secret.expose().len());
        let line = |n: u32| format!("turnserver.conf line {n}");
        assert_eq!(
            credentials.iter().map(row).collect::<Vec<_>>(),
            [
                (line(6), Some("alice".to_owned()), Kind::Password, 10),
                (line(8), Some("bob".to_owned()), Kind::Key, 16),
                (line(10), None, Kind::SharedSecret, 5),
                (line(11), None, Kind::SharedSecret, 6),
            ]
        );
        assert!(credentials.iter().all(|c| c.side == Some(Side::Server) && c.realm.as_deref() == Some("example.net")));
        assert_eq!(credentials.first().map(|c| c.secret.expose()), Some(&b"pa:ss#word"[..]));
    }

    #[test]
    fn quotes_around_a_value_are_not_of_it() {
        let file = "realm=\"example.org\"\nuser=\"alice:p\"a ss\"\nuser \"bob:0x8493fbc53ba582fb4c044c456bdc40eb\" \nuser=carol:end\"\n\
            static-auth-secret = \"north\"\n";
        let credentials = read(file, "t.conf").expect("a configuration");
        let rows: Vec<_> =
            credentials.iter().map(|c| (c.username.as_deref(), c.kind.clone(), c.secret.expose())).collect();
        assert_eq!(rows.first(), Some(&(Some("alice"), Kind::Password, &b"p\"a ss"[..])));
        assert_eq!(rows.get(1).map(|row| (row.0, row.1.clone(), row.2.len())), Some((Some("bob"), Kind::Key, 16)));
        assert_eq!(
            rows.get(2..),
            Some(&[(Some("carol"), Kind::Password, &b"end\""[..]), (None, Kind::SharedSecret, b"north")][..])
        );
        assert!(credentials.iter().all(|c| c.realm.as_deref() == Some("example.org")));
    }

    #[test]
    fn what_is_wrong_is_told_with_file_and_line_and_without_the_secret() {
        let error = |text: &str| read(text, "t.conf").expect_err("bad").to_string();
        assert_eq!(error("\nuser=alice"), "t.conf, line 2: user must be name:password or name:0xkey");
        assert_eq!(error("user=:hunter2"), "t.conf, line 1: user must be name:password or name:0xkey");
        assert_eq!(error("user=a:0xhunter2"), "t.conf, line 1: the key must be 32 hex digits (MD5) or 64 (SHA-256)");
        assert_eq!(error("static-auth-secret="), "t.conf, line 1: static-auth-secret is empty");
        assert_eq!(
            error("realm=x\n"),
            "t.conf: no credential in it; expected user=name:password or static-auth-secret=secret"
        );
    }

    #[test]
    fn it_is_told_from_toml_by_its_settings() {
        assert!(looks_like_one(FILE));
        assert!(looks_like_one("user alice:secret\n"));
        assert!(!looks_like_one("[[credential]]\nrealm = \"x\"\npassword = \"y\"\n"));
        assert!(!looks_like_one("[[ credential ]]\nrealm = \"x\"\n"));
        assert!(!looks_like_one("password = \"y\"\n"));
    }
}
