//! One session description: its lines, and the agents that they describe.
//!
//! Attributes before the first `m=` hold for every media section that has not its own (RFC 8839 §5.4, RFC 8122 §5); sections of one
//! bundle share a transport, and with it a user fragment (RFC 8843 §10).

use super::drafts::{Drafts, MAX_CANDIDATES, MAX_FINGERPRINTS, MAX_MEDIA};
use super::{Description, DescriptionKind, Directions, Fingerprint, Setup, SignalledCandidate};
use crate::bounded::BoundedList;
use crate::secret::Secret;
use std::net::IpAddr;

/// How many media sections are read of one description.
const MAX_SECTIONS: usize = 1024;
/// The longest user fragment and password (RFC 8839 §5.4).
const MAX_CREDENTIAL: usize = 256;
/// The longest name of a candidate: that of a domain.
const MAX_NAME: usize = 255;

/// A description while its lines are read.
#[derive(Debug, Default)]
pub(super) struct Block {
    kind: Option<DescriptionKind>,
    local: Option<bool>,
    lite: bool,
    /// The section whose transport a bundle uses, by its `a=mid` (RFC 8843 §7.2).
    bundle: Option<String>,
    session: Level,
    sections: Vec<Level>,
}

/// What the session, or one media section, says of its transport.
#[derive(Debug, Default)]
struct Level {
    media: Option<String>,
    /// Whether its port is 0: it is turned down (RFC 3264 §6), or another section of the bundle stands for it.
    off: bool,
    directions: Option<Directions>,
    mid: Option<String>,
    ufrag: Option<String>,
    password: Option<Secret>,
    setup: Option<Setup>,
    fingerprints: Vec<Fingerprint>,
    /// Each with the user fragment that stands behind it, if one does.
    candidates: Vec<(SignalledCandidate, Option<String>)>,
}

/// Whether a line is of the form of SDP: a letter, `=`, and something.
pub(super) fn is_line(line: &str) -> bool {
    matches!(line.as_bytes(), [letter, b'=', _, ..] if letter.is_ascii_lowercase())
}

impl Block {
    /// An empty description of which this is known.
    pub(super) fn new(kind: Option<DescriptionKind>, local: Option<bool>) -> Self {
        Block { kind, local, ..Block::default() }
    }

    /// Takes a line without its end.
    ///
    /// # Errors
    /// What is wrong with a line of which the reader would have had to know; it is passed over.
    pub(super) fn line(&mut self, line: &str) -> Result<(), &'static str> {
        if let Some(media) = line.strip_prefix("m=") {
            if self.sections.len() >= MAX_SECTIONS {
                return Err("more media sections than are read");
            }
            let mut words = media.split_ascii_whitespace();
            let media = words.next().ok_or("m= without a medium")?;
            let off = words.next() == Some("0");
            self.sections.push(Level { media: Some(cut(media)), off, ..Level::default() });
            return Ok(());
        }
        let Some(attribute) = line.strip_prefix("a=") else { return Ok(()) };
        let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        let value = value.trim();
        match name.trim() {
            "ice-lite" => self.lite = true,
            "group" => {
                let mut words = value.split_ascii_whitespace();
                if words.next().is_some_and(|semantics| semantics.eq_ignore_ascii_case("BUNDLE")) {
                    self.bundle = self.bundle.take().or(words.next().map(str::to_owned));
                }
            }
            "sendrecv" | "sendonly" | "recvonly" | "inactive" => {
                self.level().directions = Directions::named(name.trim());
            }
            "mid" => self.level().mid = Some(value.to_owned()),
            "ice-ufrag" => self.level().ufrag = Some(credential(value).ok_or("no user fragment in a=ice-ufrag")?),
            "ice-pwd" => {
                let password = credential(value).ok_or("no password in a=ice-pwd")?;
                self.level().password = Some(Secret::from(password));
            }
            "setup" => self.level().setup = Some(Setup::named(value).ok_or("a=setup with a role that there is not")?),
            "fingerprint" => {
                let fingerprint = fingerprint(value).ok_or("a=fingerprint that is none")?;
                let known = &mut self.level().fingerprints;
                known.push_new_up_to(MAX_FINGERPRINTS, fingerprint);
            }
            "candidate" => {
                let candidate = candidate(value).ok_or("a=candidate that is none")?;
                let known = &mut self.level().candidates;
                if known.len() >= MAX_CANDIDATES {
                    return Err("more candidates than are kept");
                }
                known.push(candidate);
            }
            _ => {}
        }
        Ok(())
    }

    /// The description is complete: what it says of each agent is added.
    pub(super) fn finish(self, origin: &str, drafts: &mut Drafts) {
        let Block { kind, local, lite, bundle, session, mut sections } = self;
        if sections.is_empty() {
            sections.push(Level::default());
        }
        // sections of a bundle without a transport of their own, but those of it
        let tagged = sections.iter().find(|section| section.mid.is_some() && section.mid == bundle);
        let bundled = tagged.and_then(|section| section.ufrag.clone());
        for section in sections {
            let own = section.ufrag.is_some();
            let Some(ufrag) = section.ufrag.or_else(|| session.ufrag.clone()).or_else(|| bundled.clone()) else {
                for (candidate, ufrag) in section.candidates {
                    drafts.trickle(origin, local, ufrag.as_deref(), candidate);
                }
                continue;
            };
            let inherited = if own && section.password.is_some() { None } else { session.password.clone() };
            let password = section.password.or(inherited);
            let fingerprints =
                if section.fingerprints.is_empty() { session.fingerprints.clone() } else { section.fingerprints };
            let all = section.candidates.into_iter().chain(session.candidates.iter().cloned());
            let (of_agent, of_others): (Vec<_>, Vec<_>) =
                all.partition(|(_, named)| named.as_ref().is_none_or(|named| *named == ufrag));
            let carries =
                !section.off && section.media.as_deref().is_some_and(|media| matches!(media, "audio" | "video"));
            let said = section.directions.or(session.directions).or(Directions::named("sendrecv"));
            let mut candidates = Vec::new();
            for (candidate, _) in of_agent {
                candidates.push_new_up_to(MAX_CANDIDATES, candidate);
            }
            let description = Description {
                origin: origin.to_owned(),
                kind,
                local,
                ufrag,
                has_password: password.is_some(),
                lite,
                setup: section.setup.or(session.setup),
                fingerprints,
                candidates,
                media: section.media.into_iter().take(MAX_MEDIA).collect(),
                directions: said.filter(|_| carries).unwrap_or_default(),
            };
            drafts.add(description, password);
            for (candidate, ufrag) in of_others {
                drafts.trickle(origin, local, ufrag.as_deref(), candidate);
            }
        }
    }

    fn level(&mut self) -> &mut Level {
        self.sections.last_mut().unwrap_or(&mut self.session)
    }
}

