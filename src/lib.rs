//! turnscope reads packet captures and explains why a WebRTC client's TURN, ICE, DTLS or media failed.

pub mod analyzer;
pub mod bounded;
pub mod capture;
pub mod cli;
pub mod event;
pub mod frame;
pub mod join;
pub mod keys;
pub mod logs;
pub mod net;
pub mod packet;
pub mod problem;
pub mod redact;
pub mod render;
pub mod report;
pub mod rules;
pub mod secret;
pub mod session;
pub mod slots;
pub mod stream;
pub mod time;
pub mod wire;
