//! Record protection: one record, its keys, and the sequence numbers that it may have.

use super::suite::{Cipher, Hash, Suite};
use aes::cipher::{
    Array, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, KeyInit, KeyIvInit, StreamCipher, StreamCipherSeek,
};
use aes::{Aes128, Aes256};
use aes_gcm::aead::{AeadInOut, inout::InOutBuf};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use ccm::Ccm;
use ccm::consts::{U8, U12, U16};
use chacha20::ChaCha20;
use chacha20poly1305::ChaCha20Poly1305;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha384};
use zeroize::Zeroizing;

/// Bytes of a block of AES, and of the IV that a CBC record begins with.
pub(super) const BLOCK: usize = 16;

/// The keys of one direction, as bytes: a cipher is set up for each record, which costs less than keeping it.
pub(super) struct Keys {
    suite: Suite,
    key: Zeroizing<[u8; 32]>,
    iv: Zeroizing<[u8; 16]>,
    /// Of the MAC of CBC suites; of sequence numbers in DTLS 1.3.
    other: Zeroizing<[u8; 48]>,
}

/// A record up to version 1.2.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sealed<'a> {
    pub content_type: u8,
    pub version: u16,
    /// Set for the records of RFC 9146, `tls12_cid`.
    pub connection_id: Option<&'a [u8]>,
    pub encrypt_then_mac: bool,
    /// Where the record does not begin with its IV (TLS 1.0): the last block before it.
    pub chained: Option<[u8; BLOCK]>,
    pub payload: &'a [u8],
}

impl Keys {
    pub(super) fn new(suite: Suite, key: &[u8], iv: &[u8], other: &[u8]) -> Keys {
        let mut keys =
            Keys { suite, key: Zeroizing::default(), iv: Zeroizing::default(), other: Zeroizing::new([0; 48]) };
        let copy = |to: &mut [u8], from: &[u8]| to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        copy(&mut *keys.key, key);
        copy(&mut *keys.iv, iv);
        copy(&mut *keys.other, other);
        keys
    }

    /// The IV of the key block, with which TLS 1.0 begins.
    pub(super) fn first_block(&self) -> [u8; BLOCK] {
        *self.iv
    }

    /// Opens a record up to version 1.2 with the first of the sequence numbers that fits, which it gives; with DTLS the epoch is in the upper 16
    /// bits. The plain text is in `out`, which is of no use otherwise.
    pub(super) fn open(
        &self,
        record: &Sealed<'_>,
        numbers: impl IntoIterator<Item = u64>,
        out: &mut Vec<u8>,
    ) -> Option<u64> {
        match self.suite.mac {
            Some(hash) => self.open_cbc(hash, record, numbers, out),
            None => numbers.into_iter().find(|&number| self.open_aead(number, record, out).is_some()),
        }
    }

    fn open_aead(&self, number: u64, record: &Sealed<'_>, out: &mut Vec<u8>) -> Option<()> {
        let (explicit, sealed) = record.payload.split_at_checked(self.suite.cipher.explicit_nonce())?;
        let nonce = self.nonce_of(number, explicit);
        let length = sealed.len().checked_sub(self.suite.cipher.tag())?;
        let header = Associated::new(number, record, length)?;
        self.decrypt(nonce, header.bytes(), sealed, out)
    }

    /// MAC-then-encrypt (RFC 5246 §6.2.3.2) or encrypt-then-MAC (RFC 7366).
    fn open_cbc(
        &self,
        hash: Hash,
        record: &Sealed<'_>,
        numbers: impl IntoIterator<Item = u64>,
        out: &mut Vec<u8>,
    ) -> Option<u64> {
        let key = self.other.get(..hash.bytes())?;
        if record.encrypt_then_mac {
            let (sealed, mac) = record.payload.split_at_checked(record.payload.len().checked_sub(hash.bytes())?)?;
            let number = numbers.into_iter().find(|&number| {
                Associated::new(number, record, sealed.len())
                    .is_some_and(|header| code(hash, key, &[header.bytes(), sealed]) == mac)
            })?;
            self.decrypt_cbc(record, sealed, out)?;
            let content = out.len().checked_sub(padding(out)?)?;
            out.truncate(content);
            return Some(number);
        }
        self.decrypt_cbc(record, record.payload, out)?;
        let content = out.len().checked_sub(padding(out)? + hash.bytes())?;
        let (text, mac) = out.get(..content + hash.bytes())?.split_at_checked(content)?;
        let number = numbers.into_iter().find(|&number| {
            Associated::new(number, record, content)
                .is_some_and(|header| code(hash, key, &[header.bytes(), text]) == mac)
        })?;
        out.truncate(content);
        Some(number)
    }

