//! `generate`: goes on from prompts.

use super::Threads;
use super::begun::{for_each_row, given, prompts};
use super::chat;
use super::options::{Trained, print};
use super::runs;
use super::speech::Speech;
use super::whole;
use crate::abi::{GenerateInfo, Manifest, names};
use crate::error::{Error, Result, nearest};
use crate::generate::{Decoder, Given, Limits, Session, Turns, row_numbers};
use crate::model::{Code, Loaded};
use crate::tokenizer::Tokenizer;
use clap::{Arg, ArgMatches, Args, Command, value_parser};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Settings that only a search has.
const SEARCH: [&str; 2] = ["beams", "length_penalty"];

/// The programs that go on from prompts, position by position.
const SPEAKING: [&str; 7] =
    [names::STEP, names::BEGIN, names::TURN, names::TURN_BEGIN, names::RUN, names::RUN_BEGIN, names::REQUIRE];

/// Options of `generate`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    pub trained: Trained,
    /// The text to go on from; several make a batch
    #[arg(long, value_name = "TEXT")]
    pub prompt: Vec<String>,
    /// A file whose text is a prompt
    #[arg(long, value_name = "FILE")]
    pub prompt_file: Vec<PathBuf>,
    /// A prompt as token ids, such as 1,15,7
    #[arg(long, value_name = "IDS")]
    pub ids: Vec<String>,
    /// What the model reads beside the prompt: "some text", or source="some text"; several make a batch
    #[arg(long, value_name = "[NAME=]TEXT")]
    pub input: Vec<String>,
    /// The same as ids or whole numbers, such as source=1,15,7 or prefix=4
    #[arg(long, value_name = "[NAME=]IDS")]
    pub input_ids: Vec<String>,
    /// Hold a conversation: each line of standard input is a turn, and the cache is kept
    #[arg(long)]
    pub chat: bool,
    /// In a conversation: what a turn is wrapped in; {} is the line
    #[arg(long, value_name = "TEXT", default_value = "{}\n")]
    pub turn: String,
    /// Most new tokens [default: the model's, or 128]
    #[arg(long, value_name = "N")]
    pub new: Option<usize>,
    /// Flattens the choice; 0 always takes the best [default: the model's]
    #[arg(long, allow_negative_numbers = true)]
    temperature: Option<f64>,
    /// Choose among so many best tokens; 0 is all
    #[arg(long, value_name = "N")]
    top_k: Option<usize>,
    /// Choose among the best tokens that make up this mass
    #[arg(long, allow_negative_numbers = true)]
    top_p: Option<f64>,
    /// Choose among tokens at least so many times as likely as the best
    #[arg(long, allow_negative_numbers = true)]
    min_p: Option<f64>,
    /// Make what was said less likely; 1 is off
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    repetition_penalty: Option<f64>,
    /// A text with blanks to be filled in, such as "To be, [8] that is the [1]": [8] is eight tokens
    #[arg(long, value_name = "TEXT")]
    pub infill: Vec<String>,
    /// Search with so many texts at once, if the model's sampler is a search
    #[arg(long, value_name = "N")]
    beams: Option<NonZeroUsize>,
    /// In a search: prefer longer texts (more than 1) or shorter ones
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    length_penalty: Option<f64>,
    /// Guess up to so many tokens and judge them in one call; the text stays the same. Guesses are taken from what was said
    /// before; a sampler that drafts itself says the first of them
    #[arg(long, value_name = "N")]
    draft: Option<usize>,
    /// Another setting of the model's own sampler
    #[arg(long, value_name = "NAME=NUMBER")]
    setting: Vec<String>,
    /// Stop at this text
    #[arg(long, value_name = "TEXT")]
    pub stop: Vec<String>,
    /// Stop at this token id [default: the end tokens beside the tokenizer]
    #[arg(long, value_name = "ID")]
    pub stop_token: Vec<u32>,
    /// Do not stop at end tokens
    #[arg(long)]
    pub ignore_end: bool,
    /// Decides the random choices
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Positions that the cache has room for [default: prompt and new tokens]
    #[arg(long, value_name = "N")]
    pub context: Option<usize>,
    /// Print token ids instead of text
    #[arg(long)]
    pub print_ids: bool,
    #[command(flatten)]
    pub threads: Threads,
}

/// What the options and the model's own settings come to.
#[derive(Debug)]
pub struct Plan {
    pub limits: Limits,
    pub stop: Vec<String>,
    /// The settings of the model's sampler.
    pub settings: Vec<(String, f64)>,
}

