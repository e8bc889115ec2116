//! Arguments as typed.

use super::error::Error;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args as ClapArgs, CommandFactory as _, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

const EXIT: &str = "Exit status: 0 no failure found, 1 at least one failure, 2 wrong usage or nothing readable.";

const VERIFY_EXIT: &str = "Exit status: 0 done, 1 a message that none of the credentials which apply to it made, 2 wrong usage or nothing readable.";

const BATCH_EXIT: &str = "Exit status: 0 done, 1 by --fail-on, 2 wrong usage or something that could not be read (all else is done), 130 stopped.";

/// Explains from packet captures why a WebRTC client's TURN, ICE, DTLS or media failed.
///
/// A capture is a pcap or pcapng file, compressed or not, or - for standard input. Without a command, captures are analyzed.
#[derive(Debug, Parser)]
#[command(name = "turnscope", version, after_help = EXIT, subcommand_negates_reqs = true, disable_help_subcommand = true)]
pub(super) struct Args {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub analyze: Analyze,
    #[command(flatten)]
    pub common: Common,
}

impl Args {
    /// The definition of the command line. A variable of the environment that is set to nothing counts as not set.
    pub(super) fn definition() -> clap::Command {
        fn without_empty(command: clap::Command) -> clap::Command {
            let is_empty =
                |arg: &clap::Arg| arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
            let command = command.mut_args(|arg| if is_empty(&arg) { arg.env(None::<&str>) } else { arg });
            command.mut_subcommands(without_empty)
        }
        without_empty(Args::command())
    }

    /// Whether the command reads captures, so that the user's defaults are about it.
    pub(super) fn reads_captures(&self) -> bool {
        !matches!(self.command, Some(Command::Explain { .. } | Command::Completions { .. } | Command::Man))
    }

