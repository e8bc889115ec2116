//! Requests that a server refuses for another reason than the credentials: which rule tells a refusal ([`Kind`]), and the parts of their findings
//! that are alike ([`Denied`]).

mod allocation_gone;
mod allocation_mismatch;
mod peer_refused;
mod quota;
pub(super) mod redirect;
pub(super) mod request_rejected;
mod unsupported;

use crate::rules::evidence::{filter_of, frames};
use crate::rules::refusal::{PATIENCE, Refusals, allocation_at, is_open, told};
use crate::rules::{Collector, Confidence, Dialect, Judge, Occurrence, Remedy, Rule, Severity, View};
use crate::session::{Answer, Conversation, End, Exchange, Grievance};
use crate::time::{Span, Timestamp};
use crate::wire::stun::registry;
use crate::wire::stun::{Class, Method};

#[rustfmt::skip] // one rule a line
pub(super) const RULES: &[Rule] = &[
    Rule { ids: IDS, judge: Judge::Exchanges(judge) },
    Rule { ids: &[allocation_mismatch::FORGOTTEN], judge: Judge::Exchanges(allocation_mismatch::judge) },
    Rule { ids: &[allocation_gone::ID], judge: Judge::Exchanges(allocation_gone::judge_silence) },
];

const IDS: &[&str] = &[
    allocation_mismatch::MISMATCH,
    allocation_mismatch::FORGOTTEN,
    allocation_gone::ID,
    quota::QUOTA,
    quota::CAPACITY,
    unsupported::TRANSPORT,
    unsupported::FAMILY,
    peer_refused::FORBIDDEN,
    peer_refused::CONNECT,
    redirect::FOLLOWED,
    redirect::IGNORED,
    redirect::LOOP,
    request_rejected::BARRED,
    request_rejected::FAULT,
    request_rejected::OTHER,
];

/// A request that follows the release of its allocation this closely was under way with it: nothing is wrong.
const CLOSING: Span = Span::from_secs(10);

/// Which finding tells a refusal. Each refusal is told by one, here or by the rules about authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rules) enum Kind {
    /// 437 to an Allocate: there is an allocation already.
    Mismatch,
    /// 437 to a copy of an Allocate: the server forgot that it had answered.
    Forgotten,
    /// 437, or what coturn says instead: there is no allocation.
    Gone,
    /// 486.
    Quota,
    /// 508.
    Capacity,
    /// 442.
    Transport,
    /// 440 or 443.
    Family,
    /// 403 about a peer.
    Peer,
    /// 403 to an Allocate.
    Barred,
    /// 300 with an alternate.
    Redirect,
    /// 446 or 447.
    Connect,
    /// 500.
    Fault,
    /// Anything else.
    Other,
}

impl Kind {
    /// Which finding of this family tells an exchange; `None` where it is no refusal, a harmless one, or one of the credentials.
    pub(in crate::rules) fn of(exchange: &Exchange, conversation: &Conversation, view: &View<'_>) -> Option<Kind> {
        let answer = exchange.answer.as_ref().filter(|answer| answer.class == Class::Error)?;
        // what is left of a message that the snap length cut does not tell a challenge from a refusal
        let cut = answer.truncated
            && match answer.code {
                0 => may_pass(exchange, answer, conversation, view),
                401 => !refused_before(exchange, conversation) || may_pass(exchange, answer, conversation, view),
                438 => true,
                // what is left of the request does not tell a connectivity check either
                _ => exchange.method == Method::BINDING && exchange.asked.truncated,
            };
        // nor does it tell where a redirection leads; a client that was served afterwards found its way
        let led = || {
            let since = Grievance::of(conversation, exchange.asked.user, answer.seen.time);
            view.session.clients().recovered(&since)
        };
        let led = answer.code == 300 && answer.truncated && answer.alternate.is_none() && led();
        if cut || led || told(exchange, conversation, view) {
            return None;
        }
        let about_peer = matches!(exchange.method, Method::CREATE_PERMISSION | Method::CHANNEL_BIND | Method::CONNECT);
        let kind = match (exchange.method, answer.code) {
            (_, 300) if answer.alternate.is_some() => Kind::Redirect,
            // what coturn says after a colon is about credentials, whatever allocation there is
            (Method::ALLOCATE, 437)
                if is_open(answer, view) && (!holds(conversation, exchange) || reason(answer, view).contains(':')) =>
            {
                Kind::Other
            }
            (Method::ALLOCATE, 437) if answer.to.frame != exchange.first.frame && !holds(conversation, exchange) => {
                Kind::Forgotten
            }
            (Method::ALLOCATE, 437) => Kind::Mismatch,
            (Method::REFRESH, 437) => Kind::Gone,
            (_, 437) if about_peer => Kind::Gone,
            (Method::CREATE_PERMISSION | Method::CHANNEL_BIND, 400) if lacks_one(exchange, conversation, view) => {
                Kind::Gone
            }
            (Method::ALLOCATE, 486) => Kind::Quota,
            (Method::ALLOCATE, 508) => Kind::Capacity,
            (Method::ALLOCATE, 442) => Kind::Transport,
            (_, 440 | 443) => Kind::Family,
            // coturn also answers 403 to what does not go with the transport of the relay, which is no matter of the peer
            (_, 403) if about_peer && !reason(answer, view).contains("cannot be used") => Kind::Peer,
            (Method::ALLOCATE, 403) => Kind::Barred,
            (Method::CONNECT, 446 | 447) => Kind::Connect,
            (_, 500) => Kind::Fault,
            _ => Kind::Other,
        };
        let closing = || released_before(exchange, conversation).is_some_and(|ago| ago < CLOSING);
        let harmless = match kind {
            Kind::Gone => is_release(exchange) || closing(),
            // a client that hangs up does not wait for a new nonce
            Kind::Other if answer.code == 438 => is_release(exchange),
            Kind::Other => (about_peer || exchange.method == Method::REFRESH) && !is_release(exchange) && closing(),
            _ => false,
        };
        (!harmless).then_some(kind)
    }
}

