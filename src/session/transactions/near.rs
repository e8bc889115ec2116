//! Signed messages that no given credential fits, kept on purpose: each is searched for a near miss, one for every user, realm and flow.

use super::signatures::mismatched;
use crate::bounded::BoundedList;
use crate::session::Ends;
use crate::session::conversations::exchange::Verdicts;
use crate::session::credentials::{CredentialKind, Credentials, Identity, NearMiss, Slip, Status};
use crate::session::tables::names::{Name, Names};
use crate::wire::stun::integrity::{Hasher, protections};
use crate::wire::stun::{Message, TransactionId};
use hashbrown::{DefaultHashBuilder, HashSet};
use std::collections::VecDeque;
use std::hash::BuildHasher;

/// How many identities on flows are searched.
const MAX_SEARCHED: usize = 4096;
/// How many near misses are remembered.
const MAX_FOUND: usize = 256;
/// How many requests wait for a refusal before they are searched: those to which no credential applies by its names.
const MAX_WAITING: usize = 64;
/// A request of more bytes than this does not wait.
const LONGEST: usize = 2048;
/// How many keys are tried over the whole capture; a few microseconds each.
const BUDGET: u64 = 200_000;
/// How many frames of a near miss are kept.
const MAX_FRAMES: usize = 4;

/// A credential that nearly signed what some user sent to some server.
#[derive(Debug)]
pub struct Near {
    /// The number of the credential.
    pub credential: u32,
    /// What has to be done to it so that it fits.
    pub slip: Slip,
    /// USERNAME, or USERHASH.
    pub user: Option<Name>,
    /// REALM.
    pub realm: Option<Name>,
    /// Whether the messages are requests; else they are responses.
    pub requests: bool,
    /// Whether no credential applies to the messages by its names.
    pub untested: bool,
    /// How many messages it fits.
    pub messages: u64,
    /// Their frames; the first ones.
    pub frames: Vec<u64>,
    key: Hasher,
}

impl Near {
    /// What has to be done to the credential so that it fits, to follow "when".
    #[must_use]
    pub fn when(&self, credentials: &Credentials) -> String {
        let clause = self.slip.clause();
        match credentials.describe(self.credential).map(|known| known.kind) {
            Some(CredentialKind::SharedSecret) => clause.replacen("the password", "the shared secret", 1),
            Some(CredentialKind::Key) => clause.replacen("the password", "the key", 1),
            _ => clause.to_owned(),
        }
    }
}

/// All of them, and what is still to be searched.
#[derive(Debug)]
pub struct NearMisses {
    hash: DefaultHashBuilder,
    found: Vec<Near>,
    searched: HashSet<u64>,
    waiting: VecDeque<(TransactionId, u64, Box<[u8]>)>,
    budget: u64,
}

impl Default for NearMisses {
    fn default() -> Self {
        NearMisses {
            hash: DefaultHashBuilder::default(),
            found: Vec::new(),
            searched: HashSet::new(),
            waiting: VecDeque::new(),
            budget: BUDGET,
        }
    }
}

impl NearMisses {
    /// All near misses, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Near> {
        self.found.iter()
    }

    /// The near miss of what a user sent, or was sent.
    #[must_use]
    pub fn of(&self, user: Option<Name>, realm: Option<Name>, requests: bool) -> Option<&Near> {
        self.found.iter().find(|near| near.requests == requests && near.user == user && near.realm == realm)
    }

    /// The near miss of checks between two agents, by the user name that they carry.
    #[must_use]
    pub fn of_checks(&self, names: &Names, username: &str) -> Option<&Near> {
        let same = |near: &&Near| near.user.is_some_and(|user| names.bytes(user) == username.as_bytes());
        self.found.iter().filter(|near| near.requests && near.realm.is_none()).find(same)
    }

    /// A message that was just tested, of a user whose names are known: where no credential fits it is searched, or, where none applies to
    /// it by its names, kept until it is refused.
    pub(super) fn look(
        &mut self,
        credentials: &Credentials,
        message: &Message<'_>,
        identity: &Identity<'_>,
        names: [Option<Name>; 3],
        verdicts: &Verdicts,
        (frame, ends): (u64, Ends),
    ) {
        let untested = || verdicts.iter().flatten().all(|verdict| verdict.status == Status::Untested);
        if mismatched(verdicts) {
            self.search(credentials, message, identity, names, (frame, ends), false);
        } else if !message.class().is_response() && message.bytes().len() <= LONGEST && untested() {
            if self.waiting.len() >= MAX_WAITING {
                self.waiting.pop_front();
            }
            self.waiting.push_back((message.transaction_id(), frame, message.bytes().into()));
        }
    }

    /// A request was refused: if it waits and its credentials may be why, it is searched.
    pub(super) fn refused(
        &mut self,
        credentials: &Credentials,
        id: TransactionId,
        code: u16,
        names: [Option<Name>; 3],
        ends: Ends,
    ) {
        let Some(place) = self.waiting.iter().position(|(known, ..)| *known == id) else { return };
        let Some((_, frame, bytes)) = self.waiting.remove(place) else { return };
        if !matches!(code, 400 | 401 | 430 | 431 | 436 | 437 | 439 | 441) {
            return;
        }
        let Some(message) = Message::recognise(&bytes, false) else { return };
        let identity = Identity::of(&message.fields());
        self.search(credentials, &message, &identity, names, (frame, ends), true);
    }

    fn search(
        &mut self,
        credentials: &Credentials,
        message: &Message<'_>,
        identity: &Identity<'_>,
        [user, realm, userhash]: [Option<Name>; 3],
        (frame, ends): (u64, Ends),
        untested: bool,
    ) {
        let (user, requests) = (user.or(userhash), !message.class().is_response());
        let same = |known: &&mut Near| (known.user, known.realm, known.requests) == (user, realm, requests);
        for known in self.found.iter_mut().filter(same) {
            if protections(message).any(|protection| known.key.verify(message, &protection).is_some()) {
                known.messages += 1;
                known.frames.push_up_to(MAX_FRAMES, frame);
                return;
            }
        }
        let digest = self.hash.hash_one((user, realm, requests, ends));
        if self.searched.len() >= MAX_SEARCHED || self.found.len() >= MAX_FOUND || !self.searched.insert(digest) {
            return;
        }
        if let Some(NearMiss { credential, slip, key }) = credentials.near_miss(message, identity, &mut self.budget) {
            let frames = vec![frame];
            self.found.push(Near { credential, slip, user, realm, requests, untested, messages: 1, frames, key });
        }
    }
}
