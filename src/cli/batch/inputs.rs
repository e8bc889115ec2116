//! What a batch reads: files, folders, globs, lists of these; rotated files put together where that is wanted.

use crate::cli::error::Error;
use crate::cli::rotation::rotations;
use std::collections::HashSet;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The largest list of paths that is read, in bytes.
const MAX_LIST: usize = 64 << 20;

/// A file, or several that are one capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// What it is called: its path; of several with `*` for what differs.
    pub name: String,
    /// The files.
    pub paths: Vec<PathBuf>,
    /// Bytes of all of them.
    pub size: u64,
    /// Why there is nothing to read, if so.
    pub error: Option<String>,
}

/// Finds everything that is to be read: in the order of the arguments, what is in a folder in the order of names. What begins with a dot is passed
/// over in folders, and so is `out`, the folder of results.
pub(super) fn find(paths: &[PathBuf], out: &Path, join: bool) -> Vec<Item> {
    let mut finder = Finder { out: fs::canonicalize(out).ok(), ..Finder::default() };
    for path in paths {
        finder.argument(path);
    }
    if join { joined(finder.found) } else { finder.found }
}

/// The paths in a list: one a line, or each ended by a zero byte as `find -print0` writes them. `-` is standard input.
pub(super) fn listed(list: &Path) -> Result<Vec<PathBuf>, Error> {
    let name = list.display().to_string();
    let mut bytes = Vec::new();
    let most = MAX_LIST as u64 + 1;
    let read = if list == Path::new("-") {
        io::stdin().take(most).read_to_end(&mut bytes)
    } else {
        fs::File::open(list).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    read.map_err(|error| Error::reading(&name, &error))?;
    if bytes.len() > MAX_LIST {
        return Err(Error::new(&name, format_args!("larger than {} MiB", MAX_LIST >> 20), "write one path a line"));
    }
    let end = if bytes.contains(&0) { 0 } else { b'\n' };
    let lines = bytes.split(|byte| *byte == end).map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let paths = lines.filter(|line| !line.is_empty()).map(path_of).collect::<Option<_>>();
    paths.ok_or_else(|| Error::new(&name, "not UTF-8 text", "write one path a line"))
}

/// The path that bytes of a list are: whatever bytes, where names are made of these.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere not all bytes are one")]
fn path_of(bytes: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(bytes)))
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> Option<PathBuf> {
    std::str::from_utf8(bytes).ok().map(PathBuf::from)
}

#[derive(Default)]
struct Finder {
    out: Option<PathBuf>,
    found: Vec<Item>,
    known: HashSet<PathBuf>,
}

impl Finder {
    fn argument(&mut self, path: &Path) {
        // a pattern is text; a name that is none is that of a file
        let pattern = path.to_str().filter(|text| text.contains(['*', '?', '[']));
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => self.folder(path),
            Ok(metadata) => self.file(path, &metadata),
            Err(error) => match pattern {
                Some(pattern) => self.pattern(pattern),
                None => self.failed(path, &error),
            },
        }
    }

    fn pattern(&mut self, text: &str) {
        let matches: Vec<PathBuf> = match glob::glob(text) {
            Ok(paths) => paths.filter_map(Result::ok).collect(), // sorted
            Err(error) => return self.add(Path::new(text), 0, Some(format!("not a pattern: {error}"))),
        };
        if matches.is_empty() {
            self.add(Path::new(text), 0, Some("nothing has such a name".to_owned()));
        }
        for path in matches {
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => self.folder(&path),
                Ok(metadata) => self.file(&path, &metadata),
                Err(error) => self.failed(&path, &error),
            }
        }
    }

    /// All files below a folder, without recursion: links to folders are not followed, so it ends.
    fn folder(&mut self, folder: &Path) {
        let mut left = vec![folder.to_owned()];
        while let Some(path) = left.pop() {
            let metadata = if path == folder { fs::metadata(&path) } else { fs::symlink_metadata(&path) };
            match metadata {
                Ok(metadata) if metadata.is_dir() => {
                    if self.is_out(&path) {
                        continue;
                    }
                    match names(&path) {
                        Ok(names) => left.extend(names.into_iter().rev().map(|name| path.join(name))),
                        Err(error) => self.failed(&path, &error),
                    }
                }
                Ok(metadata) if metadata.is_symlink() => match fs::metadata(&path) {
                    Ok(metadata) if metadata.is_dir() => {}
                    Ok(metadata) => self.file(&path, &metadata),
                    Err(error) => self.failed(&path, &error),
                },
                Ok(metadata) => self.file(&path, &metadata),
                Err(error) => self.failed(&path, &error),
            }
        }
    }

    fn is_out(&self, folder: &Path) -> bool {
        let Some(out) = &self.out else { return false };
        let same_name = folder.file_name().is_none_or(|name| Some(name) == out.file_name());
        same_name && fs::canonicalize(folder).is_ok_and(|folder| folder == *out)
    }

    fn file(&mut self, path: &Path, metadata: &fs::Metadata) {
        let error = (!metadata.is_file()).then(|| "not a file: a pipe or device".to_owned());
        self.add(path, metadata.len(), error);
    }

    fn failed(&mut self, path: &Path, error: &io::Error) {
        self.add(path, 0, Some(Error::reading("", error).to_string()));
    }

    fn add(&mut self, path: &Path, size: u64, error: Option<String>) {
        // ./a and a are the same
        let plain: PathBuf = path.components().filter(|part| *part != std::path::Component::CurDir).collect();
        if self.known.insert(plain) {
            let name = path.to_str().map_or_else(|| unsayable(path), str::to_owned);
            self.found.push(Item { name, paths: vec![path.to_owned()], size, error });
        }
    }
}

