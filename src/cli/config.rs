//! The file of defaults: what a user always gives. It never comes from the working directory, since captures lie there that others made.
//!
//! What is typed counts before the environment, and that before this file.

use super::args::{Colour, FlowFormat, PageFormat, ReportFormat, RowFormat, Times};
use super::credentials::slurp;
use super::error::Error;
use clap::{Command, ValueEnum};
use serde::Deserialize;
use std::env;
use std::path::{Path, PathBuf};

/// The largest that is read, in bytes.
const MAX_FILE: usize = 1 << 20;
/// Names the file; empty: none is read.
const CONFIG: &str = "TURNSCOPE_CONFIG";

/// Defaults of options, by their long names.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Config {
    color: Option<String>,
    time: Option<String>,
    jobs: Option<u16>,
    /// Files, as of the options of these names.
    pub credentials: Vec<PathBuf>,
    pub passwords: Vec<PathBuf>,
    pub sdp: Vec<PathBuf>,
    pub keylog: Vec<PathBuf>,
    analyze: Form,
    messages: Form,
    verify: Form,
    flow: Form,
}

/// What is by command.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Form {
    format: Option<String>,
}

impl Config {
    /// The defaults of this user; none where there is no file.
    pub(super) fn read() -> Result<Self, Error> {
        let Some((path, named)) = place(|name| env::var_os(name).map(PathBuf::from)) else {
            return Ok(Config::default());
        };
        if !named && !path.exists() {
            return Ok(Config::default());
        }
        let origin = path.display().to_string();
        let text = slurp(&path, MAX_FILE)?;
        let text = std::str::from_utf8(text.expose())
            .map_err(|_| Error::new(&origin, "not UTF-8 text", "the file of defaults is TOML, see the manual page"))?;
        Config::parse(text, &origin, path.parent().unwrap_or(Path::new("")))
    }

    fn parse(text: &str, origin: &str, folder: &Path) -> Result<Self, Error> {
        let mut config: Config = toml::from_str(text).map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let what = error.message().replace('\n', " ");
            Error::new(format!("{origin}, line {line}"), what, "see the manual page for what may stand there")
        })?;
        check::<Colour>(origin, "color", &config.color)?;
        check::<Times>(origin, "time", &config.time)?;
        check::<PageFormat>(origin, "analyze.format", &config.analyze.format)?;
        check::<RowFormat>(origin, "messages.format", &config.messages.format)?;
        check::<ReportFormat>(origin, "verify.format", &config.verify.format)?;
        check::<FlowFormat>(origin, "flow.format", &config.flow.format)?;
        if config.jobs.is_some_and(|jobs| !(1..=1024).contains(&jobs)) {
            return Err(Error::new(origin, "jobs: not a number from 1 to 1024", ""));
        }
        let home = env::home_dir();
        for path in [&mut config.credentials, &mut config.passwords, &mut config.sdp, &mut config.keylog] {
            path.iter_mut().for_each(|path| *path = resolved(path, folder, home.as_deref()));
        }
        Ok(config)
    }

    /// The definition of the command line with these defaults instead of its own.
    pub(super) fn apply(&self, command: Command) -> Command {
        let jobs = self.jobs.map(|jobs| jobs.to_string());
        let by_name = [("color", &self.color), ("time", &self.time), ("jobs", &jobs)];
        let forms =
            [("analyze", &self.analyze), ("messages", &self.messages), ("verify", &self.verify), ("flow", &self.flow)];
        let command = by_name.into_iter().fold(command, |command, (name, value)| with_default(command, name, value));
        let mut command = with_default(command, "format", &self.analyze.format);
        let names: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
        for name in names {
            let form = forms.iter().find(|(of, _)| *of == name).and_then(|(_, form)| form.format.clone());
            command = command.mut_subcommand(name, |command| {
                let all = by_name.into_iter().chain([("format", &form)]);
                all.fold(command, |command, (name, value)| with_default(command, name, value))
            });
        }
        command
    }
}

fn with_default(command: Command, name: &str, value: &Option<String>) -> Command {
    match value {
        Some(value) if command.get_arguments().any(|arg| arg.get_id() == name) => {
            // clap takes what lives as long as the process, and so do these few
            let value: &'static str = value.clone().leak();
            command.mut_arg(name, |arg| arg.default_value(value))
        }
        _ => command,
    }
}

