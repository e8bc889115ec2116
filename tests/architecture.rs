//! The arrows of ARCHITECTURE.md, read from the source: which module may use which, and what only some modules may do.
//!
//! Unit tests within the source (`#[cfg(test)]`) may use what they like and are left out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the crate from the vocabulary to the edge, each with those that it may use.
///
/// What is right of an arrow in "vocabulary ← capture, packet, wire, keys ← stream ← event ← session ← rules ← report ← render ← cli" may use all that
/// is left of it, but four neighbours in a row (capture, packet, wire, keys) know nothing of each other.
const ARROWS: &[(&str, &[&str])] = &[
    ("bounded", &VOCABULARY),
    ("frame", &VOCABULARY),
    ("net", &VOCABULARY),
    ("problem", &VOCABULARY),
    ("secret", &VOCABULARY),
    ("slots", &VOCABULARY),
    ("time", &VOCABULARY),
    ("capture", &VOCABULARY),
    ("logs", &VOCABULARY),
    ("packet", &VOCABULARY),
    ("wire", &VOCABULARY),
    ("keys", &VOCABULARY),
    ("stream", &["packet", "wire", "keys"]),
    ("join", &["capture", "packet", "wire"]),
    ("event", &["packet", "wire", "stream"]),
    ("session", &["packet", "wire", "event", "join"]),
    ("rules", &["packet", "wire", "event", "join", "session"]),
    ("report", &["capture", "logs", "packet", "wire", "keys", "event", "join", "session", "rules"]),
    // the only place that joins the stages
    (
        "analyzer",
        &["capture", "logs", "packet", "wire", "keys", "stream", "event", "join", "session", "rules", "report"],
    ),
    ("render", &["capture", "packet", "wire", "event", "session", "rules", "report"]),
    ("redact", &["capture", "packet", "wire", "keys", "stream", "session"]),
    (
        "cli",
        &[
            "capture", "logs", "packet", "wire", "keys", "stream", "event", "session", "rules", "report", "analyzer",
            "render", "redact",
        ],
    ),
    // the binary of one screen
    ("main", &["cli"]),
    // declares the modules
    ("lib", &[]),
];

/// What every module may use, each of these among them.
const VOCABULARY: [&str; 7] = ["bounded", "frame", "net", "problem", "secret", "slots", "time"];

/// Arrows that go the other way, with the only path that they may reach for.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    // A row of `messages` is an event with the verdicts that verification reached on it: event::Row borrows them.
    ("event", "session", "session::credentials"),
];

/// Files that may be longer than 500 lines, unit tests at their end not counted, each with the reason.
const LONG_FILES: &[(&str, &str)] = &[];

const LONGEST: usize = 500;

/// One source file, without its comments, its strings and its unit tests.
struct Source {
    /// From `src/`, as `session/credentials/mod.rs`.
    name: String,
    /// The module that it is: `session`, `credentials`.
    module: Vec<String>,
    /// Its code.
    code: String,
    /// Lines before its unit tests.
    lines: usize,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut found) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
            // `tests.rs` and `tests/` are unit tests that outgrew their file
            if path.is_dir() && !path.ends_with("tests") {
                folders.push(path);
            } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
                found.push(source(&path, name));
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(found.len() > 50, "the source is there");
    found
}

fn source(path: &PathBuf, name: String) -> Source {
    let text = fs::read_to_string(path).unwrap();
    let module = name.trim_end_matches(".rs").split('/').filter(|part| *part != "mod").map(str::to_owned).collect();
    let lines = text.split("#[cfg(test)]\nmod").next().unwrap_or_default().lines().count();
    let code = without_tests(&without_comments_and_strings(&text));
    Source { name, module, code, lines }
}

