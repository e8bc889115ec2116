//! A message against the credentials: which one signed it.
//!
//! Keys are made once per identity (user, realm) and kept ready, hash state included, so that a message of a known user costs one HMAC.

use super::derive::Derivation;
use super::store::{Round, Selection, Store, Wanted};
use super::{KeyHash, Side};
use crate::wire::stun::integrity::{Algorithm, Hasher, Protection, Rule, protections};
use crate::wire::stun::{AttributeCode, Class, Fields, Message};
use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::{BuildHasher, Hasher as _};
use std::ops::Deref;

/// Whose a message is: what it says of its user, or for a response what its request said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Identity<'a> {
    /// USERNAME.
    pub username: Option<&'a [u8]>,
    /// REALM.
    pub realm: Option<&'a [u8]>,
    /// USERHASH (RFC 8489 §14.4).
    pub userhash: Option<&'a [u8]>,
    /// ACCESS-TOKEN stands in the request: the key is inside it, no password makes it (RFC 7635 §4).
    pub access_token: bool,
}

impl<'a> Identity<'a> {
    /// What the fields of a message say.
    #[must_use]
    pub fn of(fields: &Fields<'a>) -> Self {
        Identity {
            username: fields.username,
            realm: fields.realm,
            userhash: fields.userhash,
            access_token: fields.access_token.is_some(),
        }
    }

    /// Whether it says nothing: a response whose request was not seen.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.username.is_none() && self.userhash.is_none()
    }

    fn len(&self) -> usize {
        [self.username, self.realm, self.userhash].iter().flatten().map(|text| text.len()).sum()
    }
}

/// What is known of one integrity attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Integrity {
    /// Hash of its HMAC.
    pub algorithm: Algorithm,
    /// Whether a credential made it.
    pub status: Status,
}

/// Whether a credential made an integrity attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// One did.
    Verified {
        /// Its number, see [`Credentials::describe`](super::Credentials::describe).
        credential: u32,
        /// Which bytes went under the HMAC.
        rule: Rule,
        /// How the key came from the credential.
        derivation: Derivation,
    },
    /// None did of those that apply to its user and realm.
    Mismatch {
        /// How many apply.
        tried: u32,
    },
    /// No given credential applies, or the value has a length that no HMAC has.
    Untested,
    /// The value is not wholly in the capture.
    Truncated,
}

/// What [`Credentials::check`](super::Credentials::check) found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// One entry for each integrity attribute, in wire order; empty where the message has none.
    pub results: Results,
}

impl Deref for Checked {
    type Target = [Integrity];

    fn deref(&self) -> &[Integrity] {
        &self.results
    }
}

/// Up to two results; reads as a slice. More attributes than two protect no message that any stack makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Results {
    items: [Integrity; 2],
    len: usize,
}

impl Results {
    const NONE: Results =
        Results { items: [Integrity { algorithm: Algorithm::Sha1, status: Status::Untested }; 2], len: 0 };

    fn push(&mut self, integrity: Integrity) {
        if let Some(free) = self.items.get_mut(self.len) {
            *free = integrity;
            self.len += 1;
        }
    }
}

impl Deref for Results {
    type Target = [Integrity];

    fn deref(&self) -> &[Integrity] {
        self.items.get(..self.len).unwrap_or(&self.items)
    }
}

impl<'a> IntoIterator for &'a Results {
    type Item = &'a Integrity;
    type IntoIter = std::slice::Iter<'a, Integrity>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// How much is kept ready. Beyond it keys are made again; results are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Identities kept, and as many that were not used since.
    pub identities: usize,
    /// Keys kept over all identities, and as many that were not used since; about 200 bytes each.
    pub keys: usize,
    /// Keys kept for one identity.
    pub keys_of_identity: usize,
    /// An identity with more bytes than this is not kept.
    pub identity_bytes: usize,
    /// How often passwords of lists are tried in all, and credentials where very many may apply or are looked through, about a microsecond each. Then
    /// they are left out, but for those that fitted before: [`Credentials::cut_short`](super::Credentials::cut_short) tells.
    pub list_tries: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { identities: 8192, keys: 16_384, keys_of_identity: 64, identity_bytes: 1024, list_tries: 500_000_000 }
    }
}

