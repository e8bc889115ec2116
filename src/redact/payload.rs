//! What datagrams hold, by what it is: rewritten, emptied or cut.

use super::bytes::{offset_in, word, zero};
use super::{Flow, Redactor, opened};
use crate::net::Endpoint;
use crate::wire::demux::{self, Kind};
use crate::wire::stun::{Message, Method};
use crate::wire::turn::ChannelData;

/// How deep what relays carry may be within each other.
const DEPTH: u32 = 6;
/// Flows that are known to be DTLS.
const FLOWS: usize = 1 << 16;

/// What may become of bytes that go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// They may be cut off: the datagram ends its frame.
    Last,
    /// They become zeros: something follows, or counts them.
    Inside,
}

impl Redactor {
    /// Rewrites a payload; gives how much of it stays. `cut` says that bytes are missing at its end.
    pub(super) fn payload(&mut self, data: &mut [u8], cut: bool, flow: &Flow, room: Room, depth: u32) -> usize {
        let kept = if depth > DEPTH { 0 } else { self.known(data, cut, flow, depth) };
        if kept < data.len() {
            zero(data, kept..usize::MAX);
        }
        if room == Room::Last { kept.min(data.len()) } else { data.len() }
    }

    /// Rewrites what is understood; gives how much of it that is.
    fn known(&mut self, data: &mut [u8], cut: bool, flow: &Flow, depth: u32) -> usize {
        let kind = demux::kind_of_cut(data, cut);
        // the number of a question may begin as anything does
        let named = Self::is_name_service(flow) && kind != Kind::Dtls && word(data, 4) != Some(0x2112);
        match kind {
            _ if named && word(data, 4).is_some_and(|questions| questions < 256) => self.other(data, flow),
            Kind::Stun | Kind::MsTurn => {
                let found = Message::recognise(data, cut)
                    .or_else(|| Message::recognise_on_stun_flow(data, cut).filter(|message| !message.is_classic()));
                let Some(message) = found else { return self.other(data, flow) };
                let start = offset_in(data, message.bytes());
                let end = start + message.bytes().len();
                let cut = message.truncated();
                // where agents check a pair, what looks like DTLS 1.3 is that, whether the capture holds its handshake or not
                let is_check = message.method() == Method::BINDING && message.fields().username.is_some();
                if is_check && self.dtls_flows.len() < FLOWS {
                    self.dtls_flows.insert(*flow);
                    self.dtls_flows.insert(Flow { src: flow.dst, dst: flow.src, ..*flow });
                }
                if let Some(bytes) = data.get_mut(start..end) {
                    self.stun(bytes, cut, flow, depth);
                }
                // what follows is told by length alone
                zero(data, end..usize::MAX);
                data.len()
            }
            Kind::Channel => {
                let Some(message) = ChannelData::parse(data, cut) else { return 0 };
                let (end, cut) = (4 + message.data.len(), message.truncated);
                let peer = self.bound(flow, message.channel);
                if let Some(inner) = data.get_mut(4..end) {
                    self.payload(inner, cut, &flow.inside(Some(peer)), Room::Inside, depth + 1);
                }
                zero(data, end..usize::MAX);
                data.len()
            }
            Kind::Dtls | Kind::DtlsUnified if kind == Kind::Dtls || self.dtls_flows.contains(flow) => {
                if self.dtls_flows.len() < FLOWS {
                    self.dtls_flows.insert(*flow);
                }
                let sealed = self.reseal(data, cut, flow, depth);
                self.dtls(data, flow);
                opened::place(data, &sealed);
                data.len()
            }
            Kind::Rtp => {
                let first = data.first().copied().unwrap_or(0);
                let fixed = 12 + 4 * usize::from(first & 0x0f);
                // contributors are of no use here, and other protocols begin in the same way
                zero(data, 12..fixed);
                // the header extension has its profile and length
                if first & 0x10 != 0 { fixed + 4 } else { fixed }
            }
            Kind::Rtcp => 8,
            _ => self.other(data, flow),
        }
    }

    /// Who is at the other end of a channel; if that is not known, what stands for the channel.
    fn bound(&self, flow: &Flow, channel: u16) -> Endpoint {
        let [to, back] = [(flow.src, flow.dst, channel), (flow.dst, flow.src, channel)];
        let known = self.channels.get(&to).or_else(|| self.channels.get(&back));
        known.copied().unwrap_or_else(|| Endpoint::v4([0; 4], channel))
    }

    /// A channel that a client binds to a peer.
    pub(super) fn bind(&mut self, flow: &Flow, channel: u16, peer: Endpoint) {
        if self.channels.len() < FLOWS {
            self.channels.insert((flow.src, flow.dst, channel), peer);
        }
    }

    fn other(&mut self, data: &mut [u8], flow: &Flow) -> usize {
        if !Self::is_name_service(flow) {
            return 0;
        }
        self.dns(data);
        data.len()
    }

    /// Whether a flow is from or to a port of DNS, multicast DNS or LLMNR.
    pub(super) fn is_name_service(flow: &Flow) -> bool {
        let port = |wanted: u16| flow.src.port() == wanted || flow.dst.port() == wanted;
        flow.depth == 0 && (port(53) || port(5353) || port(5355))
    }
}
