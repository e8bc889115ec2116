//! The command line.

use std::path::PathBuf;

pub(crate) const USAGE: &str = "usage: generate --shape media|signalling|mixed -o FILE
                [--size 1GiB] [--format pcap|pcapng] [--seed 1] [--flows N] [--packets N]";

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

pub(crate) struct Options {
    pub(crate) shape: Shape,
    /// Bytes of the file as pcap, at least 64 KiB.
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
        let (mut size, mut pcapng, mut seed, mut packets) = (1 << 30, false, 1, u64::MAX);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--shape" => shape = Some(parse_shape(&value)?),
                "--size" => size = parse_size(&value)?,
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
        let shape = shape.ok_or("--shape is missing")?;
        let file = file.ok_or("-o is missing")?;
        Ok(Self { shape, size, pcapng, seed, flows, packets, file })
    }

    /// `per_gib` scaled to the size, unless the number was given.
    pub(crate) fn flows_or_scaled(&self, per_gib: u64) -> u32 {
        self.flows.unwrap_or_else(|| ((per_gib * self.size) >> 30).max(16) as u32)
    }
}

fn parse_shape(text: &str) -> Result<Shape, String> {
    [Shape::Media, Shape::Signalling, Shape::Mixed]
        .into_iter()
        .find(|shape| shape.name() == text)
        .ok_or_else(|| format!("no such shape: {text}"))
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
        .filter(|size| (64 << 10..1 << 40).contains(size))
        .ok_or_else(|| format!("out of range (64 KiB to 1 TiB): {text}"))
}

fn parse_flows(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|number| (1..=4_000_000).contains(number))
        .ok_or_else(|| format!("not a number of flows: {text}"))
}
