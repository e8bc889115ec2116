//! `turn-quota` and `turn-capacity`: the user has had enough, or the server has no more to give.

use super::Denied;
use crate::rules::evidence::{counted, listed};
use crate::rules::{Collector, Text, View};
use crate::session::Lent;

pub(super) const QUOTA: &str = "turn-quota";
pub(super) const CAPACITY: &str = "turn-capacity";

/// How many of the user's allocations are named.
const SHOWN: usize = 4;

pub(super) fn tell_quota(denied: &Denied<'_>, view: &View<'_>, out: &mut Collector) {
    out.add(denied.occurrence(QUOTA, "RFC 8656 §7.2", view), || quota(denied, view));
}

pub(super) fn tell_capacity(denied: &Denied<'_>, view: &View<'_>, out: &mut Collector) {
    out.add(denied.occurrence(CAPACITY, "RFC 8656 §7.2", view), || capacity(denied, view));
}

fn lent_at_refusal(denied: &Denied<'_>, view: &View<'_>) -> Vec<Lent> {
    let at = denied.first.answer.as_ref().map_or(denied.first.first.time, |answer| answer.seen.time);
    view.session.lent(denied.conversation.server.0.ip(), denied.user(), at)
}

fn quota(denied: &Denied<'_>, view: &View<'_>) -> Text {
    let (server, user) = (denied.conversation.server, denied.whom(view));
    let alive = lent_at_refusal(denied, view);
    let (held, seen) = match alive.as_slice() {
        [] => (
            String::new(),
            format!(
                "The capture shows no other allocation of {user} at that time: they were made before it began, or from elsewhere; or a quota for \
                 all users together is used up."
            ),
        ),
        alive => {
            let renamed = alive.iter().any(|lent| lent.user != denied.user());
            let counts = if renamed {
                " A server that counts by user leaves the expiry in their names out (coturn)."
            } else {
                ""
            };
            (
                format!(", who has {} already", counted(alive.len() as u64, "live allocation")),
                format!(
                    "Alive at that time {} {}.{counts}",
                    if alive.len() == 1 { "was" } else { "were" },
                    list(alive)
                ),
            )
        }
    };
    Text {
        title: format!("{server} gives no further allocation to {user}{held}: {}", view.error(denied.answer)),
        explanation: format!(
            "{} asked {server} for an allocation and was refused {}: the user has as many as the server's quota allows. {seen}{}",
            denied.who(view),
            denied.listed(),
            bandwidth(denied, view),
        ),
        fix: format!(
            "Raise the quota of {user} on the server (coturn: user-quota, total-quota). See that clients end each allocation with a Refresh \
             of lifetime 0 when they close, and that they do not ask again at once when they are refused; what is left behind goes when its \
             lifetime is over."
        ),
    }
}

fn bandwidth(denied: &Denied<'_>, view: &View<'_>) -> &'static str {
    let named = super::reason(denied.answer, view).contains("bandwidth");
    if named {
        " The phrase names bandwidth: the limit is that of max-bps or bps-capacity, not the number of allocations."
    } else {
        ""
    }
}

fn list(alive: &[Lent]) -> String {
    let mut shown: Vec<String> = alive
        .iter()
        .take(SHOWN)
        .map(|lent| {
            let relayed = lent.relayed.map(|relayed| relayed.to_string()).unwrap_or_else(|| "one".to_owned());
            format!("{relayed} for {} (frame {})", lent.client, lent.created.frame)
        })
        .collect();
    if alive.len() > SHOWN {
        shown.push(format!("{} more", alive.len() - SHOWN));
    }
    listed(&shown)
}

fn capacity(denied: &Denied<'_>, view: &View<'_>) -> Text {
    let server = denied.conversation.server;
    let wants = denied.last.asked.wants_port;
    let what = if wants { "no relay port of the kind asked for" } else { "no relay port left" };
    let others = match lent_at_refusal(denied, view).as_slice() {
        [] => String::new(),
        alive => format!(" {} itself held {}.", denied.whom(view), list(alive)),
    };
    let why = if wants {
        "The request asks for an even port, a pair of ports or one that was reserved; a server can have ports left and still none such, and a \
         reservation is good for 30 seconds only."
    } else {
        "The range of relay ports is exhausted, or the system lets the server open no more sockets."
    };
    let fix = if wants {
        "Have the client leave EVEN-PORT and RESERVATION-TOKEN out (they serve RTP and RTCP on neighbouring ports, which WebRTC does not \
         need), or widen the server's range of relay ports."
    } else {
        "Widen the server's range of relay ports (coturn: min-port and max-port, and as wide in the firewall), or add relay addresses; raise \
         the limit of open files; look for allocations that nobody releases. A client should wait a minute before it asks again."
    };
    Text {
        title: format!("{server} has {what} for {}: {}", denied.whom(view), view.error(denied.answer)),
        explanation: format!(
            "{} asked {server} for an allocation and was refused {}. {why}{others}{}",
            denied.who(view),
            denied.listed(),
            denied.phrase(view),
        ),
        fix: fix.to_owned(),
    }
}
