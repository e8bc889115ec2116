//! NSS key logs, the format of `SSLKEYLOGFILE` and of pcapng's decryption secrets: `LABEL <client random> <secret>`, one a line.

use crate::secret::Secret;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Secrets kept at most, over all files and blocks: with it a log takes some 40 MiB.
pub const MAX_SECRETS: usize = 250_000;
/// Damaged lines that are named one by one.
const MAX_DAMAGED: usize = 8;
/// The longest line that may be one: label, random and a secret of 64 bytes, and then some.
const MAX_LINE: usize = 1024;
/// The longest label that is repeated in a message.
const MAX_NAME: usize = 48;

/// What a secret is (draft-ietf-tls-keylogfile).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Label {
    /// `CLIENT_RANDOM`: the master secret, up to version 1.2.
    Master,
    /// `CLIENT_EARLY_TRAFFIC_SECRET`.
    ClientEarly,
    /// `CLIENT_HANDSHAKE_TRAFFIC_SECRET`.
    ClientHandshake,
    /// `SERVER_HANDSHAKE_TRAFFIC_SECRET`.
    ServerHandshake,
    /// `CLIENT_TRAFFIC_SECRET_0`; those of later numbers follow from it.
    ClientTraffic,
    /// `SERVER_TRAFFIC_SECRET_0`; those of later numbers follow from it.
    ServerTraffic,
}

impl Label {
    /// All of them.
    const ALL: [Label; 6] = [
        Label::Master,
        Label::ClientEarly,
        Label::ClientHandshake,
        Label::ServerHandshake,
        Label::ClientTraffic,
        Label::ServerTraffic,
    ];
    /// Those of the handshake in version 1.3, client's and server's.
    pub(super) const HANDSHAKE: [Label; 2] = [Label::ClientHandshake, Label::ServerHandshake];
    /// Those of application data in version 1.3, client's and server's.
    pub(super) const TRAFFIC: [Label; 2] = [Label::ClientTraffic, Label::ServerTraffic];

    /// Its name in a key log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Label::Master => "CLIENT_RANDOM",
            Label::ClientEarly => "CLIENT_EARLY_TRAFFIC_SECRET",
            Label::ClientHandshake => "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
            Label::ServerHandshake => "SERVER_HANDSHAKE_TRAFFIC_SECRET",
            Label::ClientTraffic => "CLIENT_TRAFFIC_SECRET_0",
            Label::ServerTraffic => "SERVER_TRAFFIC_SECRET_0",
        }
    }
}

/// Secrets by the client random of their connection.
///
/// A copy takes next to no memory: it is one with the original until one of them is added to.
#[derive(Clone, Default)]
pub struct KeyLog {
    by_random: Arc<ByRandom>,
    secrets: usize,
    revision: u32,
}

type ByRandom = HashMap<[u8; 32], Vec<(Label, Secret)>>;

/// What came of reading a key log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Lines that gave a secret that was not known.
    pub secrets: u64,
    /// Lines that give the same secret again.
    pub repeated: u64,
    /// Lines whose secrets open nothing here, though they are well-formed: those of exporters and of Encrypted Client Hello.
    pub unneeded: u64,
    /// Lines of kinds that are not read: premaster secrets (`RSA`, `PMS_CLIENT_RANDOM`) and `RSA Session-ID:`, and unknown labels.
    pub unsupported: u64,
    /// Secrets for which there was no room; see [`MAX_SECRETS`].
    pub dropped: u64,
    /// Lines that are damaged; the first few.
    pub damaged: Vec<Damaged>,
    /// How many are.
    pub damaged_total: u64,
}

/// A line that is no line of a key log. It holds nothing of what stands in the line but a label that is known to be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyLog({} secrets of {} connections)", self.secrets, self.by_random.len())
    }
}

/// What a line gives.
enum Line<'a> {
    Nothing,
    Secret(Label, [u8; 32], Secret),
    Unneeded,
    Unsupported,
    Damaged(Fault<'a>),
}

enum Fault<'a> {
    Words(&'static str),
    Of(&'a str, &'static str),
}

impl KeyLog {
    /// A log without a line.
    #[must_use]
    pub fn new() -> KeyLog {
        KeyLog::default()
    }

