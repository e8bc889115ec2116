//! DTLS: records, and handshake messages put together from fragments (RFC 6347, RFC 9146, RFC 9147).
//!
//! [`Records`] recognises and walks the records of a datagram, [`Record::fragments`] the fragments of handshake messages in one, and a
//! [`Reassembler`] makes messages of these, which [`handshake`](super::handshake) reads. What is encrypted is never taken for plain.

mod fragment;
mod reassemble;
mod record;
mod records;

pub use fragment::{Fragment, Fragments};
pub use reassemble::{Arrival, Dropped, Limits, Pushed, Reassembled, Reassembler};
pub use record::{Form, Record};
pub use records::Records;
