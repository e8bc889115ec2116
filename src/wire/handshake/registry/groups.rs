//! Groups of the key exchange (IANA "TLS Supported Groups").

use super::{displayed_as_name_or_hex, numbers};

numbers! {
    /// A curve, a finite field, or a hybrid with a lattice.
    NamedGroup(u16) in
    /// The groups that are or were in use.
    GROUPS {
        0x0015 "secp224r1",
        0x0016 "secp256k1",
        0x0017 "secp256r1" = SECP256R1,
        0x0018 "secp384r1" = SECP384R1,
        0x0019 "secp521r1" = SECP521R1,
        0x001a "brainpoolP256r1",
        0x001b "brainpoolP384r1",
        0x001c "brainpoolP512r1",
        0x001d "x25519" = X25519,
        0x001e "x448" = X448,
        0x001f "brainpoolP256r1tls13",
        0x0020 "brainpoolP384r1tls13",
        0x0021 "brainpoolP512r1tls13",
        0x0100 "ffdhe2048",
        0x0101 "ffdhe3072",
        0x0102 "ffdhe4096",
        0x0103 "ffdhe6144",
        0x0104 "ffdhe8192",
        0x11eb "SecP256r1MLKEM768",
        0x11ec "X25519MLKEM768",
        0x11ed "SecP384r1MLKEM1024",
        0x6399 "X25519Kyber768Draft00",
        0x639a "SecP256r1Kyber768Draft00",
        0xff01 "arbitrary_explicit_prime_curves",
        0xff02 "arbitrary_explicit_char2_curves",
    }
}
displayed_as_name_or_hex!(NamedGroup);
