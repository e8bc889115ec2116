//! The deployment as TOML: `[[server]]` and `[[dns]]` tables.
//!
//! Read by hand from the parsed tables, so that every statement has its line and every mistake, too.

use super::{FileError, Read, Says, Server, Statement, base_name, port, range};
use crate::net::Network;
use crate::session::credentials::Lines;
use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};
use std::borrow::Cow;
use std::net::IpAddr;

const TOP: &str = "inside, [[server]] and [[dns]]";
const SERVER: &str = "name, addresses, external, listen, open, relay_ports, realm, users, certificate_names";
const DNS: &str = "name, inside, outside and addresses";

/// Reads a file.
pub(super) fn read(text: &str, origin: &str) -> Result<Read, FileError> {
    let file = File { origin, lines: Lines::of(text) };
    let root = DeTable::parse(text).map_err(|problem| {
        let offset = problem.span().map_or(0, |span| span.start);
        file.wrong(offset, "not valid TOML (text must stand in double quotes)")
    })?;
    let mut read = Read::default();
    // keys come in the order of the alphabet; servers and names are sorted by line at the end
    for (name, value) in root.get_ref() {
        match name.get_ref().as_ref() {
            "inside" => {
                for (text, at) in file.texts("inside", value)? {
                    let network = Network::parse(text);
                    let bad = || file.wrong(at, "inside must be addresses or networks: \"172.16.0.0/12\"");
                    read.inside.push(network.ok_or_else(bad)?);
                }
            }
            "server" => {
                for table in file.tables("server", value)? {
                    file.server(table, &mut read)?;
                }
            }
            "dns" => {
                for table in file.tables("dns", value)? {
                    file.dns(table, &mut read)?;
                }
            }
            _ => return Err(file.unknown_key(name, TOP)),
        }
    }
    read.statements.sort_by_key(|statement| statement.line);
    Ok(read)
}

struct File<'a> {
    origin: &'a str,
    lines: Lines,
}

/// A value that is text, and where it stands.
type Text<'t> = (&'t str, usize);

