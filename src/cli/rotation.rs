//! Files of one capture that was written in parts, told by their names: rings and rotated files of dumpcap, Wireshark, editcap, tcpdump, logrotate.
//!
//! | who | names |
//! |---|---|
//! | dumpcap, Wireshark, editcap | `name_00001_20240501120000.pcapng`, `name_20240501120000_00001.pcapng`, `name_00001.pcapng` |
//! | tcpdump `-C` | `name.pcap`, `name.pcap1`, `name.pcap2`; with `-W` `name.pcap00`, `name.pcap01` |
//! | logrotate | `name.pcap`, `name.pcap.1`, `name.pcap.2.gz` |
//!
//! Names that differ in a time alone are left apart: captures made one after another by hand are called so, too.

use std::collections::HashMap;
use std::path::Path;

/// What has such an end is not a part of a capture, but holds whole ones.
const ARCHIVES: [&str; 3] = ["zip", "tar", "tgz"];

/// Files that are one capture, or a file by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rotation {
    /// The path of a file by itself; of several the path with `*` for what differs: `folder/name_*.pcapng`.
    pub name: String,
    /// Which of the paths they are, in the order of their numbers. A ring that came round begins in the middle: who reads them
    /// begins with the one whose first frame is the earliest.
    pub members: Vec<usize>,
}

/// Puts paths together that are parts of one capture; what stands alone stays alone. In the order of the first path of each.
pub(super) fn rotations<S: AsRef<str>>(paths: &[S]) -> Vec<Rotation> {
    let mut found: Vec<(Rotation, Vec<u64>)> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for (index, path) in paths.iter().map(AsRef::as_ref).enumerate() {
        let (name, number) = part_of(path).unwrap_or_else(|| (path.to_owned(), 0));
        match known.get(&name).and_then(|&at| found.get_mut(at)) {
            Some((rotation, numbers)) => {
                rotation.members.push(index);
                numbers.push(number);
            }
            None => {
                known.insert(name.clone(), found.len());
                found.push((Rotation { name, members: vec![index] }, vec![number]));
            }
        }
    }
    let sorted = |(mut rotation, numbers): (Rotation, Vec<u64>)| {
        if let [only] = rotation.members.as_slice() {
            rotation.name = paths.get(*only).map_or(rotation.name, |path| path.as_ref().to_owned());
            return rotation;
        }
        let mut members: Vec<(u64, usize)> = numbers.into_iter().zip(rotation.members).collect();
        members.sort();
        Rotation { members: members.into_iter().map(|(_, index)| index).collect(), ..rotation }
    };
    found.into_iter().map(sorted).collect()
}

/// What a path would be called as a part: the name with `*` for what differs, and its number.
fn part_of(path: &str) -> Option<(String, u64)> {
    let file = Path::new(path).file_name()?.to_str()?;
    let folder = path.strip_suffix(file)?;
    let plain = [".gz", ".zst", ".xz", ".lz4"].iter().find_map(|packed| file.strip_suffix(packed)).unwrap_or(file);
    let (name, number) = dumpcap(plain).or_else(|| tcpdump(plain))?;
    Some((format!("{folder}{name}"), number))
}

/// `name_00001_20240501120000.pcapng`, and the two in the other order, or the number alone.
fn dumpcap(file: &str) -> Option<(String, u64)> {
    let (stem, extension) = file.rsplit_once('.').filter(|(_, extension)| !ARCHIVES.contains(extension))?;
    let (rest, last) = stem.rsplit_once('_')?;
    let (name, number) = match rest.rsplit_once('_') {
        Some((name, number)) if is_number(number) && is_time(last) => (name, number),
        Some((name, time)) if is_time(time) && is_number(last) => (name, last),
        _ if is_number(last) => (rest, last),
        _ => return None,
    };
    Some((format!("{name}_*.{extension}"), number.parse().ok()?))
}

/// `name.pcap`, `name.pcap1`, `name.pcap.1`.
fn tcpdump(file: &str) -> Option<(String, u64)> {
    let name = file.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = file.get(name.len()..).unwrap_or_default();
    let name = if digits.is_empty() { name } else { name.strip_suffix('.').unwrap_or(name) };
    let known = [".pcap", ".pcapng", ".cap", ".dmp"].iter().any(|extension| name.ends_with(extension));
    let number = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    known.then(|| (format!("{name}*"), number))
}

/// Five digits, or more after 99,999 files.
fn is_number(text: &str) -> bool {
    (5..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `20240501120000`.
fn is_time(text: &str) -> bool {
    text.len() == 14 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(paths: &[&str]) -> Vec<(String, Vec<usize>)> {
        rotations(paths).into_iter().map(|one| (one.name, one.members)).collect()
    }

    fn one(name: &str, members: &[usize]) -> (String, Vec<usize>) {
        (name.to_owned(), members.to_vec())
    }

    #[test]
    fn files_of_a_ring_are_one_capture_in_the_order_of_their_numbers() {
        let paths = [
            "in/a_00003_20240501120200.pcapng",
            "in/a_00001_20240501120000.pcapng",
            "in/a_00002_20240501120100.pcapng",
        ];
        assert_eq!(of(&paths), [one("in/a_*.pcapng", &[1, 2, 0])]);
        assert_eq!(of(&["a_20240501120000_00002.pcap", "a_20240501115900_00001.pcap"]), [one("a_*.pcap", &[1, 0])]);
        assert_eq!(of(&["a_00009.pcap", "a_00010.pcap"]), [one("a_*.pcap", &[0, 1])]);
        assert_eq!(of(&["a_99999.pcap", "a_100000.pcap"]), [one("a_*.pcap", &[0, 1])]);
    }

    #[test]
    fn rotated_files_of_tcpdump_and_logrotate_are_one_capture() {
        assert_eq!(of(&["x.pcap10", "x.pcap", "x.pcap2"]), [one("x.pcap*", &[1, 2, 0])]);
        assert_eq!(of(&["x.pcap00", "x.pcap01"]), [one("x.pcap*", &[0, 1])]);
        assert_eq!(of(&["x.pcap.1", "x.pcap", "x.pcap.2.gz"]), [one("x.pcap*", &[1, 0, 2])]);
    }

    #[test]
    fn packed_parts_belong_to_the_others() {
        assert_eq!(
            of(&["a_00001_20240501120000.pcapng.gz", "a_00002_20240501120100.pcapng"]),
            [one("a_*.pcapng", &[0, 1])]
        );
    }

    #[test]
    fn other_names_folders_and_times_stay_apart() {
        let paths = [
            "a/x_00001.pcap",
            "b/x_00002.pcap",
            "y_00001.pcap",
            "z_00001.pcapng",
            "call-20240501-120000.pcap",
            "call-20240501-130000.pcap",
            "call_1.pcap",
            "call_2.pcap",
            "notes1",
            "notes2",
            "week_00001.zip",
            "week_00002.zip",
            "week_00001.tar.gz",
            "week_00002.tar.gz",
            "",
            "..",
        ];
        let found = of(&paths);
        assert_eq!(found.len(), paths.len(), "{found:?}");
        for (index, (path, (name, members))) in paths.iter().zip(&found).enumerate() {
            assert_eq!((name.as_str(), members.as_slice()), (*path, [index].as_slice()));
        }
    }

    #[test]
    fn a_part_alone_keeps_its_name() {
        assert_eq!(of(&["in/a_00003_20240501120200.pcapng"]), [one("in/a_00003_20240501120200.pcapng", &[0])]);
    }
}
