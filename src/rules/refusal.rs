//! What a refusal is about, decided once for all rules: one refusal is told by one failure finding.
//!
//! The codes mean different things in different mouths. coturn answers a wrong realm with 437 or 441 and cannot be made to tell an unknown
//! user from a wrong password; pion and what is built on it answers a wrong password with a bare 400; servers of the RFC 3489 and
//! early TURN draft family have a code of their own for each (430 to 436, 439).

use super::authentication::expiry::expired_at;
use super::evidence::frames_of;
use super::{Dialect, View};
use crate::session::{Allocation, Answer, Asked, Conversation, Exchange, Name, Seen};
use crate::time::{Span, Timestamp};
use crate::wire::stun::{Class, Method};

/// How long after a challenge or a 438 a client may take before its silence means anything: retransmission timers of clients whose
/// answer was lost have run several times by then (RFC 8489 §6.2.1).
pub(super) const PATIENCE: Span = Span::from_secs(5);

/// What a refusal is about. All but [`Refusal::None`] and [`Refusal::Other`] belong to the rules about authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Not refused: granted, or not answered.
    None,
    /// The ordinary first leg: a request without credentials got realm and nonce.
    Challenge,
    /// The password or the user: `turn-integrity-rejected`.
    Integrity,
    /// The server says that it does not know the user: `turn-unknown-user`.
    UnknownUser,
    /// A time-limited credential after its end, where that is known: `turn-credential-expired`.
    Expired(Option<Timestamp>),
    /// Signed for another realm than the server's: `turn-realm-mismatch`.
    Realm,
    /// 438, or a new challenge to a request with a nonce that was never given here: `turn-stale-nonce`, `turn-stale-nonce-loop`.
    StaleNonce,
    /// Another user than the one that made the allocation: `turn-user-changed`.
    UserChanged,
    /// The request lacks something: `turn-missing-attribute`.
    Missing(Missing),
    /// 420: `turn-unknown-attribute`.
    UnknownAttribute,
    /// Nothing of all that: for the rules about allocations.
    Other,
}

/// The requests of one conversation that were refused for one reason.
#[derive(Debug)]
pub(super) struct Refusals<'c, R> {
    /// Why they were.
    pub reason: R,
    pub conversation: &'c Conversation,
    /// All of them, in order; never empty.
    pub exchanges: Vec<&'c Exchange>,
    pub first: &'c Exchange,
    pub last: &'c Exchange,
    /// What the last was answered.
    pub answer: &'c Answer,
}

impl<'c, R: Copy> Refusals<'c, R> {
    /// The refusals of a conversation by their reasons, in the order in which each came first; `alike` says whether one more, for this reason, goes with
    /// others.
    pub(super) fn of(
        conversation: &'c Conversation,
        reason: impl Fn(&Exchange) -> Option<R>,
        alike: impl Fn(&Self, R, &Exchange, &Answer) -> bool,
    ) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for exchange in &conversation.exchanges {
            let Some(answer) = &exchange.answer else { continue };
            let Some(reason) = reason(exchange) else { continue };
            match groups.iter_mut().find(|known| alike(known, reason, exchange, answer)) {
                Some(known) => {
                    known.exchanges.push(exchange);
                    (known.last, known.answer) = (exchange, answer);
                }
                None => {
                    let (first, last, exchanges) = (exchange, exchange, vec![exchange]);
                    groups.push(Refusals { reason, conversation, exchanges, first, last, answer });
                }
            }
        }
        groups
    }
}

impl<R> Refusals<'_, R> {
    /// The user that the last of them names.
    pub(super) fn user(&self) -> Option<Name> {
        self.last.asked.user_or_hash()
    }

    /// The frames of requests and answers.
    pub(super) fn frames(&self) -> Vec<u64> {
        frames_of(self.exchanges.iter().copied())
    }
}

/// What a request lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // the attributes' names
pub(super) enum Missing {
    RequestedTransport,
    Username,
    Realm,
    Nonce,
    PeerAddress,
    ChannelNumber,
}

