//! The key logs given on the command line.

use super::credentials::slurp;
use super::error::{Error, say};
use super::input::Input;
use crate::keys::{Added, KeyLog, MAX_SECRETS, client_random};
use crate::packet::{Packet, Packets};
use crate::secret::Secret;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Key logs, read before the captures that they open.
#[derive(Debug, Default)]
pub(super) struct KeyLogs {
    log: KeyLog,
    files: Vec<(String, Added)>,
}

/// The largest file that is read: a line has at most some 250 bytes, and so many secrets are kept at most; comments have room beside them.
const MAX_FILE: usize = 256 << 20;

/// Bytes of the random by which the lines of a key log name their connection.
const RANDOM: usize = 32;

/// How far into a payload a hello's random is looked for: headers of a relay and of records stand before it.
const HELLO: usize = 256;

impl KeyLogs {
    /// Reads the files. Damaged lines are passed over; a file without a single line of a key log is none.
    pub(super) fn read(files: &[PathBuf]) -> Result<Self, Error> {
        let mut logs = KeyLogs::default();
        for path in files {
            let origin = path.display().to_string();
            let text = slurp(path, MAX_FILE)?;
            let added = logs.log.add(text.expose());
            let lines = added.secrets + added.repeated + added.unneeded + added.unsupported + added.dropped;
            if lines == 0 && added.damaged_total > 0 {
                let hint =
                    "give a file as programs write it to SSLKEYLOGFILE: a label, a client random and a secret a line";
                return Err(Error::new(origin, "not a key log", hint));
            }
            logs.files.push((origin, added));
        }
        Ok(logs)
    }

    /// The secrets of all files.
    pub(super) fn log(&self) -> KeyLog {
        self.log.clone()
    }

    /// Says what was passed over.
    pub(super) fn warn(&self) {
        for (origin, added) in &self.files {
            for damaged in &added.damaged {
                say(&Error::new(origin, format_args!("{damaged}, passed over"), ""));
            }
            if let more @ 1.. = added.damaged_total.saturating_sub(added.damaged.len() as u64) {
                say(&Error::new(origin, format_args!("{more} more damaged lines passed over"), ""));
            }
            if added.unsupported > 0 && added.secrets + added.repeated == 0 {
                let what = "no line of a kind that is read, but for instance RSA premaster secrets";
                say(&Error::new(origin, what, "log CLIENT_RANDOM, or the secrets of TLS 1.3"));
            }
            if added.dropped > 0 {
                let what = format!("{} secrets left out, more than the {MAX_SECRETS} that are kept", added.dropped);
                say(&Error::new(origin, what, "give the part of the log that is of the capture's time"));
            }
        }
    }
}

/// The lines of key logs that are about connections of a capture: those whose client random is in it.
pub(super) fn of_capture(files: &[PathBuf], capture: &Path) -> Result<Secret, Error> {
    let logs = files.iter().map(|path| slurp(path, MAX_FILE)).collect::<Result<Vec<_>, _>>()?;
    let lines = || logs.iter().flat_map(|log| log.expose().split(|&byte| byte == b'\n'));
    let wanted: BTreeSet<[u8; RANDOM]> = lines().filter_map(client_random).collect();
    let mut found: BTreeSet<[u8; RANDOM]> = BTreeSet::new();
    let mut input = Input::open(capture)?;
    let mut packets = Packets::default();
    while let Some(frame) = input.next_frame() {
        packets.dissect(&frame, frame.time.unwrap_or_default(), &mut |packet| {
            let payload = match packet {
                Packet::Datagram(datagram) => datagram.payload,
                Packet::Segment(segment) => segment.payload,
                Packet::IcmpError(_) => return,
            };
            // a hello, bare or in what a relay carries
            if matches!(payload.first(), Some(0x00 | 0x16 | 0x40..=0x4f)) {
                let head = payload.get(..HELLO).unwrap_or(payload);
                found.extend(head.windows(RANDOM).filter_map(|bytes| wanted.get(bytes)));
            }
        });
    }
    let kept = lines().filter(|line| client_random(line).is_some_and(|random| found.contains(&random)));
    let text: Zeroizing<Vec<u8>> = Zeroizing::new(kept.flat_map(|line| [line, b"\n"]).flatten().copied().collect());
    Ok(Secret::from(text.as_slice()))
}