/// The identities met of late, with their keys.
///
/// Two generations: what is used moves to the young one; when that is full it becomes the old one, and the old one goes.
#[derive(Debug, Default)]
pub(super) struct Cache {
    limits: Limits,
    hash: DefaultHashBuilder,
    young: HashTable<Slot>,
    old: HashTable<Slot>,
    young_keys: usize,
    /// How often passwords of lists were tried.
    tries: u64,
    cut_short: u64,
}

/// One identity, and for one algorithm and direction what was made ready for it.
#[derive(Debug)]
struct Slot {
    head: Head,
    username: Option<Box<[u8]>>,
    realm: Option<Box<[u8]>>,
    userhash: Option<Box<[u8]>>,
    selection: Selection,
    ready: Vec<Ready>,
    /// Which of `ready` fitted last.
    last: usize,
    /// How many steps are in `ready`.
    made: u64,
    /// Digests of the last messages that fitted nothing, where there are more credentials than kept keys: copies of them, by
    /// retransmission or a mirror port, are common.
    failed: [Option<u64>; 8],
    next_failed: usize,
}

/// What of a message decides on its keys beside the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Head {
    wanted: Wanted,
    sender: Side,
    access_token: bool,
}

#[derive(Debug)]
struct Ready {
    credential: u32,
    derivation: Derivation,
    hasher: Hasher,
}

impl Cache {
    pub(super) fn new(limits: Limits) -> Self {
        Cache { limits, ..Cache::default() }
    }

    /// Forgets everything, since other credentials mean other keys.
    pub(super) fn clear(&mut self) {
        *self = Cache::new(self.limits);
    }

    /// How many protections were not tried with all passwords of the lists.
    pub(super) fn cut_short(&self) -> u64 {
        self.cut_short
    }

    pub(super) fn check(&mut self, store: &Store, message: &Message<'_>, identity: &Identity<'_>) -> Checked {
        let mut results = Results::NONE;
        for protection in protections(message) {
            let status = if protection.truncated {
                Status::Truncated
            } else if store.len() == 0 || !protection.is_proper() {
                Status::Untested
            } else {
                self.status(store, message, &protection, &complete(identity, message))
            };
            results.push(Integrity { algorithm: protection.algorithm, status });
        }
        Checked { results }
    }

    fn status(
        &mut self,
        store: &Store,
        message: &Message<'_>,
        protection: &Protection,
        identity: &Identity<'_>,
    ) -> Status {
        // Without sides both directions share their keys.
        let response = store.has_sides() && message.class().is_response();
        let head = Head {
            wanted: wanted(message, protection),
            sender: if response { Side::Server } else { Side::Client },
            access_token: identity.access_token,
        };
        let tries = self.limits.list_tries.saturating_sub(self.tries);
        let mut test =
            Test { store, message, protection, identity, limit: self.limits.keys_of_identity, tries, cut: false };
        let status = if identity.len() > self.limits.identity_bytes {
            Slot::new(head, &mut test).status(&mut test, &self.hash)
        } else {
            let build = self.hash.clone();
            let slot = self.slot(head, &mut test);
            let before = slot.ready.len();
            let status = slot.status(&mut test, &build);
            self.young_keys += slot.ready.len().saturating_sub(before);
            status
        };
        self.tries += tries - test.tries;
        self.cut_short += u64::from(test.cut);
        status
    }

