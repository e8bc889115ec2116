//! Judgement: one file a finding or a close family. Rules read sessions and return findings, nothing else.
//!
//! A rule is a function that looks at one thing that is over (a [`Conversation`], a [`Handshake`], an [`IceSession`]) or, at the end, at the whole
//! [`Session`], and tells a [`Collector`] what it sees. What must hold before anything is called a failure is kept here for all of them:
//! like occurrences become one finding with a count, and a failure of a client that afterwards had what it asked for becomes a
//! warning (see [`Remedy`]). To add a finding: a file with its rule and tests, a line in [`REGISTRY`], an entry in
//! [`catalogue`](catalogue::CATALOGUE), a sample.

mod after_expiry;
mod allocation_gone;
mod allocation_mismatch;
mod answer_lost;
mod capture_point;
pub mod catalogue;
mod challenge;
mod channel_mismatch;
mod channel_padding;
mod collect;
mod connection_closed;
mod damage;
mod denied;
mod deployment;
mod dns;
mod dtls;
mod evidence;
mod expiry;
mod fallback;
mod hidden;
mod ice;
mod identity;
mod integrity_rejected;
mod lacking;
mod leaked;
mod mapped_private;
mod media_lossy;
mod media_one_way;
mod nat;
mod no_response;
mod nonce;
mod peer_refused;
mod permission_at_relay;
mod permission_missing;
mod protection;
mod quota;
mod redirect;
mod refusal;
mod refused;
mod relay_address;
mod relay_silent;
mod request_rejected;
mod stopped;
mod tls;
mod travel;
mod unreachable;
mod unreachable_tcp;
mod unsupported;

pub(crate) use capture_point::{ONE_SIDED, TRUNCATED};
pub use collect::{Affected, Collector, Concluded, Occurrence, Remedy, Subject, Text};
pub use deployment::{Check, Outcome, check as check_deployment};
pub use evidence::{Dialect, Proof};

use crate::session::handshake::Handshake;
use crate::session::ice::IceSession;
use crate::session::tls::TlsConnection;
use crate::session::{Conversation, Flow, Session};
use schemars::JsonSchema;
use serde::Serialize;

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// This is why it does not work.
    Failure,
    /// It works, or may, but this is wrong or about to fail.
    Warning,
    /// Worth knowing; never makes the verdict bad.
    Note,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// The packets show it.
    Certain,
    /// The packets suggest it, and what the capture lacks leaves it open.
    Likely,
}

