//! The records of one TLS connection, in order (RFC 5246, RFC 8446).

use super::hello::{Agreed, Hello, Sender};
use super::log::{KeyLog, Label};
use super::outcome::{Counts, Outcome, Reason};
use super::protection::{BLOCK, Keys, Sealed, explicit, last_block};
use super::schedule::{self, Prf};
use super::seal::{Seal, Stage};
use super::search::Numbers;
use super::suite::Suite;
use crate::secret::Secret;
use zeroize::Zeroizing;

const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const TLS_1_0: u16 = 0x0301;
const TLS_1_2: u16 = 0x0303;
const TLS_1_3: u16 = 0x0304;

/// One connection: what its hellos agreed on, and for each direction the keys in use and the number of the next record.
///
/// It is told of every hello and of every record in order, and of bytes that are missing; then [`Connection::open`] knows which records are
/// protected and opens them. It may be made before there are keys: they are looked for when the first protected record comes, and again whenever the
/// key log has grown.
#[derive(Default)]
pub struct Connection {
    client_random: Option<[u8; 32]>,
    agreed: Option<Agreed>,
    /// Whether a HelloRetryRequest told that the version is 1.3.
    retried: bool,
    /// Client and server.
    directions: [Direction; 2],
    counts: Counts,
    /// What sealing another record in place of the last takes, where that was opened.
    last: Option<Seal>,
}

/// One direction.
#[derive(Default)]
struct Direction {
    phase: Phase,
    /// What the keys in use were agreed by.
    agreed: Option<Agreed>,
    keys: Option<Box<Keys>>,
    /// The secret of the keys in use, for those after a key update.
    secret: Option<Zeroizing<Vec<u8>>>,
    numbers: Numbers,
    /// The key log as it was when a key was looked for in vain.
    searched: Option<u32>,
    /// The last block of the last record, which TLS 1.0 goes on with.
    chained: Option<[u8; BLOCK]>,
    /// The explicit nonce of the last record that was opened, and its number.
    explicit: Option<(u64, u64)>,
    /// Whether bytes are missing before the next record.
    gap: bool,
    /// Key updates so far (RFC 8446 §4.6.3).
    updates: u16,
}

/// Which keys are in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// None.
    #[default]
    Clear,
    /// Those after ChangeCipherSpec, up to version 1.2.
    Legacy,
    /// Version 1.3: early data, handshake, application.
    Early,
    Handshake,
    Application,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [client, server] = &self.directions;
        write!(
            f,
            "Connection({:?}, client {:?}, server {:?}, {:?})",
            self.agreed, client.phase, server.phase, self.counts
        )
    }
}

impl Connection {
    /// Its ClientHello, also a second one after a HelloRetryRequest or one of a renegotiation, which came out of [`Connection::open`].
    pub fn client_hello(&mut self, random: &[u8; 32]) {
        self.client_random = Some(*random);
    }

    /// Its ServerHello, other than a HelloRetryRequest; also that of a renegotiation.
    pub fn server_hello(&mut self, hello: Hello) {
        let Some(client_random) = self.client_random else { return };
        let agreed = Agreed { client_random, hello };
        self.agreed = Some(agreed);
        if hello.version >= TLS_1_3 {
            for direction in &mut self.directions {
                if matches!(direction.phase, Phase::Clear | Phase::Legacy) {
                    direction.enter(Phase::Handshake, Some(agreed));
                }
                direction.agreed = Some(agreed);
            }
        }
    }

    /// A HelloRetryRequest (RFC 8446 §4.1.4): the version is 1.3, and another ClientHello follows.
    pub fn hello_retry_request(&mut self) {
        self.retried = true;
    }

    /// Bytes of a direction are missing from the capture; the next record that comes is the first behind them.
    pub fn missing(&mut self, from: Sender, bytes: u64) {
        let direction = self.direction(from);
        direction.numbers.missing(bytes);
        direction.gap = true;
        direction.chained = None;
    }

