//! Signature schemes (IANA "TLS SignatureScheme"); up to version 1.2 the two bytes are hash and signature.

use super::{displayed_as_name_or_hex, numbers};

numbers! {
    /// How a signature is made.
    SignatureScheme(u16) in
    /// The schemes, and the pairs of hash and signature that version 1.2 had besides.
    SIGNATURE_SCHEMES {
        0x0101 "rsa_md5",
        0x0201 "rsa_pkcs1_sha1",
        0x0202 "dsa_sha1",
        0x0203 "ecdsa_sha1",
        0x0301 "rsa_sha224",
        0x0302 "dsa_sha224",
        0x0303 "ecdsa_sha224",
        0x0401 "rsa_pkcs1_sha256",
        0x0402 "dsa_sha256",
        0x0403 "ecdsa_secp256r1_sha256" = ECDSA_SECP256R1_SHA256,
        0x0501 "rsa_pkcs1_sha384",
        0x0502 "dsa_sha384",
        0x0503 "ecdsa_secp384r1_sha384",
        0x0601 "rsa_pkcs1_sha512",
        0x0602 "dsa_sha512",
        0x0603 "ecdsa_secp521r1_sha512",
        0x0804 "rsa_pss_rsae_sha256",
        0x0805 "rsa_pss_rsae_sha384",
        0x0806 "rsa_pss_rsae_sha512",
        0x0807 "ed25519",
        0x0808 "ed448",
        0x0809 "rsa_pss_pss_sha256",
        0x080a "rsa_pss_pss_sha384",
        0x080b "rsa_pss_pss_sha512",
        0x081a "ecdsa_brainpoolP256r1tls13_sha256",
        0x081b "ecdsa_brainpoolP384r1tls13_sha384",
        0x081c "ecdsa_brainpoolP512r1tls13_sha512",
        0x0904 "mldsa44",
        0x0905 "mldsa65",
        0x0906 "mldsa87",
    }
}
displayed_as_name_or_hex!(SignatureScheme);
