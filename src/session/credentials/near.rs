//! The search for a near miss: a message that no credential signed, tried with what may have become of each on its way.
//!
//! It runs over few messages, kept for it on purpose, and each key that is tried is counted against a budget.

use super::check::{Identity, wanted};
use super::derive::{self, KeyHash};
use super::forms;
use super::prepare;
use super::rest;
use super::slip::Slip;
use super::store::{Store, Wanted};
use super::{Credential, Kind};
use crate::wire::stun::Message;
use crate::wire::stun::integrity::{Hasher, Protection, protections};
use std::borrow::Cow;

/// How many keys may be tried on one message.
const TRIES: u64 = 50_000;

/// How many credentials that are meant for other users are tried on one message.
const MOST: usize = 4096;
/// Where there are more of those, each is tried as it is and in no other form.
const FEW: usize = 16;

/// A credential that nearly fits a message.
#[derive(Debug)]
pub struct NearMiss {
    /// Its number.
    pub credential: u32,
    /// What has to be done to it so that it fits.
    pub slip: Slip,
    /// The key that fits, for further messages of the same identity.
    pub(in crate::session) key: Hasher,
}

/// Tries every credential on a message, in every form that it may have taken; `budget` is lessened by the keys that were tried.
pub(super) fn search(
    store: &Store,
    message: &Message<'_>,
    identity: &Identity<'_>,
    budget: &mut u64,
) -> Option<NearMiss> {
    let protection = protections(message).filter(|known| !known.truncated && known.is_proper()).last()?;
    if identity.access_token || protection.length < 16 {
        return None;
    }
    let wanted = wanted(message, &protection);
    let allowed = (*budget).min(TRIES);
    let mut search = Search { message, protection, wanted, left: allowed, found: None };
    // those that are meant for this user first, then everybody's
    let mut order = Vec::new();
    store.applying(identity, |number| order.push(number));
    order.sort_unstable();
    let meant = order.len();
    let others: Vec<u32> = (0..store.len()).filter(|number| order.binary_search(number).is_err()).take(MOST).collect();
    order.extend(others);
    let many = order.len() - meant > FEW;
    for (place, &credential) in order.iter().enumerate() {
        let other = place >= meant;
        if let Some((given, secret)) = store.secret(credential) {
            search.credential(credential, given, secret, identity, other);
            if !(other && many) {
                search.forms(credential, given, secret, identity);
            }
        }
        if search.found.is_some() || search.left == 0 {
            break;
        }
    }
    *budget -= allowed - search.left;
    search.found
}

struct Search<'s> {
    message: &'s Message<'s>,
    protection: Protection,
    wanted: Wanted,
    left: u64,
    found: Option<NearMiss>,
}

/// User name and realm that a key is made from, and what it takes to get there.
struct Names<'n> {
    slip: Option<Slip>,
    user: Cow<'n, [u8]>,
    realm: Cow<'n, [u8]>,
}

