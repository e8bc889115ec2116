//! Who signs with what: every protected message as it is read, and the sum of it at the end.

use crate::event::{Body, Row};
use crate::render::escape::escape;
use crate::render::messages::append::TimeWriter;
use crate::render::messages::{jsonl, label, verdict_text};
use crate::render::text::{self, Options, Protected};
use crate::report::{Capture, Credential, SCHEMA};
use crate::session::credentials::Status;
use std::fmt::Write as _;
use std::io::{self, Write};

/// How the result of `verify` is written.
#[derive(Clone, Debug)]
pub enum Format {
    /// A table for people.
    Text(Options),
    /// One JSON object: [`VerifyReport`](crate::report::VerifyReport).
    Json,
}

/// Writes the protected messages as they come, and the sum at the end. Memory does not grow with the messages.
pub struct Writer<W> {
    out: W,
    buffer: Vec<u8>,
    live: bool,
    format: Format,
    times: TimeWriter,
    protected: Protected,
    /// Whether any credentials were given.
    given: bool,
    wide: [usize; 3],
}

const FLUSH_AT: usize = 64 * 1024;

impl<W: Write> Writer<W> {
    /// A writer; `live` makes it write every row at once instead of 64 KiB at a time.
    pub fn new(out: W, format: Format, live: bool) -> Self {
        let mut buffer = Vec::with_capacity(FLUSH_AT + 4096);
        if let Format::Json = format {
            buffer.extend_from_slice(format!("{{\"schema\":\"{SCHEMA}\",\n\"messages\":[").as_bytes());
        }
        Writer {
            out,
            buffer,
            live,
            format,
            times: TimeWriter::default(),
            protected: Protected::default(),
            given: false,
            wide: [5, 21, 21],
        }
    }

    /// Writes one message if it is protected.
    ///
    /// # Errors
    /// Whatever `W` fails with; a broken pipe among them.
    pub fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        if row.integrity.is_empty() {
            return Ok(());
        }
        let any = |wanted: fn(&Status) -> bool| row.integrity.iter().any(|one| wanted(&one.status));
        self.protected.messages += 1;
        if any(|status| matches!(status, Status::Verified { .. })) {
            self.protected.verified += 1;
        } else if any(|status| matches!(status, Status::Mismatch { .. })) {
            self.protected.mismatched += 1;
        }
        self.given |= !row.credentials.is_empty();
        match &self.format {
            Format::Json => {
                self.buffer.extend_from_slice(if self.protected.messages == 1 { b"\n" } else { b",\n" });
                jsonl::row(&mut self.buffer, &mut self.times, row);
            }
            Format::Text(options) => {
                let line = line(row, &mut self.wide, options.width.max(40));
                self.buffer.extend_from_slice(line.as_bytes());
            }
        }
        if self.live || self.buffer.len() >= FLUSH_AT {
            self.flush()?;
        }
        Ok(())
    }

    /// What was written so far, by what the credentials say of it.
    #[must_use]
    pub fn protected(&self) -> Protected {
        self.protected
    }

    /// Writes the sum: the captures, and who signs with what.
    ///
    /// # Errors
    /// Whatever `W` fails with.
    pub fn finish(&mut self, captures: &[Capture], credentials: &[Credential]) -> io::Result<()> {
        match &self.format {
            Format::Json => {
                self.buffer.extend_from_slice(b"\n],\n\"captures\":");
                crate::render::json::compact(&mut self.buffer, captures)?;
                self.buffer.extend_from_slice(b",\n\"credentials\":");
                crate::render::json::compact(&mut self.buffer, credentials)?;
                self.buffer.extend_from_slice(b"}\n");
            }
            Format::Text(options) => {
                let summary = text::verify_summary(captures, credentials, self.protected, self.given, options);
                self.buffer.extend_from_slice(summary.as_bytes());
            }
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        self.out.flush()
    }
}

