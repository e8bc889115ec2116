//! The credentials as given: which of them apply to whom, and what keys they make.

use super::check::Identity;
use super::derive::{self, Derivation, Key, KeyHash, Scheme};
use super::prepare::{self, Preparation};
use super::words::Words;
use super::{Credential, CredentialKind, Description, Kind, Side, rest};
use crate::wire::stun::integrity::Algorithm;
use hashbrown::HashMap;
use std::borrow::Cow;
use zeroize::Zeroizing;

/// What was given, with indexes so that ten thousand users cost no more than one.
#[derive(Debug, Default)]
pub(super) struct Store {
    given: Vec<Credential>,
    words: Vec<Words>,
    /// Credentials of one user with a name in plain ASCII.
    by_user: HashMap<Vec<u8>, Vec<u32>>,
    by_ufrag: HashMap<Vec<u8>, Vec<u32>>,
    /// All other credentials.
    open: Vec<u32>,
    /// For each realm that messages with USERHASH had: the hashes of all users with it, sorted.
    by_hash: HashMap<Vec<u8>, Vec<([u8; 32], u32)>>,
    has_sides: bool,
}

/// For as many realms the hashes of users are kept, 36 bytes each; messages of others have all users hashed anew.
const MAX_REALMS: usize = 4;

/// How far a credential applies to an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Applies {
    /// The message is another's.
    No,
    /// The message may be another's: only a key that fits says anything.
    Perhaps,
    /// A key that does not fit is a mismatch.
    Yes,
}

/// The credentials for an identity, in the order in which they are tried; the lists come after `given`.
#[derive(Debug, Default)]
pub(super) struct Selection {
    pub(super) given: Vec<u32>,
    /// How many passwords of lists.
    pub(super) words: u32,
    /// How many of all that [`Applies::Yes`].
    pub(super) firm: u32,
    /// How many of the words.
    pub(super) firm_words: u32,
}

/// What of a message decides which keys are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    pub(super) algorithm: Algorithm,
    /// Hash of the long-term key that PASSWORD-ALGORITHM names, or that goes with the attribute.
    pub(super) hash: KeyHash,
}

/// Keys are made in two rounds: what implementations do as a rule first, for all credentials, then what some of them do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Round {
    Usual,
    Unusual,
}

impl Store {
    pub(super) fn add(&mut self, credential: Credential) {
        let Ok(number) = u32::try_from(self.given.len()) else { return };
        let name = credential.username.as_deref().map(|name| prepare::trim(name.as_bytes()));
        match (&credential.kind, name) {
            (Kind::Ice { ufrag }, _) => self.by_ufrag.entry_ref(ufrag.as_bytes()).or_default().push(number),
            (_, Some(name)) if prepare::is_plain(name) => self.by_user.entry_ref(name).or_default().push(number),
            _ => self.open.push(number),
        }
        self.by_hash.clear();
        self.has_sides |= credential.side.is_some();
        self.given.push(credential);
    }

    /// Hashes all users with the realm of a message that hides its user name (RFC 8489 §14.4), once for each of the first realms.
    pub(super) fn hash_users(&mut self, identity: &Identity<'_>) {
        let Some((realm, _)) = hidden_user(identity) else { return };
        if self.by_hash.contains_key(realm) || self.by_hash.len() >= MAX_REALMS {
            return;
        }
        let realms = forms(prepare::trim(realm));
        let mut hashes = Vec::new();
        for (number, credential) in (0..).zip(&self.given) {
            let name = credential.username.as_deref().map(|name| prepare::trim(name.as_bytes()));
            for name in name.into_iter().flat_map(forms) {
                hashes.extend(realms.iter().map(|realm| (derive::userhash(&name, realm), number)));
            }
        }
        hashes.sort_unstable();
        hashes.dedup();
        self.by_hash.insert(realm.to_vec(), hashes);
    }