    fn decrypt_cbc(&self, record: &Sealed<'_>, sealed: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let (iv, sealed) = match record.chained {
            Some(block) => (block, sealed),
            None => sealed.split_first_chunk::<BLOCK>().map(|(iv, rest)| (*iv, rest))?,
        };
        out.clear();
        out.extend_from_slice(sealed);
        let (blocks, rest) = out.as_chunks_mut::<BLOCK>();
        if blocks.is_empty() || !rest.is_empty() {
            return None;
        }
        let blocks = Array::cast_slice_from_core_mut(blocks);
        match self.suite.cipher {
            Cipher::Aes128Cbc => {
                cbc::Decryptor::<Aes128>::new_from_slices(self.key.get(..16)?, &iv).ok()?.decrypt_blocks(blocks);
            }
            _ => cbc::Decryptor::<Aes256>::new_from_slices(&*self.key, &iv).ok()?.decrypt_blocks(blocks),
        }
        Some(())
    }

    /// Opens a record of version 1.3 with its header (RFC 8446 §5.2) and the first of the sequence numbers that fits; gives the content type that was
    /// inside, and the number.
    pub(super) fn open_1_3(
        &self,
        numbers: impl IntoIterator<Item = u64>,
        header: &[u8],
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<(u8, u64)> {
        numbers.into_iter().find_map(|number| {
            self.decrypt(self.nonce(number), header, payload, out)?;
            let end = out.iter().rposition(|&byte| byte != 0)?;
            let content_type = out.get(end).copied()?;
            out.truncate(end);
            Some((content_type, number))
        })
    }

    /// Seals what stands in place of a record up to version 1.2, of this length: as that one it begins with the explicit nonce or IV that `like`
    /// begins with. `None` where the contents do not fit.
    pub(super) fn seal(&self, number: u64, like: &Sealed<'_>, length: usize, content: &[u8]) -> Option<Vec<u8>> {
        if let Some(hash) = self.suite.mac {
            return self.seal_cbc(hash, number, like, length, content);
        }
        let explicit = like.payload.get(..self.suite.cipher.explicit_nonce())?;
        let header = Associated::new(number, like, content.len())?;
        let sealed = self.encrypt(self.nonce_of(number, explicit), header.bytes(), content.to_vec())?;
        let whole = [explicit, &sealed].concat();
        (whole.len() == length).then_some(whole)
    }

    fn seal_cbc(&self, hash: Hash, number: u64, like: &Sealed<'_>, length: usize, content: &[u8]) -> Option<Vec<u8>> {
        let key = self.other.get(..hash.bytes())?;
        let (iv, own) = match like.chained {
            Some(block) => (block, &[][..]),
            None => (*like.payload.first_chunk()?, like.payload.get(..BLOCK)?),
        };
        let mut text = content.to_vec();
        if !like.encrypt_then_mac {
            let header = Associated::new(number, like, content.len())?;
            text.extend(code(hash, key, &[header.bytes(), content]));
        }
        let behind = if like.encrypt_then_mac { hash.bytes() } else { 0 };
        let padding = length.checked_sub(own.len() + text.len() + behind)?;
        let last = u8::try_from(padding.checked_sub(1)?).ok()?;
        text.resize(text.len() + padding, last);
        let (blocks, rest) = text.as_chunks_mut::<BLOCK>();
        if !rest.is_empty() {
            return None;
        }
        let blocks = Array::cast_slice_from_core_mut(blocks);
        match self.suite.cipher {
            Cipher::Aes128Cbc => {
                cbc::Encryptor::<Aes128>::new_from_slices(self.key.get(..16)?, &iv).ok()?.encrypt_blocks(blocks);
            }
            _ => cbc::Encryptor::<Aes256>::new_from_slices(&*self.key, &iv).ok()?.encrypt_blocks(blocks),
        }
        let mut whole = [own, &text].concat();
        if like.encrypt_then_mac {
            let header = Associated::new(number, like, whole.len())?;
            let mac = code(hash, key, &[header.bytes(), &whole]);
            whole.extend(mac);
        }
        Some(whole)
    }

    /// Seals what stands in place of a record of version 1.3, of this length: content type, contents, and zeros as padding.
    pub(super) fn seal_1_3(
        &self,
        number: u64,
        header: &[u8],
        (content_type, content): (u8, &[u8]),
        length: usize,
    ) -> Option<Vec<u8>> {
        let mut text = [content, &[content_type]].concat();
        let room = length.checked_sub(self.suite.cipher.tag())?;
        if text.len() > room {
            return None;
        }
        text.resize(room, 0);
        self.encrypt(self.nonce(number), header, text)
    }

    /// What goes into a record of AEAD suites up to version 1.2 that has so many bytes behind its header.
    pub(super) fn room(&self, length: usize) -> Option<usize> {
        let cipher = self.suite.cipher;
        if cipher.is_cbc() { None } else { length.checked_sub(cipher.explicit_nonce() + cipher.tag()) }
    }

    /// The suite that they are for.
    pub(super) fn suite(&self) -> Suite {
        self.suite
    }

    /// What the first bytes of a sequence number in DTLS 1.3 are hidden with (RFC 9147 §4.2.3).
    pub(super) fn number_mask(&self, payload: &[u8]) -> Option<[u8; 2]> {
        let sample: &[u8; 16] = payload.first_chunk()?;
        let mut block = Array::from(*sample);
        match self.suite.cipher {
            Cipher::ChaCha20Poly1305 => {
                let (counter, nonce) = sample.split_first_chunk::<4>()?;
                let mut stream = ChaCha20::new_from_slices(self.other.get(..32)?, nonce).ok()?;
                stream.try_seek(u64::from(u32::from_le_bytes(*counter)) * 64).ok()?;
                let mut mask = [0; 2];
                stream.try_apply_keystream(&mut mask).ok()?;
                return Some(mask);
            }
            cipher if cipher.key() == 16 => {
                Aes128::new_from_slice(self.other.get(..16)?).ok()?.encrypt_block(&mut block)
            }
            _ => Aes256::new_from_slice(self.other.get(..32)?).ok()?.encrypt_block(&mut block),
        }
        block.first_chunk().copied()
    }

    /// The nonce of a record up to version 1.2: of its number, or with what the record carries of it.
    fn nonce_of(&self, number: u64, explicit: &[u8]) -> [u8; 12] {
        if explicit.is_empty() {
            return self.nonce(number);
        }
        let mut nonce = [0; 12];
        nonce.iter_mut().zip(self.iv.iter().take(4).chain(explicit)).for_each(|(to, from)| *to = *from);
        nonce
    }

    /// The IV with the sequence number over its end.
    fn nonce(&self, number: u64) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce.iter_mut().zip(self.iv.iter()).for_each(|(to, from)| *to = *from);
        nonce.iter_mut().skip(4).zip(number.to_be_bytes()).for_each(|(to, from)| *to ^= from);
        nonce
    }

    fn decrypt(&self, nonce: [u8; 12], header: &[u8], sealed: &[u8], out: &mut Vec<u8>) -> Option<()> {
        /// One cipher, set up, used and forgotten.
        fn with<C: AeadInOut + KeyInit>(
            key: &[u8],
            nonce: &[u8],
            header: &[u8],
            text: &mut [u8],
            tag: &[u8],
        ) -> Option<()> {
            let cipher = C::new_from_slice(key).ok()?;
            let (nonce, tag) = (nonce.try_into().ok()?, tag.try_into().ok()?);
            cipher.decrypt_inout_detached(nonce, header, InOutBuf::from(text), tag).ok()
        }
        let (text, tag) = sealed.split_at_checked(sealed.len().checked_sub(self.suite.cipher.tag())?)?;
        out.clear();
        out.extend_from_slice(text);
        let key = self.key.get(..self.suite.cipher.key())?;
        match self.suite.cipher {
            Cipher::Aes128Gcm => with::<Aes128Gcm>(key, &nonce, header, out, tag),
            Cipher::Aes256Gcm => with::<Aes256Gcm>(key, &nonce, header, out, tag),
            Cipher::Aes128Ccm => with::<Ccm<Aes128, U16, U12>>(key, &nonce, header, out, tag),
            Cipher::Aes256Ccm => with::<Ccm<Aes256, U16, U12>>(key, &nonce, header, out, tag),
            Cipher::Aes128Ccm8 => with::<Ccm<Aes128, U8, U12>>(key, &nonce, header, out, tag),
            Cipher::Aes256Ccm8 => with::<Ccm<Aes256, U8, U12>>(key, &nonce, header, out, tag),
            Cipher::ChaCha20Poly1305 => with::<ChaCha20Poly1305>(key, &nonce, header, out, tag),
            Cipher::Aes128Cbc | Cipher::Aes256Cbc => None,
        }
    }
}

