//! Credentials that stand in for those given, so that the receiver can verify what was signed.

use super::names::Names;
use super::prf::Key;
use crate::secret::Secret;
use crate::session::credentials::{self, Credentials, Derivation, Identity, Integrity, Kind, Scheme, Status};
use crate::wire::stun::integrity::{Hasher, Protection, Rule};
use crate::wire::stun::{Fields, LONGEST_TEXT, Message, TransactionId};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use zeroize::Zeroizing;

/// Requests of which responses may still come.
const REQUESTS: usize = 1 << 16;
/// Hashes of users that are kept, over all realms.
const USERS: usize = 1 << 18;
/// And these.
const REALMS: usize = 1024;
/// Bytes of the names in them.
const HELD: usize = 32 << 20;

/// Whose a message is.
#[derive(Clone, Default)]
pub(super) struct Owner {
    username: Option<Vec<u8>>,
    realm: Option<Vec<u8>>,
    userhash: Option<Vec<u8>>,
    access_token: bool,
}

/// How an integrity attribute was made.
pub(super) struct Made {
    pub(super) protection: Protection,
    credential: u32,
    rule: Rule,
    derivation: Derivation,
}

pub(super) struct StandIns {
    key: Key,
    credentials: Credentials,
    requests: HashMap<TransactionId, Owner>,
    /// Bytes of the names in these.
    held: usize,
    /// For each credential the number of the first with the same secret.
    first_of: Vec<u32>,
    /// The credentials that name a user, by the user's hash in the realms that were met.
    users: HashMap<[u8; 32], u32>,
    realms: HashSet<Vec<u8>>,
    /// Passwords of lists that signed something.
    words: BTreeMap<u32, String>,
}

impl StandIns {
    pub(super) fn new(key: Key, credentials: Credentials) -> Self {
        let first_of = credentials.first_of_each_secret();
        let (requests, users, realms) = (HashMap::new(), HashMap::new(), HashSet::new());
        StandIns { key, credentials, requests, held: 0, first_of, users, realms, words: BTreeMap::new() }
    }

    /// Who sent a message: what it says itself, or of a response what its request said.
    pub(super) fn owner(&mut self, message: &Message<'_>, fields: &Fields<'_>) -> Owner {
        let id = message.transaction_id();
        if message.class().is_response() {
            return self.requests.get(&id).cloned().unwrap_or_default();
        }
        let own = Identity::of(fields);
        let copy = |text: Option<&[u8]>| text.map(<[u8]>::to_vec);
        let owner = Owner {
            username: copy(own.username),
            realm: copy(own.realm),
            userhash: copy(own.userhash),
            access_token: own.access_token,
        };
        if !own.is_unknown() {
            let names = [own.username, own.realm, own.userhash].into_iter().flatten().map(<[u8]>::len).sum::<usize>();
            if self.requests.len() >= REQUESTS || self.held + names > HELD {
                self.requests.clear();
                self.held = 0;
            }
            // a copy of a request counts again, at worst for making room too early
            self.held += names;
            self.requests.insert(id, owner.clone());
        }
        owner
    }

    /// What a credential made of what protects a message; and whether anything that protects it was made by none.
    pub(super) fn check(&mut self, message: &Message<'_>, owner: &Owner) -> (Vec<Made>, bool) {
        let identity = owner.identity();
        let checked = self.credentials.check(message, &identity);
        let mut made = Vec::new();
        let protections = crate::wire::stun::integrity::protections(message);
        let mut unknown = false;
        for (protection, integrity) in protections.zip(&checked.results) {
            let Integrity { status: Status::Verified { credential, rule, derivation }, .. } = *integrity else {
                unknown = true;
                continue;
            };
            made.push(Made { protection, credential, rule, derivation });
        }
        (made, unknown)
    }

