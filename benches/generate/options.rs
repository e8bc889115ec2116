//! The command line.

use std::path::PathBuf;

pub(crate) const USAGE: &str = "usage: generate --shape media|signalling|mixed -o FILE
                [--size 1GiB] [--format pcap|pcapng] [--seed 1] [--flows N] [--packets N]
       generate --files N -o FOLDER [--shape …] [--size 50KiB] …      N captures, of all shapes in turn if none is given";

/// All shapes, in the order in which the files of a folder have them.
pub(crate) const SHAPES: [Shape; 3] = [Shape::Media, Shape::Signalling, Shape::Mixed];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    Media,
    Signalling,
    Mixed,
}

impl Shape {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Media => "media",
            Self::Signalling => "signalling",
            Self::Mixed => "mixed",
        }
    }
}

#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) shape: Shape,
    /// Whether the shape is one that was asked for.
    pub(crate) shape_given: bool,
    /// How many files to make, in a folder.
    pub(crate) files: Option<u32>,
    /// Bytes of the file as pcap, at least 16 KiB.
    pub(crate) size: u64,
    pub(crate) pcapng: bool,
    pub(crate) seed: u64,
    pub(crate) flows: Option<u32>,
    /// Stop after so many, though the plan is for the whole size.
    pub(crate) packets: u64,
    pub(crate) file: PathBuf,
}

impl Options {
    pub(crate) fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut shape, mut file, mut flows) = (None, None, None);
        let (mut files, mut size_given) = (None, false);
        let (mut size, mut pcapng, mut seed, mut packets) = (1 << 30, false, 1, u64::MAX);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--shape" => shape = Some(parse_shape(&value)?),
                "--files" => files = Some(value.parse().map_err(|_| format!("not a number of files: {value}"))?),
                "--size" => (size, size_given) = (parse_size(&value)?, true),
                "--format" => {
                    pcapng = match value.as_str() {
                        "pcap" => false,
                        "pcapng" => true,
                        _ => return Err(format!("no such format: {value}")),
                    }
                }
                "--seed" => seed = value.parse().map_err(|_| format!("not a seed: {value}"))?,
                "--flows" => flows = Some(parse_flows(&value)?),
                "--packets" => packets = value.parse().map_err(|_| format!("not a number of packets: {value}"))?,
                "-o" | "--output" => file = Some(value.into()),
                _ => return Err(format!("no such option: {name}")),
            }
        }
        let shape_given = shape.is_some();
        let shape = shape.or(files.map(|_: u32| Shape::Media)).ok_or("--shape is missing")?;
        let file = file.ok_or("-o is missing")?;
        if files.is_some() && !size_given {
            size = 50 << 10;
        }
        Ok(Self { shape, shape_given, files, size, pcapng, seed, flows, packets, file })
    }

    /// `per_gib` scaled to the size, unless the number was given.
    pub(crate) fn flows_or_scaled(&self, per_gib: u64) -> u32 {
        self.flows.unwrap_or_else(|| ((per_gib * self.size) >> 30).max(16) as u32)
    }
}

fn parse_shape(text: &str) -> Result<Shape, String> {
    SHAPES.into_iter().find(|shape| shape.name() == text).ok_or_else(|| format!("no such shape: {text}"))
}

fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let shift = match &text[digits.len()..] {
        "" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        unit => return Err(format!("no such unit: {unit} (KiB, MiB or GiB)")),
    };
    let number: u64 = digits.parse().map_err(|_| format!("not a size: {text}"))?;
    number
        .checked_mul(1 << shift)
        .filter(|size| (16 << 10..1 << 40).contains(size))
        .ok_or_else(|| format!("out of range (16 KiB to 1 TiB): {text}"))
}

fn parse_flows(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|number| (1..=4_000_000).contains(number))
        .ok_or_else(|| format!("not a number of flows: {text}"))
}