/// Where the file is, and whether it was named.
fn place(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<(PathBuf, bool)> {
    if let Some(named) = variable(CONFIG) {
        return (!named.as_os_str().is_empty()).then_some((named, true));
    }
    // a relative folder would be one of the working directory
    let absolute = |name: &str| variable(name).filter(|path| path.is_absolute());
    let folder = absolute("XDG_CONFIG_HOME")
        .or_else(|| absolute("APPDATA").filter(|_| cfg!(windows)))
        .or_else(|| absolute("HOME").map(|home| home.join(".config")))?;
    Some((folder.join("turnscope").join("config.toml"), false))
}

/// A path of the file: `~/` is the user's home, and what is relative is so to the folder of the file.
fn resolved(path: &Path, folder: &Path, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => folder.join(path),
    }
}

fn check<T: ValueEnum>(origin: &str, name: &str, value: &Option<String>) -> Result<(), Error> {
    let Some(value) = value else { return Ok(()) };
    if T::from_str(value, false).is_ok() {
        return Ok(());
    }
    let possible = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    let possible: Vec<String> = possible.map(|value| value.get_name().to_owned()).collect();
    Err(Error::new(origin, format_args!("{name}: {value:?} is none of {}", possible.join(", ")), ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, Error> {
        Config::parse(text, "config.toml", Path::new("/etc/of-user"))
    }

    #[test]
    fn the_file_is_named_or_in_the_folder_of_the_user_and_never_in_the_working_directory() {
        let root = if cfg!(windows) { "C:" } else { "" };
        let found = |variables: &[(&str, &str)]| {
            let at = |path: &str| {
                PathBuf::from(if path.starts_with('/') { format!("{root}{path}") } else { path.to_owned() })
            };
            place(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, path)| at(path)))
                .map(|(path, _)| path)
        };
        let is_at = |path: &str| Some(PathBuf::from(format!("{root}{path}")));
        assert_eq!(found(&[("HOME", "/home/u")]), is_at("/home/u/.config/turnscope/config.toml"));
        assert_eq!(found(&[("HOME", "/home/u"), ("XDG_CONFIG_HOME", "/conf")]), is_at("/conf/turnscope/config.toml"));
        assert_eq!(found(&[("HOME", "/home/u"), ("TURNSCOPE_CONFIG", "/x.toml")]), is_at("/x.toml"));
        assert_eq!(found(&[("HOME", "/home/u"), ("TURNSCOPE_CONFIG", "")]), None);
        assert_eq!(found(&[("XDG_CONFIG_HOME", "relative"), ("HOME", ".")]), None);
    }

    #[test]
    fn paths_are_of_the_folder_of_the_file() {
        let config = parse("credentials = [\"mine.toml\", \"/abs.toml\"]\nkeylog = [\"k.log\"]\n").unwrap();
        assert_eq!(config.credentials, [Path::new("/etc/of-user/mine.toml"), Path::new("/abs.toml")]);
        assert_eq!(config.keylog, [Path::new("/etc/of-user/k.log")]);
        assert_eq!(resolved(Path::new("~/a"), Path::new("/f"), Some(Path::new("/home/u"))), Path::new("/home/u/a"));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, said) in [
            ("color = \"never\"\ncolour = \"never\"\n", "config.toml, line 2: unknown field `colour`"),
            ("time = \"noon\"\n", "time: \"noon\" is none of utc, local, relative"),
            ("[analyze]\nformat = \"csv\"\n", "analyze.format: \"csv\" is none of text, json, html"),
            ("jobs = 0\n", "jobs: not a number from 1 to 1024"),
            ("color = \n", "config.toml, line 1"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn what_is_typed_counts_before_the_file() {
        use clap::{CommandFactory as _, FromArgMatches as _};
        let config = parse("color = \"never\"\ntime = \"local\"\n[messages]\nformat = \"csv\"\n").unwrap();
        let args = |line: &str| {
            let command = config.apply(super::super::args::Args::command());
            let matches = command.try_get_matches_from(line.split(' ')).unwrap();
            super::super::args::Args::from_arg_matches(&matches).unwrap()
        };
        let of = |line: &str| match args(line).command {
            Some(super::super::args::Command::Messages(messages)) => (messages.format, messages.text.time),
            _ => panic!("messages"),
        };
        assert_eq!(of("turnscope messages a.pcap"), (RowFormat::Csv, Times::Local));
        assert_eq!(of("turnscope messages a.pcap --format jsonl --time utc"), (RowFormat::Jsonl, Times::Utc));
        assert_eq!(args("turnscope messages a.pcap").common.color, Colour::Never);
        assert_eq!(args("turnscope a.pcap --color always").common.color, Colour::Always);
        assert_eq!(args("turnscope a.pcap").analyze.format, PageFormat::Text);
    }
}