    /// What is typed before a command would belong to nothing, the common options excepted.
    pub(super) fn check_order(matches: &ArgMatches) -> Result<(), Error> {
        let command = Args::command();
        let mut own = command.get_arguments().filter(|arg| !arg.is_global_set());
        let is_typed = |arg: &clap::Arg| matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
        if matches.subcommand().is_some() && own.any(is_typed) {
            return Err(Error::new("", "options stand before the command", "put them after it"));
        }
        Ok(())
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Say what happened, what failed and why (the default)
    #[command(after_help = EXIT)]
    Analyze(Box<Analyze>),
    /// Print one row a message, in the order of the capture
    ///
    /// JSON Lines and CSV are for scripts; CSV has the scalar fields of JSON in its order, named in the first line.
    Messages(Box<Messages>),
    /// Say which credential signed which message
    #[command(after_help = VERIFY_EXIT)]
    Verify(Box<Verify>),
    /// Draw who sent what to whom: the ladder between client, NAT, relay and peer
    ///
    /// What relay messages carry is drawn as going on to the peer; what repeats is folded. Of several sessions, the one that the headline is
    /// about is drawn.
    #[command(after_help = "Exit status: 0, or 2 on wrong usage or if nothing is readable.")]
    Flow(Box<Flow>),
    /// Analyze many captures at once: a report each, and tables of all
    ///
    /// Into the folder of results go a report of each capture (reports/), one line on each (summary.jsonl), tables for data frames and databases
    /// (*.parquet) and a page to look at (index.html). What cannot be read is told there, and stops nothing.
    #[command(after_help = BATCH_EXIT)]
    Batch(Box<Batch>),
    /// Write the frames that matter, with what was found as comments that Wireshark shows
    ///
    /// The original's comments, names, interfaces and times stay as they are. Of a capture that holds secrets these are kept, too.
    #[command(after_help = "Exit status: 0, or 2 on wrong usage or if nothing is readable.")]
    Annotate(Box<Annotate>),
    /// Write a capture that can be passed on: addresses, names, payloads and certificates are replaced or left out
    ///
    /// The same is found in it. Addresses keep their common prefixes and their reach, names their length and shape; each run puts others in their place.
    /// What the given credentials signed is signed anew with others that --credentials-out writes.
    #[command(after_help = "Exit status: 0, or 2 on wrong usage or if nothing is readable.")]
    Redact(Box<Redact>),
    /// Explain an error code, attribute, method, alert, suite or finding: 431, USERNAME, 0x0006, Allocate, bad_certificate,
    /// turn-integrity-rejected
    Explain {
        /// Number or name; a word before it says which kind is meant: alert 40
        #[arg(required = true, value_name = "WHAT")]
        what: Vec<String>,
    },
    /// Print the completion script of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Analyze {
    /// Captures; several are several vantage points of the same event
    #[arg(required = true, value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// Read rotated files of one capture (name_00001_20240501120000.pcapng, name.pcap1, …) as one
    #[arg(long)]
    pub join: bool,
    /// Form of the report
    #[arg(long, value_enum, default_value_t = PageFormat::Text)]
    pub format: PageFormat,
    /// Write the report to a file, which appears when it is complete
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub reading: Reading,
    #[command(flatten)]
    pub beside: Beside,
    #[command(flatten)]
    pub text: Text,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Messages {
    /// The capture
    #[arg(value_name = "CAPTURE")]
    pub capture: PathBuf,
    /// Form of the rows
    #[arg(long, value_enum, default_value_t = RowFormat::Text)]
    pub format: RowFormat,
    /// Print RTP and RTCP packets, too
    #[arg(long)]
    pub media: bool,
    #[command(flatten)]
    pub reading: Reading,
    #[command(flatten)]
    pub text: Text,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Verify {
    /// The capture
    #[arg(value_name = "CAPTURE")]
    pub capture: PathBuf,
    /// Form of the result
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub format: ReportFormat,
    #[command(flatten)]
    pub reading: Reading,
    #[command(flatten)]
    pub text: Text,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Flow {
    /// Captures; several are several vantage points of the same event
    #[arg(required = true, value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// Form of the drawing
    #[arg(long, value_enum, default_value_t = FlowFormat::Text)]
    pub format: FlowFormat,
    /// Draw this session, by its number in the list
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub session: Option<u32>,
    /// Write the drawing to a file, which appears when it is complete
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub reading: Reading,
    /// How times are shown
    #[arg(long, value_enum, default_value_t = Times::Relative, value_name = "HOW", env = "TURNSCOPE_TIME", help_heading = "Output")]
    pub time: Times,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Batch {
    /// Captures, folders of them, patterns such as 'in/*.pcapng', and archives: zip, tar, tar.gz, tar.zst, tar.xz, tar.lz4. In folders, names that
    /// begin with a dot are passed over
    #[arg(required_unless_present = "files_from", value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The folder of results; it is made where there is none
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// How many captures are read at once [default: as many as there are cores]
    #[arg(short, long, value_name = "N", env = "TURNSCOPE_JOBS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// Go on where an earlier batch into the same folder was stopped, and read only what has changed; captures are known by their content
    #[arg(long)]
    pub resume: bool,
    /// Read the paths in a file, too: one a line, or with zero bytes between; - is standard input
    #[arg(long, value_name = "FILE")]
    pub files_from: Option<PathBuf>,
    /// End with status 1 if a capture has such a verdict
    #[arg(long, value_enum, value_name = "VERDICT")]
    pub fail_on: Option<FailOn>,
    /// Read rotated files (name_00001_…, name.pcap1) as one capture
    #[arg(long)]
    pub join: bool,
    /// Make a table of all messages, too
    #[arg(long)]
    pub messages: bool,
    /// Write each report as a page to look at, too (reports/*.html), as analyze --format html does; index.html then leads to these
    #[arg(long)]
    pub html: bool,
    #[command(flatten)]
    pub reading: Reading,
    #[command(flatten)]
    pub beside: Beside,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Annotate {
    /// The capture, which is read twice: a file
    #[arg(value_name = "CAPTURE")]
    pub capture: PathBuf,
    /// The pcapng file to write, which appears when it is complete
    #[arg(short, long, value_name = "OUT.pcapng")]
    pub output: PathBuf,
    /// Write all frames, not only those that matter
    #[arg(long)]
    pub all: bool,
    /// Put the keys of --keylog that are of this capture into it, so that Wireshark opens what they open: whoever has the file has the keys
    #[arg(long)]
    pub embed_keys: bool,
    #[command(flatten)]
    pub reading: Reading,
}

#[derive(Debug, ClapArgs)]
#[command(mut_args(|arg| if matches!(arg.get_id().as_str(), "from" | "to" | "host" | "user") { arg.hide(true) } else { arg }))]
pub(super) struct Redact {
    /// The capture, which is read twice: a file
    #[arg(value_name = "CAPTURE")]
    pub capture: PathBuf,
    /// The pcapng file to write, which appears when it is complete
    #[arg(short, long, value_name = "OUT.pcapng")]
    pub output: PathBuf,
    /// Write the credentials that stand in for those given, as TOML, so that the receiver can verify
    #[arg(long, value_name = "FILE")]
    pub credentials_out: Option<PathBuf>,
    /// Write the session descriptions of --sdp with what stands in their place in the capture, as JSON that --sdp reads
    #[arg(long, value_name = "FILE", requires = "sdp")]
    pub sdp_out: Option<PathBuf>,
    /// Write what was replaced by what, as JSON; not to be passed on
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,
    /// Leave certificates as they are, and the names that clients ask for
    #[arg(long)]
    pub keep_certificates: bool,
    #[command(flatten)]
    pub reading: Reading,
}

/// What makes the exit status of a batch 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FailOn {
    /// A failure
    Failure,
    /// A failure or a warning
    Warning,
}

/// What captures are read with.
#[derive(Debug, Default, ClapArgs)]
#[command(next_help_heading = "Reading")]
pub(super) struct Reading {
    /// Credentials to test messages with: TOML, coturn's turnserver.conf, a Meeting Server's turnServer XML, or what --sdp takes; may be repeated.
    /// Without it the file that TURNSCOPE_CREDENTIALS names, or those of ~/.config/turnscope/config.toml
    #[arg(long, value_name = "FILE")]
    pub credentials: Vec<PathBuf>,
    /// What the two sides told each other: SDP, or Chromium's webrtc-internals dump; may be repeated
    #[arg(long, value_name = "FILE")]
    pub sdp: Vec<PathBuf>,
    /// Passwords to test messages with, one a line; may be repeated
    #[arg(long, value_name = "FILE")]
    pub passwords: Vec<PathBuf>,
    /// Key log of TLS and DTLS, as programs write it to SSLKEYLOGFILE; may be repeated
    #[arg(long, value_name = "FILE")]
    pub keylog: Vec<PathBuf>,
    /// Ask for a password at the terminal, without echo
    #[arg(long)]
    pub ask_password: bool,
    /// Only from this time: 2024-05-01T12:00:00Z, 12:00:00 on the day of the capture, or +12.5 seconds after its start
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Option<String>,
    /// Only up to this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<String>,
    /// Only what is sent from or to this address: IP, IP:PORT, [IPv6]:PORT or IP/PREFIX; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub host: Vec<String>,
    /// Only what belongs to this user name
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
}

/// What is laid beside the captures.
#[derive(Debug, Default, ClapArgs)]
#[command(next_help_heading = "Beside the captures")]
pub(super) struct Beside {
    /// What should be: TOML, coturn's turnserver.conf, or the XML of a Meeting Server's turnServer or its status; may be repeated
    #[arg(long, value_name = "FILE")]
    pub deployment: Vec<PathBuf>,
    /// A server's log: of a Meeting Server, coturn, or syslog; may be repeated
    #[arg(long, value_name = "FILE")]
    pub log: Vec<PathBuf>,
    /// What is added to the times of all logs, in seconds or as ±hh:mm:ss, instead of finding it out
    #[arg(long, value_name = "OFFSET", allow_hyphen_values = true, requires = "log")]
    pub log_offset: Option<String>,
}

#[derive(Debug, Default, ClapArgs)]
#[command(next_help_heading = "Output")]
pub(super) struct Text {
    /// How times are shown in text; JSON is always UTC
    #[arg(long, value_enum, default_value_t = Times::Utc, value_name = "HOW", env = "TURNSCOPE_TIME")]
    pub time: Times,
}

#[derive(Clone, Copy, Debug, Default, ClapArgs)]
#[command(next_help_heading = "Output")]
pub(super) struct Common {
    /// When to colour the output
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN", env = "TURNSCOPE_COLOR")]
    pub color: Colour,
    /// Print the headline alone, and no warnings
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print whole lists instead of their first entries
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object
    Json,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum PageFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object
    Json,
    /// One file for a browser, with the ladder, that loads nothing from anywhere
    Html,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum FlowFormat {
    /// For a terminal
    #[default]
    Text,
    /// A picture for browsers and documents
    Svg,
    /// A sequence diagram that tickets and wikis draw
    Mermaid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RowFormat {
    /// One line a message, for people
    Text,
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values with a header
    Csv,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Times {
    /// In UTC
    #[default]
    Utc,
    /// In this machine's time zone
    Local,
    /// In seconds since the capture's first frame
    Relative,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definition_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn captures_without_a_command_are_analyzed() {
        let args = parse("turnscope a.pcap b.pcap --format json").unwrap();
        assert!(args.command.is_none());
        assert_eq!(args.analyze.captures, [PathBuf::from("a.pcap"), PathBuf::from("b.pcap")]);
        assert_eq!(args.analyze.format, PageFormat::Json);
        assert!(parse("turnscope").is_err());
    }

    #[test]
    fn commands_take_their_own_options_and_the_common_ones_anywhere() {
        let args = parse("turnscope --color never messages - --format csv --time relative -v").unwrap();
        assert_eq!((args.common.color, args.common.verbose), (Colour::Never, true));
        let Some(Command::Messages(messages)) = args.command else { panic!("messages") };
        assert_eq!(
            (messages.capture.to_str(), messages.format, messages.text.time),
            (Some("-"), RowFormat::Csv, Times::Relative)
        );
    }

    #[test]
    fn a_ladder_is_drawn_with_relative_times_unless_others_are_asked_for() {
        let args = parse("turnscope flow a.pcap b.pcap --format svg --session 2 -o out.svg").unwrap();
        let Some(Command::Flow(flow)) = args.command else { panic!("flow") };
        assert_eq!((flow.captures.len(), flow.format, flow.session), (2, FlowFormat::Svg, Some(2)));
        assert_eq!(flow.time, Times::Relative);
        assert!(parse("turnscope flow a.pcap --session 0").is_err());
    }

    #[test]
    fn a_password_is_no_argument_and_these_are_the_commands() {
        assert!(parse("turnscope a.pcap --password x").is_err());
        let names: Vec<String> = Args::command().get_subcommands().map(|c| c.get_name().to_owned()).collect();
        assert_eq!(
            names,
            ["analyze", "messages", "verify", "flow", "batch", "annotate", "redact", "explain", "completions", "man"]
        );
    }
}
