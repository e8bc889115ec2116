//! What is in an archive, one capture after the other or all at once.

use super::work::{Bytes, Origin, SMALL, Work, shape};
use crate::cli::archive::{self, Allowance, Section, Shape, Skip, Tar, Zip};
use crate::cli::error::Error;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;

impl Work<'_> {
    /// The captures in a zip, on all cores.
    pub(super) fn zip(&self, origin: Origin<'_>, file: Arc<File>, size: u64) -> Result<(), Error> {
        let zip = match Zip::open(file, size) {
            Ok(zip) => zip,
            Err(error) => return self.unreadable(origin, size, &error.to_string()),
        };
        let allowance = Allowance::new(size);
        let mut names = Names::default();
        let (zip_of, allowance_of) = (&zip, &allowance);
        rayon::scope(|scope| {
            for (index, entry) in zip.entries.iter().enumerate() {
                let Some(name) = names.take(&entry.name) else { continue };
                // in the order of the directory, by what it says and is then held to: whichever thread is faster, the same ones are read
                let is_allowed = allowance_of.take(entry.size);
                scope.spawn(move |_| {
                    if self.is_over() {
                        return;
                    }
                    let origin = Origin {
                        entry: number(index + 1),
                        inner: Some(&name),
                        allowance: Some(allowance_of),
                        ..origin
                    };
                    if !is_allowed {
                        return self.settle(self.unreadable(origin, entry.size, &archive::bomb().to_string()));
                    }
                    self.settle(match zip_of.read(entry) {
                        Ok(mut input) if entry.size <= SMALL => {
                            let mut bytes = Vec::new();
                            match input.by_ref().take(SMALL + 1).read_to_end(&mut bytes) {
                                Ok(_) if bytes.len() as u64 <= SMALL => self.entry(origin, bytes),
                                Ok(_) => self.unreadable(origin, entry.size, &archive::lie().to_string()),
                                Err(error) => self.unreadable(origin, entry.size, &error.to_string()),
                            }
                        }
                        Ok(_) => {
                            let again = || Ok(Box::new(zip_of.read(entry)?) as Box<dyn Read>);
                            self.capture(origin, entry.size, Bytes::Again(Box::new(again)))
                        }
                        Err(error) => self.unreadable(origin, entry.size, &error.to_string()),
                    });
                    self.part(origin, entry.packed, size);
                });
            }
        });
        let omitted = (zip.omitted > 0).then(|| format!("{} more entries are not read", zip.omitted));
        match zip.damage.or(omitted) {
            Some(reason) => self.unreadable(origin, size, &reason),
            None if zip.entries.is_empty() => self.unreadable(origin, size, "an archive with no file in it"),
            None => Ok(()),
        }
    }

    /// The captures in a tar. Of one that is not packed they are read in place; of a packed one the small ones are handed on in memory, and the
    /// others read as they come.
    pub(super) fn tar<R: Skip>(
        &self,
        origin: Origin<'_>,
        input: R,
        file: Option<&Arc<File>>,
        allowance: &Allowance,
    ) -> Result<(), Error> {
        let origin = Origin { allowance: Some(allowance), ..origin };
        let size = file.and_then(|file| file.metadata().ok()).map_or(0, |metadata| metadata.len());
        let mut tar = Tar::new(input);
        let mut names = Names::default();
        let mut index = 0;
        let ended = rayon::in_place_scope(|scope| {
            while !self.is_over() {
                let entry = match tar.next_file() {
                    Ok(Some(entry)) => entry,
                    Ok(None) => return Ok(None),
                    Err(error) => return Ok(Some(error.to_string())),
                };
                index += 1;
                if index > archive::MAX_ENTRIES {
                    return Ok(Some("further entries are not read".to_owned()));
                }
                let Some(name) = names.take(&entry.name) else { continue };
                let entry_number = number(index);
                let borrowed = Origin { entry: entry_number, inner: Some(&name), ..origin };
                if let Some(reason) = entry.unreadable {
                    self.unreadable(borrowed, entry.size, reason)?;
                    continue;
                }
                if let Some(file) = file {
                    let section = Section::new(Arc::clone(file), entry.offset, entry.size);
                    scope.spawn(move |_| {
                        if self.is_over() {
                            return;
                        }
                        let origin = Origin { entry: entry_number, inner: Some(&name), ..origin };
                        self.settle(self.section(origin, &section, entry.size));
                        self.part(origin, entry.size, size);
                    });
                } else if entry.size <= SMALL {
                    let mut bytes = Vec::new();
                    if let Err(error) = tar.data().read_to_end(&mut bytes) {
                        self.unreadable(borrowed, entry.size, &error.to_string())?;
                        return Ok(None);
                    }
                    // where enough wait this thread lends a hand
                    if !self.waiting.try_take(entry.size) {
                        self.entry(borrowed, bytes)?;
                        continue;
                    }
                    scope.spawn(move |_| {
                        if !self.is_over() {
                            let origin = Origin { entry: entry_number, inner: Some(&name), ..origin };
                            self.settle(self.entry(origin, bytes));
                        }
                        self.waiting.give(entry.size);
                    });
                } else {
                    self.capture(borrowed, entry.size, Bytes::Once(Box::new(tar.data())))?;
                }
            }
            Ok(None)
        })?;
        match ended {
            Some(reason) => self.unreadable(origin, 0, &reason),
            None if index == 0 && !self.is_over() => self.unreadable(origin, 0, "an archive with no file in it"),
            None => Ok(()),
        }
    }

    /// An entry that lies in a file as it is.
    fn section(&self, origin: Origin<'_>, section: &Section, size: u64) -> Result<(), Error> {
        if size > SMALL {
            let again = || Ok(Box::new(section.clone()) as Box<dyn Read>);
            return self.capture(origin, size, Bytes::Again(Box::new(again)));
        }
        let mut bytes = Vec::new();
        match section.clone().read_to_end(&mut bytes) {
            Ok(count) if (count as u64) < size => self.unreadable(origin, size, "the archive is cut short"),
            Ok(_) => self.entry(origin, bytes),
            Err(error) => self.unreadable(origin, size, &error.to_string()),
        }
    }

    /// An entry in memory.
    fn entry(&self, origin: Origin<'_>, bytes: Vec<u8>) -> Result<(), Error> {
        match shape(&mut bytes.as_slice(), || Ok(bytes.as_slice())) {
            Ok(Shape::Single) | Err(_) => self.capture(origin, bytes.len() as u64, Bytes::Memory(bytes)),
            Ok(_) => self.unreadable(origin, bytes.len() as u64, "an archive within an archive: unpack it first"),
        }
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// The names of an archive's entries: each once, a number behind those that occur again, none of files that only say something of others.
#[derive(Default)]
struct Names {
    known: HashMap<String, u32>,
}

impl Names {
    fn take(&mut self, name: &str) -> Option<String> {
        // what macOS puts beside each file
        let file = name.rsplit('/').next().unwrap_or_default();
        if name.starts_with("__MACOSX/") || file.starts_with("._") || file == ".DS_Store" {
            return None;
        }
        let first = self.known.get(name).copied().unwrap_or_default() + 1;
        let numbered = |number| if number > 1 { format!("{name} ({number})") } else { name.to_owned() };
        // an entry may be called as another with its number
        let (number, free) =
            (first..).map(|number| (number, numbered(number))).find(|(_, free)| !self.known.contains_key(free))?;
        self.known.insert(name.to_owned(), number);
        self.known.entry(free.clone()).or_insert(1);
        Some(free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_with_one_name_stay_apart() {
        let mut names = Names::default();
        let taken = ["a", "a", "__MACOSX/._a", "b/.DS_Store", "a"].map(|name| names.take(name));
        assert_eq!(taken, [Some("a".into()), Some("a (2)".into()), None, None, Some("a (3)".into())]);
        let taken = ["b (2)", "b", "b", "b (3)", "b"].map(|name| names.take(name).unwrap());
        assert_eq!(taken, ["b (2)", "b", "b (3)", "b (3) (2)", "b (4)"]);
    }
}
