//! What came of a record, and how many fared how.

use std::fmt;

/// What came of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was never protected: its contents are what it says.
    Clear,
    /// It is open: the content type that was hidden or confirmed, and the plain text is in the caller's buffer.
    Opened {
        /// What it holds: 20 ChangeCipherSpec, 21 alert, 22 handshake, 23 application data, 26 ACK.
        content_type: u8,
        /// The whole epoch (DTLS); 0 in TLS.
        epoch: u16,
        /// The sequence number.
        sequence: u64,
    },
    /// It stays closed.
    Sealed(Reason),
}

/// Why a record stays closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// No key log was given, or it has no line for this connection.
    NoKey,
    /// The hellos of the connection are not in the capture, so that nothing tells which line of a key log is its.
    NoHello,
    /// The suite, or the version, is none that can be opened here.
    Unsupported,
    /// A line is there, but what it opens is not this record: the line is wrong, or the record was changed on its way.
    Mismatch,
    /// Records before it are missing from the capture, more than can be bridged.
    Missing,
    /// The capture holds only a part of it.
    Truncated,
}

impl Reason {
    /// All of them.
    pub const ALL: [Reason; 6] =
        [Reason::NoKey, Reason::NoHello, Reason::Unsupported, Reason::Mismatch, Reason::Missing, Reason::Truncated];

    /// In plain words, to follow "because".
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Reason::NoKey => "no key is given for the connection",
            Reason::NoHello => "the connection's hellos are not in the capture",
            Reason::Unsupported => "the cipher suite or version is not supported",
            Reason::Mismatch => "the keys do not fit",
            Reason::Missing => "records before them are missing from the capture",
            Reason::Truncated => "the capture holds only a part of them",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

/// How many protected records were opened, and how many were not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Opened.
    pub opened: u64,
    /// Not opened, by [`Reason::ALL`].
    pub sealed: [u64; Reason::ALL.len()],
}

impl Counts {
    /// Counts one record; those that were never protected count nowhere.
    pub fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Clear => {}
            Outcome::Opened { .. } => self.opened += 1,
            Outcome::Sealed(reason) => {
                if let Some(count) = self.sealed.get_mut(reason as usize) {
                    *count += 1;
                }
            }
        }
    }

    /// How many were not opened for a reason.
    #[must_use]
    pub fn sealed_for(&self, reason: Reason) -> u64 {
        self.sealed.get(reason as usize).copied().unwrap_or(0)
    }

    /// How many were not opened.
    #[must_use]
    pub fn sealed(&self) -> u64 {
        self.sealed.iter().sum()
    }
}