/// Comments and what is in string and character literals, taken out.
fn without_comments_and_strings(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("r\"")
            || rest.starts_with("r#") && rest[2..].trim_start_matches('#').starts_with('"')
        {
            let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
            let end = format!("\"{}", "#".repeat(hashes));
            let start = 2 + hashes;
            rest[start..].find(&end).map_or(rest.len(), |at| start + at + end.len())
        } else if c == '"' {
            let mut escaped = false;
            let end = rest[1..].find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            end.map_or(rest.len(), |at| at + 2)
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\''") || rest.starts_with("'\\\"'") {
            rest[1..].find("'").map_or(1, |at| at + 2) + usize::from(rest.starts_with("'\\''"))
        } else {
            0
        };
        if skipped > 0 {
            rest = &rest[skipped..];
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    code
}

/// Everything before the unit tests, which come last, and without `#[cfg(test)]` items before them.
fn without_tests(code: &str) -> String {
    let mut kept = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        kept.push_str(&rest[..at]);
        rest = &rest[at..];
        // the item ends with the first `;` or with the block that opens before it
        let (semicolon, brace) = (rest.find(';'), rest.find('{'));
        let end = match (semicolon, brace) {
            (Some(semicolon), Some(brace)) if semicolon < brace => semicolon + 1,
            (_, Some(brace)) => brace + block(&rest[brace..]),
            (Some(semicolon), None) => semicolon + 1,
            (None, None) => rest.len(),
        };
        rest = &rest[end..];
    }
    kept + rest
}

/// How long a block in braces is.
fn block(code: &str) -> usize {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + c.len_utf8();
        }
    }
    code.len()
}

/// Every path of the crate that a file names, from the root of the crate: `crate::…`, and `super::…` where it leaves the module at the top.
fn paths(source: &Source) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let code = &source.code;
    for root in ["crate::", "turnscope::"] {
        for (at, _) in code.match_indices(root) {
            if !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                tree("", &code[at + root.len()..], &mut found);
            }
        }
    }
    for (at, _) in code.match_indices("super::") {
        if code[..at].ends_with("super::") {
            continue; // counted with the first of them
        }
        let ups = code[at..].split("super::").take_while(|between| between.is_empty()).count();
        let here = source.module.len().saturating_sub(ups);
        if here == 0 {
            tree("", &code[at + ups * "super::".len()..], &mut found);
        }
    }
    found
}

/// The paths of a tree of `use`: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn tree(prefix: &str, code: &str, found: &mut BTreeSet<String>) {
    let code = code.trim_start();
    if code.starts_with('{') {
        let inner = &code[1..block(code) - 1];
        let (mut depth, mut start) = (0, 0);
        for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    tree(prefix, &inner[start..at], found);
                    start = at + 1;
                }
                _ => {}
            }
        }
        return;
    }
    let name: String = code.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if name.is_empty() {
        return;
    }
    let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}::{name}") };
    match code[name.len()..].strip_prefix("::") {
        Some(rest) => {
            found.insert(path.clone());
            tree(&path, rest, found);
        }
        None => _ = found.insert(path),
    }
}

