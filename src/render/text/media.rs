//! Streams of RTP, a line each under the path that they take.

use super::page::{Page, or_dash};
use super::tables::{bytes, inside};
use crate::report::{Address, MediaStream, Report};
use crate::time::Span;
use unicode_width::UnicodeWidthStr;

/// Streams that are shown.
const ROWS: usize = 12;
/// What stands above the columns.
const HEADER: [&str; 7] = ["ssrc", "payload type", "packets", "bytes", "lost", "jitter", "duration"];

pub(super) fn section(page: &mut Page<'_>, report: &Report) {
    let media = &report.media;
    if media.items.is_empty() {
        return;
    }
    page.heading("Media", "RTP as it passed the capture point");
    let shown = page.limit(ROWS).min(media.items.len());
    // of many, those with most packets
    let mut listed: Vec<&MediaStream> = media.items.iter().collect();
    listed.sort_by_key(|stream| std::cmp::Reverse(stream.packets));
    listed.truncate(shown);
    let way = |stream: &MediaStream| (stream.src, stream.dst, stream.via.clone());
    let mut ways: Vec<(Address, Address, Vec<String>)> = Vec::new();
    for stream in &media.items {
        if listed.iter().any(|known| std::ptr::eq(*known, stream)) && !ways.contains(&way(stream)) {
            ways.push(way(stream));
        }
    }
    listed.sort_by_key(|stream| stream.first_time);
    let rows: Vec<[String; 7]> = listed.iter().map(|stream| row(stream)).collect();
    let widths: Vec<usize> = HEADER
        .iter()
        .zip(0..)
        .map(|(name, column)| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max().unwrap_or(0).max(name.width())
        })
        .collect();
    page.columns(4, &line(&HEADER.map(str::to_owned), &widths));
    for known in ways {
        let (src, dst, via) = &known;
        let via = if via.is_empty() { String::new() } else { format!(" {}", inside(via)) };
        page.item(2, "", None, &format!("{src} → {dst}{via}"));
        for (stream, row) in listed.iter().zip(&rows).filter(|(stream, _)| way(stream) == known) {
            page.verbatim(4, &format!("{}{}", line(row, &widths), remarks(stream)));
        }
    }
    page.more(2, shown, media.total);
}

/// The cells, numbers to the right.
fn line(cells: &[String; 7], widths: &[usize]) -> String {
    let mut line = String::new();
    for ((cell, width), column) in cells.iter().zip(widths).zip(0..) {
        let gap = " ".repeat(width.saturating_sub(cell.width()));
        match column {
            0 => line.push_str(&format!("{cell}{gap}")),
            _ => line.push_str(&format!("  {gap}{cell}")),
        }
    }
    line
}

fn row(stream: &MediaStream) -> [String; 7] {
    // a clock that was set back does not tell how long it went on
    let lasted = stream.last_time.at.passed_since(stream.first_time.at).map(|lasted| lasted.micros() / 100_000);
    [
        format!("0x{:08x}", stream.ssrc),
        stream.payload_type.to_string(),
        stream.packets.to_string(),
        bytes(stream.bytes),
        lost(stream),
        or_dash(stream.jitter_us.map(Span::from_micros)),
        or_dash(lasted.map(|tenths| format!("{}.{} s", tenths / 10, tenths % 10))),
    ]
}

/// `0`, `3 (0.2 %)`.
pub(in crate::render) fn lost(stream: &MediaStream) -> String {
    let expected = u128::from(stream.lost) + u128::from(stream.packets);
    let per_mille = u128::from(stream.lost) * 1000 / expected.max(1);
    match stream.lost {
        0 => "0".to_owned(),
        lost => format!("{lost} ({}.{} %)", per_mille / 10, per_mille % 10),
    }
}

/// What is out of the ordinary, as far as there is room.
fn remarks(stream: &MediaStream) -> String {
    match stream.longest_gap_us {
        Some(gap) if gap >= 1_000_000 => format!("  gap {}", Span::from_micros(gap)),
        _ => String::new(),
    }
}
