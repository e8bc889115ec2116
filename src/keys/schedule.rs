//! Key schedules: from the secrets of a key log to the keys of a direction.

use super::hello::{Agreed, Sender};
use super::protection::Keys;
use super::suite::{Hash, Suite};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha384};
use zeroize::Zeroizing;

/// Which pseudorandom function a version has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prf {
    /// MD5 and SHA-1 in one: TLS 1.0 and 1.1, DTLS 1.0 (RFC 4346 §5).
    Md5Sha1,
    /// With the suite's hash function: version 1.2 (RFC 5246 §5).
    Of(Hash),
}

/// The labels of RFC 8446 §7.1 begin so, with a space at the end.
pub(super) const TLS_1_3: &[u8] = b"tls13 ";
/// Those of RFC 9147 §5.9 have none.
pub(super) const DTLS_1_3: &[u8] = b"dtls13";

/// The keys of both directions up to version 1.2, client's first (RFC 5246 §6.3).
pub(super) fn key_block(master: &[u8], agreed: &Agreed, prf: Prf, suite: Suite) -> [Keys; 2] {
    let (mac, key) = (suite.mac.map_or(0, Hash::bytes), suite.cipher.key());
    let iv = match suite.cipher.explicit_nonce() {
        _ if suite.cipher.is_cbc() => 16, // used by TLS 1.0 alone
        0 => 12,
        _ => 4,
    };
    let mut block = Zeroizing::new([0; 2 * (48 + 32 + 16)]);
    let mut seed = [0; 64];
    let (servers, clients) = seed.split_at_mut(32);
    servers.copy_from_slice(&agreed.hello.random);
    clients.copy_from_slice(&agreed.client_random);
    if let Some(wanted) = block.get_mut(..2 * (mac + key + iv)) {
        expand(prf, master, b"key expansion", &seed, wanted);
    }
    let mut rest: &[u8] = &*block;
    let mut next = |length: usize| {
        let (part, after) = rest.split_at_checked(length).unwrap_or_default();
        rest = after;
        part
    };
    let (mac_client, mac_server) = (next(mac), next(mac));
    let (client, server) = (next(key), next(key));
    let (iv_client, iv_server) = (next(iv), next(iv));
    [Keys::new(suite, client, iv_client, mac_client), Keys::new(suite, server, iv_server, mac_server)]
}

/// The pseudorandom function, into as many bytes as are wanted.
pub(super) fn expand(prf: Prf, secret: &[u8], label: &[u8], seed: &[u8], into: &mut [u8]) {
    match prf {
        Prf::Of(Hash::Sha1) => p_hash::<Hmac<Sha1>>(secret, label, seed, into),
        Prf::Of(Hash::Sha256) => p_hash::<Hmac<Sha256>>(secret, label, seed, into),
        Prf::Of(Hash::Sha384) => p_hash::<Hmac<Sha384>>(secret, label, seed, into),
        Prf::Md5Sha1 => {
            let half = secret.len().div_ceil(2);
            let (first, second) = (secret.get(..half), secret.get(secret.len() - half..));
            p_hash::<Hmac<Md5>>(first.unwrap_or_default(), label, seed, into);
            p_hash::<Hmac<Sha1>>(second.unwrap_or_default(), label, seed, into);
        }
    }
}

/// `P_hash` (RFC 5246 §5), added to what is there by XOR.
fn p_hash<M: Mac + KeyInit + Clone>(secret: &[u8], label: &[u8], seed: &[u8], into: &mut [u8]) {
    let Ok(keyed) = <M as KeyInit>::new_from_slice(secret) else { return };
    let mut a = keyed.clone().chain_update(label).chain_update(seed).finalize().into_bytes();
    for chunk in into.chunks_mut(a.len()) {
        let part = keyed.clone().chain_update(&a).chain_update(label).chain_update(seed).finalize().into_bytes();
        chunk.iter_mut().zip(&part).for_each(|(to, from)| *to ^= from);
        a = keyed.clone().chain_update(&a).finalize().into_bytes();
    }
}

/// The keys of one direction from its traffic secret (RFC 8446 §7.3); with `dtls`, RFC 9147's labels and the key of sequence numbers.
pub(super) fn traffic_keys(secret: &[u8], suite: Suite, dtls: bool) -> Keys {
    let (mut key, mut iv, mut numbers) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 12]), Zeroizing::new([0; 32]));
    let prefix = if dtls { DTLS_1_3 } else { TLS_1_3 };
    let length = suite.cipher.key();
    let key = key.get_mut(..length).unwrap_or_default();
    let numbers = if dtls { numbers.get_mut(..length).unwrap_or_default() } else { &mut [] };
    expand_label(suite.hash, secret, prefix, b"key", key);
    expand_label(suite.hash, secret, prefix, b"iv", &mut *iv);
    if dtls {
        expand_label(suite.hash, secret, prefix, b"sn", numbers);
    }
    // the place of the MAC key is free: AEAD suites have none
    Keys::new(suite, key, &*iv, numbers)
}

/// The traffic secret after a key update (RFC 8446 §7.2).
pub(super) fn next_secret(secret: &[u8], hash: Hash, dtls: bool) -> Zeroizing<Vec<u8>> {
    let mut next = Zeroizing::new(vec![0; hash.bytes()]);
    expand_label(hash, secret, if dtls { DTLS_1_3 } else { TLS_1_3 }, b"traffic upd", &mut next);
    next
}

/// `HKDF-Expand-Label` with an empty context (RFC 8446 §7.1). A secret that is shorter than the hash gives nothing: `into` is left as it is.
pub(super) fn expand_label(hash: Hash, secret: &[u8], prefix: &[u8], label: &[u8], into: &mut [u8]) {
    let length = u16::try_from(into.len()).unwrap_or(u16::MAX).to_be_bytes();
    let name = u8::try_from(prefix.len() + label.len()).unwrap_or(u8::MAX);
    let info: [&[u8]; 5] = [&length, &[name], prefix, label, &[0]];
    // neither can fail with the lengths that there are; where one did, the keys would not fit
    _ = match hash {
        Hash::Sha384 => Hkdf::<Sha384>::from_prk(secret).map(|hkdf| hkdf.expand_multi_info(&info, into)),
        Hash::Sha1 | Hash::Sha256 => Hkdf::<Sha256>::from_prk(secret).map(|hkdf| hkdf.expand_multi_info(&info, into)),
    };
}

/// Which of the two in the key block are a sender's.
pub(super) fn of(keys: [Keys; 2], sender: Sender) -> Keys {
    let [client, server] = keys;
    if sender == Sender::Client { client } else { server }
}
