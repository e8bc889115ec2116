//! Key schedules: from the secrets of a key log to the keys of a direction.

use super::hello::Agreed;
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

/// The keys of client and server up to version 1.2 (RFC 5246 §6.3).
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::suite::Cipher;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> =
            text.chars().filter_map(|c| c.to_digit(16)).map(|digit| u8::try_from(digit).unwrap()).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    /// The vectors for the PRF of TLS 1.2 that the TLS working group exchanged on its list.
    #[test]
    fn the_prf_of_tls_1_2_gives_the_known_values() {
        let mut out = [0; 100];
        let (secret, seed) = (hex("9bbe436ba940f017b17652849a71db35"), hex("a0ba9f936cda311827a6f796ffd5198c"));
        expand(Prf::Of(Hash::Sha256), &secret, b"test label", &seed, &mut out);
        let known = "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0f
            a022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66";
        assert_eq!(out.to_vec(), hex(known));
        let mut out = [0; 148];
        let (secret, seed) = (hex("b80b733d6ceefcdc71566ea48e5567df"), hex("cd665cf6a8447dd6ff8b27555edb7465"));
        expand(Prf::Of(Hash::Sha384), &secret, b"test label", &seed, &mut out);
        let known = "7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe34f82b1233c9146a0e5
            34cb400fed2700884f9dc236f80edd8bfa961144c9e8d792eca722a7b32fc3d416d473ebc2c5fd4abfdad05d9184259b5bf8cd4d90fa
            0d31e2dec479e4f1a26066f2eea9a69236a3e52655c9e9aee691c8f3a26854308d5eaa3be85e0990703d73e56f";
        assert_eq!(out.to_vec(), hex(known));
    }

    /// RFC 8448 §3: the traffic secrets of a handshake, and the keys and IVs that follow.
    #[test]
    fn traffic_keys_are_those_of_rfc_8448() {
        for (secret, key, iv) in [
            (
                "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38",
                "3fce516009c21727d0f2e4e86ee403bc",
                "5d313eb2671276ee13000b30",
            ),
            (
                "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21",
                "dbfaa693d1762c5b666af5d950258d01",
                "5bd3c71b836e0b76bb73265f",
            ),
            (
                "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5",
                "17422dda596ed5d9acd890e3c63f5051",
                "5b78923dee08579033e523d9",
            ),
            (
                "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643",
                "9f02283b6c9c07efc26bb9f2ac92e356",
                "cf782b88dd83549aadf1e984",
            ),
        ] {
            let (mut key_out, mut iv_out) = ([0; 16], [0; 12]);
            expand_label(Hash::Sha256, &hex(secret), TLS_1_3, b"key", &mut key_out);
            expand_label(Hash::Sha256, &hex(secret), TLS_1_3, b"iv", &mut iv_out);
            assert_eq!((key_out.to_vec(), iv_out.to_vec()), (hex(key), hex(iv)));
        }
    }

    /// RFC 8448 §3: the first record of application data from the client.
    #[test]
    fn a_record_of_rfc_8448_opens() {
        let secret = hex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5");
        let suite = Suite { cipher: Cipher::Aes128Gcm, hash: Hash::Sha256, mac: None };
        let keys = traffic_keys(&secret, suite, false);
        let payload = hex(
            "a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b62974e1f5a6292a2977014bd1e
             3deae63aeebb21694915e4",
        );
        let mut out = Vec::new();
        assert_eq!(keys.open_1_3([0], &[23, 3, 3, 0, 0x43], &payload, &mut out), Some((23, 0)));
        assert_eq!(out, (0..50).collect::<Vec<u8>>());
        assert_eq!(keys.open_1_3([1], &[23, 3, 3, 0, 0x43], &payload, &mut out), None, "another number");
    }

    /// RFC 9001 §A.2 and §A.5 hide packet numbers as RFC 9147 §4.2.3 hides sequence numbers: the same masks from the same samples.
    #[test]
    fn masks_of_sequence_numbers_are_those_of_the_rfc() {
        for (cipher, key, sample, mask) in [
            (Cipher::Aes128Gcm, "9f50449e04a0e810283a1e9933adedd2", "d1b1c98dd7689fb8ec11d242b123dc9b", "437b"),
            (
                Cipher::ChaCha20Poly1305,
                "25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4",
                "5e5cd55c41f69080575d7999c25a5bfb",
                "aefe",
            ),
        ] {
            let keys = Keys::new(Suite { cipher, hash: Hash::Sha256, mac: None }, &[], &[], &hex(key));
            assert_eq!(keys.number_mask(&hex(sample)).unwrap().to_vec(), hex(mask));
        }
    }
}
