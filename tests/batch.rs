//! `turnscope batch` as a user meets it: folders, archives, broken files, resuming, and what is in the folder of results.
// What is unwrapped here was made here.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use assert_cmd::Command;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use support::desk::{Desk, command, turnscope};
use support::{Login, Scene, gzip};

const CLIENT: &str = "10.0.0.2:50000";
const SERVER: &str = "192.0.2.1:3478";

/// Captures are in `in`, results in `out`.
impl Desk {
    /// A batch of the folder `in`, run where both are, so that paths are the same wherever that is.
    fn batch(&self, arguments: &[&str]) -> Command {
        let mut command = turnscope();
        command.current_dir(self.folder.path()).args(["batch", "in", "--out", "out"]).args(arguments);
        command
    }

    fn rows(&self) -> Vec<Value> {
        rows(&self.path("out"))
    }

    fn row(&self, path: &str) -> Value {
        let is_it = |row: &Value| with_slashes(row["path"].as_str().unwrap()) == path;
        self.rows().into_iter().find(is_it).unwrap_or_default()
    }
}

fn rows(out: &Path) -> Vec<Value> {
    let text = fs::read_to_string(out.join("summary.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn paths(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|row| with_slashes(row["path"].as_str().unwrap())).collect()
}

/// A path as all systems but Windows write it; behind `!/` is a name in an archive, the same everywhere.
fn with_slashes(path: &str) -> String {
    let (file, entry) = path.split_at(path.find("!/").unwrap_or(path.len()));
    file.replace(MAIN_SEPARATOR, "/") + entry
}

/// All files of a folder of results but the journal, with what is in them.
fn results(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for folder in [out.to_owned(), out.join("reports")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.strip_prefix(out).unwrap().to_str().unwrap();
                found.insert(with_slashes(name), fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// A client that the server refuses.
fn refused(user: &str) -> Vec<u8> {
    let mut scene = Scene::new();
    let login = Login::new(user, "example.org", "wrong");
    let challenged = scene.allocate(CLIENT, SERVER);
    scene.after_ms(20).challenge(&challenged, 401, "Unauthorized", "example.org", "nonce-1");
    let retry = scene.after_ms(1).allocate_as(CLIENT, SERVER, &login, "nonce-1");
    scene.after_ms(20).refuse_with(&retry, 431, "Integrity Check Failure", |answer| {
        answer.username(user).realm("example.org").nonce("nonce-1").integrity_long_term(user, "example.org", "right")
    });
    scene.pcap()
}

/// Two agents that talk.
fn healthy() -> Vec<u8> {
    let mut scene = Scene::new();
    scene.direct_call("192.168.1.2:40000", "192.168.1.3:40001", 10);
    scene.pcap()
}

/// An entry of a tar.
fn tar_entry(name: &str, data: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[124..136].copy_from_slice(format!("{:011o}\0", data.len()).as_bytes());
    header[156] = b'0';
    header[257..263].copy_from_slice(b"ustar\0");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut bytes = header.to_vec();
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes: Vec<u8> = entries.iter().flat_map(|(name, data)| tar_entry(name, data)).collect();
    bytes.extend([0; 1024]);
    bytes
}

/// A zip whose entries are deflated and claim `size` bytes, or the right number.
fn zip(entries: &[(&str, &[u8])], size: Option<u32>) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, data) in entries {
        let mut packer = DeflateEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(data).unwrap();
        let packed = packer.finish().unwrap();
        let mut common = vec![20, 0, 0, 0, 8, 0, 0, 0, 0, 0];
        common.extend(crc32fast::hash(data).to_le_bytes());
        common.extend((packed.len() as u32).to_le_bytes());
        common.extend(size.unwrap_or(data.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend((bytes.len() as u32).to_le_bytes());
        directory.extend(name.as_bytes());
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&common);
        bytes.extend(name.as_bytes());
        bytes.extend(packed);
    }
    let at = bytes.len() as u32;
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([(entries.len() as u16).to_le_bytes(), (entries.len() as u16).to_le_bytes()].concat());
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend(at.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

#[test]
fn every_capture_gets_a_report_a_row_and_a_line_on_the_page() {
    let desk = Desk::new();
    desk.file("in/b/refused.pcap", refused("alice"));
    desk.file("in/a.pcap", healthy());
    desk.file("in/c.pcap.gz", gzip(&refused("bob")));
    desk.batch(&[])
        .assert()
        .code(0)
        .stderr("")
        .stdout(contains("3 captures: 2 failure, 1 healthy").and(contains("turn-")));
    let rows = desk.rows();
    assert_eq!(paths(&rows), ["in/a.pcap", "in/b/refused.pcap", "in/c.pcap.gz"]);
    assert_eq!(rows[1]["verdict"], "failure");
    assert_eq!(rows[1]["headline_finding"], "turn-integrity-rejected");
    assert_eq!(rows[1]["error_codes"]["431"], 1);
    assert_eq!((&rows[1]["frames"], &rows[1]["stun"], &rows[1]["error"]), (&4.into(), &4.into(), &Value::Null));
    assert_eq!(rows[2]["format"], "pcap (gzip)");
    let page = fs::read_to_string(desk.path("out/index.html")).unwrap();
    for row in &rows {
        let report = row["report"].as_str().unwrap();
        let text = fs::read_to_string(desk.path("out").join(report)).unwrap();
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&json["verdict"], &json["headline"]), (&row["verdict"], &row["headline"]));
        assert_eq!(json["captures"][0]["path"], row["path"]);
        assert!(page.contains(&format!("href=\"{report}\"")), "{page}");
    }
    // the report is the one that analyze gives
    let path = rows[0]["path"].as_str().unwrap();
    let alone = turnscope().current_dir(desk.path("")).args([path, "--format", "json"]).output().unwrap();
    let kept = fs::read(desk.path("out").join(rows[0]["report"].as_str().unwrap())).unwrap();
    let [alone, kept] = [alone.stdout, kept].map(|text| serde_json::from_slice::<Value>(&text).unwrap());
    assert_eq!(alone, kept);
}

#[test]
fn pages_are_those_of_analyze_and_the_index_leads_to_them() {
    let desk = Desk::new();
    desk.file("in/a.pcap", refused("alice"));
    desk.file("in/b.zip", zip(&[("c.pcap", &healthy())], None));
    desk.file("in/broken.pcap", "");
    // what an ICMP error answered is known from a pass of its own
    let unreachable = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/unreachable/capture.pcapng");
    desk.file("in/unreachable.pcapng", fs::read(unreachable).unwrap());
    desk.batch(&["--html", "--messages"]).assert().code(2);
    let index = fs::read_to_string(desk.path("out/index.html")).unwrap();
    for row in desk.rows() {
        if row["error"].is_string() {
            assert!(row["page"].is_null(), "{row}");
            continue;
        }
        let (page, report) = (row["page"].as_str().unwrap(), row["report"].as_str().unwrap());
        assert_eq!(page.strip_suffix(".html"), report.strip_suffix(".json"));
        assert!(index.contains(&format!("href=\"{page}\"")) && !index.contains(report), "{index}");
        assert!(desk.path("out").join(report).is_file());
        let path = row["path"].as_str().unwrap();
        let kept = fs::read_to_string(desk.path("out").join(page)).unwrap();
        if !path.contains('!') {
            let alone = turnscope().current_dir(desk.path("")).args([path, "--format", "html"]).output().unwrap();
            assert!(kept == String::from_utf8(alone.stdout).unwrap(), "{path}");
        }
    }
    // a page that is gone is written again, and goes where pages are not wanted
    let page = desk.path("out").join(desk.row("in/a.pcap")["page"].as_str().unwrap());
    let whole = fs::read(&page).unwrap();
    fs::write(&page, "half a pa").unwrap();
    desk.batch(&["--html", "--messages", "--resume"]).assert().code(2);
    assert!(fs::read(&page).unwrap() == whole);
    desk.batch(&["--resume"]).assert().code(2);
    assert!(!page.exists() && desk.row("in/a.pcap")["page"].is_null());
    desk.batch(&["--html"]).assert().code(2);
    assert!(page.exists());
    desk.batch(&[]).assert().code(2);
    assert!(!page.exists());
}

#[test]
fn what_cannot_be_read_is_a_row_with_its_reason_and_stops_nothing() {
    let desk = Desk::new();
    let whole = refused("alice");
    desk.file("in/empty.pcap", "");
    desk.file("in/foreign.txt", "Dear all, please find attached");
    desk.file("in/header.pcap", &whole[..10]);
    desk.file("in/cut.pcap", &whole[..whole.len() - 5]);
    desk.file("in/packed.pcap.gz", &gzip(&whole)[..20]);
    desk.file("in/good.pcap", &whole);
    desk.batch(&["gone.pcap"])
        .assert()
        .code(2)
        .stdout(contains("2 captures: 1 failure, 1 healthy; 5 files not readable"));
    for (path, reason) in [
        ("in/empty.pcap", "empty file"),
        ("in/foreign.txt", "not a capture file: starts with \"Dear a"),
        ("in/header.pcap", "cut short"),
        ("in/packed.pcap.gz", "gzip"),
        ("gone.pcap", "no such file"),
    ] {
        let row = desk.row(path);
        assert!(row["error"].as_str().is_some_and(|error| error.contains(reason)), "{path}: {row}");
        assert_eq!((&row["verdict"], &row["report"]), (&Value::Null, &Value::Null));
    }
    // what is damaged is judged as far as it goes
    assert_eq!((&desk.row("in/cut.pcap")["damage"], &desk.row("in/cut.pcap")["frames"]), (&1.into(), &3.into()));
    assert_eq!(desk.row("in/good.pcap")["verdict"], "failure");
}

#[test]
fn the_exit_status_is_0_when_done_and_1_only_if_asked_for() {
    let desk = Desk::new();
    desk.file("in/a.pcap", refused("alice"));
    desk.batch(&[]).assert().code(0);
    desk.batch(&["--fail-on", "failure"]).assert().code(1);
    desk.batch(&["--fail-on", "warning", "--quiet"]).assert().code(1).stdout("").stderr("");
    desk.file("in/a.pcap", healthy());
    desk.batch(&["--fail-on", "warning"]).assert().code(0);
    desk.file("in/b.pcap", "");
    desk.batch(&["--fail-on", "warning"]).assert().code(2);
    command!["batch", "--out", "x"].assert().code(2);
    command!["batch", desk.path("in")].assert().code(2).stderr(contains("--out"));
    fs::create_dir(desk.path("none")).unwrap();
    command!["batch", desk.path("none"), "--out", desk.path("out2")]
        .assert()
        .code(2)
        .stderr(contains("no file in there"));
}

#[test]
fn results_are_the_same_whatever_the_number_of_threads() {
    let desk = Desk::new();
    for number in 0..40 {
        let capture = if number % 3 == 0 { healthy() } else { refused(&format!("user{number}")) };
        desk.file(&format!("in/{number:02}.pcap"), capture);
    }
    desk.file("in/x.zip", zip(&[("a.pcap", &healthy()), ("b.pcap", &refused("zoe"))], None));
    desk.file("in/y.tgz", gzip(&tar(&[("a.pcap", &healthy()), ("b.pcap", &refused("yan"))])));
    desk.file("in/z.txt", "no capture");
    desk.batch(&["--jobs", "1", "--messages"]).assert().code(2);
    let one = results(&desk.path("out"));
    fs::remove_dir_all(desk.path("out")).unwrap();
    desk.batch(&["--jobs", "7", "--messages"]).assert().code(2);
    let seven = results(&desk.path("out"));
    assert_eq!(one.keys().collect::<Vec<_>>(), seven.keys().collect::<Vec<_>>());
    for (name, bytes) in &one {
        assert!(*bytes == seven[name], "{name} differs");
    }
    assert_eq!(desk.rows().len(), 45);
}

#[cfg(feature = "zstd")]
#[test]
fn captures_in_archives_are_read_where_they_are() {
    let desk = Desk::new();
    let (good, bad) = (healthy(), refused("alice"));
    let entries: [(&str, &[u8]); 3] = [("deep/good.pcap", &good), ("bad.pcap", &bad), ("notes.txt", b"hello there")];
    desk.file("in/a.zip", zip(&entries, None));
    desk.file("in/b.tar", tar(&entries));
    desk.file("in/c.tar.gz", gzip(&tar(&entries)));
    desk.file("in/d.tar.zst", zstd::encode_all(&tar(&entries)[..], 1).unwrap());
    // by what it is, not by what it is called
    desk.file("in/e", gzip(&tar(&[("packed.pcap.gz", &gzip(&bad))])));
    desk.batch(&[]).assert().code(2);
    for archive in ["a.zip", "b.tar", "c.tar.gz", "d.tar.zst"] {
        let row = |entry: &str| desk.row(&format!("in/{archive}!/{entry}"));
        assert_eq!(row("deep/good.pcap")["verdict"], "healthy", "{archive}");
        assert_eq!(row("bad.pcap")["headline_finding"], "turn-integrity-rejected", "{archive}");
        assert!(row("notes.txt")["error"].as_str().is_some_and(|error| error.contains("not a capture")), "{archive}");
    }
    assert_eq!(desk.row("in/e!/packed.pcap.gz")["format"], "pcap (gzip)");
    let rows = desk.rows();
    assert_eq!(rows.len(), 13);
    assert_eq!(paths(&rows)[..3], ["in/a.zip!/deep/good.pcap", "in/a.zip!/bad.pcap", "in/a.zip!/notes.txt"]);
    // a hash is that of the file in the archive
    let hashes: BTreeSet<&str> = rows
        .iter()
        .filter(|row| row["path"].as_str().unwrap().ends_with("bad.pcap"))
        .map(|row| row["sha256"].as_str().unwrap())
        .collect();
    assert_eq!(hashes.len(), 1);
}

#[test]
fn broken_and_nested_archives_are_rows_and_what_came_before_is_read() {
    let desk = Desk::new();
    let good = healthy();
    let whole = tar(&[("a.pcap", &good), ("b.pcap", &good)]);
    desk.file("in/cut.tar", &whole[..whole.len() - 1024 - good.len() / 2]);
    desk.file("in/cut.tar.gz", &gzip(&whole)[..600]);
    let packed = zip(&[("a.pcap", &good)], None);
    desk.file("in/cut.zip", &packed[..packed.len() - 30]);
    desk.file(
        "in/nested.zip",
        zip(&[("inner.zip", &packed), ("inner.tar.gz", &gzip(&whole)), ("a.pcap", &good)], None),
    );
    let mut damaged = packed.clone();
    damaged[60] ^= 0x55;
    desk.file("in/damaged.zip", damaged);
    desk.file("in/empty.zip", zip(&[], None));
    desk.batch(&[]).assert().code(2);
    assert_eq!(desk.row("in/cut.tar!/a.pcap")["verdict"], "healthy");
    assert!(desk.row("in/cut.tar!/b.pcap")["error"].as_str().unwrap().contains("cut short"));
    for (path, reason) in [
        ("in/cut.zip", "no directory"),
        ("in/nested.zip!/inner.zip", "archive within an archive"),
        ("in/nested.zip!/inner.tar.gz", "archive within an archive"),
        ("in/empty.zip", "no file in it"),
    ] {
        let row = desk.row(path);
        assert!(row["error"].as_str().is_some_and(|error| error.contains(reason)), "{path}: {row}");
    }
    assert_eq!(desk.row("in/nested.zip!/a.pcap")["verdict"], "healthy");
    assert!(desk.row("in/damaged.zip!/a.pcap")["error"].is_string(), "{}", desk.row("in/damaged.zip!/a.pcap"));
    assert!(desk.rows().iter().any(
        |row| with_slashes(row["path"].as_str().unwrap()).starts_with("in/cut.tar.gz") && row["error"].is_string()
    ));
}

#[test]
fn hostile_names_in_archives_write_nothing_outside_and_stay_apart() {
    let desk = Desk::new();
    let good = healthy();
    let evil = "\"><script>alert(1)</script>\u{1b}[2J\u{202e}.pcap";
    let names =
        ["../../escape.pcap", "/etc/escape.pcap", "..\\..\\escape.pcap", "same.pcap", "same.pcap", evil, "-rf", ""];
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, good.as_slice())).collect();
    desk.file("in/a.zip", zip(&entries, None));
    desk.file("in/b.tar", tar(&entries));
    desk.file("in/c.tgz", gzip(&tar(&entries)));
    desk.batch(&[]).assert().code(0).stdout(contains("24 captures: 24 healthy"));
    let rows = desk.rows();
    let reports: BTreeSet<&str> = rows.iter().map(|row| row["report"].as_str().unwrap()).collect();
    assert_eq!((rows.len(), reports.len()), (24, 24));
    for report in reports {
        let name = report.strip_prefix("reports/").unwrap();
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)), "{name}");
        assert!(desk.path("out/reports").join(name).is_file());
    }
    assert!(paths(&rows).iter().any(|path| path == "in/a.zip!/same.pcap (2)"));
    let top: BTreeSet<_> = fs::read_dir(desk.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(top, ["in".into(), "out".into()].into());
    for name in ["index.html", "summary.jsonl"] {
        let text = fs::read_to_string(desk.path("out").join(name)).unwrap();
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{name}");
        // its own script is there, and no other
        assert!(name != "index.html" || text.matches("<script").count() == 1, "{name}");
    }
}

