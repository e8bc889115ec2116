//! What HTTP proxies have to do with a finding: they stand for the server, or refuse a client the other way.

use super::{Clients, Group};
use crate::net::Transport;
use crate::rules::Severity;
use crate::session::ProxyAnswer;

/// Status codes by which a proxy wants credentials of its own, and by which it forbids (RFC 9110 §15.5).
const WANTS_CREDENTIALS: u16 = 407;
const FORBIDDEN: u16 = 403;

impl Group {
    /// Says of a proxy what it is.
    pub(super) fn tell_of_proxies(&mut self, clients: &Clients) {
        if self.finding.severity == Severity::Note {
            return;
        }
        let (Some(client), Some(server)) = (self.finding.subject.client, self.finding.subject.server) else { return };
        let (client, proxies) = (client.0.ip(), clients.proxies());
        let over_udp = self.is_of_the_way() && self.finding.subject.transport == Some(Transport::Udp);
        let text = &mut self.finding.text;
        if let Some((target, answer)) = proxies.target(client, server) {
            text.explanation += &format!(
                " {server} is an HTTP proxy, which {client} asked for a connection to {target} (frame {}): what is said of the server is said of that one.",
                answer.asked.frame
            );
        }
        let mut refused = proxies.of(client).filter(|(_, _, answer)| over_udp && !answer.is_yes());
        if let Some((proxy, target, ProxyAnswer { code, asked, answered })) = refused.next() {
            text.explanation += &format!(
                " Nor does the HTTP proxy {proxy} let {client} through: it answers the request for a connection to {target} with {code} (frames {} and {}).",
                asked.frame, answered.frame
            );
            self.otherwise = Some(match *code {
                WANTS_CREDENTIALS => format!(
                    "The proxy {proxy} wants credentials: give them to the client, or let it pass without; else TCP and TLS by way of it are no way out."
                ),
                FORBIDDEN => {
                    format!("Have the proxy {proxy} permit {target}; else TCP and TLS by way of it are no way out.")
                }
                _ => format!(
                    "See why the proxy {proxy} does not connect to {target}; else TCP and TLS by way of it are no way out."
                ),
            });
        }
    }
}
