//! `archc build`, and the commands that build into the cache and run the result.

use super::arguments::{BuildArguments, Cpu, Place, RunArguments};
use super::{Outcome, Verdict, output};
use crate::driver::{self, Failure, Places, Request, Session};
use crate::fault::Environment;
use crate::target::Target;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds one executable.
pub fn run(arguments: &BuildArguments, session: &mut Session) -> Outcome {
    let request = Request::from(&arguments.model);
    let output = match &arguments.output {
        Some(path) => path.clone(),
        None => PathBuf::from(request.file.file_stem().unwrap_or("model".as_ref())),
    };
    if output == request.file {
        return Err(Environment::new("the executable would take the place of its own source")
            .help("give -o another name")
            .into());
    }
    let places = Places {
        cpu: arguments.places.contains(&Place::Cpu),
        gpu: arguments.gpu.gpu(arguments.places.contains(&Place::Cuda))?,
    };
    driver::build(&request, &Target::named(arguments.target.cpu.name())?, places, &output, session)?;
    if arguments.timings {
        eprint!("{}", output::timings(session));
    }
    output::print(&format!("built {}\n", output.display()))?;
    Ok(Verdict::Good)
}

/// Builds into the cache, unless that was done before, and becomes the executable's `command`.
pub fn run_cached(command: &str, arguments: &RunArguments, session: &mut Session) -> Outcome {
    let request = Request {
        file: arguments.file.clone(),
        settings: arguments.settings.clone(),
        config: arguments.config.clone(),
        model: None,
    };
    let executable = cached(&request, arguments.target.cpu, session)?;
    let error = Command::new(&executable).arg(command).args(&arguments.rest).exec();
    Err(Environment::new(format!("cannot run {}: {error}", executable.display())).into())
}

/// The executable for a request, built if it is not there.
fn cached(request: &Request, cpu: Cpu, session: &mut Session) -> Result<PathBuf, Failure> {
    let folder = cache_folder()?;
    let key = key_of(request, cpu, session)?;
    let stem = request.file.file_stem().unwrap_or("model".as_ref()).to_string_lossy().into_owned();
    let path = folder.join(format!("{stem}-{key:016x}"));
    if !path.exists() {
        session.diagnostics = Default::default();
        session.sources = Default::default();
        eprintln!("compiling {} …", request.file.display());
        driver::build(request, &Target::named(cpu.name())?, Places::CPU, &path, session)?;
    }
    Ok(path)
}

/// Everything that the executable depends on: all source texts, options, archc itself, and the machine's features.
fn key_of(request: &Request, cpu: Cpu, session: &mut Session) -> Result<u64, Failure> {
    let mut hasher = DefaultHasher::new();
    driver::parse(request, session)?;
    for source in session.sources.iter() {
        source.text.hash(&mut hasher);
    }
    request.settings.hash(&mut hasher);
    session.scan.hash(&mut hasher);
    if let Some(config) = &request.config {
        std::fs::read(config).unwrap_or_default().hash(&mut hasher);
    }
    format!("{:?}", Target::named(cpu.name())?).hash(&mut hasher);
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    stamp_of_archc().hash(&mut hasher);
    Ok(hasher.finish())
}

/// Another build of archc makes other executables.
fn stamp_of_archc() -> Option<(u64, std::time::SystemTime)> {
    let file = std::env::current_exe().and_then(std::fs::metadata).ok()?;
    Some((file.len(), file.modified().ok()?))
}

fn cache_folder() -> Result<PathBuf, Environment> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    let folder = base.unwrap_or_else(std::env::temp_dir).join("archc");
    std::fs::create_dir_all(&folder).map_err(|error| {
        Environment::new(format!("cannot make the cache folder {}: {error}", folder.display()))
            .help("set XDG_CACHE_HOME to a folder that can be written")
    })?;
    Ok(folder)
}