    /// Takes the next record of a sender: content type and version of its header, and what follows the header. `whole` is false where the
    /// capture holds only a part of it. The plain text is in `out` afterwards if it is said to be open.
    pub fn open(
        &mut self,
        keys: &KeyLog,
        from: Sender,
        (content_type, version): (u8, u16),
        (payload, whole): (&[u8], bool),
        out: &mut Vec<u8>,
    ) -> Outcome {
        let record = Record { content_type, version, payload };
        let outcome = self.outcome(keys, from, &record, whole, out);
        let direction = self.direction(from);
        match outcome {
            Outcome::Clear => {}
            Outcome::Opened { sequence, .. } => {
                direction.numbers.opened(sequence);
                direction.gap = false;
            }
            Outcome::Sealed(_) => direction.numbers.passed(),
        }
        self.last = match outcome {
            Outcome::Opened { sequence, .. } => self.sealing(from, sequence),
            Outcome::Clear | Outcome::Sealed(_) => None,
        };
        let protected = outcome != Outcome::Clear;
        let agreed = self.agreed;
        let direction = self.direction(from);
        if protected && content_type == CHANGE_CIPHER_SPEC && direction.phase == Phase::Legacy {
            direction.enter(Phase::Legacy, agreed); // the end of a renegotiation
        }
        self.counts.add(outcome);
        outcome
    }

    /// What sealing another record in place of the last one takes, where that was opened.
    #[must_use]
    pub fn seal(&self) -> Option<Seal> {
        self.last
    }

    /// Whether the version is 1.3.
    #[must_use]
    pub fn is_1_3(&self) -> bool {
        self.retried || self.agreed.is_some_and(|agreed| agreed.hello.version >= TLS_1_3)
    }

    /// How many of its records were opened.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The random of its last ClientHello.
    #[must_use]
    pub fn client_random(&self) -> Option<&[u8; 32]> {
        self.client_random.as_ref()
    }

    fn sealing(&self, from: Sender, number: u64) -> Option<Seal> {
        let direction = from.of(self.directions.each_ref());
        let stage = match direction.phase {
            Phase::Clear => return None,
            Phase::Legacy => Stage::Legacy,
            phase => Stage::Modern { label: label(phase, from), updates: direction.updates, dtls: false },
        };
        let agreed = direction.agreed.or(self.agreed);
        let random = agreed.map(|agreed| agreed.client_random).or(self.client_random)?;
        Some(Seal { random, agreed, suite: direction.keys.as_ref()?.suite(), stage, from, number })
    }

    fn direction(&mut self, from: Sender) -> &mut Direction {
        from.of(self.directions.each_mut())
    }

    fn outcome(&mut self, keys: &KeyLog, from: Sender, record: &Record<'_>, whole: bool, out: &mut Vec<u8>) -> Outcome {
        let (agreed, client_random) = (self.agreed, self.client_random);
        let is_1_3 = self.is_1_3();
        // a client that hopes for version 1.3 may say it right behind its hello
        let hopes = agreed.is_none() && client_random.is_some() && from == Sender::Client;
        let direction = self.direction(from);
        // under keys it is in the clear all the same where it is one byte long, which no protected one is
        if record.content_type == CHANGE_CIPHER_SPEC
            && (is_1_3 || direction.phase != Phase::Legacy || record.payload.len() <= 1)
        {
            // in version 1.3 it says nothing (RFC 8446 §5)
            if !is_1_3 && !hopes && direction.phase != Phase::Early {
                direction.enter(Phase::Legacy, agreed);
            }
            return Outcome::Clear;
        }
        if is_1_3 {
            if record.content_type != APPLICATION_DATA {
                return Outcome::Clear;
            }
        } else if direction.phase == Phase::Clear {
            if hopes && record.content_type == APPLICATION_DATA {
                direction.enter(Phase::Early, None);
            } else if direction.gap && agreed.is_some() {
                return self.behind_a_gap(keys, from, record, whole, out);
            } else if record.content_type == APPLICATION_DATA {
                return Outcome::Sealed(Reason::NoHello);
            } else {
                return Outcome::Clear;
            }
        }
        if !whole {
            return Outcome::Sealed(Reason::Truncated);
        }
        let direction = self.direction(from);
        let found = match direction.phase {
            Phase::Legacy => direction.legacy(keys, from, record, out),
            _ => direction.modern(keys, from, client_random, record, out),
        };
        match found {
            Ok((content_type, sequence)) => Outcome::Opened { content_type, epoch: 0, sequence },
            Err(reason) => Outcome::Sealed(reason),
        }
    }

