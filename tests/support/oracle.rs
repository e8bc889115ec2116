//! tshark as an oracle: whether it is there, and what it is asked.

use std::path::Path;
use std::process::Command;

/// Whether tshark is there. A test that finds none says that it is skipped, or fails with `TURNSCOPE_REQUIRE_TSHARK=1`.
pub fn has_tshark() -> bool {
    let Err(error) = Command::new("tshark").arg("--version").output() else { return true };
    let required = std::env::var_os("TURNSCOPE_REQUIRE_TSHARK").is_some_and(|value| value == "1");
    assert!(!required, "tshark is required: {error}");
    eprintln!("skipped: there is no tshark ({error}); install it to hold turnscope against it");
    false
}

/// What tshark prints of a capture, or what it says against it.
pub fn tshark(path: &Path, arguments: &[&str]) -> Result<String, String> {
    let output =
        Command::new("tshark").arg("-r").arg(path).args(arguments).output().map_err(|error| error.to_string())?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// The values of fields, a row for each frame that is shown, as [`tshark`] prints them.
pub fn fields(path: &Path, arguments: &[&str], fields: &[&str]) -> Result<Vec<Vec<String>>, String> {
    let mut arguments = [arguments, &["-T", "fields"]].concat();
    arguments.extend(fields.iter().flat_map(|field| ["-e", field]));
    let text = tshark(path, &arguments)?;
    Ok(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}
