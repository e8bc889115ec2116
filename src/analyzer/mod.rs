//! The only place that joins the stages: frames in, rows and a report out.
//!
//! A tunnel is a loop here, not a layer: what Send, Data and ChannelData carry goes in again, marked with its relay passage, to a fixed
//! depth ([`event::MAX_HOPS`](crate::event::MAX_HOPS)).

mod at_once;
mod datagrams;
mod dtls;
mod early_errors;
mod filters;
mod icmp_answers;
mod opened;
mod streamed;
mod together;

use early_errors::EarlyErrors;
pub use filters::{Filters, Host};
pub use icmp_answers::IcmpAnswers;
pub use together::{Source, Together};

use crate::capture::{Capture, CaptureInfo};
use crate::event::{Body, Event, IcmpAnswer, Row};
use crate::frame::Seen;
use crate::frame::{Frame, Place};
use crate::join::Joins;
use crate::keys::KeyLog;
use crate::logs::LogFile;
use crate::net::Transport;
use crate::packet::{Counts, Packet, Packets, Segment};
use crate::report::{self, Builder, Report};
use crate::rules::{self, Collector};
use crate::secret::Secret;
use crate::session::credentials::{Credentials, Integrity};
use crate::session::deployment::Deployment;
use crate::session::signalling::Signalling;
use crate::session::tls::TlsConnection;
use crate::session::{Flow, Known, Limits, Path, Session};
use crate::stream::{self, Associations, DnsSegments, Streams};
use crate::time::{Span, Timestamp};
use crate::wire::demux::{self, Kind};
use crate::wire::mdns;
use crate::wire::stun::{Message, Method};
use crate::wire::turn::ChannelData;
use std::collections::BTreeMap;

/// What is wanted of an analysis.
#[derive(Debug, Default)]
pub struct Options {
    /// Index of the capture among those read together.
    pub capture: u32,
    /// What messages are tested with.
    pub credentials: Credentials,
    /// What the two sides told each other beside the packets.
    pub signalling: Signalling,
    /// What should be.
    pub deployment: Deployment,
    /// What is looked at.
    pub filters: Filters,
    /// Bounds on memory.
    pub limits: Limits,
    /// Whether RTP and RTCP are rows too.
    pub media: bool,
    /// What opens TLS and DTLS.
    pub keys: KeyLog,
    /// The ICMP errors that answered the request in a frame, from [`IcmpAnswers`], so that the row of the request can tell.
    pub icmp: BTreeMap<u64, IcmpAnswer>,
    /// What several captures together show; [`Together`] finds it.
    pub joins: Joins,
}

/// Analyses one capture.
#[derive(Debug)]
pub struct Analyzer {
    packets: Packets,
    streams: Streams,
    core: Core,
    /// Blocks of secrets in the capture, and damaged lines in them.
    embedded: (u64, u64),
}

/// Everything behind the packet layer.
#[derive(Debug)]
struct Core {
    capture: u32,
    filters: Filters,
    media: bool,
    icmp: BTreeMap<u64, IcmpAnswer>,
    /// Of the last frame that said its time: a frame that does not is told with that time.
    digits: u8,
    /// Messages that came in TCP streams.
    streamed: u32,
    /// DNS over TCP.
    dns: DnsSegments,
    /// What opens DTLS, and what the record at hand held.
    dtls: Associations<Path>,
    plain: Vec<u8>,
    early: EarlyErrors,
    session: Session,
    findings: Collector,
    builder: Builder,
}

/// What has been found in one capture, before captures are put together by [`report()`].
#[derive(Debug)]
pub struct Analyzed(report::Part);