    /// A record of which it is not known whether it is protected: ChangeCipherSpec may be among what is missing.
    fn behind_a_gap(
        &mut self,
        keys: &KeyLog,
        from: Sender,
        record: &Record<'_>,
        whole: bool,
        out: &mut Vec<u8>,
    ) -> Outcome {
        let agreed = self.agreed;
        let direction = self.direction(from);
        let lost = direction.numbers.lost;
        let mut trial = Direction { gap: true, ..Direction::default() };
        trial.enter(Phase::Legacy, agreed);
        trial.numbers.lost = lost;
        if whole && let Ok((content_type, sequence)) = trial.legacy(keys, from, record, out) {
            *direction = trial;
            return Outcome::Opened { content_type, epoch: 0, sequence };
        }
        if record.content_type == APPLICATION_DATA || record.content_type == HANDSHAKE && !is_handshake(record.payload)
        {
            *direction = trial;
            return Outcome::Sealed(if whole { Reason::Missing } else { Reason::Truncated });
        }
        Outcome::Clear
    }
}

/// Whether the first bytes of a record can be a handshake message in the clear: a known type, and a length that goes with the record's.
fn is_handshake(payload: &[u8]) -> bool {
    matches!(payload, [0..=24, 0, _, _, ..])
}

struct Record<'a> {
    content_type: u8,
    version: u16,
    payload: &'a [u8],
}

impl Direction {
    fn enter(&mut self, phase: Phase, agreed: Option<Agreed>) {
        *self = Direction { phase, agreed, ..Direction::default() };
    }

    /// Why nothing fits: records are missing, or the keys do not.
    fn failure(&self) -> Reason {
        let missing = self.gap || self.numbers.lost > 0;
        if missing { Reason::Missing } else { Reason::Mismatch }
    }