    /// The value that the stand-in of the same credential makes of a message.
    pub(super) fn sign(
        &mut self,
        made: &Made,
        message: &Message<'_>,
        owner: &Owner,
        names: &mut Names,
    ) -> Option<Vec<u8>> {
        if self.credentials.list().get(made.credential as usize).is_none() {
            let label = self.credentials.describe(made.credential)?.label.into_owned();
            self.words.insert(made.credential, label);
        }
        // of a response without its request only the credential knows whose it is
        let given = self.credentials.list().get(made.credential as usize);
        let of = |text: Option<&String>| text.map(|text| text.as_bytes().to_vec());
        let (user, realm) = (given.and_then(|g| of(g.username.as_ref())), given.and_then(|g| of(g.realm.as_ref())));
        let username = owner.username.clone().or_else(|| self.user_of(owner)).or(user).unwrap_or_default();
        let realm = owner.realm.clone().or(realm).unwrap_or_default();
        let (username, realm) = (names.name(&username), names.name(&realm));
        let secret = self.secret(made.credential);
        let scheme: Scheme = made.derivation.scheme;
        let key = credentials::key(scheme, &username, &realm, &secret)?;
        Hasher::new(made.protection.algorithm, key.expose())?.value(message, &made.protection, made.rule)
    }

    /// The hash of the name that stands for the user of a hash; `None` where nobody knows the user.
    pub(super) fn userhash(&mut self, hash: &[u8], owner: &Owner, names: &mut Names) -> Option<[u8; 32]> {
        let owner = Owner { userhash: Some(hash.to_vec()), ..owner.clone() };
        let user = self.user_of(&owner)?;
        let realm = owner.realm.unwrap_or_default();
        Some(credentials::userhash(&names.name(&user), &names.name(&realm)))
    }

    fn user_of(&mut self, owner: &Owner) -> Option<Vec<u8>> {
        let wanted: [u8; 32] = owner.userhash.as_deref()?.try_into().ok()?;
        let realm = owner.realm.as_deref()?;
        let list = self.credentials.list();
        // one realm always has room, further ones as far as there is any
        let room = self.realms.len() < REALMS && self.users.len() + list.len() <= USERS;
        // a realm that is longer than one may be has no users
        if realm.len() <= LONGEST_TEXT && (room || self.realms.is_empty()) && !self.realms.contains(realm) {
            for (number, credential) in (0..).zip(list) {
                if let Some(user) = &credential.username {
                    self.users.entry(credentials::userhash(user.as_bytes(), realm)).or_insert(number);
                }
            }
            self.realms.insert(realm.to_vec());
        }
        let found = list.get(*self.users.get(&wanted)? as usize)?;
        found.username.as_deref().map(|user| user.as_bytes().to_vec())
    }

    /// The same secret always has the same stand-in, whoever is configured with it.
    fn secret(&self, credential: u32) -> Secret {
        let given = self.credentials.list().get(credential as usize);
        let first = self.first_of.get(credential as usize).copied();
        let number = u64::from(first.unwrap_or(credential));
        if matches!(given, Some(given) if given.kind == Kind::Key) {
            let length = given.map_or(16, |given| given.secret_len());
            return Secret::new(self.key.bytes(&[b"stand-in key", &number.to_be_bytes()], length));
        }
        const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let random = Zeroizing::new(self.key.bytes(&[b"stand-in", &number.to_be_bytes()], 26));
        Secret::new(random.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32)).copied()).collect())
    }

    /// What stands in for the password of an ICE agent.
    pub(super) fn ice_password(&self, of: &str, password: &Secret) -> Option<Secret> {
        let is_its = |given: &credentials::Credential| {
            matches!(&given.kind, Kind::Ice { ufrag } if ufrag == of) && given.has_secret(password)
        };
        let number = self.credentials.list().iter().position(is_its)?;
        Some(self.secret(u32::try_from(number).ok()?))
    }

    /// The stand-ins as a file of credentials, under the labels of those that they stand for.
    pub(super) fn toml(&self, names: &mut Names) -> Secret {
        let mut tables = Vec::new();
        for (number, given) in (0..).zip(self.credentials.list()) {
            let secret = self.secret(number);
            let mut name = |text: &Option<String>| {
                text.as_ref().map(|text| String::from_utf8_lossy(&names.name(text.as_bytes())).into_owned())
            };
            let mut table = Table {
                side: given.side.map(|side| side.name()),
                username: name(&given.username),
                realm: name(&given.realm),
                ..Table::default()
            };
            match &given.kind {
                Kind::Password => table.password = Some(text(&secret)),
                Kind::SharedSecret => table.shared_secret = Some(text(&secret)),
                Kind::Ice { ufrag } => {
                    table.ice_ufrag = name(&Some(ufrag.clone()));
                    table.ice_pwd = Some(text(&secret));
                }
                Kind::Key => table.key = Some(secret.expose().iter().map(|byte| format!("{byte:02x}")).collect()),
            }
            table.label = names.known(&given.label);
            tables.push(table);
        }
        for (&number, label) in &self.words {
            let (label, password) = (names.known(label), Some(text(&self.secret(number))));
            tables.push(Table { label, password, ..Table::default() });
        }
        let file = toml::to_string(&File { credential: tables }).unwrap_or_default();
        Secret::from(file)
    }
}

