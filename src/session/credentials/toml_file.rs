//! Credentials from TOML: `[[credential]]` tables.
//!
//! Read by hand from the parsed tables, since the messages of a generic reader quote the file, and with it the secrets.

use super::error::FileError;
use super::lines::Lines;
use super::{Credential, Kind, NO_KEY, Side, base_name, hex_key};
use crate::secret::Secret;
use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

/// What a file holds, and what a table may hold, for errors.
const TABLES: &str = "[[credential]] tables";
const KEYS: &str = "label, side, username, realm and one of password, shared_secret, ice_ufrag with ice_pwd, key";

/// Reads all tables of a file.
pub(super) fn read(text: &str, origin: &str) -> Result<Vec<Credential>, FileError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let file = File { text, origin, lines: Lines::of(text) };
    let root =
        DeTable::parse(text).map_err(|error| file.syntax(error.span().map_or(0, |span| span.start)))?.into_inner();
    let mut credentials = Vec::new();
    for (name, value) in &root {
        if name.get_ref().as_ref() != "credential" {
            return Err(file.unknown_key(name, TABLES));
        }
        let not_tables = |line| file.wrong(line, format!("credentials are written as {TABLES}"));
        let DeValue::Array(tables) = value.get_ref() else { return Err(not_tables(file.line(value.span().start))) };
        for table in tables.iter() {
            let line = file.line(table.span().start);
            let DeValue::Table(entries) = table.get_ref() else { return Err(not_tables(line)) };
            credentials.push(file.credential(line, entries)?);
        }
    }
    if credentials.is_empty() { Err(FileError::nothing(origin, TABLES)) } else { Ok(credentials) }
}

struct File<'a> {
    text: &'a str,
    origin: &'a str,
    lines: Lines,
}

/// The entries of a table, as text.
#[derive(Default)]
struct Entries<'a> {
    label: Option<&'a str>,
    side: Option<Side>,
    username: Option<&'a str>,
    realm: Option<&'a str>,
    password: Option<&'a str>,
    shared_secret: Option<&'a str>,
    ice_ufrag: Option<&'a str>,
    ice_pwd: Option<&'a str>,
    key: Option<Secret>,
}

