//! Notes taken while reading, within the limits.

use crate::bounded::BoundedList;
use std::net::IpAddr;
use std::ops::Range;

use zeroize::Zeroize;

use super::Limits;
use super::buffer::Buffer;
use super::closing::Closing;
use super::info::{CaptureInfo, Comment, Damage, Format, Interface, Secrets, SecretsKind};
use super::records::OtherBlock;
use crate::frame::LinkType;
use crate::secret::Secret;
use crate::time::Timestamp;

/// Longest text kept of a name, description or application; comments may be longer.
const TEXT: usize = 1024;

/// The information gathered so far and how much more of it may be kept.
pub(super) struct Log {
    pub(super) info: CaptureInfo,
    pub(super) limits: Limits,
    comment_bytes: usize,
    secret_bytes: usize,
    /// Secrets at this place of the file are there already.
    known: Range<u64>,
    blocks: Blocks,
    /// Whether an option of the block at hand claims more than the block has.
    pub(super) overrun: bool,
}

/// What becomes of blocks that hold no frame, once they were taken in.
enum Blocks {
    Forgotten,
    /// Each is kept until it is asked for.
    Kept(Option<OtherBlock>),
}

impl Log {
    pub(super) fn new(format: Format, limits: Limits) -> Self {
        let info = CaptureInfo { format, ..CaptureInfo::default() };
        let (known, blocks) = (0..0, Blocks::Forgotten);
        Log { info, limits, comment_bytes: 0, secret_bytes: 0, known, blocks, overrun: false }
    }

    /// From now on blocks that hold no frame are kept, one at a time.
    pub(super) fn keep_blocks(&mut self) {
        self.blocks = Blocks::Kept(None);
    }

    /// Whether they are.
    pub(super) fn keeps_blocks(&self) -> bool {
        matches!(self.blocks, Blocks::Kept(_))
    }

    pub(super) fn keep_block(&mut self, block: OtherBlock) {
        self.blocks = Blocks::Kept(Some(block));
    }

    pub(super) fn take_block(&mut self) -> Option<OtherBlock> {
        if let Blocks::Kept(block) = &mut self.blocks { block.take() } else { None }
    }

    /// Counts a frame about to be delivered.
    #[inline]
    pub(super) fn frame(&mut self, time: Option<Timestamp>) {
        self.frames(1, time, time);
    }

    /// Counts frames with the least and the greatest of their times.
    #[inline]
    pub(super) fn frames(&mut self, count: u64, first: Option<Timestamp>, last: Option<Timestamp>) {
        self.info.frames += count;
        if let (Some(first), Some(last)) = (first, last) {
            if self.info.last_time.is_none_or(|known| last > known) {
                self.info.last_time = Some(last);
            }
            if self.info.first_time.is_none_or(|known| first < known) {
                self.info.first_time = Some(first);
            }
        }
    }

    pub(super) fn damage(&mut self, offset: u64, what: String, resumed_at: Option<u64>) {
        self.info.damage_total += 1;
        if self.info.damage.len() < self.limits.damage {
            let what = match self.info.format.compression {
                Some(_) => format!("{what} (offsets are those of the unpacked file)"),
                None => what,
            };
            self.info.damage.push(Damage { offset, after_frame: self.info.frames, what, resumed_at });
        }
    }

    /// Notes damage from an offset on, up to where the buffer is now: there a record makes sense again, if one was `found`, or nothing is left.
    pub(super) fn passed_over<R>(&mut self, buffer: &mut Buffer<R>, from: u64, what: String, found: bool) {
        self.damage(from, what, found.then(|| buffer.offset()));
        if !found && let Some(failure) = buffer.take_failure() {
            self.damage(buffer.offset(), failure, None);
        }
    }

    /// Notes how the input ended: with `needed` bytes wanted for `thing` where fewer are left, or by a failure to read it.
    pub(super) fn end<R>(&mut self, buffer: &mut Buffer<R>, thing: &str, needed: usize) {
        let offset = buffer.offset();
        let left = buffer.available().len();
        buffer.consume(left);
        self.cut(buffer, thing, offset, left, needed);
    }

    /// The same, for what has been consumed: a `thing` at `offset` of which `left` bytes are there.
    pub(super) fn cut<R>(&mut self, buffer: &mut Buffer<R>, thing: &str, offset: u64, left: usize, needed: usize) {
        let what = match (left, buffer.take_failure()) {
            (0, None) => return,
            (0, Some(failure)) => failure,
            (_, None) => format!("the file ends within {thing}: {left} of its {needed} bytes are there"),
            (_, Some(failure)) => format!("{failure}, within {thing}: {left} of its {needed} bytes are there"),
        };
        self.damage(offset, what, None);
    }

    pub(super) fn comment(&mut self, frame: Option<u64>, text: &[u8]) {
        let kept = self.comment_bytes.saturating_add(text.len());
        if self.info.comments.len() >= self.limits.comments || kept > self.limits.comment_bytes {
            self.info.comments_dropped += 1;
            return;
        }
        self.comment_bytes = kept;
        self.info.comments.push(Comment { frame, text: String::from_utf8_lossy(text).into_owned() });
    }

    pub(super) fn name(&mut self, address: IpAddr, name: &[u8]) {
        if self.info.names.len() < self.limits.names {
            self.info.names.push((address, text(name)));
        } else {
            self.info.names_dropped += 1;
        }
    }

    /// Takes secrets that stand at this place of the file, and clears them.
    pub(super) fn secrets(&mut self, at: u64, kind: SecretsKind, data: &mut [u8]) {
        if !self.known.contains(&at) {
            self.keep(Secrets { kind, data: Secret::new(data.to_vec()) });
        }
        data.zeroize();
    }

    /// What stands at the end of the file.
    pub(super) fn know(&mut self, closing: Closing) {
        self.known = closing.place;
        closing.secrets.into_iter().for_each(|secrets| self.keep(secrets));
    }

    fn keep(&mut self, secrets: Secrets) {
        // The weight of an entry is counted too, so that empty ones cannot pile up.
        let kept = self.secret_bytes.saturating_add(secrets.data.expose().len()).saturating_add(64);
        if kept <= self.limits.secret_bytes {
            self.secret_bytes = kept;
            self.info.secrets.push(secrets);
        } else {
            self.info.secrets_dropped += 1;
        }
    }

    pub(super) fn application(&mut self, name: &[u8]) {
        let name = text(name);
        self.info.applications.push_new_up_to(16, name);
    }

    pub(super) fn link_type(&mut self, link_type: LinkType) {
        self.info.link_types.push_new_up_to(64, link_type);
    }

    /// Lists an interface and returns its place in the list, if there was room.
    pub(super) fn interface(&mut self, link_type: LinkType, snap_len: u32, name: &[u8], about: &[u8]) -> Option<usize> {
        self.link_type(link_type);
        let index = self.info.interfaces.len();
        if index >= self.limits.interfaces {
            return None;
        }
        self.info.interfaces.push(Interface {
            link_type,
            snap_len,
            name: text(name),
            description: text(about),
            received: None,
            dropped: None,
        });
        Some(index)
    }
}

/// Bounded text without what follows a NUL, which some writers leave at the end.
fn text(bytes: &[u8]) -> String {
    let bytes = bytes.split(|&b| b == 0).next().unwrap_or_default();
    String::from_utf8_lossy(bytes.get(..TEXT).unwrap_or(bytes)).into_owned()
}
