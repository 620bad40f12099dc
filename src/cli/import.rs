//! `archc import`: a published folder as a readable .arch file.

use super::{Outcome, Verdict, arguments::ImportArguments, output};
use crate::driver::{self, Failure, Request, Session};
use crate::fault::Environment;
use crate::model::Unread;
use serde_json::Value;
use std::path::Path;

/// Finds the family, fills its sizes in, checks the result, and writes it.
pub fn run(arguments: &ImportArguments, session: &mut Session) -> Outcome {
    let path = driver::configuration_in(&arguments.folder);
    let config = driver::read_config(&path)?;
    let architecture = config.pointer("/architectures/0").and_then(Value::as_str);
    let kind = config.get("model_type").and_then(Value::as_str).unwrap_or_default();
    let folder = arguments.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stated = stated_family(&arguments.folder);
    let family = Request {
        file: driver::find_family(architecture, &[&folder, &stated, kind])?,
        settings: Vec::new(),
        config: Some(path),
        model: None,
    };
    let library = driver::parse(&family, session)?;
    let overrides = family.overrides(&library, &mut session.diagnostics)?;
    let unread = family.unread(&library)?;
    let model = driver::check(&family, session)?;
    let text = driver::specialise(&family.text()?, &overrides, &model.settings);
    let header = format!(
        "# From {}/config.json ({}), by `archc import`.\n\n",
        folder,
        architecture.unwrap_or("no architecture named")
    );
    write_checked(&arguments.output, &(header + &text))?;
    let count: i64 = model.parameters.iter().map(|own| driver::shape_of(&model, own).iter().product::<i64>()).sum();
    let (file, folder) = (arguments.output.display(), arguments.folder.display());
    let next = match model.generate {
        Some(_) => format!("archc generate {file} --weights {folder} --prompt \"…\""),
        None => format!("archc build {file} -o model"),
    };
    output::print(&format!("wrote {file} ({count} parameters)\nnext: {next}\n"))?;
    // A folder with reference numbers alone says more about them than about the model.
    if arguments.folder.join("config.json").exists() {
        output::print(&left_over(&unread))?;
    }
    Ok(Verdict::Good)
}

/// What the configuration says and no line reads, so that nobody takes it for done.
fn left_over(unread: &Unread) -> String {
    let rest = format!("{} more are switched off or speak of files and tokens", unread.passed_over);
    if unread.keys.is_empty() {
        return format!("note: every key of config.json that speaks of the model is read; {rest}\n");
    }
    let keys = unread.keys.iter().map(|(key, value)| format!("  {key} = {value}\n")).collect::<String>();
    format!("note: these keys of config.json are read by no line of the weight map:\n{keys}({rest})\n")
}

/// The family that a folder with reference numbers says it is; empty elsewhere.
fn stated_family(folder: &Path) -> String {
    let answers = driver::read_config(&folder.join("case.json")).unwrap_or_default();
    answers.get("family").and_then(Value::as_str).unwrap_or_default().to_string()
}

/// The file stands there whole and compiles, or not at all.
fn write_checked(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |error: std::io::Error| Environment::new(format!("cannot write {}: {error}", path.display()));
    let mut file = tempfile::Builder::new().suffix(".arch").tempfile_in(folder).map_err(failed)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)?;
    let request = Request { file: file.path().to_path_buf(), ..Request::default() };
    let mut fresh = Session::default();
    if let Err(failure) = driver::check(&request, &mut fresh) {
        let said = crate::diagnostics::render(&fresh.diagnostics, &fresh.sources, false);
        let bug = crate::fault::Bug::new("import", format!("an imported file compiles alone ({failure:?})"));
        return Err(bug.detail(format!("{said}\n{text}")).into());
    }
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}
