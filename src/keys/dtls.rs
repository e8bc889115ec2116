//! The records of one DTLS association, in any order (RFC 6347, RFC 9146, RFC 9147).

use super::hello::{Agreed, Hello, Sender};
use super::log::{KeyLog, Label};
use super::outcome::{Counts, Outcome, Reason};
use super::protection::{Keys, Sealed};
use super::schedule::{self, Prf};
use super::seal::{Seal, Stage};
use super::suite::Suite;
use zeroize::Zeroizing;

const DTLS_1_0: u16 = 0xfeff;
const DTLS_1_2: u16 = 0xfefd;
const DTLS_1_3: u16 = 0xfefc;
const TLS12_CID: u8 = 25;
/// Epochs of DTLS 1.3 (RFC 9147 §6.1).
const EARLY: u16 = 1;
const HANDSHAKE: u16 = 2;
const APPLICATION: u16 = 3;
/// How many epochs ahead of the latest one records are looked for: key updates of which all records were lost.
const AHEAD: u16 = 4;
/// The same as long as no record of a direction was opened, for keys that come late; and for how many records that is tried in vain.
const AHEAD_AT_FIRST: u16 = 64;
const FIRST: u32 = 64;
/// Epochs of which keys are kept: the current one, and those before it of which records may come late.
const KEPT: usize = 3;

/// One association: what its hellos agreed on, and the keys of the epochs in use.
///
/// It is told of every hello; records may be lost, come again and come in any order. It may be made before there are keys.
#[derive(Default)]
pub struct Association {
    client_random: Option<[u8; 32]>,
    /// The handshake that gives the keys of the epoch after the one it went in, and that epoch: up to version 1.2 one for each epoch.
    agreed: Vec<(u16, Agreed)>,
    directions: [Direction; 2],
    counts: Counts,
}

#[derive(Default)]
struct Direction {
    /// The latest last.
    epochs: Vec<Epoch>,
    /// The key log as it was when a key was looked for in vain.
    searched: Option<u32>,
    /// Records that no epoch opened, while none was opened.
    in_vain: u32,
}

/// The keys of an epoch.
struct Epoch {
    number: u16,
    keys: Keys,
    /// DTLS 1.3: that of the keys, for those of the next epoch, and the sequence number to come.
    secret: Zeroizing<Vec<u8>>,
    next: u64,
}

/// A protected record.
#[derive(Clone, Copy, Debug)]
pub struct SealedRecord<'a> {
    /// What its header says.
    pub header: Header<'a>,
    /// What follows the header.
    pub payload: &'a [u8],
    /// Whether that is all of it.
    pub whole: bool,
}

/// The header of a protected record.
#[derive(Clone, Copy, Debug)]
pub enum Header<'a> {
    /// Epoch and sequence number in the clear, up to version 1.2.
    Numbered {
        /// What it holds, or 25 with a connection id.
        content_type: u8,
        /// The version in it.
        version: u16,
        /// The epoch.
        epoch: u16,
        /// The sequence number, 48 bits.
        sequence: u64,
        /// The connection id, for content type 25 (RFC 9146).
        connection_id: &'a [u8],
    },
    /// That of version 1.3, byte for byte (RFC 9147 §4).
    Unified(&'a [u8]),
}

impl std::fmt::Debug for Association {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Association({:?}, {:?})", self.agreed.last().map(|(_, agreed)| agreed), self.counts)
    }
}

impl Association {
    /// A ClientHello in a record of this epoch: 0, or that of the keys under which a renegotiation goes.
    pub fn client_hello(&mut self, epoch: u16, random: &[u8; 32]) {
        if self.client_random != Some(*random) {
            self.client_random = Some(*random);
            self.forget(epoch);
        }
    }

