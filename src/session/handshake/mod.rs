//! DTLS associations: who said what to whom until there were keys, or none, and how it ended (RFC 6347, RFC 9147, RFC 5763).

mod association;
mod flight;
mod offer;

pub use association::{
    AlertSeen, Both, Certificate, Closing, Handshake, MessageSeen, Missing, Protected, Role, Side, State, Surroundings,
    Unreachable, Way,
};
pub use flight::{Flight, What};
pub use offer::{Chosen, Offer};