fn text(secret: &Secret) -> String {
    String::from_utf8_lossy(secret.expose()).into_owned()
}

impl Owner {
    fn identity(&self) -> Identity<'_> {
        Identity {
            username: self.username.as_deref(),
            realm: self.realm.as_deref(),
            userhash: self.userhash.as_deref(),
            access_token: self.access_token,
        }
    }
}

#[derive(Serialize)]
struct File {
    credential: Vec<Table>,
}

/// TOML has nothing for `None`: such a key is left out.
#[derive(Default, Serialize)]
struct Table {
    label: String,
    side: Option<&'static str>,
    username: Option<String>,
    realm: Option<String>,
    password: Option<String>,
    shared_secret: Option<String>,
    ice_ufrag: Option<String>,
    ice_pwd: Option<String>,
    key: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::credentials::Credential;

    #[test]
    fn users_are_found_by_their_hash_in_as_many_realms_as_there_is_room_for() {
        let mut given = Credentials::default();
        for number in 0..1000 {
            given.add(Credential::new("", Kind::Password, Secret::from(&b"pw"[..])).of_user(format!("user{number}")));
        }
        let mut stand_ins = StandIns::new(Key::new([1; 32]), given);
        let owner = |user: &str, realm: &str| Owner {
            userhash: Some(credentials::userhash(user.as_bytes(), realm.as_bytes()).to_vec()),
            realm: Some(realm.into()),
            ..Owner::default()
        };
        assert_eq!(stand_ins.user_of(&owner("user777", "a")).as_deref(), Some(&b"user777"[..]));
        assert_eq!(stand_ins.user_of(&owner("nobody", "a")), None);
        for number in 0..2 * USERS / 1000 {
            stand_ins.user_of(&owner("user1", &format!("realm {number}")));
        }
        assert!(stand_ins.users.len() <= USERS && stand_ins.realms.len() <= REALMS);
        assert_eq!(stand_ins.user_of(&owner("user5", "a")).as_deref(), Some(&b"user5"[..]));
    }

    #[test]
    fn requests_with_long_names_take_bounded_memory() {
        let mut stand_ins = StandIns::new(Key::new([1; 32]), Credentials::default());
        let length = 60_000_u16;
        let mut bytes = [&[0, 3][..], &(length + 4).to_be_bytes(), &[0x21, 0x12, 0xa4, 0x42], &[0; 12]].concat();
        bytes.extend([&[0, 6][..], &length.to_be_bytes(), &vec![b'x'; usize::from(length)]].concat());
        for number in 0..2_000_u32 {
            bytes[8..12].copy_from_slice(&number.to_be_bytes());
            let message = Message::recognise(&bytes, false).unwrap();
            stand_ins.owner(&message, &message.fields());
            let held = stand_ins.requests.values().filter_map(|owner| owner.username.as_ref()).map(Vec::len);
            assert!(held.sum::<usize>() <= HELD, "after {number} requests");
        }
    }
}
