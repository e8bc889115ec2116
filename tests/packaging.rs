//! What is packed: the files that the package names are there, or made by the script that packs them.
#![cfg(unix)] // there is bash
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_file_of_the_debian_package_is_there_or_made_by_the_script() {
    let manifest: toml::Table = toml::from_str(&fs::read_to_string(root().join("Cargo.toml")).unwrap()).unwrap();
    let script = fs::read_to_string(root().join("packaging/deb.sh")).unwrap();
    let deb = &manifest["package"]["metadata"]["deb"];
    let assets = deb["assets"].as_array().unwrap();
    assert!(assets.len() > 5);
    for asset in assets {
        let from = asset[0].as_str().unwrap();
        let made = from.starts_with("target/package/") && script.contains(&format!(">{from}"));
        let built = from == "target/release/turnscope" && script.contains("cargo build --release");
        let there = glob::glob(root().join(from).to_str().unwrap()).unwrap().count() > 0;
        assert!(made || built || there, "{from}");
        assert!(!asset[1].as_str().unwrap().starts_with('/'), "{from}: paths in a package are relative");
    }
    for named in ["README.md", "LICENSE-MIT", "LICENSE-APACHE", "CHANGELOG.md", "packaging/deb.sh"] {
        assert!(root().join(named).exists(), "{named}");
    }
    let syntax = Command::new("bash").arg("-n").arg(root().join("packaging/deb.sh")).status();
    assert!(syntax.is_ok_and(|status| status.success()), "the script does not parse");
}

#[test]
fn what_the_script_packs_is_what_the_program_prints() {
    for arguments in [&["man"][..], &["completions", "bash"], &["completions", "zsh"], &["completions", "fish"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_turnscope")).args(arguments).output().unwrap();
        assert!(output.status.success() && output.stdout.len() > 1000, "{arguments:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        for command in ["analyze", "messages", "verify", "flow", "batch", "annotate", "redact", "explain"] {
            assert!(text.to_lowercase().contains(command), "{arguments:?}: {command}");
        }
    }
}
