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
pub(crate) mod options;
mod output;
mod random;
mod signalling;
mod stun;
mod truth;

use std::io::Write;

use options::{Options, SHAPES, Shape};
use output::Output;
use truth::Truth;

fn main() {
    let options = match Options::from_arguments(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("generate: {problem}\n\n{}", options::USAGE);
            std::process::exit(2);
        }
    };
    if let Some(files) = options.files {
        return folder(&options, files);
    }
    let truth = one(&options);
    // Whoever wants only the first lines may close the pipe.
    let _ = writeln!(std::io::stdout(), "{}", truth.json(&options));
}

/// Captures of the same size, each with a seed of its own.
fn folder(options: &Options, files: u32) {
    std::fs::create_dir_all(&options.file).unwrap();
    let extension = if options.pcapng { "pcapng" } else { "pcap" };
    for number in 0..files {
        let shape = if options.shape_given { options.shape } else { SHAPES[number as usize % SHAPES.len()] };
        let file = options.file.join(format!("{number:05}-{}.{extension}", shape.name()));
        one(&Options { shape, seed: options.seed + u64::from(number), file, ..options.clone() });
    }
}

pub(crate) fn one(options: &Options) -> Truth {
    let mut output = Output::create(options);
    match options.shape {
        Shape::Media => media::generate(options, &mut output),
        Shape::Signalling => signalling::generate(options, &mut output),
        Shape::Mixed => mixed::generate(options, &mut output),
    }
    output.finish()
}
