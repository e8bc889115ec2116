//! `turn-no-response`: requests to a server to which nothing comes back.

use super::AT_ONCE;
use super::hung;
use crate::event::Connection;
use crate::frame::{Seen, in_order};
use crate::net::{Scope, ServerAddress, Transport};
use crate::rules::denied::redirect;
use crate::rules::evidence::{counted, filter_of, frames, frames_of, how_long};
use crate::rules::nat::{how_far, own_outside};
use crate::rules::travel;
use crate::rules::{Collector, Confidence, Occurrence, Remedy, Severity, Text, View};
use crate::session::{Conversation, Exchange, Grievance, Meanwhile, Silence, is_alternative};
use crate::time::{Span, Timestamp};
use crate::wire::stun::{Class, Method};

pub(super) const ID: &str = "turn-no-response";

/// A copy of a request, or of a SYN, counts as unanswered when the capture goes on for this long after it.
pub(super) const PATIENCE: Span = Span::from_millis(1000);
/// Ports from here on are those that hosts pick for themselves.
pub(super) const EPHEMERAL: u16 = 32_768;
/// How many copies, of one request or of several, are "several times".
const SEVERAL: usize = 3;
/// How long a client waits for an answer over TCP (RFC 8489 §6.2.2), and after which time silence is at least odd.
pub(super) const TI: Span = Span::from_millis(39_500);
const LONG_OVER_TCP: Span = Span::from_secs(10);
/// A client that ends its connection after so long without an answer gave up.
const GAVE_UP: Span = Span::from_secs(5);
/// Copies closer together than this are a burst, not a client that waits for an answer.
const LONG: Span = Span::from_millis(1400);

pub(super) fn judge(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    for method in [Method::ALLOCATE, Method::BINDING] {
        silent(conversation, method, view, out);
    }
}

fn silent(conversation: &Conversation, method: Method, view: &View<'_>, out: &mut Collector) {
    let server = conversation.server;
    // a Binding that goes unanswered where others are answered is damage, or a test, or the end of a call
    let heard = conversation.answered > 0 || conversation.orphans > 0;
    let known = heard || view.session.clients().was_answered(conversation.client.0.ip(), server.0);
    if method == Method::BINDING && known || matches!(server.0.scope(), Scope::Multicast | Scope::Broadcast) {
        return;
    }
    if view.session.nat().is_own(conversation.client, server) {
        return;
    }
    // applications send plain Binding requests to peers too, which may not answer; servers have ports that are known
    let peer = method == Method::BINDING && !is_service(server.0.port());
    let client = conversation.client.0.ip();
    if peer && (server.0.port() >= EPHEMERAL || view.session.clients().is_heard(client)) {
        return;
    }
    let asked: Vec<&Exchange> = conversation.of(method).filter(|exchange| is_silent(exchange)).collect();
    let Some(last) = asked.last() else { return };
    // of what the capture cut short nobody can say that it is no check, which names a user
    if peer && asked.iter().any(|exchange| exchange.asked.truncated) {
        return;
    }
    if conversation.transport.is_stream() {
        return over_tcp(conversation, method, &asked, view, out);
    }
    if !is_tried(&asked, view) {
        return;
    }
    // who repeats the very same request has no answer, whatever of it the capture holds; a new request after an answer that is not in
    // the capture would look like one after silence. That nothing else came back either, such as an ICMP error or an answer from elsewhere, shows only
    // where the capture holds what is sent to the client
    let repeated = asked.iter().any(|exchange| exchange.again_total >= 2);
    let evident = hears(conversation, view);
    // a client that repeats some of its requests and not others had an answer to those others, which is not in the capture
    let unseen =
        repeated && asked.iter().any(|exchange| exchange.again_total == 0 && exchange.first.time < last.first.time);
    let confidence = Confidence::certain_if(!peer && evident && !unseen && !conversation.acts_on_unseen());
    if (!repeated && heard) || (method == Method::BINDING && unseen) {
        return;
    }
    tell(conversation, method, &asked, confidence, view, out);
}

