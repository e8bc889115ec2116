//! The HTML pages in a headless browser: they open without errors and load nothing, what they show can be seen, searched, sorted and
//! followed, they fit narrow and wide windows, and what a hostile capture says is not run.
//!
//! Without Chromium these tests say so and pass; with `TURNSCOPE_REQUIRE_CHROMIUM` they fail. The browser is driven by the DevTools protocol
//! over two pipes; nothing is downloaded, and it ends with the test.
// What is unwrapped here was made here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg(unix)]

mod support;

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use support::calls::refused_with;
use support::samples;

/// An answer takes milliseconds; on a machine with other work to do, seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// What hostile software might send as a name.
const HOSTILE: &str = "</style></svg><script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{7*7}}";

/// A browser with one page.
struct Browser {
    process: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    events: VecDeque<Value>,
    last: u64,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// `None` where there is no browser, and that is allowed.
    fn start() -> Option<Self> {
        let name = ["chromium", "chromium-browser", "google-chrome"]
            .into_iter()
            .find(|name| Command::new(name).arg("--version").output().is_ok_and(|run| run.status.success()));
        let Some(name) = name else {
            assert!(std::env::var_os("TURNSCOPE_REQUIRE_CHROMIUM").is_none(), "there is no Chromium");
            eprintln!("skipped: there is no Chromium");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        // the browser reads commands from its descriptor 3 and writes what it has to say to 4
        let mut process = Command::new("sh")
            .args(["-c", "exec 3<&0 4>&1 </dev/null >/dev/null 2>&1; exec \"$@\"", "sh", name])
            .args(["--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let (to, answers) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let (sender, from) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(answers).split(0).map_while(Result::ok) {
                if sender.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    return;
                }
            }
        });
        let events = VecDeque::new();
        let mut browser = Browser { process, to, from, events, last: 0, session: String::new(), _profile: profile };
        let target = browser.ask("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let attached = browser.ask("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Network", "Log"] {
            browser.ask(&format!("{domain}.enable"), json!({}));
        }
        Some(browser)
    }

    /// The result of a command.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut command = json!({"id": self.last, "method": method, "params": params});
        if !self.session.is_empty() {
            command["sessionId"] = self.session.as_str().into();
        }
        self.to.write_all(command.to_string().as_bytes()).unwrap();
        self.to.write_all(&[0]).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut message = self.next(deadline).unwrap_or_else(|| panic!("no answer to {method}"));
            if message["id"] == self.last {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].take();
            }
            self.events.push_back(message);
        }
    }

    fn next(&mut self, deadline: Instant) -> Option<Value> {
        self.from.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
    }

    /// Opens a file in a window of that width, and gives what happened meanwhile.
    fn open(&mut self, file: &Path, width: u32) -> Vec<Value> {
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false}),
        );
        self.events.clear();
        self.ask("Page.navigate", json!({"url": url(file)}));
        self.loads();
        // what scripts of a page do at first is over, once it answers
        self.eval("new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(0), 50)))");
        self.events.drain(..).collect()
    }

    /// Waits until a page has loaded since the events were last cleared: nothing can be asked of one that is being left.
    fn loads(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.next(deadline).expect("a page that loads");
            self.events.push_back(event);
        }
    }

    /// The value of an expression in the page.
    fn eval(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut done = self.ask("Runtime.evaluate", params);
        assert!(done["exceptionDetails"].is_null(), "{expression}: {}", done["exceptionDetails"]);
        done["result"]["value"].take()
    }

    fn number(&mut self, expression: &str) -> f64 {
        self.eval(expression).as_f64().unwrap_or_else(|| panic!("{expression} is no number"))
    }

    fn is_true(&mut self, expression: &str) -> bool {
        self.eval(expression) == Value::Bool(true)
    }

    /// Presses the mouse in the middle of what a selector names.
    fn click(&mut self, selector: &str) {
        let at = self.eval(&format!(
            "(() => {{ const it = document.querySelector({selector:?}); it.scrollIntoView({{block: 'center'}}); \
             const box = it.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let params = json!({"type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1});
            self.ask("Input.dispatchMouseEvent", params);
        }
    }

    fn search(&mut self, words: &str) {
        self.eval("document.getElementById('search').focus()");
        self.eval("document.getElementById('search').select()");
        self.ask("Input.insertText", json!({"text": words}));
    }

    /// A picture for people to look at, where they say where to.
    fn picture(&mut self, name: &str) {
        let Some(folder) = std::env::var_os("TURNSCOPE_SCREENSHOTS") else { return };
        let params = json!({"format": "png", "captureBeyondViewport": true});
        let shot = self.ask("Page.captureScreenshot", params);
        let png = <base64ct::Base64 as base64ct::Encoding>::decode_vec(shot["data"].as_str().unwrap()).unwrap();
        fs::write(PathBuf::from(folder).join(format!("{name}.png")), png).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // all of its processes are in one group, which ends even if the browser hangs
        let group = format!("-{}", self.process.id());
        let _ = Command::new("sh").args(["-c", "kill -s KILL -- \"$1\"", "sh", &group]).status();
        let _ = self.process.wait();
    }
}

