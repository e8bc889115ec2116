//! Proxies of HTTP and SOCKS that clients ask for a way to a TURN server.

use super::attempts::is_usual;
use crate::event::{Proxied, Reply};
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
    /// What it says.
    pub reply: Reply,
    /// The request.
    pub asked: Seen,
    /// The answer.
    pub answered: Seen,
}

/// All of them, by client, proxy and the host and port that it is asked for; these are empty where a client was turned away before it named them.
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
        let mut yes = self.of(client).filter(|(known, _, answer)| *known == proxy && answer.reply.is_yes());
        yes.next().map(|(_, target, answer)| (target, answer))
    }

    fn add(&mut self, answer: &Proxied<'_>) {
        let &Proxied { target, reply, asked, answered, .. } = answer;
        let key = |target: &str| (answer.client.ip(), answer.proxy, target.to_owned());
        if !target.is_empty() {
            // it was let in this time
            self.0.remove(&key(""));
        }
        let wanted = target.is_empty() || is_of_turn(target);
        if wanted && (self.0.len() < MAX || self.0.contains_key(&key(target))) {
            self.0.insert(key(target), ProxyAnswer { reply, asked, answered });
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
        self.clients.proxies.add(answer);
    }
}
