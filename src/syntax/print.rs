//! A syntax tree as text: valid .arch again, in one fixed layout, and what `archc emit --stage ast` shows.
//!
//! In: any tree, parsed or built. Out: text that parses to the same tree but for its spans; comments are not in a tree
//! and so are gone. Brackets stand only where precedence needs them.
//!
//! Order: files and blocks here, then `lines`, `expressions`, `weights`.

mod expressions;
mod lines;
mod weights;

use super::ast::*;

/// The whole file: `use` lines, blocks, models, weight maps.
pub fn print(file: &File) -> String {
    let uses = file.uses.iter().map(use_line).collect::<Vec<_>>().join("");
    let blocks = file.blocks.iter().map(block);
    let models = file.models.iter().map(|model| format!("model {} {}\n", model.name.text, lines::body(&model.body, 0)));
    let weights = file.weights.iter().map(weights::weights);
    let items = std::iter::once(uses).filter(|uses| !uses.is_empty()).chain(blocks).chain(models).chain(weights);
    items.collect::<Vec<_>>().join("\n")
}

fn use_line(line: &Use) -> String {
    let target = match &line.target {
        UseTarget::File(path, _) => format!("\"{path}\""),
        UseTarget::Path(parts) => names(parts, "."),
    };
    match line.names.as_slice() {
        [] => format!("use {target}\n"),
        chosen => format!("use {target}.{{{}}}\n", names(chosen, ", ")),
    }
}

fn block(block: &Block) -> String {
    let demands = match block.demands.as_slice() {
        [] => String::new(),
        demands => format!("[{}]", list(demands, demand)),
    };
    let results = match block.results.as_slice() {
        [] => String::new(),
        results => format!(" -> {}", list(results, result)),
    };
    let parameters = list(&block.parameters, parameter);
    format!("block {}{demands}({parameters}){results} {}\n", block.name.text, lines::body(&block.body, 0))
}

fn demand(demand: &Demand) -> String {
    match &demand.like {
        Some(other) => format!("{} like {}", demand.axis.text, other.text),
        None => demand.axis.text.clone(),
    }
}

fn parameter(parameter: &Parameter) -> String {
    match parameter {
        Parameter::Value(value) => entry(value),
        Parameter::Net { name, parameters, results, .. } => {
            let inner = list(parameters, self::parameter);
            let results = match results.as_slice() {
                [one] => result(one),
                several => format!("({})", list(several, result)),
            };
            format!("{}({inner}) -> {results}", name.text)
        }
    }
}

fn result(result: &ResultItem) -> String {
    let name = result.name.as_ref().map_or("", |name| &name.text);
    // Without a name the axes are all there is, so a scalar without a name is `[]`.
    let shown = !result.axes.is_empty() || result.name.is_none();
    let axes = if shown { format!("[{}]", names(&result.axes, ", ")) } else { String::new() };
    format!("{name}{axes}{}", kind(&result.kind))
}

/// `name[axes] : type = default`.
fn entry(entry: &Entry) -> String {
    match &entry.default {
        Some(default) => format!("{} = {}", target(&entry.target), expressions::expression(default)),
        None => target(&entry.target),
    }
}

/// `name[axes] : type`.
fn target(target: &Target) -> String {
    let axes = target.axes.as_ref().map_or(String::new(), |axes| format!("[{}]", names(axes, ", ")));
    format!("{}{axes}{}", target.name.text, kind(&target.kind))
}

fn kind(kind: &Option<Kind>) -> String {
    match kind {
        Some(kind) => format!(" : {}{}", kind.name.text, if kind.optional { "?" } else { "" }),
        None => String::new(),
    }
}

fn names(names: &[Name], between: &str) -> String {
    names.iter().map(|name| &*name.text).collect::<Vec<_>>().join(between)
}

fn list<T>(items: &[T], print: impl Fn(&T) -> String) -> String {
    items.iter().map(print).collect::<Vec<_>>().join(", ")
}
