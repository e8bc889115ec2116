//! What lasted from when to when: TLS connections, allocations, ICE sessions, handshakes and media on one axis.

use super::super::ladder::xml;
use super::super::text::end;
use crate::report::{DtlsState, Report};
use crate::time::Timestamp;
use std::fmt::Write as _;

/// Bars of each kind.
const BARS: usize = 12;
/// Pixels: the whole width, the room for names at the left, the height of a bar with what is around it.
const WIDTH: i64 = 1100;
const LEFT: i64 = 400;
const ROW: i64 = 24;
/// Characters of a name.
const NAME: usize = 52;
/// Marks on the axis.
const TICKS: i64 = 5;

/// Something that lasted.
struct Bar {
    class: &'static str,
    name: String,
    from: Timestamp,
    to: Timestamp,
    /// A moment within that stands out, and what it is.
    mark: Option<(Timestamp, &'static str)>,
    is_bad: bool,
}

/// The drawing; empty where nothing lasted.
pub(super) fn svg(report: &Report) -> String {
    let start = report.captures.iter().filter_map(|capture| capture.first_time).map(|time| time.at).min();
    let (Some(start), Some(end)) = (start, end(report)) else { return String::new() };
    let (bars, more) = bars(report, end);
    if bars.is_empty() {
        return String::new();
    }
    let span = end.since(start).0.max(1);
    let room = WIDTH - LEFT - 60;
    let x = |time: Timestamp| {
        let part = i128::from(time.since(start).0.clamp(0, span)) * i128::from(room) / i128::from(span);
        LEFT + i64::try_from(part).unwrap_or(0)
    };
    let rows = bars.len() as i64 + i64::from(more > 0);
    let height = rows * ROW + 40;
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"timeline\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\">\n<title>When TLS, allocations, ICE sessions, handshakes and media were</title>"
    );
    for tick in 0..=TICKS {
        let (at, seconds) = (LEFT + room * tick / TICKS, (span / TICKS * tick) as f64 / 1e9);
        let _ = writeln!(
            out,
            "<line class=\"tick\" x1=\"{at}\" y1=\"20\" x2=\"{at}\" y2=\"{height}\"/><text class=\"d\" x=\"{at}\" y=\"14\" \
             text-anchor=\"middle\">+{seconds:.1} s</text>"
        );
    }
    for (bar, row) in bars.iter().zip(0_i64..) {
        let y = 28 + row * ROW;
        let (from, to) = (x(bar.from), x(bar.to));
        let (name, width, bad) = (label(&bar.name), (to - from).max(3), if bar.is_bad { " bad" } else { "" });
        let _ = writeln!(
            out,
            "<text x=\"0\" y=\"{}\">{name}</text><rect class=\"{}{bad}\" x=\"{from}\" y=\"{y}\" width=\"{width}\" height=\"14\" rx=\"3\">\
             <title>{name}: {}</title></rect>",
            y + 12,
            bar.class,
            bar.to.since(bar.from)
        );
        if let Some((time, what)) = bar.mark {
            let at = x(time);
            let _ = writeln!(
                out,
                "<circle class=\"mark\" cx=\"{at}\" cy=\"{}\" r=\"5\"><title>{what}</title></circle>",
                y + 7
            );
        }
    }
    if more > 0 {
        let _ = writeln!(out, "<text class=\"d\" x=\"0\" y=\"{}\">… {more} more</text>", 40 + (rows - 1) * ROW);
    }
    out.push_str("</svg>\n");
    out
}

/// A name as markup, cut where it would be too long.
fn label(name: &str) -> String {
    match name.char_indices().nth(NAME) {
        Some((end, _)) => xml(&format!("{}…", name.get(..end).unwrap_or(name))),
        None => xml(name),
    }
}

/// The first of each kind, by the time at which they began, and how many more there are.
fn bars(report: &Report, end: Timestamp) -> (Vec<Bar>, usize) {
    let mut kinds: [Vec<Bar>; 5] = Default::default();
    let [tls, allocations, ice, dtls, media] = &mut kinds;
    for known in &report.tls {
        let flights = known.flights.iter().map(|flight| flight.time.at);
        let (Some(from), Some(to)) = (flights.clone().min(), flights.max()) else { continue };
        let closed = known.tcp.closed_by.as_ref().map(|closed| closed.at.at);
        tls.push(Bar {
            class: "tls",
            name: format!("TLS {} → {}", known.client, known.server),
            from: known.started_at.map_or(from, |started| started.at),
            to: closed.unwrap_or(if known.state == DtlsState::Complete { end } else { to }),
            mark: known.completed_at.map(|completed| (completed.at, "the handshake is complete")),
            is_bad: known.state != DtlsState::Complete,
        });
    }
    for allocation in report.allocations.iter().filter(|allocation| allocation.was_made()) {
        if let Some(created) = allocation.created_at {
            allocations.push(Bar {
                class: "allocation",
                name: format!("allocation of {} at {}", allocation.client, allocation.server),
                from: created.at,
                to: allocation.ended_at.map_or(end, |ended| ended.at),
                mark: None,
                is_bad: false,
            });
        }
    }
    for session in &report.ice {
        let Some(first) = session.first_check_at else { continue };
        let last = session.consent.as_ref().and_then(|consent| consent.lost_at);
        ice.push(Bar {
            class: "ice",
            name: format!("ICE {}", session.ufrags.join(" and ")),
            from: first.at,
            to: last.map_or(end, |lost| lost.at),
            mark: session.selected_at.map(|selected| (selected.at, "a pair is selected")),
            is_bad: session.selected_pair.is_none(),
        });
    }
    for handshake in &report.dtls {
        let flights = handshake.flights.iter().flat_map(|flight| &flight.times).map(|time| time.at);
        let (Some(from), Some(to)) = (flights.clone().min(), flights.max()) else { continue };
        dtls.push(Bar {
            class: "dtls",
            name: format!("DTLS {} → {}", handshake.client, handshake.server),
            from: handshake.started_at.map_or(from, |started| started.at),
            to: handshake.completed_at.map_or(to, |completed| completed.at),
            mark: None,
            is_bad: handshake.state != DtlsState::Complete,
        });
    }
    for stream in &report.media.items {
        media.push(Bar {
            class: "media",
            name: format!("RTP {} → {} 0x{:08x}", stream.src, stream.dst, stream.ssrc),
            from: stream.first_time.at,
            to: stream.last_time.at,
            mark: None,
            is_bad: false,
        });
    }
    let mut more = 0;
    let mut bars = Vec::new();
    for mut kind in kinds {
        kind.sort_by_key(|bar| bar.from);
        more += kind.len().saturating_sub(BARS);
        bars.extend(kind.into_iter().take(BARS));
    }
    (bars, more)
}