fn refused_before(exchange: &Exchange, conversation: &Conversation) -> bool {
    conversation.exchanges.iter().any(|known| known.first < exchange.first && known.failed())
}

/// Whether an error of which the snap length hid the code, or what it brought, is of no weight for all that is known: a check's, one that the client answered by trying
/// again, or the first leg of an Allocate that may go on.
fn may_pass(exchange: &Exchange, answer: &Answer, conversation: &Conversation, view: &View<'_>) -> bool {
    let method = exchange.method;
    let same_peer =
        |known: &Exchange| known.asked.peer.zip(exchange.asked.peer).is_none_or(|(one, other)| one == other);
    let mut tried = conversation.of(method).filter(|known| known.first > exchange.first);
    let forgotten = conversation.exchanges_omitted > 0 && conversation.granted_after(method, answer.seen.time);
    let first_leg = method == Method::ALLOCATE
        && !refused_before(exchange, conversation)
        && view.now().since(answer.seen.time) < PATIENCE;
    let perhaps_release = method == Method::REFRESH && exchange.asked.truncated && exchange.asked.lifetime.is_none();
    method == Method::BINDING
        || is_release(exchange)
        || perhaps_release
        || forgotten
        || first_leg
        || tried.any(same_peer)
}

/// Whether a request gives an allocation up.
pub(in crate::rules) fn is_release(exchange: &Exchange) -> bool {
    exchange.method == Method::REFRESH && exchange.asked.lifetime == Some(0)
}

fn holds(conversation: &Conversation, exchange: &Exchange) -> bool {
    allocation_at(exchange, conversation).is_some()
}

/// How long before a request the client had given up its allocation, if it did and has made no other since.
fn released_before(exchange: &Exchange, conversation: &Conversation) -> Option<Span> {
    let at = exchange.first.time;
    // of one that names a family the ledger knows whether anything was left
    let whole = |known: &&Exchange| is_release(known) && known.asked.family.is_none();
    let asked = conversation.of(Method::REFRESH).filter(whole).map(|known| known.first.time);
    // the exchange itself may have been forgotten, the ledger has its end still
    let ended = conversation.allocations().filter_map(|allocation| allocation.ended);
    let ended = ended.filter(|(end, _)| *end == End::Released).map(|(_, seen)| seen.time);
    let released = asked.chain(ended).filter(|&time| time <= at).max()?;
    let renewed = conversation.allocations().any(|allocation| allocation.created.time > released);
    (!renewed).then(|| at.since(released))
}

/// Whether 400 is coturn's way of saying that there is no allocation.
fn lacks_one(exchange: &Exchange, conversation: &Conversation, view: &View<'_>) -> bool {
    let Some(answer) = &exchange.answer else { return false };
    let plain = matches!(reason(answer, view).trim(), "" | "bad request");
    let dialect = Dialect::of(conversation, view);
    // what was granted before word for word is not malformed: a server that was restarted has forgotten what it lent
    let same = |known: &Exchange| {
        let (one, other) = (&known.asked, &exchange.asked);
        known.first < exchange.first
            && known.succeeded()
            && (one.peer, one.peers, one.channel, one.user) == (other.peer, other.peers, other.channel, other.user)
    };
    let granted = || conversation.of(exchange.method).any(same);
    plain
        && match dialect {
            Dialect::Coturn => !holds(conversation, exchange) || granted(),
            Dialect::Standard => granted(),
            Dialect::Pion | Dialect::Draft => false,
        }
}

