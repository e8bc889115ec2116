//! The command, and a folder of files for it.

use assert_cmd::Command;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// turnscope without what the environment of the tests would have it do.
pub fn turnscope() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_turnscope"));
    command
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE")
        .env("TURNSCOPE_CONFIG", "")
        .timeout(Duration::from_secs(120));
    command
}

/// turnscope with these arguments, each a text or a path.
macro_rules! command {
    ($($argument:expr),+) => {{
        let mut command = $crate::support::desk::turnscope();
        $(command.arg($argument);)+
        command
    }};
}
pub(crate) use command;

/// A folder that goes with the value.
pub struct Desk {
    pub folder: tempfile::TempDir,
}

impl Desk {
    pub fn new() -> Self {
        Desk { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file and the folders that it is in.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}
