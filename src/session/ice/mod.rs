//! ICE (RFC 8445): sessions, their agents, the pairs that were checked, which was selected, and consent (RFC 7675).
//!
//! A session is one generation of two user fragments, in either order; a restart is new user fragments on the same addresses and ports. A
//! pair that passes several points of the capture (both legs of a relay, both sides of a NAT) is one pair, counted where each check was
//! seen first.

mod consent;
mod intake;
mod pair;
mod progress;
mod recent;
mod rtt;
mod session;
mod table;

pub use consent::{Consent, EXPIRY};
pub use pair::{Answered, Carried, Pair, Remapped, State, TIMEOUT, Way};
pub use rtt::Rtt;
pub use session::{Agent, Conflicts, IceSession, Nomination, Role, Selection, Signed, Unauthorized};
pub use table::Ice;
pub(super) use table::Place;
