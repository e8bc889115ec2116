//! Bytes to messages: views that borrow from the frame, know no history and judge nothing.
//!
//! [`demux`] says by its first bytes what a datagram may be; [`stun`] and [`turn`] read it.

pub mod demux;
pub mod dtls_alerts;
pub mod stun;
pub mod turn;
