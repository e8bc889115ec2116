//! What should be, statement by statement, and whether the packets show it so.

pub use crate::rules::Outcome as StatedSeen;

use super::Place;
use super::convert::Origin;
use crate::rules::{self, View};
use crate::session::Session;
use schemars::JsonSchema;
use serde::Serialize;

/// A statement of the deployment.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Stated {
    /// The file, without its folders.
    pub file: String,
    /// The line in it, from 1.
    pub line: u64,
    /// What it states: `Expressway-E: 3478/udp open`.
    pub expected: String,
    /// Whether the packets show it so.
    pub seen: StatedSeen,
    /// Where it is wrong: what was seen instead.
    pub instead: Option<String>,
    /// The frames that show it, the first ones.
    pub places: Vec<Place>,
    /// How many there are.
    pub places_total: u64,
}

/// The statements, and how many were left out.
pub(super) fn stated(session: &Session, origin: Origin) -> (Vec<Stated>, u64) {
    let view = View { session };
    let checks = rules::check_deployment(&view);
    let listed = checks.into_iter().map(|check| {
        let server = session.deployment().server_of(check.statement);
        Stated {
            file: check.statement.file.clone(),
            line: check.statement.line as u64,
            expected: match server {
                Some(server) => format!("{}: {}", server.label, check.statement),
                None => check.statement.to_string(),
            },
            seen: check.outcome,
            instead: check.instead,
            places: origin.places(&check.frames),
            places_total: check.total,
        }
    });
    (listed.collect(), session.deployment().omitted())
}

/// Adds what another capture shows of the same statements: what is wrong in one is wrong, what is right in one is seen.
pub(super) fn add(whole: &mut Vec<Stated>, part: Vec<Stated>) {
    if whole.is_empty() {
        *whole = part;
        return;
    }
    for (known, new) in whole.iter_mut().zip(part) {
        match (known.seen, new.seen) {
            (_, StatedSeen::NotSeen) | (StatedSeen::Wrong, StatedSeen::Right) => {}
            (StatedSeen::NotSeen, _) | (StatedSeen::Right, StatedSeen::Wrong) => *known = new,
            (_, _) => {
                known.places.extend(new.places);
                known.places_total += new.places_total;
            }
        }
    }
}
