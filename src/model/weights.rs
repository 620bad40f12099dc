//! Weight maps: which tensors of a file are which parameters, resolved for one model.
//!
//! In: `weights` items and an elaborated model. Out: [`WeightMap`]s in which every file tensor is a list of strided boxes
//! of parameters, counted out when somebody looks. Every parameter must be named by some line; a line whose parameters
//! this configuration switches off is passed over.

mod configure;
mod counting;
mod layout;
mod order;
mod paths;
mod unread;
mod values;

pub use configure::{configure, setting_of};
pub use counting::Tensors;
pub use order::Order;
pub use unread::{Unread, unread};
pub use values::{Named, add_values};

use super::declarations::{Model, Said, WeightMap};
use super::library::Library;
use super::spelling;
use crate::diagnostics::codes::*;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::syntax::ast::{Name, Slot, Template, TemplatePiece, WeightLine, WeightPath, Weights};
use archc_runtime::abi::names;
use counting::Family;
use layout::Part;
use paths::Found;

/// Resolves the parameters of all maps.
pub fn resolve(library: &Library, maps: &[&Weights], model: &Model, sink: &mut Diagnostics) -> Vec<WeightMap> {
    maps.iter().map(|map| Resolver { library, model, sink }.map(map)).collect()
}

struct Resolver<'r> {
    library: &'r Library,
    model: &'r Model,
    sink: &'r mut Diagnostics,
}

