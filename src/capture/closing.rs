//! Decryption secrets at the end of a pcapng file: what they open stands before them, so they are looked up from there.

use super::block;
use super::info::{Secrets, SecretsKind};
use super::options::Order;
use crate::secret::Secret;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use zeroize::Zeroizing;

/// How many blocks are looked at: the statistics of each interface may stand there, too.
const BLOCKS: usize = 256;
/// The largest block that is looked at, and how many bytes of secrets are taken.
const LARGEST: u32 = 4 << 20;

/// The secrets that stand behind the last packet of a file.
#[derive(Debug, Default)]
pub struct Closing {
    pub(super) secrets: Vec<Secrets>,
    /// Where in the file they stand.
    pub(super) place: Range<u64>,
}

impl Closing {
    /// Looks from the end of a file backwards to its last packet. Nothing is found in a file of another format, in one that is packed, and
    /// in one that ends in damage.
    pub fn find(file: &mut (impl Read + Seek)) -> Self {
        let mut found = Closing::default();
        // what cannot be read from its end is read from its beginning all the same
        if found.walk(file).is_err() {
            return Closing::default();
        }
        found.secrets.reverse();
        found
    }

    fn walk(&mut self, file: &mut (impl Read + Seek)) -> io::Result<()> {
        let end = file.seek(SeekFrom::End(0))?;
        let head: [u8; 12] = read(file, 0)?;
        let order = Order { big_endian: head.ends_with(&[0x1a, 0x2b, 0x3c, 0x4d]) };
        if order.u32(&head, 0) != Some(block::SECTION_HEADER) {
            return Ok(());
        }
        self.place = end..end;
        let mut room = LARGEST;
        for _ in 0..BLOCKS {
            let length: [u8; 4] = read(file, self.place.start.saturating_sub(4))?;
            let length = order.u32(&length, 0).unwrap_or_default();
            let Some(start) = self.place.start.checked_sub(u64::from(length)).filter(|_| length <= LARGEST) else {
                break;
            };
            let head: [u8; 8] = read(file, start)?;
            let kind = order.u32(&head, 0).unwrap_or(block::SECTION_HEADER);
            if order.u32(&head, 4) != Some(length) || block::is_packet(kind) || kind == block::SECTION_HEADER {
                break;
            }
            if kind == block::SECRETS {
                let Some(left) = room.checked_sub(length) else { break };
                room = left;
                self.secrets.extend(secrets(file, order, length)?);
            }
            self.place.start = start;
        }
        Ok(())
    }
}

/// The bytes that stand at a place.
fn read<const N: usize>(file: &mut (impl Read + Seek), at: u64) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The secrets in a block of so many bytes, behind its head.
fn secrets(file: &mut impl Read, order: Order, length: u32) -> io::Result<Option<Secrets>> {
    let mut body = Zeroizing::new(vec![0; (length as usize).saturating_sub(12)]);
    file.read_exact(&mut body)?;
    let kind = order.u32(&body, 0);
    let data = order.u32(&body, 4).and_then(|length| body.get(8..)?.get(..length as usize));
    Ok(kind.zip(data).map(|(kind, data)| Secrets { kind: SecretsKind(kind), data: Secret::from(data) }))
}
