//! Makes captures for measuring: the same options give the same file, byte for byte, on every machine, and the truth about it
//! (what a correct reader must count) goes to standard output as JSON.
//!
//! ```text
//! cargo run --release --example generate -- --shape media --size 1GiB --format pcapng --seed 1 -o media.pcapng > media.json
//! ```
//!
//! `--size` is the size as pcap; the pcapng of the same options holds the same packets and is a little larger. `--flows` sets the
//! number of UDP clients (signalling), calls (media) or TCP connections (mixed) where it shall not follow from size; with it
//! given, twice the size means the same flows for twice as long.
// A generator that cannot go on stops loudly; nothing here reads data that someone else made.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod call;
mod media;
mod mixed;
mod options;
mod output;
mod random;
mod signalling;
mod stun;
mod truth;

use std::io::Write;

use options::{Options, Shape};
use output::Output;

fn main() {
    let options = match Options::from_arguments(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("generate: {problem}\n\n{}", options::USAGE);
            std::process::exit(2);
        }
    };
    let mut output = Output::create(&options);
    match options.shape {
        Shape::Media => media::generate(&options, &mut output),
        Shape::Signalling => signalling::generate(&options, &mut output),
        Shape::Mixed => mixed::generate(&options, &mut output),
    }
    let truth = output.finish();
    // Whoever wants only the first lines may close the pipe.
    let _ = writeln!(std::io::stdout(), "{}", truth.json(&options));
}