impl Analyzer {
    /// An analyzer that has seen nothing.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let Options { capture, credentials, signalling, deployment, filters, limits, media, keys, icmp, joins } =
            options;
        let builder = Builder::new(capture, filters.user.clone(), filters.is_narrow());
        let session = Session::new(credentials, limits).with_hosts(filters.whole_hosts());
        let session = session.with_signalling(signalling).with_deployment(deployment).with_joins(joins);
        let findings = Collector::of(filters.user.clone());
        let (dtls, plain, early) = (Associations::default(), Vec::new(), EarlyErrors::default());
        let (digits, streamed, dns) = (0, 0, DnsSegments::default());
        let mut core = Core {
            capture,
            filters,
            media,
            icmp,
            digits,
            streamed,
            dns,
            dtls,
            plain,
            early,
            session,
            findings,
            builder,
        };
        let mut streams = Streams::new(stream::Limits::default());
        *core.dtls.keys() = keys.clone();
        *streams.keys() = keys;
        Analyzer { packets: Packets::default(), streams, core, embedded: (0, 0) }
    }

    /// The same analyzer without the short way for plain messages; only for showing that both give the same.
    #[doc(hidden)]
    #[must_use]
    pub fn the_long_way(self) -> Self {
        Analyzer { core: Core { session: self.core.session.the_long_way(), ..self.core }, ..self }
    }

    /// Takes the next frame; `sink` gets a row for each message in it.
    pub fn frame(&mut self, frame: &Frame<'_>, sink: &mut impl FnMut(&Row<'_>)) {
        let Some(time) = self.begin(frame, sink) else { return };
        let core = &mut self.core;
        // what is built here for the commonest packets stays in registers: no closure, no call
        if let Some(datagram) = self.packets.commonest(frame) {
            return core.datagram(frame.number, time, &datagram, sink);
        }
        let streams = &mut self.streams;
        if let Some(segment) = self.packets.commonest_segment(frame) {
            core.segment(streams, Seen { frame: frame.number, time }, &segment, sink);
            return core.beside_packets(frame, None);
        }
        let mut empty = true;
        self.packets.dissect(frame, time, &mut |packet| {
            empty = false;
            core.packet(streams, Seen { frame: frame.number, time }, &packet, sink);
        });
        core.beside_packets(frame, self.packets.neighbour_answered().filter(|_| empty));
    }

    /// Lets the time of a frame pass; gives it, unless the frame is not looked at.
    #[inline(always)]
    fn begin(&mut self, frame: &Frame<'_>, sink: &mut impl FnMut(&Row<'_>)) -> Option<Timestamp> {
        let core = &mut self.core;
        let time = frame.time.unwrap_or_else(|| core.session.now().max(Timestamp(0)));
        if !core.filters.time(time) {
            return None;
        }
        if core.early.is_due(time) {
            core.release_errors(&mut self.streams, Some(time), sink);
        }
        self.streams.advance(Seen { frame: frame.number, time }, &mut |item| core.streamed(&item, sink));
        core.session.advance(time);
        core.judge();
        if frame.time.is_some() {
            core.digits = frame.digits;
        }
        core.builder.digits(core.digits);
        Some(time)
    }

    /// There are no more frames: `sink` gets the rows of messages behind gaps in TCP streams that were waited for up to now.
    pub fn drain(&mut self, sink: &mut impl FnMut(&Row<'_>)) {
        let core = &mut self.core;
        core.release_errors(&mut self.streams, None, sink);
        self.streams.finish(&mut |item| core.streamed(&item, sink));
        core.judge();
    }

    /// The capture is over.
    #[must_use]
    pub fn finish(mut self, path: String, info: &CaptureInfo) -> Analyzed {
        self.drain(&mut |_| {});
        self.packets.finish();
        self.core.session.lost_packets(self.packets.incomplete(), self.packets.counts());
        let (counts, index) = (self.packets.counts().clone(), self.core.capture);
        self.conclude(vec![(index, path, info.clone())], &counts)
    }

    /// Everything was seen: what follows from it.
    fn conclude(self, files: Vec<(u32, String, CaptureInfo)>, packets: &Counts) -> Analyzed {
        let Analyzer { mut streams, mut core, embedded, .. } = self;
        core.session.all_packets(packets.datagrams + packets.segments);
        core.session.lost_while_capturing(files.iter().map(|(_, _, info)| info.lost_packets()).sum());
        core.session.finish();
        core.judge();
        rules::judge_capture(&core.session, &mut core.findings);
        core.tell_keys(streams.keys(), embedded, files.iter().map(|(_, _, info)| info.secrets_behind).sum());
        core.builder.lacks("findings", core.findings.dropped());
        let findings = core.findings.conclude(core.session.clients(), core.session.names());
        Analyzed(core.builder.finish(files, packets, streams.counts(), &core.session, findings))
    }
}

/// Puts what was found in several captures into one report.
#[must_use]
pub fn report(parts: Vec<Analyzed>) -> Report {
    report::assemble(parts.into_iter().map(|part| part.0).collect())
}

/// The same with logs of servers beside them: the path and the bytes of each, and what is added to their times, if that is known.
#[must_use]
pub fn report_beside(parts: Vec<Analyzed>, logs: &[(String, &[u8])], offset: Option<Span>) -> Report {
    let year = parts.iter().find_map(Analyzed::year).unwrap_or(NO_YEAR);
    let files: Vec<LogFile> = logs.iter().map(|(path, bytes)| LogFile::read(bytes, path, year)).collect();
    report_with(parts, &files, offset)
}

/// The year that logs are read with where a capture tells none.
pub const NO_YEAR: i16 = 1970;

/// The same with logs that have been read already, with the year of the captures.
#[must_use]
pub fn report_with(parts: Vec<Analyzed>, logs: &[LogFile], offset: Option<Span>) -> Report {
    report::assemble_beside(parts.into_iter().map(|part| part.0).collect(), logs, offset)
}

