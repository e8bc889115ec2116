//! The HTML report: one file that loads nothing, whose links lead somewhere, and in which nothing of a capture becomes markup.
// What is unwrapped here was made here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeSet;
use std::io::Cursor;
use support::Scene;
use support::calls::refused_with;
use support::samples;
use support::tcp::Tcp;
use turnscope::analyzer::{self, Analyzer, Options as Reading};
use turnscope::capture::Capture;
use turnscope::render::html;
use turnscope::render::text::Options;
use turnscope::report::Report;
use turnscope::report::ladder::{Collector, Ladder};

/// What hostile software might send as a name.
const HOSTILE: &str = "</style></svg><script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{7*7}}\u{1b}[2J\u{202e}";

/// The page of a capture, and its report.
fn page(path: &str, bytes: &[u8]) -> (String, Report) {
    let mut capture = Capture::open(Cursor::new(bytes.to_vec())).unwrap();
    let mut collector = Collector::new(0);
    let mut analyzer = Analyzer::new(Reading { media: true, ..Reading::default() });
    while let Some(frame) = capture.next_frame() {
        analyzer.frame(&frame, &mut |row| collector.row(row));
    }
    analyzer.drain(&mut |row| collector.row(row));
    let report = analyzer::report(vec![analyzer.finish(path.to_owned(), capture.info())]);
    let ladder = Ladder::new(vec![collector], &report);
    (html::report(&report, &ladder, &Options::default()), report)
}

/// Name and attributes of every tag, as a browser's tokeniser finds them outside of script and style.
fn tags(page: &str) -> Vec<(String, String)> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let mut quote = None;
        let end = rest.find(|c| match (quote, c) {
            (None, '"' | '\'') => {
                quote = Some(c);
                false
            }
            (Some(open), c) if c == open => {
                quote = None;
                false
            }
            (None, '>') => true,
            _ => false,
        });
        let tag = &rest[..end.expect("a tag that ends")];
        let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        tags.push((name.to_lowercase(), attributes.to_owned()));
        rest = &rest[tag.len() + 1..];
        for raw in ["script", "style"] {
            if name == raw {
                rest = &rest[rest.find(&format!("</{raw}")).expect("its end")..];
            }
        }
    }
    tags
}

fn values(tags: &[(String, String)], attribute: &str) -> Vec<String> {
    let start = format!("{attribute}=\"");
    tags.iter()
        .filter_map(|(_, attributes)| {
            let at = attributes.find(&start).filter(|&at| at == 0 || attributes[..at].ends_with(' '))?;
            attributes[at + start.len()..].split('"').next().map(str::to_owned)
        })
        .collect()
}

/// Nothing in it but what the template and the drawings write.
fn is_tame(name: &str, page: &str) {
    let known = [
        "!doctype", "html", "head", "meta", "title", "style", "body", "header", "p", "h1", "h2", "h3", "ul", "li",
        "code", "wbr", "nav", "a", "label", "input", "output", "main", "section", "article", "span", "b", "dl", "dt",
        "dd", "button", "ol", "div", "svg", "g", "text", "tspan", "rect", "line", "path", "circle", "table", "thead",
        "tbody", "tr", "th", "td", "footer", "script",
    ];
    let tags = tags(page);
    for (tag, attributes) in &tags {
        assert!(known.contains(&tag.trim_start_matches('/')), "{name}: <{tag} {attributes}>");
        let outside = [" on", "src=", "href=\"h", "href=\"/", "url("];
        assert!(!outside.iter().any(|mark| attributes.contains(mark)), "{name}: <{tag} {attributes}>");
    }
    assert_eq!(tags.iter().filter(|(tag, _)| tag == "script").count(), 1, "{name}");
    let ids = values(&tags, "id");
    let distinct: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(ids.len(), distinct.len(), "{name}: an id is there twice");
    for link in values(&tags, "href") {
        let id = link.strip_prefix('#').unwrap_or_else(|| panic!("{name}: {link}"));
        assert!(distinct.contains(&id.to_owned()), "{name}: {link} leads nowhere");
    }
    let policy = values(&tags, "content").into_iter().find(|value| value.starts_with("default-src")).unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'sha256-"), "{policy}");
}

