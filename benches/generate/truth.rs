//! What a correct reader of the file must count, added up as the packets are written.

use std::collections::BTreeMap;

use super::options::Options;
use super::stun::{self, Class};

#[derive(Default)]
pub(crate) struct Truth {
    pub(crate) packets: u64,
    /// Bytes of the frames, without the file's own headers.
    pub(crate) bytes: u64,
    pub(crate) file_bytes: u64,
    pub(crate) first_us: u64,
    pub(crate) last_us: u64,
    /// Messages by class and method, those inside ChannelData included.
    stun: BTreeMap<String, u64>,
    pub(crate) stun_nested: u64,
    /// Distinct transaction ids of requests.
    pub(crate) transactions: u64,
    /// Of these, how many were answered within the file.
    pub(crate) answered: u64,
    /// Copies of a request after its first by the same sender.
    pub(crate) retransmissions: u64,
    errors: BTreeMap<u16, u64>,
    pub(crate) protected: u64,
    pub(crate) fingerprints: u64,
    pub(crate) channel_data: u64,
    pub(crate) rtp: u64,
    pub(crate) rtp_in_channel_data: u64,
    pub(crate) rtcp: u64,
    pub(crate) dtls_datagrams: u64,
    pub(crate) dtls_client_hellos: u64,
    pub(crate) dtls_server_hellos: u64,
    pub(crate) tcp_segments: u64,
    pub(crate) dns: u64,
    pub(crate) quic: u64,
    pub(crate) udp_flows: u64,
    pub(crate) tcp_flows: u64,
    counts: [[u64; 4]; 16],
}

impl Truth {
    /// One STUN message was written, within ChannelData if `nested`.
    pub(crate) fn message(&mut self, class: Class, method: u16, nested: bool) {
        self.counts[method as usize][class as usize] += 1;
        self.stun_nested += u64::from(nested);
    }

    pub(crate) fn error(&mut self, code: u16) {
        *self.errors.entry(code).or_default() += 1;
    }

    pub(crate) fn json(mut self, options: &Options) -> String {
        for (method, classes) in self.counts.iter().enumerate() {
            for (class, count) in ["request", "indication", "success", "error"].iter().zip(classes) {
                if *count > 0 {
                    self.stun.insert(format!("{} {class}", stun::method_name(method as u16)), *count);
                }
            }
        }
        let map = |pairs: Vec<(String, u64)>| {
            let inner: Vec<String> = pairs.iter().map(|(name, count)| format!("\"{name}\": {count}")).collect();
            format!("{{{}}}", inner.join(", "))
        };
        let stun_total: u64 = self.stun.values().sum();
        let errors = map(self.errors.iter().map(|(code, count)| (code.to_string(), *count)).collect());
        let fields: Vec<(&str, String)> = vec![
            ("shape", format!("\"{}\"", options.shape.name())),
            ("seed", options.seed.to_string()),
            ("packets", self.packets.to_string()),
            ("bytes", self.bytes.to_string()),
            ("file_bytes", self.file_bytes.to_string()),
            ("first_time_us", self.first_us.to_string()),
            ("last_time_us", self.last_us.to_string()),
            ("udp_flows", self.udp_flows.to_string()),
            ("tcp_flows", self.tcp_flows.to_string()),
            ("stun", map(self.stun.into_iter().collect())),
            ("stun_total", stun_total.to_string()),
            ("stun_nested", self.stun_nested.to_string()),
            ("transactions", self.transactions.to_string()),
            ("answered", self.answered.to_string()),
            ("unanswered", (self.transactions - self.answered).to_string()),
            ("retransmissions", self.retransmissions.to_string()),
            ("error_codes", errors),
            ("protected", self.protected.to_string()),
            ("fingerprints", self.fingerprints.to_string()),
            ("channel_data", self.channel_data.to_string()),
            ("rtp", self.rtp.to_string()),
            ("rtp_in_channel_data", self.rtp_in_channel_data.to_string()),
            ("rtcp", self.rtcp.to_string()),
            ("dtls_datagrams", self.dtls_datagrams.to_string()),
            ("dtls_client_hellos", self.dtls_client_hellos.to_string()),
            ("dtls_server_hellos", self.dtls_server_hellos.to_string()),
            ("tcp_segments", self.tcp_segments.to_string()),
            ("dns", self.dns.to_string()),
            ("quic", self.quic.to_string()),
            ("turn_password", format!("\"{}\"", stun::PASSWORD)),
        ];
        let lines: Vec<String> = fields.iter().map(|(name, value)| format!("  \"{name}\": {value}")).collect();
        format!("{{\n{}\n}}", lines.join(",\n"))
    }
}