    /// The credentials that may have a name with this hash: all whose name has it, and those without a name.
    fn hashed(&self, identity: &Identity<'_>) -> Option<impl Iterator<Item = u32>> {
        let (realm, hash) = hidden_user(identity)?;
        let hashes = self.by_hash.get(realm)?;
        let first = hashes.partition_point(|(known, _)| known.as_slice() < hash);
        let same = hashes.iter().skip(first).take_while(move |(known, _)| known == hash).map(|(_, number)| *number);
        let nameless = |number: &u32| self.credential(*number).is_some_and(|credential| credential.username.is_none());
        Some(self.open.iter().copied().filter(nameless).chain(same))
    }

    pub(super) fn add_words(&mut self, words: Words) {
        self.words.push(words);
    }

    pub(super) fn given(&self) -> &[Credential] {
        &self.given
    }

    pub(super) fn has_sides(&self) -> bool {
        self.has_sides
    }

    fn count_words(&self) -> usize {
        self.words.iter().map(Words::len).sum()
    }

    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.given.len() + self.count_words()).unwrap_or(u32::MAX)
    }

    /// The number of a password of the lists.
    pub(super) fn number_of_word(&self, index: u32) -> u32 {
        u32::try_from(self.given.len()).unwrap_or(u32::MAX).saturating_add(index)
    }

    /// The list and the place in it of a credential that is a password of a list.
    fn word(&self, number: u32) -> Option<(&Words, usize)> {
        let mut index = usize::try_from(number).ok()?.checked_sub(self.given.len())?;
        for words in &self.words {
            if index < words.len() {
                return Some((words, index));
            }
            index -= words.len();
        }
        None
    }

    fn credential(&self, number: u32) -> Option<&Credential> {
        self.given.get(usize::try_from(number).ok()?)
    }

    /// The secret of a credential, by its number; and the credential, where it is no password of a list.
    pub(super) fn secret(&self, number: u32) -> Option<(Option<&Credential>, &[u8])> {
        match self.credential(number) {
            Some(given) => Some((Some(given), given.secret.expose())),
            None => self.word(number).and_then(|(words, index)| words.get(index)).map(|word| (None, word)),
        }
    }

    pub(super) fn describe(&self, number: u32) -> Option<Description<'_>> {
        if let Some(credential) = self.credential(number) {
            let label = Cow::Borrowed(credential.label.as_str());
            return Some(Description { label, side: credential.side, kind: credential.kind.plain() });
        }
        let (words, index) = self.word(number)?;
        Some(Description { label: Cow::Owned(words.label(index)?), side: None, kind: CredentialKind::Password })
    }

    /// Which credentials apply to a message of `sender`. Those of its own side stand first: where both sides hold the same password, each
    /// is said to have signed with its own. `None` where more would have to be looked at without an index than `tries` are left.
    pub(super) fn select(&self, identity: &Identity<'_>, sender: Side, tries: &mut u64) -> Option<Selection> {
        let is_indexed = indexed_name(identity).is_some() || self.hashed(identity).is_some();
        let looked_at = if is_indexed { 0 } else { self.given.len() as u64 };
        *tries = tries.checked_sub(looked_at)?;
        let mut firm = 0u32;
        let mut given = Vec::new();
        self.candidates(identity, |number| {
            let applies = self.credential(number).map_or(Applies::No, |credential| applies(credential, identity));
            if applies != Applies::No {
                given.push(number);
            }
            firm += u32::from(applies == Applies::Yes);
        });
        given.sort_unstable_by_key(|&number| {
            let rank = match self.credential(number).and_then(|credential| credential.side) {
                Some(side) if side == sender => 0,
                None => 1,
                Some(_) => 2,
            };
            (rank, number)
        });
        let all = u32::try_from(self.count_words()).unwrap_or(u32::MAX);
        let (words, firm_words) = match password_applies(None, None, identity) {
            Applies::No => (0, 0),
            Applies::Perhaps => (all, 0),
            Applies::Yes => (all, all),
        };
        Some(Selection { given, words, firm: firm.saturating_add(firm_words), firm_words })
    }

    /// Whether two credentials are the same secret: that of a client and that of a server should be.
    pub(super) fn have_same_secret(&self, one: u32, other: u32) -> bool {
        let secret = |number| self.secret(number).map(|(_, secret)| secret);
        one == other || secret(one).is_some_and(|one| secret(other) == Some(one))
    }

    /// Calls `each` with every credential that surely applies to an identity. The passwords of lists are left out: any of them may be
    /// meant for anybody.
    pub(super) fn applying(&self, identity: &Identity<'_>, mut each: impl FnMut(u32)) {
        self.candidates(identity, |number| {
            if self.credential(number).is_some_and(|credential| applies(credential, identity) == Applies::Yes) {
                each(number);
            }
        });
    }

    /// Every credential that may apply, by the indexes where the identity allows.
    fn candidates(&self, identity: &Identity<'_>, mut each: impl FnMut(u32)) {
        if let Some(hashed) = self.hashed(identity) {
            return hashed.for_each(each);
        }
        let Some(name) = indexed_name(identity) else {
            (0u32..).zip(&self.given).for_each(|(number, _)| each(number));
            return;
        };
        self.open.iter().for_each(|&number| each(number));
        self.by_user.get(name).into_iter().flatten().for_each(|&number| each(number));
        match ice_receiver(name) {
            Some(ufrag) => self.by_ufrag.get(ufrag).into_iter().flatten().for_each(|&number| each(number)),
            None => self.by_ufrag.values().flatten().for_each(|&number| each(number)),
        }
    }

    /// Makes the keys of a credential for an identity.
    pub(super) fn keys(
        &self,
        number: u32,
        identity: &Identity<'_>,
        wanted: Wanted,
        round: Round,
        keys: &mut Vec<(Derivation, Key)>,
    ) {
        if let Some(credential) = self.credential(number) {
            let maker = Maker { credential: Some(credential), identity, wanted, round };
            maker.keys(&credential.kind, credential.secret.expose(), keys);
        } else if let Some(word) = self.word(number).and_then(|(words, index)| words.get(index)) {
            Maker { credential: None, identity, wanted, round }.keys(&Kind::Password, word, keys);
        }
    }
}