#[test]
fn an_entry_that_unpacks_to_more_than_it_says_is_not_unpacked_further() {
    let desk = Desk::new();
    // 48 MiB of nothing in 50 KiB
    let mut bomb = healthy();
    bomb.resize(48 << 20, 0);
    let good = healthy();
    let size = u32::try_from(good.len()).unwrap();
    desk.file("in/bomb.zip", zip(&[("bomb.pcap", &bomb), ("good.pcap", &good)], Some(size)));
    desk.batch(&[]).assert().code(2);
    assert!(desk.row("in/bomb.zip!/bomb.pcap")["error"].as_str().unwrap().contains("larger than its archive says"));
    assert_eq!(desk.row("in/bomb.zip!/good.pcap")["verdict"], "healthy");
}

/// As [`Desk::batch`] with so little memory that what a bomb unpacks to has no room in it.
#[cfg(unix)]
fn batch_in_little_memory(desk: &Desk) -> Command {
    let mut command = Command::new("sh");
    command.current_dir(desk.path("")).timeout(Duration::from_secs(120));
    command
        .args(["-c", "ulimit -v 1000000; exec \"$0\" batch in --out out --jobs 2"])
        .arg(env!("CARGO_BIN_EXE_turnscope"));
    command
}

/// A raw deflate stream of this capture and as many MiB of empty packets behind it: a MiB is packed once, and stands there again and again.
#[cfg(unix)]
fn deflated_and_nothing(bytes: &[u8], mebibytes: usize) -> Vec<u8> {
    const PACKET: u32 = 32 << 10;
    let length = (PACKET - 16).to_le_bytes();
    let time = &bytes[24..32]; // of its first packet
    let packet = [time, &length, &length, &vec![0; PACKET as usize - 16]].concat();
    let nothing = packet.repeat((1 << 20) / PACKET as usize);
    let mut packer = flate2::Compress::new(Compression::best(), false);
    let mut piece = |bytes: &[u8]| {
        let mut packed = Vec::with_capacity(bytes.len() + 1000);
        packer.compress_vec(bytes, &mut packed, flate2::FlushCompress::Full).unwrap();
        packed
    };
    let mut packed = piece(bytes);
    packed.extend(piece(&nothing).repeat(mebibytes));
    packed.extend([3, 0]); // the end
    packed
}

