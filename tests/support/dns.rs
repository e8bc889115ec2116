//! DNS messages (RFC 1035), built from the layout.

use std::net::{IpAddr, SocketAddr};

use super::scene::Scene;

pub const A: u16 = 1;
pub const AAAA: u16 = 28;
pub const SRV: u16 = 33;
pub const NAPTR: u16 = 35;
pub const SERVFAIL: u8 = 2;
pub const NXDOMAIN: u8 = 3;

pub fn encoded(name: &str) -> Vec<u8> {
    name.split('.').flat_map(|label| std::iter::once(label.len() as u8).chain(label.bytes())).chain([0]).collect()
}

fn message(id: u16, flags: u16, answers: u16, name: &str, kind: u16, records: &[u8]) -> Vec<u8> {
    let head = [id, flags, 1, answers, 0, 0];
    let mut bytes: Vec<u8> = head.iter().flat_map(|word| word.to_be_bytes()).collect();
    bytes.extend(encoded(name));
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    bytes.extend(records);
    bytes
}

pub fn question(id: u16, name: &str, kind: u16) -> Vec<u8> {
    message(id, 0x0100, 0, name, kind, &[])
}

pub fn failure(id: u16, name: &str, kind: u16, rcode: u8) -> Vec<u8> {
    message(id, 0x8180 | u16::from(rcode), 0, name, kind, &[])
}

/// An answer with addresses, of A or AAAA by what they are.
pub fn answer(id: u16, name: &str, addresses: &[&str]) -> Vec<u8> {
    let mut records = Vec::new();
    let mut asked = A;
    for text in addresses {
        let ip: IpAddr = text.parse().unwrap();
        let (kind, bytes) = match ip {
            IpAddr::V4(ip) => (A, ip.octets().to_vec()),
            IpAddr::V6(ip) => (AAAA, ip.octets().to_vec()),
        };
        asked = kind;
        records.extend([0xC0, 12]);
        records.extend(kind.to_be_bytes());
        records.extend([0, 1, 0, 0, 0, 60]);
        records.extend((bytes.len() as u16).to_be_bytes());
        records.extend(bytes);
    }
    message(id, 0x8180, addresses.len() as u16, name, asked, &records)
}

/// An answer with one record of this kind.
pub fn told(id: u16, name: &str, kind: u16, rdata: &[u8]) -> Vec<u8> {
    let mut records = vec![0xC0, 12];
    records.extend(kind.to_be_bytes());
    records.extend([0, 1, 0, 0, 0, 60]);
    records.extend((rdata.len() as u16).to_be_bytes());
    records.extend(rdata);
    message(id, 0x8180, 1, name, kind, &records)
}

/// An answer to SRV with one host.
pub fn service(id: u16, name: &str, host: &str, port: u16) -> Vec<u8> {
    let host = encoded(host);
    let mut records = vec![0xC0, 12, 0, 33, 0, 1, 0, 0, 0, 60];
    records.extend((6 + host.len() as u16).to_be_bytes());
    records.extend([0, 1, 0, 1]);
    records.extend(port.to_be_bytes());
    records.extend(host);
    message(id, 0x8180, 1, name, SRV, &records)
}

impl Scene {
    /// A client asks for the addresses of a name and is told them.
    pub fn resolves(&mut self, client: &str, resolver: &str, name: &str, addresses: &[&str]) -> u64 {
        let v6 = addresses.first().is_some_and(|ip| ip.contains(':'));
        self.after_ms(5).udp(from(client), at(resolver), question(7, name, if v6 { AAAA } else { A }));
        self.after_ms(5).udp(at(resolver), from(client), answer(7, name, addresses)).frame
    }

    /// A client asks for a name of this kind and is told that this went wrong.
    pub fn does_not_resolve(&mut self, client: &str, resolver: &str, name: &str, (kind, rcode): (u16, u8)) -> u64 {
        self.after_ms(5).udp(from(client), at(resolver), question(8, name, kind));
        self.after_ms(5).udp(at(resolver), from(client), failure(8, name, kind, rcode)).frame
    }

    /// A client asks for a name and hears nothing.
    pub fn asks_in_vain(&mut self, client: &str, resolver: &str, name: &str) -> u64 {
        self.after_ms(5).udp(from(client), at(resolver), question(9, name, A)).frame
    }
}

fn from(ip: &str) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), 40_001)
}

fn at(ip: &str) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), 53)
}
