//! `turn-relay-silent`: data leaves through the relay, and nothing ever comes back.

use super::address::is_out_of_reach;
use crate::net::{ClientAddress, RelayedAddress, Scope, ServerAddress, are_neighbours, is_unrouted};
use crate::rules::evidence::{counted, filter_of, frames, frames_at, how_long, is_whole};
use crate::rules::travel::{self, Whereabouts};
use crate::rules::{Collector, Confidence, Occurrence, Remedy, Severity, Subject, Text, View};
use crate::session::{Allocation, Arrival, Conversation, Grievance, Permission, Seen, Unreached};
use crate::time::Span;
use crate::wire::stun::TRANSMISSIONS;

pub(super) const ID: &str = "turn-relay-silent";

/// So much must have left, over so much time, before silence is an answer.
const TRIED: (u64, Span) = (5, Span::from_secs(3));
/// Or it was waited for so long afterwards: some agents send all their checks within two seconds.
const WAITED: Span = Span::from_secs(8);
/// So many datagrams of a peer are more than those that may come before the permission for it.
const SEVERAL: u64 = 3;
/// What a capture far from the client leaves open.
const DIRECT: &str = " All of it may be connectivity checks, and too few to tell that the call failed: a direct way between the two need not pass this \
                      capture point, and then the relay was not needed.";
/// What a capture that was made by a filter leaves open.
const FILTERED: &str = " All of it are connectivity checks, and the capture holds nothing but STUN: a filter on the server's port, or on STUN, leaves out what goes a direct \
                        way between the two, and then the relay was not needed. Capture all UDP of the client.";
/// How many peers are told of that the relay does not reach.
const SHOWN: usize = 3;

pub(super) fn judge(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    for silence in conversation.allocations().filter_map(|allocation| Silence::of(conversation, allocation, view)) {
        silence.tell(conversation, view, out);
    }
}

/// A relay through which much was sent and nothing came back.
struct Silence<'c> {
    client: ClientAddress,
    server: ServerAddress,
    relayed: RelayedAddress,
    allocation: &'c Allocation,
    /// That of the first peer which the relay can reach by its address.
    permission: &'c Permission,
    /// From the permission to the last that was sent.
    lasted: Span,
    /// From there on.
    waited: Span,
    unreached: Vec<Unreached>,
    /// The relay's own host refuses what is sent to it.
    shut: Option<Seen>,
    /// What the peer sent to the relay all the same.
    returned: Option<Arrival>,
    /// What the capture leaves open, as a sentence; empty where that is nothing.
    open: &'static str,
}

