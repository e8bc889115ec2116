//! The manual page: one for all commands.

use super::args::Args;
use clap::CommandFactory as _;
use clap_mangen::Man;
use std::io::{self, Write};

/// Writes the page in roff.
pub(super) fn write(out: &mut impl Write) -> io::Result<()> {
    let mut page = Vec::new();
    sections(&mut page)?;
    out.write_all(PREAMBLE.as_bytes())?;
    out.write_all(without_preamble(&String::from_utf8_lossy(&page)).as_bytes())
}

fn sections(out: &mut impl Write) -> io::Result<()> {
    let mut command = Args::command();
    command.build();
    let page = Man::new(command.clone()).title("TURNSCOPE");
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    for subcommand in command.get_subcommands() {
        let name = subcommand.get_name().to_uppercase();
        let mut section = Vec::new();
        let part = Man::new(subcommand.clone());
        part.render_synopsis_section(&mut section)?;
        part.render_description_section(&mut section)?;
        part.render_options_section(&mut section)?;
        let text = String::from_utf8_lossy(&section);
        // How captures are read and results look is told once, above.
        let (own, shared) = [".SH READING", ".SH OUTPUT"]
            .iter()
            .filter_map(|head| text.split_once(head))
            .min_by_key(|(own, _)| own.len())
            .unzip();
        let text = own.unwrap_or(&text);
        // Sections of the command become parts of its section.
        let text = text.replace(".SH SYNOPSIS", ".PP").replace(".SH DESCRIPTION", ".PP").replace(".SH OPTIONS", ".PP");
        write!(out, ".SH \"{name}\"\n{text}")?;
        if shared.is_some() && matches!(subcommand.get_name(), "analyze" | "messages" | "verify" | "batch") {
            out.write_all(b".PP\nOptions of reading and output: as above.\n")?;
        }
    }
    out.write_all(CREDENTIALS.as_bytes())?;
    out.write_all(DEFAULTS.as_bytes())?;
    page.render_extra_section(out)?;
    page.render_version_section(out)
}

/// How an apostrophe is written, for groff and for others.
const PREAMBLE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

/// Every piece of roff begins with the same definitions, which are needed once.
fn without_preamble(text: &str) -> String {
    text.lines()
        .filter(|line| !line.starts_with(".ie ") && !line.starts_with(".el "))
        .map(|line| format!("{line}\n"))
        .collect()
}

const CREDENTIALS: &str = r#".SH CREDENTIALS
A file of credentials is TOML, with one table for each; every key but one secret is optional:
.PP
.nf
[[credential]]
label = "Meeting Server API"
side = "client"              # who is configured with it: client or server
username = "turnuser"
realm = "turnuser"
password = "..."             # or shared_secret, or key (hex), or ice_ufrag and ice_pwd
.fi
.PP
The configuration file of coturn (turnserver.conf) is read as it is, and so are session descriptions: SDP, and the dump of
chrome://webrtc-internals. Secrets are never printed.
"#;

const DEFAULTS: &str = r#".SH DEFAULTS
What is typed counts before the environment, and that before the file of defaults:
.IR $XDG_CONFIG_HOME/turnscope/config.toml ,
or else
.IR ~/.config/turnscope/config.toml ,
or the file that
.B TURNSCOPE_CONFIG
names (none is read where that is empty). It is never looked for in the working directory. Keys are long options; relative paths are of its folder:
.PP
.nf
color = "never"              # as --color: auto, always, never
time = "local"               # as --time: utc, local, relative
jobs = 4                     # as --jobs, of batch
credentials = ["mine.toml"]  # as --credentials; so passwords, sdp and keylog
[analyze]
format = "html"              # as --format; so [messages], [verify] and [flow]
.fi
.PP
Variables:
.B TURNSCOPE_CREDENTIALS
(a file),
.BR TURNSCOPE_COLOR ,
.BR TURNSCOPE_TIME ,
.B TURNSCOPE_JOBS
and
.BR NO_COLOR .
"#;
