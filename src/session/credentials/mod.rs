//! Who may have signed what: the credentials that were given, and the check of a message against them.
//!
//! [`Credentials`] is filled from files, then asked with every protected message. Nothing here prints a secret.

mod check;
mod derive;
mod error;
mod forms;
mod lines;
mod near;
mod prepare;
mod rest;
mod slip;
mod store;
mod toml_file;
mod turnserver_conf;
mod words;
mod xml_file;

pub use check::{Checked, Identity, Integrity, Limits, Results, Status};
pub use derive::{Derivation, KeyHash, Scheme};
pub use error::FileError;
pub use near::NearMiss;
pub use prepare::Preparation;
pub use rest::{Expiry, person, rest_expiry};
pub use slip::Slip;

pub(super) use lines::Lines;
pub(super) use turnserver_conf::{Setting, looks_like_one as looks_like_turnserver_conf, settings};

use crate::secret::Secret;
use crate::wire::stun::Message;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

/// One of the two ends of a conversation with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Who asks.
    Client,
    /// Who is asked.
    Server,
}

impl Side {
    /// The opposite end.
    #[must_use]
    pub fn other(self) -> Side {
        match self {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }

    /// `client`, `server`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Side::Client => "client",
            Side::Server => "server",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What the secret of a credential is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A password: long-term, or short-term where the message has no REALM.
    Password,
    /// Makes the passwords of time-limited user names (TURN REST).
    SharedSecret,
    /// The password of an ICE agent.
    Ice {
        /// The user name fragment of the same agent.
        ufrag: String,
    },
    /// The key itself, 16 bytes (MD5) or 32 (SHA-256) as a rule.
    Key,
}

impl Kind {
    /// As reports tell it.
    #[must_use]
    pub fn plain(&self) -> CredentialKind {
        match self {
            Kind::Password => CredentialKind::Password,
            Kind::SharedSecret => CredentialKind::SharedSecret,
            Kind::Ice { .. } => CredentialKind::Ice,
            Kind::Key => CredentialKind::Key,
        }
    }
}

/// What a credential is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialKind {
    /// A password: long-term, or short-term where the message has no realm.
    Password,
    /// The secret that time-limited passwords are made from.
    SharedSecret,
    /// An ICE ufrag and password.
    Ice,
    /// A long-term key.
    Key,
}

/// One credential and whom it belongs to.
#[derive(Clone, Debug)]
pub struct Credential {
    /// What it is called in every output.
    pub label: String,
    /// Who is configured with it, if that was said.
    pub side: Option<Side>,
    /// Applies to messages of this user only.
    pub username: Option<String>,
    /// Applies to messages of this realm only.
    pub realm: Option<String>,
    /// What the secret is.
    pub kind: Kind,
    secret: Secret,
}

impl Credential {
    /// How many bytes the secret has.
    #[must_use]
    pub fn secret_len(&self) -> usize {
        self.secret.expose().len()
    }

    /// Whether it has this secret.
    #[must_use]
    pub fn has_secret(&self, secret: &Secret) -> bool {
        self.secret == *secret
    }

    /// A credential for any user and realm.
    #[must_use]
    pub fn new(label: impl Into<String>, kind: Kind, secret: Secret) -> Self {
        Credential { label: label.into(), side: None, username: None, realm: None, kind, secret }
    }

    /// The same for one user only.
    #[must_use]
    pub fn of_user(self, username: impl Into<String>) -> Self {
        Credential { username: Some(username.into()), ..self }
    }

    /// The same for one realm only.
    #[must_use]
    pub fn in_realm(self, realm: impl Into<String>) -> Self {
        Credential { realm: Some(realm.into()), ..self }
    }

    /// The same, configured at that side.
    #[must_use]
    pub fn at(self, side: Side) -> Self {
        Credential { side: Some(side), ..self }
    }
}

/// The key of the HMAC that a scheme makes of a secret, for names and secrets in plain ASCII, which need no preparation. What surrounds a name
/// on the wire (quotes, NULs) is left out, as it is when messages are checked.
#[must_use]
pub fn key(scheme: Scheme, username: &[u8], realm: &[u8], secret: &Secret) -> Option<Secret> {
    let key = derive::key(scheme, prepare::trim(username), prepare::trim(realm), secret.expose())?;
    Some(Secret::new(key.to_vec()))
}

/// USERHASH of a user in a realm (RFC 8489 §14.4), both in plain ASCII.
#[must_use]
pub fn userhash(username: &[u8], realm: &[u8]) -> [u8; 32] {
    derive::userhash(prepare::trim(username), prepare::trim(realm))
}

