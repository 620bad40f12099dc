//! Files that are there whole or not at all, and files seen as memory.
#![expect(unsafe_code, reason = "a mapped file is memory that another process may change")]

use crate::error::{Error, Result};
use memmap2::{Mmap, UncheckedAdvice};
use std::fs::{self, File};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Maps a whole file for reading.
///
/// # Errors
/// If it cannot be opened or mapped.
pub fn map(path: &Path) -> Result<Mmap> {
    let file = File::open(path).map_err(|cause| Error::file("open", path, &cause))?;
    if file.metadata().is_ok_and(|data| data.is_dir()) {
        return Err(Error::environment(format!("{} is a folder, not a file", path.display())));
    }
    // SAFETY: the bytes are only read. Changing a file while a model reads it is the user's own race; what is read is
    // checked as data, never trusted as addresses.
    unsafe { Mmap::map(&file) }.map_err(|cause| Error::file("read", path, &cause))
}

/// Gives the memory back that holds a part of a mapped file, which is read again when somebody looks at it.
pub fn forget(map: &Mmap, part: Range<usize>) {
    // SAFETY: the map is of a file and only read: what was dropped comes back from the file.
    // Only a hint: where it is refused, the pages stay until they are needed for something else.
    let _ = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, part.start, part.len()) };
}

/// Replaces a file at once: `write` fills a new file at the path that it is given, which then takes the old one's place.
/// Whoever is killed in between leaves the old file as it was.
///
/// # Errors
/// If anything cannot be written; the new file is then removed.
pub fn replace(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let part = part_of(path);
    let result = write(&part).and_then(|()| settle(&part, path));
    if result.is_err() {
        // It may not exist; the first error is the one to tell.
        let _ = fs::remove_file(&part);
    }
    result
}

/// [`replace`] for bytes at hand.
///
/// # Errors
/// As [`replace`].
pub fn replace_with(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, |part| {
        let failed = |cause| Error::file("write", path, &cause);
        File::create(part).map_err(failed)?.write_all(bytes).map_err(failed)
    })
}

/// Makes a folder and those above it.
///
/// # Errors
/// If that is not possible.
pub fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|cause| Error::file("make the folder", path, &cause))
}

/// Where the new file is made: beside the old one, so that renaming stays on one disk.
fn part_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.part"))
}

/// Puts the bytes on the disk for good, then the name, then the folder's entry.
fn settle(part: &Path, path: &Path) -> Result<()> {
    let failed = |cause| Error::file("write", path, &cause);
    File::open(part).and_then(|file| file.sync_all()).map_err(failed)?;
    fs::rename(part, path).map_err(failed)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Some file systems cannot sync a folder; the file itself is safe already.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}