    /// The slot of an identity, made or brought back if need be.
    fn slot(&mut self, head: Head, test: &mut Test<'_>) -> &mut Slot {
        let identity = test.identity;
        if self.young.len() >= self.limits.identities || self.young_keys >= self.limits.keys {
            self.old = std::mem::take(&mut self.young);
            self.young_keys = 0;
        }
        let hash = hash(&self.hash, head, identity.username, identity.realm, identity.userhash);
        let is = |slot: &Slot| slot.is_of(head, identity);
        let rehash = |slot: &Slot| {
            let (username, realm) = (slot.username.as_deref(), slot.realm.as_deref());
            self::hash(&self.hash, slot.head, username, realm, slot.userhash.as_deref())
        };
        match self.young.entry(hash, is, rehash) {
            Entry::Occupied(slot) => slot.into_mut(),
            Entry::Vacant(free) => {
                let slot = match self.old.find_entry(hash, is) {
                    Ok(slot) => slot.remove().0,
                    Err(_) => Slot::new(head, test),
                };
                self.young_keys += slot.weight();
                free.insert(slot).into_mut()
            }
        }
    }
}

fn hash(
    build: &DefaultHashBuilder,
    head: Head,
    username: Option<&[u8]>,
    realm: Option<&[u8]>,
    userhash: Option<&[u8]>,
) -> u64 {
    let mut hasher = build.build_hasher();
    let Head { wanted, sender, access_token } = head;
    hasher.write_u32(
        wanted.algorithm as u32 | (wanted.hash as u32) << 8 | (sender as u32) << 16 | u32::from(access_token) << 24,
    );
    for text in [username, realm, userhash] {
        hasher.write_usize(text.map_or(usize::MAX, <[u8]>::len));
        hasher.write(text.unwrap_or_default());
    }
    hasher.finish()
}

/// An error response may name the realm where its request did not.
fn complete<'a>(identity: &Identity<'a>, message: &Message<'a>) -> Identity<'a> {
    match identity.realm {
        None if message.class() == Class::Error => Identity { realm: message.fields().realm, ..*identity },
        _ => *identity,
    }
}

/// What keys a protection calls for.
pub(super) fn wanted(message: &Message<'_>, protection: &Protection) -> Wanted {
    let hash = match (protection.code, protection.algorithm) {
        (AttributeCode::MESSAGE_INTEGRITY_SHA256, _) => match message.attribute(AttributeCode::PASSWORD_ALGORITHM) {
            Some(attribute) if attribute.value.starts_with(&[0, 2]) => KeyHash::Sha256,
            _ => KeyHash::Md5,
        },
        (_, Algorithm::Sha1) => KeyHash::Md5,
        _ => KeyHash::Sha256,
    };
    Wanted { algorithm: protection.algorithm, hash }
}

impl Slot {
    fn new(head: Head, test: &mut Test<'_>) -> Self {
        let Test { store, identity, .. } = *test;
        let selection = store.select(identity, head.sender, &mut test.tries);
        test.cut |= selection.is_none();
        Slot {
            head,
            username: identity.username.map(Box::from),
            realm: identity.realm.map(Box::from),
            userhash: identity.userhash.map(Box::from),
            selection: selection.unwrap_or_default(),
            ready: Vec::new(),
            last: 0,
            made: 0,
            failed: [None; 8],
            next_failed: 0,
        }
    }

    /// Its memory, counted in keys.
    fn weight(&self) -> usize {
        self.ready.len() + self.selection.given.len() / 32
    }

    fn is_of(&self, head: Head, identity: &Identity<'_>) -> bool {
        self.head == head
            && self.username.as_deref() == identity.username
            && self.realm.as_deref() == identity.realm
            && self.userhash.as_deref() == identity.userhash
    }

    fn status(&mut self, test: &mut Test<'_>, build: &DefaultHashBuilder) -> Status {
        if let Some(found) = self.ready.get(self.last).and_then(|ready| ready.verify(test)) {
            return found;
        }
        let others = (0..).zip(&self.ready).filter(|&(index, _)| index != self.last);
        for (index, ready) in others {
            if let Some(found) = ready.verify(test) {
                self.last = index;
                return found;
            }
        }
        let Selection { given, words, firm, firm_words } = &self.selection;
        let many = given.len() + usize::try_from(*words).unwrap_or(usize::MAX) > test.limit;
        let digest = many.then(|| build.hash_one((test.message.bytes(), test.protection.offset)));
        let (firm, untried) = (*firm, if given.len() > test.limit { *firm } else { *firm_words });
        if digest.is_none() || !self.failed.contains(&digest) {
            if let Some(found) = self.make_more(test) {
                return found;
            }
            if let (Some(_), false, Some(place)) = (digest, test.cut, self.failed.get_mut(self.next_failed)) {
                *place = digest;
                self.next_failed = (self.next_failed + 1) % self.failed.len();
            }
        }
        match firm.saturating_sub(if test.cut { untried } else { 0 }) {
            0 => Status::Untested,
            tried => Status::Mismatch { tried },
        }
    }

