//! The one test binary: linking MLIR statically costs seconds and gigabytes, so every area is a module here.

mod compiled;
mod certificate;
mod conformance;
mod damage;
mod diagnostics;
mod examples;
mod generation;
mod gradient;
mod graph;
mod interpret;
mod manual;
mod native;
mod objectives;
mod options;
mod oracles;
mod program;
mod random_models;
mod recurrences;
mod renaming;
mod runtime;
mod step;
mod syntax;
mod tidy;
mod ui;
mod verify;
mod model;
