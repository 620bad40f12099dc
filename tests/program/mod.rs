//! Programs: what the planner makes means what the graph means.

mod attention;
pub mod build;
mod chosen;
mod chunks;
pub mod execute;
mod few;
mod fused;
mod matrices;
mod meaning;
pub mod models;
mod nests;
mod orders;
mod renewed;
mod work;