/// Over TCP no request is repeated (RFC 8489 §6.2.2), and what is lost comes again by itself: one request that a server has on an open connection
/// and does not answer is enough, once the time for it is over.
fn over_tcp(conversation: &Conversation, method: Method, asked: &[&Exchange], view: &View<'_>, out: &mut Collector) {
    let Some(known) = conversation.connection.as_deref() else { return };
    let gaps = known.missing != [0; 2];
    // with bytes missing the answer may be among them
    if known.syn_ack.is_none() || gaps {
        return;
    }
    let left = ended(known, 0);
    if closed_by_server(known).is_some() {
        // a server that answered before tells something else
        let before = |closed: Seen| asked.iter().all(|exchange| exchange.first.time < closed.time);
        let instead = known.syn.is_some() && conversation.answered == 0 && conversation.orphans == 0;
        if instead && method == Method::ALLOCATE && closed_by_server(known).is_some_and(before) {
            tell(conversation, method, asked, Confidence::Certain, view, out);
        }
        return;
    }
    let until = left.map_or(view.now(), |left| left.time);
    let enough = if left.is_some() { GAVE_UP } else { LONG_OVER_TCP };
    let waited = asked.first().map(|first| until.since(first.first.time));
    let confidence = match waited {
        Some(waited) if waited >= TI => Confidence::Certain,
        Some(waited) if waited >= enough => Confidence::Likely,
        _ => return,
    };
    tell(conversation, method, asked, confidence, view, out);
}

/// Where the server ended a connection, be it by FIN or RST, that the client had not ended by then.
fn closed_by_server(known: &Connection) -> Option<Seen> {
    let (client, server) = (ended(known, 0), ended(known, 1)?);
    client.is_none_or(|client| client.frame > server.frame).then_some(server)
}

/// Where one end ended a connection.
fn ended(known: &Connection, side: usize) -> Option<Seen> {
    [known.fin, known.rst].iter().filter_map(|of| of.get(side).copied().flatten()).min_by_key(|at| at.frame)
}

fn tell(
    conversation: &Conversation,
    method: Method,
    asked: &[&Exchange],
    confidence: Confidence,
    view: &View<'_>,
    out: &mut Collector,
) {
    let (Some(first), Some(last)) = (asked.first(), asked.last()) else { return };
    let server = conversation.server;
    let user = last.asked.user_or_hash();
    // a client asks several servers at a time: one that answered just before this one was asked counts too
    let since = first.first.time.before(AT_ONCE);
    let grievance = Grievance { at: since, ..Grievance::of(conversation, user, first.first.time) };
    let serves = whom_it_serves(conversation, asked, view);
    let to_all = if matches!(serves, Some(Serves::Nobody(_))) { " to all" } else { "" };
    let mut seen = Occurrence {
        id: ID,
        key: match conversation.transport {
            Transport::Udp => format!("{server} {method}{to_all}"),
            transport => format!("{server} {method} {transport}{to_all}"),
        },
        severity: Severity::Failure,
        confidence,
        remedy: if method == Method::ALLOCATE { Remedy::Service(grievance) } else { Remedy::Reachability(grievance) },
        at: first.first.time,
        frames: frames_of(asked.iter().copied()),
        filter: Some(filter_of(conversation)),
        reference: if conversation.transport.is_stream() { "RFC 8489 §6.2.2" } else { "RFC 8489 §6.2.1" },
        subject: view.subject(conversation, user, None),
        causes: &["nat-alg-rewrite", "stun-malformed", "tls-handshake-failure"],
    };
    match conversation.connection.as_deref().and_then(closed_by_server) {
        Some(closed) => {
            seen.frames.push(closed.frame);
            out.add(seen, || hung_up(conversation, method, asked, closed, view));
        }
        None if knows_binding_only(conversation) || header_before(conversation).is_some() => {
            out.add(seen, || text(conversation, method, asked, serves, view))
        }
        None => {
            let other = if conversation.transport.is_stream() { "TLS" } else { "TCP or TLS" };
            let otherwise = format!("Where a network allows no such traffic, give the client a TURN URL over {other}.");
            out.add_way(seen, &otherwise, || text(conversation, method, asked, serves, view));
        }
    }
}

/// A connection that is closed in place of an answer: what listens there speaks something else.
fn hung_up(conversation: &Conversation, method: Method, asked: &[&Exchange], closed: Seen, view: &View<'_>) -> Text {
    let (client, server) = (conversation.client, conversation.server);
    let transport = conversation.transport;
    let listed = in_order(frames_of(asked.iter().copied()).into_iter().chain([closed.frame]));
    let cause = who_hangs_up(conversation);
    let others = others(server, transport, view);
    let others =
        if others.is_empty() { String::new() } else { format!(" In the same capture {}.", others.join(", and ")) };
    let http = conversation.connection.as_deref().and_then(|known| known.http);
    Text {
        title: match http {
            Some((_, code)) => {
                format!(
                    "{server} answers the {method} request of {client} over {} with HTTP status {code}",
                    transport.name()
                )
            }
            None => format!("{server} closes the TCP connection of {client} instead of answering its {method} request"),
        },
        explanation: format!(
            "{client} sent {method} to {server} over {}, and the server ended the connection without any answer of STUN ({}). {cause}{others}",
            transport.name(),
            frames(&listed)
        ),
        fix: match (transport, header_before(conversation)) {
            (_, Some((_, fix))) => fix,
            (Transport::Tls, _) => format!(
                "Check name and port of the TURN URL: behind the TLS of {server} a TURN server has to listen, or what ends TLS there has to pass this name \
                 on to one. Read the log of what listens there."
            ),
            _ => format!(
                "Check address and port of the TURN URL: {server} has to take TURN over TCP without TLS (turn: with ?transport=tcp); where TLS is expected \
                 the URL is to begin with turns:. Read the log of what listens there."
            ),
        },
    }
}