impl Resolver<'_> {
    fn map(&mut self, map: &Weights) -> WeightMap {
        let mut families: Vec<Family> = Vec::new();
        let (mut ignored, mut inputs, mut said) = (Vec::new(), Vec::new(), Said::default());
        let mut orders = Vec::new();
        let before = self.sink.has_errors();
        for line in &map.lines {
            match line {
                WeightLine::Map { path, template, more, layout, also, .. } => {
                    let names = std::iter::once(template).chain(more).collect::<Vec<_>>();
                    families.extend(self.line(path, &names, layout.as_deref()));
                    for copy in also {
                        let copied = self.line(path, &[copy], layout.as_deref());
                        families.extend(copied.into_iter().map(|family| Family { copy: true, ..family }));
                    }
                }
                WeightLine::Ignore(template) => ignored.push(plain(template)),
                WeightLine::Input(input, tensor, order) => {
                    inputs.extend(self.input(input, tensor));
                    orders.extend(order.as_ref().and_then(|order| self.order(input, tensor, order)));
                }
                WeightLine::Loss(name) => said.loss = Some(plain(name)),
                WeightLine::Train(input, tensor) => said.trained.extend(self.input(input, tensor)),
                WeightLine::Draw(path, name) => said.draws.extend(pair(path, name)),
                WeightLine::Gradient(path, name) => said.gradients.extend(pair(path, name)),
                WeightLine::Generate(settings) => said.settings.extend(settings.iter().cloned()),
                WeightLine::Config(_) | WeightLine::Require(..) | WeightLine::Value(..) => {}
            }
        }
        if self.sink.has_errors() == before {
            self.check_complete(map, &families);
        }
        let tensors = Tensors::new(families);
        let values = Vec::new();
        WeightMap { architecture: map.architecture.0.clone(), tensors, ignored, inputs, values, orders, said }
    }

    /// An input of the model and the name of its data.
    fn input(&mut self, input: &Name, tensor: &str) -> Option<(String, String)> {
        if self.model.inputs.iter().any(|known| known.name == input.text) {
            return Some((input.text.clone(), tensor.to_string()));
        }
        let hint = spelling::hint(&input.text, self.model.inputs.iter().map(|known| known.name.clone()));
        self.sink.push(
            Diagnostic::new(E0701, format!("the model has no input `{}`", input.text))
                .label(input.span, "not an input of it")
                .help(hint),
        );
        None
    }

    /// How a file holds the axes of an input, as it is written.
    fn order(&mut self, input: &Name, tensor: &str, written: &[Name]) -> Option<Order> {
        let known = self.model.inputs.iter().find(|known| known.name == input.text)?;
        let own = known.axes.iter().map(|axis| self.model.axes[*axis].name.clone());
        let own = std::iter::once(names::BATCH.to_string()).chain(own).collect::<Vec<_>>();
        order::order(tensor, &own, written, self.sink)
    }

    /// One line: the file tensors that it names. Several templates name the pieces of one tensor.
    fn line(&mut self, path: &WeightPath, templates: &[&Template], layout: Option<&[Slot]>) -> Vec<Family> {
        let template = templates[0];
        let found = match self.find(path) {
            Some(found) if !found.is_empty() => found,
            _ => return Vec::new(),
        };
        let names = paths::alternatives(template);
        if names > 1 && names != found.len() {
            let message = format!("{names} names for {} parameters", found.len());
            self.say(message, template.span, "braces on the right pair with braces on the left".into(), path.span);
            return Vec::new();
        }
        let groups = if names > 1 {
            found.into_iter().enumerate().map(|(place, one)| (place, vec![one])).collect()
        } else {
            vec![(0, found)]
        };
        let mut families = Vec::new();
        for (alternative, parts) in groups {
            match self.family(templates, alternative, &parts, layout) {
                Ok(made) => families.push(made),
                Err((message, label)) => self.say(message, template.span, label, path.span),
            }
        }
        families
    }

    fn say(&mut self, message: String, span: crate::source::Span, label: String, path: crate::source::Span) {
        self.sink.push(Diagnostic::new(E0701, message).label(span, label).label(path, "the parameters of this line"));
    }

    /// The tensors of one name template; those of several are the pieces of one.
    fn family(
        &self,
        templates: &[&Template],
        alternative: usize,
        parts: &[Found],
        layout: Option<&[Slot]>,
    ) -> Result<Family, (String, String)> {
        let counted = paths::counted(self.model, templates[0], &parts[0])?;
        let (mut boxes, mut starts) = (Vec::new(), Vec::new());
        for found in parts {
            let own = paths::counted(self.model, templates[0], found)?;
            let fixed = own.iter().flat_map(|own| own.axes.iter().map(|(axis, _)| *axis)).collect::<Vec<_>>();
            boxes.push(Part::new(self.model, found.parameter, &fixed));
            starts.push(counting::Start::new(self.model, found.parameter, &own));
        }
        let (shape, placed) = layout::place(self.model, &boxes, layout)?;
        let pieces = layout::cut(shape, placed, templates.len())?;
        let templates = templates.iter().map(|template| (*template).clone()).collect();
        Ok(Family { templates, alternative, counted, starts, pieces, copy: false })
    }

    /// Every parameter is named by some tensor.
    fn check_complete(&mut self, map: &Weights, families: &[Family]) {
        let mut mapped = vec![0; self.model.parameters.len()];
        for family in families.iter().filter(|family| !family.copy) {
            for part in family.pieces.iter().flat_map(|(_, parts)| parts) {
                mapped[part.parameter] += part.extents.iter().product::<i64>() * family.count();
            }
        }
        let size = |place: usize| {
            let axes = &self.model.parameters[place].axes;
            axes.iter().map(|axis| self.model.axes.fixed(*axis).unwrap_or(1)).product::<i64>()
        };
        let missing = (0..mapped.len()).filter(|place| mapped[*place] != size(*place)).collect::<Vec<_>>();
        if missing.is_empty() {
            return;
        }
        let names = missing.iter().map(|place| format!("`{}`", self.model.parameters[*place].path));
        let names = names.collect::<Vec<_>>().join(", ");
        let mut diagnostic = Diagnostic::new(E0702, format!("no line of the weight map names all of {names}"))
            .label(map.architecture.1, "this map")
            .help("add a line for it, or leave the map out");
        if let Some(first) = missing.first() {
            diagnostic = diagnostic.label(self.model.parameters[*first].span, "made here");
        }
        self.sink.push(diagnostic);
    }
}

/// A path without counts, and a name without holes.
fn pair(path: &WeightPath, name: &Template) -> Option<(String, String)> {
    let (steps, _) = paths::expand(path).into_iter().next()?;
    Some((steps.join("."), plain(name)))
}

/// The text of a template without holes.
fn plain(template: &Template) -> String {
    let pieces = template.pieces.iter().map(|piece| match piece {
        TemplatePiece::Text(text) => text.as_str(),
        _ => "*",
    });
    pieces.collect()
}