impl Keys {
    /// The text encrypted, and its tag behind it.
    fn encrypt(&self, nonce: [u8; 12], header: &[u8], mut text: Vec<u8>) -> Option<Vec<u8>> {
        fn with<C: AeadInOut + KeyInit>(key: &[u8], nonce: &[u8], header: &[u8], text: &mut Vec<u8>) -> Option<()> {
            let cipher = C::new_from_slice(key).ok()?;
            let nonce = nonce.try_into().ok()?;
            let tag = cipher.encrypt_inout_detached(nonce, header, InOutBuf::from(text.as_mut_slice())).ok()?;
            text.extend_from_slice(&tag);
            Some(())
        }
        let key = self.key.get(..self.suite.cipher.key())?;
        let done = match self.suite.cipher {
            Cipher::Aes128Gcm => with::<Aes128Gcm>(key, &nonce, header, &mut text),
            Cipher::Aes256Gcm => with::<Aes256Gcm>(key, &nonce, header, &mut text),
            Cipher::Aes128Ccm => with::<Ccm<Aes128, U16, U12>>(key, &nonce, header, &mut text),
            Cipher::Aes256Ccm => with::<Ccm<Aes256, U16, U12>>(key, &nonce, header, &mut text),
            Cipher::Aes128Ccm8 => with::<Ccm<Aes128, U8, U12>>(key, &nonce, header, &mut text),
            Cipher::Aes256Ccm8 => with::<Ccm<Aes256, U8, U12>>(key, &nonce, header, &mut text),
            Cipher::ChaCha20Poly1305 => with::<ChaCha20Poly1305>(key, &nonce, header, &mut text),
            Cipher::Aes128Cbc | Cipher::Aes256Cbc => None,
        };
        done.map(|()| text)
    }
}

