//! What makes a failure a mere warning.

use crate::session::{Clients, Grievance};

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
    /// The two hosts afterwards had a DTLS association that was complete, by these addresses or, at the same time, by others.
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

    pub(super) fn found(&self, clients: &Clients) -> bool {
        match self {
            Remedy::None => false,
            Remedy::Service(from) | Remedy::Credentials(from) => clients.recovered(from),
            Remedy::Data(from) | Remedy::DataOrNothing(from) => clients.has_data(from.client, from.at),
            Remedy::Association(from) => clients.encrypted().was_keyed(from.client, from.server.ip(), from.at),
            Remedy::Secure(from) => {
                clients.recovered(from)
                    || clients.encrypted().was_secured(from.client, from.server.ip(), from.at)
                    || clients.encrypted().spoke_secured(from.client, from.at)
            }
            Remedy::Reachability(from) => clients.recovered(from) || clients.reached(from.client, from.at),
        }
    }
}
