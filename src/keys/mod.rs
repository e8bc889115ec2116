//! Key logs, and what they open: records of TLS and DTLS, bytes in, bytes out.
//!
//! ```text
//! key log ─▶ KeyLog: secrets by client random ─┐
//! hellos, told by whoever reads them ──────────┼─▶ Connection (TLS) · Association (DTLS) ─▶ what a record holds, or why it stays closed
//! records ─────────────────────────────────────┘
//! ```
//!
//! Nothing here knows of frames, flows or messages, and nothing here writes a secret or plain text anywhere but into the buffer that the caller
//! lends. The primitives are those of the RustCrypto crates; the key schedules of RFC 5246 and RFC 8446 are in `schedule`.

mod dtls;
mod hello;
mod log;
mod outcome;
mod protection;
mod schedule;
mod seal;
mod search;
mod suite;
mod tls;

pub use dtls::{Association, Header, SealedRecord};
pub use hello::{Hello, Sender};
pub use log::{Added, Damaged, KeyLog, Label, MAX_SECRETS, client_random};
pub use outcome::{Counts, Outcome, Reason};
pub use seal::{Seal, Sealer};
pub use tls::Connection;

/// Reads arbitrary bytes as a key log, and opens arbitrary records with it. For fuzzing: the length of the log in two bytes and its text; then steps, each
/// a byte that says what it is, the length of its contents in two bytes, and these: hellos, missing bytes, records of TLS and of DTLS.
///
/// # Panics
/// Where something comes out that cannot have been in.
#[doc(hidden)]
#[must_use]
pub fn exercise(bytes: &[u8]) -> u64 {
    let Some((&length, rest)) = bytes.split_first_chunk::<2>() else { return 0 };
    let (text, mut rest) = rest.split_at_checked(u16::from_be_bytes(length).into()).unwrap_or((rest, &[]));
    let mut log = KeyLog::new();
    let added = log.add(text);
    assert!(added.damaged.len() as u64 <= added.damaged_total, "the first of all");
    let (mut connection, mut association, mut out, mut opened) =
        (Connection::default(), Association::default(), Vec::new(), 0);
    while let Some((&[step, high, low], after)) = rest.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let (contents, after) = after.split_at_checked(length).unwrap_or((after, &[]));
        rest = after;
        let from = if step & 0x80 == 0 { Sender::Client } else { Sender::Server };
        let whole = step & 0x40 == 0;
        let outcome = match (step & 0x0f, contents) {
            (0, _) => {
                let Some(random) = contents.first_chunk::<32>() else { continue };
                connection.client_hello(random);
                association.client_hello(u16::from(step >> 4 & 3), random);
                continue;
            }
            (1, &[v0, v1, s0, s1, etm, ref random @ ..]) => {
                let Some(&random) = random.first_chunk::<32>() else { continue };
                let (version, suite) = (u16::from_be_bytes([v0, v1]), u16::from_be_bytes([s0, s1]));
                let hello = Hello { version, random, suite, encrypt_then_mac: etm & 1 == 1 };
                connection.server_hello(hello);
                association.server_hello(u16::from(step >> 4 & 3), hello);
                continue;
            }
            (2, &[b0, b1, b2, b3, ..]) => {
                connection.missing(from, u32::from_be_bytes([b0, b1, b2, b3]).into());
                continue;
            }
            (3, &[kind, v0, v1, ref payload @ ..]) => {
                let head = (kind, u16::from_be_bytes([v0, v1]));
                connection.open(&log, from, head, (payload, whole), &mut out)
            }
            (4, &[kind, v0, v1, epoch, sequence, id, ref rest @ ..]) => {
                let (connection_id, payload) = rest.split_at_checked(id.into()).unwrap_or((&[], rest));
                let (version, epoch) = (u16::from_be_bytes([v0, v1]), epoch.into());
                let (content_type, sequence) = (kind, sequence.into());
                let header = Header::Numbered { content_type, version, epoch, sequence, connection_id };
                association.open(&log, from, &SealedRecord { header, payload, whole }, &mut out)
            }
            (5, &[header, ref rest @ ..]) => {
                let (header, payload) = rest.split_at_checked(header.into()).unwrap_or((&[], rest));
                let header = Header::Unified(header);
                association.open(&log, from, &SealedRecord { header, payload, whole }, &mut out)
            }
            (6, _) => {
                connection.hello_retry_request();
                continue;
            }
            _ => continue,
        };
        if let Outcome::Opened { .. } = outcome {
            opened += 1;
            assert!(out.len() <= contents.len(), "no more comes out than was in");
        }
    }
    let told = format!("{log:?} {connection:?} {association:?}");
    assert!(told.len() < 1000, "nothing of a secret is shown");
    opened
}
