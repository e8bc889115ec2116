//! turnscope reads packet captures and explains why a WebRTC client's TURN, STUN, ICE or DTLS failed.

pub mod frame;
pub mod net;
pub mod problem;
pub mod time;