impl File<'_> {
    fn line(&self, offset: usize) -> usize {
        self.lines.at(offset)
    }

    fn wrong(&self, line: usize, what: impl Into<String>) -> FileError {
        FileError::new(self.origin, line, what)
    }

    fn syntax(&self, offset: usize) -> FileError {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        let wrong = self.wrong(self.line(offset), "not valid TOML (text must stand in double quotes)");
        FileError { column: Some(column), ..wrong }
    }

    fn unknown_key(&self, name: &Spanned<std::borrow::Cow<'_, str>>, expected: &str) -> FileError {
        // A slip of the pen can turn a secret into a key, so only what looks like a name is shown.
        let text = name.get_ref().as_ref();
        let shown =
            text.len() <= 24 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte == b'-');
        let key = if shown { format!("\"{text}\"") } else { "here".to_owned() };
        self.wrong(self.line(name.span().start), format!("unknown key {key}; expected {expected}"))
    }

    fn credential(&self, line: usize, table: &DeTable<'_>) -> Result<Credential, FileError> {
        let entries = self.entries(table)?;
        let wrong = |what: &str| {
            let label = entries.label.map(|label| format!(" \"{label}\"")).unwrap_or_default();
            self.wrong(line, format!("the credential{label} {what}"))
        };
        if entries.ice_ufrag.is_some() != entries.ice_pwd.is_some()
            && (entries.ice_pwd.is_some() || !entries.has_other_secret())
        {
            return Err(wrong("needs ice_ufrag and ice_pwd together"));
        }
        let text = |text: &str| Secret::from(text.as_bytes());
        let ice = entries.ice_ufrag.zip(entries.ice_pwd);
        let mut secrets = [
            entries.password.map(|password| ("password", Kind::Password, text(password))),
            entries.shared_secret.map(|secret| ("shared_secret", Kind::SharedSecret, text(secret))),
            ice.map(|(ufrag, pwd)| ("ice_pwd", Kind::Ice { ufrag: ufrag.to_owned() }, text(pwd))),
            entries.key.clone().map(|key| ("key", Kind::Key, key)),
            entries.ice_ufrag.filter(|_| ice.is_none()).map(|ufrag| ("ice_ufrag", Kind::Key, text(ufrag))),
        ]
        .into_iter()
        .flatten();
        let Some((first, kind, secret)) = secrets.next() else {
            return Err(wrong("has no secret; give one of password, shared_secret, ice_pwd, key"));
        };
        if let Some((second, ..)) = secrets.next() {
            return Err(wrong(&format!("has both {first} and {second}; write one table for each")));
        }
        Ok(Credential {
            label: entries.label.map_or_else(|| format!("{} line {line}", base_name(self.origin)), str::to_owned),
            side: entries.side,
            username: entries.username.map(str::to_owned),
            realm: entries.realm.map(str::to_owned),
            kind,
            secret,
        })
    }

    fn entries<'t>(&self, table: &'t DeTable<'_>) -> Result<Entries<'t>, FileError> {
        let mut entries = Entries::default();
        for (name, value) in table {
            let line = self.line(value.span().start);
            let text = |key| self.text_of(key, value);
            match name.get_ref().as_ref() {
                "label" => entries.label = Some(text("label")?),
                "username" => entries.username = Some(text("username")?),
                "realm" => entries.realm = Some(text("realm")?),
                "password" => entries.password = Some(text("password")?),
                "shared_secret" => entries.shared_secret = Some(text("shared_secret")?),
                "ice_ufrag" => entries.ice_ufrag = Some(text("ice_ufrag")?),
                "ice_pwd" => entries.ice_pwd = Some(text("ice_pwd")?),
                "side" => {
                    entries.side = Some(match text("side")? {
                        "client" => Side::Client,
                        "server" => Side::Server,
                        _ => return Err(self.wrong(line, "side must be \"client\" or \"server\"")),
                    });
                }
                "key" => {
                    entries.key = Some(hex_key(text("key")?.trim()).ok_or_else(|| self.wrong(line, NO_KEY))?);
                }
                _ => return Err(self.unknown_key(name, KEYS)),
            }
        }
        Ok(entries)
    }

    /// A value as text. Only a user name may be empty: nothing else makes sense without content.
    fn text_of<'t>(&self, key: &'static str, value: &'t Spanned<DeValue<'_>>) -> Result<&'t str, FileError> {
        let wrong = |what: &str| Err(self.wrong(self.line(value.span().start), format!("{key} {what}")));
        match value.get_ref() {
            DeValue::String(text) if text.is_empty() && !matches!(key, "username" | "realm") => wrong("is empty"),
            DeValue::String(text) => Ok(text),
            _ => wrong("must be text in double quotes"),
        }
    }
}

