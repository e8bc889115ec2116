//! JSON with session descriptions in it: Chromium's webrtc-internals dump, the objects that browsers' consoles print, logs of signalling.
//!
//! A dump is `{"PeerConnections": {"<id>": {"updateLog": [{"type": "setLocalDescription", "value": "type: offer, sdp: v=0…"}, …], "stats": …}}}`.
//! Its shape changed over the years, and other tools have others; so every text in the file is looked at, and the names around it tell whose
//! it is. Nothing is kept of the rest: the statistics of a long call are passed over as they are read.

use super::drafts::Drafts;
use super::text::{self, Source};
use super::{DescriptionKind, Read};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::fmt;
use zeroize::Zeroizing;

/// JSON in texts of JSON is read to this depth.
const MAX_NESTED: u8 = 4;
/// How many texts of one object wait for what the rest of it says of them.
const MAX_WAITING: usize = 16;

/// Reads a file; `None` where it is not JSON, or none with a description in it.
pub(super) fn read(bytes: &[u8], origin: &str) -> Option<Read> {
    let first = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start().first();
    if !matches!(first, Some(b'{' | b'[')) {
        return None;
    }
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}');
    let mut drafts = Drafts::default();
    let context = Context::new(origin);
    let ended = values(text, &context, &mut drafts);
    if drafts.is_empty() {
        return None;
    }
    if let Some(Ended { line, cut }) = ended {
        drafts.warn(origin, line, if cut { "the file ends within its JSON" } else { "not JSON from here on" });
        if !cut {
            let rest = text.split_inclusive('\n').take(line).map(str::len).sum::<usize>();
            let source = Source { origin, first_line: line + 1, several: true, kind: None, local: None, ufrag: None };
            text::read_into(text.get(rest..).unwrap_or_default(), source, &mut drafts);
        }
    }
    Some(drafts.finish())
}

/// Where JSON ends too early.
struct Ended {
    line: usize,
    /// Because there is no more text.
    cut: bool,
}

/// Reads one JSON value after the other.
fn values(text: &str, context: &Context<'_>, drafts: &mut Drafts) -> Option<Ended> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    loop {
        let begun = Cell::new(false);
        let walk = Walk { context: *context, drafts, begun: &begun, said: None };
        match walk.deserialize(&mut deserializer) {
            Ok(()) => {}
            Err(error) if error.is_eof() && !begun.get() => return None,
            Err(error) => return Some(Ended { line: error.line(), cut: error.is_eof() }),
        }
    }
}

/// What is known of a text by the names around it.
#[derive(Clone, Copy, Debug)]
struct Context<'a> {
    /// The file.
    file: &'a str,
    /// The file, and the peer connection in it.
    connection: &'a str,
    /// Whether the names of an object are those of peer connections.
    connections: bool,
    hint: Hint,
    nested: u8,
}

/// Whose a description is, by the name of an event or of a field.
#[derive(Clone, Copy, Debug, Default)]
struct Hint {
    kind: Option<DescriptionKind>,
    local: Option<bool>,
}

impl Hint {
    fn of(name: &str) -> Hint {
        if name.len() > 64 {
            return Hint::default();
        }
        let name = name.to_ascii_lowercase();
        let local = match name.as_str() {
            "icecandidate" | "onicecandidate" => Some(true),
            _ if name.contains("remote") || name.starts_with("addicecandidate") => Some(false),
            _ if name.contains("local") || name.starts_with("createoffer") || name.starts_with("createanswer") => {
                Some(true)
            }
            _ => None,
        };
        let word = name.strip_prefix("create").unwrap_or(&name);
        let kind = DescriptionKind::named(word.strip_suffix("onsuccess").unwrap_or(word));
        Hint { kind, local }
    }

    fn or(self, other: Hint) -> Hint {
        Hint { kind: self.kind.or(other.kind), local: self.local.or(other.local) }
    }
}

impl<'a> Context<'a> {
    fn new(file: &'a str) -> Self {
        Context { file, connection: file, connections: false, hint: Hint::default(), nested: 0 }
    }