impl Missing {
    /// The attribute's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Missing::RequestedTransport => "REQUESTED-TRANSPORT",
            Missing::Username => "USERNAME",
            Missing::Realm => "REALM",
            Missing::Nonce => "NONCE",
            Missing::PeerAddress => "XOR-PEER-ADDRESS",
            Missing::ChannelNumber => "CHANNEL-NUMBER",
        }
    }
}

/// coturn's words for another realm than its own, to an Allocate and to anything else.
const OTHER_REALM: [&str; 2] = [
    "Allocation mismatch: wrong credentials: the realm value is incorrect",
    "Wrong credentials: the realm value is incorrect",
];

/// Whether the capture cut a phrase off before it told what 437 or 441 is for: coturn's words for another realm, another user and an allocation
/// that is in the way may begin alike.
pub(super) fn is_open(answer: &Answer, view: &View<'_>) -> bool {
    let phrase = answer.reason.map(|name| view.session.names().bytes(name)).unwrap_or_default();
    let begins =
        |whole: &str| whole.as_bytes().get(..phrase.len()).is_some_and(|part| part.eq_ignore_ascii_case(phrase));
    matches!(answer.code, 437 | 441) && answer.reason_truncated && OTHER_REALM.iter().any(|whole| begins(whole))
}

/// Whether a rule about authentication tells this refusal, so that no other rule has to.
///
/// A lone 438, or a challenge that answers a nonce of the client's own, is told by none of them if the client never used the nonce
/// that it was given with it, though there was time.
pub(super) fn told(exchange: &Exchange, conversation: &Conversation, view: &View<'_>) -> bool {
    match classify(exchange, conversation, view) {
        Refusal::None | Refusal::Other => false,
        Refusal::StaleNonce => {
            let Some(answer) = &exchange.answer else { return true };
            let goes_on = |known: &Exchange| known.first > answer.seen && known.asked.nonce != exchange.asked.nonce;
            // one of several refusals of the same user, told as that of its password
            let alike = |known: &Exchange| {
                known.answer.as_ref().is_some_and(|other| other.is_error(401))
                    && users_differ(&known.asked, &exchange.asked) == Some(false)
                    && has_signed(&known.asked)
                    && !contradicted(known, conversation)
            };
            view.now().since(answer.seen.time) < PATIENCE
                || conversation.stale.as_ref().is_some_and(|row| row.count >= super::authentication::nonce::MANY)
                || conversation.granted.iter().any(|(_, last)| last > answer.seen.time)
                || conversation.exchanges.iter().any(goes_on)
                || (answer.code == 401 && conversation.exchanges.iter().any(alike))
                || answer.nonce.is_some_and(|nonce| view.session.is_echoed_after(conversation, nonce, answer.seen.time))
        }
        _ => true,
    }
}