impl Search<'_> {
    /// A credential as it is, with the names of the message though they are not its own.
    fn credential(
        &mut self,
        credential: u32,
        given: Option<&Credential>,
        secret: &[u8],
        identity: &Identity<'_>,
        other: bool,
    ) {
        let kind = given.map_or(&Kind::Password, |given| &given.kind);
        if matches!(kind, Kind::Ice { .. }) {
            if other && identity.realm.is_none() {
                self.key(credential, Slip::OtherAgent, secret);
            }
            return;
        }
        let names = names(given, identity);
        let Some((first, slip)) = names.first().and_then(|first| Some((first, first.slip?))) else { return };
        match kind {
            Kind::SharedSecret => {
                if let Some(made) = rest::password(secret, &first.user, KeyHash::Sha1) {
                    self.long_term(credential, slip, first, &made);
                }
            }
            // the names are in the key already: as it is, it fits another user or realm
            Kind::Key => self.key(credential, slip, secret),
            _ => self.long_term(credential, slip, first, secret),
        }
    }

    /// A credential in all the forms that it may have taken.
    fn forms(&mut self, credential: u32, given: Option<&Credential>, secret: &[u8], identity: &Identity<'_>) {
        let kind = given.map_or(&Kind::Password, |given| &given.kind);
        let names = names(given, identity);
        match kind {
            Kind::Ice { .. } if identity.realm.is_none() => self.short_term(credential, secret),
            Kind::Ice { .. } => {}
            Kind::Password => {
                if identity.realm.is_none() {
                    self.short_term(credential, secret);
                }
                self.password(credential, secret, &names);
            }
            Kind::SharedSecret => self.shared_secret(credential, secret, &names),
            Kind::Key => self.raw_key(credential, secret, &names),
        }
    }

    /// A password in all its forms, with the names as they are; and as it is with the names in all of theirs.
    fn password(&mut self, credential: u32, password: &[u8], names: &[Names<'_>]) {
        for names in names.iter().skip(1) {
            if let Some(slip) = names.slip {
                self.long_term(credential, slip, names, password);
            }
        }
        let Some(first) = names.first() else { return };
        forms::all(password, |slip, form| {
            self.long_term(credential, slip, first, form);
            self.is_over()
        });
        self.key(credential, Slip::AsKey, password);
        if let Some(key) = std::str::from_utf8(password).ok().and_then(super::hex_key) {
            self.key(credential, Slip::IsKey, key.expose());
        }
        let (user, realm) = (first.user.as_ref(), first.realm.as_ref());
        self.long_term(credential, Slip::UserAsPassword, first, user);
        self.long_term(credential, Slip::RealmAsPassword, first, realm);
        for hash in [KeyHash::Md5, KeyHash::Sha256] {
            let key = derive::long_term(hash, user, realm, password);
            let digits = forms::hex(&key, b"0123456789abcdef");
            self.long_term(credential, Slip::KeyAsPassword, first, &digits);
            self.key(credential, Slip::KeyInHex, &digits);
        }
        if let Some(made) = rest::password(password, user, KeyHash::Sha1) {
            self.long_term(credential, Slip::SharedSecret, first, &made);
        }
    }

    fn short_term(&mut self, credential: u32, password: &[u8]) {
        forms::all(password, |slip, form| {
            self.key(credential, slip, form);
            self.is_over()
        });
    }

    fn shared_secret(&mut self, credential: u32, secret: &[u8], names: &[Names<'_>]) {
        let Some(first) = names.first() else { return };
        for names in names.iter().skip(1) {
            if let (Some(slip), Some(made)) = (names.slip, rest::password(secret, &names.user, KeyHash::Sha1)) {
                self.long_term(credential, slip, names, &made);
            }
        }
        let user = first.user.as_ref();
        forms::all(secret, |slip, form| {
            if let Some(made) = rest::password(form, user, KeyHash::Sha1) {
                self.long_term(credential, slip, first, &made);
            }
            self.is_over()
        });
        self.long_term(credential, Slip::NotShared, first, secret);
        self.key(credential, Slip::AsKey, secret);
        for hash in [KeyHash::Sha256, KeyHash::Sha384, KeyHash::Sha512] {
            if let Some(made) = rest::password(secret, user, hash) {
                self.long_term(credential, Slip::RestSha2, first, &made);
            }
        }
        if let Some(made) = rest::password(secret, user, KeyHash::Sha1) {
            forms::all(&made, |slip, form| {
                match slip {
                    Slip::Base64Decoded => {
                        for digits in [b"0123456789abcdef", b"0123456789ABCDEF"] {
                            self.long_term(credential, Slip::RestHex, first, &forms::hex(form, digits));
                        }
                        for encoded in [forms::encoded(form, true), forms::encoded(form, false)] {
                            let bare = encoded.strip_suffix(b"=").unwrap_or(&encoded);
                            self.long_term(credential, Slip::RestBase64Url, first, &encoded);
                            self.long_term(credential, Slip::RestBase64Url, first, bare);
                        }
                    }
                    Slip::TrailingNewline | Slip::TrailingBlank | Slip::Quoted => {
                        self.long_term(credential, slip, first, form);
                    }
                    _ => {}
                }
                self.is_over()
            });
        }
        if let Some(at) = user.iter().position(|byte| byte.is_ascii_punctuation()) {
            let parts = [(Slip::RestOfExpiry, user.get(..at)), (Slip::RestOfUser, user.get(at + 1..))];
            for (slip, part) in parts {
                if let Some(made) = rest::password(secret, part.unwrap_or_default(), KeyHash::Sha1) {
                    self.long_term(credential, slip, first, &made);
                }
            }
        }
    }

    fn raw_key(&mut self, credential: u32, key: &[u8], names: &[Names<'_>]) {
        for digits in [b"0123456789abcdef", b"0123456789ABCDEF"] {
            let text = forms::hex(key, digits);
            self.key(credential, Slip::KeyInHex, &text);
            if let Some(first) = names.first() {
                self.long_term(credential, Slip::KeyAsPassword, first, &text);
            }
        }
    }

    fn is_over(&self) -> bool {
        self.found.is_some() || self.left == 0
    }

    /// A long-term key, by the hash that is due and by the other.
    fn long_term(&mut self, credential: u32, slip: Slip, names: &Names<'_>, password: &[u8]) {
        let other = if self.wanted.hash == KeyHash::Md5 { KeyHash::Sha256 } else { KeyHash::Md5 };
        for hash in [self.wanted.hash, other] {
            self.key(credential, slip, &derive::long_term(hash, &names.user, &names.realm, password));
        }
    }

    fn key(&mut self, credential: u32, slip: Slip, key: &[u8]) {
        if self.is_over() {
            return;
        }
        self.left -= 1;
        let Some(key) = Hasher::new(self.protection.algorithm, key) else { return };
        if key.verify(self.message, &self.protection).is_some() {
            self.found = Some(NearMiss { credential, slip, key });
        }
    }
}

/// The user names and realms that a key may be made from: those of the message first. Its slip says, where the credential is for other ones, how
/// they differ; a message without a name takes the credential's.
fn names<'n>(given: Option<&'n Credential>, identity: &Identity<'n>) -> Vec<Names<'n>> {
    let ours = |text: Option<&'n String>| text.map(|text| prepare::trim(text.as_bytes()));
    let (our_user, our_realm) =
        (ours(given.and_then(|one| one.username.as_ref())), ours(given.and_then(|one| one.realm.as_ref())));
    let Some(user) = identity.username.map(prepare::trim).or(our_user) else { return Vec::new() };
    let realm = identity.realm.map(prepare::trim).or(our_realm).unwrap_or_default();
    let differs = |ours: Option<&[u8]>, theirs: &[u8]| ours.is_some_and(|ours| !prepare::same_name(ours, theirs));
    let (other_user, other_realm) = (differs(our_user, user), differs(our_realm, realm));
    let relation = match (our_user.filter(|_| other_user), our_realm.filter(|_| other_realm)) {
        (Some(one), Some(two)) if one == realm && two == user => Some(Slip::Swapped),
        (Some(ours), _) => Some(of_user(ours, user)),
        (None, Some(ours)) => Some(of_realm(ours, realm)),
        (None, None) if identity.realm.is_none() => Some(Slip::AsLongTermKey),
        (None, None) => None,
    };
    let mut all = vec![Names { slip: relation, user: Cow::Borrowed(user), realm: Cow::Borrowed(realm) }];
    let mut add = |slip: Slip, user: Cow<'n, [u8]>, realm: Cow<'n, [u8]>| {
        if !all.iter().any(|known| (&known.user, &known.realm) == (&user, &realm)) {
            all.push(Names { slip: Some(slip), user, realm });
        }
    };
    let (u, r) = (|| Cow::Borrowed(user), || Cow::Borrowed(realm));
    add(Slip::Swapped, r(), u());
    add(Slip::EmptyRealm, u(), Cow::Borrowed(&[]));
    if let Some(ours) = our_realm {
        add(Slip::RealmOfCredential, u(), Cow::Borrowed(ours));
    }
    if let Some(ours) = our_user {
        add(Slip::UserOfCredential, Cow::Borrowed(ours), r());
    }
    if let (Some(user), Some(realm)) = (our_user, our_realm) {
        add(Slip::UserOfCredential, Cow::Borrowed(user), Cow::Borrowed(realm));
        add(Slip::Swapped, Cow::Borrowed(realm), Cow::Borrowed(user));
    }
    let kinds = [
        (
            Slip::UserCase,
            Slip::RealmCase,
            [user.to_ascii_lowercase(), user.to_ascii_uppercase()],
            [realm.to_ascii_lowercase(), realm.to_ascii_uppercase()],
        ),
        (Slip::UserEncoded, Slip::RealmEncoded, coded(user), coded(realm)),
    ];
    for (of_user, of_realm, users, realms) in kinds {
        users.into_iter().for_each(|user| add(of_user, Cow::Owned(user), r()));
        realms.into_iter().for_each(|realm| add(of_realm, u(), Cow::Owned(realm)));
    }
    let around: [(&[u8], &[u8]); 6] =
        [(b"", b"\n"), (b"", b"\r\n"), (b"", b"\r"), (b"", b" "), (b" ", b""), (b"", b"\0")];
    for (before, after) in around {
        add(Slip::UserBlanks, Cow::Owned([before, user, after].concat()), r());
        add(Slip::RealmBlanks, u(), Cow::Owned([before, realm, after].concat()));
    }
    add(Slip::UserBlanks, Cow::Borrowed(user.trim_ascii()), r());
    add(Slip::RealmBlanks, u(), Cow::Borrowed(realm.trim_ascii()));
    for mark in [b"\"".as_slice(), b"'"] {
        add(Slip::UserQuoted, Cow::Owned([mark, user, mark].concat()), r());
        add(Slip::RealmQuoted, u(), Cow::Owned([mark, realm, mark].concat()));
    }
    add(Slip::UserWithRealm, Cow::Owned([user, b"@", realm].concat()), r());
    if let Some(at) = user.iter().rposition(|&byte| byte == b'@') {
        add(Slip::UserWithoutRealm, Cow::Borrowed(user.get(..at).unwrap_or_default()), r());
    }
    if let Some(at) = user.iter().position(|&byte| matches!(byte, b'\\' | b'/')) {
        add(Slip::UserWithoutRealm, Cow::Borrowed(user.get(at + 1..).unwrap_or_default()), r());
    }
    if let (Some(_), Some(at)) = (rest::rest_expiry(user), user.iter().position(|byte| byte.is_ascii_punctuation())) {
        add(Slip::UserWithoutExpiry, Cow::Borrowed(user.get(at + 1..).unwrap_or_default()), r());
    }
    all
}

/// How the names of a credential come to be those of a message, where a mishap explains it.
pub(super) fn names_slip(given: &Credential, identity: &Identity<'_>) -> Option<Slip> {
    let ours = |text: &Option<String>| text.clone().unwrap_or_default().into_bytes();
    let (our_user, our_realm) = (ours(&given.username), ours(&given.realm));
    let (user, realm) = (identity.username?, identity.realm.unwrap_or_default());
    if our_user.is_empty() {
        return None;
    }
    // without a realm of its own a credential is for any
    let same_realm = our_realm.is_empty() || our_realm == realm;
    let slip = match () {
        () if our_user == user && !our_realm.is_empty() && our_realm != realm => of_realm(&our_realm, realm),
        () if our_user == user => return None,
        () if our_user == realm && (our_realm.is_empty() || our_realm == user) => Slip::Swapped,
        () if same_realm => of_user(&our_user, user),
        () => return None,
    };
    (!matches!(slip, Slip::UserDiffers | Slip::RealmDiffers)).then_some(slip)
}

fn coded(name: &[u8]) -> [Vec<u8>; 2] {
    [forms::percent_decoded(name, true).to_vec(), forms::percent_encoded_plainly(name).to_vec()]
}

/// How the user name of a credential differs from a message's.
fn of_user(ours: &[u8], theirs: &[u8]) -> Slip {
    let bare = |name: &[u8]| name.split(|&byte| byte == b'@').next().unwrap_or_default().to_vec();
    match () {
        () if ours.eq_ignore_ascii_case(theirs) => Slip::UserCase,
        () if ours.trim_ascii() == theirs.trim_ascii() => Slip::UserBlanks,
        () if is_coded(ours, theirs) => Slip::UserEncoded,
        () if is_quoted(ours, theirs) => Slip::UserQuoted,
        () if bare(ours) == theirs => Slip::UserWithoutRealm,
        () if ours == bare(theirs) => Slip::UserWithRealm,
        () => Slip::UserDiffers,
    }
}

/// Whether the one is the other URL-encoded.
fn is_coded(ours: &[u8], theirs: &[u8]) -> bool {
    coded(ours).iter().any(|form| form == theirs) || coded(theirs).iter().any(|form| form == ours)
}

/// Whether the one is the other in quotation marks.
fn is_quoted(ours: &[u8], theirs: &[u8]) -> bool {
    let within = |whole: &[u8], inner: &[u8]| match whole {
        [b'"', rest @ .., b'"'] | [b'\'', rest @ .., b'\''] => rest == inner,
        _ => false,
    };
    within(ours, theirs) || within(theirs, ours)
}

/// How the realm of a server comes to be that of a request, where a mishap explains it.
pub(super) fn realm_slip(server: &[u8], asked: &[u8]) -> Option<Slip> {
    let slip = of_realm(server, asked);
    (slip != Slip::RealmDiffers && server != asked).then_some(slip)
}

/// The same of realms.
fn of_realm(ours: &[u8], theirs: &[u8]) -> Slip {
    match () {
        () if theirs.is_empty() => Slip::EmptyRealm,
        () if ours.eq_ignore_ascii_case(theirs) => Slip::RealmCase,
        () if ours.trim_ascii() == theirs.trim_ascii() => Slip::RealmBlanks,
        () if is_coded(ours, theirs) => Slip::RealmEncoded,
        () if is_quoted(ours, theirs) => Slip::RealmQuoted,
        () => Slip::RealmDiffers,
    }
}
