//! `value` lines: values of the forward program under the names that reference cases use, turns counted out.

use super::paths::expand;
use crate::diagnostics::codes::*;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::model::construct::Values;
use crate::model::declarations::Setting;
use crate::model::values::ValueId;
use crate::syntax::ast::{Axes, Template, TemplatePiece, WeightLine, WeightPath, Weights};
use crate::tensor::{Affine, AxisId, Presence};

/// A name of a reference case and the value that it means.
pub type NamedValue = (String, ValueId);

/// The values that a map names, made in the program where they are slices.
pub fn add_values(
    map: &Weights,
    values: &mut Values,
    settings: &[(String, Setting)],
    sink: &mut Diagnostics,
) -> Vec<NamedValue> {
    let mut all = Vec::new();
    for line in &map.lines {
        let WeightLine::Value(path, template) = line else { continue };
        match named(path, template, values, settings) {
            Ok(found) => all.extend(found),
            Err((message, label)) => sink.push(Diagnostic::new(E0701, message).label(path.span, label)),
        }
    }
    all
}

fn named(
    path: &WeightPath,
    template: &Template,
    values: &mut Values,
    settings: &[(String, Setting)],
) -> Result<Vec<NamedValue>, (String, String)> {
    let Some((steps, counts)) = expand(path).into_iter().next() else { return Ok(Vec::new()) };
    let dotted = steps.join(".");
    let suffix = format!(".{dotted}");
    let known = values.program.named.iter().find(|(name, _)| *name == dotted || name.ends_with(&suffix));
    let Some((_, value)) = known.cloned() else {
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
    let sizes = counted.iter().map(|axis| values.axes.fixed(*axis).unwrap_or(1)).collect::<Vec<_>>();
    let mut all = Vec::new();
    for flat in 0..sizes.iter().product::<i64>() {
        let (mut rest, mut numbers) = (flat, vec![0; sizes.len()]);
        for place in (0..sizes.len()).rev() {
            numbers[place] = rest % sizes[place];
            rest /= sizes[place];
        }
        let places = counted.iter().zip(&numbers).map(|(axis, number)| (*axis, Affine::number(*number))).collect();
        let slice = values.index(value, places, &Presence::always());
        all.push((fill(template, &counts, &numbers, settings)?, slice));
    }
    Ok(all)
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