/// The user name, if there is an index of such names.
fn indexed_name<'a>(identity: &Identity<'a>) -> Option<&'a [u8]> {
    identity.username.map(prepare::trim).filter(|name| prepare::is_plain(name))
}

/// The realm and the USERHASH of a message that hides its user name.
fn hidden_user<'a>(identity: &Identity<'a>) -> Option<(&'a [u8], &'a [u8])> {
    if identity.username.is_none() { identity.realm.zip(identity.userhash) } else { None }
}

/// The part of an ICE user name before its first colon: the receiver's ufrag (RFC 8445 §7.2.2).
fn ice_receiver(username: &[u8]) -> Option<&[u8]> {
    let colon = username.iter().position(|&byte| byte == b':')?;
    username.get(..colon)
}

/// Whether a credential applies to the messages of an identity.
fn applies(credential: &Credential, identity: &Identity<'_>) -> Applies {
    let (username, realm) = (credential.username.as_deref(), credential.realm.as_deref());
    match &credential.kind {
        Kind::Password => password_applies(username, realm, identity),
        Kind::SharedSecret => {
            let named = password_applies(username, realm, identity);
            if identity.realm.is_none() || (identity.username.is_none() && username.is_none()) {
                return Applies::No;
            }
            // A name that is not of the form `expiry[:user]` is likely one of a fixed user.
            let rest = identity.username.is_some_and(|name| rest::rest_expiry(name).is_some());
            if rest || username.is_some() { named } else { named.min(Applies::Perhaps) }
        }
        Kind::Ice { ufrag } => match identity.username.map(prepare::trim) {
            _ if identity.realm.is_some() || identity.userhash.is_some() => Applies::No,
            None => Applies::Perhaps,
            Some(name) => {
                let ours = match ice_receiver(name) {
                    Some(receiver) => receiver == ufrag.as_bytes(),
                    // Google's old form has no colon.
                    None => name.starts_with(ufrag.as_bytes()),
                };
                if ours { Applies::Yes } else { Applies::No }
            }
        },
        Kind::Key => {
            let named = named(username, realm, identity);
            if identity.realm.is_some() { named } else { named.min(Applies::Perhaps) }
        }
    }
}