    /// A ServerHello, other than a HelloRetryRequest, in a record of this epoch.
    pub fn server_hello(&mut self, epoch: u16, hello: Hello) {
        let Some(client_random) = self.client_random else { return };
        let agreed = Agreed { client_random, hello };
        let under = epoch.saturating_add(1);
        if self.agreed.contains(&(under, agreed)) {
            return;
        }
        self.forget(epoch);
        self.agreed.push((under, agreed));
        if self.agreed.len() > KEPT {
            self.agreed.remove(0);
        }
    }

    /// Takes a protected record of a sender. The plain text is in `out` afterwards if it is said to be open.
    pub fn open(&mut self, keys: &KeyLog, from: Sender, record: &SealedRecord<'_>, out: &mut Vec<u8>) -> Outcome {
        let found = if !record.whole {
            Err(Reason::Truncated)
        } else {
            match record.header {
                Header::Numbered { .. } => self.numbered(keys, from, record, out),
                Header::Unified(header) => self.unified(keys, from, header, record.payload, out),
            }
        };
        let outcome = match found {
            Ok((content_type, epoch, sequence)) => Outcome::Opened { content_type, epoch, sequence },
            Err(reason) => Outcome::Sealed(reason),
        };
        self.counts.add(outcome);
        outcome
    }

    /// What sealing another record in place of one of a sender takes that was opened and has this header, epoch and sequence number.
    #[must_use]
    pub fn seal(&self, from: Sender, header: &Header<'_>, epoch: u16, sequence: u64) -> Option<Seal> {
        let direction = from.of(self.directions.each_ref());
        let suite = direction.epochs.iter().find(|known| known.number == epoch)?.keys.suite();
        let (stage, number) = match header {
            Header::Numbered { .. } => (Stage::Legacy, u64::from(epoch) << 48 | sequence & 0xffff_ffff_ffff),
            Header::Unified(_) => {
                let label = match epoch {
                    EARLY => Label::ClientEarly,
                    HANDSHAKE => from.of(Label::HANDSHAKE),
                    _ => from.of(Label::TRAFFIC),
                };
                (Stage::Modern { label, updates: epoch.saturating_sub(APPLICATION), dtls: true }, sequence)
            }
        };
        let agreed = match stage {
            Stage::Legacy => self.agreed.iter().find(|(under, _)| *under == epoch).map(|(_, agreed)| *agreed),
            Stage::Modern { .. } => self.agreed.last().map(|(_, agreed)| *agreed),
        };
        let random = agreed.map(|agreed| agreed.client_random).or(self.client_random)?;
        Some(Seal { random, agreed, suite, stage, from, number })
    }

    /// How many of its records were opened.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether a ServerHello was seen.
    #[must_use]
    pub fn is_agreed(&self) -> bool {
        !self.agreed.is_empty()
    }

    /// What followed from a handshake in this epoch is over: another one began there.
    fn forget(&mut self, epoch: u16) {
        self.agreed.retain(|(under, _)| *under <= epoch);
        for direction in &mut self.directions {
            direction.epochs.retain(|known| known.number <= epoch);
            direction.searched = None;
        }
    }

    fn direction(&mut self, from: Sender) -> &mut Direction {
        from.of(self.directions.each_mut())
    }

