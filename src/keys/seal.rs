//! Records sealed anew: what stands in place of a record that was opened, as long as it, under the keys of another log.

use super::dtls::{Header, SealedRecord};
use super::hello::{Agreed, Sender};
use super::log::{KeyLog, Label};
use super::protection::{BLOCK, Keys, Sealed};
use super::schedule::{self, Prf};
use super::suite::Suite;
use crate::secret::Secret;
use std::collections::{BTreeSet, HashMap};
use std::fmt;

/// Keys that are kept ready; then they are computed again.
const READY: usize = 256;

const TLS_1_0: u16 = 0x0301;

/// Which keys opened a record, and its number: what is needed to seal another in its place.
#[derive(Clone, Copy)]
pub struct Seal {
    pub(super) random: [u8; 32],
    pub(super) agreed: Option<Agreed>,
    pub(super) suite: Suite,
    pub(super) stage: Stage,
    pub(super) from: Sender,
    /// With DTLS up to version 1.2 the epoch is in the upper 16 bits.
    pub(super) number: u64,
}

/// Which of a connection's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    /// Those of the key block, up to version 1.2.
    Legacy,
    /// Those of a secret of version 1.3, after so many updates.
    Modern { label: Label, updates: u16, dtls: bool },
}

impl Seal {
    fn name(&self) -> Name {
        (self.random, self.agreed.map_or([0; 32], |agreed| agreed.hello.random), self.from, self.stage)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seal({:?}, {:?}, record {})", self.suite.cipher, self.stage, self.number)
    }
}

/// What keys are of: client and server random, sender and stage.
type Name = ([u8; 32], [u8; 32], Sender, Stage);

/// Seals records with the secrets of one log, and knows which of them it used.
#[derive(Default)]
pub struct Sealer {
    log: KeyLog,
    used: BTreeSet<[u8; 32]>,
    ready: HashMap<Name, Keys>,
    /// Of TLS 1.0: number and last block of the last record, which the next one goes on with.
    last: HashMap<Name, (u64, [u8; BLOCK])>,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({:?}, {} connections)", self.log, self.used.len())
    }
}

impl Sealer {
    /// A sealer with the secrets of a log.
    #[must_use]
    pub fn new(log: KeyLog) -> Sealer {
        Sealer { log, ..Sealer::default() }
    }

    /// What follows the header of a TLS record that is sealed in place of another: `head` is content type and version of that one's header, `start` the
    /// first 16 bytes of what follows it, and `length` how much that is. `content` is what is inside, and its type. `None` where nothing of that
    /// length can be made: the contents must be as long as those that were opened, and the records of TLS 1.0 follow each other without a gap.
    pub fn tls(
        &mut self,
        seal: &Seal,
        head: (u8, u16),
        (start, length): (&[u8], usize),
        (content_type, content): (u8, &[u8]),
    ) -> Option<Vec<u8>> {
        if seal.stage == Stage::Legacy {
            let mut like = legacy(seal, head, None, start);
            if seal.agreed.is_none_or(|agreed| agreed.hello.version != TLS_1_0) {
                return self.keys(seal)?.seal(seal.number, &like, length, content);
            }
            let first = self.keys(seal)?.first_block();
            let before = self.last.get(&seal.name()).filter(|(number, _)| number.checked_add(1) == Some(seal.number));
            like.chained = if seal.number == 0 { Some(first) } else { Some(before?.1) };
            let sealed = self.keys(seal)?.seal(seal.number, &like, length, content)?;
            let mac = seal.suite.mac.filter(|_| like.encrypt_then_mac).map_or(0, |hash| hash.bytes());
            let last = sealed.get(..sealed.len().checked_sub(mac)?)?.last_chunk()?;
            if self.last.len() >= READY {
                self.last.clear();
            }
            self.last.insert(seal.name(), (seal.number, *last));
            return Some(sealed);
        }
        let keys = self.keys(seal)?;
        let ([major, minor], [l0, l1]) = (head.1.to_be_bytes(), u16::try_from(length).ok()?.to_be_bytes());
        keys.seal_1_3(seal.number, &[head.0, major, minor, l0, l1], (content_type, content), length)
    }

