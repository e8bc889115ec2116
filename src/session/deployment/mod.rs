//! What should be: a description of the servers, names and users, given beside the capture, taken apart into statements of which each can be
//! compared with what the packets show.
//!
//! It is written as TOML, or taken from what servers are configured with: coturn's `turnserver.conf`, and the XML of a Cisco Meeting Server's
//! `turnServer` object or its status. Passwords in those are passed over.

mod sightings;
mod toml_file;
mod turnserver_conf;
mod xml;

pub use sightings::{Port, Sighting, Sightings, Wrong};

use super::credentials::{FileError, base_name};
use super::{Flow, Lookups, Session};
use crate::net::{Network, Transport};
use std::fmt;
use std::net::IpAddr;

/// How many statements are kept of all files together.
const MAX_STATEMENTS: usize = 1_024;
/// How many bytes a file may have.
pub const MAX_FILE: usize = 1 << 20;

/// A server of the deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// What it is called.
    pub label: String,
    /// Its own addresses; empty where the file does not know them: it is then every server that the capture shows.
    pub addresses: Vec<IpAddr>,
    /// The addresses that a static NAT gives it outside.
    pub external: Vec<IpAddr>,
}

impl Server {
    /// Whether it is stated where it is.
    #[must_use]
    pub(super) fn is_located(&self) -> bool {
        !self.addresses.is_empty() || !self.external.is_empty()
    }

    /// Whether it is reached at an address.
    #[must_use]
    pub fn is_at(&self, ip: IpAddr) -> bool {
        !self.is_located() || self.addresses.contains(&ip) || self.external.contains(&ip)
    }
}

/// What one statement says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// The server has this address.
    Address(IpAddr),
    /// Outside, the server and its relay have one of these addresses.
    External(Vec<IpAddr>),
    /// The server listens on this port, and it is open on the way.
    Open(u16, Transport),
    /// The range of relay ports is open on the way to the server.
    RelayOpen(u16, u16),
    /// Relayed ports are in this range.
    RelayPorts(u16, u16),
    /// The realm of the server.
    Realm(String),
    /// Whom the server knows; the user names of time-limited credentials count without their expiry.
    Users(Vec<String>),
    /// What a name resolves to, inside and outside.
    Name {
        /// The name, in lower case.
        name: String,
        /// For who asks from inside; empty where nothing is stated.
        inside: Vec<IpAddr>,
        /// For who asks from outside; empty where nothing is stated.
        outside: Vec<IpAddr>,
    },
    /// The names that the server's certificate holds, at least.
    CertificateNames(Vec<String>),
    /// The address at which the server sees the clients that ask it.
    Mapped(IpAddr),
}

/// A statement and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The file, without its folders.
    pub file: String,
    /// The line in it, from 1.
    pub line: usize,
    /// The number of the server that it is about.
    pub server: Option<usize>,
    /// What it says.
    pub says: Says,
}

/// Everything that was stated. Empty: nothing is compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deployment {
    servers: Vec<Server>,
    statements: Vec<Statement>,
    /// Where "inside" is: who asks from elsewhere is outside. Empty: not told.
    inside: Vec<Network>,
    omitted: u64,
}

impl Deployment {
    /// Adds a file, of whichever form; `origin` is its path. Passwords in it are passed over.
    ///
    /// # Errors
    /// Not of a known form, a key that is not known, a value that is no address, port or range, nothing in it. Nothing is added then.
    pub fn add_file(&mut self, text: &str, origin: &str) -> Result<(), FileError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.len() > MAX_FILE {
            return Err(FileError::new(origin, None, "too large: a deployment has 1 MiB at most"));
        }
        let read = if xml::looks_like_one(text) {
            xml::read(text, origin)
        } else if turnserver_conf::looks_like_one(text) {
            turnserver_conf::read(text, origin)
        } else {
            toml_file::read(text, origin)
        }?;
        if read.statements.is_empty() {
            return Err(FileError::new(
                origin,
                None,
                "nothing is stated in it; expected [[server]] and [[dns]] tables",
            ));
        }
        let before = self.servers.len();
        self.servers.extend(read.servers);
        self.inside.extend(read.inside);
        for statement in read.statements {
            if self.statements.len() < MAX_STATEMENTS {
                let server = statement.server.map(|number| number + before);
                self.statements.push(Statement { server, ..statement });
            } else {
                self.omitted += 1;
            }
        }
        Ok(())
    }

    /// The servers.
    #[must_use]
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// The statements, in the order in which they stand.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// The server that a statement is about.
    #[must_use]
    pub fn server_of(&self, statement: &Statement) -> Option<&Server> {
        self.servers.get(statement.server?)
    }

    /// The names that something is stated about, in lower case.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.statements.iter().flat_map(|statement| match &statement.says {
            Says::Name { name, .. } => vec![name.clone()],
            Says::CertificateNames(names) => names.iter().map(|name| name.to_ascii_lowercase()).collect(),
            _ => Vec::new(),
        })
    }

    /// How many statements found no room.
    #[must_use]
    pub fn omitted(&self) -> u64 {
        self.omitted
    }

    /// Whether an address is inside; `None` where it was not told where that is.
    #[must_use]
    pub fn is_inside(&self, ip: IpAddr) -> Option<bool> {
        (!self.inside.is_empty()).then(|| self.inside.iter().any(|network| network.contains(ip)))
    }
}