    /// Reads the lines of a key log and adds what they give. Lines end with LF, CRLF or the text; empty ones and those that begin with `#` say
    /// nothing. A line that is damaged is told, and the others are read all the same. Where two lines of one connection and label differ, as when
    /// logs of several machines are put together, the later one counts.
    pub fn add(&mut self, text: &[u8]) -> Added {
        let mut added = Added::default();
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        for (number, line) in (1..).zip(text.split(|&byte| byte == b'\n')) {
            match read(line) {
                Line::Nothing => {}
                Line::Unneeded => added.unneeded += 1,
                Line::Unsupported => added.unsupported += 1,
                Line::Secret(label, random, secret) => self.keep(label, random, secret, &mut added),
                Line::Damaged(fault) => {
                    added.damaged_total += 1;
                    if added.damaged.len() < MAX_DAMAGED {
                        added.damaged.push(Damaged { line: number, what: fault.to_string() });
                    }
                }
            }
        }
        if added.secrets > 0 {
            self.revision = self.revision.wrapping_add(1);
        }
        added
    }

    /// Whether it has no secret at all.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.secrets == 0
    }

    /// How many connections it has secrets of.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.by_random.len()
    }

    /// Whether it has a secret of the connection with this client random.
    #[must_use]
    pub fn knows(&self, random: &[u8; 32]) -> bool {
        self.by_random.contains_key(random)
    }

    /// A log of the same connections with other secrets: what `by` makes of client random, label and length.
    #[must_use]
    pub fn with_secrets(&self, by: impl Fn(&[u8; 32], Label, usize) -> Vec<u8>) -> KeyLog {
        let other = |random: &[u8; 32], secrets: &Vec<(Label, Secret)>| {
            let other =
                |&(label, ref secret): &(Label, Secret)| (label, Secret::new(by(random, label, secret.expose().len())));
            (*random, secrets.iter().map(other).collect())
        };
        let by_random = self.by_random.iter().map(|(random, secrets)| other(random, secrets)).collect();
        KeyLog { by_random: Arc::new(by_random), ..*self }
    }

    /// Its lines on these connections.
    #[must_use]
    pub fn lines<'a>(&self, randoms: impl IntoIterator<Item = &'a [u8; 32]>) -> Secret {
        let mut text = Zeroizing::new(String::new());
        let digits = |text: &mut String, bytes: &[u8]| bytes.iter().for_each(|byte| *text += &format!("{byte:02x}"));
        for random in randoms {
            for (label, secret) in self.by_random.get(random).into_iter().flatten() {
                *text += label.name();
                text.push(' ');
                digits(&mut text, random);
                text.push(' ');
                digits(&mut text, secret.expose());
                text.push('\n');
            }
        }
        Secret::from(text.as_bytes())
    }

    /// A secret.
    pub(super) fn find(&self, random: &[u8; 32], label: Label) -> Option<&Secret> {
        let known = self.by_random.get(random)?;
        known.iter().find(|(known, _)| *known == label).map(|(_, secret)| secret)
    }

    /// Changes whenever secrets were added.
    pub(super) fn revision(&self) -> u32 {
        self.revision
    }

    fn keep(&mut self, label: Label, random: [u8; 32], secret: Secret, added: &mut Added) {
        if self.find(&random, label).is_some_and(|known| *known == secret) {
            added.repeated += 1;
            return;
        }
        let by_random = Arc::make_mut(&mut self.by_random);
        if let Some(known) = by_random.get_mut(&random)
            && let Some((_, known)) = known.iter_mut().find(|(known, _)| *known == label)
        {
            *known = secret;
            added.secrets += 1;
        } else if self.secrets >= MAX_SECRETS {
            added.dropped += 1;
        } else {
            by_random.entry(random).or_default().push((label, secret));
            self.secrets += 1;
            added.secrets += 1;
        }
    }
}