/// What the refusal of an exchange is about.
pub(super) fn classify(exchange: &Exchange, conversation: &Conversation, view: &View<'_>) -> Refusal {
    let Some(answer) = exchange.answer.as_ref().filter(|answer| answer.class == Class::Error) else {
        return Refusal::None;
    };
    let asked = &exchange.asked;
    let says = |words: &[&str]| {
        let phrase = answer.reason.map(|name| view.session.names().bytes(name)).unwrap_or_default();
        words.iter().any(|word| phrase.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes())))
    };
    match answer.code {
        420 => return Refusal::UnknownAttribute,
        // drafts of RFC 5389 challenged with these two; to a request that has credentials they say what it lacks
        401 | 434 | 435 | 438 if !has_signed(asked) && answer.is_challenge() => return Refusal::Challenge,
        438 => return Refusal::StaleNonce,
        432 => return Refusal::Missing(Missing::Username),
        434 => return Refusal::Missing(Missing::Realm),
        435 => return Refusal::Missing(Missing::Nonce),
        400 => {
            if let Some(missing) = lacks(exchange) {
                return Refusal::Missing(missing);
            }
        }
        300 | 440 | 442 | 443 | 446 | 447 | 486 | 487 | 500 | 508 => return Refusal::Other,
        _ => {}
    }
    // coturn finds fault with credentials only where there are some: they stand behind the cut then
    let named = asked.truncated && says(&["wrong credentials"]);
    if !has_signed(asked) && !named {
        return Refusal::Other;
    }
    let realm = says(&["realm"]) || (answer.reason_truncated && says(&["wrong credentials:"]));
    let denied = matches!(answer.code, 400 | 401 | 430 | 431 | 436 | 437 | 439 | 441);
    if (denied && realm_differs(exchange, answer, conversation, view)) || (answer.code != 400 && realm) {
        return Refusal::Realm;
    }
    if matches!(answer.code, 437 | 439 | 441)
        && (exchange.method == Method::ALLOCATE || answer.code != 437)
        && let Some(changed) = user_changed(exchange, answer, conversation, view).or_else(|| {
            (says(&["wrong credentials"]) && asked_before_as(exchange, conversation).is_some()).then_some(true)
        })
    {
        match (changed, answer.code) {
            (true, _) => return Refusal::UserChanged,
            (false, 439) => {}
            (false, _) => return Refusal::Other,
        }
    }
    let unauthenticated = matches!(answer.code, 401 | 430 | 431 | 436 | 439) || is_bare(exchange, conversation, view);
    if !unauthenticated {
        return Refusal::Other;
    }
    if let Some(end) = expired_at(exchange, view) {
        return Refusal::Expired(Some(end));
    }
    if answer.code == 430 || (answer.code == 401 && says(&["expired"]) && !says(&["nonce"])) {
        return Refusal::Expired(None);
    }
    if answer.code == 436
        || says(&["unknown user", "no such user", "user not found", "user unknown", "unknown username"])
    {
        return Refusal::UnknownUser;
    }
    if contradicted(exchange, conversation) || ran_out(exchange, conversation) {
        return Refusal::StaleNonce;
    }
    // who has an allocation by these credentials is refused for something else, where the server asks for none anew
    if answer.code == 401
        && matches!(exchange.method, Method::CREATE_PERMISSION | Method::CHANNEL_BIND | Method::CONNECT)
        && !answer.truncated
        && answer.realm.is_none()
        && answer.nonce.is_none()
        && granted_before(exchange, conversation)
    {
        return Refusal::Other;
    }
    let complete = (asked.user.is_some() || asked.userhash.is_some()) && asked.nonce.is_some();
    if complete || matches!(answer.code, 431 | 439) { Refusal::Integrity } else { Refusal::Other }
}

/// Whether a request carries credentials: it is signed, or the capture cuts it off where the signature would stand.
pub(super) fn has_signed(asked: &Asked) -> bool {
    asked.is_signed() || (asked.truncated && asked.user_or_hash().is_some() && asked.nonce.is_some())
}

/// The challenge that the client had last when it sent a request.
pub(super) fn challenge_before<'c>(exchange: &Exchange, conversation: &'c Conversation) -> Option<&'c Answer> {
    challenges_before(exchange.first, conversation).max_by_key(|answer| answer.seen)
}

fn challenges_before(first: Seen, conversation: &Conversation) -> impl Iterator<Item = &Answer> {
    let answers = conversation.exchanges.iter().filter_map(|known| known.answer.as_ref());
    answers.filter(move |answer| answer.is_challenge() && answer.seen < first)
}

/// The realm that the server had told before it refused a request, or tells as it does so, where the request carries another one.
pub(super) fn servers_realm(exchange: &Exchange, conversation: &Conversation) -> Option<Name> {
    let own = exchange.answer.as_ref().and_then(|answer| answer.realm);
    challenge_before(exchange, conversation).and_then(|challenge| challenge.realm).or(own)
}