impl File<'_> {
    fn line(&self, offset: usize) -> usize {
        self.lines.at(offset)
    }

    fn wrong(&self, offset: usize, what: impl Into<String>) -> FileError {
        FileError::new(self.origin, self.line(offset), what)
    }

    fn unknown_key(&self, name: &Spanned<Cow<'_, str>>, expected: &str) -> FileError {
        let shown: String = name.get_ref().chars().take(40).flat_map(char::escape_debug).collect();
        self.wrong(name.span().start, format!("unknown key \"{shown}\"; expected {expected}"))
    }

    fn tables<'t, 'i>(
        &self,
        key: &str,
        value: &'t Spanned<DeValue<'i>>,
    ) -> Result<Vec<&'t Spanned<DeValue<'i>>>, FileError> {
        let not_tables = || self.wrong(value.span().start, format!("{key} is written as [[{key}]] tables"));
        let DeValue::Array(tables) = value.get_ref() else { return Err(not_tables()) };
        if tables.iter().any(|table| !matches!(table.get_ref(), DeValue::Table(_))) {
            return Err(not_tables());
        }
        Ok(tables.iter().collect())
    }

    /// One text, or a list of texts.
    fn texts<'t>(&self, key: &str, value: &'t Spanned<DeValue<'_>>) -> Result<Vec<Text<'t>>, FileError> {
        let values: Vec<_> = match value.get_ref() {
            DeValue::Array(values) => values.iter().collect(),
            _ => vec![value],
        };
        let mut texts = Vec::new();
        for value in values {
            let at = value.span().start;
            match value.get_ref() {
                DeValue::String(text) if !text.is_empty() => texts.push((text.as_ref(), at)),
                DeValue::String(_) => return Err(self.wrong(at, format!("{key} is empty"))),
                _ => return Err(self.wrong(at, format!("{key} must be text in double quotes"))),
            }
        }
        if texts.is_empty() {
            return Err(self.wrong(value.span().start, format!("{key} is empty")));
        }
        Ok(texts)
    }

    fn text<'t>(&self, key: &str, value: &'t Spanned<DeValue<'_>>) -> Result<&'t str, FileError> {
        match self.texts(key, value)?.as_slice() {
            [(text, _)] => Ok(text),
            _ => Err(self.wrong(value.span().start, format!("{key} must be one text"))),
        }
    }

    fn address(&self, key: &str, (text, at): Text<'_>) -> Result<IpAddr, FileError> {
        text.parse().map_err(|_| self.wrong(at, format!("{key} must be IP addresses: \"192.0.2.1\"")))
    }

    fn addresses(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<Vec<IpAddr>, FileError> {
        self.texts(key, value)?.into_iter().map(|text| self.address(key, text)).collect()
    }

    fn server(&self, table: &Spanned<DeValue<'_>>, read: &mut Read) -> Result<(), FileError> {
        let DeValue::Table(entries) = table.get_ref() else { return Ok(()) };
        let number = read.servers.len();
        let mut server = Server::default();
        let mut stated: Vec<(usize, Says)> = Vec::new();
        let mut relay_open = None;
        let mut relay_ports = None;
        for (name, value) in entries {
            let start = value.span().start;
            match name.get_ref().as_ref() {
                "name" => server.label = self.text("name", value)?.to_owned(),
                "addresses" => {
                    for text in self.texts("addresses", value)? {
                        let ip = self.address("addresses", text)?;
                        server.addresses.push(ip);
                        stated.push((text.1, Says::Address(ip)));
                    }
                }
                "external" => {
                    server.external = self.addresses("external", value)?;
                    stated.push((start, Says::External(server.external.clone())));
                }
                key @ ("listen" | "open") => {
                    for (text, at) in self.texts(key, value)? {
                        if key == "open" && text == "relay" {
                            relay_open = Some(at);
                            continue;
                        }
                        let bad = || {
                            let relay = if key == "open" { ", or \"relay\" for the relay ports" } else { "" };
                            self.wrong(at, format!("{key} must be ports: \"3478/udp\", \"443/tcp\"{relay}"))
                        };
                        let (port, transports) = port(text).ok_or_else(bad)?;
                        stated.extend(transports.into_iter().map(|transport| (at, Says::Open(port, transport))));
                    }
                }
                "relay_ports" => {
                    let text = self.text("relay_ports", value)?;
                    let bad = || self.wrong(start, "relay_ports must be a range: \"24000-29999\"");
                    let (low, high) = range(text).ok_or_else(bad)?;
                    relay_ports = Some((low, high));
                    stated.push((start, Says::RelayPorts(low, high)));
                }
                "realm" => stated.push((start, Says::Realm(self.text("realm", value)?.to_owned()))),
                "users" => {
                    let users = self.texts("users", value)?.into_iter().map(|(text, _)| text.to_owned()).collect();
                    stated.push((start, Says::Users(users)));
                }
                "certificate_names" => {
                    let names = self.texts("certificate_names", value)?;
                    let names = names.into_iter().map(|(text, _)| text.to_owned()).collect();
                    stated.push((start, Says::CertificateNames(names)));
                }
                _ => return Err(self.unknown_key(name, SERVER)),
            }
        }
        match (relay_open, relay_ports) {
            (Some(at), Some((low, high))) => stated.push((at, Says::RelayOpen(low, high))),
            (Some(at), None) => return Err(self.wrong(at, "open = \"relay\" needs relay_ports")),
            (None, _) => {}
        }
        let line = self.line(table.span().start);
        if server.addresses.is_empty() && server.external.is_empty() {
            return Err(FileError::new(self.origin, line, "a [[server]] needs addresses"));
        }
        if server.label.is_empty() {
            server.label =
                server.addresses.iter().chain(&server.external).next().map(IpAddr::to_string).unwrap_or_default();
        }
        read.servers.push(server);
        for (at, says) in stated {
            self.state(read, at, Some(number), says);
        }
        Ok(())
    }

    fn dns(&self, table: &Spanned<DeValue<'_>>, read: &mut Read) -> Result<(), FileError> {
        let DeValue::Table(entries) = table.get_ref() else { return Ok(()) };
        let (mut wanted, mut inside, mut outside) = (None, Vec::new(), Vec::new());
        for (name, value) in entries {
            match name.get_ref().as_ref() {
                "name" => {
                    let text = self.text("name", value)?.trim_end_matches('.').to_ascii_lowercase();
                    wanted = Some((text, value.span().start));
                }
                "inside" => inside = self.addresses("inside", value)?,
                "outside" => outside = self.addresses("outside", value)?,
                "addresses" => {
                    inside = self.addresses("addresses", value)?;
                    outside.clone_from(&inside);
                }
                _ => return Err(self.unknown_key(name, DNS)),
            }
        }
        let start = table.span().start;
        let Some((name, at)) = wanted else { return Err(self.wrong(start, "a [[dns]] needs a name")) };
        if inside.is_empty() && outside.is_empty() {
            return Err(self.wrong(start, "a [[dns]] needs inside, outside or addresses"));
        }
        self.state(read, at, None, Says::Name { name, inside, outside });
        Ok(())
    }

    fn state(&self, read: &mut Read, at: usize, server: Option<usize>, says: Says) {
        let (file, line) = (base_name(self.origin).to_owned(), self.line(at));
        read.statements.push(Statement { file, line, server, says });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"inside = ["172.16.85.0/24"]

[[server]]
name = "Expressway-E"
addresses = ["172.16.85.168",
             "192.168.245.61"]
external = "10.88.246.156"
listen = ["3478/udp", "3478/tcp"]
open = ["443/tcp", "relay"]
relay_ports = "24000-29999"
realm = "turnuser"
users = ["turnuser"]
certificate_names = ["cmsweb.octavio.com"]

[[dns]]
name = "CMSweb.octavio.com."
inside = ["172.16.85.180"]
outside = ["10.88.246.156"]
"#;

    #[test]
    fn every_statement_has_the_line_that_it_stands_on() {
        let read = read(FILE, "lab/deployment.toml").expect("a deployment");
        let told: Vec<String> = read.statements.iter().map(|told| format!("{} {told}", told.line)).collect();
        assert_eq!(
            told,
            [
                "5 address 172.16.85.168",
                "6 address 192.168.245.61",
                "7 outside address 10.88.246.156",
                "8 3478/udp open",
                "8 3478/tcp open",
                "9 443/tcp open",
                "9 relay ports 24000-29999 open",
                "10 relay ports 24000-29999",
                "11 realm turnuser",
                "12 users turnuser",
                "13 certificate for cmsweb.octavio.com",
                "16 cmsweb.octavio.com is 172.16.85.180 inside, 10.88.246.156 outside",
            ]
        );
        assert!(read.statements.iter().all(|told| told.file == "deployment.toml"));
        assert!(read.servers[0].is_at("10.88.246.156".parse().unwrap()));
        assert!(read.inside[0].contains("172.16.85.180".parse().unwrap()));
    }

    #[test]
    fn each_mistake_is_told_with_its_line() {
        let error = |text: &str| read(text, "d.toml").map(|_| ()).expect_err(text).to_string();
        let server = |body: &str| error(&format!("[[server]]\naddresses = [\"192.0.2.1\"]\n{body}\n"));
        assert_eq!(server("realmm = \"x\""), format!("d.toml, line 3: unknown key \"realmm\"; expected {SERVER}"));
        assert_eq!(error("\n[[sever]]\n"), format!("d.toml, line 2: unknown key \"sever\"; expected {TOP}"));
        assert_eq!(
            server("[[dns]]\nname = \"a\"\nttl = \"x\""),
            format!("d.toml, line 5: unknown key \"ttl\"; expected {DNS}")
        );
        assert_eq!(server("listen = \"x/udp\""), "d.toml, line 3: listen must be ports: \"3478/udp\", \"443/tcp\"");
        assert_eq!(
            server("listen = [\"1/udp\",\n\"1/sctp\"]"),
            "d.toml, line 4: listen must be ports: \"3478/udp\", \"443/tcp\""
        );
        assert_eq!(server("relay_ports = \"9-1\""), "d.toml, line 3: relay_ports must be a range: \"24000-29999\"");
        assert_eq!(server("open = \"relay\""), "d.toml, line 3: open = \"relay\" needs relay_ports");
        assert_eq!(server("realm = 5"), "d.toml, line 3: realm must be text in double quotes");
        assert_eq!(server("realm = \"\""), "d.toml, line 3: realm is empty");
        assert_eq!(server("external = \"expe\""), "d.toml, line 3: external must be IP addresses: \"192.0.2.1\"");
        assert_eq!(error("[[server]]\nname = \"x\""), "d.toml, line 1: a [[server]] needs addresses");
        assert_eq!(error("[server]\nname = \"x\""), "d.toml, line 1: server is written as [[server]] tables");
        assert_eq!(error("[[dns]]\nname = \"x\""), "d.toml, line 1: a [[dns]] needs inside, outside or addresses");
        assert_eq!(
            error("inside = \"here\""),
            "d.toml, line 1: inside must be addresses or networks: \"172.16.0.0/12\""
        );
        assert_eq!(error("a = "), "d.toml, line 1: not valid TOML (text must stand in double quotes)");
    }
}
