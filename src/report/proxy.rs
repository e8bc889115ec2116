//! HTTP proxies that clients asked for a way to a TURN server (RFC 9110 §9.3.6), and what they answered.

use super::Place;
use super::convert::Origin;
use crate::net::ServerAddress;
use crate::session::{ProxyAnswer, Session, connects};
use schemars::JsonSchema;
use serde::Serialize;
use std::net::IpAddr;

/// What an HTTP proxy answered a client last that asked it for a TURN server.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Proxy {
    /// Who asked.
    pub client: String,
    /// Who was asked.
    pub proxy: super::Address,
    /// The host and port that it was asked for.
    pub target: String,
    /// The status code of the answer; the proxy connects the client with 200 to 299.
    pub code: u16,
    /// The request and the answer.
    pub places: [Place; 2],
}

impl Proxy {
    fn new(client: IpAddr, proxy: ServerAddress, target: &str, answer: &ProxyAnswer, origin: Origin) -> Proxy {
        Proxy {
            client: client.to_string(),
            proxy: proxy.into(),
            target: target.to_owned(),
            code: answer.code,
            places: [answer.asked, answer.answered].map(|seen| origin.place(seen.frame)),
        }
    }

    /// Whether the client is not let through.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        !connects(self.code)
    }
}

/// All of them, by client.
pub(super) fn proxies(session: &Session, origin: Origin) -> Vec<Proxy> {
    let known = session.clients().proxies().iter();
    known.map(|(client, proxy, target, answer)| Proxy::new(client, proxy, target, answer, origin)).collect()
}

/// The first that refuses, as a clause.
pub(super) fn refusal(proxies: &[Proxy]) -> Option<String> {
    let Proxy { client, proxy, target, code, places: [asked, answered] } =
        proxies.iter().find(|known| known.is_refusal())?;
    Some(format!(
        "the HTTP proxy {proxy} answers {client}, which asks for a connection to {}, with {code} (frames {} and {})",
        target.escape_debug(),
        asked.frame,
        answered.frame
    ))
}