#[test]
fn every_samples_page_holds_its_findings_and_loads_nothing() {
    for sample in samples::all() {
        let (page, report) = page(&sample.path, &sample.bytes);
        is_tame(&sample.name, &page);
        for finding in &report.findings {
            assert!(page.contains(&format!("<code>{}</code>", finding.id)), "{}: {}", sample.name, finding.id);
            for text in [finding.fix.as_str(), finding.filter.as_deref().unwrap_or_default()] {
                let marks = |c: char| "&<>\"'".contains(c);
                let longest = text.split(marks).max_by_key(|part| part.len()).unwrap_or_default();
                assert!(page.contains(longest), "{}: {longest}", sample.name);
            }
        }
    }
}

/// The page of a sample.
fn of_sample(name: &str) -> String {
    let sample = samples::all().into_iter().find(|sample| sample.name == name).unwrap();
    page(&sample.path, &sample.bytes).0
}

#[test]
fn addresses_are_shown_from_the_client_through_nat_server_and_relay_to_the_peer() {
    let mut known = BTreeSet::new();
    for name in ["home-nat", "chromium-relay-media"] {
        let page = of_sample(name);
        for way in page.split("<ol class=\"way\">").skip(1) {
            let way = way.split("</ol>").next().unwrap();
            let roles: Vec<&str> =
                way.split("<span class=\"role\">").skip(1).filter_map(|rest| rest.split('<').next()).collect();
            assert_eq!(roles.first(), Some(&"client"), "{name}: {roles:?}");
            known.extend(roles.into_iter().map(str::to_owned));
        }
    }
    for role in ["client", "NAT", "server", "relay", "peer"] {
        assert!(known.contains(role), "{role} in {known:?}");
    }
}

#[test]
fn the_timeline_has_allocations_pairs_handshakes_and_media() {
    let page = of_sample("chromium-relay-media");
    let timeline = page.split("<section id=\"timeline\">").nth(1).unwrap().split("</section>").next().unwrap();
    for kind in ["allocation", "ice", "dtls", "media"] {
        assert!(timeline.contains(&format!("class=\"{kind}")), "{kind} in {timeline}");
    }
}

#[test]
fn fingerprints_are_broken_between_their_bytes_only() {
    let sample = samples::all().into_iter().find(|sample| sample.name == "dtls-fingerprint-mismatch").unwrap();
    let (page, report) = page(&sample.path, &sample.bytes);
    let fingerprint = report.dtls[0].server_fingerprint.clone().unwrap();
    assert!(page.contains(&fingerprint.replace(':', ":<wbr>")), "{fingerprint}");
    assert!(!page.contains(&fingerprint), "{fingerprint}");
}

#[test]
fn a_finding_leads_to_its_frames_in_the_ladder() {
    let sample = samples::all().into_iter().find(|sample| sample.name == "expressway-431").unwrap();
    let (page, report) = page(&sample.path, &sample.bytes);
    for place in &report.findings[0].places {
        let link = format!("<a href=\"#f0-{}\">{}</a>", place.frame, place.frame);
        assert!(page.contains(&link), "{link}");
    }
}

#[test]
fn nothing_that_a_capture_says_becomes_markup() {
    let (page, report) = page(HOSTILE, &refused_with(HOSTILE));
    assert!(!report.findings.is_empty());
    is_tame("hostile", &page);
    assert!(
        page.contains("&#60;script&#62;alert(1)") || page.contains("&lt;script&gt;alert(1)"),
        "it is shown as text"
    );
    assert!(!page.contains('\u{1b}') && !page.contains('\u{202e}'), "control characters are made visible");
}

#[test]
fn a_proxy_that_refused_stands_in_a_table_of_its_own() {
    let mut scene = Scene::new();
    let mut tcp = Tcp::open(&mut scene, "10.0.0.2:50000", "10.0.0.80:3128");
    let target = "turn.example.org:3478";
    tcp.say(scene.after_ms(10), 0, format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").as_bytes());
    tcp.say(scene.after_ms(10), 1, b"HTTP/1.1 403 Forbidden\r\nVia: 1.1 proxy\r\n\r\n");
    let (page, report) = page("proxy.pcap", &scene.pcap());
    is_tame("proxy", &page);
    assert!(report.proxies[0].is_refusal());
    let (_, table) = page.split_once("<section id=\"proxies\">").expect("a table");
    assert!(["10.0.0.80:3128", target, ">403<"].iter().all(|told| table.contains(told)), "{table}");
}

#[test]
fn an_empty_capture_has_a_page_too() {
    let (page, _) = page("empty.pcap", &Scene::new().pcap());
    is_tame("empty", &page);
    assert!(page.contains("NOTHING FOUND"));
}
