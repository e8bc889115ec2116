//! TLS under TURN.

use super::RuleInfo;

pub(super) static RULES: &[RuleInfo] = &[
    RuleInfo {
        id: "tls-certificate-rejected",
        severity: "failure",
        title: "The client rejects the TURN server's certificate",
        signature: "The alert bad_certificate, unknown_ca or certificate_unknown from the client of a TURN connection over TLS.",
        cause: "The server is addressed by number, its authority is private, an intermediate is missing, or the name is not in the certificate.",
        fix: "Put the name into the certificate, serve the full chain, and use the name in the URL.",
        reference: "RFC 8489 §6.2.3",
    },
    RuleInfo {
        id: "tls-certificate-name",
        severity: "failure if the client gives up, else warning",
        title: "The certificate is for another name",
        signature: "The name (or address) asked for is not among the certificate's names.",
        cause: "The URL holds another name than the certificate, or an address.",
        fix: "Add the name to the certificate, or use the certificate's name.",
        reference: "RFC 6125 §6.4",
    },
    RuleInfo {
        id: "tls-certificate-expired",
        severity: "failure if the client gives up, else warning",
        title: "The certificate is not valid at this time",
        signature: "The time of the frame lies outside the certificate's validity.",
        cause: "It has expired or is not valid yet, or clocks are apart.",
        fix: "Renew it; check the clocks.",
        reference: "RFC 5280 §4.1.2.5",
    },
    RuleInfo {
        id: "tls-handshake-failure",
        severity: "failure",
        title: "The TLS handshake with the TURN server fails",
        signature: "Alert handshake_failure or protocol_version before the handshake ends, or a reset in the middle of it; the connection closed in answer to the \
                    ClientHello; a TLS alert in answer to TURN without TLS. Any other fatal alert is a warning.",
        cause: "Versions or cipher suites do not fit, or a filter cuts the connection.",
        fix: "Align versions and suites; look for a filter that inspects TLS.",
        reference: "RFC 8446 §6.2, RFC 9293 §3.5.2, RFC 9293 §3.6",
    },
];