impl<'c> Silence<'c> {
    fn of(conversation: &Conversation, allocation: &'c Allocation, view: &View<'_>) -> Option<Silence<'c>> {
        let (client, server) = (conversation.client, conversation.server);
        let nothing_back = allocation.received.packets == 0 && conversation.relayed_checks.answered == 0;
        let relayed = allocation.relayed.iter().flatten().find(|relayed| relayed.is_usable()).copied()?;
        // what came back may be in what the capture lacks of the server's stream
        let unread = conversation.connection.as_deref().is_some_and(|connection| connection.missing[1] > 0);
        // what no peer can reach, and what is sent where nothing is bound or permitted, is told as that
        if !nothing_back || unread || is_out_of_reach(relayed, server) {
            return None;
        }
        let permission = in_reach(allocation, relayed).next()?;
        let (tried, over) = TRIED;
        let lasted = allocation.sent.last.since(permission.made.time);
        let astray = allocation.strays.as_deref().map_or(0, |strays| strays.packets());
        let until = allocation.ended.map_or(view.now(), |(_, seen)| seen.time);
        let waited = until.since(allocation.sent.last);
        if allocation.sent.packets.saturating_sub(astray) < tried || (lasted < over && waited < WAITED) {
            return None;
        }
        // what came before there was a permission was dropped rightly
        let permitted = |arrival: &Arrival| arrival.first.time >= permission.made.time || arrival.packets >= SEVERAL;
        let returned = view.session.returned(allocation, server, permission.peer.0.ip()).filter(permitted);
        Some(Silence {
            client,
            server,
            relayed,
            allocation,
            permission,
            lasted,
            waited,
            unreached: view.session.unreached(allocation, server),
            shut: view.session.shut(relayed, server, [allocation.created.time, allocation.until()]),
            open: match () {
                () if returned.is_some() => "",
                () if may_be_direct(conversation, allocation, view) => DIRECT,
                () if may_be_filtered(conversation, allocation, view) => FILTERED,
                () => "",
            },
            returned,
        })
    }

    fn tell(&self, conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
        let &Silence { server, allocation, permission, .. } = self;
        let mut listed = self.granted();
        listed.extend(self.unreached.iter().map(|known| known.first.frame));
        listed.extend(
            [self.shut, self.returned.map(|arrival| arrival.first)].into_iter().flatten().map(|seen| seen.frame),
        );
        let mut seen = Occurrence {
            id: ID,
            key: server.to_string(),
            severity: Severity::Failure,
            confidence: Confidence::certain_if(is_whole(conversation) && self.open.is_empty()),
            remedy: Remedy::DataOrNothing(Grievance::of(conversation, allocation.user, allocation.created.time)),
            at: permission.made.time,
            frames: listed,
            filter: Some(filter_of(conversation)),
            reference: "RFC 8656 §9",
            subject: Subject {
                relayed: Some(self.relayed),
                peer: Some(permission.peer),
                ..view.subject(conversation, allocation.user, allocation.realm)
            },
            causes: &["turn-relay-private", "turn-permission-missing", "turn-channel-mismatch"],
        };
        // each of these is another story, to be told of those alone that it is of
        if let Some(shut) = self.shut {
            seen.key += " shut";
            out.add(seen, || self.turned_away_by_its_host(shut));
        } else if let Some(refused) = self.nobody_reached() {
            seen.key += " beyond";
            out.add(seen, || self.turned_away_beyond(refused));
        } else if let Some(arrival) = self.returned {
            let way = travel::of_receiver(self.relayed.0, view);
            let at_server = is_unrouted(conversation.ttl[1]) && way.text.is_empty();
            seen.key += " arrives";
            out.add(seen, || self.not_passed_on(&arrival, at_server, &way));
        } else {
            out.add(seen, || self.nothing_back());
        }
    }

    /// The frames in which allocation and permission were asked for and granted.
    fn granted(&self) -> Vec<u64> {
        frames_at([self.allocation.requested, self.allocation.created, self.permission.made])
    }

    /// What said first by ICMP that a peer is not reached, where that was said of every peer.
    fn nobody_reached(&self) -> Option<&Unreached> {
        let turned_away = |peer: &Permission| self.unreached.iter().any(|known| known.peer.0.ip() == peer.peer.0.ip());
        self.unreached.first().filter(|_| in_reach(self.allocation, self.relayed).all(turned_away))
    }

    /// What was granted and sent, without its full stop.
    fn sent(&self) -> String {
        let and_then = match self.lasted < TRIED.1 {
            true => format!(" and within {} after that", self.waited),
            false => String::new(),
        };
        format!(
            "The allocation and the permission for {} were granted ({}), and {} went out through the relay over {}. Not one came back from any peer{and_then}",
            self.permission.peer.0.ip(),
            frames(&self.granted()),
            counted(self.allocation.sent.packets, "message"),
            how_long(self.lasted),
        )
    }

    fn turned_away_by_its_host(&self, shut: Seen) -> Text {
        let &Silence { client, server, relayed, .. } = self;
        let (own, port) = (relayed.0.ip(), relayed.0.port());
        Text {
            title: format!(
                "What peers send to the relay {relayed} of {client} is turned away by its own host: port unreachable (ICMP)"
            ),
            explanation: format!(
                "{}. The host of {relayed} itself answers what is sent there with ICMP \"port unreachable\" (from frame {} on): {server} has closed that port, \
                 though the client was not told, or the host's firewall refuses it.",
                self.sent(),
                shut.frame
            ),
            fix: format!(
                "Let UDP from anywhere in to the whole range of relay ports on {own}, this one being {port}. If no firewall refuses it, see in the server's log why it \
                 gave up the relay: a restart, or an error when it sends, as where the host has no route to a peer."
            ),
        }
    }

    fn turned_away_beyond(&self, refused: &Unreached) -> Text {
        Text {
            title: format!(
                "What {} sends through the relay {} does not reach {}: {} (ICMP)",
                self.client, self.relayed, refused.peer, refused.kind
            ),
            explanation: format!(
                "{}.{} So the relay does send, and what it sends gets that far.",
                self.sent(),
                self.met()
            ),
            fix: beyond(refused, self.relayed),
        }
    }

    /// What a peer sends gets as far as this capture, and does not reach the client.
    fn not_passed_on(&self, arrival: &Arrival, at_server: bool, way: &Whereabouts) -> Text {
        let &Silence { client, server, relayed, .. } = self;
        let Arrival { peer, first, packets, .. } = arrival;
        let (own, port) = (relayed.0.ip(), relayed.0.port());
        let lost = if at_server {
            "A capture shows what arrives before the host's own firewall has judged it: that firewall, or a port mapping before a container, keeps it from \
             the server."
        } else if way.text.is_empty() {
            "It is lost between this capture point and the server, or on the server's host."
        } else {
            ""
        };
        let seen =
            if at_server { "arrives and is not passed on" } else { "is seen on its way and does not come through" };
        Text {
            title: format!(
                "What {peer} sends to the relay {relayed} {seen} to {client}: something before {server} drops it"
            ),
            explanation: format!(
                "{}. Yet {} of {peer} for {relayed} {} in the capture (from frame {} on), and {peer} has a permission.{}{lost}{}",
                self.sent(),
                counted(*packets, "datagram"),
                if *packets == 1 { "is" } else { "are" },
                first.frame,
                if lost.is_empty() { "" } else { " " },
                way.text,
            ),
            fix: format!(
                "Let UDP from anywhere in to the whole range of relay ports on {own}, this one being {port}: in the firewall of the server's host (nftables, \
                 iptables, ufw), in a cloud's security group, in the published ports of a container.{}",
                way.fix
            ),
        }
    }

    fn nothing_back(&self) -> Text {
        let &Silence { client, server, relayed, .. } = self;
        let peer = self.permission.peer.0.ip();
        // a server with several addresses lends them all; so does one whose outside address is set wrong
        let elsewhere = match are_neighbours(relayed.0.ip(), server.0.ip()) || relayed.0.is_v6() != server.0.is_v6() {
            true => String::new(),
            false => format!(
                " The relay is not at the address at which the client reaches the server, {}: an outside address that is set wrong on the server (coturn: \
                 external-ip) looks the same.",
                server.0.ip()
            ),
        };
        // both sides are relayed by this server, which sends to itself by way of the address outside of its NAT
        let is_own = |known: &Permission| [server.0.ip(), relayed.0.ip()].contains(&known.peer.0.ip());
        let (own_address, hairpin) = match in_reach(self.allocation, relayed).all(is_own) {
            true => (
                format!(
                    " The peer {peer} is at the server's own address: both sides are relayed by it, and a server behind a NAT often does not reach itself by its \
                     outside address."
                ),
                format!(
                    "Let the server reach itself at {peer}: have the NAT before it turn such packets back (hairpin), put that address on an interface of its host, or \
                     give it an outside address without a NAT. "
                ),
            ),
            false => Default::default(),
        };
        Text {
            title: format!(
                "Nothing comes back through the relay {relayed} of {server}, though {client} sends through it"
            ),
            explanation: format!(
                "{}: either what the relay sends or what peers send to it is dropped, or no peer is there.{}{elsewhere}{own_address}",
                self.sent(),
                self.met()
            ),
            fix: format!(
                "{hairpin}Let UDP through between {} and the peers, in both directions, for the whole range of relay ports: this relay has port {}. See on the far side \
                 whether anything of it arrives at {peer}.",
                relayed.0.ip(),
                relayed.0.port(),
            ),
        }
    }

    /// Who said by ICMP that peers are not reached, and what the capture leaves open.
    fn met(&self) -> String {
        let told = |known: &Unreached| {
            let Unreached { peer, kind, first, .. } = known;
            match known.sender {
                Some(sender) => format!(
                    " {sender} answered what the relay sent to {peer} with ICMP \"{kind}\" (from frame {} on).",
                    first.frame
                ),
                None => format!(
                    " {} told the client what came back by ICMP: for {peer} \"{kind}\" (from frame {} on).",
                    self.server, first.frame
                ),
            }
        };
        self.unreached.iter().take(SHOWN).map(told).collect::<String>() + self.open
    }
}