fn password_applies(username: Option<&str>, realm: Option<&str>, identity: &Identity<'_>) -> Applies {
    if identity.access_token {
        return Applies::No; // the key is inside the token (RFC 7635 §4)
    }
    if identity.username.is_none() && identity.userhash.is_some() && username.is_none() {
        return Applies::No; // no name to hash
    }
    named(username, realm, identity)
}

/// Whether user and realm of a credential are those of the identity.
fn named(username: Option<&str>, realm: Option<&str>, identity: &Identity<'_>) -> Applies {
    let realm_applies = match (realm, identity.realm) {
        (None, _) => Applies::Yes,
        (Some(ours), Some(theirs)) if prepare::same_name(ours.as_bytes(), theirs) => Applies::Yes,
        // A response without its request shows neither.
        (Some(_), None) if identity.is_unknown() => Applies::Perhaps,
        _ => Applies::No,
    };
    let user_applies = match (username, identity.username, identity.userhash) {
        (None, Some(_), _) | (None, None, Some(_)) => Applies::Yes,
        (_, None, None) => Applies::Perhaps,
        (Some(ours), Some(theirs), _) if prepare::same_name(ours.as_bytes(), theirs) => Applies::Yes,
        (Some(ours), None, Some(hash)) => {
            let realm = identity.realm.or(realm.map(str::as_bytes)).unwrap_or_default();
            if names_of_hash(ours.as_bytes(), realm, hash).is_empty() { Applies::No } else { Applies::Yes }
        }
        _ => Applies::No,
    };
    realm_applies.min(user_applies)
}

/// The forms of a user name that a USERHASH was made from.
fn names_of_hash<'a>(name: &'a [u8], realm: &[u8], hash: &[u8]) -> Vec<Cow<'a, [u8]>> {
    let realms = forms(prepare::trim(realm));
    let mut names = forms(prepare::trim(name));
    names.retain(|name| realms.iter().any(|realm| derive::userhash(name, realm) == hash));
    names
}

/// A string in every preparation, each form once.
fn forms(text: &[u8]) -> Vec<Cow<'_, [u8]>> {
    let mut forms: Vec<Cow<'_, [u8]>> = Vec::with_capacity(1);
    for form in prepare::ALL.iter().filter_map(|way| way.apply(text)) {
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms
}

/// Makes the keys of one credential.
struct Maker<'m> {
    credential: Option<&'m Credential>,
    identity: &'m Identity<'m>,
    wanted: Wanted,
    round: Round,
}

