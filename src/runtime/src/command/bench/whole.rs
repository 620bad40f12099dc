//! What a token costs when a sampler writes a text at once: by steps, by block length, by any of its settings.
//!
//! In: lists of settings. Out: a table with a line for each way to combine them, beside the model's own forward pass
//! over as many positions, the machine's limit, and what another built model decodes token by token.

use super::Options;
use crate::abi::{GenerateInfo, Manifest, names};
use crate::bench::{Figure, Limit, WholeCost, whole};
use crate::command::options::print;
use crate::command::whole::STEPS;
use crate::error::{Error, Result};
use crate::generate::{NEW, accept};
use crate::interrupt;
use crate::model::Loaded;
use clap::{Arg, ArgMatches, Command};
use std::path::Path;

/// The setting that says in blocks of how many positions a text is written; it and [`STEPS`] are varied unless somebody
/// says otherwise.
const LENGTH: &str = "length";
/// In how many parts of the new positions these are.
const PARTS: [f64; 4] = [8.0, 4.0, 2.0, 1.0];

/// Values of a setting.
pub type List = (String, Vec<f64>);
/// One value for each setting.
pub type Settings = Vec<(String, f64)>;

/// Adds an option for each setting of a sampler that writes texts at once.
pub fn add_settings(command: Command, manifest: &Manifest) -> Command {
    let Some(generate) = sampler(manifest) else { return command };
    generate.settings.iter().fold(command, |command, (name, default)| {
        let long = name.replace('_', "-");
        if command.get_arguments().any(|known| known.get_long() == Some(long.as_str())) {
            return command;
        }
        let arg = Arg::new(format!("setting {name}")).long(long).value_name("NUMBERS").allow_negative_numbers(true);
        let help = format!("One or several, such as 1,2 [default: {default}]");
        command.arg(arg.help(help).help_heading("Settings of the model's sampler, for `generate`"))
    })
}

/// The lists that were given.
///
/// # Errors
/// If something is no number.
pub fn given(matches: Option<&ArgMatches>) -> Result<Vec<List>> {
    let Some(matches) = matches else { return Ok(Vec::new()) };
    let ids = matches.ids().filter_map(|id| id.as_str().strip_prefix("setting "));
    let texts = ids.filter_map(|name| {
        let text = matches.try_get_one::<String>(&format!("setting {name}")).ok().flatten()?;
        Some((name, text))
    });
    texts.map(|(name, text)| Ok((name.to_owned(), numbers(name, text)?))).collect()
}

fn numbers(name: &str, text: &str) -> Result<Vec<f64>> {
    let number = |part: &str| {
        let number = match part {
            "true" => Some(1.0),
            "false" => Some(0.0),
            other => other.parse().ok().filter(|number: &f64| number.is_finite()),
        };
        let option = name.replace('_', "-");
        number.ok_or_else(|| Error::request(format!("`{part}` is no number for --{option}")).help("write 16,32"))
    };
    text.split(',').map(number).collect()
}

/// The sampler of a model that writes texts at once.
pub fn sampler(manifest: &Manifest) -> Option<&GenerateInfo> {
    manifest.generate.as_ref().filter(|_| manifest.programs.iter().any(|program| program.name == names::GENERATE))
}

/// All ways to combine what was given; steps and block lengths, if nothing was.
///
/// # Errors
/// If the sampler refuses one that was asked for, or would write nothing.
pub fn combinations(model: &mut Loaded, lists: &[List]) -> Result<Vec<Settings>> {
    let Some(generate) = sampler(model.manifest()).cloned() else { return Ok(Vec::new()) };
    let own = |name: &str| generate.settings.iter().find(|(own, _)| own == name).map(|(_, value)| *value);
    let list = |name: &str| lists.iter().find(|(other, _)| other == name).map(|(_, values)| values.clone());
    let new = list(NEW).and_then(|values| values.first().copied()).or(own(NEW));
    if list(NEW).is_some_and(|values| values.iter().any(|new| *new < 1.0)) {
        return Err(Error::request("--new is at least 1"));
    }
    let values = |(name, default): &(String, f64)| {
        let parts = |of: f64| PARTS.iter().map(|part| (of / part).floor().max(1.0)).collect();
        list(name).unwrap_or_else(|| match new {
            Some(new) if name == STEPS => parts(new),
            Some(new) if name == LENGTH => vec![*default, (new / PARTS[1]).floor().max(1.0)],
            _ => vec![*default],
        })
    };
    let all: Vec<List> = generate.settings.iter().map(|own| (own.0.clone(), values(own))).collect();
    // What nobody asked for may be refused.
    let asked = |(name, values): &List| values.len() == 1 || list(name).is_some();
    let strict = all.iter().all(asked);
    let mut refusal = None;
    let mut good = Vec::new();
    for row in rows_of(&all) {
        match accept(model, &row) {
            Err(error) if strict => return Err(error),
            Err(error) => refusal = refusal.or(Some(error)),
            Ok(()) => good.push(row),
        }
    }
    match refusal {
        Some(refusal) if good.is_empty() => Err(refusal),
        _ => Ok(good),
    }
}