/// Adds one option for each setting of the model's sampler that has none yet.
pub fn add_settings(command: Command, manifest: &Manifest) -> Command {
    let settings = manifest.generate.iter().flat_map(|generate| &generate.settings);
    settings.fold(command, |command, (name, default)| {
        let long = name.replace('_', "-");
        if command.get_arguments().any(|known| known.get_long() == Some(long.as_str())) {
            return command;
        }
        let arg = Arg::new(format!("setting {name}")).long(long).value_name("NUMBER").allow_negative_numbers(true);
        let arg = arg.value_parser(value_parser!(f64));
        command.arg(arg.help(format!("[default: {default}]")).help_heading("Settings of the model's sampler"))
    })
}

impl Options {
    /// With the settings that were given as options of their own.
    pub fn with_settings(mut self, matches: Option<&ArgMatches>) -> Options {
        let Some(matches) = matches else { return self };
        for id in matches.ids().filter(|id| id.as_str().starts_with("setting ")) {
            if let Ok(Some(value)) = matches.try_get_one::<f64>(id.as_str()) {
                self.setting.push(format!("{}={value}", &id.as_str()["setting ".len()..]));
            }
        }
        self
    }

    /// The settings that have options of their own, and what is asked of them.
    fn asked(&self) -> [(&'static str, Option<f64>); 7] {
        [
            ("temperature", self.temperature),
            ("top_k", self.top_k.map(|few| few as f64)),
            ("top_p", self.top_p),
            ("min_p", self.min_p),
            ("repetition_penalty", self.repetition_penalty),
            ("beams", self.beams.map(|beams| beams.get() as f64)),
            ("length_penalty", self.length_penalty),
        ]
    }
}

/// Generates.
pub fn run(code: Code, options: &Options) -> Result<()> {
    let tokenizer = options.trained.open_tokenizer()?;
    let plan = plan(code.manifest(), options, &tokenizer)?;
    if code.find(names::GENERATE).is_some() {
        return whole::run(code, options, &plan, &tokenizer);
    }
    if !options.infill.is_empty() {
        return Err(Error::request("this model goes on from what stands before, and fills in no blanks"));
    }
    let start = first_token(code.manifest());
    let given = given(options, code.manifest(), &tokenizer)?;
    let prompts = for_each_row(prompts(options, start, &tokenizer)?, start, &given);
    if prompts.is_empty() && !options.chat {
        return Err(Error::request("there is no prompt").help("give one with --prompt \"Once upon a time\""));
    }
    let mut model = options.threads.load(code)?;
    options.trained.read_weights(&mut model, &SPEAKING)?;
    if options.chat && options.draft.is_some() {
        return Err(Error::request("a conversation is held without drafts"));
    }
    if options.chat {
        let context = context(&model, options, &prompts, 8 * plan.limits.new);
        return chat::run(&mut model, options, &plan, &tokenizer, context, (given, prompts.into_iter().next()));
    }
    let context = context(&model, options, &prompts, plan.limits.new);
    if let Some(most) = options.draft {
        return runs::speak(&mut model, options, &plan, &tokenizer, (context, given, &prompts, most));
    }
    let decoder = decoder(&mut model, options, &plan, context, given, &prompts)?;
    let mut session = Session::new(decoder, &prompts)?;
    match prompts.as_slice() {
        [prompt] if !options.print_ids => {
            print(&tokenizer.decode(written(start, prompt))?)?;
            speak(&mut session, &plan, &tokenizer)?;
            print("\n")
        }
        _ => speak_together(&mut session, &plan, &tokenizer, options, prompts.len()),
    }
}

/// The token that every row begins with, if the model says so.
pub fn first_token(manifest: &Manifest) -> Option<u32> {
    u32::try_from(manifest.generate.as_ref()?.start?).ok()
}

/// A prompt as somebody has written it: without the token that the model puts first.
pub fn written(start: Option<u32>, prompt: &[u32]) -> &[u32] {
    start.and_then(|start| prompt.strip_prefix(&[start])).unwrap_or(prompt)
}

/// A decoder whose next tokens the model's sampler chooses.
pub fn decoder<'m>(
    model: &'m mut Loaded,
    options: &Options,
    plan: &Plan,
    context: usize,
    given: Given,
    prompts: &[Vec<u32>],
) -> Result<Decoder<'m>> {
    let turns = turns(options, plan, &given, prompts);
    Decoder::choosing(model, context, given, turns)
}

/// The turns of the model's sampler over prompts.
pub fn turns(options: &Options, plan: &Plan, given: &Given, prompts: &[Vec<u32>]) -> Turns {
    Turns::new(plan.settings.clone(), options.seed, row_numbers(&given.with(prompts)))
}

/// Room in the cache: as asked, or for prompt and answer, within what the model allows.
fn context(model: &Loaded, options: &Options, prompts: &[Vec<u32>], new: usize) -> usize {
    let longest = prompts.iter().map(Vec::len).max().unwrap_or(0);
    let wanted = options.context.unwrap_or(longest + new);
    let allowed = model.manifest().longest.and_then(|longest| usize::try_from(longest).ok());
    // A prompt that is too long by itself is refused later, by its length.
    match options.context {
        None => allowed.map_or(wanted, |allowed| wanted.min(allowed)),
        Some(_) => wanted,
    }
}