fn read(line: &[u8]) -> Line<'_> {
    let line = line.trim_ascii();
    if line.is_empty() || line.starts_with(b"#") {
        return Line::Nothing;
    }
    if line.len() > MAX_LINE {
        return Line::Damaged(Fault::Words("longer than any line of a key log"));
    }
    let Ok(line) = str::from_utf8(line) else { return Line::Damaged(Fault::Words("not text")) };
    let mut words = line.split_ascii_whitespace();
    let (Some(name), random, secret, more) = (words.next(), words.next(), words.next(), words.next()) else {
        return Line::Nothing;
    };
    let known = Label::ALL.into_iter().find(|label| label.name() == name);
    let label = match name {
        _ if known.is_some() => known,
        // later generations follow from the first, of which there is a line, too
        _ if name.starts_with("CLIENT_TRAFFIC_SECRET_") || name.starts_with("SERVER_TRAFFIC_SECRET_") => None,
        "EXPORTER_SECRET" | "EARLY_EXPORTER_SECRET" | "EARLY_EXPORTER_MASTER_SECRET" | "ECH_SECRET" | "ECH_CONFIG" => {
            None
        }
        "RSA" | "PMS_CLIENT_RANDOM" => return Line::Unsupported,
        _ if is_label(name) => return Line::Unsupported,
        _ => return Line::Damaged(Fault::Words("does not begin with a label")),
    };
    let (Some(random), Some(secret), None) = (random, secret, more) else {
        return Line::Damaged(Fault::Of(name, "not a label, a client random and a secret"));
    };
    let mut client_random = [0; 32];
    if !hex(random.as_bytes(), &mut client_random) {
        return Line::Damaged(Fault::Of(name, "the client random is not 64 hexadecimal digits"));
    }
    let Some(label) = label else { return Line::Unneeded };
    // those of version 1.3 are as long as the suite's hash
    let lengths: &[usize] = if label == Label::Master { &[48] } else { &[32, 48] };
    let mut bytes = [0; 48];
    let length = lengths.iter().find(|&&length| length * 2 == secret.len());
    let into = length.and_then(|&length| bytes.get_mut(..length));
    let read = match into.map(|into| (hex(secret.as_bytes(), into), into)) {
        Some((true, bytes)) => Line::Secret(label, client_random, Secret::from(&*bytes)),
        Some((false, _)) => Line::Damaged(Fault::Of(name, "the secret is not hexadecimal")),
        None => Line::Damaged(Fault::Of(name, "the secret has not the length that it must have")),
    };
    zeroize::Zeroize::zeroize(&mut bytes);
    read
}

/// Whether a word is made as labels are; what is not is not repeated in any message, it may be a part of a secret.
fn is_label(word: &str) -> bool {
    let made_so = word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    let is_hex = word.bytes().all(|byte| byte.is_ascii_hexdigit());
    made_so && !is_hex && word.len() <= MAX_NAME
}

/// The random by which a line of a key log names its connection: 64 hexadecimal digits behind the label.
#[must_use]
pub fn client_random(line: &[u8]) -> Option<[u8; 32]> {
    let digits = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).nth(1)?;
    let mut random = [0; 32];
    hex(digits, &mut random).then_some(random)
}

/// Reads exactly as many bytes as there is room for.
fn hex(text: &[u8], into: &mut [u8]) -> bool {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != into.len() || !rest.is_empty() {
        return false;
    }
    for (byte, &[high, low]) in into.iter_mut().zip(pairs) {
        let (Some(high), Some(low)) = (digit(high), digit(low)) else { return false };
        *byte = high << 4 | low;
    }
    true
}

