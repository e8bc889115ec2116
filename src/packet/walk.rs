//! The long way: header after header off a frame, until a datagram, a segment or nothing is left.

use crate::time::Timestamp;

use super::counts::Counts;
use super::fragments::Fragments;
use super::layer::{Context, Layer, Stop, peel};
use super::model::Packet;
use super::{icmp, ip, neighbour, transport, tunnel, wifi};
use std::net::IpAddr;

pub(super) struct Walk<'w, F> {
    pub(super) counts: &'w mut Counts,
    pub(super) fragments: &'w mut Fragments,
    /// To whom an answer to ARP or a neighbour advertisement was sent.
    pub(super) neighbour: &'w mut Option<IpAddr>,
    pub(super) now: Timestamp,
    pub(super) each: &'w mut F,
}

impl<F: FnMut(Packet<'_>)> Walk<'_, F> {
    /// Goes on from `layer` for at most `left` headers; recursion, for aggregates and what was put together, counts into them.
    pub(super) fn run(&mut self, mut layer: Layer<'_>, mut context: Context, left: u32) {
        for left in (0..left).rev() {
            layer = match layer {
                Layer::Stop(stop) => return self.stop(stop),
                Layer::Message(datagram) => {
                    self.counts.datagrams += 1;
                    return (self.each)(Packet::Datagram(datagram));
                }
                Layer::Amsdu(data) => {
                    for subframe in wifi::subframes(data) {
                        self.run(Layer::Llc(subframe), context, left);
                    }
                    return;
                }
                Layer::Arp(data) => {
                    *self.neighbour = neighbour::arp(data);
                    return self.stop(Stop::NotIp);
                }
                Layer::Ip(data) => {
                    let Some(header) = ip::parse(data, context.missing, context.fcs) else {
                        return self.stop(Stop::Malformed);
                    };
                    context.missing = header.missing;
                    context.fcs = 0;
                    if header.fragment.is_some() {
                        return self.fragment(header, left);
                    }
                    Layer::Transport(header)
                }
                Layer::Transport(header) => self.transport(&header, &mut context),
                layer => peel(layer, &context),
            }
        }
        match layer {
            Layer::Stop(stop) => self.stop(stop),
            _ => self.counts.too_deep += 1,
        }
    }

    fn fragment(&mut self, header: ip::Header<'_>, left: u32) {
        let Some(fragment) = header.fragment else { return };
        let Some(whole) = self.fragments.add(&header, fragment, self.now, &mut self.counts.fragments) else { return };
        let mut header = ip::Header {
            protocol: whole.protocol,
            ttl: whole.ttl,
            fragments: whole.fragments,
            fragment: None,
            payload: &whole.payload,
            missing: whole.missing,
            ..header
        };
        // A fragment header inside would be one too many.
        let v6 = header.src.is_v6();
        if ip::skip_extensions(&mut header, v6).is_none() || header.fragment.is_some() {
            return self.stop(Stop::Malformed);
        }
        let context = Context { missing: header.missing, ..Context::default() };
        self.run(Layer::Transport(header), context, left);
    }

    /// Delivers what is inside an IP packet, or says what is to be opened next.
    fn transport<'a>(&mut self, header: &ip::Header<'a>, context: &mut Context) -> Layer<'a> {
        let next = match header.protocol {
            17 | 136 => match transport::udp(header) {
                Some(datagram) => {
                    context.missing =
                        datagram.length.saturating_sub(u32::try_from(datagram.payload.len()).unwrap_or(u32::MAX));
                    tunnel::in_udp(datagram.src.port(), datagram.dst.port(), datagram.payload, context.missing)
                        .or(Some(Layer::Message(datagram)))
                }
                None => None,
            },
            6 => transport::tcp(header).map(|segment| {
                self.counts.segments += 1;
                (self.each)(Packet::Segment(segment));
                Layer::Stop(Stop::Done)
            }),
            protocol @ (1 | 58) => Some(match icmp::error(header, protocol == 58) {
                Some(error) => {
                    self.counts.icmp_errors += 1;
                    (self.each)(Packet::IcmpError(error));
                    Layer::Stop(Stop::Done)
                }
                None => {
                    *self.neighbour = neighbour::advertisement(header);
                    Layer::Stop(Stop::OtherTransport)
                }
            }),
            4 | 41 => Some(Layer::Ip(header.payload)),
            47 => tunnel::gre(header.payload),
            50 => Some(Layer::Stop(Stop::Encrypted)),
            97 => tunnel::ether_ip(header.payload),
            115 => tunnel::l2tp_v3_in_ip(header.payload, header.missing),
            137 => Some(Layer::Mpls(header.payload)),
            143 => Some(Layer::Ethernet(header.payload)),
            _ => Some(Layer::Stop(Stop::OtherTransport)),
        };
        next.unwrap_or(Layer::Stop(Stop::Malformed))
    }

    fn stop(&mut self, stop: Stop) {
        match stop {
            Stop::Done => {}
            Stop::Unsupported(link_type) => self.counts.unsupported.add(link_type, 1),
            Stop::NotIp => self.counts.not_ip += 1,
            Stop::OtherTransport => self.counts.other_transport += 1,
            Stop::Encrypted => self.counts.encrypted += 1,
            Stop::Malformed => self.counts.malformed += 1,
        }
    }
}