/// A gzip file that unpacks to a capture and so much of nothing behind it.
#[cfg(unix)]
fn gzip_and_nothing(bytes: &[u8], mebibytes: usize) -> Vec<u8> {
    let mut packed = b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec();
    packed.extend(deflated_and_nothing(bytes, mebibytes));
    packed.extend([0; 8]);
    packed
}

/// A zip of one entry that is packed already and claims so many bytes.
#[cfg(unix)]
fn zip_of_packed(name: &str, packed: &[u8], size: u32) -> Vec<u8> {
    let mut bytes = zip(&[(name, b"")], Some(size));
    let (header, length) = (30 + name.len(), packed.len() as u32);
    let empty = bytes[18] as usize; // what nothing is packed to
    bytes.splice(header..header + empty, packed.iter().copied());
    bytes[18..22].copy_from_slice(&length.to_le_bytes());
    let directory = header + packed.len();
    bytes[directory + 20..directory + 24].copy_from_slice(&length.to_le_bytes());
    let end = bytes.len() - 22;
    bytes[end + 16..end + 20].copy_from_slice(&(directory as u32).to_le_bytes());
    bytes
}

#[cfg(unix)]
#[test]
fn archive_bombs_are_told_of_without_being_unpacked_or_stopping_anything() {
    let desk = Desk::new();
    let good = healthy();
    // 4 GiB and more, as the directory says
    let zeros = deflated_and_nothing(&good, 4095);
    desk.file("in/zeros.zip", zip_of_packed("zeros.pcap", &zeros, u32::MAX - 1));
    // 4 GiB, though the directory says less
    desk.file("in/lying.zip", zip_of_packed("lying.pcap", &zeros, 5 << 20));
    // a packed capture within each
    let packed = gzip_and_nothing(&good, 4095);
    desk.file("in/within.zip", zip(&[("bomb.pcap.gz", &packed), ("good.pcap", &good)], None));
    desk.file("in/within.tar", tar(&[("bomb.pcap.gz", &packed), ("good.pcap", &good)]));
    desk.file("in/within.tar.gz", gzip(&tar(&[("bomb.pcap.gz", &packed), ("good.pcap", &good)])));
    // sizes that are not there
    let mut lying = tar(&[("good.pcap", &good), ("lying.pcap", &good)]);
    let at = 512 + good.len().next_multiple_of(512);
    lying[at + 124..at + 136].copy_from_slice(b"77777777777\0");
    lying[at + 148..at + 156].fill(b' ');
    let sum: u32 = lying[at..at + 512].iter().map(|&byte| u32::from(byte)).sum();
    lying[at + 148..at + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    desk.file("in/lying.tar", &lying);
    desk.file("in/lying.tar.gz", gzip(&lying));
    let begun = Instant::now();
    batch_in_little_memory(&desk).assert().code(2).stderr("");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    for (path, reason) in [
        ("in/zeros.zip!/zeros.pcap", "archive bomb"),
        ("in/within.zip!/bomb.pcap.gz", "archive bomb"),
        ("in/within.tar!/bomb.pcap.gz", "archive bomb"),
        ("in/within.tar.gz!/bomb.pcap.gz", "archive bomb"),
    ] {
        let row = desk.row(path);
        assert!(row["error"].as_str().is_some_and(|error| error.contains(reason)), "{path}: {row}");
    }
    for path in ["in/within.zip", "in/within.tar", "in/within.tar.gz", "in/lying.tar", "in/lying.tar.gz"] {
        assert_eq!(desk.row(&format!("{path}!/good.pcap"))["verdict"], "healthy", "{path}");
    }
    // what is there of the others is read, and said to be damaged behind
    for path in ["in/lying.zip!/lying.pcap", "in/lying.tar!/lying.pcap", "in/lying.tar.gz!/lying.pcap"] {
        let row = desk.row(path);
        assert!(row["damage"].as_u64() > Some(0) || row["error"].is_string(), "{path}: {row}");
    }
}

#[cfg(unix)]
#[test]
fn an_archive_of_very_many_files_is_read_in_little_memory() {
    const MANY: usize = 5000;
    let desk = Desk::new();
    let names: Vec<String> = (0..MANY).map(|number| format!("{number}")).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"x".as_slice())).collect();
    desk.file("in/many.zip", zip(&entries, None));
    desk.file("in/many.tgz", gzip(&tar(&entries)));
    batch_in_little_memory(&desk).assert().code(2).stderr("");
    assert_eq!(desk.rows().len(), 2 * MANY);
}