fn url(file: &Path) -> String {
    format!("file://{}", file.display())
}

/// Nothing was asked for but the file itself, nothing was complained of, and no dialog came up.
fn is_quiet(name: &str, file: &Path, events: &[Value]) {
    for event in events {
        let params = &event["params"];
        match event["method"].as_str().unwrap_or_default() {
            "Network.requestWillBeSent" => assert_eq!(params["request"]["url"], url(file), "{name}"),
            bad @ ("Runtime.consoleAPICalled"
            | "Runtime.exceptionThrown"
            | "Log.entryAdded"
            | "Page.javascriptDialogOpening") => panic!("{name}: {bad} {params}"),
            _ => {}
        }
    }
    assert!(events.iter().any(|event| event["method"] == "Network.requestWillBeSent"), "{name}: requests are seen");
}

/// The page that the program writes, in a folder of its own.
fn written(folder: &Path, name: &str, arguments: &[String]) -> PathBuf {
    let run = Command::new(env!("CARGO_BIN_EXE_turnscope"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["analyze", "--format", "html"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(run.stdout.starts_with(b"<!doctype html>"), "{name}: {}", String::from_utf8_lossy(&run.stderr));
    let file = folder.join(format!("{name}.html"));
    fs::write(&file, run.stdout).unwrap();
    file
}

fn of_sample(folder: &Path, name: &str, more: &[&str]) -> PathBuf {
    let mut captures: Vec<PathBuf> = fs::read_dir(Path::new("samples").join(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "pcap" || end == "pcapng"))
        .collect();
    captures.sort();
    let mut arguments: Vec<String> = captures.iter().map(|path| path.display().to_string()).collect();
    arguments.extend(more.iter().map(|word| (*word).to_owned()));
    written(folder, name, &arguments)
}

const OVERFLOW: &str = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
const SHOWN: &str =
    "[...document.querySelectorAll('tbody tr, article.finding')].filter((item) => item.offsetHeight > 0).length";

/// The samples whose pages have most of what pages can have, with what was given beside them.
const PAGES: [(&str, &[&str]); 6] = [
    ("expressway-431", &["--credentials", "samples/expressway-431/credentials.toml"]),
    (
        "chromium-relay-media",
        &["--sdp", "samples/chromium-relay-media/offer.sdp", "--sdp", "samples/chromium-relay-media/answer.sdp"],
    ),
    ("tls-fallback", &["--keylog", "samples/tls-fallback/keylog.txt"]),
    ("points-request-lost", &[]),
    ("tcp-relay", &[]),
    (
        "expressway-deployment",
        &[
            "--deployment",
            "samples/expressway-deployment/deployment.toml",
            "--log",
            "samples/expressway-deployment/meeting-server.log",
        ],
    ),
];

#[test]
fn pages_open_without_errors_and_fit_narrow_and_wide_windows() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    for (name, more) in PAGES {
        let file = of_sample(folder.path(), name, more);
        for (width, scheme) in [(1280, "light"), (390, "light"), (1280, "dark")] {
            let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
            browser.ask("Emulation.setEmulatedMedia", json!({"features": features}));
            let events = browser.open(&file, width);
            let name = format!("{name}-{width}-{scheme}");
            is_quiet(&name, &file, &events);
            assert_eq!(browser.number(OVERFLOW), 0.0, "{name}: the page is as wide as its window");
            let paper = browser.eval("getComputedStyle(document.body).backgroundColor");
            assert_eq!(paper == "rgb(255, 255, 255)", scheme == "light", "{name}: {paper}");
            for side in ["width", "height"] {
                let drawn =
                    browser.number(&format!("document.querySelector('#ladder svg').getBoundingClientRect().{side}"));
                assert!(drawn > 100.0, "{name}: the ladder's {side} is {drawn}");
            }
            browser.picture(&name);
        }
    }
}

#[test]
fn a_page_is_searched_sorted_and_followed() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = of_sample(folder.path(), "chromium-relay-media", &[]);
    browser.open(&file, 1280);
    let all = browser.number(SHOWN);
    browser.search("channelbind");
    let found = browser.number(SHOWN);
    assert!(0.0 < found && found < all, "{found} of {all}");
    assert_eq!(browser.eval("document.getElementById('matches').textContent"), format!("{found} of {all}"));
    browser.search("nothing is called so");
    assert_eq!(browser.number(SHOWN), 0.0);
    browser.eval("(() => { const it = document.getElementById('search'); it.value = ''; it.dispatchEvent(new Event('input')); })()");
    assert_eq!(browser.number(SHOWN), all);

    browser.click("button.copy");
    let copied = browser
        .eval("new Promise((done) => setTimeout(() => done(document.querySelector('button.copy').textContent), 200))");
    assert!(copied == "Copied" || copied == "Selected", "{copied}");

    let heads = "[...document.querySelectorAll('#transactions th')]";
    let at = browser.number(&format!("{heads}.findIndex((head) => head.textContent === 'round trip')"));
    let column = format!(
        "[...document.querySelectorAll('#transactions tbody tr')].map((row) => Number(row.cells[{at}].dataset.key ?? -1))"
    );
    for order in ["ascending", "descending"] {
        browser.click(&format!("#transactions th:nth-child({})", at + 1.0));
        assert_eq!(browser.eval(&format!("{heads}[{at}].getAttribute('aria-sort')")), order);
        let keys: Vec<f64> =
            browser.eval(&column).as_array().unwrap().iter().map(|key| key.as_f64().unwrap()).collect();
        let in_order = |pair: &[f64]| if order == "ascending" { pair[0] <= pair[1] } else { pair[0] >= pair[1] };
        assert!(keys.len() > 2 && keys.windows(2).all(in_order), "{order}: {keys:?}");
    }

    // the last frame, which is farthest from where the drawing begins
    let file = of_sample(folder.path(), "expressway-431", &[]);
    browser.open(&file, 1280);
    browser.ask(
        "Emulation.setDeviceMetricsOverride",
        json!({"width": 1280, "height": 300, "deviceScaleFactor": 1, "mobile": false}),
    );
    browser.click(".finding .frames a:last-of-type");
    let seen = browser.eval(
        "(async () => { await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50))); \
         const it = document.querySelector(':target'); if (!it) return location.hash + ' is no target'; \
         const box = it.parentNode.querySelector('text.c').getBoundingClientRect(); \
         const covered = document.querySelector('nav').getBoundingClientRect().bottom; \
         const fits = box.top >= covered && box.bottom <= innerHeight; \
         return fits ? 'in view' : `${box.top} to ${box.bottom} of ${covered} to ${innerHeight}`; })()",
    );
    assert_eq!(seen, "in view");
    assert!(
        browser.is_true(
            "location.hash === document.querySelector('.finding .frames a:last-of-type').getAttribute('href')"
        )
    );
}

#[test]
fn the_page_of_a_batch_is_quiet_searched_and_sorted_and_leads_to_reports() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let captures = folder.path().join("in");
    fs::create_dir(&captures).unwrap();
    for sample in samples::all().iter().take(12) {
        let end = Path::new(&sample.path).extension().unwrap().to_str().unwrap();
        fs::write(captures.join(format!("{}.{end}", sample.name)), &sample.bytes).unwrap();
    }
    fs::write(captures.join("empty.pcap"), b"").unwrap();
    fs::write(captures.join("hostile <img src=x onerror=alert(1)>.pcap"), refused_with(HOSTILE)).unwrap();
    let out = folder.path().join("out");
    let run = Command::new(env!("CARGO_BIN_EXE_turnscope"))
        .args(["batch".as_ref(), captures.as_os_str(), "--out".as_ref(), out.as_os_str(), "--html".as_ref()])
        .output()
        .unwrap();
    let file = out.join("index.html");
    assert!(file.is_file(), "{}", String::from_utf8_lossy(&run.stderr));
    for width in [390, 1280] {
        let events = browser.open(&file, width);
        is_quiet("index", &file, &events);
        assert_eq!(browser.number(OVERFLOW), 0.0, "{width}");
        // on a phone a capture stands below another, and nothing of it beyond the edge
        let hidden = "(() => { const it = document.querySelector('#captures .wide'); return it.scrollWidth - it.clientWidth; })()";
        assert!(width > 640 || browser.number(hidden) == 0.0, "{width}");
        browser.picture(&format!("index-{width}"));
    }
    let rows = "[...document.querySelectorAll('#captures tbody tr')]";
    assert_eq!(browser.number(&format!("{rows}.length")), 14.0);
    browser.search("onerror");
    assert_eq!(browser.number(&format!("{rows}.filter((row) => row.offsetHeight > 0).length")), 1.0);
    browser.search(" ");
    browser.click("#captures th:first-child");
    assert_eq!(browser.eval(&format!("{rows}[0].cells[0].textContent")), "failure");
    let links = browser
        .eval("[...document.querySelectorAll('#captures a')].map((link) => decodeURI(link.getAttribute('href')))");
    let links = links.as_array().unwrap();
    assert_eq!(links.len(), 13);
    assert!(links.iter().all(|link| out.join(link.as_str().unwrap()).is_file()), "{links:?}");
    assert!(browser.number("document.querySelector('#times .share').getBoundingClientRect().width") > 50.0);
    browser.events.clear();
    // after the answer, which the page that is being left would no longer give
    browser.eval("void setTimeout(() => document.querySelector('#captures a').click())");
    browser.loads();
    let page = browser.eval("location.href");
    assert!(page.as_str().is_some_and(|page| page.contains("/reports/") && page.ends_with(".html")), "{page}");
    assert!(browser.number("document.querySelector('h1').textContent.length") > 10.0);
}

