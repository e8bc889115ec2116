//! `dtls-obsolete`: DTLS 1.0 or older.

use super::reading::is_obsolete;
use super::{OBSOLETE, Story};
use crate::rules::evidence::frames_at;
use crate::rules::{Collector, Confidence, Remedy, Severity, Text, View};
use crate::session::handshake::{Handshake, Role};

pub(super) fn judge(handshake: &Handshake, _view: &View<'_>, out: &mut Collector) {
    let Some(story) = Story::of(handshake) else { return };
    let Some(chosen) = handshake.chosen.as_ref().filter(|chosen| is_obsolete(chosen.version)) else { return };
    let offered = handshake.sides.client.hello.as_ref();
    let mut seen = story.occurrence(OBSOLETE, Severity::Warning, Confidence::Certain, "");
    seen.frames = frames_at(handshake.sides.server.hello.iter().map(|hello| hello.seen));
    seen.remedy = Remedy::None;
    seen.reference = "RFC 8996";
    out.add(seen, || {
        let (client, server) = (story.end(Role::Client), story.end(Role::Server));
        let newer = offered.is_some_and(|offer| offer.versions.iter().any(|&version| !is_obsolete(version)));
        let whose = match offered {
            Some(_) if newer => {
                format!("The client offers a newer version, and {server} chose the old one: the server's stack is old.")
            }
            Some(_) => format!("The client {client} offers nothing newer: its stack is old, whatever the server's is."),
            None => "What the client offered is not in the capture.".to_owned(),
        };
        Text {
            title: format!("{client} and {server} speak {}, which is obsolete", chosen.version),
            explanation: format!(
                "The server chose {} with {} (frame {}). {whose}",
                chosen.version,
                chosen.suite,
                handshake.sides.server.hello.as_ref().map_or(0, |hello| hello.seen.frame)
            ),
            fix: format!(
                "Update the stack of {}: current ones refuse versions before DTLS 1.2.",
                if newer { server } else { client }
            ),
        }
    });
}
