//! What several captures together show, for whoever judges one of them.

use super::Session;
use crate::join::Joins;

impl Session {
    /// The same session with what several captures together show.
    #[must_use]
    pub fn with_joins(mut self, joins: Joins) -> Self {
        for known in joins.translated() {
            self.nat.learn(known.inside, known.outside, &known.frames);
        }
        Session { joins, ..self }
    }

    /// What several captures together show; empty where there is one alone.
    #[must_use]
    pub fn joins(&self) -> &Joins {
        &self.joins
    }
}