/// What a report says of a credential, see [`Credentials::describe`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description<'a> {
    /// What it is called.
    pub label: Cow<'a, str>,
    /// Who is configured with it.
    pub side: Option<Side>,
    /// What it is.
    pub kind: CredentialKind,
}

/// The credentials given for a run. Empty: nothing is tested.
///
/// Credentials are numbered: those of [`Credentials::list`] first, then the passwords of lists line by line. The numbers stand once the
/// last credential is added.
#[derive(Debug, Default)]
pub struct Credentials {
    store: store::Store,
    cache: check::Cache,
}

impl Credentials {
    /// No credentials, and other limits of memory than the usual.
    #[must_use]
    pub fn with_limits(limits: Limits) -> Self {
        Credentials { store: store::Store::default(), cache: check::Cache::new(limits) }
    }

    /// Adds the `[[credential]]` tables of a TOML file; `origin` is its path, for labels and errors.
    ///
    /// # Errors
    /// Not TOML, a key that is not known, a table without exactly one secret, a `side` or `key` that is none. Nothing is added then.
    pub fn add_toml(&mut self, text: &str, origin: &str) -> Result<(), FileError> {
        for credential in toml_file::read(text, origin)? {
            self.add(credential);
        }
        Ok(())
    }

    /// Adds a list of passwords, one a line, for any user and realm. A byte order mark and CR LF are accepted, empty lines passed over.
    ///
    /// # Errors
    /// No password in it, or more than 4 GiB.
    pub fn add_passwords(&mut self, bytes: Vec<u8>, origin: &str) -> Result<(), FileError> {
        self.store.add_words(words::Words::new(bytes, origin)?);
        self.cache.clear();
        Ok(())
    }

    /// Adds the users and shared secrets of a coturn `turnserver.conf`; all else in it is passed over.
    ///
    /// # Errors
    /// A user without password or with a bad key, or neither users nor shared secrets. Nothing is added then.
    pub fn add_turnserver_conf(&mut self, text: &str, origin: &str) -> Result<(), FileError> {
        for credential in turnserver_conf::read(text, origin)? {
            self.add(credential);
        }
        Ok(())
    }

    /// Adds the users and passwords of a Cisco Meeting Server's `turnServer` objects, in XML.
    ///
    /// # Errors
    /// Not XML, or no password in it. Nothing is added then.
    pub fn add_xml(&mut self, text: &str, origin: &str) -> Result<(), FileError> {
        for credential in xml_file::read(text, origin)? {
            self.add(credential);
        }
        Ok(())
    }

    /// Adds a credentials file of whichever form: XML, TOML where a `[[credential]]` stands in it, else `turnserver.conf`.
    ///
    /// # Errors
    /// As those of [`Credentials::add_xml`], [`Credentials::add_toml`] and [`Credentials::add_turnserver_conf`].
    pub fn add_file(&mut self, text: &str, origin: &str) -> Result<(), FileError> {
        if xml_file::looks_like_one(text) {
            self.add_xml(text, origin)
        } else if turnserver_conf::looks_like_one(text) {
            self.add_turnserver_conf(text, origin)
        } else {
            self.add_toml(text, origin)
        }
    }

    /// Adds a password for any user and realm.
    pub fn add_password(&mut self, label: impl Into<String>, password: Secret) {
        self.add(Credential::new(label, Kind::Password, password));
    }

    /// Adds the password of an ICE agent, unless it is known already: two files may tell of the same agent. Labels stay apart.
    pub(super) fn add_ice(&mut self, label: &str, ufrag: &str, password: &Secret) {
        let of_agent = |known: &&Credential| matches!(&known.kind, Kind::Ice { ufrag: known } if known == ufrag);
        if self.list().iter().filter(of_agent).any(|known| known.secret == *password) {
            return;
        }
        let same = self.list().iter().filter(|known| known.label.starts_with(label)).count();
        let label = if same == 0 { label.to_owned() } else { format!("{label} #{}", same + 1) };
        self.add(Credential::new(label, Kind::Ice { ufrag: ufrag.to_owned() }, password.clone()));
    }

    /// Adds a credential.
    pub fn add(&mut self, credential: Credential) {
        self.store.add(credential);
        self.cache.clear();
    }

