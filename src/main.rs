//! The `turnscope` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    turnscope::cli::main()
}
