//! TCP connections to the messages in them: per-flow state between segments and `wire`.
//!
//! ```text
//! Segment ─▶ passed over by its first bytes ── most of a real capture ends here, after a few loads
//!      └──▶ connection ─▶ direction: bytes in order, holes, repeats ─▶ framing ─▶ Payload
//! ```
//!
//! Only connections that begin with STUN, on whatever port, are put together; of the others it is known at most that they were opened.
//! What cannot be put together is a gap, and is said; nothing is guessed.

mod connection;
mod direction;
mod framing;
mod head;
mod limits;
mod table;

pub use connection::{Connection, Moment, Turned};
pub use framing::{Frame, Framer, Framing};
pub use limits::Limits;
pub use table::{Counts, Item, Payload, Streams};