#[test]
fn arrows_point_one_way() {
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for source in sources() {
        let own = source.module[0].as_str();
        let (_, allowed) = ARROWS
            .iter()
            .find(|(module, _)| *module == own)
            .unwrap_or_else(|| panic!("src/{}: a new module; give it a place in ARROWS", source.name));
        let paths = paths(&source);
        for path in &paths {
            let top = path.split("::").next().unwrap();
            let known = ARROWS.iter().any(|(module, _)| *module == top);
            if top == own || !known || VOCABULARY.contains(&top) || allowed.contains(&top) {
                continue;
            }
            let exception = EXCEPTIONS.iter().find(|(from, to, _)| *from == own && *to == top);
            let excepted = exception.is_some_and(|(_, to, only)| path == to || path.starts_with(only));
            if excepted {
                used.insert(exception.unwrap());
            } else {
                wrong.push(format!("src/{}: {own} may not use {path}", source.name));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let idle: Vec<_> = EXCEPTIONS.iter().filter(|exception| !used.contains(exception)).collect();
    assert!(idle.is_empty(), "exceptions that nothing needs: {idle:?}");
}

/// Complains about every file outside `places` whose code has one of `words`.
fn only_in(places: &[&str], words: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources() {
        if places.iter().any(|place| source.name.starts_with(place)) {
            continue;
        }
        for word in words {
            for (at, _) in source.code.match_indices(word) {
                let whole = !source.code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
                let ends = !source.code[at + word.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
                if whole && (ends || word.ends_with('!')) {
                    wrong.push(format!("src/{}: {word}", source.name));
                }
            }
        }
    }
    wrong
}

#[test]
fn only_capture_knows_pcap_parser_and_only_packet_knows_etherparse() {
    assert_eq!(only_in(&["capture/"], &["pcap_parser"]), [""; 0]);
    assert_eq!(only_in(&["packet/"], &["etherparse"]), [""; 0]);
}

#[test]
fn files_environment_threads_clock_and_terminal_are_the_commands_alone() {
    let words = [
        "std::fs",
        "std::env",
        "std::thread",
        "std::process",
        "std::net::TcpStream",
        "std::net::UdpSocket",
        "SystemTime",
        "Instant",
        "println!",
        "print!",
        "eprintln!",
        "eprint!",
        "dbg!",
        "stdout",
        "stderr",
        "stdin",
    ];
    assert_eq!(only_in(&["cli/", "main.rs"], &words), [""; 0]);
    // also as one of several: `use std::{fs, io}`
    let grouped: Vec<String> = sources()
        .iter()
        .filter(|source| !source.name.starts_with("cli/") && source.name != "main.rs")
        .filter(|source| {
            source.code.match_indices("use std::{").any(|(at, _)| {
                let mut found = BTreeSet::new();
                tree("", &source.code[at + "use std::".len()..], &mut found);
                found.iter().any(|path| ["fs", "env", "thread", "process"].contains(&path.as_str()))
            })
        })
        .map(|source| source.name.clone())
        .collect();
    assert_eq!(grouped, [""; 0]);
}

#[test]
fn nothing_is_unsafe() {
    assert_eq!(only_in(&[], &["unsafe"]), [""; 0]);
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    assert!(manifest.contains("unsafe_code = \"forbid\""));
}

#[test]
fn texts_have_no_run_of_blanks_where_a_line_was_broken() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let is_broken = |line: &str| {
        // bytes are no text for people
        let is_text = |before: &str| !before.contains("//") && !before.ends_with('b');
        let text = line.split_once('"').map_or("", |(before, text)| if is_text(before) { text } else { "" });
        let runs = text.match_indices("   ").filter(|(at, _)| !text[..*at].ends_with([' ', '"']) && *at > 0);
        let mut broken = runs.filter(|(at, _)| !text[..*at].ends_with("\\n"));
        broken.any(|(at, _)| text[at..].trim_start().starts_with(|c: char| c.is_alphanumeric() || "({".contains(c)))
    };
    let mut wrong = Vec::new();
    for source in sources() {
        let text = fs::read_to_string(root.join(&source.name)).unwrap();
        let lines = text.lines().take(source.lines).zip(1..).filter(|(line, _)| is_broken(line));
        wrong.extend(lines.map(|(_, number)| format!("src/{}:{number}", source.name)));
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn files_stay_short_enough_to_read() {
    let long: Vec<String> = sources()
        .iter()
        .filter(|source| source.lines > LONGEST && !LONG_FILES.iter().any(|(name, _)| *name == source.name))
        .map(|source| format!("src/{}: {} lines, split it by concept", source.name, source.lines))
        .collect();
    assert!(long.is_empty(), "\n{}", long.join("\n"));
    let stale: Vec<_> = LONG_FILES
        .iter()
        .filter(|(name, _)| !sources().iter().any(|source| source.name == *name && source.lines > LONGEST))
        .collect();
    assert!(stale.is_empty(), "no longer long: {stale:?}");
}

#[test]
fn the_reading_of_source_is_right() {
    let text = "use crate::{a::{b, c::D}, e}; // crate::no\nlet s = \"crate::no\"; let c = '\"'; crate::f::g(); super::super::h::i();\n\
                #[cfg(test)]\nuse crate::no;\n#[cfg(test)]\nmod tests { use crate::no; }\nfn after() { super::j(); }";
    let code = without_tests(&without_comments_and_strings(text));
    let source = Source { name: String::new(), module: vec!["m".into(), "n".into()], code, lines: 0 };
    let found: Vec<String> = paths(&source).into_iter().collect();
    assert_eq!(found, ["a", "a::b", "a::c", "a::c::D", "e", "f", "f::g", "h", "h::i"]);
}
