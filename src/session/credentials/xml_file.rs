//! The user and password of a Cisco Meeting Server's `turnServer` object, as its API gives and takes it. The Meeting Server is the client of TURN.

use super::error::FileError;
use super::{Credential, Kind, Side, base_name};
use crate::secret::Secret;
use roxmltree::{Document, ParsingOptions};

/// How many nodes a document may have.
const MAX_NODES: u32 = 100_000;

/// Whether a file is XML.
pub(super) fn looks_like_one(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').trim_start().starts_with('<')
}

/// Reads the password of each `<turnServer>`. The API never gives it: it must have been put in.
pub(super) fn read(text: &str, origin: &str) -> Result<Vec<Credential>, FileError> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text.trim_start_matches('\u{feff}'), options)
        .map_err(|problem| FileError::new(origin, problem.pos().row as usize, "not well-formed XML"))?;
    let mut credentials = Vec::new();
    for server in document.descendants().filter(|node| node.has_tag_name("turnServer")) {
        let entry = |name: &str| server.children().find(|child| child.has_tag_name(name));
        let Some(password) = entry("password") else { continue };
        let line = document.text_pos_at(password.range().start).row as usize;
        let Some(secret) = password.text().filter(|text| !text.is_empty()) else {
            return Err(FileError::new(origin, line, "password is empty"));
        };
        let secret = Secret::from(secret.as_bytes());
        let credential = Credential::new(format!("{} line {line}", base_name(origin)), Kind::Password, secret);
        let username = entry("username").and_then(|entry| entry.text()).map(str::trim).filter(|text| !text.is_empty());
        let credential = credential.at(Side::Client);
        credentials.push(match username {
            Some(username) => credential.of_user(username),
            None => credential,
        });
    }
    if credentials.is_empty() {
        return Err(FileError::nothing(origin, "<password> in <turnServer>"));
    }
    Ok(credentials)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_with_its_password_is_a_credential_of_the_client() {
        let text = "<?xml version=\"1.0\"?>\n<turnServers>\n<turnServer id=\"1\">\n<username>turnuser</username>\n<password>hunter2</password>\n\
                    </turnServer>\n<turnServer/>\n</turnServers>";
        assert!(looks_like_one(text));
        let credentials = read(text, "api/turn.xml").expect("credentials");
        let row = |c: &Credential| (c.label.clone(), c.side, c.username.clone(), c.realm.clone(), c.kind.clone());
        let user = Some("turnuser".to_owned());
        assert_eq!(
            credentials.iter().map(row).collect::<Vec<_>>(),
            [("turn.xml line 5".to_owned(), Some(Side::Client), user, None, Kind::Password)]
        );
    }

    #[test]
    fn mistakes_show_no_password() {
        let error = |text: &str| read(text, "t.xml").expect_err(text).to_string();
        assert_eq!(error("<turnServer>\n<password>hunter2</pass>"), "t.xml, line 2: not well-formed XML");
        assert_eq!(error("<turnServer>\n<password/></turnServer>"), "t.xml, line 2: password is empty");
        assert_eq!(error("<turnServer/>"), "t.xml: no credential in it; expected <password> in <turnServer>");
    }
}
