//! The alerts of TLS and DTLS: names by number, and what they usually mean between WebRTC agents.

/// One row of the IANA registry "TLS Alerts", with what is behind it in practice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertInfo {
    /// The number on the wire.
    pub code: u8,
    /// Its name: `bad_certificate`.
    pub name: &'static str,
    /// What it says.
    pub meaning: &'static str,
    /// What is behind it in WebRTC, TURN over TLS and DTLS; empty where it is not to be expected there.
    pub cause: &'static str,
}

const fn alert(code: u8, name: &'static str, meaning: &'static str, cause: &'static str) -> AlertInfo {
    AlertInfo { code, name, meaning, cause }
}

/// All alerts, by number. Names by RFC 8446 §6 and the documents before and after it.
pub static ALERTS: &[AlertInfo] = &[
    alert(
        0,
        "close_notify",
        "The sender will send no more data.",
        "The ordinary end. Right after the handshake: the application closed, often because the certificate's fingerprint was not the one signalled.",
    ),
    alert(1, "end_of_early_data", "Early data is complete (drafts of TLS 1.3 only).", ""),
    alert(
        10,
        "unexpected_message",
        "A message came that does not fit the state.",
        "Both ends act in the same role, two sessions share one port, or a second HelloRetryRequest was sent.",
    ),
    alert(
        20,
        "bad_record_mac",
        "A record does not authenticate.",
        "Damage on the way, keys of an earlier session after a restart, or a proxy that rewrites payload.",
    ),
    alert(21, "decryption_failed", "A record could not be decrypted (obsolete).", ""),
    alert(22, "record_overflow", "A record is longer than allowed.", ""),
    alert(30, "decompression_failure", "A record could not be decompressed (obsolete).", ""),
    alert(
        40,
        "handshake_failure",
        "No acceptable set of parameters.",
        "No cipher suite, group, signature scheme or SRTP profile in common; or one side takes RSA certificates only and the other has ECDSA.",
    ),
    alert(41, "no_certificate", "No certificate available (SSL 3.0 only).", ""),
    alert(
        42,
        "bad_certificate",
        "A certificate is damaged or was refused.",
        "The certificate does not match the fingerprint in the session description, or is malformed.",
    ),
    alert(
        43,
        "unsupported_certificate",
        "A certificate is of a type that is not supported.",
        "The key type of the certificate is not supported by the other side.",
    ),
    alert(44, "certificate_revoked", "A certificate was revoked by its issuer.", ""),
    alert(
        45,
        "certificate_expired",
        "A certificate is not valid at this time.",
        "A wrong clock on the device, or a self-signed certificate that was kept too long.",
    ),
    alert(
        46,
        "certificate_unknown",
        "A certificate was refused for a reason that has no code of its own.",
        "The application's check refused it, most often because the fingerprint differs.",
    ),
    alert(
        47,
        "illegal_parameter",
        "A field is out of range or contradicts another.",
        "An invalid cookie, bytes that changed between retransmissions, or a bad extension.",
    ),
    alert(
        48,
        "unknown_ca",
        "The chain does not end at a trusted authority.",
        "The stack insists on a chain and is not set up for self-signed certificates; over TLS: a private authority or a missing intermediate.",
    ),
    alert(
        49,
        "access_denied",
        "The certificate is good, and its owner is not let in.",
        "A policy of the receiving side.",
    ),
    alert(
        50,
        "decode_error",
        "A message could not be decoded.",
        "A message cut short or malformed; look at the path's MTU.",
    ),
    alert(
        51,
        "decrypt_error",
        "A cryptographic operation of the handshake failed.",
        "A signature or Finished that does not verify: a wrong key, or someone in between.",
    ),
    alert(52, "too_many_cids_requested", "Too many connection ids were asked for (DTLS 1.3).", ""),
    alert(60, "export_restriction", "A negotiation against export rules (obsolete).", ""),
    alert(
        70,
        "protocol_version",
        "The version offered is known but not supported.",
        "One side speaks only DTLS 1.0, or only 1.2 or 1.3 where the other does not.",
    ),
    alert(
        71,
        "insufficient_security",
        "The server wants stronger parameters than were offered.",
        "No SRTP profile or cipher suite that is acceptable; some stacks send it for the SRTP profile.",
    ),
    alert(
        80,
        "internal_error",
        "Something failed that has nothing to do with the peer.",
        "A fault of the stack, or no certificate configured.",
    ),
    alert(
        86,
        "inappropriate_fallback",
        "The client retried with a lower version than the server supports.",
        "The guard against downgrades: something made the first attempt fail.",
    ),
    alert(
        90,
        "user_canceled",
        "The handshake was given up for reasons outside the protocol.",
        "Somebody hung up during the handshake.",
    ),
    alert(
        100,
        "no_renegotiation",
        "Renegotiation is refused.",
        "One side asked for a renegotiation; most stacks refuse.",
    ),
    alert(
        109,
        "missing_extension",
        "An extension that must be there is not (TLS 1.3).",
        "A stack that does not keep to version 1.3.",
    ),
    alert(
        110,
        "unsupported_extension",
        "An answer holds an extension that was not offered.",
        "A defect of the answering stack.",
    ),
    alert(111, "certificate_unobtainable", "A certificate could not be fetched from the URL given (obsolete).", ""),
    alert(
        112,
        "unrecognized_name",
        "The server has no such name.",
        "TURN over TLS: the name in the URL is not one that the server is set up for.",
    ),
    alert(113, "bad_certificate_status_response", "The stapled revocation status is bad.", ""),
    alert(114, "bad_certificate_hash_value", "A certificate fetched by URL does not match its digest (obsolete).", ""),
    alert(115, "unknown_psk_identity", "No such pre-shared key.", "Pre-shared keys are configured on one side only."),
    alert(
        116,
        "certificate_required",
        "A client certificate was asked for and none was sent (TLS 1.3).",
        "The client sent an empty Certificate: its stack has none configured.",
    ),
    alert(
        120,
        "no_application_protocol",
        "No application protocol in common.",
        "ALPN: the server takes neither stun.turn nor what else was offered.",
    ),
    alert(121, "ech_required", "Encrypted ClientHello was required.", ""),
];

/// The alert of a number.
#[must_use]
pub fn find(code: u8) -> Option<&'static AlertInfo> {
    ALERTS.iter().find(|alert| alert.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_in_order_and_found_by_number() {
        assert!(ALERTS.is_sorted_by(|a, b| a.code < b.code));
        assert_eq!(find(48).map(|alert| alert.name), Some("unknown_ca"));
        assert_eq!(find(99), None);
    }
}
