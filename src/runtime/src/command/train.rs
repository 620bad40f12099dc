//! `train`: from text to weights.

use super::Threads;
use super::options::print;
use crate::checkpoint;
use crate::data::Tokens;
use crate::error::{Error, Result};
use crate::files;
use crate::model::{Code, Loaded};
use crate::recipe::{KEYS, Recipe, Task};
use crate::source::Source;
use crate::tokenizer::Tokenizer;
use crate::train::{Folder, Outcome, Plot, ProgressLine, Training};
use crate::weights::{self, Form};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command};
use std::path::PathBuf;

/// Options beside the recipe's keys.
#[derive(Debug, Args)]
pub struct Options {
    /// A YAML recipe; every key is also an option below, which wins
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// Go on with the training in the folder --out, with the recipe that it was started with
    #[arg(long, conflicts_with = "overwrite")]
    resume: bool,
    /// Start anew even if the folder --out holds a training
    #[arg(long)]
    overwrite: bool,
    /// Begin from these weights instead of random ones
    #[arg(long, value_name = "PATH", conflicts_with = "resume")]
    weights: Option<PathBuf>,
    /// Also write the weights under their published names
    #[arg(long)]
    published: bool,
    /// Draw the curve, curve.svg in the folder --out, at every look at the validation loss
    #[arg(long)]
    plot: bool,
    /// Draw the curve of the training in this folder too; may be given several times
    #[arg(long, value_name = "DIR", requires = "plot")]
    beside: Vec<PathBuf>,
    #[command(flatten)]
    threads: Threads,
}

/// Adds one option for each key of a recipe.
pub fn add_recipe_keys(command: Command) -> Command {
    KEYS.iter().fold(command, |command, key| {
        let help = format!("{} [default: {}]", key.doc, key.default);
        let arg = Arg::new(key.name).long(key.name.replace('_', "-")).value_name("VALUE").help(help);
        command.arg(arg.help_heading("Recipe").allow_negative_numbers(true))
    })
}

/// Trains.
pub fn run(code: Code, options: &Options, matches: Option<&ArgMatches>) -> Result<()> {
    let recipe = read_recipe(options, &changes(matches))?;
    let folder = Folder::open(&recipe.out)?;
    if !options.resume && !options.overwrite {
        folder.must_be_new()?;
    }
    let mut model = options.threads.load(code)?;
    let tokens = read_text(&recipe)?;
    let outcome = train(&mut model, &recipe, tokens.as_ref(), &folder, options)?;
    finish(&mut model, &folder, outcome, options)
}

/// The text of the recipe; none for a task. Its tokenizer goes to the folder of the training.
fn read_text(recipe: &Recipe) -> Result<Option<Tokens>> {
    match (recipe.task, recipe.data.0.is_empty()) {
        (Task::None, true) => {
            let help = "name a text with --data book.txt, or a task with --task mqar";
            return Err(Error::request("there is nothing to train on").help(help));
        }
        (Task::None, false) => {}
        (_, true) => return Ok(None),
        (_, false) => return Err(Error::request("there are both a text and a task").help("leave out --data or --task")),
    }
    let tokenizer = Tokenizer::open(&recipe.tokenizer)?;
    let tokens = Tokens::read(&recipe.data.0, &tokenizer)?;
    tokenizer.copy_to(&recipe.out)?;
    Ok(Some(tokens))
}

/// The keys that were given as options.
fn changes(matches: Option<&ArgMatches>) -> Vec<(String, String)> {
    let Some(matches) = matches else { return Vec::new() };
    let given = KEYS.iter().filter(|key| matches.value_source(key.name) == Some(ValueSource::CommandLine));
    given.filter_map(|key| Some((key.name.to_owned(), matches.get_one::<String>(key.name)?.clone()))).collect()
}

/// The recipe of the file, or, to go on, that of the checkpoint.
fn read_recipe(options: &Options, changes: &[(String, String)]) -> Result<Recipe> {
    let recipe = Recipe::read(options.recipe.as_deref(), changes)?;
    if !options.resume || options.recipe.is_some() {
        return Ok(recipe);
    }
    let path = Folder::open(&recipe.out)?.checkpoint();
    let progress = checkpoint::peek(&path)?;
    let mut changes = changes.to_vec();
    changes.push(("out".to_owned(), recipe.out.display().to_string()));
    Recipe::parse(&progress.recipe, &path.display().to_string(), &changes)
}

/// Sets the training up and lets it run.
fn train(
    model: &mut Loaded,
    recipe: &Recipe,
    tokens: Option<&Tokens>,
    folder: &Folder,
    options: &Options,
) -> Result<Outcome> {
    let source = match tokens {
        Some(tokens) => Source::text(tokens, recipe, model)?,
        None => Source::recall(recipe, model)?,
    };
    let mut training = Training::new(model, recipe, source)?;
    if options.resume {
        training.resume(folder)?;
    }
    if let Some(path) = &options.weights {
        training.start_from(path)?;
    }
    files::replace_with(&folder.recipe(), recipe.to_yaml().as_bytes())?;
    eprintln!("{}", training.describe());
    let mut line = ProgressLine::new(training.step(), recipe.steps);
    let plot = options.plot.then(|| Plot { path: folder.picture(), beside: options.beside.clone() });
    let outcome = training.run(folder, &mut line, plot.as_ref());
    line.finish();
    outcome
}

/// Writes the weights and says what came of it.
fn finish(model: &mut Loaded, folder: &Folder, outcome: Outcome, options: &Options) -> Result<()> {
    if outcome.stopped {
        let path = folder.checkpoint();
        return print(&format!("stopped at step {}; {} is saved, --resume goes on\n", outcome.step, path.display()));
    }
    let path = folder.weights();
    weights::save(model, &path, Form::Native)?;
    if options.published {
        weights::save(model, &path.with_file_name("model.safetensors"), Form::Published)?;
    }
    let validation = outcome.validation.map(|look| format!(", validation loss {:.4}", look.loss)).unwrap_or_default();
    let right = outcome.validation.and_then(|look| look.right);
    let right = right.map(|share| format!(", {:.1} % of the answers right", 100.0 * share)).unwrap_or_default();
    print(&format!("{} steps{validation}{right}; weights in {}\n", outcome.step, path.display()))
}
