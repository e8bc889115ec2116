//! What proxies have to do with a finding: they stand for the server, or refuse a client the other way.

use super::{Clients, Group};
use crate::event::Reply;
use crate::net::Transport;
use crate::rules::Severity;
use crate::session::ProxyAnswer;

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
                " {server} is {} proxy, which {client} asked for a connection to {target} (frame {}): what is said of the server is said of that one.",
                if answer.reply.protocol() == "HTTP" {
                    "an HTTP".to_owned()
                } else {
                    format!("a {}", answer.reply.protocol())
                },
                answer.asked.frame
            );
        }
        let mut refused = proxies.of(client).filter(|(_, _, answer)| over_udp && !answer.reply.is_yes());
        if let Some((proxy, target, &ProxyAnswer { reply, asked, answered })) = refused.next() {
            let wanted =
                if target.is_empty() { String::new() } else { format!(" the request for a connection to {target}") };
            let meaning = reply.meaning().map(|meaning| format!(" ({meaning})")).unwrap_or_default();
            text.explanation += &format!(
                " Nor does the {} proxy {proxy} let {client} through: it answers{wanted} with {}{meaning} (frames {} and {}).",
                reply.protocol(),
                reply.code(),
                asked.frame,
                answered.frame
            );
            self.otherwise = Some(match reply {
                // RFC 9110 §15.5.8
                Reply::Http(407) | Reply::NoMethod => format!(
                    "The proxy {proxy} wants credentials: give them to the client, or let it pass without; else TCP and TLS by way of it are no way out."
                ),
                Reply::Login(_) => format!(
                    "The proxy {proxy} refuses the client's credentials: give it others, or let it pass without; else TCP and TLS by way of it are no way out."
                ),
                Reply::Http(403) | Reply::Socks5(2) => {
                    format!("Have the proxy {proxy} permit {target}; else TCP and TLS by way of it are no way out.")
                }
                _ => format!(
                    "See why the proxy {proxy} does not connect to {target}; else TCP and TLS by way of it are no way out."
                ),
            });
        }
    }
}
