//! Several captures of one event: the same packets found again, clocks lined up, and what became of each packet between the points.
//!
//! Captures are read three times, each time in bounded memory. A [`Survey`] of each gives a sample of its messages, from which [`align`] estimates
//! how far the clocks are apart. A [`Merge`] then reads all of them as one, by corrected time, twice: first a [`Trace`] finds which packets were
//! seen where, and what follows from that for the ways between the points ([`Joins`]); then they are analysed, and a [`Picker`] says of every
//! packet whether it is news or the same as before, seen at another point.

mod clock;
mod facts;
mod merge;
mod picker;
mod print;
mod resolve;
mod survey;
mod trace;

pub use clock::{Clock, align};
pub use facts::{Joins, Point, Stretch, Translated, Travel};
pub use merge::{File, Merge};
pub use picker::{Picked, Picker};
pub use print::Kind;
pub use resolve::{Change, LostWay, PairFacts, RelayWay};
pub use survey::{Heard, Survey};
pub use trace::Trace;

/// How many points one event may be captured at; captures beyond are read each by itself.
pub const MAX_POINTS: usize = 16;
