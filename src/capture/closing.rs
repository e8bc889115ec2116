//! Decryption secrets at the end of a pcapng file: what they open stands before them, so they are looked up from there.

use super::block;
use super::info::Secrets;
use super::options::Order;
use crate::secret::Secret;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use zeroize::Zeroizing;

/// How many blocks are looked at: the statistics of each interface may stand there, too.
const BLOCKS: usize = 256;
/// The largest block that is looked at, and how many bytes of secrets are taken.
const LARGEST: usize = 4 << 20;

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
        let Ok((block::SECTION_HEADER, order, _)) = block::head(&read::<12>(file, 0)?, Order::default(), usize::MAX)
        else {
            return Ok(());
        };
        self.place = end..end;
        let mut room = LARGEST;
        for _ in 0..BLOCKS {
            let length = order.u32(&read::<4>(file, self.place.start.saturating_sub(4))?, 0).unwrap_or_default();
            let Some(start) = self.place.start.checked_sub(u64::from(length)) else { break };
            let head = block::head(&read::<12>(file, start)?, order, LARGEST);
            let Ok((kind, _, size)) = head else { break };
            if size != length as usize || block::is_packet(kind) || kind == block::SECTION_HEADER {
                break;
            }
            if kind == block::SECRETS {
                let Some(left) = room.checked_sub(size) else { break };
                room = left;
                let mut body = Zeroizing::new(vec![0; size - 12]);
                file.seek(SeekFrom::Start(start + 8))?;
                file.read_exact(&mut body)?;
                let found = block::secrets(&body, order);
                let secrets = found.map(|(kind, data)| (kind, body.get(data).unwrap_or_default()));
                self.secrets.extend(secrets.map(|(kind, data)| Secrets { kind, data: Secret::from(data) }));
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
