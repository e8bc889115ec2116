//! TLS: records, and handshake messages put together from them (RFC 5246 §6, RFC 8446 §5).
//!
//! [`Record`] reads one record, an [`Assembler`] makes messages of the contents of handshake records in the clear, which
//! [`handshake`](super::handshake) reads. What is encrypted is never taken for plain: that takes the history of the connection.

mod assemble;
mod record;

pub use assemble::{Assembled, Assembler};
pub use record::{HEADER, MAX_LENGTH, Record, is_hello, is_record};
