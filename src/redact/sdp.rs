//! Session descriptions that were given beside the capture, written again for whom the redacted capture is for.

use super::Redactor;
use crate::secret::Secret;
use crate::session::signalling::{Description, SignalledCandidate};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::net::IpAddr;

impl Redactor {
    /// Descriptions with what the capture has in the place of user fragments, passwords, names and addresses: JSON of the form that browsers print,
    /// which turnscope reads with `--sdp`. Fingerprints stay, as the comments on certificates have them; nothing else of the originals does.
    pub fn descriptions(&mut self, descriptions: &[(Description, Option<Secret>)]) -> Secret {
        // as though each were of a connection of its own, since what two files tell of one agent may differ
        let all: serde_json::Map<String, Value> = (1..)
            .zip(descriptions)
            .map(|(number, (description, password))| {
                let mut object = serde_json::Map::new();
                if let Some(kind) = description.kind {
                    object.insert("type".to_owned(), kind.name().into());
                }
                object.insert("sdp".to_owned(), self.description(description, password.as_ref()).into());
                let told = match description.local {
                    Some(true) => json!({ "localDescription": object }),
                    Some(false) => json!({ "remoteDescription": object }),
                    None => Value::Object(object),
                };
                (format!("{number}"), told)
            })
            .collect();
        Secret::new(serde_json::to_vec_pretty(&json!({ "PeerConnections": all })).unwrap_or_default())
    }

    fn description(&mut self, description: &Description, password: Option<&Secret>) -> String {
        let mut text = "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n".to_owned();
        if description.lite {
            text += "a=ice-lite\r\n";
        }
        let named = |media: &String| media.bytes().all(|byte| byte.is_ascii_lowercase());
        let mut media: Vec<&str> = description.media.iter().filter(|media| named(media)).map(String::as_str).collect();
        if media.is_empty() {
            media.push("application");
        }
        let fragment = self.names.name(description.ufrag.as_bytes());
        let fragment = String::from_utf8_lossy(&fragment).into_owned();
        let password = password.and_then(|password| self.standins.ice_password(&description.ufrag, password));
        for (number, media) in media.into_iter().enumerate() {
            // what is written to a text cannot fail
            let _ = write!(text, "m={media} 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:{fragment}\r\n");
            if let Some(password) = &password {
                let _ = write!(text, "a=ice-pwd:{}\r\n", String::from_utf8_lossy(password.expose()));
            }
            for fingerprint in &description.fingerprints {
                let _ = write!(text, "a=fingerprint:{} {}\r\n", fingerprint.hash, fingerprint.value);
            }
            if let Some(setup) = description.setup {
                let _ = write!(text, "a=setup:{}\r\n", setup.name());
            }
            let candidates = if number == 0 { description.candidates.as_slice() } else { &[] };
            for (foundation, candidate) in (1..).zip(candidates) {
                text += &self.candidate(foundation, candidate).unwrap_or_default();
            }
        }
        text
    }

    /// A line; none where its words are none that there are.
    fn candidate(&mut self, foundation: u32, candidate: &SignalledCandidate) -> Option<String> {
        let SignalledCandidate { address, port, transport, kind, component, priority, related } = candidate;
        let known = matches!(kind.as_str(), "host" | "srflx" | "prflx" | "relay")
            && matches!(transport.as_str(), "udp" | "tcp" | "ssltcp");
        let address = match address {
            Ok(ip) => self.other_ip(*ip).to_string(),
            Err(name) => String::from_utf8_lossy(&self.names.name(name.as_bytes())).into_owned(),
        };
        let related =
            related.map(|(ip, port)| format!(" raddr {} rport {port}", self.other_ip(ip))).unwrap_or_default();
        let line =
            format!("a=candidate:{foundation} {component} {transport} {priority} {address} {port} typ {kind}{related}");
        known.then(|| line + "\r\n")
    }

    fn other_ip(&mut self, ip: IpAddr) -> IpAddr {
        match ip {
            IpAddr::V4(ip) => self.addresses.v4(ip.octets()).into(),
            IpAddr::V6(ip) => self.addresses.v6(ip.octets()).into(),
        }
    }
}
