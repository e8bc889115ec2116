//! The records of a datagram: whether they are any, and one after the other.

use super::fragment::Fragment;
use super::record::{Form, HEADER, MAX_LENGTH, MIN_CIPHERTEXT, Record};
use crate::wire::handshake::{AlertLevel, ContentType, HandshakeType, Version};

/// The longest connection id that is looked for where its length is not known; implementations use 4 to 20 bytes.
const MAX_GUESSED_ID: usize = 32;
/// Epochs that a datagram of an unknown flow may have: one more for each renegotiation or key update.
const MAX_EPOCH: u16 = 255;
/// The shortest protected record: the tag of the shortest suite, and its explicit nonce.
const MIN_PROTECTED: usize = 16;
/// The bits C and L of a unified header, `001CSLEE` (RFC 9147 §4): a connection id is in it, a length is.
const HAS_CONNECTION_ID: u8 = 0x10;
const HAS_LENGTH: u8 = 0x04;

/// Iterator over the records of a datagram.
#[derive(Clone, Copy)]
pub struct Records<'a> {
    datagram: &'a [u8],
    at: usize,
    truncated: bool,
    connection_id: Option<u8>,
}

impl<'a> Records<'a> {
    /// Recognises DTLS by what it is, on any flow.
    ///
    /// The first record has a plain header with a version of DTLS, a length that fits the datagram, and a content type that can have the
    /// epoch; its contents, where they are in the clear, make sense; and records account for the whole datagram, unless it begins with a
    /// handshake message. `truncated` says that bytes are missing at the end of `payload`.
    #[must_use]
    pub fn recognise(payload: &'a [u8], truncated: bool) -> Option<Records<'a>> {
        let records = Records { datagram: payload, at: 0, truncated, connection_id: None };
        let mut walk = records;
        let first = walk.next()?;
        if !is_sane(&first) {
            return None;
        }
        let telling = first.is_plain() && first.content_type == ContentType::HANDSHAKE;
        let mut last = first;
        for record in walk {
            if record.form != Form::Unified && !is_sane(&record) && !telling {
                return None;
            }
            last = record;
        }
        (last.trailing == 0 || telling).then_some(records)
    }

    /// Reads a datagram of a flow that is known to be DTLS: what is wrong is shown, and told by [`Record::problem`]; records may have a
    /// unified header. `connection_id` is the number of bytes that the receiver's connection ids have, where that is known.
    #[must_use]
    pub fn on_dtls_flow(payload: &'a [u8], truncated: bool, connection_id: Option<u8>) -> Option<Records<'a>> {
        let records = Records { datagram: payload, at: 0, truncated, connection_id };
        let mut walk = records;
        walk.next()?;
        Some(records)
    }

    /// Reads a datagram of which only the way tells that it may be DTLS, since ICE runs on it (RFC 7983 §7): it is, if records with the unified
    /// header that WebRTC's stacks write, without connection id and with a length, fill it. What other software sends there seldom looks so.
    #[must_use]
    pub fn where_ice_runs(payload: &'a [u8], truncated: bool) -> Option<Records<'a>> {
        let records = Records { datagram: payload, at: 0, truncated, connection_id: None };
        let mut last = None;
        for record in records {
            let bits = payload.get(record.offset).filter(|_| record.form == Form::Unified)?;
            if bits & (HAS_CONNECTION_ID | HAS_LENGTH) != HAS_LENGTH {
                return None;
            }
            last = Some(record);
        }
        last.is_some_and(|last| last.trailing == 0).then_some(records)
    }

    fn read(&self) -> Option<Record<'a>> {
        let rest = self.datagram.get(self.at..)?;
        match rest.first()? {
            20..=27 => self.plain(rest),
            32..=63 => self.unified(rest),
            _ => None,
        }
    }

    fn plain(&self, rest: &'a [u8]) -> Option<Record<'a>> {
        let (&[kind, v0, v1, e0, e1, s0, s1, s2, s3, s4, s5, l0, l1], payload) = rest.split_first_chunk::<HEADER>()?;
        let version = Version(u16::from_be_bytes([v0, v1]));
        if !matches!(version, Version::DTLS_1_2 | Version::DTLS_1_0 | Version::DTLS_OPENSSL | Version::DTLS_1_3) {
            return None;
        }
        let mut record = Record {
            form: Form::Plain,
            content_type: ContentType(kind),
            version,
            epoch: u16::from_be_bytes([e0, e1]),
            sequence: Some(u64::from_be_bytes([0, 0, s0, s1, s2, s3, s4, s5])),
            connection_id: &[],
            offset: self.at,
            header: HEADER,
            length: usize::from(u16::from_be_bytes([l0, l1])),
            payload,
            truncated: false,
            trailing: 0,
            opened: false,
        };
        if record.content_type == ContentType::TLS12_CID {
            self.identified(&mut record, rest);
        }
        Some(self.bounded(record))
    }

    /// The connection id and the length after it. Where the id's length is not known, it is the one with which the record ends where the
    /// datagram does; failing that, all that follows is taken for contents.
    fn identified(&self, record: &mut Record<'a>, rest: &'a [u8]) {
        const ID_AT: usize = HEADER - 2;
        record.form = Form::ConnectionId;
        let with = |id: usize| {
            let (id, rest) = rest.get(ID_AT..)?.split_at_checked(id)?;
            let (&length, payload) = rest.split_first_chunk::<2>()?;
            Some((id, usize::from(u16::from_be_bytes(length)), payload))
        };
        let fits = |&(_, length, payload): &(&[u8], usize, &[u8])| {
            length >= MIN_PROTECTED && (payload.len() == length || (self.truncated && payload.len() < length))
        };
        let known = self.connection_id.and_then(|length| with(length.into()));
        // A truncated datagram fits any id: nothing is guessed.
        let guessed = || if self.truncated { None } else { (0..=MAX_GUESSED_ID).filter_map(with).find(fits) };
        if let Some((id, length, payload)) = known.or_else(guessed) {
            record.connection_id = id;
            record.header = HEADER + id.len();
            record.length = length;
            record.payload = payload;
        } else {
            record.header = ID_AT;
            record.payload = rest.get(ID_AT..).unwrap_or_default();
            record.length = record.payload.len();
        }
    }

    fn unified(&self, rest: &'a [u8]) -> Option<Record<'a>> {
        let (&bits, mut after) = rest.split_first()?;
        let mut connection_id: &[u8] = &[];
        let mut has_length = bits & HAS_LENGTH != 0;
        if bits & HAS_CONNECTION_ID != 0 {
            match self.connection_id {
                Some(length) => (connection_id, after) = after.split_at_checked(length.into())?,
                None => has_length = false, // where it stands is not known: the record is taken to fill the datagram
            }
        }
        let sequence = if bits & 0x08 != 0 { 2 } else { 1 };
        let (_, mut payload) = after.split_at_checked(sequence)?;
        let mut length = payload.len();
        if has_length {
            let (&declared, rest) = payload.split_first_chunk::<2>()?;
            (length, payload) = (usize::from(u16::from_be_bytes(declared)), rest);
        }
        // Nothing else in it could tell that it is no record, so its length must be right.
        let fits = if has_length { length >= MIN_CIPHERTEXT } else { self.truncated || length >= MIN_CIPHERTEXT };
        if !fits || (length > payload.len() && !self.truncated) {
            return None;
        }
        Some(self.bounded(Record {
            form: Form::Unified,
            content_type: ContentType::CIPHERTEXT,
            version: Version::DTLS_1_3,
            epoch: u16::from(bits & 0x03),
            sequence: None,
            connection_id,
            offset: self.at,
            header: rest.len() - payload.len(),
            length,
            payload,
            truncated: self.truncated && !has_length,
            trailing: 0,
            opened: false,
        }))
    }

    /// Cuts the contents to their length, or says that they are.
    fn bounded(&self, mut record: Record<'a>) -> Record<'a> {
        match record.payload.get(..record.length) {
            Some(payload) => record.payload = payload,
            None => record.truncated = self.truncated,
        }
        record
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    #[inline]
    fn next(&mut self) -> Option<Record<'a>> {
        let mut record = self.read()?;
        self.at = record.offset + record.header + record.payload.len();
        if self.at < self.datagram.len() && self.read().is_none() {
            record.trailing = self.datagram.len() - self.at;
            self.at = self.datagram.len();
        }
        Some(record)
    }
}

/// Whether a record with a plain header makes sense by itself.
fn is_sane(record: &Record<'_>) -> bool {
    use ContentType as C;
    let Record { form, content_type, version, epoch, length, payload, truncated, .. } = *record;
    let whole = payload.len() == length || truncated;
    if form == Form::Unified || version == Version::DTLS_1_3 || !whole || length > MAX_LENGTH || epoch > MAX_EPOCH {
        return false;
    }
    if epoch > 0 {
        let known = matches!(
            content_type,
            C::CHANGE_CIPHER_SPEC | C::ALERT | C::HANDSHAKE | C::APPLICATION_DATA | C::HEARTBEAT
        );
        // With an id of unknown length, a datagram that the record does not fill says nothing.
        let identified = content_type == C::TLS12_CID && record.header >= HEADER;
        return (known || identified) && length >= MIN_PROTECTED;
    }
    match content_type {
        C::CHANGE_CIPHER_SPEC => matches!(payload, [1]) && length == 1,
        C::ALERT => record.alert().is_some_and(|alert| {
            matches!(alert.level, AlertLevel::WARNING | AlertLevel::FATAL) && alert.description.name().is_some()
        }),
        C::HANDSHAKE => record.fragments().next().is_some_and(|fragment| is_plausible(&fragment)),
        C::ACK => is_ack(payload, length),
        _ => false,
    }
}

/// Whether a first fragment is one: of a message that goes in the clear, and within the record as within the message.
fn is_plausible(fragment: &Fragment<'_>) -> bool {
    /// No handshake has more messages than this in one direction.
    const MAX_SEQUENCE: u16 = 64;
    let known = fragment.kind.name().is_some() && fragment.kind != HandshakeType(254);
    known && fragment.problem().is_none() && fragment.sequence <= MAX_SEQUENCE
}

/// A list of record numbers, 16 bytes each (RFC 9147 §7).
fn is_ack(payload: &[u8], length: usize) -> bool {
    match payload.split_first_chunk::<2>() {
        Some((&listed, _)) => {
            let listed = usize::from(u16::from_be_bytes(listed));
            listed + 2 == length && listed.is_multiple_of(16)
        }
        None => false,
    }
}