impl Maker<'_> {
    fn keys(&self, kind: &Kind, secret: &[u8], keys: &mut Vec<(Derivation, Key)>) {
        match kind {
            Kind::Password => {
                let password = prepare::trim_nuls(secret);
                for hash in self.hashes() {
                    self.long_term(password, Scheme::LongTerm(hash), hash, keys);
                }
                if self.identity.realm.is_none() && self.round == Round::Usual {
                    short_term(password, keys);
                }
            }
            Kind::SharedSecret => self.turn_rest(secret, keys),
            Kind::Ice { .. } if self.round == Round::Usual => short_term(secret, keys),
            Kind::Key if self.round == Round::Usual => {
                let derivation = Derivation { scheme: Scheme::RawKey, preparation: Preparation::Raw };
                keys.push((derivation, Zeroizing::new(secret.to_vec())));
            }
            Kind::Ice { .. } | Kind::Key => {}
        }
    }

    /// The hashes of long-term keys for this round.
    fn hashes(&self) -> impl Iterator<Item = KeyHash> + use<> {
        let usual = match self.wanted.algorithm {
            Algorithm::Sha384 => KeyHash::Sha384,
            Algorithm::Sha512 => KeyHash::Sha512,
            Algorithm::Sha1 | Algorithm::Sha256 => self.wanted.hash,
        };
        let hash = match (self.round, usual) {
            (Round::Usual, usual) => Some(usual),
            (Round::Unusual, KeyHash::Md5) => Some(KeyHash::Sha256),
            (Round::Unusual, KeyHash::Sha256) => Some(KeyHash::Md5),
            (Round::Unusual, _) => None,
        };
        hash.into_iter()
    }

    /// User and realm as the message has them, else as the credential has them: without what surrounds them first.
    fn names(&self, mut each: impl FnMut(&[u8], &[u8])) {
        let given_user = self.credential.and_then(|credential| credential.username.as_ref());
        let given_realm = self.credential.and_then(|credential| credential.realm.as_ref());
        let Some(realm) = self.identity.realm.or(given_realm.map(String::as_bytes)) else { return };
        let trimmed = prepare::trim(realm);
        match (self.identity.username, self.identity.userhash, given_user) {
            (Some(name), _, _) => {
                each(prepare::trim(name), trimmed);
                if prepare::trim(name) != name || trimmed != realm {
                    each(name, realm);
                }
            }
            (None, Some(hash), Some(name)) => {
                for name in names_of_hash(name.as_bytes(), realm, hash) {
                    each(&name, trimmed);
                }
            }
            (None, None, Some(name)) => each(prepare::trim(name.as_bytes()), trimmed),
            (None, _, None) => {}
        }
    }

    fn long_term(&self, password: &[u8], scheme: Scheme, hash: KeyHash, keys: &mut Vec<(Derivation, Key)>) {
        self.names(|name, realm| {
            let mut push = |preparation, name: &[u8], realm: &[u8], password: &[u8]| {
                keys.push((Derivation { scheme, preparation }, derive::long_term(hash, name, realm, password)));
            };
            if [name, realm, password].iter().all(|text| prepare::is_plain(text)) {
                return push(Preparation::Raw, name, realm, password);
            }
            let mut seen: Vec<[Cow<'_, [u8]>; 3]> = Vec::new();
            for way in prepare::ALL {
                let Some(password) = way.apply(password) else { continue };
                let (as_is, prepared) =
                    ((Cow::Borrowed(name), Cow::Borrowed(realm)), (way.apply(name), way.apply(realm)));
                let pairs = [
                    Some(as_is.clone()),
                    prepared.1.clone().map(|realm| (as_is.0.clone(), realm)),
                    prepared.0.zip(prepared.1),
                ];
                for (name, realm) in pairs.into_iter().flatten() {
                    let triple = [name, realm, password.clone()];
                    if seen.contains(&triple) {
                        continue;
                    }
                    let [name, realm, password] = &triple;
                    push(way, name, realm, password);
                    seen.push(triple);
                }
            }
        });
    }

    fn turn_rest(&self, secret: &[u8], keys: &mut Vec<(Derivation, Key)>) {
        let passwords: &[KeyHash] = match self.round {
            Round::Usual => &[KeyHash::Sha1],
            Round::Unusual => &[KeyHash::Sha1, KeyHash::Sha256, KeyHash::Sha384, KeyHash::Sha512],
        };
        let usual = Maker { round: Round::Usual, ..*self };
        for &password in passwords {
            self.names(|name, realm| {
                let Some(made) = rest::password(secret, name, password) else { return };
                // The unusual round has the usual key hash too, with the unusual passwords.
                let again = usual.hashes().filter(|_| self.round == Round::Unusual && password != KeyHash::Sha1);
                for hash in self.hashes().chain(again) {
                    let scheme = Scheme::TurnRest { password, key: hash };
                    let derivation = Derivation { scheme, preparation: Preparation::Raw };
                    keys.push((derivation, derive::long_term(hash, name, realm, &made)));
                }
            });
        }
    }
}

fn short_term(password: &[u8], keys: &mut Vec<(Derivation, Key)>) {
    let first = keys.len();
    for preparation in prepare::ALL {
        let Some(key) = preparation.apply(password) else { continue };
        if !keys.iter().skip(first).any(|(_, known)| known.as_slice() == key.as_ref()) {
            let derivation = Derivation { scheme: Scheme::ShortTerm, preparation };
            keys.push((derivation, Zeroizing::new(key.into_owned())));
        }
    }
}