/// The longest connection id, and what stands around it.
const MAX_ASSOCIATED: usize = 255 + 23;

/// What is authenticated beside the contents: sequence number, type, version and length (RFC 5246 §6.2.3.3), or what RFC 9146 §5.3 makes of them.
struct Associated {
    bytes: [u8; MAX_ASSOCIATED],
    length: usize,
}

impl Associated {
    fn new(number: u64, record: &Sealed<'_>, content: usize) -> Option<Associated> {
        let mut made = Associated { bytes: [0; MAX_ASSOCIATED], length: 0 };
        let (number, version) = (number.to_be_bytes(), record.version.to_be_bytes());
        let kind = [record.content_type];
        let content = u16::try_from(content).ok()?.to_be_bytes();
        match record.connection_id {
            None => made.put(&[&number, &kind, &version, &content])?,
            Some(id) => {
                let length = [u8::try_from(id.len()).ok()?];
                made.put(&[&[0xff; 8], &kind, &length, &kind, &version, &number, id, &content])?;
            }
        }
        Some(made)
    }

    fn put(&mut self, parts: &[&[u8]]) -> Option<()> {
        for part in parts {
            self.bytes.get_mut(self.length..)?.get_mut(..part.len())?.copy_from_slice(part);
            self.length += part.len();
        }
        Some(())
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// The first eight bytes of a record of AES-GCM or AES-CCM up to version 1.2.
pub(super) fn explicit(payload: &[u8]) -> Option<u64> {
    payload.first_chunk().copied().map(u64::from_be_bytes)
}

/// The last block of a CBC record, which does not take in the MAC where that comes after encryption.
pub(super) fn last_block(payload: &[u8], suite: Suite, hello: &super::hello::Hello) -> Option<[u8; BLOCK]> {
    let mac = suite.mac.filter(|_| hello.encrypt_then_mac).map_or(0, |hash| hash.bytes());
    payload.get(..payload.len().checked_sub(mac)?)?.last_chunk().copied()
}

/// Bytes of the padding at the end, its length among them; none where it is no padding.
fn padding(text: &[u8]) -> Option<usize> {
    let last = *text.last()?;
    let length = usize::from(last) + 1;
    let padding = text.get(text.len().checked_sub(length)?..)?;
    padding.iter().all(|&byte| byte == last).then_some(length)
}

fn code(hash: Hash, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    fn with<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        let Ok(mut keyed) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
        parts.iter().for_each(|part| keyed.update(part));
        keyed.finalize().into_bytes().to_vec()
    }
    match hash {
        Hash::Sha1 => with::<Hmac<Sha1>>(key, parts),
        Hash::Sha256 => with::<Hmac<Sha256>>(key, parts),
        Hash::Sha384 => with::<Hmac<Sha384>>(key, parts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9146 §5.3: what is authenticated with a connection id, put together here once more from its words.
    #[test]
    fn a_record_with_a_connection_id_opens() {
        let (key, iv, explicit, id) = ([7; 16], [9; 4], [0, 1, 0, 0, 0, 0, 0, 5], [0xc1, 0xd2, 0xe3]);
        let inner = b"hello\x17\0\0";
        let mut header = vec![0xff; 8];
        header.extend([25, 3, 25, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 5]);
        header.extend(id);
        header.extend([0, u8::try_from(inner.len()).unwrap()]);
        let mut nonce = iv.to_vec();
        nonce.extend(explicit);
        let mut text = inner.to_vec();
        let cipher = Aes128Gcm::new_from_slice(&key).unwrap();
        let nonce: [u8; 12] = nonce.try_into().unwrap();
        let tag = cipher.encrypt_inout_detached(&nonce.into(), &header, InOutBuf::from(&mut text[..])).unwrap();
        let payload = [&explicit[..], &text, &tag].concat();
        let suite = Suite { cipher: Cipher::Aes128Gcm, hash: Hash::Sha256, mac: None };
        let keys = Keys::new(suite, &key, &iv, &[]);
        let sealed = |id| Sealed {
            content_type: 25,
            version: 0xfefd,
            connection_id: Some(id),
            encrypt_then_mac: false,
            chained: None,
            payload: &payload,
        };
        let (mut out, number) = (Vec::new(), 1 << 48 | 5);
        assert_eq!(keys.open(&sealed(&id[..]), [number], &mut out), Some(number));
        assert_eq!(out, inner);
        assert_eq!(keys.open(&sealed(&id[..2]), [number], &mut out), None, "another id");
    }

    #[test]
    fn what_is_sealed_in_place_of_a_record_opens_and_is_as_long() {
        use Cipher as C;
        let aead =
            [C::Aes128Gcm, C::Aes256Gcm, C::Aes128Ccm, C::Aes256Ccm8, C::ChaCha20Poly1305].map(|c| (c, None, false));
        let cbc = [(C::Aes128Cbc, Some(Hash::Sha1), false), (C::Aes256Cbc, Some(Hash::Sha384), true)];
        for (cipher, mac, encrypt_then_mac) in aead.into_iter().chain(cbc) {
            let keys = Keys::new(Suite { cipher, hash: Hash::Sha256, mac }, &[3; 32], &[4; 16], &[5; 48]);
            let first = [9; 16];
            let like = Sealed {
                content_type: 23,
                version: 0x0303,
                connection_id: None,
                encrypt_then_mac,
                chained: None,
                payload: &first,
            };
            for content in [&b""[..], b"hello", &[7; 300]] {
                let length = match mac {
                    None => cipher.explicit_nonce() + content.len() + cipher.tag(),
                    Some(hash) if encrypt_then_mac => {
                        BLOCK + (content.len() + 1).next_multiple_of(BLOCK) + hash.bytes()
                    }
                    Some(hash) => BLOCK + (content.len() + hash.bytes() + 1).next_multiple_of(BLOCK) + BLOCK,
                };
                let sealed = keys.seal(6, &like, length, content).unwrap();
                assert_eq!(sealed.len(), length, "{cipher:?}");
                let mut out = Vec::new();
                assert_eq!(keys.open(&Sealed { payload: &sealed, ..like }, [6], &mut out), Some(6), "{cipher:?}");
                assert_eq!(out, content);
                assert_eq!(keys.seal(6, &like, length + 1, content), None, "another length");
            }
        }
    }

    #[test]
    fn padding_is_whole_or_is_none() {
        assert_eq!(padding(&[1, 2, 0]), Some(1));
        assert_eq!(padding(&[1, 2, 2, 2]), Some(3));
        assert_eq!(padding(&[1, 3, 2, 2]), None);
        assert_eq!(padding(&[5]), None);
        assert_eq!(padding(&[]), None);
    }
}
