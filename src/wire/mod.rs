//! Bytes to messages: views that borrow from the frame, know no history and judge nothing.
//!
//! [`demux`] says by its first bytes what a datagram may be; [`stun`], [`turn`], [`dtls`], [`rtp`] and [`rtcp`] read it. [`tls`] reads the records of
//! byte streams, [`handshake`] is what DTLS and TLS share, and [`vpn`] knows what hides all of them.

pub mod demux;
pub mod dns;
pub mod dtls;
pub mod handshake;
pub mod mdns;
pub mod rtcp;
pub mod rtp;
pub mod stun;
pub mod tls;
pub mod turn;
pub mod vpn;
