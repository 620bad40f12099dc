//! `generate` for samplers that change positions anywhere: all turns are one program, which is looked at as it goes.
//!
//! In: prompts, some positions of which may be blanks to be filled in. Out: the texts; on a terminal the text as it
//! stands before each turn, blanks shown as dots, and below it the turn, and the block if there are several.

use super::begun::prompts;
use super::generate::{Options, Plan};
use super::options::print;
use crate::abi::{GenerateInfo, names};
use crate::error::{Error, Result};
use crate::generate::{Moment, NEW, Whole};
use crate::interrupt;
use crate::model::Code;
use crate::tokenizer::Tokenizer;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// The setting that says which token stands for a blank, of which every turn fills in some.
const MASK: &str = "mask";
/// The setting that says which token stands for a blank, all of which are written anew in every turn.
const BLANK: &str = "blank";
/// The setting that says over how many turns a text is written.
pub(super) const STEPS: &str = "steps";
/// A look costs a line on the terminal: no more often than this.
const BETWEEN: Duration = Duration::from_millis(40);

/// Generates.
pub fn run(code: Code, options: &Options, plan: &Plan, tokenizer: &Tokenizer) -> Result<()> {
    let Some(generate) = code.manifest().generate.clone() else {
        return Err(Error::bug("a program that generates belongs to a sampler"));
    };
    let mut settings = plan.settings.clone();
    refuse_others(options, &settings)?;
    let rows = rows(options, tokenizer, &mut settings)?;
    check(options, &rows, &settings)?;
    check_mask(&settings, code.manifest().vocabulary)?;
    fit_steps(&generate, &rows, &mut settings)?;
    let mut model = options.threads.load(code)?;
    let mut whole = Whole::new(&mut model, &settings, &rows, options.seed)?;
    options.trained.read_weights(&mut model, &[names::GENERATE])?;
    let view = View { tokenizer, mask: blank(&settings).map(|mask| mask as i32) };
    let live = std::io::stderr().is_terminal() && rows.len() == 1 && !options.print_ids;
    let mut shown = Instant::now().checked_sub(BETWEEN);
    let mut begun = false;
    whole.run(&mut model, |now, rows| {
        // Before the first turn there is nothing to see.
        if live && std::mem::replace(&mut begun, true) && shown.is_none_or(|shown| shown.elapsed() >= BETWEEN) {
            view.show(now, rows[0]);
            shown = Some(Instant::now());
        }
        !interrupt::asked()
    })?;
    if live {
        view.clear();
    }
    tell(&whole.rows()?, &view, options)
}

fn value(settings: &[(String, f64)], name: &str) -> Option<f64> {
    settings.iter().find(|(own, _)| own == name).map(|(_, value)| *value)
}

/// The token that stands for a blank.
fn blank(settings: &[(String, f64)]) -> Option<f64> {
    value(settings, MASK).or_else(|| value(settings, BLANK))
}

/// Refuses options of writing token by token: they would do nothing.
fn refuse_others(options: &Options, settings: &[(String, f64)]) -> Result<()> {
    let asked = [
        ("--stop", !options.stop.is_empty()),
        ("--stop-token", !options.stop_token.is_empty()),
        ("--ignore-end", options.ignore_end && value(settings, "end").is_none()),
        ("--context", options.context.is_some()),
        ("--input", !options.input.is_empty()),
        ("--input-ids", !options.input_ids.is_empty()),
    ];
    match asked.into_iter().find(|(_, asked)| *asked) {
        Some((option, _)) => Err(Error::request(format!("{option} is for models that write token by token"))
            .help("this one writes its whole text at once: leave the option out")),
        None => Ok(()),
    }
}

/// Refuses a blank that the model has no token for.
fn check_mask(settings: &[(String, f64)], vocabulary: Option<i64>) -> Result<()> {
    let name = if value(settings, MASK).is_some() { MASK } else { BLANK };
    match (blank(settings), vocabulary) {
        (Some(mask), Some(vocabulary)) if mask < 0.0 || mask >= vocabulary as f64 => {
            Err(Error::request(format!("--{name} {mask} is no token of the model"))
                .help(format!("its tokens are 0 to {}", vocabulary - 1)))
        }
        _ => Ok(()),
    }
}

/// No turn is without something to fill in: more steps than that are refused, unless they are the sampler's own, which
/// become fewer.
fn fit_steps(generate: &GenerateInfo, rows: &[Vec<u32>], settings: &mut [(String, f64)]) -> Result<()> {
    let (Some(mask), Some(new)) = (value(settings, MASK), value(settings, NEW)) else { return Ok(()) };
    let blanks = |row: &Vec<u32>| row.iter().filter(|id| f64::from(**id) == mask).count();
    let most = rows.iter().map(blanks).max().unwrap_or(0) as f64 + new;
    let own = value(&generate.settings, STEPS);
    let Some((_, steps)) = settings.iter_mut().find(|(name, steps)| name == STEPS && *steps > most) else {
        return Ok(());
    };
    if Some(*steps) != own {
        let what = if new > 0.0 { format!("--new {new}") } else { format!("the {most} blanks") };
        return Err(Error::request(format!("--steps {steps} is more than {what}: a step fills in one token at least"))
            .help(format!("give --steps {most} or less")));
    }
    *steps = most.max(1.0);
    Ok(())
}

