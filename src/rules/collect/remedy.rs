//! What makes a failure a mere warning.

use crate::net::Endpoint;
use crate::session::{Clients, Grievance};
use std::net::IpAddr;

/// What makes a failure a mere warning.
#[derive(Clone, Copy, Debug)]
pub enum Remedy {
    /// Nothing: the severity stands.
    None,
    /// The client afterwards had an allocation, or data both ways.
    Service(Grievance),
    /// As [`Remedy::Service`]; and a client that signed a request afterwards shows that nothing was amiss at all.
    Credentials(Grievance),
    /// The client afterwards had data both ways; an allocation alone is not enough.
    Data(Grievance),
    /// As [`Remedy::Data`]; and where there was data the finding is not worth telling.
    DataOrNothing(Grievance),
    /// The two hosts afterwards had a DTLS association that was complete, by these addresses or, at the same time and where neither serves several, by others.
    Association(Grievance),
    /// As [`Remedy::Service`]; or the client completed a TLS connection to the same host, or exchanged data over TLS with another TURN server.
    Secure(Grievance),
    /// The client afterwards had an answer to a Binding request from some server, an allocation, or data both ways.
    Reachability(Grievance),
}

impl Remedy {
    /// What it goes by.
    pub(super) fn grievance(&self) -> Option<&Grievance> {
        match self {
            Remedy::None => None,
            Remedy::Service(from)
            | Remedy::Credentials(from)
            | Remedy::Data(from)
            | Remedy::DataOrNothing(from)
            | Remedy::Association(from)
            | Remedy::Secure(from)
            | Remedy::Reachability(from) => Some(from),
        }
    }

    /// The same of the other end, where it goes by what both have.
    pub(super) fn turned_around(self, server: Endpoint) -> Remedy {
        let turned = |from: Grievance| Grievance { client: from.server.ip(), server, ..from };
        match self {
            Remedy::Data(from) => Remedy::Data(turned(from)),
            Remedy::Association(from) => Remedy::Association(turned(from)),
            other => other,
        }
    }

    pub(super) fn found(&self, clients: &Clients) -> bool {
        match self {
            Remedy::None => false,
            Remedy::Service(from) | Remedy::Credentials(from) => clients.recovered(from),
            Remedy::Data(from) | Remedy::DataOrNothing(from) => clients.has_data(from.client, from.at),
            Remedy::Association(from) => {
                let hosts @ [one, other] = [from.client, from.server.ip()];
                // what a conference server agrees on with one participant is of no use to another
                let elsewhere = |&host: &IpAddr| {
                    clients.encrypted().was_keyed_at_once(host, from.at) && !clients.company().serves_several(host)
                };
                clients.encrypted().was_keyed(one, other, from.at) || hosts.iter().any(elsewhere)
            }
            Remedy::Secure(from) => {
                clients.recovered(from)
                    || clients.encrypted().was_secured(from.client, from.server.ip(), from.at)
                    || clients.encrypted().spoke_secured(from.client, from.at)
            }
            Remedy::Reachability(from) => clients.recovered(from) || clients.reached(from.client, from.at),
        }
    }
}
