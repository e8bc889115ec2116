//! What a client says of itself in every request, remembered: who begins with the same bytes as last time says the same.

use crate::session::tables::names::{Name, Names};
use crate::time::Timestamp;
use crate::wire::stun::{AttributeCode, Message};

/// The USERNAME, REALM and NONCE of a client's requests, where they stand side by side.
#[derive(Clone, Copy, Debug)]
pub(in crate::session) struct Remembered {
    digest: u64,
    length: u16,
    pub(in crate::session) user: Name,
    pub(in crate::session) realm: Name,
    /// Digest of the nonce.
    pub(in crate::session) nonce: u64,
    /// When the client came with it last, if it is the one to whom the nonce was given. That is told to the table of
    /// [nonces](super::nonce::Nonces) only when the client comes with another one.
    pub(in crate::session) echoed: Option<Timestamp>,
}

impl Remembered {
    /// What is to be remembered of a message, of which everything else is known.
    pub(in crate::session) fn of(
        message: &Message<'_>,
        names: &Names,
        (user, realm): (Name, Name),
        nonce: u64,
        echoed: Option<Timestamp>,
    ) -> Option<Remembered> {
        let mut attributes = message.attributes();
        let first = attributes.find(|attribute| attribute.code == AttributeCode::USERNAME)?;
        let is_next = |code| attributes.next().is_some_and(|attribute| attribute.code == code);
        if ![AttributeCode::REALM, AttributeCode::NONCE].into_iter().all(is_next) {
            return None;
        }
        let bytes = message.bytes().get(first.offset..attributes.offset())?;
        let length = u16::try_from(bytes.len()).ok()?;
        Some(Remembered { digest: names.digest(bytes), length, user, realm, nonce, echoed })
    }

    /// What follows, if the attributes begin with what is remembered.
    #[inline]
    pub(in crate::session) fn passed<'a>(&self, attributes: &'a [u8], names: &Names) -> Option<&'a [u8]> {
        let (same, rest) = attributes.split_at_checked(usize::from(self.length))?;
        (names.digest(same) == self.digest).then_some(rest)
    }

    /// The same, when the client to whom the nonce was given has come with it once more.
    #[inline]
    pub(in crate::session) fn again(self, at: Timestamp) -> Remembered {
        Remembered { echoed: self.echoed.max(Some(at)), ..self }
    }

    /// Whether the client came with this nonce after that time.
    pub(in crate::session) fn is_echoed_after(&self, nonce: u64, time: Timestamp) -> bool {
        self.nonce == nonce && self.echoed.is_some_and(|echoed| echoed > time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0, 4, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        for (code, value) in attributes {
            bytes.extend(code.to_be_bytes());
            bytes.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
            bytes.extend(*value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        let length = u16::try_from(bytes.len() - 20).unwrap();
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes
    }

    #[test]
    fn a_request_of_the_same_client_begins_with_what_is_remembered_and_one_with_another_nonce_does_not() {
        let mut names = Names::new(10, 100);
        let name = names.intern(b"turnuser").unwrap();
        let remembered = |bytes: &[u8]| {
            Remembered::of(&Message::recognise(bytes, false).unwrap(), &names, (name, name), 7, Some(Timestamp(5)))
        };
        let (user, realm) = ((6, &b"turnuser"[..]), (0x14, &b"realm"[..]));
        let first = message(&[(0x0d, &[0, 0, 2, 88]), user, realm, (0x15, b"nonce-1"), (8, &[0; 20])]);
        let known = remembered(&first).unwrap();
        assert_eq!(known.passed(&first[28..], &names), Some(&first[first.len() - 24..]));
        let other = message(&[user, realm, (0x15, b"nonce-2"), (8, &[0; 20])]);
        assert_eq!(known.passed(&other[20..], &names), None);
        assert_eq!(known.passed(&first[28..50], &names), None);
        assert!(known.is_echoed_after(7, Timestamp(4)));
        assert!(!known.is_echoed_after(7, Timestamp(5)) && !known.is_echoed_after(8, Timestamp(4)));
        assert!(remembered(&message(&[user, (0x8022, b"software"), realm, (0x15, b"nonce-1")])).is_none());
        assert!(remembered(&message(&[realm, (0x15, b"nonce-1"), user])).is_none());
    }
}