/// The prompts, or the texts with blanks: then nothing is added behind them.
fn rows(options: &Options, tokenizer: &Tokenizer, settings: &mut [(String, f64)]) -> Result<Vec<Vec<u32>>> {
    let rows = prompts(options, None, tokenizer)?;
    if options.infill.is_empty() {
        return Ok(rows);
    }
    if !rows.is_empty() {
        return Err(Error::request("--prompt and --infill are two ways to begin").help("give one of them"));
    }
    if options.new.is_some() {
        return Err(Error::request("--new adds to a prompt, and --infill fills in what is blank: give one of them"));
    }
    let Some(mask) = blank(settings) else {
        return Err(Error::request("the sampler has no `mask` or `blank`, and so no blanks to fill in"));
    };
    if let Some((_, new)) = settings.iter_mut().find(|(name, _)| name == NEW) {
        *new = 0.0;
    }
    options.infill.iter().map(|text| with_blanks(text, mask as u32, tokenizer)).collect()
}

/// `[8]` is eight blanks; any other bracket is text.
fn with_blanks(text: &str, mask: u32, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
    let (mut ids, mut rest, mut blanks) = (Vec::new(), text, 0);
    while let Some((before, count, after)) = next_blank(rest) {
        if !before.is_empty() {
            ids.extend(tokenizer.encode(before, ids.is_empty())?);
        }
        ids.resize(ids.len() + count, mask);
        blanks += count;
        rest = after;
    }
    if blanks == 0 {
        return Err(Error::request("the text has no blanks").help("write [8] where eight tokens are missing"));
    }
    if !rest.is_empty() {
        ids.extend(tokenizer.encode(rest, ids.is_empty())?);
    }
    Ok(ids)
}

/// The first `[number]` of a text: what stands before it, the number, what stands after.
fn next_blank(text: &str) -> Option<(&str, usize, &str)> {
    let opens = text.match_indices('[').map(|(at, _)| at);
    opens.into_iter().find_map(|at| {
        let (number, after) = text[at + 1..].split_once(']')?;
        Some((&text[..at], number.parse().ok()?, after))
    })
}

/// Refuses what makes no sense for any sampler.
fn check(options: &Options, rows: &[Vec<u32>], settings: &[(String, f64)]) -> Result<()> {
    if rows.is_empty() {
        return Err(Error::request("there is no prompt")
            .help("give one with --prompt \"Once\", or a text with blanks with --infill"));
    }
    if options.chat {
        return Err(Error::request("this model writes its whole answer at once and holds no conversation"));
    }
    if rows.iter().any(Vec::is_empty) {
        return Err(Error::request("the prompt is empty").help("give at least one token"));
    }
    match settings.iter().find(|(_, value)| !value.is_finite()) {
        Some((name, _)) => Err(Error::request(format!("`{name}` is not a number"))),
        None => Ok(()),
    }
}

/// Writes what came out.
fn tell(rows: &[&[i32]], view: &View, options: &Options) -> Result<()> {
    for (number, row) in rows.iter().enumerate() {
        if options.print_ids {
            print(&format!("{}\n", row.iter().map(i32::to_string).collect::<Vec<_>>().join(",")))?;
            continue;
        }
        if rows.len() > 1 {
            print(&format!("--- {}\n", number + 1))?;
        }
        print(&format!("{}\n", view.text(row)))?;
    }
    Ok(())
}

/// How a text under way is shown.
struct View<'t> {
    tokenizer: &'t Tokenizer,
    mask: Option<i32>,
}

impl View<'_> {
    /// The text, blanks as dots.
    fn text(&self, ids: &[i32]) -> String {
        let mut text = String::new();
        for run in ids.chunk_by(|left, right| self.is_blank(*left) == self.is_blank(*right)) {
            if self.is_blank(run[0]) {
                text.extend(run.iter().map(|_| '·'));
                continue;
            }
            let run: Vec<u32> = run.iter().map(|id| id.cast_unsigned()).collect();
            text += &self.tokenizer.decode(&run).unwrap_or_default();
        }
        text
    }

    fn is_blank(&self, id: i32) -> bool {
        Some(id) == self.mask
    }

    /// Clears the screen and writes the text as it stands before a turn.
    fn show(&self, now: Moment, ids: &[i32]) {
        eprint!("\x1b[H\x1b[2J{}\n\n{now}", self.text(ids));
    }

    fn clear(&self) {
        eprint!("\x1b[H\x1b[2J");
    }
}
