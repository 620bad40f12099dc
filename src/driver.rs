//! The pipeline, on one screen: a file in, what each stage makes of it out.
//!
//! Every command of archc goes through these functions, so that `emit`, `check`, `build` and `verify` cannot differ in
//! what they compile. A stage's result is the only thing it hands on; a panic in one is a [`crate::fault::Bug`].

mod compile;
mod derived;
mod device;
mod family;
mod guard;
mod import;
mod json;
mod manifest;
mod request;
mod sampler;
mod session;
mod stage;

pub use compile::{Code, Compiled, Places, build, compile, print};
pub use derived::{
    Graphs, JUDGED, expose_values, feed_draws, gradient_name, graphs, graphs_in, graphs_with, grown_axis, grown_input,
    judged, optimized, programs, step, step_without_tokens,
};
pub use device::{Device, device, device_of, launches};
pub use family::find as find_family;
pub use guard::guard;
pub use import::specialise;
pub use json::read_json;
pub use manifest::{manifest, shape_of};
pub use request::{Request, configuration_in, read_config, setting};
pub use sampler::{Turns, turns};
pub use session::{Failure, Session};
pub use stage::Stage;

use crate::fault::Environment;
use crate::model::{self, Library, Model};

/// Reads the file and all that it uses, and parses them.
///
/// # Errors
/// If a file cannot be read, or does not parse.
pub fn parse(request: &Request, session: &mut Session) -> Result<Library, Failure> {
    let text = request.text()?;
    let file = session.sources.add(&request.file, text);
    let mut library =
        session.stage("ast", |session| model::load(&mut session.sources, file, &mut session.diagnostics))?;
    if let Some(name) = &request.model {
        library.choose(name);
    }
    session.dump("ast", || format!("{:#?}\n", library.main))?;
    session.diagnostics.stop_on_error()?;
    Ok(library)
}

/// Parses and checks the model of the file.
///
/// # Errors
/// If the program is wrong.
pub fn check(request: &Request, session: &mut Session) -> Result<Model, Failure> {
    let library = parse(request, session)?;
    let overrides = request.overrides(&library, &mut session.diagnostics)?;
    session.diagnostics.stop_on_error()?;
    let model = session.stage("model", |session| model::check(&library, &overrides, &mut session.diagnostics))?;
    session.diagnostics.stop_on_error()?;
    let model = model.ok_or_else(|| {
        Environment::new(format!("{} has no model", request.file.display()))
            .help("a model is written `model Name { … }`; a file of blocks alone is brought in with `use`")
    })?;
    session.dump("model", || model::text(&model))?;
    Ok(model)
}
