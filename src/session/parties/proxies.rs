//! HTTP proxies that clients ask for a way to a TURN server (RFC 9110 §9.3.6).

use super::attempts::is_usual;
use crate::event::Proxied;
use crate::net::{Endpoint, ServerAddress};
use crate::session::Session;
use crate::session::conversations::exchange::Seen;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// How many clients, proxies and targets are remembered.
const MAX: usize = 256;

/// What a proxy answered a client last that asked it for a server.
#[derive(Clone, Copy, Debug)]
pub struct ProxyAnswer {
    /// The status code.
    pub code: u16,
    /// The request.
    pub asked: Seen,
    /// The answer.
    pub answered: Seen,
}

impl ProxyAnswer {
    /// Whether the proxy connects the client.
    #[must_use]
    pub fn is_yes(&self) -> bool {
        connects(self.code)
    }
}

/// Whether a proxy that answers with this status code connects the client (RFC 9110 §9.3.6).
#[must_use]
pub fn connects(code: u16) -> bool {
    (200..300).contains(&code)
}

/// All of them, by client, proxy and the host and port that it is asked for.
#[derive(Debug, Default)]
pub struct Proxies(BTreeMap<(IpAddr, Endpoint, String), ProxyAnswer>);

impl Proxies {
    /// What proxies answered clients, in order.
    pub fn iter(&self) -> impl Iterator<Item = (IpAddr, ServerAddress, &str, &ProxyAnswer)> {
        self.0.iter().map(|((client, proxy, target), answer)| (*client, ServerAddress(*proxy), target.as_str(), answer))
    }

    /// What they answered one client.
    pub fn of(&self, client: IpAddr) -> impl Iterator<Item = (ServerAddress, &str, &ProxyAnswer)> {
        let of_it = self.iter().filter(move |(known, ..)| *known == client);
        of_it.map(|(_, proxy, target, answer)| (proxy, target, answer))
    }

    /// What a proxy was asked for by a client, and connected it to.
    #[must_use]
    pub fn target(&self, client: IpAddr, proxy: ServerAddress) -> Option<(&str, &ProxyAnswer)> {
        let mut yes = self.of(client).filter(|(known, _, answer)| *known == proxy && answer.is_yes());
        yes.next().map(|(_, target, answer)| (target, answer))
    }

    fn add(&mut self, answer: &Proxied<'_>) {
        let key = (answer.client.ip(), answer.proxy, answer.target.to_owned());
        if is_of_turn(answer.target) && (self.0.len() < MAX || self.0.contains_key(&key)) {
            let &Proxied { code, asked, answered, .. } = answer;
            self.0.insert(key, ProxyAnswer { code, asked, answered });
        }
    }
}

/// Whether a host and port are likely those of a TURN server: by the port that is assigned to it, or by the host's first label.
fn is_of_turn(target: &str) -> bool {
    let Some((host, port)) = target.rsplit_once(':') else { return false };
    port.parse().is_ok_and(is_usual) || crate::session::tls::is_name_of_turn(host)
}

impl Session {
    /// A proxy answered a client that asks for a connection.
    pub fn proxied(&mut self, answer: &Proxied<'_>) {
        self.clients.proxies_mut().add(answer);
    }
}
