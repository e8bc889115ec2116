//! What the API of a Cisco Meeting Server says of a TURN server: the `turnServer` object, and its status.
//!
//! The object says where the Call Bridge reaches the server (`serverAddress`), where clients do (`clientAddress`) and as whom; the status
//! which hosts were found behind it, whether they answer, and as whom they see the Call Bridge.

use super::{FileError, Read, Says, Server, Statement, base_name};
use crate::net::Transport;
use roxmltree::{Document, Node, ParsingOptions};

/// How many nodes a document may have.
const MAX_NODES: u32 = 100_000;

/// Whether a file is XML.
pub(super) fn looks_like_one(text: &str) -> bool {
    text.trim_start().starts_with('<')
}

pub(super) fn read(text: &str, origin: &str) -> Result<Read, FileError> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options)
        .map_err(|problem| FileError::new(origin, problem.pos().row as usize, "not well-formed XML"))?;
    let mut file = File { document: &document, origin, read: Read::default() };
    for server in document.descendants().filter(|node| node.has_tag_name("turnServer")) {
        file.server(server)?;
    }
    if file.read.servers.is_empty() {
        return Err(FileError::new(origin, None, "no <turnServer> in it"));
    }
    Ok(file.read)
}

struct File<'d, 'i> {
    document: &'d Document<'i>,
    origin: &'d str,
    read: Read,
}

/// An element that holds text, with its line.
struct Entry<'d> {
    text: &'d str,
    line: usize,
}

impl<'d> File<'d, '_> {
    fn entry<'n>(&self, node: Node<'d, 'n>, name: &str) -> Option<Entry<'d>> {
        let found = node.children().find(|child| child.has_tag_name(name))?;
        let text = found.text().map(str::trim).filter(|text| !text.is_empty())?;
        let line = self.document.text_pos_at(found.range().start).row as usize;
        Some(Entry { text, line })
    }

    fn port(&self, entry: &Entry<'_>, name: &str) -> Result<u16, FileError> {
        let port = entry.text.parse().ok().filter(|&port: &u16| port > 0);
        port.ok_or_else(|| FileError::new(self.origin, entry.line, format!("<{name}> must be a port")))
    }

    fn server<'n>(&mut self, node: Node<'d, 'n>) -> Result<(), FileError> {
        let number = self.read.servers.len();
        let mut server = Server { label: base_name(self.origin).to_owned(), ..Server::default() };
        let mut stated = Vec::new();
        // names instead of addresses are left to [[dns]]
        for (name, is_external) in [("serverAddress", false), ("clientAddress", true)] {
            if let Some(entry) = self.entry(node, name)
                && let Ok(ip) = entry.text.parse()
            {
                let known = if is_external { &mut server.external } else { &mut server.addresses };
                known.push(ip);
                stated.push((entry.line, Says::Address(ip)));
            }
        }
        if let Some(entry) = self.entry(node, "username") {
            stated.push((entry.line, Says::Users(vec![entry.text.to_owned()])));
        }
        if let Some(entry) = self.entry(node, "tcpPortNumberOverride") {
            let port = self.port(&entry, "tcpPortNumberOverride")?;
            stated.push((entry.line, Says::Open(port, Transport::Tcp)));
        }
        for host in node.children().filter(|child| child.has_tag_name("host")) {
            if let Some(entry) = self.entry(host, "address")
                && let Ok(ip) = entry.text.parse()
            {
                server.addresses.push(ip);
                stated.push((entry.line, Says::Address(ip)));
            }
            // of one that is not reachable nothing is to be expected
            if self.entry(host, "reachable").is_none_or(|entry| entry.text != "true") {
                continue;
            }
            if let Some(entry) = self.entry(host, "portNumber") {
                stated.push((entry.line, Says::Open(self.port(&entry, "portNumber")?, Transport::Udp)));
            }
            if let Some(entry) = self.entry(host, "tcpPortNumber") {
                stated.push((entry.line, Says::Open(self.port(&entry, "tcpPortNumber")?, Transport::Tcp)));
            }
            if let Some(entry) = self.entry(host, "mappedAddress")
                && let Ok(ip) = entry.text.parse()
            {
                stated.push((entry.line, Says::Mapped(ip)));
            }
        }
        self.read.servers.push(server);
        let file = base_name(self.origin).to_owned();
        self.read.statements.extend(stated.into_iter().map(|(line, says)| Statement {
            file: file.clone(),
            line,
            server: Some(number),
            says,
        }));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let read = read(text, "turn.xml").expect("a deployment");
        read.statements.iter().map(|told| format!("{} {told}", told.line)).collect()
    }

    #[test]
    fn the_object_says_where_and_as_whom() {
        let object = "<?xml version=\"1.0\"?>\n<turnServer id=\"2a\">\n <serverAddress>192.168.245.61</serverAddress>\n \
                      <clientAddress>10.88.246.156</clientAddress>\n <username>turnuser</username>\n <password>hunter2</password>\n \
                      <type>expressway</type>\n <tcpPortNumberOverride>3478</tcpPortNumberOverride>\n</turnServer>\n";
        assert_eq!(
            told(object),
            ["3 address 192.168.245.61", "4 address 10.88.246.156", "5 users turnuser", "8 3478/tcp open"]
        );
    }

    #[test]
    fn the_status_says_what_answers_and_whom_it_sees() {
        let status = "<turnServer>\n<status>success</status>\n<host>\n<address>192.168.245.61</address>\n<portNumber>3478</portNumber>\n\
                      <reachable>true</reachable>\n<roundTripTimeMs>48</roundTripTimeMs>\n<mappedAddress>172.16.85.180</mappedAddress>\n\
                      <mappedPortNumber>42712</mappedPortNumber>\n</host>\n</turnServer>";
        assert_eq!(told(status), ["4 address 192.168.245.61", "5 3478/udp open", "8 clients seen as 172.16.85.180"]);
        assert_eq!(told(&status.replace("true", "false")), ["4 address 192.168.245.61"]);
    }

    #[test]
    fn what_is_wrong_is_told_without_what_stands_there() {
        let error = |text: &str| read(text, "t.xml").map(|_| ()).expect_err(text).to_string();
        assert_eq!(error("<turnServer>\n<password>hunter2</pass>\n"), "t.xml, line 2: not well-formed XML");
        assert_eq!(error("<callBridge/>"), "t.xml: no <turnServer> in it");
        assert_eq!(
            error("<turnServer>\n<tcpPortNumberOverride>x</tcpPortNumberOverride></turnServer>"),
            "t.xml, line 2: <tcpPortNumberOverride> must be a port"
        );
    }
}