impl Entries<'_> {
    fn has_other_secret(&self) -> bool {
        self.password.is_some() || self.shared_secret.is_some() || self.key.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
[[credential]]
label = "Meeting Server API"
side = "client"
username = "turnuser"
realm = "turnuser"
password = "cisco"

[[credential]]
shared_secret = "north"

[[credential]]
label = "answer SDP"
ice_ufrag = "mZ4r"
ice_pwd = "pCfJ0123456789abcdefgh"

[[credential]]
side = "server"
key = "0x7DA2270ccfa49786e0115366d3a3d14d"
"#;

    #[test]
    fn every_form_of_credential_is_read() {
        let credentials = read(FILE, "/tmp/turn.toml").expect("credentials");
        let row = |c: &Credential| (c.label.clone(), c.side, c.username.clone(), c.realm.clone(), c.kind.clone());
        let user = Some("turnuser".to_owned());
        assert_eq!(
            credentials.iter().map(row).collect::<Vec<_>>(),
            [
                ("Meeting Server API".to_owned(), Some(Side::Client), user.clone(), user, Kind::Password),
                ("turn.toml line 9".to_owned(), None, None, None, Kind::SharedSecret),
                ("answer SDP".to_owned(), None, None, None, Kind::Ice { ufrag: "mZ4r".to_owned() }),
                ("turn.toml line 17".to_owned(), Some(Side::Server), None, None, Kind::Key),
            ]
        );
        let lengths: Vec<_> = credentials.iter().map(|c| c.secret.expose().len()).collect();
        assert_eq!(lengths, [5, 5, 22, 16]);
    }

    #[test]
    fn windows_files_read_the_same() {
        let text = format!("\u{feff}{}", FILE.replace('\n', "\r\n"));
        assert_eq!(read(&text, "t.toml").expect("credentials").len(), 4);
    }

    #[test]
    fn each_mistake_is_told_with_its_line() {
        let error = |body: &str| read(&format!("[[credential]]\n{body}"), "t.toml").expect_err(body).to_string();
        assert_eq!(error("pasword = \"x\""), format!("t.toml, line 2: unknown key \"pasword\"; expected {KEYS}"));
        assert_eq!(
            error("label = \"A\""),
            "t.toml, line 1: the credential \"A\" has no secret; give one of password, shared_secret, ice_pwd, key"
        );
        assert_eq!(
            error("password = \"x\"\nkey = \"7da2270ccfa49786e0115366d3a3d14d\""),
            "t.toml, line 1: the credential has both password and key; write one table for each"
        );
        assert_eq!(
            error("password = \"x\"\nice_ufrag = \"u\""),
            "t.toml, line 1: the credential has both password and ice_ufrag; write one table for each"
        );
        assert_eq!(error("ice_ufrag = \"x\""), "t.toml, line 1: the credential needs ice_ufrag and ice_pwd together");
        assert_eq!(error("ice_pwd = \"x\""), "t.toml, line 1: the credential needs ice_ufrag and ice_pwd together");
        assert_eq!(error("side = \"both\"\npassword = \"x\""), "t.toml, line 2: side must be \"client\" or \"server\"");
        assert_eq!(error("\nkey = \"12\""), "t.toml, line 3: the key must be 32 hex digits (MD5) or 64 (SHA-256)");
        assert_eq!(error("password = \"\""), "t.toml, line 2: password is empty");
        assert_eq!(error("password = 12345"), "t.toml, line 2: password must be text in double quotes");
        let error = |text: &str| read(text, "t.toml").expect_err(text).to_string();
        assert_eq!(error(""), "t.toml: no credential in it; expected [[credential]] tables");
        assert_eq!(error("[credential]\n"), "t.toml, line 1: credentials are written as [[credential]] tables");
        assert_eq!(error("credential = [1]"), "t.toml, line 1: credentials are written as [[credential]] tables");
        assert_eq!(error("[server]\n"), "t.toml, line 1: unknown key \"server\"; expected [[credential]] tables");
    }

    #[test]
    fn no_error_shows_a_secret() {
        for body in [
            "password = hunter2",
            "password = \"hunter2",
            "password = 'hunter2\nx = 1",
            "hunter2",
            "hunter2 = 1",
            "\"hunter2\" = \"hunter2\"",
            "hunter2.hunter2 = 1",
            "password = \"a\"\npassword = \"hunter2\"",
            "password = [\"hunter2\"]",
            "password = { hunter2 = 1 }",
            "key = \"hunter2\"",
            "side = \"hunter2\"\npassword = \"hunter2\"",
            "password = \"hunter2\"\nshared_secret = \"hunter2\"",
            "ice_pwd = \"hunter2\"",
            "password = \"\\qhunter2\"",
        ] {
            let error = read(&format!("[[credential]]\n{body}\n"), "t.toml").expect_err(body);
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(shown.contains("t.toml"), "{shown}");
        }
    }
}
