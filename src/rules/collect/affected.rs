//! Whom a finding affects, where like occurrences became one.

use crate::session::{Grievance, Name, Names};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// How many clients and users are kept by name.
const KEPT: usize = 8;
/// How many of them are told.
const TOLD: usize = 3;

/// So many clients may be the addresses of one host.
const FEW: u64 = 3;

/// The clients that something happened to and that did not get over it; where all did, those that it happened to. Nobody, where that is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct Affected {
    /// The addresses of the first clients.
    pub clients: Vec<IpAddr>,
    /// How many clients, among the first 4096 occurrences and as many later ones that were not got over.
    pub clients_total: u64,
    /// The names of the first users.
    pub users: Vec<String>,
    /// How many users, among the same.
    pub users_total: u64,
}

impl Affected {
    pub(super) fn of(grievances: &[Grievance], names: &Names) -> Affected {
        let (mut clients, mut users) = (BTreeSet::<IpAddr>::new(), BTreeSet::<Name>::new());
        let mut affected = Affected::default();
        for &Grievance { client, user, .. } in grievances {
            if clients.insert(client) && clients.len() <= KEPT {
                affected.clients.push(client);
            }
            if let Some(user) = user
                && users.insert(user)
                && users.len() <= KEPT
            {
                affected.users.push(names.text(user));
            }
        }
        Affected { clients_total: clients.len() as u64, users_total: users.len() as u64, ..affected }
    }

    /// How much it weighs beside other findings, by how often the number of clients was doubled; few weigh nothing, for they may be one host.
    #[must_use]
    pub fn weight(&self) -> u32 {
        if self.clients_total <= FEW { 0 } else { self.clients_total.ilog2() }
    }

    /// `users "alice", "bob", "carol" and 3 more; clients 192.0.2.1, 192.0.2.2`, where it is more than one.
    #[must_use]
    pub fn several(&self) -> Option<String> {
        let list = |what: &str, names: &mut dyn Iterator<Item = String>, total: u64| {
            let names: Vec<String> = names.take(TOLD).collect();
            let rest = total.saturating_sub(names.len() as u64);
            let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            (total > 1).then(|| format!("{what} {}{more}", names.join(", ")))
        };
        let users = list("users", &mut self.users.iter().map(|name| format!("\"{name}\"")), self.users_total);
        let clients = list("clients", &mut self.clients.iter().map(IpAddr::to_string), self.clients_total);
        let told: Vec<String> = [users, clients].into_iter().flatten().collect();
        (!told.is_empty()).then(|| told.join("; "))
    }

    /// ` (and 3 other users)`, to go on with after one of them was told of; empty where there are no others.
    #[must_use]
    pub fn others(&self) -> String {
        let (total, what) =
            if self.users_total > 1 { (self.users_total, "user") } else { (self.clients_total, "client") };
        match total {
            0 | 1 => String::new(),
            2 => format!(" (and 1 other {what})"),
            many => format!(" (and {} other {what}s)", many - 1),
        }
    }
}
