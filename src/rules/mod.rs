//! Judgement: one file a finding or a close family. Rules read sessions and return findings, nothing else.
//!
//! A rule is a function that looks at one thing that is over (a [`Conversation`], a [`Handshake`], an [`IceSession`]) or, at the end, at the whole
//! [`Session`], and tells a [`Collector`] what it sees. What must hold before anything is called a failure is kept here for all of them:
//! like occurrences become one finding with a count, and a failure of a client that afterwards had what it asked for becomes a
//! warning (see [`Remedy`]). To add a finding: a file with its rule and tests, a line in its family's `RULES`, an entry in
//! [`catalogue`](catalogue::CATALOGUE), a sample.

mod authentication;
mod capture_point;
pub mod catalogue;
mod collect;
mod damage;
mod denied;
mod deployment;
mod dns;
mod dtls;
mod evidence;
mod ice;
mod mapped_private;
mod media;
mod nat;
mod reachability;
mod refusal;
mod relay;
mod tls;
mod travel;

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

impl Severity {
    /// Its word in JSON and in text.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Severity::Failure => "failure",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
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

impl Confidence {
    /// Certain where this holds, else likely.
    #[must_use]
    pub fn certain_if(proven: bool) -> Self {
        if proven { Confidence::Certain } else { Confidence::Likely }
    }
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

/// All rules, family by family. The order decides nothing but the order of findings that are equal in every other way.
static FAMILIES: &[&[Rule]] = &[
    authentication::RULES,
    denied::RULES,
    reachability::RULES,
    relay::RULES,
    ice::RULES,
    dtls::RULES,
    tls::RULES,
    media::RULES,
    &[
        Rule { ids: &[mapped_private::ID], judge: Judge::Exchanges(mapped_private::judge) },
        Rule { ids: &[nat::SYMMETRIC], judge: Judge::Capture(nat::judge_symmetric) },
        Rule { ids: &[nat::ALG], judge: Judge::Exchanges(nat::judge_alg) },
        Rule { ids: &[nat::REBINDING], judge: Judge::Capture(nat::judge_rebinding) },
        Rule { ids: &[nat::REBINDING], judge: Judge::Ice(nat::judge_remapped) },
        Rule { ids: &[damage::MALFORMED], judge: Judge::Capture(damage::judge_malformed) },
        Rule { ids: &[damage::FINGERPRINT], judge: Judge::Capture(damage::judge_fingerprint) },
        Rule {
            ids: &[capture_point::DUPLICATES, capture_point::TRUNCATED, capture_point::ONE_SIDED],
            judge: Judge::Capture(capture_point::judge),
        },
        Rule { ids: &[deployment::MISMATCH, deployment::OUT_OF_RANGE], judge: Judge::Capture(deployment::judge) },
        Rule { ids: &[dns::ID], judge: Judge::Capture(dns::judge) },
    ],
];

/// All rules.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    FAMILIES.iter().flat_map(|family| family.iter())
}

/// Has all rules judge one thing, each as far as it judges such things.
fn each(session: &Session, out: &mut Collector, judge: impl Fn(&Judge, &View<'_>, &mut Collector)) {
    for rule in all() {
        judge(&rule.judge, &View { session }, out);
    }
    out.make_room(session.clients());
}

/// Judges a flow that is over.
pub fn judge_flow(flow: &Flow, session: &Session, out: &mut Collector) {
    // the other side of a NAT shows the same conversation again: it is judged once
    let Some(conversation) = flow.own_conversation() else { return };
    each(session, out, |judge, view, out| {
        if let Judge::Exchanges(judge) | Judge::Conversation(judge) = judge {
            judge(conversation, view, out);
        }
    });
}

/// Judges the exchanges of a conversation that goes on, before they are forgotten.
pub fn judge_exchanges(conversation: &Conversation, session: &Session, out: &mut Collector) {
    each(session, out, |judge, view, out| {
        if let Judge::Exchanges(judge) = judge {
            judge(conversation, view, out);
        }
    });
}

/// Judges a DTLS association that is over.
pub fn judge_handshake(handshake: &Handshake, session: &Session, out: &mut Collector) {
    each(session, out, |judge, view, out| {
        if let Judge::Handshake(judge) = judge {
            judge(handshake, view, out);
        }
    });
}

/// Judges a TLS connection that is over.
pub fn judge_tls(connection: &TlsConnection, session: &Session, out: &mut Collector) {
    each(session, out, |judge, view, out| {
        if let Judge::Tls(judge) = judge {
            judge(connection, view, out);
        }
    });
}

/// Judges an ICE session that is over.
pub fn judge_ice(ice: &IceSession, session: &Session, out: &mut Collector) {
    each(session, out, |judge, view, out| {
        if let Judge::Ice(judge) = judge {
            judge(ice, view, out);
        }
    });
}

/// Judges the whole capture, once everything in it is over.
pub fn judge_capture(session: &Session, out: &mut Collector) {
    each(session, out, |judge, view, out| {
        if let Judge::Capture(judge) = judge {
            judge(view, out);
        }
    });
}
