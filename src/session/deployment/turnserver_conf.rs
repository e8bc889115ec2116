//! A coturn `turnserver.conf` as a deployment: where it listens, its outside address, relay ports, realm and users.

use super::{FileError, Read, Says, Server, Statement, base_name};
use crate::net::Transport;
use crate::session::credentials::{Setting, looks_like_turnserver_conf, settings};
use std::net::IpAddr;

/// Whether a file is more likely one of coturn than TOML.
pub(super) fn looks_like_one(text: &str) -> bool {
    let table = |line: &str| line.trim_start().starts_with('[');
    !text.lines().any(table) && looks_like_turnserver_conf(text)
}

pub(super) fn read(text: &str, origin: &str) -> Result<Read, FileError> {
    let file = base_name(origin);
    let mut server = Server { label: file.to_owned(), ..Server::default() };
    let mut stated: Vec<(usize, Says)> = Vec::new();
    let mut low: Option<(usize, u16)> = None;
    let mut high: Option<(usize, u16)> = None;
    let (mut users, mut first_user): (Vec<String>, usize) = (Vec::new(), 0);
    let has = |wanted: &str| settings(text).any(|setting| setting.name == wanted && setting.value != "false");
    let (udp, tcp) = (!has("no-udp"), !has("no-tcp"));
    for Setting { line, name, value } in settings(text) {
        let number = || value.trim().parse::<u16>().ok().filter(|&port| port > 0);
        let bad = |what: &str| FileError::new(origin, line, format!("{name} must be {what}"));
        match name {
            "listening-port" | "alt-listening-port" => {
                let port = number().ok_or_else(|| bad("a port"))?;
                let both = [(udp, Transport::Udp), (tcp, Transport::Tcp)];
                stated.extend(
                    both.iter().filter(|(on, _)| *on).map(|&(_, transport)| (line, Says::Open(port, transport))),
                );
            }
            "tls-listening-port" => {
                let port = number().ok_or_else(|| bad("a port"))?;
                if !has("no-tls") {
                    stated.push((line, Says::Open(port, Transport::Tcp)));
                }
            }
            "listening-ip" | "relay-ip" => {
                let ip: IpAddr = value.trim().parse().map_err(|_| bad("an IP address"))?;
                if !server.addresses.contains(&ip) {
                    server.addresses.push(ip);
                    stated.push((line, Says::Address(ip)));
                }
            }
            "external-ip" => {
                // `outside` or `outside/inside`
                let (outside, inside) = value.trim().split_once('/').unwrap_or((value.trim(), ""));
                let ip: IpAddr = outside.parse().map_err(|_| bad("an IP address"))?;
                if server.external.is_empty() {
                    stated.push((line, Says::External(Vec::new())));
                }
                server.external.push(ip);
                if let Ok(inside) = inside.parse()
                    && !server.addresses.contains(&inside)
                {
                    server.addresses.push(inside);
                }
            }
            "min-port" => low = Some((line, number().ok_or_else(|| bad("a port"))?)),
            "max-port" => high = Some((line, number().ok_or_else(|| bad("a port"))?)),
            "realm" if !value.is_empty() => {
                // the last one counts
                stated.retain(|(_, says)| !matches!(says, Says::Realm(_)));
                stated.push((line, Says::Realm(value.trim().to_owned())));
            }
            "server-name" if !value.is_empty() => server.label = value.trim().to_owned(),
            "user" => {
                let (user, _) = value.split_once(':').ok_or_else(|| bad("name:password"))?;
                first_user = if users.is_empty() { line } else { first_user };
                users.push(user.trim().to_owned());
            }
            _ => {}
        }
    }
    if let (Some((line, low)), Some((_, high))) = (low, high)
        && low <= high
    {
        stated.push((line, Says::RelayPorts(low, high)));
    }
    // users of a shared secret or a database stand elsewhere
    let elsewhere = [
        "use-auth-secret",
        "static-auth-secret",
        "psql-userdb",
        "mysql-userdb",
        "redis-userdb",
        "mongo-userdb",
        "userdb",
    ];
    if !users.is_empty() && !elsewhere.into_iter().any(has) {
        stated.push((first_user, Says::Users(users)));
    }
    stated.sort_by_key(|(line, _)| *line);
    // several outside addresses are alternatives
    if let Some((_, Says::External(outside))) = stated.iter_mut().find(|(_, says)| matches!(says, Says::External(_))) {
        outside.clone_from(&server.external);
    }
    let stated = stated.into_iter();
    let statements =
        stated.map(|(line, says)| Statement { file: file.to_owned(), line, server: Some(0), says }).collect();
    Ok(Read { servers: vec![server], statements, inside: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_coturn_is_configured_with_is_stated_without_its_passwords() {
        let text = "# x\nlistening-port=3478\nlistening-ip=192.168.245.61\nexternal-ip=10.88.246.156/192.168.245.61\nmin-port=24000\n\
                    max-port=29999\nno-tcp\nrealm=old\nrealm=turnuser\nuser=turnuser:hunter2\nuser=bob:0x00\n";
        assert!(looks_like_one(text));
        let read = read(text, "/etc/turnserver.conf").expect("a deployment");
        let told: Vec<String> = read.statements.iter().map(|told| format!("{} {told}", told.line)).collect();
        assert_eq!(
            told,
            [
                "2 3478/udp open",
                "3 address 192.168.245.61",
                "4 outside address 10.88.246.156",
                "5 relay ports 24000-29999",
                "9 realm turnuser",
                "10 users turnuser and bob",
            ]
        );
        assert!(!format!("{read:?}").contains("hunter2"));
    }

    #[test]
    fn mistakes_have_their_line_and_show_no_password() {
        let error = |text: &str| read(text, "t.conf").map(|_| ()).expect_err(text).to_string();
        assert_eq!(error("realm=x\nlistening-port=0"), "t.conf, line 2: listening-port must be a port");
        assert_eq!(error("user=hunter2"), "t.conf, line 1: user must be name:password");
        assert_eq!(error("external-ip=me"), "t.conf, line 1: external-ip must be an IP address");
    }
}