    /// Looks at a text.
    fn text(&self, text: &str, ufrag: Option<&str>, drafts: &mut Drafts) {
        let (told, candidate) = (text.contains("v=0"), text.contains("candidate:"));
        if !told && !candidate {
            return;
        }
        if matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'[')) && self.nested < MAX_NESTED {
            let context = Context { nested: self.nested + 1, ..*self };
            if values(text, &context, drafts).is_none() {
                return;
            }
        }
        let Hint { kind, local } = self.hint;
        let source = Source { origin: self.connection, first_line: 1, several: false, kind, local, ufrag };
        text::read_into(text, source, drafts);
    }
}

/// Walks through a value.
struct Walk<'a, 'd> {
    context: Context<'a>,
    drafts: &'d mut Drafts,
    /// Set when there is a value at all.
    begun: &'d Cell<bool>,
    /// Takes the value where it is a text; else texts are looked at where they are found.
    said: Option<&'d mut Option<Zeroizing<String>>>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Values that are passed over.
macro_rules! passed_over {
    ($($visit:ident($($kind:ty)?)),+) => {$(
        fn $visit<E: Error>(self $(, _: $kind)?) -> Result<(), E> {
            self.begun.set(true);
            Ok(())
        }
    )+};
}

impl<'de> Visitor<'de> for Walk<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    passed_over! { visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_unit() }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.begun.set(true);
        match self.said {
            Some(said) => *said = Some(Zeroizing::new(text.to_owned())),
            None => self.context.text(text, None, self.drafts),
        }
        Ok(())
    }

    /// Logs write an event as `["setLocalDescription", "connection", {…}]`: texts before an element are its name.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.begun.set(true);
        let Walk { mut context, drafts, begun, .. } = self;
        let outer = context.hint;
        let mut named = Hint::default();
        let mut said = None;
        while list.next_element_seed(Walk { context, drafts, begun, said: Some(&mut said) })?.is_some() {
            if let Some(text) = said.take() {
                named = Hint::of(&text).or(named);
                context.text(&text, None, drafts);
            }
            context.hint = named.or(outer);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.begun.set(true);
        let Walk { context, drafts, begun, .. } = self;
        let mut hint = context.hint;
        let (mut ufrag, mut waiting) = (None::<String>, Vec::new());
        while let Some(name) = map.next_key::<String>()? {
            if context.connections {
                let id: String =
                    name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).take(40).collect();
                let connection = format!("{}, peer connection {id}", context.file);
                let context = Context { connection: &connection, connections: false, ..context };
                map.next_value_seed(Walk { context, drafts, begun, said: None })?;
                continue;
            }
            match name.as_str() {
                "stats" => _ = map.next_value::<IgnoredAny>()?,
                "PeerConnections" => {
                    let context = Context { connections: true, ..context };
                    map.next_value_seed(Walk { context, drafts, begun, said: None })?;
                }
                "type" | "method" | "event" | "name" | "usernameFragment" | "ufrag" | "value" | "sdp" | "candidate" => {
                    let context = Context { hint, ..context };
                    let mut said = None;
                    map.next_value_seed(Walk { context, drafts, begun, said: Some(&mut said) })?;
                    match (name.as_str(), said) {
                        (_, None) => {}
                        ("usernameFragment" | "ufrag", Some(text)) => ufrag = super::sdp::credential(&text),
                        ("value" | "sdp" | "candidate", Some(text)) if waiting.len() < MAX_WAITING => {
                            waiting.push(text);
                        }
                        (_, Some(text)) => hint = Hint::of(&text).or(hint),
                    }
                }
                _ => {
                    let context = Context { hint: Hint::of(&name).or(hint), ..context };
                    map.next_value_seed(Walk { context, drafts, begun, said: None })?;
                }
            }
        }
        let context = Context { hint, ..context };
        for text in waiting {
            context.text(&text, ufrag.as_deref(), drafts);
        }
        Ok(())
    }
}