/// Writes one row as it comes.
pub fn speak(session: &mut Session<'_>, plan: &Plan, tokenizer: &Tokenizer) -> Result<()> {
    let mut text = Speech::new(tokenizer, &plan.stop);
    session.generate(&plan.limits, |_, id| {
        let (piece, ended) = text.hear(id)?;
        print(&piece)?;
        Ok(if ended { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    print(&text.finish()?)
}

/// Writes several rows, each when all are done.
fn speak_together(
    session: &mut Session<'_>,
    plan: &Plan,
    tokenizer: &Tokenizer,
    options: &Options,
    rows: usize,
) -> Result<()> {
    let mut speeches: Vec<_> = (0..rows).map(|_| Speech::new(tokenizer, &plan.stop)).collect();
    let mut texts = vec![String::new(); rows];
    session.generate(&plan.limits, |row, id| {
        let (piece, ended) = speeches[row].hear(id)?;
        texts[row] += &piece;
        Ok(if ended { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    for (row, text) in texts.iter_mut().enumerate() {
        *text += &speeches[row].finish()?;
        show(options, row, text, session.ids(row))?;
    }
    Ok(())
}

/// Writes one of several rows: its ids, or what it has said.
pub fn show(options: &Options, row: usize, text: &str, ids: &[u32]) -> Result<()> {
    if options.print_ids {
        let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
        return print(&format!("{}\n", ids.join(",")));
    }
    print(&format!("--- {}\n{text}\n", row + 1))
}

/// When rows stop, and the settings of the model's sampler, from the options, then its `generate` line.
fn plan(manifest: &Manifest, options: &Options, tokenizer: &Tokenizer) -> Result<Plan> {
    let Some(generate) = &manifest.generate else {
        return Err(Error::request(format!("the model {} has no sampler", manifest.model))
            .help("write a line such as `generate sample(self)` into it, and build it again"));
    };
    let own = |name: &str| generate.settings.iter().find(|(other, _)| other == name).map(|(_, value)| *value);
    let new = options.new.or(own("new").map(|value| value as usize)).unwrap_or(128);
    let mut end_tokens = if options.ignore_end { Vec::new() } else { tokenizer.end_tokens() };
    // The model's own end token; a number below 0 is none.
    let end = own("end").filter(|end| *end >= 0.0 && !options.ignore_end);
    end_tokens.extend(end.map(|end| end as u32));
    end_tokens.extend(&options.stop_token);
    let stop = options.stop.iter().filter(|stop| !stop.is_empty()).cloned().collect();
    let settings = settings(generate, options, new, end_tokens.first().copied())?;
    Ok(Plan { limits: Limits { new, end_tokens }, stop, settings })
}

/// The settings of the model's sampler as the options want them.
fn settings(generate: &GenerateInfo, options: &Options, new: usize, end: Option<u32>) -> Result<Vec<(String, f64)>> {
    let mut settings = generate.settings.clone();
    let known = settings.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let mut set = |name: &str, value: Option<f64>| match settings.iter_mut().find(|(own, _)| own == name) {
        Some((_, own)) => {
            *own = value.unwrap_or(*own);
            true
        }
        None => value.is_none(),
    };
    set("new", Some(new as f64));
    let ignored = options.ignore_end.then_some(-1.0);
    set("end", ignored.or(end.map(f64::from)));
    let lacking = options.asked().into_iter().filter(|(name, value)| !set(name, *value)).map(|(name, _)| name);
    let lacking = lacking.collect::<Vec<_>>();
    if !lacking.is_empty() {
        return Err(lacks(generate, &lacking));
    }
    for text in &options.setting {
        let value = text.split_once('=').and_then(|(name, value)| Some((name, value.parse().ok()?)));
        let (name, value) =
            value.ok_or_else(|| Error::request(format!("`{text}` sets nothing")).help("write --setting steps=64"))?;
        if !set(name, Some(value)) {
            let near = nearest(name, known.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`? "));
            return Err(Error::request(format!("the sampler {} has no setting `{name}`", generate.block))
                .help(format!("{}it has: {}", near.unwrap_or_default(), known.join(", "))));
        }
    }
    Ok(settings)
}

/// The fault of asking for what a sampler has no setting for.
fn lacks(generate: &GenerateInfo, lacking: &[&str]) -> Error {
    let names = lacking.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and no ");
    let known = generate.settings.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
    let fault = Error::request(format!("the sampler {} has no setting {names}", generate.block));
    match lacking.iter().any(|name| SEARCH.contains(name)) {
        true => fault.help(format!("it has: {known}; a search is built with `generate beam(self)`")),
        false => fault.help(format!("it has: {known}")),
    }
}