    /// Goes on where `ready` ends, keeping the keys as long as there is room.
    fn make_more(&mut self, test: &mut Test<'_>) -> Option<Status> {
        let mut keys = Vec::new();
        let mut step = self.made;
        let mut kept = self.ready.len() < test.limit;
        while let Some(Step { round, credential, is_word }) = self.step(test.store, step) {
            if is_word || self.selection.given.len() > test.limit {
                let Some(left) = test.tries.checked_sub(1) else {
                    (test.cut, kept) = (true, false);
                    step = self.end_of(round);
                    continue;
                };
                test.tries = left;
            }
            test.store.keys(credential, test.identity, self.head.wanted, round, &mut keys);
            let mut found = None;
            for (derivation, key) in keys.drain(..) {
                let Some(hasher) = Hasher::new(self.head.wanted.algorithm, &key) else { continue };
                let ready = Ready { credential, derivation, hasher };
                let fits = if found.is_none() { ready.verify(test) } else { None };
                if fits.is_some() {
                    found = fits;
                    if !kept {
                        self.keep(ready, test.limit);
                        return found;
                    }
                    self.last = self.ready.len();
                }
                if kept {
                    self.ready.push(ready);
                }
            }
            step += 1;
            if kept {
                self.made = step;
                kept = self.ready.len() < test.limit;
            }
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Keeps a key that fitted, though there is no room for those before it.
    fn keep(&mut self, ready: Ready, limit: usize) {
        const WINNERS: usize = 16;
        self.ready.truncate(limit + WINNERS);
        self.last = self.ready.len();
        self.ready.push(ready);
    }

    /// How many steps a round has.
    fn steps(&self) -> u64 {
        u64::try_from(self.selection.given.len()).unwrap_or(u64::MAX).saturating_add(u64::from(self.selection.words))
    }

    fn end_of(&self, round: Round) -> u64 {
        match round {
            Round::Usual => self.steps(),
            Round::Unusual => self.steps().saturating_mul(2),
        }
    }

    /// The rounds and credentials in order: in each round first those given, then the words.
    fn step(&self, store: &Store, step: u64) -> Option<Step> {
        let all = self.steps();
        let (round, index) = match step.checked_sub(all) {
            None => (Round::Usual, step),
            Some(index) if index < all => (Round::Unusual, index),
            Some(_) => return None,
        };
        let given = &self.selection.given;
        Some(match index.checked_sub(u64::try_from(given.len()).ok()?) {
            None => Step { round, credential: *given.get(usize::try_from(index).ok()?)?, is_word: false },
            Some(word) => Step { round, credential: store.number_of_word(u32::try_from(word).ok()?), is_word: true },
        })
    }
}

/// What a slot is to test, and how much it may spend.
struct Test<'t> {
    store: &'t Store,
    message: &'t Message<'t>,
    protection: &'t Protection,
    identity: &'t Identity<'t>,
    limit: usize,
    /// How often what there are many of may still be tried or looked at.
    tries: u64,
    /// There were not enough tries.
    cut: bool,
}

struct Step {
    round: Round,
    credential: u32,
    is_word: bool,
}

impl Ready {
    fn verify(&self, test: &Test<'_>) -> Option<Status> {
        let rule = self.hasher.verify(test.message, test.protection)?;
        Some(Status::Verified { credential: self.credential, rule, derivation: self.derivation })
    }
}