/// A reason phrase in lower case.
pub(in crate::rules) fn reason(answer: &Answer, view: &View<'_>) -> String {
    answer.reason.map(|name| view.text(name).to_lowercase()).unwrap_or_default()
}

/// The requests of one conversation that were refused for one reason: which finding tells them.
pub(in crate::rules) type Denied<'c> = Refusals<'c, Kind>;

/// Tells every refusal of a conversation that is not of the credentials.
fn judge(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    for denied in &groups(conversation, view) {
        match denied.reason {
            Kind::Mismatch => allocation_mismatch::tell_mismatch(denied, view, out),
            Kind::Forgotten => allocation_mismatch::tell_forgotten(denied, view, out),
            Kind::Gone => allocation_gone::tell(denied, view, out),
            Kind::Quota => quota::tell_quota(denied, view, out),
            Kind::Capacity => quota::tell_capacity(denied, view, out),
            Kind::Transport => unsupported::tell_transport(denied, view, out),
            Kind::Family => unsupported::tell_family(denied, view, out),
            Kind::Peer => peer_refused::tell_forbidden(denied, view, out),
            Kind::Connect => peer_refused::tell_connect(denied, view, out),
            Kind::Redirect => redirect::tell(denied, view, out),
            Kind::Barred => request_rejected::tell_barred(denied, view, out),
            Kind::Fault => request_rejected::tell_fault(denied, view, out),
            Kind::Other => request_rejected::tell_other(denied, view, out),
        }
    }
}

/// The refusals by what tells them.
fn groups<'c>(conversation: &'c Conversation, view: &View<'_>) -> Vec<Denied<'c>> {
    let kind = |exchange: &Exchange| if exchange.failed() { Kind::of(exchange, conversation, view) } else { None };
    Refusals::of(conversation, kind, |known, kind, exchange, answer| {
        let alike = known.last.method == exchange.method && known.answer.code == answer.code;
        known.reason == kind && (alike || !matches!(kind, Kind::Family | Kind::Connect | Kind::Fault | Kind::Other))
    })
}

impl Denied<'_> {
    /// Who was refused, since when.
    pub(in crate::rules) fn grievance(&self, at: Timestamp) -> Grievance {
        Grievance::of(self.conversation, self.user(), at)
    }

    /// The finding: a failure unless the same was granted later, or the client had an allocation or data afterwards.
    pub(in crate::rules) fn occurrence(
        &self,
        id: &'static str,
        reference: &'static str,
        view: &View<'_>,
    ) -> Occurrence {
        let later = self.conversation.granted_after(self.last.method, self.answer.seen.time);
        let cut = self.last.asked.truncated || self.answer.truncated;
        Occurrence {
            key: self.conversation.server.to_string(),
            severity: if later || is_release(self.last) { Severity::Warning } else { Severity::Failure },
            confidence: Confidence::certain_if(!cut),
            remedy: Remedy::Service(self.grievance(self.answer.seen.time)),
            at: self.first.first.time,
            frames: self.frames(),
            filter: Some(filter_of(self.conversation)),
            subject: view.subject(self.conversation, self.user(), self.last.asked.realm),
            ..Occurrence::of(id, reference)
        }
    }

    /// `192.0.2.9:50000 as "alice"`.
    pub(in crate::rules) fn who(&self, view: &View<'_>) -> String {
        match self.last.asked.user {
            Some(user) => format!("{} as {}", self.conversation.client, view.quoted(Some(user))),
            None => self.conversation.client.to_string(),
        }
    }

    /// The user, or the client's address where there is none.
    pub(in crate::rules) fn whom(&self, view: &View<'_>) -> String {
        match self.last.asked.user {
            Some(user) => view.quoted(Some(user)),
            None => self.conversation.client.0.ip().to_string(),
        }
    }

    /// `(frames 3, 4 and 5)` with how often, where it was more than once.
    pub(in crate::rules) fn listed(&self) -> String {
        let listed = frames(&self.frames());
        match self.exchanges.len() {
            1 => format!("({listed})"),
            many => format!("{many} times ({listed})"),
        }
    }

    /// What the reason phrase is known to mean beyond the code, as a sentence with a blank before it; or nothing.
    pub(in crate::rules) fn phrase(&self, view: &View<'_>) -> String {
        let known = self.answer.reason.map(|name| view.session.names().bytes(name));
        let known = known.and_then(|bytes| registry::phrase(self.answer.code, bytes));
        known.map(|row| format!(" {}", row.meaning)).unwrap_or_default()
    }
}