/// What ends a connection in place of an answer.
fn who_hangs_up(conversation: &Conversation) -> String {
    let http = conversation.connection.as_deref().and_then(|known| known.http);
    match (http, header_before(conversation), conversation.transport) {
        (Some((seen, code)), ..) => format!(
            "It answered with HTTP status {code} (frame {}): a web server listens there, or a proxy for the web that takes this port stands on the way.",
            seen.frame
        ),
        (_, Some((what, _)), _) => what,
        (.., Transport::Tls) => "Mostly something else than TURN listens behind that TLS: a web server, a proxy, or a balancer without a TURN server \
                                 behind it."
            .to_owned(),
        _ => format!(
            "Mostly something else than TURN over plain TCP listens there: a web server, a proxy, a port that expects TLS, or a balancer without a TURN server behind \
             it{}.",
            match conversation.server.0.port() {
                80 | 443 => "; or a firewall on the way lets nothing but the web pass on this port",
                _ => "",
            }
        ),
    }
}

/// That a connection begins with a header that a balancer sends, and what to do about it.
fn header_before(conversation: &Conversation) -> Option<(String, String)> {
    let header = conversation.connection.as_deref()?.proxied?;
    let server = conversation.server;
    let named = header.client.map(|client| format!(", here {client}")).unwrap_or_default();
    Some((
        format!(
            "The connection begins with a header of the PROXY protocol (frame {}), by which a balancer tells whom it stands for{named}; a server that does \
             not expect one does not take what follows for STUN.",
            header.at.frame
        ),
        format!(
            "Have the balancer send no PROXY header to {server}, or have {server} expect it (coturn: tcp-proxy-port, which is a port of its own)."
        ),
    ))
}

/// Ports of STUN and TURN services, by registration or by habit.
pub(super) fn is_service(port: u16) -> bool {
    is_alternative(port) || matches!(port, 53 | 19302..=19309)
}

/// Whether the capture shows that nothing came back: an answer would have been noticed, and the request asks for one.
fn is_silent(exchange: &Exchange) -> bool {
    exchange.is_unanswered() && !exchange.asked.nat_test
}

/// Whether several copies that have had time for an answer went out over more than a burst.
pub(super) fn is_tried(asked: &[&Exchange], view: &View<'_>) -> bool {
    let copies = asked.iter().flat_map(|exchange| [&exchange.first].into_iter().chain(&exchange.again));
    let sent: Vec<Timestamp> =
        copies.map(|copy| copy.time).filter(|sent| view.now().since(*sent) >= PATIENCE).collect();
    let over = sent.iter().max().zip(sent.iter().min()).map(|(last, first)| last.since(*first));
    sent.len() >= SEVERAL && over >= Some(LONG)
}

/// Whether an answer to the client would be in the capture.
fn hears(conversation: &Conversation, view: &View<'_>) -> bool {
    conversation.both_heard() || view.holds_answers(conversation.client.0.ip())
}

/// What tells why requests went unanswered.
struct Signs {
    /// A header in front of them, and what to do about it.
    header: Option<(String, String)>,
    lends_nothing: bool,
    drops_signed: bool,
    serves: Option<Serves>,
    /// How long before it was asked the server was heard last.
    heard: Option<Span>,
}

