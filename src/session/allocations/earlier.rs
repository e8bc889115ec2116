//! Channels of an allocation that is older than the capture.

use crate::net::PeerAddress;

/// How many channels are remembered.
const MAX_CHANNELS: usize = 32;

/// The channels that a client asks for where the capture does not hold its allocation; of most conversations there is nothing to remember.
#[derive(Clone, Debug, Default)]
pub(in crate::session) struct EarlierChannels(Option<Box<Known>>);

#[derive(Clone, Debug, Default)]
struct Known {
    bound: Vec<(u16, PeerAddress)>,
    in_use: bool,
}

impl EarlierChannels {
    /// A ChannelBind request was sent. Where data passed on channels before, it goes on to be of a peer that is not known: else one way would become two.
    pub(in crate::session) fn bind(&mut self, number: u16, peer: PeerAddress) {
        let known = self.0.get_or_insert_default();
        if !known.in_use && known.bound.len() < MAX_CHANNELS {
            known.bound.push((number, peer));
        }
    }

    /// Data passes on a channel of which the peer is not known.
    pub(in crate::session) fn carries(&mut self) {
        self.0.get_or_insert_default().in_use = true;
    }

    /// The peer of a channel, as it was asked for last.
    #[inline]
    pub(in crate::session) fn peer_of(&self, number: u16) -> Option<PeerAddress> {
        let mut bound = self.0.iter().flat_map(|known| known.bound.iter().rev());
        bound.find(|(known, _)| *known == number).map(|(_, peer)| *peer)
    }
}
