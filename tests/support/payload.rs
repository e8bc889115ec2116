//! Payloads other than STUN: what a relay carries and what shares its ports.

/// A ChannelData message (RFC 8656 §12.4), unpadded as over UDP.
pub fn channel_data(channel: u16, data: impl AsRef<[u8]>) -> Vec<u8> {
    let data = data.as_ref();
    let mut out = channel.to_be_bytes().to_vec();
    out.extend((data.len() as u16).to_be_bytes());
    out.extend(data);
    out
}

/// An RTP packet (RFC 3550 §5.1), version 2, no extension, with `size` bytes of payload that look like nothing else.
pub fn rtp(payload_type: u8, sequence: u16, timestamp: u32, ssrc: u32, size: usize) -> Vec<u8> {
    let mut out = vec![0x80, payload_type & 0x7F];
    out.extend(sequence.to_be_bytes());
    out.extend(timestamp.to_be_bytes());
    out.extend(ssrc.to_be_bytes());
    out.extend((0..size).map(|place| (place as u8).wrapping_mul(167).wrapping_add(sequence as u8)));
    out
}

/// One DTLS record (RFC 6347 §4.1).
pub fn dtls_record(content_type: u8, version: u16, epoch: u16, sequence: u64, body: &[u8]) -> Vec<u8> {
    let mut out = vec![content_type];
    out.extend(version.to_be_bytes());
    out.extend(epoch.to_be_bytes());
    out.extend(&sequence.to_be_bytes()[2..]);
    out.extend((body.len() as u16).to_be_bytes());
    out.extend(body);
    out
}

/// A whole DTLS handshake message in one fragment (RFC 6347 §4.2.2), without its record.
pub fn dtls_handshake(kind: u8, message_sequence: u16, body: &[u8]) -> Vec<u8> {
    let length = &(body.len() as u32).to_be_bytes()[1..];
    let mut out = vec![kind];
    out.extend(length);
    out.extend(message_sequence.to_be_bytes());
    out.extend([0, 0, 0]);
    out.extend(length);
    out.extend(body);
    out
}

/// A DTLS 1.2 ClientHello in its record, offering two ECDHE suites and SRTP_AES128_CM_HMAC_SHA1_80.
pub fn dtls_client_hello(record_sequence: u64) -> Vec<u8> {
    let mut body = vec![0xFE, 0xFD];
    body.extend([0x5A; 32]);
    body.extend([0, 0]); // no session, no cookie
    body.extend([0, 4, 0xC0, 0x2B, 0xC0, 0x2F]);
    body.extend([1, 0]); // null compression
    let extensions: [&[u8]; 2] = [&[0, 10, 0, 4, 0, 2, 0, 23], &[0, 14, 0, 5, 0, 2, 0, 1, 0]];
    body.extend((extensions.iter().map(|one| one.len()).sum::<usize>() as u16).to_be_bytes());
    extensions.iter().for_each(|one| body.extend(*one));
    dtls_record(22, 0xFEFF, 0, record_sequence, &dtls_handshake(1, 0, &body))
}

/// A DTLS 1.2 ServerHello in its record.
pub fn dtls_server_hello(record_sequence: u64) -> Vec<u8> {
    let mut body = vec![0xFE, 0xFD];
    body.extend([0xA5; 32]);
    body.extend([0, 0xC0, 0x2B, 0]); // no session, the suite, null compression
    body.extend([0, 9, 0, 14, 0, 5, 0, 2, 0, 1, 0]);
    dtls_record(22, 0xFEFD, 0, record_sequence, &dtls_handshake(2, 0, &body))
}

/// A DTLS alert in clear: level 1 is warning, 2 fatal.
pub fn dtls_alert(level: u8, description: u8) -> Vec<u8> {
    dtls_record(21, 0xFEFD, 0, 1, &[level, description])
}

/// A DNS query for an A record.
pub fn dns_query(id: u16, name: &str) -> Vec<u8> {
    let mut out = id.to_be_bytes().to_vec();
    out.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        out.push(label.len() as u8);
        out.extend(label.as_bytes());
    }
    out.extend([0, 0, 1, 0, 1]);
    out
}

/// A sender report (RFC 3550 §6.4.1) that says how many packets were sent.
pub fn rtcp_sender_report(ssrc: u32, packets: u32) -> Vec<u8> {
    let mut out = vec![0x80, 200, 0, 6];
    out.extend(ssrc.to_be_bytes());
    out.extend([0x11; 12]); // NTP and RTP time
    out.extend(packets.to_be_bytes());
    out.extend((packets * 160).to_be_bytes());
    out
}

/// A receiver report without blocks (RFC 3550 §6.4.2).
pub fn rtcp_receiver_report(ssrc: u32) -> Vec<u8> {
    let mut out = vec![0x80, 201, 0, 1];
    out.extend(ssrc.to_be_bytes());
    out
}

/// A BYE (RFC 3550 §6.6).
pub fn rtcp_bye(ssrc: u32) -> Vec<u8> {
    let mut out = vec![0x81, 203, 0, 1];
    out.extend(ssrc.to_be_bytes());
    out
}

/// What SRTP makes of RTCP: all but the first 8 bytes scrambled, then the index with its E bit, and a tag of 10 bytes (RFC 3711 §3.4).
pub fn srtcp(rtcp: &[u8], index: u32) -> Vec<u8> {
    let mut out = rtcp[..8].to_vec();
    out.extend(rtcp[8..].iter().map(|byte| byte ^ 0x5A));
    out.extend((0x8000_0000 | index).to_be_bytes());
    out.extend([0xC3; 10]);
    out
}