    fn numbered(
        &mut self,
        log: &KeyLog,
        from: Sender,
        record: &SealedRecord<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(u8, u16, u64), Reason> {
        let Header::Numbered { content_type, version, epoch, sequence, connection_id } = record.header else {
            return Err(Reason::Unsupported);
        };
        let by = |number: u16| self.agreed.iter().find(move |(under, _)| *under == number).map(|(_, agreed)| *agreed);
        let agreed = by(epoch).ok_or(Reason::NoHello)?;
        let suite = Suite::of(agreed.hello.suite).ok_or(Reason::Unsupported)?;
        let prf = match agreed.hello.version {
            DTLS_1_2 => Prf::Of(suite.hash),
            DTLS_1_0 if suite.cipher.is_cbc() => Prf::Md5Sha1,
            _ => return Err(Reason::Unsupported),
        };
        let direction = self.direction(from);
        if !direction.epochs.iter().any(|known| known.number == epoch) && direction.searched != Some(log.revision()) {
            direction.searched = Some(log.revision());
            let master = log.find(&agreed.client_random, Label::Master).ok_or(Reason::NoKey)?;
            let keys = from.of(schedule::key_block(master.expose(), &agreed, prf, suite));
            direction.keep(Epoch { number: epoch, keys, secret: Zeroizing::default(), next: 0 });
            direction.searched = None;
        }
        let keys = &direction.epochs.iter().find(|known| known.number == epoch).ok_or(Reason::NoKey)?.keys;
        let hidden = content_type == TLS12_CID;
        let sealed = Sealed {
            content_type,
            version,
            connection_id: hidden.then_some(connection_id),
            encrypt_then_mac: agreed.hello.encrypt_then_mac,
            chained: None,
            payload: record.payload,
        };
        let number = u64::from(epoch) << 48 | sequence & 0xffff_ffff_ffff;
        keys.open(&sealed, [number], out).ok_or(Reason::Mismatch)?;
        let content_type = if hidden {
            // the type stands behind the contents, and zeros behind the type (RFC 9146 §4)
            let end = out.iter().rposition(|&byte| byte != 0).ok_or(Reason::Mismatch)?;
            let inner = out.get(end).copied().unwrap_or_default();
            out.truncate(end);
            inner
        } else {
            content_type
        };
        Ok((content_type, epoch, sequence))
    }

    fn unified(
        &mut self,
        log: &KeyLog,
        from: Sender,
        header: &[u8],
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(u8, u16, u64), Reason> {
        let random = self.client_random.ok_or(Reason::NoHello)?;
        let agreed = self.agreed.last().map(|(_, agreed)| *agreed);
        let bits = u16::from(header.first().copied().unwrap_or_default() & 0x03);
        if bits == EARLY
            && from == Sender::Client
            && self.direction(from).epochs.iter().all(|known| known.number <= EARLY)
        {
            let early = self.direction(from).early(log, &random, header, payload, out);
            if early.is_ok() || agreed.is_none() {
                return early;
            }
        }
        let agreed = agreed.ok_or(Reason::NoHello)?;
        let suite =
            Suite::of(agreed.hello.suite).filter(|_| agreed.hello.version == DTLS_1_3).ok_or(Reason::Unsupported)?;
        let direction = self.direction(from);
        let mut known = false;
        // the latest epoch that the two bits can mean first
        for at in (0..direction.epochs.len()).rev() {
            let Some(epoch) = direction.epochs.get_mut(at).filter(|epoch| epoch.number & 3 == bits) else { continue };
            known = true;
            if let Some(found) = epoch.open(header, payload, out) {
                return Ok(found);
            }
        }
        let latest = direction.epochs.last().map_or(EARLY, |epoch| epoch.number);
        let first = direction.epochs.is_empty() && direction.in_vain < FIRST;
        let ahead = if first { AHEAD_AT_FIRST } else { AHEAD };
        for number in (latest.saturating_add(1)..=latest.saturating_add(ahead)).filter(|number| number & 3 == bits) {
            let Some(secret) = direction.secret(log, &random, from, number, suite) else { continue };
            known = true;
            let keys = schedule::traffic_keys(&secret, suite, true);
            let mut epoch = Epoch { number, keys, secret, next: 0 };
            if let Some(found) = epoch.open(header, payload, out) {
                direction.keep(epoch);
                return Ok(found);
            }
        }
        direction.in_vain = direction.in_vain.saturating_add(u32::from(known));
        Err(if known { Reason::Mismatch } else { Reason::NoKey })
    }
}

impl Direction {
    fn keep(&mut self, epoch: Epoch) {
        self.epochs.push(epoch);
        if self.epochs.len() > KEPT {
            self.epochs.remove(0);
        }
    }

    /// The secret of an epoch: from the log, or from that of an epoch before it.
    fn secret(
        &self,
        log: &KeyLog,
        random: &[u8; 32],
        from: Sender,
        number: u16,
        suite: Suite,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let given = |label| log.find(random, label).map(|secret| Zeroizing::new(secret.expose().to_vec()));
        match number {
            HANDSHAKE => given(from.of(Label::HANDSHAKE)),
            APPLICATION => given(from.of(Label::TRAFFIC)),
            _ => {
                let before = self.epochs.last().filter(|epoch| epoch.number >= APPLICATION);
                let (mut at, mut secret) = match before {
                    Some(epoch) => (epoch.number, epoch.secret.clone()),
                    None => (APPLICATION, self.secret(log, random, from, APPLICATION, suite)?),
                };
                while at < number {
                    secret = schedule::next_secret(&secret, suite.hash, true);
                    at = at.saturating_add(1);
                }
                Some(secret)
            }
        }
    }

    /// Early data: under a suite of an earlier association.
    fn early(
        &mut self,
        log: &KeyLog,
        random: &[u8; 32],
        header: &[u8],
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(u8, u16, u64), Reason> {
        if let Some(epoch) = self.epochs.first_mut() {
            return epoch.open(header, payload, out).ok_or(Reason::Mismatch);
        }
        let secret = log.find(random, Label::ClientEarly).ok_or(Reason::NoKey)?.expose();
        for suite in Suite::with_secret_of(secret.len()).filter_map(Suite::of) {
            let keys = schedule::traffic_keys(secret, suite, true);
            let mut epoch = Epoch { number: EARLY, keys, secret: Zeroizing::default(), next: 0 };
            if let Some(found) = epoch.open(header, payload, out) {
                self.keep(epoch);
                return Ok(found);
            }
        }
        Err(Reason::Mismatch)
    }
}

impl Epoch {
    /// Opens a record with a unified header: content type, epoch and sequence number.
    fn open(&mut self, header: &[u8], payload: &[u8], out: &mut Vec<u8>) -> Option<(u8, u16, u64)> {
        let mask = self.keys.number_mask(payload)?;
        let bits = *header.first()?;
        let (length, number) = (if bits & 0x04 == 0 { 0 } else { 2 }, if bits & 0x08 == 0 { 1 } else { 2 });
        let mut clear = [0; 300];
        let clear = clear.get_mut(..header.len())?;
        clear.copy_from_slice(header);
        let end = header.len().checked_sub(length)?;
        let sent = clear.get_mut(end.checked_sub(number)?..end)?;
        sent.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        let low = sent.iter().fold(0, |low, &byte| low << 8 | u64::from(byte));
        let sequence = nearest(self.next, low, u32::try_from(number).ok()? * 8);
        let (content_type, _) = self.keys.open_1_3([sequence], clear, payload, out)?;
        self.next = self.next.max(sequence.wrapping_add(1));
        Some((content_type, self.number, sequence))
    }
}

/// The number nearest to the expected one that ends with these bits (RFC 9147 §4.2.2).
fn nearest(expected: u64, low: u64, bits: u32) -> u64 {
    let (window, half) = (1u64 << bits, 1u64 << (bits - 1));
    let candidate = expected & !(window - 1) | low;
    if candidate.saturating_add(half) < expected {
        candidate.wrapping_add(window)
    } else if candidate > expected.saturating_add(half) && candidate >= window {
        candidate - window
    } else {
        candidate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_number_is_the_nearest_that_ends_so() {
        assert_eq!(nearest(0, 5, 8), 5);
        assert_eq!(nearest(0, 250, 8), 250);
        assert_eq!(nearest(256, 255, 8), 255);
        assert_eq!(nearest(250, 3, 8), 259);
        assert_eq!(nearest(0x1_0001, 0xffff, 16), 0xffff);
        assert_eq!(nearest(0xffff, 1, 16), 0x1_0001);
    }
}