/// Frame, addresses, message, user, verdict; on two lines where the width is small.
fn line(row: &Row<'_>, wide: &mut [usize; 3], width: usize) -> String {
    let [frame_width, src_width, dst_width] = wide;
    let frame = row.event.frame.to_string();
    let (src, dst) = (row.event.src.to_string(), row.event.dst.to_string());
    *frame_width = (*frame_width).max(frame.len());
    *src_width = (*src_width).max(src.len());
    *dst_width = (*dst_width).max(dst.len());
    let mut what = String::new();
    if let Body::Stun(message) = &row.event.body {
        let _ = write!(what, "{} {}", message.method(), message.class()); // writing to a String cannot fail
        if let Some(username) = message.fields().username {
            let _ = write!(what, ", user {}", escape(&String::from_utf8_lossy(username)));
        }
    }
    let mut verdict = String::new();
    for integrity in row.integrity {
        if !verdict.is_empty() {
            verdict.push_str(", ");
        }
        verdict_text(&mut verdict, integrity, |credential| label(row.credentials, credential));
    }
    let line = format!("{frame:>0$}  {src:<1$} → {dst:<2$}  {what}: {verdict}\n", *frame_width, *src_width, *dst_width);
    if line.chars().count() <= width + 1 {
        return line;
    }
    let mut lines = format!("{frame:>0$}  {src} → {dst}\n", *frame_width);
    let hang = *frame_width + 2;
    for part in text::wrap(&format!("{what}: {verdict}"), width, hang, hang) {
        let _ = writeln!(lines, "{:hang$}{part}", "");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Hops};
    use crate::net::{Endpoint, Transport};
    use crate::report::{CredentialKind, Side};
    use crate::secret::Secret;
    use crate::session::credentials::{Credentials, Derivation, Integrity, Preparation, Scheme};
    use crate::time::Timestamp;
    use crate::wire::stun::Message;
    use crate::wire::stun::integrity::{Algorithm, Rule};
    use unicode_width::UnicodeWidthStr;

    /// An Allocate request of the user `u\x1b[2J`.
    const REQUEST: &[u8] = b"\0\x03\0\x0c\x21\x12\xa4\x42abcdefghijkl\0\x06\0\x05u\x1b[2J\0\0\0";

    fn written(format: Format, rows: usize) -> String {
        let message = Message::recognise(REQUEST, false).unwrap();
        let event = Event {
            frame: 7,
            time: Timestamp(0),
            digits: 6,
            src: Endpoint::v4([192, 0, 2, 1], 1000),
            dst: Endpoint::v6([0xfd; 16], 3478),
            transport: Transport::Udp,
            framing: crate::event::Framing::default(),
            hops: Hops::default(),
            truncated: false,
            ip_id: 0,
            copy: false,
            ttl: 64,
            body: Body::Stun(message),
        };
        let derivation = Derivation { scheme: Scheme::ShortTerm, preparation: Preparation::Raw };
        let verified = Status::Verified { credential: 0, rule: Rule::Rfc8489, derivation };
        let integrity = [
            Integrity { algorithm: Algorithm::Sha1, status: verified },
            Integrity { algorithm: Algorithm::Sha256, status: Status::Mismatch { tried: 3 } },
        ];
        let label = "Meeting\x1b Server";
        let mut given = Credentials::default();
        given.add_password(label, Secret::from("x".to_owned()));
        let mut row = Row {
            capture: 0,
            event: &event,
            integrity: &integrity,
            request_frame: None,
            rtt: None,
            retransmission_of: None,
            icmp: None,
            credentials: &given,
        };
        let credentials = [Credential {
            label: label.into(),
            side: Some(Side::Client),
            kind: CredentialKind::Password,
            verified: 1,
            requests: 1,
            responses: 0,
            mismatched: 2,
            near_misses: Vec::new(),
        }];
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, format, false);
        for _ in 0..rows {
            writer.row(&row).unwrap();
        }
        row.integrity = &[];
        writer.row(&row).unwrap();
        writer.finish(&[Capture { path: "a.pcap".into(), ..Capture::default() }], &credentials).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn protected_messages_are_listed_and_summed_up_by_credential() {
        let text = written(Format::Text(Options { width: 200, ..Options::default() }), 1);
        let first = text.lines().next().unwrap();
        assert!(first.contains("Allocate request, user u\\x1b[2J: "), "{text}");
        assert!(first.contains("sha1 verified \"Meeting\\x1b Server\", sha256 mismatch"), "{text}");
        assert!(text.contains("1 protected message: 1 verified, 0 mismatched, 0 untested"), "{text}");
        assert!(text.contains("Meeting\\x1b Server  client  password  1         0          2"), "{text}");
    }

    #[test]
    fn at_eighty_columns_no_line_is_wider() {
        for width in [80, 100] {
            let text = written(Format::Text(Options { width, ..Options::default() }), 2);
            assert!(text.lines().all(|line| line.width() <= width), "{text}");
        }
    }

    #[test]
    fn the_json_form_is_one_object_with_messages_captures_and_credentials() {
        for rows in [0, 1, 3] {
            let text = written(Format::Json, rows);
            let json: serde_json::Value = serde_json::from_str(&text).expect(&text);
            assert_eq!(json["schema"], SCHEMA);
            assert_eq!(json["messages"].as_array().map(Vec::len), Some(rows));
            assert_eq!(json["captures"][0]["path"], "a.pcap");
            assert_eq!(json["credentials"][0]["mismatched"], 2);
        }
    }

    #[test]
    fn nothing_protected_is_said() {
        assert!(written(Format::Text(Options::default()), 0).contains("No message is protected"));
    }
}
