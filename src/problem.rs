//! What is wrong with bytes, said where they are.

use std::fmt;

/// The layer of a frame in which a problem was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// STUN header or attributes.
    Stun,
    /// DTLS records or handshake messages.
    Dtls,
    /// TLS records or handshake messages.
    Tls,
}

/// Something improper in a message. A view never refuses a message for one; a rule may make a finding of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Problem {
    /// The layer to which it belongs.
    pub layer: Layer,
    /// Bytes from the start of that layer's message to the field at fault.
    pub offset: u32,
    /// How many bytes (or which value) the field asks for, where that is the trouble; else 0.
    pub needed: u32,
    /// How many (or which) are there; else 0.
    pub present: u32,
    /// The fault in plain words, without the numbers.
    pub what: &'static str,
}

impl Problem {
    /// A problem at a field; numbers beyond 32 bits stay at their most.
    #[must_use]
    pub fn new(layer: Layer, offset: usize, needed: usize, present: usize, what: &'static str) -> Self {
        let [offset, needed, present] =
            [offset, needed, present].map(|number| u32::try_from(number).unwrap_or(u32::MAX));
        Problem { layer, offset, needed, present, what }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Layer::Stun => "stun",
            Layer::Dtls => "dtls",
            Layer::Tls => "tls",
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {}", self.layer, self.offset, self.what)?;
        if self.needed != self.present {
            write!(f, " (needed {}, present {})", self.needed, self.present)?;
        }
        Ok(())
    }
}