impl fmt::Display for Statement {
    /// What it says, without the server: `listens on 3478/udp`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.says {
            Says::Address(ip) => write!(f, "address {ip}"),
            Says::External(ips) => write!(f, "outside address {}", list(ips)),
            Says::Open(port, transport) => write!(f, "{port}/{transport} open"),
            Says::RelayOpen(low, high) => write!(f, "relay ports {low}-{high} open"),
            Says::RelayPorts(low, high) => write!(f, "relay ports {low}-{high}"),
            Says::Realm(realm) => write!(f, "realm {realm}"),
            Says::Users(users) => write!(f, "users {}", list(users)),
            Says::Name { name, inside, outside } => match (inside.as_slice(), outside.as_slice()) {
                (inside, []) => write!(f, "{name} is {} inside", list(inside)),
                ([], outside) => write!(f, "{name} is {} outside", list(outside)),
                (inside, outside) if inside == outside => write!(f, "{name} is {}", list(inside)),
                (inside, outside) => write!(f, "{name} is {} inside, {} outside", list(inside), list(outside)),
            },
            Says::CertificateNames(names) => write!(f, "certificate for {}", list(names)),
            Says::Mapped(ip) => write!(f, "clients seen as {ip}"),
        }
    }
}

/// `a, b and c`.
fn list<T: fmt::Display>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    match items.split_last() {
        None => "nothing".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

impl Session {
    /// The same session with a description of what should be.
    #[must_use]
    pub fn with_deployment(self, deployment: Deployment) -> Self {
        let lookups = Lookups::about(deployment.names());
        Session { stated: Sightings::of(&deployment), deployment, lookups, ..self }
    }

    /// What should be.
    #[must_use]
    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// What was seen of that.
    #[must_use]
    pub fn stated(&self) -> &Sightings {
        &self.stated
    }

    /// A flow is over: what it shows of the deployment is noted.
    pub(super) fn note_stated(&mut self, flow: &Flow) {
        if !self.stated.is_empty() {
            self.stated.flow(flow, &self.deployment);
            if let Some(conversation) = flow.own_conversation() {
                self.stated.conversation(conversation, &self.names, &self.deployment);
            }
        }
    }
}

/// What a reader of one form gives.
#[derive(Debug, Default)]
struct Read {
    servers: Vec<Server>,
    statements: Vec<Statement>,
    inside: Vec<Network>,
}

/// `3478/udp`, `443/tcp`; a port alone is of both.
fn port(text: &str) -> Option<(u16, Vec<Transport>)> {
    let (port, transport) = text.split_once('/').map_or((text, None), |(port, transport)| (port, Some(transport)));
    let port = port.trim().parse().ok().filter(|&port| port > 0)?;
    let transports = match transport.map(|transport| transport.trim().to_ascii_lowercase()).as_deref() {
        None => vec![Transport::Udp, Transport::Tcp],
        Some("udp") => vec![Transport::Udp],
        Some("tcp" | "tls") => vec![Transport::Tcp],
        Some("dtls") => vec![Transport::Udp],
        Some(_) => return None,
    };
    Some((port, transports))
}

/// `24000-29999`.
fn range(text: &str) -> Option<(u16, u16)> {
    let (low, high) = text.split_once(['-', '–'])?;
    let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
    (0 < low && low <= high).then_some((low, high))
}

/// Reads any text as a deployment. For fuzzing.
#[doc(hidden)]
pub fn exercise(text: &str) -> usize {
    let mut deployment = Deployment::default();
    match deployment.add_file(text, "fuzz.toml") {
        Ok(()) => deployment.statements().iter().map(|statement| statement.to_string().len()).sum(),
        Err(error) => error.to_string().len(),
    }
}
