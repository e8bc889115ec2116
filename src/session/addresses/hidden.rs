//! Host candidates that hide behind names of multicast DNS: who asked for which, and whether anybody said its address.

use crate::bounded::BoundedMap;
use crate::net::Endpoint;
use crate::session::Session;
use crate::session::conversations::exchange::Seen;
use crate::session::totals::Sample;
use crate::time::Timestamp;
use crate::wire::mdns::{self, HiddenName, Said};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// How many names are kept: a page makes one for each address of its host.
const MAX_NAMES: usize = 1024;

/// The names that were asked for or answered.
#[derive(Debug, Default)]
pub struct HiddenCandidates {
    names: BTreeMap<HiddenName, Hidden>,
    dropped: u64,
    cut: bool,
}

/// What is known of one name.
#[derive(Clone, Debug, Default)]
pub struct Hidden {
    /// The first question: who asked, and when.
    pub asked: Option<(Endpoint, Seen)>,
    /// All questions.
    pub questions: Sample,
    /// Whether all questions let the answer come to the asker alone.
    pub unicast: bool,
    /// The resolver of ordinary DNS that was asked for it and knew none, where multicast DNS was not asked.
    pub resolver: Option<IpAddr>,
    /// The first address that was told for it, and when.
    pub address: Option<(IpAddr, Seen)>,
}

impl HiddenCandidates {
    /// Takes what a message of multicast DNS says.
    pub fn add(&mut self, src: Endpoint, seen: Seen, said: Said) {
        let (Said::Asked { name, .. } | Said::Address { name, .. }) = said;
        let Some(known) = self.names.entry_up_to(MAX_NAMES, name, Hidden::default) else {
            self.dropped += 1;
            return;
        };
        match said {
            Said::Asked { unicast, .. } => {
                known.unicast = unicast && (known.unicast || known.asked.is_none());
                known.asked.get_or_insert((src, seen));
                if known.questions.frames.last() != Some(&seen.frame) {
                    known.questions.add(seen.frame);
                }
            }
            Said::Address { address, .. } => _ = known.address.get_or_insert((address, seen)),
        }
    }

    /// Takes what a message of ordinary DNS says: a resolver that knows no address for such a name was the wrong one to ask.
    pub(super) fn add_from_dns(&mut self, src: Endpoint, dst: Endpoint, seen: Seen, payload: &[u8]) {
        let mut told = false;
        mdns::read(payload, |said| {
            if let Said::Address { .. } = said {
                told = true;
                self.add(src, seen, said);
            }
        });
        if told || !mdns::is_answer(payload) {
            return;
        }
        mdns::asked(payload, |name| {
            let is_first = self.names.get(&name).is_none_or(|known| known.asked.is_none());
            self.add(dst, seen, Said::Asked { name, unicast: false });
            if let Some(known) = self.names.get_mut(&name).filter(|_| is_first) {
                known.resolver = Some(src.ip());
            }
        });
    }

    /// The names, in order.
    pub fn iter(&self) -> impl Iterator<Item = (HiddenName, &Hidden)> {
        self.names.iter().map(|(&name, hidden)| (name, hidden))
    }

    /// The address that was told for a name.
    #[must_use]
    pub fn address(&self, name: HiddenName) -> Option<IpAddr> {
        self.names.get(&name)?.address.map(|(address, _)| address)
    }

    /// Whether the capture cut a message short before all that it says: the address of any name may stand behind the cut.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// How many questions and answers there was no room for.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl Session {
    /// Host candidates behind names of multicast DNS.
    #[must_use]
    pub fn hidden(&self) -> &HiddenCandidates {
        &self.hidden
    }

    /// Takes what a datagram of multicast DNS says of such candidates; of one that is `truncated` the capture lacks the end.
    pub fn mdns(&mut self, frame: u64, time: Timestamp, src: Endpoint, payload: &[u8], truncated: bool) {
        let whole = mdns::read(payload, |said| {
            self.hidden.add(src, Seen { frame, time }, said);
            if let Said::Asked { name, .. } = said
                && let Some(known) = self.hidden.names.get_mut(&name)
            {
                known.resolver = None;
            }
        });
        self.hidden.cut |= truncated && !whole;
    }
}