/// A name that is not UTF-8, with what keeps it apart from others that look the same.
fn unsayable(path: &Path) -> String {
    format!("{} ({:08x})", path.display(), crc32fast::hash(path.as_os_str().as_encoded_bytes()))
}

fn names(folder: &Path) -> io::Result<Vec<std::ffi::OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if !name.as_encoded_bytes().starts_with(b".") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Puts files together that are parts of one capture; what there is nothing to read of stays by itself.
fn joined(items: Vec<Item>) -> Vec<Item> {
    let names: Vec<&str> = items.iter().map(|item| item.name.as_str()).collect();
    let mut joined = Vec::new();
    for rotation in rotations(&names) {
        let parts = rotation.members.iter().filter_map(|index| items.get(*index));
        let (sound, broken): (Vec<&Item>, Vec<&Item>) = parts.partition(|part| part.error.is_none());
        match sound.as_slice() {
            [] => {}
            [only] => joined.push(Item::clone(only)),
            parts => joined.push(Item {
                name: rotation.name,
                paths: parts.iter().flat_map(|part| part.paths.clone()).collect(),
                size: parts.iter().map(|part| part.size).fold(0, u64::saturating_add),
                error: None,
            }),
        }
        joined.extend(broken.into_iter().cloned());
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desk(files: &[&str]) -> tempfile::TempDir {
        let desk = tempfile::tempdir().unwrap();
        for file in files {
            let path = desk.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        desk
    }

    fn names_in(desk: &tempfile::TempDir, items: &[Item]) -> Vec<String> {
        let plain = |path: &str| path.replace(std::path::MAIN_SEPARATOR, "/");
        let root = plain(&format!("{}/", desk.path().display()));
        let name = |item: &Item| plain(&item.name).trim_start_matches(&root).to_owned();
        items.iter().map(name).collect()
    }

    #[test]
    fn folders_give_their_files_by_name_and_each_once() {
        let desk = desk(&["b/2.pcap", "b/1.pcap", "a.pcap", ".hidden", "b/.git/x", "out/reports/r.json", "c.pcap"]);
        let root = desk.path().display().to_string();
        let out = desk.path().join("out");
        let items = find(&[format!("{root}/b/./2.pcap").into(), root.into()], &out, false);
        assert_eq!(names_in(&desk, &items), ["b/./2.pcap", "a.pcap", "b/1.pcap", "c.pcap"]);
        assert!(items.iter().all(|item| item.size == 1 && item.error.is_none()));
    }

    #[test]
    fn patterns_are_read_where_no_file_has_the_name() {
        let desk = desk(&["b/2.pcap", "b/1.pcap", "b/notes", "[x].pcap"]);
        let at = |name: &str| desk.path().join(name);
        let items = find(&[at("*/*.pcap"), at("[x].pcap"), at("none*"), at("gone")], desk.path(), false);
        assert_eq!(names_in(&desk, &items), ["b/1.pcap", "b/2.pcap", "[x].pcap", "none*", "gone"]);
        let errors: Vec<_> = items.iter().filter_map(|item| item.error.as_deref()).collect();
        assert_eq!(errors, ["nothing has such a name", "no such file; check the path"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_that_turn_in_circles_end_and_links_to_files_are_read() {
        let desk = desk(&["a/1.pcap"]);
        std::os::unix::fs::symlink(desk.path(), desk.path().join("a/round")).unwrap();
        std::os::unix::fs::symlink(desk.path().join("a/1.pcap"), desk.path().join("a/2.pcap")).unwrap();
        let items = find(&[desk.path().to_owned()], &desk.path().join("none"), false);
        assert_eq!(names_in(&desk, &items), ["a/1.pcap", "a/2.pcap"]);
    }

    #[test]
    fn rotated_files_are_one_where_that_is_wanted() {
        let desk = desk(&["x_00002_20240501120100.pcap", "x_00001_20240501120000.pcap", "y.pcap"]);
        let items = find(&[desk.path().to_owned()], Path::new("none"), true);
        assert_eq!(names_in(&desk, &items), ["x_*.pcap", "y.pcap"]);
        assert_eq!((items[0].paths.len(), items[0].size), (2, 2));
        assert!(items[0].paths[0].ends_with("x_00001_20240501120000.pcap"));
    }

    #[test]
    fn lists_have_a_path_a_line_or_zero_bytes_between() {
        let desk = tempfile::tempdir().unwrap();
        let list = desk.path().join("list");
        for text in ["a b\n\nc\r\n", "a b\0c\0"] {
            fs::write(&list, text).unwrap();
            assert_eq!(listed(&list).unwrap(), [PathBuf::from("a b"), PathBuf::from("c")]);
        }
        assert!(listed(&desk.path().join("none")).is_err());
    }
}