fn realm_differs(exchange: &Exchange, answer: &Answer, conversation: &Conversation, view: &View<'_>) -> bool {
    let Some(asked) = exchange.asked.realm else { return false };
    let other = |realm: Option<Name>| realm.is_some_and(|realm| !same_text(realm, asked, view));
    let before = challenge_before(exchange, conversation).and_then(|challenge| challenge.realm);
    // some servers let the client choose: what was good once is no mistake later
    let accepted = |known: &Exchange| {
        known.succeeded() && known.asked.realm == Some(asked) && known.asked.is_signed() && known.first < exchange.first
    };
    // the refusal may come from another server behind the same address than the challenge
    (answer.is_challenge() && other(answer.realm)) || (other(before) && !conversation.exchanges.iter().any(accepted))
}

/// Whether two names are the same but for what surrounds them: some clients put the quotation marks of the grammar on the wire.
fn same_text(one: Name, other: Name, view: &View<'_>) -> bool {
    let trim = |name| {
        let text = view.text(name);
        text.trim_matches('"').to_owned()
    };
    one == other || trim(one) == trim(other)
}

/// Whether the user of a refused request is another than the one that made the allocation; `None` where nothing tells.
fn user_changed(exchange: &Exchange, answer: &Answer, conversation: &Conversation, view: &View<'_>) -> Option<bool> {
    let live = allocation_at(exchange, conversation);
    // 441 says it, whatever the names look like, unless the phrase goes on about the realm
    let named = answer.code == 441 && !is_open(answer, view);
    match live {
        Some(allocation) => {
            let maker = conversation.exchanges.iter().find(|known| known.first == allocation.requested);
            let changed = maker.and_then(|maker| users_differ(&maker.asked, &exchange.asked));
            changed.or(named.then_some(true))
        }
        // 441 has no other meaning (RFC 8656 §5): the allocation is older than the capture
        None if named => {
            let own = exchange.asked.user_or_hash();
            Some(!conversation.allocations().any(|allocation| allocation.user == own))
        }
        None => None,
    }
}

/// The last request before this one that was signed as another user on the same addresses and ports, whatever came of it.
pub(super) fn asked_before_as<'c>(exchange: &Exchange, conversation: &'c Conversation) -> Option<&'c Exchange> {
    let other = |known: &&Exchange| {
        known.first < exchange.first
            && has_signed(&known.asked)
            && users_differ(&known.asked, &exchange.asked) == Some(true)
    };
    conversation.exchanges.iter().rfind(other)
}

/// The allocation that stood when a request was refused.
pub(super) fn allocation_at<'c>(exchange: &Exchange, conversation: &'c Conversation) -> Option<&'c Allocation> {
    let time = exchange.first.time;
    let stood = |allocation: &&Allocation| {
        allocation.created.time <= time
            && time <= allocation.expires
            && allocation.ended.is_none_or(|(_, at)| at.time > time)
    };
    conversation.allocations().filter(stood).last()
}

fn users_differ(one: &Asked, other: &Asked) -> Option<bool> {
    let pairs = [(one.user, other.user), (one.userhash, other.userhash)];
    pairs.into_iter().find_map(|(one, other)| Some(one? != other?))
}

/// The attribute that a request lacks so plainly that 400 means it.
fn lacks(exchange: &Exchange) -> Option<Missing> {
    let asked = &exchange.asked;
    if asked.truncated || exchange.id.is_classic() {
        return None;
    }
    let signed = asked.is_signed();
    match exchange.method {
        Method::ALLOCATE if asked.transport.is_none() => Some(Missing::RequestedTransport),
        _ if signed && asked.user.is_none() && asked.userhash.is_none() => Some(Missing::Username),
        _ if signed && asked.realm.is_none() => Some(Missing::Realm),
        _ if signed && asked.nonce.is_none() => Some(Missing::Nonce),
        Method::CHANNEL_BIND if asked.channel.is_none() => Some(Missing::ChannelNumber),
        Method::CHANNEL_BIND | Method::CREATE_PERMISSION | Method::CONNECT if asked.peers == 0 => {
            Some(Missing::PeerAddress)
        }
        _ => None,
    }
}