    /// The same of a DTLS record: its header, in which only a number that is encrypted changes, and what follows it.
    pub fn dtls(
        &mut self,
        seal: &Seal,
        record: &SealedRecord<'_>,
        (content_type, content): (u8, &[u8]),
    ) -> Option<(Option<Vec<u8>>, Vec<u8>)> {
        let keys = self.keys(seal)?;
        let length = record.payload.len();
        match record.header {
            Header::Numbered { content_type: outer, version, connection_id, .. } => {
                let id = (outer != content_type).then_some(connection_id);
                let like = legacy(seal, (outer, version), id, record.payload);
                let mut inner = content.to_vec();
                if id.is_some() {
                    inner.push(content_type);
                    inner.resize(keys.room(length)?, 0);
                }
                Some((None, keys.seal(seal.number, &like, length, &inner)?))
            }
            Header::Unified(header) => {
                let bits = *header.first()?;
                let (fixed, size) = (if bits & 0x04 == 0 { 0 } else { 2 }, if bits & 0x08 == 0 { 1 } else { 2 });
                let end = header.len().checked_sub(fixed)?;
                let number = end.checked_sub(size)?..end;
                let mut header = header.to_vec();
                let low = seal.number.to_be_bytes();
                let low = low.get(low.len().checked_sub(size)?..)?;
                header.get_mut(number.clone())?.copy_from_slice(low);
                let payload = keys.seal_1_3(seal.number, &header, (content_type, content), length)?;
                let mask = keys.number_mask(&payload)?;
                header.get_mut(number)?.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
                Some((Some(header), payload))
            }
        }
    }

    /// How many connections there are of which something was sealed.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.used.len()
    }

    /// The lines of the log that open what was sealed.
    #[must_use]
    pub fn log(&self) -> Secret {
        self.log.lines(self.used.iter())
    }

    fn keys(&mut self, seal: &Seal) -> Option<&Keys> {
        let name = seal.name();
        if !self.ready.contains_key(&name) {
            let keys = self.derive(seal)?;
            if self.ready.len() >= READY {
                self.ready.clear();
            }
            self.ready.insert(name, keys);
            self.used.insert(seal.random);
        }
        self.ready.get(&name)
    }

    fn derive(&self, seal: &Seal) -> Option<Keys> {
        match seal.stage {
            Stage::Legacy => {
                let agreed = seal.agreed?;
                let prf = match agreed.hello.version {
                    0x0303 | 0xfefd => Prf::Of(seal.suite.hash),
                    TLS_1_0 | 0x0302 | 0xfeff => Prf::Md5Sha1,
                    _ => return None,
                };
                let master = self.log.find(&seal.random, Label::Master)?;
                Some(seal.from.of(schedule::key_block(master.expose(), &agreed, prf, seal.suite)))
            }
            Stage::Modern { label, updates, dtls } => {
                let first = self.log.find(&seal.random, label)?;
                let mut secret = zeroize::Zeroizing::new(first.expose().to_vec());
                for _ in 0..updates {
                    secret = schedule::next_secret(&secret, seal.suite.hash, dtls);
                }
                Some(schedule::traffic_keys(&secret, seal.suite, dtls))
            }
        }
    }
}

fn legacy<'a>(seal: &Seal, head: (u8, u16), connection_id: Option<&'a [u8]>, payload: &'a [u8]) -> Sealed<'a> {
    let encrypt_then_mac = seal.agreed.is_some_and(|agreed| agreed.hello.encrypt_then_mac);
    Sealed { content_type: head.0, version: head.1, connection_id, encrypt_then_mac, chained: None, payload }
}
