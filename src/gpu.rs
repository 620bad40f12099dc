//! The GPU's schedule of the kernels: which threads do what, as plain data.
//!
//! In: the kernels and programs of [`crate::plan`], the same that the CPU runs. Out: for each kernel the [`Entry`]s that do
//! its work on a GPU, and a [`archc_runtime::abi::DevicePlan`]: which entry is launched when, with how many blocks, on
//! which buffers. Code for the entries is written by `mlir::gpu`; the runtime only follows the plan. In bf16, what only
//! products read lies in memory as bf16 ([`narrowed`]).
//!
//! A form that no entry does is [`Unsupported`], which names the operation and its place in the source.

mod alignment;
mod arch;
mod entry;
mod fragments;
mod launches;
mod limits;
mod narrow;
mod streamed;
mod text;
mod turns;
mod warpgroups;

pub use alignment::Alignment;
pub use arch::{Arch, Gpu, Precision};
pub use entry::{BLOCK, DEPTH, Entry, PANEL, Part, SEGMENT, TILE, Threads, WARP, WIDE, WIDE_BYTES, entries};
pub use fragments::{Fragments, Tile};
pub use launches::{Entries, plan};
pub use limits::Unsupported;
pub use narrow::narrowed;
pub use streamed::{STREAM_ROWS, STREAM_WARPS, Streamed, padded, pitch};
pub use text::text;
pub use turns::Turns;
pub use warpgroups::{GROUP, GROUP_DEPTH, GROUP_ROWS, GroupTile, PANEL_BYTES, Warpgroups};