impl Analyzed {
    /// The year in which the capture begins.
    #[must_use]
    pub fn year(&self) -> Option<i16> {
        self.0.year()
    }
}

/// Analyses arbitrary bytes as a capture, with one credential of the samples: the entry point of the fuzz target.
#[doc(hidden)]
#[must_use]
pub fn exercise(bytes: &[u8]) -> Option<Report> {
    let mut capture = Capture::open(bytes).ok()?;
    let mut credentials = Credentials::default();
    credentials.add_password("samples", Secret::new(b"blue-harbour-42".to_vec()));
    let mut analyzer = Analyzer::new(Options { credentials, media: true, ..Options::default() });
    while let Some(frame) = capture.next_frame() {
        analyzer.frame(&frame, &mut |row| {
            debug_assert!(row.event.frame <= frame.number);
        });
    }
    Some(report(vec![analyzer.finish("fuzz".to_owned(), capture.info())]))
}

impl Core {
    #[inline]
    fn judge(&mut self) {
        if self.session.has_something_over() {
            self.judge_what_is_over();
        }
    }

    #[inline(never)]
    fn judge_what_is_over(&mut self) {
        while let Some(id) = self.session.overfull() {
            let flow = self.session.flows().get(id);
            if let Some(conversation) = flow.and_then(Flow::own_conversation) {
                let before = self.findings.added();
                rules::judge_exchanges(conversation, &self.session, &mut self.findings);
                self.builder.exchanges(conversation, &self.session, self.findings.added() > before);
            }
            self.session.forget_exchanges(id);
        }
        while let Some(flow) = self.session.next_ripe() {
            let before = self.findings.added();
            rules::judge_flow(&flow, &self.session, &mut self.findings);
            let telling = self.findings.added() > before;
            self.builder.flow(&flow, &self.session, telling);
            self.session.forget(flow);
        }
        for handshake in self.session.ripe_handshakes() {
            let before = self.findings.added();
            // DTLS with a TURN server is judged as TLS with one is
            if let Some(evidence) = handshake.of_turn {
                let Some(connection) = TlsConnection::of_dtls(handshake, evidence) else { continue };
                rules::judge_tls(&connection, &self.session, &mut self.findings);
                self.builder.handshake(&connection.handshake, self.findings.added() > before);
                continue;
            }
            rules::judge_handshake(&handshake, &self.session, &mut self.findings);
            self.builder.handshake(&handshake, self.findings.added() > before);
        }
        for connection in self.session.ripe_tls() {
            let before = self.findings.added();
            rules::judge_tls(&connection, &self.session, &mut self.findings);
            self.builder.tls(&connection, self.findings.added() > before);
        }
        // last: what ran on the pairs may ask for them
        for ice in self.session.ripe_ice() {
            let before = self.findings.added();
            rules::judge_ice(&ice, &self.session, &mut self.findings);
            let telling = self.findings.added() > before;
            self.builder.ice(ice, telling);
        }
    }

