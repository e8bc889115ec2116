//! Checks that an agent drops for how they are signed: what passwords that were given tell of them.

use super::agreement::nearly;
use super::private::nameless;
use super::{Asked, address, counted, is_unsigned, named};
use crate::rules::evidence::first_frames;
use crate::rules::{Text, View};
use crate::session::ice::{IceSession, Signed};

/// Whether passwords that were given show that an agent's checks are signed as the other wants them.
pub(super) fn is_signed_right(ice: &IceSession, agent: usize) -> bool {
    matches!(ice.agent(1 - agent).signed, Signed { verified: 1.., mismatched: 0 })
}

/// What passwords that were given tell of an agent's checks, which nobody answers; empty where they say nothing against them.
pub(super) fn misfit(ice: &IceSession, agent: usize, view: &View<'_>) -> String {
    let Signed { verified, mismatched } = ice.agent(1 - agent).signed;
    let (from, to) = (address(ice, agent), address(ice, 1 - agent));
    if ice.agent(agent).checks == 0 {
        return String::new();
    }
    if let Some(lacking) = nameless(ice, agent, view) {
        return lacking;
    }
    match (verified, mismatched) {
        _ if is_unsigned(&ice.agent(agent).integrity, view) => format!(
            " The checks of {from} carry no MESSAGE-INTEGRITY, and an agent takes none that is not signed (RFC 8445 §7.3)."
        ),
        (0, 1..) => nearly(ice, agent, view).unwrap_or_else(|| {
            format!(" The checks of {from} do not verify with the password given for that user fragment of {to}.")
        }),
        _ => nearly(ice, agent, view).unwrap_or_default(),
    }
}

/// Checks that arrive and are not answered by an agent that has what it takes to answer them.
pub(super) fn discarded(ice: &IceSession, agent: usize, own: &Asked, numbers: &[u64], view: &View<'_>) -> Text {
    let (from, to) = (address(ice, agent), address(ice, 1 - agent));
    let proof = if is_signed_right(ice, agent) {
        format!(
            " The checks verify with the password given for that user fragment, so that {to} has another, or gave it up."
        )
    } else {
        misfit(ice, agent, view)
    };
    Text {
        title: format!("{to} discards the checks of {from}, while its own are answered on the same way"),
        explanation: format!(
            "{} sent {} ({} transmissions over {}, {}) and got no answer. The path is open: {} gets the answers of {from} to its own checks between \
             the same addresses and ports, and acts on them. Checks that are signed with another password than its own, or name a user fragment that it \
             does not know, some agents (libjuice, pion) drop without a word where others refuse them with 401.{proof}",
            named(ice, agent, view),
            counted(own.checks, "check"),
            own.sends,
            own.span,
            first_frames(numbers, numbers.len() as u64),
            named(ice, 1 - agent, view),
        ),
        fix: format!(
            "See that {from} got the description of {to} unchanged and of this session, a=ice-ufrag and a=ice-pwd above all: a stale or mangled offer or \
             answer, a forked call, or a restart that only one side knows of. The log of {to} may tell why it drops them."
        ),
    }
}