/// What a rule looks at.
#[derive(Clone, Copy)]
pub enum Judge {
    /// The exchanges of a conversation: when it is over, or, in a capture with very many, as far as it went, each exchange once.
    Exchanges(fn(&Conversation, &View<'_>, &mut Collector)),
    /// Every conversation between a client and a server, when it is over.
    Conversation(fn(&Conversation, &View<'_>, &mut Collector)),
    /// Every DTLS association, when it is over or given up for want of room.
    Handshake(fn(&Handshake, &View<'_>, &mut Collector)),
    /// Every TLS connection of TURN, when it is over or given up for want of room.
    Tls(fn(&TlsConnection, &View<'_>, &mut Collector)),
    /// Every ICE session, when it is over.
    Ice(fn(&IceSession, &View<'_>, &mut Collector)),
    /// The whole capture, at its end.
    Capture(fn(&View<'_>, &mut Collector)),
}

/// One rule.
#[derive(Clone, Copy)]
pub struct Rule {
    /// The findings that it can make.
    pub ids: &'static [&'static str],
    /// The rule.
    pub judge: Judge,
}

/// What a rule may look at besides its own subject.
#[derive(Clone, Copy)]
pub struct View<'s> {
    /// The session. While the capture still runs it holds what has been seen so far.
    pub session: &'s Session,
}

/// All rules. The order decides nothing but the order of findings that are equal in every other way.
#[rustfmt::skip] // one rule a line
pub static REGISTRY: &[Rule] = &[
    Rule { ids: refused::IDS, judge: Judge::Exchanges(refused::judge) },
    Rule { ids: &[expiry::ACCEPTED], judge: Judge::Exchanges(expiry::judge_accepted) },
    Rule { ids: &[challenge::CHALLENGE, challenge::NO_CREDENTIALS], judge: Judge::Exchanges(challenge::judge) },
    Rule { ids: &[nonce::STALE, nonce::LOOP], judge: Judge::Exchanges(nonce::judge) },
    Rule { ids: &[protection::RESPONSE_BAD, protection::BID_DOWN], judge: Judge::Exchanges(protection::judge) },
    Rule { ids: &[no_response::ID], judge: Judge::Exchanges(no_response::judge) },
    Rule { ids: &[no_response::ID], judge: Judge::Conversation(stopped::judge) },
    Rule { ids: &[answer_lost::LOST], judge: Judge::Exchanges(answer_lost::judge_lost) },
    Rule { ids: &[answer_lost::ELSEWHERE], judge: Judge::Exchanges(answer_lost::judge_elsewhere) },
    Rule { ids: &[unreachable::ID], judge: Judge::Exchanges(unreachable::judge) },
    Rule { ids: &[unreachable::ID], judge: Judge::Conversation(unreachable::judge_gone) },
    Rule { ids: &[unreachable::ID], judge: Judge::Capture(unreachable_tcp::judge) },
    Rule { ids: &[fallback::ID], judge: Judge::Capture(fallback::judge) },
    Rule { ids: &[connection_closed::ID], judge: Judge::Conversation(connection_closed::judge) },
    Rule { ids: &[channel_padding::ID], judge: Judge::Capture(channel_padding::judge) },
    Rule { ids: &[relay_address::PRIVATE, relay_address::UNUSABLE], judge: Judge::Conversation(relay_address::judge) },
    Rule { ids: &[mapped_private::ID], judge: Judge::Exchanges(mapped_private::judge) },
    Rule { ids: &[relay_silent::ID], judge: Judge::Conversation(relay_silent::judge) },
    Rule { ids: &[permission_missing::ID], judge: Judge::Conversation(permission_missing::judge) },
    Rule { ids: &[permission_missing::ID], judge: Judge::Capture(permission_at_relay::judge) },
    Rule { ids: &[channel_mismatch::ID], judge: Judge::Conversation(channel_mismatch::judge) },
    Rule { ids: &[after_expiry::ID], judge: Judge::Conversation(after_expiry::judge) },
    Rule { ids: &[leaked::ID], judge: Judge::Conversation(leaked::judge) },
    Rule { ids: &[nat::SYMMETRIC], judge: Judge::Capture(nat::judge_symmetric) },
    Rule { ids: &[nat::ALG], judge: Judge::Exchanges(nat::judge_alg) },
    Rule { ids: &[nat::REBINDING], judge: Judge::Capture(nat::judge_rebinding) },
    Rule { ids: &[damage::MALFORMED], judge: Judge::Capture(damage::judge_malformed) },
    Rule { ids: &[damage::FINGERPRINT], judge: Judge::Capture(damage::judge_fingerprint) },
    Rule { ids: &[capture_point::DUPLICATES, capture_point::TRUNCATED, capture_point::ONE_SIDED], judge: Judge::Capture(capture_point::judge) },
    Rule { ids: denied::IDS, judge: Judge::Exchanges(denied::judge) },
    Rule { ids: &[allocation_mismatch::FORGOTTEN], judge: Judge::Exchanges(allocation_mismatch::judge) },
    Rule { ids: &[allocation_gone::ID], judge: Judge::Exchanges(allocation_gone::judge_silence) },
    Rule { ids: &[deployment::MISMATCH, deployment::OUT_OF_RANGE], judge: Judge::Capture(deployment::judge) },
    Rule { ids: &[dns::ID], judge: Judge::Capture(dns::judge) },
    Rule { ids: &[hidden::ID], judge: Judge::Capture(hidden::judge) },
    Rule { ids: &[dtls::NO_ANSWER, dtls::UNREACHABLE, dtls::ROLE_CONFLICT], judge: Judge::Handshake(dtls::judge_silence) },
    Rule { ids: &[dtls::NEVER_STARTED], judge: Judge::Ice(dtls::judge_never_started) },
    Rule { ids: &[dtls::FRAGMENT_LOST, dtls::HELLO_FRAGMENTED], judge: Judge::Handshake(dtls::judge_fragments) },
    Rule { ids: &[dtls::CERTIFICATE_REJECTED], judge: Judge::Handshake(dtls::judge_rejected) },
    Rule { ids: &[dtls::FINGERPRINT_MISMATCH], judge: Judge::Handshake(dtls::judge_mismatch) },
    Rule { ids: &[dtls::HANDSHAKE_FAILURE, dtls::VERSION, dtls::ALERT], judge: Judge::Handshake(dtls::judge_alerts) },
    Rule { ids: &[dtls::INCOMPLETE, dtls::CLOSED_EARLY], judge: Judge::Handshake(dtls::judge_incomplete) },
    Rule { ids: &[dtls::CLOSED_EARLY], judge: Judge::Handshake(dtls::judge_early) },
    Rule { ids: &[dtls::CLOSED], judge: Judge::Handshake(dtls::judge_closed) },
    Rule { ids: &[dtls::OBSOLETE], judge: Judge::Handshake(dtls::judge_obsolete) },
    Rule { ids: &[tls::CERTIFICATE_NAME], judge: Judge::Tls(tls::judge_name) },
    Rule { ids: &[tls::CERTIFICATE_EXPIRED], judge: Judge::Tls(tls::judge_expired) },
    Rule { ids: &[tls::CERTIFICATE_REJECTED], judge: Judge::Tls(tls::judge_rejected) },
    Rule { ids: &[tls::HANDSHAKE_FAILURE], judge: Judge::Tls(tls::judge_failure) },
    Rule { ids: &[ice::UNANSWERED, ice::ONE_WAY, ice::NO_RELAY], judge: Judge::Ice(ice::judge_path) },
    Rule { ids: &[ice::UNAUTHORIZED], judge: Judge::Ice(ice::judge_unauthorized) },
    Rule { ids: &[ice::CONFLICT], judge: Judge::Ice(ice::judge_conflict) },
    Rule { ids: &[ice::NOT_NOMINATED], judge: Judge::Ice(ice::judge_not_nominated) },
    Rule { ids: &[ice::LOST], judge: Judge::Ice(ice::judge_consent) },
    Rule { ids: &[ice::SWITCHED, ice::RESTART, ice::RELAYED], judge: Judge::Ice(ice::judge_selected) },
    Rule { ids: &[media_one_way::ID], judge: Judge::Capture(media_one_way::judge) },
    Rule { ids: &[media_lossy::ID], judge: Judge::Capture(media_lossy::judge) },
];

/// Judges a flow that is over.
pub fn judge_flow(flow: &Flow, session: &Session, out: &mut Collector) {
    let view = View { session };
    // the other side of a NAT shows the same conversation again: it is judged once
    let conversation = flow.conversation.as_deref().filter(|_| flow.twin_of.is_none());
    for rule in REGISTRY {
        match rule.judge {
            Judge::Exchanges(judge) | Judge::Conversation(judge) => {
                if let Some(conversation) = conversation {
                    judge(conversation, &view, out);
                }
            }
            Judge::Handshake(_) | Judge::Tls(_) | Judge::Ice(_) | Judge::Capture(_) => {}
        }
    }
}

/// Judges the exchanges of a conversation that goes on, before they are forgotten.
pub fn judge_exchanges(conversation: &Conversation, session: &Session, out: &mut Collector) {
    for rule in REGISTRY {
        if let Judge::Exchanges(judge) = rule.judge {
            judge(conversation, &View { session }, out);
        }
    }
}

/// Judges a DTLS association that is over.
pub fn judge_handshake(handshake: &Handshake, session: &Session, out: &mut Collector) {
    for rule in REGISTRY {
        if let Judge::Handshake(judge) = rule.judge {
            judge(handshake, &View { session }, out);
        }
    }
}

/// Judges a TLS connection that is over.
pub fn judge_tls(connection: &TlsConnection, session: &Session, out: &mut Collector) {
    for rule in REGISTRY {
        if let Judge::Tls(judge) = rule.judge {
            judge(connection, &View { session }, out);
        }
    }
}

/// Judges an ICE session that is over.
pub fn judge_ice(ice: &IceSession, session: &Session, out: &mut Collector) {
    for rule in REGISTRY {
        if let Judge::Ice(judge) = rule.judge {
            judge(ice, &View { session }, out);
        }
    }
}

/// Judges the whole capture, once everything in it is over.
pub fn judge_capture(session: &Session, out: &mut Collector) {
    let view = View { session };
    for rule in REGISTRY {
        if let Judge::Capture(judge) = rule.judge {
            judge(&view, out);
        }
    }
}