    /// Takes a packet of a frame.
    #[inline(always)]
    fn packet(&mut self, streams: &mut Streams, at: Seen, packet: &Packet<'_>, sink: &mut impl FnMut(&Row<'_>)) {
        match packet {
            Packet::Datagram(datagram) => self.datagram(at.frame, at.time, datagram, sink),
            Packet::Segment(segment) => self.segment(streams, at, segment, sink),
            Packet::IcmpError(error) => self.icmp_error(streams, at, error, sink),
        }
    }

    #[inline(always)]
    fn segment(&mut self, streams: &mut Streams, at: Seen, segment: &Segment<'_>, sink: &mut impl FnMut(&Row<'_>)) {
        self.perhaps_dns_over_tcp(at, segment);
        streams.segment(at, segment, &mut |item| self.streamed(&item, sink));
    }

    /// A message, and what it carries.
    #[inline]
    fn message<'p>(
        &mut self,
        event: &mut Event<'p>,
        mut kind: Kind,
        mut payload: &'p [u8],
        sink: &mut impl FnMut(&Row<'_>),
    ) {
        loop {
            let carried = match kind {
                Kind::Stun | Kind::MsTurn => self.stun(event, payload, sink),
                Kind::Channel => self.channel_data(event, payload, sink),
                Kind::Dtls | Kind::DtlsUnified => {
                    self.dtls(kind, event, payload, sink);
                    None
                }
                Kind::Rtp | Kind::Rtcp => {
                    self.media(kind, event, payload, sink);
                    None
                }
                Kind::Zrtp | Kind::Quic | Kind::Other => None,
            };
            let Some(inner) = carried else { return };
            payload = inner;
            kind = demux::kind_of_cut(payload, event.truncated);
        }
    }

    /// Takes a STUN message; gives what it carries through a relay, as `event` then says.
    fn stun<'p>(
        &mut self,
        event: &mut Event<'p>,
        payload: &'p [u8],
        sink: &mut impl FnMut(&Row<'_>),
    ) -> Option<&'p [u8]> {
        let message = Message::recognise(payload, event.truncated).or_else(|| {
            let flow = self.session.flow_on(event.transport, event.src, event.dst)?;
            let known = self.session.flows().get(flow).is_some_and(|flow| flow.stun);
            if known { Message::recognise_on_stun_flow(payload, event.truncated) } else { None }
        });
        let Some(message) = message else {
            // multicast DNS begins with an id of 0, as STUN does with its type
            if event.hops.is_empty() && (event.src.port() == mdns::PORT || event.dst.port() == mdns::PORT) {
                self.session.mdns(event.frame, event.time, event.src, payload, event.truncated);
            }
            return None;
        };
        self.recognised(event, message, sink)
    }

    /// The same for a message that was recognised.
    #[inline]
    fn recognised<'p>(
        &mut self,
        event: &mut Event<'p>,
        message: Message<'p>,
        sink: &mut impl FnMut(&Row<'_>),
    ) -> Option<&'p [u8]> {
        event.body = Body::Stun(message);
        let known = self.session.stun(event, &message);
        self.told(event, &message, &known, sink)
    }

    /// Tells of a message; gives what it carries through a relay, as `event` then says.
    fn told<'p>(
        &mut self,
        event: &mut Event<'p>,
        message: &Message<'p>,
        known: &Known,
        sink: &mut impl FnMut(&Row<'_>),
    ) -> Option<&'p [u8]> {
        self.row(event, known, sink);
        if known.dtls {
            self.dtls_in_stun(event, message);
        }
        if !matches!(message.method(), Method::SEND | Method::DATA) {
            return None;
        }
        let fields = message.fields();
        let hop = self.session.indication_hop(event, message.method(), &fields)?;
        (event.truncated, event.copy) = (fields.data_truncated, known.mirrored);
        event.hops.pass(hop)?;
        fields.data
    }

    /// Takes ChannelData; gives what it carries through a relay, as `event` then says.
    fn channel_data<'p>(
        &mut self,
        event: &mut Event<'p>,
        payload: &'p [u8],
        sink: &mut impl FnMut(&Row<'_>),
    ) -> Option<&'p [u8]> {
        let data = ChannelData::parse(payload, event.truncated)?;
        // in a byte stream the messages before it have told what it is
        let sure = event.transport.is_stream() || event.transport == Transport::Dtls;
        if !sure && !self.session.is_channel(event, &data) {
            return None;
        }
        if event.hops.is_empty() {
            self.session.padding(event, &data);
        }
        event.body = Body::ChannelData(data);
        let hop = self.session.channel_data(event, &data);
        self.row(event, &Known::default(), sink);
        event.truncated = data.truncated;
        event.hops.pass(hop)?;
        Some(data.data)
    }

    fn media<'p>(&mut self, kind: Kind, event: &mut Event<'p>, payload: &'p [u8], sink: &mut impl FnMut(&Row<'_>)) {
        event.body = if kind == Kind::Rtcp { Body::Rtcp(payload) } else { Body::Rtp(payload) };
        if self.session.take_media(event, payload, kind) && self.media {
            self.row(event, &Known::default(), sink);
        }
    }

    /// Tells of a message. Where the sink wants no rows nothing of it is left.
    #[inline(always)]
    fn row(&self, event: &Event<'_>, known: &Known, sink: &mut impl FnMut(&Row<'_>)) {
        if let Some(user) = &self.filters.user {
            let names = self.session.names();
            let of_flow = || {
                let flow = self.session.flow_on(event.transport, event.src, event.dst)?;
                self.session.flows().conversation(flow)?.user
            };
            let named = known.user.or_else(of_flow).is_some_and(|name| names.text(name) == *user);
            if !named {
                return;
            }
        }
        let mut verdicts = [None::<Integrity>; 2];
        verdicts.copy_from_slice(&known.integrity);
        let integrity: &[Integrity] = match &verdicts {
            [Some(one), Some(two)] => &[*one, *two],
            [Some(one), None] => std::slice::from_ref(one),
            _ => &[],
        };
        sink(&Row {
            capture: Place::of(self.capture, event.frame).capture,
            event,
            integrity,
            request_frame: known.request_frame,
            rtt: known.rtt,
            retransmission_of: known.retransmission_of,
            icmp: if event.hops.last().is_some() { None } else { self.icmp.get(&event.frame).copied() },
            credentials: self.session.credentials(),
        });
    }
}
