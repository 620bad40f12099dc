//! `value` lines: values of the forward program under the names that reference cases use, turns counted out.

use super::order::{self, Order};
use super::paths::expand;
use crate::diagnostics::codes::*;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::model::construct::Values;
use crate::model::declarations::Setting;
use crate::model::values::{Program, ValueId, ValueKind};
use crate::syntax::ast::{Axes, Name, Template, TemplatePiece, WeightLine, WeightPath, Weights};
use crate::tensor::{Affine, AxisId, Presence, Relation};

/// A name of a reference case and the value that it means.
pub type NamedValue = (String, ValueId);

/// The values that a map names, by program.
#[derive(Debug, Default)]
pub struct Named {
    /// Of whole sequences.
    pub forward: Vec<NamedValue>,
    /// Of the objective.
    pub judged: Vec<NamedValue>,
    /// Of the sampler.
    pub sampled: Vec<NamedValue>,
    /// The orders that files hold values of whole sequences in.
    pub orders: Vec<Order>,
}

/// The values that a map names, made in the forward program where they are slices. What that program does not have is
/// looked for in the objective, then in the sampler.
pub fn add_values(
    map: &Weights,
    (values, judged, sampled): (&mut Values, Option<&Program>, Option<&Program>),
    settings: &[(String, Setting)],
    sink: &mut Diagnostics,
) -> Named {
    let mut all = Named::default();
    for line in &map.lines {
        let WeightLine::Value(path, template, order) = line else { continue };
        let of = |program: Option<&Program>| program.and_then(|program| lookup(&dotted(path)?, program));
        let name = || fill(template, &[], &[], settings);
        let known = of(Some(&values.program)).is_some();
        let made = match (of(judged), of(sampled)) {
            (Some(value), _) if !known => name().map(|name| all.judged.push((name, value))),
            (None, Some(value)) if !known => name().map(|name| all.sampled.push((name, value))),
            _ => named(path, template, values, settings).map(|found| {
                let written = order.as_deref();
                all.orders.extend(found.iter().filter_map(|one| order_of(one, written?, values, sink)));
                all.forward.extend(found);
            }),
        };
        if let Err((message, label)) = made {
            sink.push(Diagnostic::new(E0701, message).label(path.span, label));
        }
    }
    all
}

/// How a file holds the axes of a value, as it is written.
fn order_of((name, value): &NamedValue, written: &[Name], values: &Values, sink: &mut Diagnostics) -> Option<Order> {
    let own = values.axes_of(*value).iter().map(|axis| values.axes[*axis].name.clone()).collect::<Vec<_>>();
    order::order(name, &own, written, sink)
}

/// A path without its counts.
fn dotted(path: &WeightPath) -> Option<String> {
    expand(path).into_iter().next().map(|(steps, _)| steps.join("."))
}

/// The output of this name, or the value of this path, or the first that ends so.
fn lookup(dotted: &str, program: &Program) -> Option<ValueId> {
    let suffix = format!(".{dotted}");
    let output = program.outputs.iter().find(|(name, _)| name == dotted);
    let named = || program.named.iter().find(|(name, _)| name == dotted || name.ends_with(&suffix));
    output.or_else(named).map(|(_, value)| *value)
}

fn named(
    path: &WeightPath,
    template: &Template,
    values: &mut Values,
    settings: &[(String, Setting)],
) -> Result<Vec<NamedValue>, (String, String)> {
    let Some((steps, counts)) = expand(path).into_iter().next() else { return Ok(Vec::new()) };
    let dotted = steps.join(".");
    let Some(value) = lookup(&dotted, &values.program) else {
        let names = values.program.named.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        let label = match crate::model::spelling::nearest(&dotted, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "neither yielded nor bound by a line of the model".into(),
        };
        return Err((format!("the model has no value `{dotted}`"), label));
    };
    let fixed = |axis: &AxisId| values.axes.fixed(*axis).is_some();
    let counted = values.axes_of(value).iter().copied().filter(fixed).take(counts.len()).collect::<Vec<_>>();
    if counted.len() < counts.len() {
        return Err((format!("`{dotted}` has fewer turns than the path counts"), "here".into()));
    }
    let turns = counted.iter().map(|axis| turns_of(values, value, *axis)).collect::<Vec<_>>();
    let mut all = Vec::new();
    for flat in 0..turns.iter().map(Vec::len).product() {
        let (mut rest, mut numbers) = (flat, vec![0; turns.len()]);
        for place in (0..turns.len()).rev() {
            numbers[place] = (rest % turns[place].len()) as i64;
            rest /= turns[place].len();
        }
        let number = |place: usize| Affine::number(turns[place][numbers[place] as usize]);
        let places = counted.iter().enumerate().map(|(place, axis)| (*axis, number(place))).collect();
        let slice = values.index(value, places, &Presence::always());
        all.push((fill(template, &counts, &numbers, settings)?, slice));
    }
    Ok(all)
}

/// The turns that yield the value: a name counts these alone, as lists that are appended to do.
fn turns_of(values: &Values, value: ValueId, axis: AxisId) -> Vec<i64> {
    let all = 0..values.axes.fixed(axis).unwrap_or(1);
    let flags = values.presence(value).relations.into_iter().filter_map(|relation| match relation {
        Relation::Holds(flag) => Some(flag),
        _ => None,
    });
    let flags = flags.collect::<Vec<_>>();
    all.filter(|turn| !flags.iter().any(|flag| is_never(values, *flag, axis, *turn))).collect()
}

/// Whether a flag that a `for` along `axis` yields is a plain `false` at a turn.
fn is_never(values: &Values, flag: ValueId, axis: AxisId, turn: i64) -> bool {
    let ValueKind::Yielded(region, place) = values.value(flag).kind else { return false };
    let region = &values.program.regions[region.0 as usize];
    let body = region.turns.as_ref().map_or(Some(0), |turns| turns.get(turn as usize).copied());
    let yielded = body.and_then(|body| region.bodies.get(body as usize)?.yields[place as usize]);
    region.axis == axis && yielded.is_some_and(|value| values.value(value).kind == ValueKind::Number(0.0))
}

/// A name with its counts and settings as numbers.
fn fill(
    template: &Template,
    counts: &[String],
    numbers: &[i64],
    settings: &[(String, Setting)],
) -> Result<String, (String, String)> {
    let mut name = String::new();
    for piece in &template.pieces {
        match piece {
            TemplatePiece::Text(text) => name.push_str(text),
            TemplatePiece::Number(Axes::One(hole)) => {
                let count = counts.iter().position(|count| *count == hole.text).map(|place| numbers[place]);
                let setting = || settings.iter().find(|(known, _)| *known == hole.text)?.1.whole();
                match count.or_else(setting) {
                    Some(number) => name.push_str(&number.to_string()),
                    None => {
                        let message = format!("`{{{}}}` is neither a count of the path nor a setting", hole.text);
                        return Err((message, "in the name on the right".into()));
                    }
                }
            }
            _ => return Err(("a name of a value counts with `{i}` alone".into(), "here".into())),
        }
    }
    Ok(name)
}
