//! RTP that nothing in the capture tells of: of calls that were set up before it began, or without ICE and DTLS.

use crate::net::Endpoint;
use crate::wire::rtp::Head;

/// So many packets that follow each other by their numbers make a stream.
const PROVEN: u32 = 50;
/// Streams that are followed at a time; one takes the place of another that is not proven.
const STREAMS: usize = 1 << 4;

/// Counts such packets. RTP has no mark of its own, so that a stream is believed once its sequence numbers follow each other for long.
#[derive(Clone, Debug, Default)]
pub(in crate::session) struct Unclaimed {
    streams: [Option<Followed>; STREAMS],
    packets: u64,
}

#[derive(Clone, Copy, Debug)]
struct Followed {
    ends: (Endpoint, Endpoint),
    ssrc: u32,
    sequence: u16,
    packets: u32,
}

impl Unclaimed {
    /// Takes what looks like RTP.
    pub(in crate::session) fn take(&mut self, ends: (Endpoint, Endpoint), head: &Head) {
        let place = head.ssrc ^ u32::from(ends.0.port()) ^ u32::from(ends.1.port()).rotate_left(8);
        let Some(slot) = self.streams.get_mut((place.wrapping_mul(0x9E37_79B1) >> 28) as usize) else { return };
        let new = Followed { ends, ssrc: head.ssrc, sequence: head.sequence, packets: 1 };
        match slot {
            Some(known) if (known.ends, known.ssrc) == (ends, head.ssrc) => {
                let follows = head.sequence == known.sequence.wrapping_add(1);
                known.sequence = head.sequence;
                known.packets = match known.packets {
                    PROVEN.. => PROVEN + 1,
                    few if follows => few + 1,
                    _ => 1,
                };
                self.packets += match known.packets {
                    PROVEN => u64::from(PROVEN),
                    more => u64::from(more > PROVEN),
                };
            }
            Some(known) if known.packets >= PROVEN => {}
            _ => *slot = Some(new),
        }
    }

    /// How many packets there were of streams that are believed.
    pub(in crate::session) fn packets(&self) -> u64 {
        self.packets
    }
}