fn text(
    conversation: &Conversation,
    method: Method,
    asked: &[&Exchange],
    serves: Option<Serves>,
    view: &View<'_>,
) -> Text {
    let sent = asked.iter().map(|exchange| exchange.times_sent()).sum();
    let (client, server, transport) = (conversation.client, conversation.server, conversation.transport);
    let signs = Signs {
        header: header_before(conversation),
        lends_nothing: knows_binding_only(conversation),
        drops_signed: is_signed_only(conversation, asked),
        serves,
        heard: heard_before(conversation, asked, view),
    };
    let over = asked.iter().map(|exchange| exchange.last.time).max().zip(asked.first()).map(|(last, first)| {
        let over = last.since(first.first.time);
        if over > Span::default() { format!(" over {over}") } else { String::new() }
    });
    let open = conversation.connection.as_deref().and_then(|known| known.syn_ack);
    let open = open.map(|seen| format!(" The connection as such was accepted (frame {}).", seen.frame));
    let alone = match transport.is_stream() || hears(conversation, view) {
        true => String::new(),
        false => format!(
            " The capture holds nothing that was sent to {}: if it is one of a single direction, an answer would be missing too.",
            client.0.ip()
        ),
    };
    let (own, turn_back) = own_outside(client.0.ip(), server.0, view);
    let far = how_far(client, asked, view);
    let front = signs.header.as_ref().map(|(what, _)| format!(" {what}")).unwrap_or_default();
    let others = others(server, transport, view);
    let others_text = match others.as_slice() {
        [] => String::new(),
        some => format!(" In the same capture {}.", some.join(", and ")),
    };
    let nobody = match signs.serves {
        Some(Serves::Nobody(silence)) => format!(" {}", hung::told(silence, server)),
        _ if signs.heard.is_some() => " It stopped since then, or the way to it was closed.".to_owned(),
        _ => String::new(),
    };
    let way = travel::of_requests(conversation, asked, view);
    let (led, otherwise) = redirect::sent_here(conversation, view);
    let besides = match signs.serves {
        Some(Serves::OtherClients) => format!("{}, though it serves other clients", way.title),
        Some(Serves::TheSameHost) => format!("{}, though it answers other requests of the same host", way.title),
        _ if !way.title.is_empty() => way.title,
        Some(Serves::Nobody(_)) => ", nor anybody else in that time".to_owned(),
        None if signs.header.is_some() => ", behind a header of the PROXY protocol".to_owned(),
        None => match signs.heard {
            Some(ago) => format!(", though it was heard {} before", how_long(ago)),
            None => others.first().map(|other| format!(", while {other}")).unwrap_or_default(),
        },
    };
    Text {
        title: title(conversation, method, sent, &signs) + &besides,
        explanation: format!(
            "{client} sent {} to {server}{} ({}). Neither an answer nor an ICMP error came back.{}{front}{alone}{}{}{nobody}{others_text}{led}{own}{far}",
            counted(sent, &format!("{method} request")),
            over.unwrap_or_default(),
            frames(&frames_of(asked.iter().copied())),
            open.unwrap_or_default(),
            stage(conversation, method, &signs),
            way.text,
        ),
        fix: fix(conversation, signs, (turn_back, &otherwise), &way.fix),
    }
}

fn title(conversation: &Conversation, method: Method, sent: u64, signs: &Signs) -> String {
    let (client, server, over) = (conversation.client, conversation.server, conversation.transport.name());
    let requests = if sent == 1 { format!("the {method} request") } else { format!("{sent} {method} requests") };
    if signs.lends_nothing {
        format!("{server} answers Binding requests over {over}, but not {requests} of {client}")
    } else if conversation.answered > 0 {
        format!("{server} does not answer {requests} of {client} over {over}, though it answered others")
    } else if signs.serves.is_some() {
        format!("{server} does not answer {requests} of {client} over {over}")
    } else {
        let requests = counted(sent, &format!("{method} request"));
        format!("{server} does not answer over {over}: {requests} of {client} went unanswered")
    }
}

/// How far it came before the silence.
fn stage(conversation: &Conversation, method: Method, signs: &Signs) -> &'static str {
    if method != Method::ALLOCATE || conversation.answered == 0 {
        ""
    } else if signs.lends_nothing {
        " The server does answer Binding requests on the same ports, so the path as such is open: a server for STUN alone (coturn: stun-only) \
         keeps silent so, since it lends no relay."
    } else if signs.drops_signed {
        " The server did answer the request without credentials on the same ports, so the path as such is open. What differs is that this one is \
         signed: some servers (rusturn) drop it without a word where user or password are not theirs, where others refuse it; and it is larger."
    } else {
        " The server did answer other requests on the same ports, so the path as such is open: what differs is this request, by its \
         size or its content, or the server gave up."
    }
}