/// Captures that take a while together.
fn many(desk: &Desk, count: usize) {
    for number in 0..count {
        desk.file(&format!("in/{number:03}.pcap"), refused(&format!("user{number}")));
    }
}

#[test]
fn a_batch_that_is_killed_goes_on_with_nothing_lost_or_doubled() {
    let desk = Desk::new();
    many(&desk, 300);
    desk.file("in/broken.pcap", "");
    desk.batch(&[]).assert().code(2);
    let whole = results(&desk.path("out"));
    fs::remove_dir_all(desk.path("out")).unwrap();
    let mut killed = 0;
    for _ in 0..4 {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_turnscope"))
            .current_dir(desk.path(""))
            .args(["batch", "in", "--out", "out", "--resume", "--jobs", "2"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let journal = desk.path("out/.turnscope/journal");
        let length = || fs::metadata(&journal).map_or(0, |metadata| metadata.len());
        let (before, begun) = (length(), Instant::now());
        while length() < before + 100_000
            && begun.elapsed() < Duration::from_secs(20)
            && child.try_wait().unwrap().is_none()
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        killed += usize::from(!child.wait().unwrap().success());
        // nothing is there in half
        for (name, bytes) in results(&desk.path("out")) {
            assert!(bytes == whole[&name], "{name}");
        }
    }
    assert!(killed > 0, "it was killed while it ran");
    desk.batch(&["--resume"]).assert().code(2);
    let resumed = results(&desk.path("out"));
    assert_eq!(whole.keys().collect::<Vec<_>>(), resumed.keys().collect::<Vec<_>>());
    for (name, bytes) in &whole {
        assert!(*bytes == resumed[name], "{name} differs");
    }
    let hidden: BTreeSet<_> =
        fs::read_dir(desk.path("out/.turnscope")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(hidden, ["journal".into(), "lock".into()].into());
}

/// When each report was written.
fn written(desk: &Desk) -> BTreeMap<PathBuf, std::time::SystemTime> {
    let entries = fs::read_dir(desk.path("out/reports")).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.path(), entry.metadata().unwrap().modified().unwrap())).collect()
}

#[test]
fn resuming_reads_again_only_what_has_changed() {
    let desk = Desk::new();
    many(&desk, 5);
    desk.file("in/a.zip", zip(&[("a.pcap", &healthy())], None));
    desk.batch(&[]).assert().code(0);
    let first = written(&desk);
    assert_eq!(first.len(), 6);
    let changed = |arguments: &[&str]| {
        std::thread::sleep(Duration::from_millis(20));
        let before = written(&desk);
        desk.batch(arguments).assert().code(0);
        written(&desk).into_iter().filter(|(path, at)| before.get(path) != Some(at)).count()
    };
    assert_eq!(changed(&["--resume"]), 0);
    // another content, a report that is gone, one that was tampered with, a new capture
    desk.file("in/000.pcap", healthy());
    assert_eq!(changed(&["--resume"]), 1);
    assert_eq!(desk.row("in/000.pcap")["verdict"], "healthy");
    let report = |path: &str| desk.path("out").join(desk.row(path)["report"].as_str().unwrap());
    fs::remove_file(report("in/001.pcap")).unwrap();
    fs::write(report("in/002.pcap"), "{}").unwrap();
    desk.file("in/new.pcap", healthy());
    assert_eq!(changed(&["--resume"]), 3);
    assert_eq!(desk.rows().len(), 7);
    // what was found with other settings is not what these would find
    let passwords = desk.file("passwords", "right\n");
    let passwords = passwords.to_str().unwrap();
    assert_eq!(changed(&["--resume", "--passwords", passwords]), 7);
    assert_eq!(changed(&["--resume", "--passwords", passwords]), 0);
    fs::write(passwords, "right\nother\n").unwrap();
    assert_eq!(changed(&["--resume", "--passwords", passwords]), 7);
    // and without --resume everything is read
    assert_eq!(changed(&[]), 7);
}

#[test]
fn a_batch_that_begins_anew_takes_the_old_reports_away_and_nothing_else() {
    let desk = Desk::new();
    many(&desk, 3);
    desk.batch(&["--messages"]).assert().code(0);
    desk.file("out/reports/mine.json", "{}");
    desk.file("out/notes.txt", "mine");
    fs::remove_file(desk.path("in/002.pcap")).unwrap();
    desk.batch(&[]).assert().code(0);
    let names: Vec<String> = results(&desk.path("out")).into_keys().collect();
    assert_eq!(names.iter().filter(|name| name.starts_with("reports/")).count(), 3, "{names:?}");
    assert!(names.contains(&"notes.txt".to_owned()) && names.contains(&"reports/mine.json".to_owned()));
    assert!(!names.contains(&"messages.parquet".to_owned()));
    assert_eq!(desk.rows().len(), 2);
    // where there is nothing to read, what is there stays
    fs::create_dir(desk.path("empty")).unwrap();
    let before = results(&desk.path("out"));
    let mut nothing = turnscope();
    nothing.current_dir(desk.path("")).args(["batch", "empty", "--out", "out"]);
    nothing.assert().code(2).stderr(contains("no file in there"));
    assert_eq!(results(&desk.path("out")), before);
}

#[cfg(unix)]
#[cfg(unix)]
#[test]
fn a_terminal_shows_how_far_it_is_how_fast_and_how_long_it_will_take() {
    let desk = Desk::new();
    many(&desk, 150);
    let whole: Vec<(String, Vec<u8>)> = (0..150).map(|number| (format!("{number}.pcap"), healthy())).collect();
    let entries: Vec<(&str, &[u8])> = whole.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    desk.file("in/x.zip", zip(&entries, None));
    // a program that gives another one a terminal
    let line = format!("{} batch in --out out --jobs 1", env!("CARGO_BIN_EXE_turnscope"));
    let run =
        std::process::Command::new("script").args(["-qec", &line, "/dev/null"]).current_dir(desk.path("")).output();
    let Ok(run) = run else {
        eprintln!("SKIPPED: there is no script");
        return;
    };
    let text = String::from_utf8_lossy(&run.stdout);
    assert!(text.contains("300 captures: 150 failure, 150 healthy"), "{text}");
    for part in [" % ", "captures, ", "with a failure", "B/s", " left"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[cfg(unix)] // there is no signal to send elsewhere
#[test]
fn stopping_it_says_how_to_go_on() {
    let desk = Desk::new();
    many(&desk, 300);
    let child = std::process::Command::new(env!("CARGO_BIN_EXE_turnscope"))
        .current_dir(desk.path(""))
        .args(["batch", "in", "--out", "out", "--jobs", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while fs::metadata(desk.path("out/.turnscope/journal")).map_or(0, |metadata| metadata.len()) < 50_000 {
        assert!(begun.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(1));
    }
    // shells that run the tests in the background have them ignore SIGINT
    std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert!(told.contains("--resume goes on from there"), "{told}");
    assert!(!desk.path("out/summary.jsonl").exists());
    desk.batch(&["--resume"]).assert().code(0).stdout(contains("300 captures"));
}

#[cfg(unix)]
#[test]
fn a_signal_that_is_ignored_as_behind_nohup_does_not_stop_it() {
    let ignoring = || {
        let mut command = std::process::Command::new("env");
        command.args(["--default-signal=INT,TERM", "--ignore-signal=HUP"]);
        command
    };
    if !ignoring().arg("true").status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: there is no env of GNU");
        return;
    }
    let desk = Desk::new();
    many(&desk, 300);
    let mut child = ignoring()
        .current_dir(desk.path(""))
        .args([env!("CARGO_BIN_EXE_turnscope"), "batch", "in", "--out", "out", "--jobs", "1"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while fs::metadata(desk.path("out/.turnscope/journal")).map_or(0, |metadata| metadata.len()) < 10_000 {
        assert!(begun.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(child.try_wait().unwrap().is_none());
    std::process::Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(desk.rows().len(), 300);
}

#[test]
fn rotated_files_are_one_capture_where_that_is_asked_for() {
    let desk = Desk::new();
    let whole = refused("alice");
    // a file header of 24 bytes, then the records; the second file begins with the fourth frame
    let record = |at: usize| 16 + u32::from_le_bytes(whole[at + 8..at + 12].try_into().unwrap()) as usize;
    let fourth = (0..3).fold(24, |at, _| at + record(at));
    desk.file("in/t_00001_20240501120000.pcap", &whole[..fourth]);
    desk.file("in/t_00002_20240501120100.pcap", [&whole[..24], &whole[fourth..]].concat());
    desk.file("in/alone.pcap", healthy());
    desk.batch(&[]).assert().code(0);
    assert_eq!(desk.rows().len(), 3);
    assert_ne!(desk.row("in/t_00002_20240501120100.pcap")["headline_finding"], "turn-integrity-rejected");
    desk.batch(&["--join"]).assert().code(0);
    assert_eq!(paths(&desk.rows()), ["in/alone.pcap", "in/t_*.pcap"]);
    let row = desk.row("in/t_*.pcap");
    assert_eq!((&row["headline_finding"], &row["frames"]), (&"turn-integrity-rejected".into(), &4.into()));
    assert_eq!(row["parts"].as_array().unwrap().len(), 2);
    let report = fs::read_to_string(desk.path("out").join(row["report"].as_str().unwrap())).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["findings"][0]["places"][1]["frame"], 4, "frames are counted on");
    desk.batch(&["--join", "--resume"]).assert().code(0);
    assert_eq!(desk.rows().len(), 2);
}

#[test]
fn a_part_of_a_rotated_capture_that_is_none_is_a_row_and_the_others_are_read() {
    let desk = Desk::new();
    desk.file("in/t_00001_20240501120000.pcap", refused("alice"));
    desk.file("in/t_00002_20240501120100.pcap", healthy());
    desk.file("in/t_00003_20240501120200.pcap", "");
    let mut expected = vec!["in/t_*.pcap", "in/t_00003_20240501120200.pcap"];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("nowhere", desk.path("in/t_00004_20240501120300.pcap")).unwrap();
        expected.push("in/t_00004_20240501120300.pcap");
    }
    for arguments in [&["--join"][..], &["--join", "--resume"]] {
        desk.batch(arguments).assert().code(2);
        assert_eq!(paths(&desk.rows()), expected);
        let row = desk.row("in/t_*.pcap");
        assert_eq!((&row["headline_finding"], &row["error"]), (&"turn-integrity-rejected".into(), &Value::Null));
        assert_eq!(row["parts"].as_array().unwrap().len(), 2);
        let empty = desk.row(expected[1]);
        assert!(empty["error"].as_str().unwrap().starts_with("empty file"), "{empty}");
    }
}

#[test]
fn paths_come_from_patterns_and_lists_too() {
    let desk = Desk::new();
    many(&desk, 3);
    desk.file("list", "in/001.pcap\nin/000.pcap\n\nin/./001.pcap\n");
    let mut command = turnscope();
    command.current_dir(desk.path("")).args(["batch", "in/*2.pcap", "--files-from", "list", "--out", "out"]);
    command.assert().code(0);
    assert_eq!(paths(&desk.rows()), ["in/002.pcap", "in/001.pcap", "in/000.pcap"]);
    let mut command = turnscope();
    command.current_dir(desk.path("")).args(["batch", "--files-from", "-", "--out", "out"]);
    command.write_stdin("in/000.pcap\0").assert().code(0);
    assert_eq!(paths(&desk.rows()), ["in/000.pcap"]);
    // results within what is read are not read
    let mut command = turnscope();
    command.current_dir(desk.path("")).args(["batch", ".", "--out", "out"]);
    command.assert().code(2);
    assert_eq!(paths(&desk.rows()), ["./in/000.pcap", "./in/001.pcap", "./in/002.pcap", "./list"]);
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_utf_8_stay_apart() {
    use std::os::unix::ffi::OsStrExt as _;
    let desk = Desk::new();
    for name in [&b"in/\xff.pcap"[..], b"in/\xfe.pcap"] {
        let path = desk.path("").join(std::ffi::OsStr::from_bytes(name));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, healthy()).unwrap();
    }
    desk.batch(&[]).assert().code(0);
    let rows = desk.rows();
    let reports: BTreeSet<&str> = rows.iter().map(|row| row["report"].as_str().unwrap()).collect();
    assert_eq!((rows.len(), reports.len()), (2, 2));
}

#[test]
fn credentials_and_filters_are_those_of_analyze() {
    let desk = Desk::new();
    desk.file("in/a.pcap", refused("alice"));
    let passwords = desk.file("passwords", "wrong\nright\n");
    desk.batch(&["--passwords", passwords.to_str().unwrap()]).assert().code(0);
    let report = fs::read_to_string(desk.path("out").join(desk.row("in/a.pcap")["report"].as_str().unwrap())).unwrap();
    let json: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(json["credentials"].as_array().unwrap().len(), 2);
    for (name, bytes) in results(&desk.path("out")) {
        assert!(!bytes.windows(6).any(|window| window == b"wrong\n"), "{name}");
    }
    desk.batch(&["--host", "198.51.100.1"]).assert().code(0).stdout(contains("with nothing to judge"));
    desk.batch(&["--host", "nobody"]).assert().code(2).stderr(contains("not an address"));
}

#[cfg(feature = "parquet")]
#[test]
fn tables_are_whole_files_of_parquet() {
    let desk = Desk::new();
    many(&desk, 2);
    desk.batch(&["--messages"]).assert().code(0);
    let names = [
        "captures",
        "messages",
        "transactions",
        "allocations",
        "findings",
        "dtls",
        "ice_pairs",
        "media",
        "credentials",
        "servers",
        "deployment",
        "logs",
    ];
    for name in names {
        let bytes = fs::read(desk.path("out").join(format!("{name}.parquet"))).unwrap();
        assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"), "{name}");
    }
}

#[test]
fn keys_deployments_and_logs_are_those_of_analyze_and_a_change_of_them_is_noticed() {
    let desk = Desk::new();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let (keyed, told) = (samples.join("aiortc-relay-keys"), samples.join("expressway-deployment"));
    for (folder, name) in [(&keyed, "keyed.pcapng"), (&told, "told.pcapng")] {
        fs::create_dir_all(desk.path("in")).unwrap();
        fs::copy(folder.join("capture.pcapng"), desk.path("in").join(name)).unwrap();
    }
    for (folder, name) in [(&keyed, "keylog.txt"), (&told, "deployment.toml"), (&told, "meeting-server.log")] {
        fs::copy(folder.join(name), desk.path(name)).unwrap();
    }
    let given = ["--keylog", "keylog.txt", "--deployment", "deployment.toml", "--log", "meeting-server.log"];
    desk.batch(&given).assert().success();
    let rows = desk.rows();
    for row in &rows {
        let written: Value =
            serde_json::from_slice(&fs::read(desk.path("out").join(row["report"].as_str().unwrap())).unwrap()).unwrap();
        let mut alone = turnscope();
        alone
            .current_dir(desk.path(""))
            .args(["analyze", "--format", "json", row["path"].as_str().unwrap()])
            .args(given);
        let alone: Value = serde_json::from_slice(&alone.output().unwrap().stdout).unwrap();
        assert_eq!(written, alone);
        assert!(!alone["deployment"].as_array().unwrap().is_empty());
    }
    let report = |name: &str| -> Value {
        let path = desk.path("out").join(desk.row(name)["report"].as_str().unwrap());
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    };
    assert!(!report("in/told.pcapng")["logs"].as_array().unwrap().is_empty());
    assert!(report("in/keyed.pcapng")["captures"][0]["decryption"]["opened_records"].as_u64() > Some(0));
    let before = written(&desk);
    desk.batch(&given).arg("--resume").assert().success();
    let is_report = |path: &&PathBuf| path.parent().is_some_and(|folder| folder.ends_with("reports"));
    let reports = |all: &BTreeMap<PathBuf, std::time::SystemTime>| {
        all.keys().filter(is_report).map(|path| all[path]).collect::<Vec<_>>()
    };
    assert_eq!(reports(&written(&desk)), reports(&before), "nothing was new");
    for name in ["keylog.txt", "deployment.toml", "meeting-server.log"] {
        let before = written(&desk);
        let mut more = fs::read(desk.path(name)).unwrap();
        more.extend_from_slice(b"\n\n");
        fs::write(desk.path(name), more).unwrap();
        desk.batch(&given).arg("--resume").assert().success();
        let after = written(&desk);
        assert!(reports(&after).iter().zip(&reports(&before)).all(|(after, before)| after > before), "{name}");
    }
    let before = written(&desk);
    desk.batch(&given).args(["--resume", "--log-offset", "-5"]).assert().success();
    assert!(reports(&written(&desk)).iter().zip(&reports(&before)).all(|(after, before)| after > before));
}
