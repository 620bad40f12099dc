//! Code that a GPU's driver has compiled, kept on disk: a large model takes the driver a minute.
//!
//! In: what tells one result from another ([`Origin`]). Out: the driver's result of an earlier start, checked, or nothing.
//! The driver has a cache of its own, which it limits to a size for all programs of a user, shares with none of their
//! containers, and says nothing of. A file here is whole or ignored; the oldest ones go when all together are too large.

use crate::error::Result;
use crate::files;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Names another folder than the user's own, or keeps nothing if it is [`OFF`].
pub const VARIABLE: &str = "ARCHC_GPU_CACHE";
/// What keeps nothing.
pub const OFF: &str = "off";

/// What a file begins with; then come the length and the checksum of the code, and the code.
const MAGIC: &[u8; 16] = b"archc cubin 1\n\0\0";
/// Bytes before the code.
const HEAD: usize = MAGIC.len() + 8 + 4;
/// How a file's name ends.
const ENDING: &str = "cubin";
/// Bytes of all files together at most.
const ROOM: u64 = 4 << 30;

/// What a driver makes code of: the same for the same.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'o> {
    /// The GPU's name.
    pub name: &'o str,
    /// Its compute capability.
    pub capability: [i32; 2],
    /// The driver's version.
    pub driver: i32,
    /// The PTX.
    pub code: &'o [u8],
}

/// A folder of compiled code.
#[derive(Debug, Clone)]
pub struct Cubins {
    folder: PathBuf,
    room: u64,
}

/// What was found under an origin.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// Compiled code.
    Code(Vec<u8>),
    /// Nothing.
    Nothing,
    /// A file that is not what was once written.
    Damaged(PathBuf),
}

impl Cubins {
    /// The user's own folder; none if there is none, or nothing is to be kept.
    pub fn of_user() -> Option<Cubins> {
        let given = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        match given(VARIABLE) {
            Some(value) if value == OFF => None,
            Some(folder) => Some(Cubins::new(folder)),
            None => {
                let home = || Some(PathBuf::from(given("HOME")?).join(".cache"));
                let caches = given("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()).or_else(home);
                Some(Cubins::new(caches?.join("archc")))
            }
        }
    }

    /// A folder, which need not exist.
    pub fn new(folder: impl Into<PathBuf>) -> Cubins {
        Cubins { folder: folder.into(), room: ROOM }
    }

    /// With room for so many bytes.
    pub fn with_room(self, room: u64) -> Cubins {
        Cubins { room, ..self }
    }

    /// Where the code of an origin is kept.
    pub fn path(&self, origin: &Origin<'_>) -> PathBuf {
        self.folder.join(format!("{:032x}.{ENDING}", origin.hash()))
    }

    /// What is kept of an origin.
    pub fn find(&self, origin: &Origin<'_>) -> Found {
        let path = self.path(origin);
        match fs::read(&path) {
            Err(_) => Found::Nothing,
            Ok(bytes) => checked(bytes).map_or(Found::Damaged(path), Found::Code),
        }
    }

    /// Keeps code, and drops the oldest if there is no room for all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(&self, origin: &Origin<'_>, code: &[u8]) -> Result<()> {
        files::make_folder(&self.folder)?;
        let (length, sum) = ((code.len() as u64).to_le_bytes(), crc32fast::hash(code).to_le_bytes());
        let path = self.path(origin);
        files::replace_with(&path, &[MAGIC, length.as_slice(), &sum, code].concat())?;
        self.make_room(&path);
        Ok(())
    }

    /// Removes the oldest files but the given one until the others fit.
    fn make_room(&self, newest: &Path) {
        let mut files = kept_in(&self.folder);
        files.sort();
        let mut all = files.iter().map(|(_, bytes, _)| bytes).sum::<u64>();
        for (_, bytes, path) in files.iter().filter(|(.., path)| path != newest) {
            // What cannot be removed is in nobody's way but the disk's.
            if all > self.room && fs::remove_file(path).is_ok() {
                all -= bytes;
            }
        }
    }
}

/// The age, the size and the path of each file.
fn kept_in(folder: &Path) -> Vec<(SystemTime, u64, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| entry.path().extension().is_some_and(|ending| ending == ENDING));
    let file = |entry: fs::DirEntry| {
        let data = entry.metadata().ok()?;
        Some((data.modified().ok()?, data.len(), entry.path()))
    };
    ours.filter_map(file).collect()
}

/// The code in a file, if all of it is there.
fn checked(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let head = bytes.get(..HEAD)?;
    let (magic, rest) = head.split_at(MAGIC.len());
    let (length, sum) = rest.split_at(8);
    let length = u64::from_le_bytes(length.try_into().ok()?);
    let sum = u32::from_le_bytes(sum.try_into().ok()?);
    let code = &bytes[HEAD..];
    let whole = magic == MAGIC && length == code.len() as u64 && sum == crc32fast::hash(code);
    whole.then(|| bytes.split_off(HEAD))
}

impl Origin<'_> {
    /// 128 bits of all of it (Fowler, Noll and Vo's hash, the variant 1a).
    fn hash(&self) -> u128 {
        const START: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        let [major, minor] = self.capability;
        let about = format!("{}\0{major}.{minor}\0{}\0{}\0", self.name, self.driver, self.code.len());
        let bytes = about.bytes().chain(self.code.iter().copied());
        bytes.fold(START, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
    }
}