/// What to do; `otherwise` says what to do with a server that sent the client here, `on_the_way` where to look by what other captures show.
fn fix(conversation: &Conversation, signs: Signs, (turn_back, otherwise): (&str, &str), on_the_way: &str) -> String {
    let (client, server, over) = (conversation.client, conversation.server, conversation.transport.name());
    if let Some((_, fix)) = signs.header {
        return fix;
    }
    let fix = if signs.lends_nothing {
        format!(
            "Check that {server} is a TURN server and not one for STUN alone, and that TURN is switched on; give the client the URL of one that \
             lends relays."
        )
    } else if signs.drops_signed {
        format!(
            "Compare user and password of {client} with those that {server} knows, and read its log of that time. If they are right, see whether larger \
             packets get through."
        )
    } else if let Some(serves) = signs.serves {
        let what = match serves {
            Serves::OtherClients => format!(
                "Find out what is different about {client}, since {server} runs and others reach it: firewalls, block lists and rate limits that \
                 apply to this client, the way back to it, losses"
            ),
            Serves::Nobody(_) => {
                format!(
                    "{}. If it answered somebody after all, find out what is different about {client}",
                    hung::fix(server)
                )
            }
            Serves::TheSameHost => format!(
                "Find out what is different about these requests, since {server} runs and the host reaches it: a firewall that drops them for \
                 their size, content or port, a stale entry for that port in a NAT or connection tracker (as after a container was made anew), a rate limit, a \
                 server for STUN alone, losses"
            ),
        };
        format!("{what}; and read what the server's log says of {client}.")
    } else if conversation.transport.is_stream() {
        format!(
            "Find out what takes the connection: check that it is the TURN server that listens on {server} over {over}, and no firewall, proxy or \
             balancer that accepts connections for a server which it does not reach; and read the server's log of that time.{otherwise}"
        )
    } else {
        format!(
            "{turn_back}Find out where the requests end: check that the server runs and listens on {server} over {over}, and open that port in the \
             firewalls on the way, both for the requests and for the answers.{otherwise}"
        )
    };
    fix + on_the_way
}

/// Whether the server answers this client's Binding requests, and nothing else that it asks for.
fn knows_binding_only(conversation: &Conversation) -> bool {
    let granted = |exchange: &Exchange| exchange.answer.as_ref().is_some_and(|answer| answer.class == Class::Success);
    let other = |exchange: &Exchange| exchange.method != Method::BINDING && exchange.answer.is_some();
    conversation.of(Method::BINDING).any(granted) && !conversation.exchanges.iter().any(other)
}

/// Whether the server asks this client for credentials, and does not answer what is signed with them.
fn is_signed_only(conversation: &Conversation, asked: &[&Exchange]) -> bool {
    let is_challenge = |exchange: &Exchange| exchange.answer.as_ref().is_some_and(|answer| answer.is_challenge());
    asked.iter().all(|exchange| exchange.asked.is_signed()) && conversation.of(Method::ALLOCATE).any(is_challenge)
}

/// Whom else a server serves that does not answer.
#[derive(Clone, Copy)]
enum Serves {
    OtherClients,
    TheSameHost,
    Nobody(Silence),
}

/// Whom a server served over the same transport after it was first asked in vain in this conversation, in which it never answered.
fn whom_it_serves(conversation: &Conversation, asked: &[&Exchange], view: &View<'_>) -> Option<Serves> {
    let (client, server) = (conversation.client.0.ip(), conversation.server);
    let since = asked.first()?.first.time;
    if conversation.answered > 0 {
        return None;
    }
    if let Some(Meanwhile::Nobody(silence)) = hung::meanwhile(conversation, asked, view) {
        return Some(Serves::Nobody(silence));
    }
    view.session.servers().last_heard(server, conversation.transport).filter(|last| *last > since)?;
    let same = view.session.clients().was_answered(client, server.0);
    Some(if same { Serves::TheSameHost } else { Serves::OtherClients })
}

/// How long before it was asked in vain a server was heard last by anybody, over the same transport.
fn heard_before(conversation: &Conversation, asked: &[&Exchange], view: &View<'_>) -> Option<Span> {
    let last = view.session.servers().last_heard(conversation.server, conversation.transport)?;
    let ago = asked.first()?.first.time.since(last);
    (conversation.answered == 0 && ago >= Span::default()).then_some(ago)
}

/// Who answered instead: other transports and ports of the same server first.
fn others(server: ServerAddress, transport: Transport, view: &View<'_>) -> Vec<String> {
    let mut same = Vec::new();
    let mut other = Vec::new();
    for (address, known) in view.session.servers().sorted() {
        for (carrier, reached) in &known.transports {
            if reached.answered == 0 || (address == server && *carrier == transport) {
                continue;
            }
            if address.0.ip() == server.0.ip() {
                same.push(format!("the same server answers over {} on port {}", carrier.name(), address.0.port()));
            } else {
                other.push(format!("{address} answers over {}", carrier.name()));
            }
        }
    }
    same.extend(other);
    same.truncate(3);
    same
}