impl fmt::Display for Fault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Words(words) => f.write_str(words),
            Fault::Of(label, words) => write!(f, "{label}: {words}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(label: &str, random: u8, secret: u8, length: usize) -> String {
        format!("{label} {} {}\n", format!("{random:02x}").repeat(32), format!("{secret:02X}").repeat(length))
    }

    #[test]
    fn every_kind_of_line_is_known_for_what_it_is() {
        let mut text = "\u{feff}# a comment\r\n\r\n".to_owned();
        text += &line("CLIENT_RANDOM", 1, 0xa1, 48).replace('\n', "\r\n");
        text += &line("CLIENT_HANDSHAKE_TRAFFIC_SECRET", 2, 0xb1, 32);
        text += &line("SERVER_HANDSHAKE_TRAFFIC_SECRET", 2, 0xb2, 32);
        text += &line("CLIENT_TRAFFIC_SECRET_0", 2, 0xb3, 48);
        text += &line("SERVER_TRAFFIC_SECRET_0", 2, 0xb4, 48);
        text += &line("CLIENT_EARLY_TRAFFIC_SECRET", 2, 0xb5, 32);
        text += &line("CLIENT_TRAFFIC_SECRET_1", 2, 0xb6, 32);
        text += &line("EXPORTER_SECRET", 2, 0xb7, 32);
        text += &line("ECH_SECRET", 2, 0xb8, 32);
        text += "RSA 0011223344556677 00\nRSA Session-ID:00 Master-Key:00\n";
        text += line("NEW_SECRET", 2, 0xb9, 32).trim_end();
        let mut log = KeyLog::new();
        let added = log.add(text.as_bytes());
        assert_eq!((added.secrets, added.unneeded, added.unsupported, added.damaged_total), (6, 3, 3, 0));
        assert_eq!(log.connections(), 2);
        let master = log.find(&[1; 32], Label::Master).unwrap();
        assert_eq!(master.expose(), [0xa1; 48]);
        assert_eq!(log.find(&[2; 32], Label::ServerTraffic).unwrap().expose(), [0xb4; 48]);
        assert!(log.find(&[3; 32], Label::Master).is_none());
    }

    #[test]
    fn a_log_of_other_secrets_reads_as_it_was_written() {
        let mut log = KeyLog::new();
        log.add((line("CLIENT_RANDOM", 1, 0xa1, 48) + &line("SERVER_TRAFFIC_SECRET_0", 2, 0xb3, 32)).as_bytes());
        let other = log.with_secrets(|_, label, length| vec![label as u8 + 1; length]);
        let text = other.lines(&[[1; 32], [2; 32], [3; 32]]);
        assert!(!String::from_utf8_lossy(text.expose()).contains("a1a1"));
        let mut again = KeyLog::new();
        assert_eq!(again.add(text.expose()).secrets, 2);
        assert_eq!(again.find(&[1; 32], Label::Master).unwrap().expose(), [1; 48]);
        assert_eq!(again.find(&[2; 32], Label::ServerTraffic).unwrap().expose(), [6; 32]);
    }

    #[test]
    fn damage_is_told_by_its_line_without_a_digit_of_a_secret() {
        let good = line("CLIENT_RANDOM", 1, 0xa1, 48);
        let digits = "5ec2e7".repeat(16);
        let text = format!(
            "CLIENT_RANDOM 5ec2e7 {digits}\n{digits}\nCLIENT_RANDOM {} 5ec2e7\nCLIENT_RANDOM {} {}x\n\u{0}\u{1}\nCLIENT_RANDOM\n{good}{}\n",
            "11".repeat(32),
            "11".repeat(32),
            "5".repeat(95),
            "x".repeat(5000),
        );
        let mut log = KeyLog::new();
        let added = log.add(text.as_bytes());
        let lines: Vec<u64> = added.damaged.iter().map(|damaged| damaged.line).collect();
        assert_eq!(lines, [1, 2, 3, 4, 5, 6, 8]);
        assert_eq!(added.secrets, 1, "the good line is read all the same");
        let told = format!("{:?} {} {log:?}", added, added.damaged.iter().map(Damaged::to_string).collect::<String>());
        assert!(!told.contains("5ec2e7") && !told.contains("555"), "{told}");
        assert!(told.contains("line 1: CLIENT_RANDOM: the client random is not 64 hexadecimal digits"), "{told}");
    }

    #[test]
    fn a_line_that_comes_again_is_no_new_secret_and_a_later_one_counts() {
        let mut log = KeyLog::new();
        log.add(line("CLIENT_RANDOM", 1, 0xa1, 48).as_bytes());
        let before = log.revision();
        assert_eq!(log.add(line("CLIENT_RANDOM", 1, 0xa1, 48).as_bytes()).repeated, 1);
        assert_eq!(log.revision(), before);
        assert_eq!(log.add(line("CLIENT_RANDOM", 1, 0xa2, 48).as_bytes()).secrets, 1);
        assert_eq!(log.find(&[1; 32], Label::Master).unwrap().expose(), [0xa2; 48]);
        assert_eq!(log.secrets, 1);
    }
}