    /// Up to version 1.2: content type and sequence number.
    fn legacy(
        &mut self,
        log: &KeyLog,
        from: Sender,
        record: &Record<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(u8, u64), Reason> {
        let agreed = self.agreed.ok_or(Reason::NoHello)?;
        let version = agreed.hello.version;
        let suite = Suite::of(agreed.hello.suite).ok_or(Reason::Unsupported)?;
        let prf = match version {
            TLS_1_2 => Prf::Of(suite.hash),
            TLS_1_0..TLS_1_2 if suite.cipher.is_cbc() => Prf::Md5Sha1,
            _ => return Err(Reason::Unsupported),
        };
        if self.keys.is_none() && self.searched != Some(log.revision()) {
            self.searched = Some(log.revision());
            let master = log.find(&agreed.client_random, Label::Master);
            let of = |master: &Secret| from.of(schedule::key_block(master.expose(), &agreed, prf, suite));
            self.keys = master.map(|master| Box::new(of(master)));
        }
        let Some(keys) = &self.keys else { return Err(self.no_key(record)) };
        let chained = if version == TLS_1_0 {
            // the block before a record that was lost is lost, too: its first block is then garbled, and the next record opens again
            Some(self.chained.unwrap_or_else(|| if self.numbers.next == 0 { keys.first_block() } else { [0; BLOCK] }))
        } else {
            None
        };
        let sealed = Sealed {
            content_type: record.content_type,
            version: record.version,
            connection_id: None,
            encrypt_then_mac: agreed.hello.encrypt_then_mac,
            chained,
            payload: record.payload,
        };
        let explicit = explicit(record.payload).filter(|_| suite.cipher.explicit_nonce() > 0);
        let hint = explicit.zip(self.explicit).map(|(new, (old, number))| number.wrapping_add(new.wrapping_sub(old)));
        // some count the nonce as they count records, and a record that is far away is nothing that could be a number
        let hint =
            hint.filter(|hint| hint.wrapping_sub(self.numbers.next) < 1 << 32).or(explicit.filter(|&e| e < 1 << 32));
        let found = keys.open(&sealed, self.numbers.candidates(hint), out);
        if version == TLS_1_0 {
            self.chained = last_block(record.payload, suite, &agreed.hello);
        }
        let Some(number) = found else { return Err(self.failure()) };
        self.explicit = explicit.map(|explicit| (explicit, number));
        Ok((record.content_type, number))
    }

    /// Version 1.3: the content type inside, and the sequence number.
    fn modern(
        &mut self,
        log: &KeyLog,
        from: Sender,
        client_random: Option<[u8; 32]>,
        record: &Record<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(u8, u64), Reason> {
        let random = client_random.ok_or(Reason::NoHello)?;
        let length = u16::try_from(record.payload.len()).unwrap_or(u16::MAX).to_be_bytes();
        let [major, minor] = record.version.to_be_bytes();
        let header = [record.content_type, major, minor, length[0], length[1]];
        if self.phase == Phase::Early {
            if let Some(found) = self.early(log, &random, &header, record, out) {
                return Ok(found);
            }
            if self.agreed.is_none() {
                return Err(if log.find(&random, Label::ClientEarly).is_some() {
                    self.failure()
                } else {
                    Reason::NoKey
                });
            }
        }
        let agreed = self.agreed.ok_or(Reason::NoHello)?;
        let suite =
            Suite::of(agreed.hello.suite).filter(|_| agreed.hello.version == TLS_1_3).ok_or(Reason::Unsupported)?;
        if self.keys.is_none() && self.phase != Phase::Early && self.searched != Some(log.revision()) {
            self.searched = Some(log.revision());
            if let Some(secret) = log.find(&random, label(self.phase, from)) {
                self.take_secret(Zeroizing::new(secret.expose().to_vec()), suite);
            }
        }
        if let Some(keys) = self.keys.as_ref().filter(|_| self.phase != Phase::Early)
            && let Some(found) = keys.open_1_3(self.numbers.candidates(None), &header, record.payload, out)
        {
            return Ok(found);
        }
        // not these: the next ones, if they have begun
        let later: &[Phase] = match self.phase {
            Phase::Early => &[Phase::Handshake, Phase::Application],
            Phase::Handshake => &[Phase::Application],
            _ => &[],
        };
        let mut known = self.keys.is_some();
        for &phase in later {
            let Some(secret) = log.find(&random, label(phase, from)) else { continue };
            known = true;
            if let Some(found) = self.try_next(phase, secret.expose(), suite, &header, record, out) {
                return Ok(found);
            }
        }
        if let (Phase::Application, Some(secret)) = (self.phase, self.secret.take()) {
            let next = schedule::next_secret(&secret, suite.hash, false);
            let found = self.try_next(Phase::Application, &next, suite, &header, record, out);
            if let Some(found) = found {
                return Ok(found);
            }
            self.secret = Some(secret);
        }
        Err(if known { self.failure() } else { self.no_key(record) })
    }

    /// Tries the keys of another secret, and goes over to them if they fit.
    fn try_next(
        &mut self,
        phase: Phase,
        secret: &[u8],
        suite: Suite,
        header: &[u8],
        record: &Record<'_>,
        out: &mut Vec<u8>,
    ) -> Option<(u8, u64)> {
        let keys = schedule::traffic_keys(secret, suite, false);
        let found = keys.open_1_3(self.numbers.candidates_after(), header, record.payload, out);
        if found.is_some() {
            let again = self.phase == Phase::Application && phase == Phase::Application;
            self.updates = if again { self.updates.saturating_add(1) } else { 0 };
            self.phase = phase;
            self.keys = Some(Box::new(keys));
            self.secret = Some(Zeroizing::new(secret.to_vec()));
        }
        found
    }

    /// Early data: under a suite of an earlier connection, which only the length of the secret tells something of.
    fn early(
        &mut self,
        log: &KeyLog,
        random: &[u8; 32],
        header: &[u8],
        record: &Record<'_>,
        out: &mut Vec<u8>,
    ) -> Option<(u8, u64)> {
        let secret = log.find(random, Label::ClientEarly)?.expose();
        if let Some(keys) = &self.keys {
            return keys.open_1_3(self.numbers.candidates(None), header, record.payload, out);
        }
        Suite::with_secret_of(secret.len())
            .filter_map(Suite::of)
            .find_map(|suite| self.try_next(Phase::Early, secret, suite, header, record, out))
    }

    fn take_secret(&mut self, secret: Zeroizing<Vec<u8>>, suite: Suite) {
        self.keys = Some(Box::new(schedule::traffic_keys(&secret, suite, false)));
        self.secret = Some(secret);
    }

    /// There is no key: what a later one needs of the record is kept.
    fn no_key(&mut self, record: &Record<'_>) -> Reason {
        if let Some(agreed) = self.agreed.filter(|agreed| agreed.hello.version == TLS_1_0)
            && let Some(suite) = Suite::of(agreed.hello.suite)
        {
            self.chained = last_block(record.payload, suite, &agreed.hello);
        }
        Reason::NoKey
    }
}

fn label(phase: Phase, from: Sender) -> Label {
    match phase {
        Phase::Early => Label::ClientEarly,
        Phase::Handshake => from.of(Label::HANDSHAKE),
        _ => from.of(Label::TRAFFIC),
    }
}