/// The permissions for peers that the relay can reach by their addresses: one in the open cannot send to a closed network, which says nothing of it.
fn in_reach(allocation: &Allocation, relayed: RelayedAddress) -> impl Iterator<Item = &Permission> {
    let within = move |peer: &&Permission| relayed.0.scope() != Scope::Public || peer.peer.0.scope() == Scope::Public;
    allocation.permissions.iter().filter(within)
}

/// Whether what the relay carried may be no more than one attempt of checks on each peer, seen where direct ways of the two need not pass.
fn may_be_direct(conversation: &Conversation, allocation: &Allocation, view: &View<'_>) -> bool {
    let checks = u64::from(conversation.relayed_checks.sent);
    let peers = allocation.permissions.len() as u64;
    let attempts = u64::from(TRANSMISSIONS) * peers;
    // or nobody looks there
    let is_unseen = !is_unrouted(conversation.ttl[0]) || view.session.hides(conversation.client.0.ip());
    is_unseen && checks <= attempts && allocation.sent.packets <= checks
}

/// Whether what the relay carried is checks, and the capture, though it is the client's, would show no direct way that made it needless: one that a filter on a
/// port made, or on STUN.
fn may_be_filtered(conversation: &Conversation, allocation: &Allocation, view: &View<'_>) -> bool {
    let checks = u64::from(conversation.relayed_checks.sent);
    is_unrouted(conversation.ttl[0]) && allocation.sent.packets <= checks && view.session.holds_stun_only()
}

/// What to do where the relay sends and what is beyond it refuses.
fn beyond(refused: &Unreached, relayed: RelayedAddress) -> String {
    let (peer, own) = (refused.peer, relayed.0.ip());
    if refused.kind.is_prohibited() {
        format!("Permit UDP from {own} to {peer} in the firewall that forbids it, on the way or on the peer's host.")
    } else if refused.kind.is_port_unreachable() {
        format!(
            "See whether the peer still holds {peer}: its socket may be closed, or the candidate is that of an earlier call, or of a NAT that has forgotten \
             it. The relay and its ports need no change."
        )
    } else {
        format!(
            "See whether there is a route from {own} to {peer}, and whether that is an address at which others than the peer's own network can reach it; else \
             have the peer offer another candidate."
        )
    }
}
