//! The one test binary: linking MLIR statically costs seconds and gigabytes, so every area is a module here.

mod diagnostics;
mod runtime;
mod syntax;
mod tidy;