#[test]
fn on_paper_no_word_of_a_table_stands_letter_by_letter_and_nothing_is_hidden() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = of_sample(folder.path(), "expressway-431", &[]);
    // as wide as A4 without its margins
    browser.open(&file, 718);
    browser.ask("Emulation.setEmulatedMedia", json!({"media": "print"}));
    let narrow = "[...document.querySelectorAll('th')].filter((head) => head.textContent.length > 3 && head.offsetWidth < 14).length";
    assert_eq!(browser.number(narrow), 0.0);
    assert_eq!(browser.number("document.querySelector('nav').offsetHeight"), 0.0);
    let cut =
        "[...document.querySelectorAll('.wide')].filter((it) => getComputedStyle(it).overflowX !== 'visible').length";
    assert_eq!(browser.number(cut), 0.0);
    browser.picture("paper");
}

#[test]
fn what_a_hostile_capture_says_is_not_run() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("hostile.pcap");
    fs::write(&capture, refused_with(HOSTILE)).unwrap();
    let file = written(folder.path(), "hostile", &[capture.display().to_string()]);
    let events = browser.open(&file, 1280);
    is_quiet("hostile", &file, &events);
    assert_eq!(browser.number("document.scripts.length"), 1.0);
    assert_eq!(browser.number("document.images.length"), 0.0);
    assert!(browser.is_true("document.body.textContent.includes('<script>alert(1)</script>')"), "it is shown as text");
}
