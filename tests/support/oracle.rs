//! tshark as an oracle: which captures it is asked about, and whether it must be there.

use std::fs;
use std::path::{Path, PathBuf};

/// Whether a test that finds no tshark fails instead of saying that it was skipped: `TURNSCOPE_REQUIRE_TSHARK=1`.
pub fn is_required() -> bool {
    std::env::var_os("TURNSCOPE_REQUIRE_TSHARK").is_some_and(|value| value == "1")
}

/// All captures of the samples, and those in the folders of `TURNSCOPE_CAPTURES=DIR[:DIR…]`.
pub fn captures() -> Vec<PathBuf> {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let more = std::env::var_os("TURNSCOPE_CAPTURES").unwrap_or_default();
    let folders = fs::read_dir(samples).unwrap().map(|entry| entry.unwrap().path()).chain(std::env::split_paths(&more));
    let mut found: Vec<PathBuf> = folders
        .filter(|folder| folder.is_dir())
        .flat_map(|folder| fs::read_dir(folder).unwrap())
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "pcap" || end == "pcapng"))
        .collect();
    found.sort();
    found
}
