//! Key logs, and what they open: records of TLS and DTLS, bytes in, bytes out.
//!
//! ```text
//! key log ─▶ KeyLog: secrets by client random ─┐
//! hellos, told by whoever reads them ──────────┼─▶ Connection (TLS) · Association (DTLS) ─▶ what a record holds, or why it stays closed
//! records ─────────────────────────────────────┘
//! ```
//!
//! Nothing here knows of frames, flows or messages, and nothing here writes a secret or plain text anywhere but into the buffer that the caller
//! lends. The primitives are those of the RustCrypto crates; the key schedules of RFC 5246 and RFC 8446 are in `schedule`.

mod dtls;
mod hello;
mod log;
mod outcome;
mod protection;
mod schedule;
mod search;
mod suite;
mod tls;

pub use dtls::{Association, Header, SealedRecord, UNIFIED_MIN};
pub use hello::{Hello, Sender};
pub use log::{Added, Damaged, KeyLog, Label, MAX_SECRETS};
pub use outcome::{Counts, Outcome, Reason};
pub use tls::Connection;
