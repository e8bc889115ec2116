//! Proxies that clients asked for a way to a TURN server, of HTTP (RFC 9110 §9.3.6) and SOCKS (RFC 1928), and what they answered.

use super::Place;
use super::convert::Origin;
use crate::net::ServerAddress;
use crate::session::{ProxyAnswer, Session};
use schemars::JsonSchema;
use serde::Serialize;
use std::net::IpAddr;

/// What a proxy answered a client last that asked it for a TURN server.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Proxy {
    /// Who asked.
    pub client: String,
    /// Who was asked.
    pub proxy: super::Address,
    /// What it speaks: `HTTP`, `SOCKS5` or `SOCKS4`.
    pub protocol: &'static str,
    /// The host and port that it was asked for; empty where it turned the client away before that named them.
    pub target: String,
    /// What it answered: the status code of HTTP, the reply of SOCKS; where a proxy of SOCKS5 turns a client away before that, the status of the login (RFC 1929
    /// §2), or 255 where none of the client's methods of authentication will do.
    pub code: u16,
    /// What the code of SOCKS means. Left out of HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meaning: Option<&'static str>,
    /// Whether the proxy connects the client.
    pub granted: bool,
    /// The request and the answer.
    pub places: [Place; 2],
}

impl Proxy {
    fn new(client: IpAddr, proxy: ServerAddress, target: &str, answer: &ProxyAnswer, origin: Origin) -> Proxy {
        Proxy {
            client: client.to_string(),
            proxy: proxy.into(),
            protocol: answer.reply.protocol(),
            target: target.to_owned(),
            code: answer.reply.code(),
            meaning: answer.reply.meaning(),
            granted: answer.reply.is_yes(),
            places: [answer.asked, answer.answered].map(|seen| origin.place(seen.frame)),
        }
    }

    /// Whether the client is not let through.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        !self.granted
    }

    /// Its answer in words: `403`, `2 (not allowed by its rules)`.
    #[must_use]
    pub fn answer(&self) -> String {
        match self.meaning {
            Some(meaning) => format!("{} ({meaning})", self.code),
            None => self.code.to_string(),
        }
    }
}

/// All of them, by client.
pub(super) fn proxies(session: &Session, origin: Origin) -> Vec<Proxy> {
    let known = session.clients().proxies().iter();
    known.map(|(client, proxy, target, answer)| Proxy::new(client, proxy, target, answer, origin)).collect()
}

/// The first that refuses, as a clause.
pub(super) fn refusal(proxies: &[Proxy]) -> Option<String> {
    let known = proxies.iter().find(|known| known.is_refusal())?;
    let Proxy { client, proxy, protocol, target, places: [asked, answered], .. } = known;
    let asks = match target.as_str() {
        "" => String::new(),
        target => format!(", which asks for a connection to {},", target.escape_debug()),
    };
    Some(format!(
        "the {protocol} proxy {proxy} answers {client}{asks} with {} (frames {} and {})",
        known.answer(),
        asked.frame,
        answered.frame
    ))
}