    /// Whether there is nothing to test with.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many credentials there are, the passwords of lists among them.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.store.len()
    }

    /// The credentials that were given one by one: all but the passwords of lists.
    #[must_use]
    pub fn list(&self) -> &[Credential] {
        self.store.given()
    }

    /// For each of [`Credentials::list`] the number of the first with the same secret.
    #[must_use]
    pub fn first_of_each_secret(&self) -> Vec<u32> {
        let mut first = HashMap::new();
        (0..).zip(self.list()).map(|(number, given)| *first.entry(given.secret.expose()).or_insert(number)).collect()
    }

    /// What a report says of a credential, by its number.
    #[must_use]
    pub fn describe(&self, credential: u32) -> Option<Description<'_>> {
        self.store.describe(credential)
    }

    /// How many integrity attributes were not tried with all that may have made them, see [`Limits::list_tries`].
    #[must_use]
    pub fn cut_short(&self) -> u64 {
        self.cache.cut_short()
    }

    /// Whether two credentials, by their numbers, are the same secret.
    #[must_use]
    pub fn have_same_secret(&self, one: u32, other: u32) -> bool {
        self.store.have_same_secret(one, other)
    }

    /// What made one credential of another, by their numbers, if a single mishap did: what has to be done to the first for the second.
    #[must_use]
    pub fn slip_between(&self, from: u32, to: u32) -> Option<Slip> {
        let secret = |number| self.store.secret(number).map(|(_, secret)| secret);
        let (from, to) = (secret(from)?, secret(to)?);
        let mut found = None;
        forms::all(from, |slip, form| {
            if form == to {
                found = Some(slip);
            }
            found.is_some()
        });
        found
    }

    /// Calls `each` with the number of every credential, given one by one, that surely applies to an identity.
    pub fn applying(&self, identity: &Identity<'_>, each: impl FnMut(u32)) {
        self.store.applying(identity, each);
    }

    /// Tests what protects a message against every credential that applies to it.
    ///
    /// `identity` is that of the message; for a response, which has no user name of its own, that of its request (empty where the
    /// request was not seen).
    pub fn check(&mut self, message: &Message<'_>, identity: &Identity<'_>) -> Checked {
        self.store.hash_users(identity);
        self.cache.check(&self.store, message, identity)
    }

    /// How the realm of a server comes to be that of a request, where a mishap explains it.
    #[must_use]
    pub fn realm_slip(server: &[u8], asked: &[u8]) -> Option<Slip> {
        near::realm_slip(server, asked)
    }

    /// A credential whose names would be those of a message but for a mishap, such as a blank at the end or another letter case; the first, by its
    /// number. None where a credential has these very names.
    #[must_use]
    pub fn nearly_named(&self, identity: &Identity<'_>) -> Option<(u32, Slip)> {
        let exact = |given: &Credential| {
            let same = |ours: &Option<String>, theirs: Option<&[u8]>| ours.as_deref().map(str::as_bytes) == theirs;
            same(&given.username, identity.username) && (given.realm.is_none() || same(&given.realm, identity.realm))
        };
        if self.list().iter().any(exact) {
            return None;
        }
        (0..).zip(self.list()).find_map(|(number, given)| Some((number, near::names_slip(given, identity)?)))
    }

    /// Looks for a credential that nearly signed a message that none did sign: mistyped, cut, or encoded once too often. All credentials are tried,
    /// of other users too. It takes up to a hundred thousand hashes; each is taken from `budget`.
    pub fn near_miss(&self, message: &Message<'_>, identity: &Identity<'_>, budget: &mut u64) -> Option<NearMiss> {
        near::search(&self.store, message, identity, budget)
    }
}

/// The file's name without its folders, for labels.
pub(in crate::session) fn base_name(origin: &str) -> &str {
    origin.rsplit(['/', '\\']).next().unwrap_or(origin)
}

/// Bytes of hex digits, `0x` before them or not.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text).as_bytes();
    let nibble = |digit: u8| char::from(digit).to_digit(16);
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits
        .chunks_exact(2)
        .map(|pair| match *pair {
            [high, low] => u8::try_from(nibble(high)? << 4 | nibble(low)?).ok(),
            _ => None,
        })
        .collect()
}

/// What is said of a key that is none.
const NO_KEY: &str = "the key must be 32 hex digits (MD5) or 64 (SHA-256)";

/// A key in hex, if its length is that of a hash: MD5, SHA-1, SHA-256, SHA-384 or SHA-512.
fn hex_key(text: &str) -> Option<Secret> {
    unhex(text).filter(|key| matches!(key.len(), 16 | 20 | 32 | 48 | 64)).map(Secret::new)
}