/// A user fragment or password: visible ASCII without spaces. RFC 8839 allows fewer characters; what was told is taken as it is.
pub(super) fn credential(value: &str) -> Option<String> {
    let fits = (1..=MAX_CREDENTIAL).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| value.to_owned())
}

/// `sha-256 AB:CD:…` (RFC 8122 §5); digits in any case.
fn fingerprint(value: &str) -> Option<Fingerprint> {
    let (hash, digits) = value.split_once(|c: char| c.is_ascii_whitespace())?;
    let digits = digits.trim();
    let pair = |pair: &str| pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
    let name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let fits = hash.len() <= 32 && hash.bytes().all(name) && digits.len() <= 64 * 3 && digits.split(':').all(pair);
    fits.then(|| Fingerprint { hash: hash.to_ascii_lowercase(), value: digits.to_ascii_uppercase() })
}

/// What stands behind `candidate:` (RFC 8839 §5.1), and the user fragment that browsers put behind it.
pub(super) fn candidate(value: &str) -> Option<(SignalledCandidate, Option<String>)> {
    let mut words = value.split_ascii_whitespace();
    let _foundation = words.next()?;
    let component = words.next()?.parse().ok().filter(|component| (1..=256).contains(component))?;
    let transport = words.next()?.to_ascii_lowercase();
    let priority = words.next()?.parse().ok()?;
    let (address, port) = (address(words.next()?)?, words.next()?.parse().ok()?);
    let fits = words.next()? == "typ" && transport.len() <= 32;
    let kind = words.next().filter(|_| fits)?;
    let (mut ufrag, mut related_address, mut related_port) = (None, None, None);
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        match name {
            "raddr" => related_address = value.parse().ok(),
            "rport" => related_port = value.parse().ok(),
            "ufrag" => ufrag = credential(value),
            _ => {}
        }
    }
    let related = related_address.zip(related_port);
    let kind = cut(kind);
    Some((SignalledCandidate { address, port, transport, kind, component, priority, related }, ufrag))
}

/// An address, else a name.
fn address(word: &str) -> Option<Result<IpAddr, String>> {
    let bare = word.split('%').next().unwrap_or(word); // the zone of a link-local address
    if let Ok(ip) = bare.parse() {
        return Some(Ok(ip));
    }
    let name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (word.len() <= MAX_NAME && word.bytes().all(name)).then(|| Err(word.to_ascii_lowercase()))
}

/// The first letters of a word.
fn cut(word: &str) -> String {
    word.chars().take(32).collect()
}
