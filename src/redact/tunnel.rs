//! What carries packets within packets: headers stay but for addresses in them, and the packet inside is rewritten as any other.

use super::Redactor;
use super::bytes::{at, word, zero};
use super::packet::Place;

/// Labels of MPLS on each other.
const LABELS: usize = 16;

/// Ethernet in GRE, VXLAN and the like.
const ETHERNET: usize = 0x6558;

const GTP_U: usize = 2152;
const VXLAN: usize = 4789;
const GENEVE: usize = 6081;

impl Redactor {
    /// What an EtherType says that follows; gives how much of it stays.
    pub(super) fn ether(&mut self, kind: Option<usize>, data: &mut [u8], place: Place) -> usize {
        let (mut kind, mut from) = (kind, 0);
        while let Some(0x8100 | 0x88a8 | 0x9100) = kind {
            (kind, from) = (word(data, from + 2), from + 4);
        }
        match kind {
            // PPPoE and PPP
            Some(0x8864) => {
                (kind, from) = (word(data, from + 6).filter(|&kind| matches!(kind, 0x21 | 0x57)).map(|_| 0), from + 8);
            }
            Some(0x8847 | 0x8848) => {
                kind = None;
                for _ in 0..LABELS {
                    let Some([_, _, bottom, _]) = at(data, from) else { break };
                    from += 4;
                    if bottom & 1 == 1 {
                        // what is under the labels is told by nothing but its first bits
                        kind = Some(0);
                        break;
                    }
                }
            }
            _ => {}
        }
        let Some(rest) = data.get_mut(from..) else { return data.len().min(from) };
        let kept = match kind {
            Some(0 | 0x0800 | 0x86dd) => self.ip(rest, place),
            Some(0x0806) => self.arp(rest),
            _ => 0,
        };
        from + kept
    }

    /// An Ethernet frame.
    pub(super) fn ethernet(&mut self, data: &mut [u8], place: Place) -> usize {
        self.mac_at(data, 0);
        self.mac_at(data, 6);
        let kind = word(data, 12);
        let Some(rest) = data.get_mut(14..) else { return data.len() };
        14 + self.ether(kind, rest, place)
    }

    /// A frame of a wireless network in the clear (IEEE 802.11), `radio` with a header of the receiver's before it.
    pub(super) fn wireless(&mut self, data: &mut [u8], radio: bool, place: Place) -> usize {
        let start =
            if radio { at(data, 2).map_or(usize::MAX, |length| usize::from(u16::from_le_bytes(length))) } else { 0 };
        let Some(frame) = data.get_mut(start..) else { return 0 };
        let Some([control, flags]) = at(frame, 0) else { return start };
        for offset in [4, 10, 16] {
            self.mac_at(frame, offset);
        }
        // four addresses between access points, then what belongs to quality of service
        let between = flags & 3 == 3;
        if between {
            self.mac_at(frame, 24);
        }
        let quality = control & 0x80 != 0;
        let order = quality && flags & 0x80 != 0;
        let header = 24_usize + if between { 6 } else { 0 } + if quality { 2 } else { 0 } + if order { 4 } else { 0 };
        let is_data = control & 0x0c == 0x08 && control & 0x40 == 0;
        let protected = flags & 0x40 != 0;
        // a receiver may align what follows
        let llc = [header, header.next_multiple_of(4)].into_iter().find(|&llc| at(frame, llc) == Some([0xaa, 0xaa, 3]));
        let Some(llc) = llc.filter(|_| is_data && !protected) else { return start + header.min(frame.len()) };
        let kind = word(frame, llc + 6);
        let Some(rest) = frame.get_mut(llc + 8..) else { return start + header };
        start + llc + 8 + self.ether(kind, rest, place)
    }

    /// Generic routing encapsulation (RFC 2784, RFC 2890).
    pub(super) fn gre(&mut self, data: &mut [u8], place: Place) -> usize {
        let (Some(flags), Some(kind)) = (word(data, 0), word(data, 2)) else { return 0 };
        if flags & 7 != 0 {
            return 0;
        }
        let fields = [0x8000, 0x2000, 0x1000].into_iter().filter(|flag| flags & flag != 0).count();
        let from = 4 + 4 * fields;
        let before = data.to_vec();
        let Some(rest) = data.get_mut(from..) else { return data.len() };
        let kept = self.carried(kind, rest, place);
        zero(rest, kept..usize::MAX);
        if flags & 0x8000 != 0 {
            super::packet::adjust_by(data, 4, &before);
        }
        from + kept
    }

    /// What a datagram carries by its port, if it is a packet; gives how much of it stays.
    pub(super) fn tunnelled(&mut self, port: usize, data: &mut [u8], place: Place) -> Option<usize> {
        let (from, kind) = match (port, at::<4>(data, 0)?) {
            (VXLAN, [8, 0, 0, 0]) => (8, ETHERNET),
            (GENEVE, [first @ 0..=0x3f, _, a, b]) => {
                (8 + 4 * usize::from(first), usize::from(u16::from_be_bytes([a, b])))
            }
            (GTP_U, [first @ 0x30..=0x37, 0xff, ..]) => (if first & 7 == 0 { 8 } else { 12 }, 0),
            _ => return None,
        };
        // a client may have such a port: what is inside must be an address family that is known
        let (head, rest) = data.split_at_mut_checked(from)?;
        let inner = if kind == ETHERNET { word(rest, 12)? } else { kind };
        let version = rest.first()? >> 4;
        let fits = match inner {
            0 => matches!(version, 4 | 6),
            0x0800 | 0x86dd | 0x0806 | 0x8100 | 0x88a8 => true,
            _ => false,
        };
        if !fits {
            return None;
        }
        if port == GENEVE {
            geneve_options(head.get_mut(8..).unwrap_or_default());
        }
        Some(from + self.carried(kind, rest, place))
    }

    /// What a tunnel says that it carries; gives how much of it stays.
    fn carried(&mut self, kind: usize, data: &mut [u8], place: Place) -> usize {
        if kind == ETHERNET { self.ethernet(data, place) } else { self.ether(Some(kind), data, place) }
    }
}

/// Options of Geneve (RFC 8926 §3.5): that they are there stays, and what they hold goes, which may name networks and customers.
fn geneve_options(options: &mut [u8]) {
    let mut at = 0;
    while let Some(&length) = options.get(at + 3) {
        let (start, end) = (at + 4, at + 4 + 4 * usize::from(length & 0x1f));
        zero(options, start..end);
        at = end;
    }
    zero(options, at..usize::MAX);
}
