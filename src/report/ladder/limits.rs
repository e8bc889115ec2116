//! All bounds on what a ladder remembers, in one place. Together they keep the collector of one capture under 96 MiB, whatever it holds.

use crate::time::Span;

/// Flows at most; messages on further ones are counted.
pub const STORIES: usize = 4_096;
/// Moments of one flow at most, while there is room.
pub const MOMENTS: usize = 400;
/// Moments of all flows beyond which [`CROWDED_MOMENTS`] holds.
pub const CROWD: usize = 20_000;
/// Moments of one flow at most, when there are very many in all.
pub const CROWDED_MOMENTS: usize = 16;
/// Transactions that are waited for at one time; the oldest make room.
pub const TRANSACTIONS: usize = 8_192;
/// How many moments back one that is alike is looked for.
pub const LOOK_BACK: usize = 24;
/// Frames kept of one moment, the last one not counted.
pub const FRAMES: usize = 8;
/// User names, name fragments, relayed and mapped addresses kept of one flow, each.
pub const NAMES: usize = 8;
/// Channels kept of one flow.
pub const CHANNELS: usize = 64;
/// Handshake messages kept of one flight.
pub const FLIGHT: usize = 16;
/// Fragments of one handshake message by which its retransmission is known.
pub const FRAGMENTS: usize = 16;
/// Flights of one flow of which the messages are kept, so that their retransmission is known; of earlier ones the names are.
pub const FLIGHTS: usize = 4;
/// Bytes of a name of the capture that a label takes over.
pub const NAME_BYTES: usize = 48;
/// Citations of one session.
pub const CITATIONS: usize = 12;

/// A pause after which what was alike is told anew.
pub const PAUSE: Span = Span::from_secs(30);
/// The same for media: a hole in it is a story of its own.
pub const MEDIA_PAUSE: Span = Span::from_secs(5);
/// A client that was silent for so long and then comes from another port begins a new session.
pub const NEW_SESSION: Span = Span::from_secs(60);
/// A request this close to the end of the capture may have its answer after it.
pub const ANSWER_MAY_COME: Span = Span::from_millis(500);
/// Steps of different flows that come within this time are one, if they are alike.
pub const TOGETHER: Span = Span::from_millis(100);
