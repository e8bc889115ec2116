//! Who is wrong: every combination of what client and server hold, of what was given on the command line, and of whether the refusal is signed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use support::analyze::{assert_says, finding, report_with};
use support::*;

const CLIENT: &str = "172.16.84.124:50000";
const SERVER: &str = "10.88.246.156:3478";

/// What signs: the password that was given for the client's side, the one for the server's, both being one, or another that nobody knows.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Holds {
    Clients,
    Servers,
    Other,
}

/// What was given on the command line.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Given {
    Nothing,
    ClientsOnly,
    ServersOnly,
    Both,
    /// Both, and they are the same password.
    Same,
    /// One, of which nobody said whose it is.
    NoSide,
}

const CLIENTS: &str = "for-the-client";
const SERVERS: &str = "on-the-server!";
const OTHER: &str = "zq8#Lw0@Vd5^";

fn password(holds: Holds, given: Given) -> &'static str {
    match (holds, given) {
        (Holds::Clients, _) => CLIENTS,
        (Holds::Servers, Given::Same) => CLIENTS,
        (Holds::Servers, _) => SERVERS,
        (Holds::Other, _) => OTHER,
    }
}

fn toml(given: Given) -> String {
    let table = |label: &str, side: Option<&str>, password: &str| {
        let side = side.map(|side| format!("side = \"{side}\"\n")).unwrap_or_default();
        format!("[[credential]]\nlabel = \"{label}\"\n{side}username = \"turnuser\"\npassword = \"{password}\"\n")
    };
    let client = table("API", Some("client"), CLIENTS);
    match given {
        Given::Nothing => String::new(),
        Given::ClientsOnly => client,
        Given::ServersOnly => table("database", Some("server"), SERVERS),
        Given::Both => client + &table("database", Some("server"), SERVERS),
        Given::Same => client + &table("database", Some("server"), CLIENTS),
        Given::NoSide => table("note", None, CLIENTS),
    }
}

/// What the headline must say after the colon.
fn verdict(client: Holds, server: Option<Holds>, given: Given) -> &'static str {
    use Given::{Both, ClientsOnly, NoSide, Nothing, Same, ServersOnly};
    use Holds::{Clients, Servers};
    // what of a signature can be told with what was given: the label that it verifies with
    let known = |holds: Holds, by_server: bool| match (holds, given) {
        (Clients, ClientsOnly | Both) => Some("API"),
        (Clients | Servers, Same) => Some(if by_server { "database" } else { "API" }),
        (Servers, ServersOnly | Both) => Some("database"),
        (Clients, NoSide) => Some("note"),
        _ => None,
    };
    let (request, response) = (known(client, false), server.and_then(|server| known(server, true)));
    match (given, request, response) {
        (Nothing, ..) => "password differs between client and server",
        // the same secret on both signatures: it is not the password
        (_, Some(one), Some(other)) if one == other || given == Same => "though both sides sign with the same password",
        (_, Some("API"), Some("database")) => "the client signs with \"API\", the server with \"database\"",
        (_, Some("database"), Some("API")) => "the client signs with \"database\", the server with \"API\"",
        (Both, Some("API"), None) => "the client signs with \"API\", and the server's \"database\" is another password",
        (Same, Some("API"), None) => {
            "the client signs with \"API\", the same as the server's \"database\", and the server does not hold that"
        }
        (_, Some("API"), None) => "the client signs with \"API\", and the server holds another",
        (_, Some("note"), None) => "the client signs with \"note\", and the server holds another",
        (_, Some("database"), None) => "the client signs with \"database\", which the server should hold and does not",
        (_, None, Some("database")) => "the server holds \"database\", the client was given something else",
        (_, None, Some("API")) => "the server holds \"API\", the client was given something else",
        (_, None, Some("note")) => "the server holds \"note\", the client was given something else",
        (_, None, None) => "the client signs with none of the credentials given",
        other => panic!("no expectation for {other:?}"),
    }
}

#[test]
fn every_combination_of_what_both_sides_hold_and_what_was_given_is_told_as_it_is() {
    use Holds::{Clients, Other, Servers};
    let mut told = 0;
    for given in [Given::Nothing, Given::ClientsOnly, Given::ServersOnly, Given::Both, Given::Same, Given::NoSide] {
        for client in [Clients, Servers, Other] {
            for server in [None, Some(Clients), Some(Servers), Some(Other)] {
                let login = |holds| Login::new("turnuser", "turnuser", password(holds, given));
                let mut scene = Scene::new();
                scene.allocate_challenge(CLIENT, SERVER, "turnuser", "nonce-1");
                let retry = scene.after_ms(20).allocate_as(CLIENT, SERVER, &login(client), "nonce-1");
                scene.after_ms(10).refuse_with(&retry, 431, "Integrity Check Failure", |answer| match server {
                    Some(server) => answer.integrity(login(server).key()),
                    None => answer,
                });
                scene.later(5);
                let report = report_with(&scene.pcap(), &toml(given));
                let found = finding(&report, "turn-integrity-rejected");
                let says = found.title.split_once(": ").expect("a title with its reason").1;
                let case = format!("client {client:?}, server {server:?}, given {given:?}");
                assert_eq!(says, verdict(client, server, given), "{case}");
                assert_eq!(report.headline.trim_end_matches('.'), found.title, "{case}");
                let json = serde_json::to_string(&report).unwrap();
                assert!(
                    [CLIENTS, SERVERS, OTHER].iter().all(|secret| !json.contains(secret)),
                    "{case}: a secret is told"
                );
                told += 1;
            }
        }
    }
    assert_eq!(told, 72);
}

#[test]
fn two_passwords_that_a_mishap_tells_apart_are_told_so() {
    let given = "[[credential]]\nlabel = \"API\"\nside = \"client\"\npassword = \"blue-harbour-42 \"\n\
                 [[credential]]\nlabel = \"database\"\nside = \"server\"\npassword = \"blue-harbour-42\"\n";
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, "turnuser", "nonce-1");
    let login = Login::new("turnuser", "turnuser", "blue-harbour-42 ");
    let retry = scene.after_ms(20).allocate_as(CLIENT, SERVER, &login, "nonce-1");
    scene.after_ms(10).refuse_with(&retry, 431, "Integrity Check Failure", |answer| answer);
    scene.later(5);
    let report = report_with(&scene.pcap(), given);
    let found = finding(&report, "turn-integrity-rejected");
    let says = "\"database\" becomes \"API\" when a blank is added to the end of the password";
    assert_says(&found.explanation, says);
}
