//! An association of the component that RTCP takes where it is not multiplexed with RTP, beside that of RTP: each has a handshake of its own (RFC 5764 §3), and
//! a call whose media flows is no failed one for want of reports.

use super::Story;
use crate::net::Endpoint;
use crate::rules::{Collector, Occurrence, Severity, Text, View};
use crate::session::MediaWay;
use crate::time::Span;

/// What PRIORITY of the checks of the two components tells (RFC 8445 §5.1.2.1).
const RTP: Option<u16> = Some(1);
const RTCP: Option<u16> = Some(2);
/// Media that goes on for so long after the first record shows that it has its keys.
const WORKS: Span = Span::from_secs(2);

impl Story<'_> {
    /// Adds what keeps this association from being complete. Where it is that of RTCP, and the media of the same agents flows beside it, that is no failure.
    pub(super) fn add(&self, mut seen: Occurrence, view: &View<'_>, out: &mut Collector, text: impl FnOnce() -> Text) {
        let Some(way) = self.media_of_rtp(view) else { return out.add(seen, text) };
        // reports that go beside the media need no component of their own (RFC 5761 §5.1.3)
        let multiplexed = way.directions.iter().any(|known| known.rtcp > 0);
        seen.severity = seen.severity.max(if multiplexed { Severity::Note } else { Severity::Warning });
        seen.key += " rtcp";
        out.add(seen, || {
            let mut told = text();
            let ends = way.path.ends;
            let (without, fix) = if multiplexed {
                ("RTCP goes beside it, so that this component is not needed.", "None is needed: RTCP goes with RTP (rtcp-mux).")
            } else {
                (
                    "What is lacking are the keys of RTCP: no reports, and no feedback that asks for lost packets or a key frame.",
                    "Let offer and answer agree on a=rtcp-mux: then RTCP needs no handshake of its own.",
                )
            };
            told.explanation += &format!(
                " This is the component of RTCP: that of RTP, between {} and {}, carries media (frame {}). {without}",
                ends.low, ends.high, way.first.frame
            );
            told.fix = format!("{fix} {}", told.fix);
            told
        });
    }

    /// The way on which media of the same call flows, where this association is that of its RTCP: by the components of the checks on both, or, where there is no
    /// ICE, by the ports, which are the next ones (RFC 3550 §11).
    fn media_of_rtp<'v>(&self, view: &View<'v>) -> Option<&'v MediaWay> {
        let first = self.handshake.first.time;
        let media = view.session.media();
        let flows = |way: &&MediaWay| {
            let last = way.directions.iter().filter_map(|known| known.media).map(|(_, last)| last.time).max();
            last.is_some_and(|last| last.since(first) >= WORKS)
        };
        let own = |way: &&MediaWay| self.handshake.way_on(&way.path).is_some();
        if media.each_way().filter(own).any(|way| way.directions.iter().any(|known| known.media.is_some())) {
            return None; // it carries media itself
        }
        let is_of_rtp = |way: &&MediaWay| match self.pair(view) {
            Some((session, pair, _)) if pair.component().is_some() => {
                let other = session.pair_on(&way.path).and_then(|(_, other)| other.component());
                (pair.component(), other) == (RTCP, RTP)
            }
            Some(_) => false,
            None => {
                let (rtp, rtcp) = (way.path, self.way.path);
                let next = |rtp: Endpoint, rtcp: Endpoint| {
                    rtp.ip() == rtcp.ip() && rtp.port().is_multiple_of(2) && rtcp.port() == rtp.port() + 1
                };
                let plain = rtp.inside.is_none() && rtcp.inside.is_none();
                plain && next(rtp.ends.low, rtcp.ends.low) && next(rtp.ends.high, rtcp.ends.high)
            }
        };
        media.each_way().filter(flows).filter(is_of_rtp).min_by_key(|way| way.first)
    }
}
