//! `ice-mdns-unresolved`: a browser hides the address of a host candidate behind a name, and nobody answers for the name.

use crate::net::{ClientAddress, Endpoint};
use crate::rules::evidence::first_frames;
use crate::rules::{Collector, Confidence, Occurrence, Severity, Subject, Text, View};
use crate::session::Hidden;
use crate::time::Span;
use crate::wire::mdns::HiddenName;

pub(super) const ID: &str = "ice-mdns-unresolved";

/// Answers come within half a second, and a question is repeated after one (RFC 6762 §5.2, §6).
const ENOUGH: Span = Span::from_secs(2);

pub(super) fn judge(view: &View<'_>, out: &mut Collector) {
    // the answer may be what the snap length cut off
    if view.session.hidden().is_cut() {
        return;
    }
    // where the capture lacks one direction of what passed, it may lack the answer, too
    let one_sided = view.session.totals().one_sided.total > 0;
    for (name, hidden) in view.session.hidden().iter() {
        let Some((asker, first)) = hidden.asked.filter(|_| hidden.address.is_none()) else { continue };
        let waited = view.session.now().since(first.time);
        if waited < ENOUGH {
            continue;
        }
        let seen = Occurrence {
            key: asker.ip().to_string(),
            severity: Severity::Warning,
            // what comes to the asker alone passes this point only if the asker's other packets do
            confidence: Confidence::certain_if(!hidden.unicast && !one_sided),
            at: first.time,
            frames: hidden.questions.frames.clone(),
            filter: Some(format!(
                "{} && dns.qry.name == \"{name}\"",
                if hidden.resolver.is_some() { "dns" } else { "mdns" }
            )),
            subject: Subject { client: Some(ClientAddress(asker)), ..Subject::default() },
            ..Occurrence::of(ID, "draft-ietf-mmusic-mdns-ice-candidates")
        };
        out.add(seen, || text(name, hidden, asker, waited, view));
    }
}

fn text(name: HiddenName, hidden: &Hidden, asker: Endpoint, waited: Span, view: &View<'_>) -> Text {
    let told = view.session.signalling().descriptions().iter().find(|description| {
        let is_it = |host: &String| HiddenName::parse(host) == Some(name);
        description.candidates.iter().any(|candidate| candidate.address.as_ref().err().is_some_and(is_it))
    });
    let told = told.map_or_else(String::new, |description| {
        format!(" It is a candidate of the agent {}, as {} says.", description.ufrag, description.short_origin())
    });
    let resolver = hidden.resolver.map_or_else(String::new, |resolver| {
        format!(
            " {} asked the resolver {resolver} for it, which is for names of the Internet and knows nothing of these: its name resolution has no multicast DNS, as in a \
             container or on a server.",
            asker.ip()
        )
    });
    let install = match hidden.resolver {
        Some(_) => format!(
            "Give {} multicast DNS in its name resolution (libnss-mdns and Avahi, systemd-resolved). ",
            asker.ip()
        ),
        None => String::new(),
    };
    Text {
        title: format!("{} asks for {name}, the hidden address of a host candidate, and nobody answers", asker.ip()),
        explanation: format!(
            "A browser gave this name in the place of an address, so that the address stays private, and answers for it by multicast DNS on its \
             own network.{told} {} asked for it ({}), and in the {} s after that nothing here says its address. The agent that asked cannot \
             check this candidate; it learns the address only if a check from there reaches it.",
            asker.ip(),
            first_frames(&hidden.questions.frames, hidden.questions.total),
            waited.0 / 1_000_000_000,
        ) + &resolver,
        fix: format!(
            "{install}Where both are on one network, let multicast DNS pass between them (UDP port 5353, 224.0.0.251 and ff02::fb; Wi-Fi client \
             isolation stops it). Else give the agents STUN and TURN servers, for candidates that do not depend on it."
        ),
    }
}