/// All ways to take one value from each list, those of the last list the fastest.
fn rows_of(lists: &[List]) -> Vec<Settings> {
    lists.iter().fold(vec![Vec::new()], |rows, (name, values)| {
        let longer = |row: &Settings| {
            let longer = |value: &f64| row.iter().cloned().chain([(name.clone(), *value)]).collect::<Settings>();
            values.iter().map(longer).collect::<Vec<_>>()
        };
        rows.iter().flat_map(longer).collect()
    })
}

/// The table, as far as it is asked for.
///
/// # Errors
/// If there is not enough memory, or the other model measures no decoding.
pub fn measure_texts(model: &mut Loaded, options: &Options) -> Result<()> {
    let rows = combinations(model, &options.settings)?;
    let decode = match &options.beside {
        Some(program) => Some(decoding(program, options, model.pool().threads(), middle(options, &rows))?),
        None => None,
    };
    let columns = columns(&rows, &options.settings);
    print(&heading(&columns, decode.as_ref()))?;
    for row in rows {
        if interrupt::asked() {
            break;
        }
        let cost = whole(model, &row, options.prompt, options.pairs, &mut Limit)?;
        print(&line(&columns, &row, &cost, decode.as_ref()))?;
    }
    Ok(())
}

/// The settings that are worth a column: those with several values, those that were given, and how much is new.
fn columns(rows: &[Settings], lists: &[List]) -> Vec<String> {
    let Some(first) = rows.first() else { return Vec::new() };
    let told = |place: usize, name: &str| {
        let differs = rows.iter().any(|row| row[place].1 != first[place].1);
        differs || name == NEW || lists.iter().any(|(other, _)| other == name)
    };
    let places = first.iter().enumerate().filter(|(place, (name, _))| told(*place, name));
    places.map(|(_, (name, _))| name.clone()).collect()
}

/// Half of what is new, behind the prompt: where decoding costs what it costs on average.
fn middle(options: &Options, rows: &[Settings]) -> usize {
    let new = rows.first().and_then(|row| row.iter().find(|(name, _)| name == NEW)).map_or(0.0, |(_, new)| *new);
    options.prompt + new as usize / 2
}

/// A model that writes token by token: its name, and tokens per second.
struct Decoding {
    model: String,
    rate: f64,
}

/// Runs another built model's own measurement.
fn decoding(program: &Path, options: &Options, threads: usize, prompt: usize) -> Result<Decoding> {
    let shown = program.display();
    let mut command = std::process::Command::new(program);
    command.args(["bench", "--only", "decode", "--threads", &threads.to_string()]);
    command.args(["--prompt", &prompt.to_string(), "--pairs", &options.pairs.to_string()]);
    let output = command.stderr(std::process::Stdio::inherit()).output();
    let output = output.map_err(|cause| Error::environment(format!("cannot run {shown}: {cause}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    // With several threads it measures one first.
    let line =
        text.lines().rev().map(str::split_whitespace).find_map(|mut words| {
            (words.next() == Some("decode")).then(|| words.next()?.parse::<f64>().ok()).flatten()
        });
    let name = program.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    line.map(|rate| Decoding { model: name, rate }).ok_or_else(|| {
        Error::request(format!("{shown} measures no decoding"))
            .help("--beside takes what `archc build` makes of a model that writes token by token")
    })
}

fn heading(columns: &[String], decode: Option<&Decoding>) -> String {
    let mut text = String::new();
    if let Some(Decoding { model, rate }) = decode {
        text += &format!("  decode   {rate:9.1} tokens/s  by {model}, token by token\n");
    }
    text += "  generate";
    for name in columns {
        text += &format!(" {name:>width$}", width = width(name));
    }
    text += "   tokens/s";
    if decode.is_some() {
        text += "  × decode";
    }
    text + "  before ms    turn ms  forward ms  the loop adds              GFLOP/s of the limit\n"
}

/// One line of the table.
fn line(columns: &[String], row: &Settings, cost: &WholeCost, decode: Option<&Decoding>) -> String {
    let value = |name: &str| row.iter().find(|(other, _)| other == name).map_or(0.0, |(_, value)| *value);
    let mut text = " ".repeat("  generate".len());
    for name in columns {
        text += &format!(" {:>width$}", value(name), width = width(name));
    }
    let rate = value(NEW) / (cost.before.median + cost.turn.median * cost.turns as f64);
    text += &format!(" {rate:10.1}");
    if let Some(decode) = decode {
        text += &format!(" {:9.2}", rate / decode.rate);
    }
    text += &format!(" {:10.4} {:10.4}", 1e3 * cost.before.median, 1e3 * cost.turn.median);
    match &cost.forward {
        None => text += &format!(" {:>11} {:>26}", "-", "-"),
        Some(forward) => {
            let times = match forward.passes {
                1.0 => String::new(),
                passes if passes < 1.0 => format!("{passes:.2} × "),
                passes => format!("{passes} × "),
            };
            text += &format!(" {:>11} {:>26}", format!("{times}{:.4}", 1e3 * forward.pass.median), part(forward.added));
        }
    }
    let [rate, limit, share] = cost.rates;
    text + &format!(" {:9.1} = {:.1} % of {:.1}\n", rate.median / 1e9, 100.0 * share.median, limit.median / 1e9)
}

fn part(figure: Figure) -> String {
    let [low, median, high] = [figure.low, figure.median, figure.high].map(|part| 100.0 * part);
    format!("{median:.1} % ({low:.1} to {high:.1})")
}

fn width(name: &str) -> usize {
    name.len().max(6)
}