/// Whether the same user was granted something on this 5-tuple before, by a request that it signed.
fn granted_before(exchange: &Exchange, conversation: &Conversation) -> bool {
    conversation.exchanges.iter().any(|known| {
        known.succeeded()
            && known.asked.is_signed()
            && known.first < exchange.first
            && users_differ(&known.asked, &exchange.asked) == Some(false)
    })
}

/// Whether a refusal is the bare 400 of the pion family to credentials that the server never accepted on this 5-tuple.
fn is_bare(exchange: &Exchange, conversation: &Conversation, view: &View<'_>) -> bool {
    let Some(answer) = &exchange.answer else { return false };
    answer.code == 400
        && !answer.is_challenge()
        && answer.reason.is_none_or(|reason| view.text(reason).trim().is_empty())
        && exchange.asked.nonce.is_some()
        && !granted_before(exchange, conversation)
        && conversation.allocation.is_none()
        && Dialect::of(conversation, view) == Dialect::Pion
}

/// Whether the server says itself that it is built on pion.
pub(super) fn is_named_pion(conversation: &Conversation, view: &View<'_>) -> bool {
    conversation.software.is_some() && Dialect::of(conversation, view) == Dialect::Pion
}

/// Whether an answer gave the nonce that a request carries.
fn gave(answer: &Answer, exchange: &Exchange) -> bool {
    exchange.asked.nonce.is_some_and(|asked| [answer.nonce, answer.nonce_again].contains(&Some(asked)))
}

/// Whether a challenge in the capture gave a request the nonce that it carries.
pub(super) fn is_nonce_given(exchange: &Exchange, conversation: &Conversation) -> bool {
    challenges_before(exchange.first, conversation).any(|answer| gave(answer, exchange))
}

/// Whether a server says with 401 what 438 is for: the same user had been granted something with this nonce, the refusal brings another, and with
/// that the user is granted the same.
pub(super) fn ran_out(exchange: &Exchange, conversation: &Conversation) -> bool {
    let asked = &exchange.asked;
    let new = exchange.answer.as_ref().filter(|answer| answer.is_error(401)).and_then(|answer| answer.nonce);
    let Some(new) = new.filter(|&new| Some(new) != asked.nonce) else { return false };
    let granted = |known: &Exchange| {
        known.succeeded() && known.asked.is_signed() && users_differ(&known.asked, asked) == Some(false)
    };
    let before = |known: &Exchange| known.first < exchange.first && known.asked.nonce == asked.nonce;
    let after = |known: &Exchange| known.first > exchange.first && known.asked.nonce == Some(new);
    asked.nonce.is_some()
        && conversation.exchanges.iter().any(|known| granted(known) && before(known))
        && conversation.of(exchange.method).any(|known| granted(known) && after(known))
}

/// Whether the challenges that were seen before a request gave other nonces than it carries.
fn contradicted(exchange: &Exchange, conversation: &Conversation) -> bool {
    let Some(latest) = challenge_before(exchange, conversation) else { return false };
    // a client with several requests under way may hold on to the nonce before the last for a moment
    let moment = exchange.first.time.before(Span::from_millis(500));
    let mut known = challenges_before(exchange.first, conversation);
    let recent = |answer: &Answer| answer.seen == latest.seen || latest.seen.time > moment;
    // an answer that the capture lacks may have given it: one without its request, to a request without one, to a copy
    let lacks_one = |other: &Exchange| match &other.answer {
        None => other.first.time > latest.seen.time && other.first.time < exchange.first.time,
        Some(answer) => answer.seen == latest.seen && other.again_total > u32::from(answer.again),
    };
    let gap = conversation.orphans > 0 || conversation.exchanges.iter().any(lacks_one);
    !gap && !known.any(|answer| gave(answer, exchange) && recent(answer))
}
