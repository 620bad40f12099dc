//! Weight maps: which tensors of a file are which parameters, resolved for one model.
//!
//! In: `weights` items and an elaborated model. Out: [`WeightMap`]s in which every file tensor is a list of strided boxes
//! of parameters. Every parameter must be named by some line; a line whose parameters this configuration switches off
//! is passed over.

mod configure;
mod layout;
mod paths;
mod values;

pub use configure::configure;
pub use values::add_values;

use super::declarations::{MappedTensor, Model, WeightMap};
use super::library::Library;
use super::spelling;
use crate::diagnostics::codes::*;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::syntax::ast::{Name, Slot, Template, TemplatePiece, WeightLine, WeightPath, Weights};
use layout::Part;
use paths::{Counted, Found};

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
        let mut tensors: Vec<MappedTensor> = Vec::new();
        let (mut ignored, mut inputs) = (Vec::new(), Vec::new());
        let before = self.sink.has_errors();
        for line in &map.lines {
            match line {
                WeightLine::Map { path, template, more, layout, also, .. } => {
                    let names = std::iter::once(template).chain(more).collect::<Vec<_>>();
                    let found = self.line(path, &names, layout.as_deref());
                    let copies = also.iter().flat_map(|copy| {
                        let copied = self.line(path, &[copy], layout.as_deref());
                        copied.into_iter().map(|tensor| MappedTensor { copy: true, ..tensor })
                    });
                    let copies = copies.collect::<Vec<_>>();
                    tensors.extend(found);
                    tensors.extend(copies);
                }
                WeightLine::Ignore(template) => ignored.push(plain(template)),
                WeightLine::Input(input, tensor) => inputs.extend(self.input(input, tensor)),
                _ => {}
            }
        }
        let originals = tensors.iter().filter(|tensor| !tensor.copy).map(|tensor| tensor.name.clone());
        let originals = originals.collect::<std::collections::HashSet<_>>();
        tensors.retain(|tensor| !tensor.copy || !originals.contains(&tensor.name));
        if self.sink.has_errors() == before {
            self.check_complete(map, &tensors);
        }
        WeightMap { architecture: map.architecture.0.clone(), tensors, ignored, inputs, values: Vec::new() }
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

    /// One line: the file tensors that it names. Several templates name the pieces of one tensor.
    fn line(&mut self, path: &WeightPath, templates: &[&Template], layout: Option<&[Slot]>) -> Vec<MappedTensor> {
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
        let mut tensors = Vec::new();
        for (alternative, parts) in groups {
            match self.tensors(templates, alternative, &parts, layout) {
                Ok(made) => tensors.extend(made),
                Err((message, label)) => self.say(message, template.span, label, path.span),
            }
        }
        tensors
    }

    fn say(&mut self, message: String, span: crate::source::Span, label: String, path: crate::source::Span) {
        self.sink.push(Diagnostic::new(E0701, message).label(span, label).label(path, "the parameters of this line"));
    }

    /// The tensors of one name template, counted out; those of several are the pieces of one.
    fn tensors(
        &mut self,
        templates: &[&Template],
        alternative: usize,
        parts: &[Found],
        layout: Option<&[Slot]>,
    ) -> Result<Vec<MappedTensor>, (String, String)> {
        let (template, first) = (templates[0], &parts[0]);
        let counted = paths::counted(self.model, template, first)?;
        let mut tensors = Vec::new();
        for numbers in paths::odometer(&counted) {
            let boxes = parts.iter().map(|found| self.part(found, template, &counted, &numbers));
            let boxes = boxes.collect::<Result<Vec<Part>, _>>()?;
            let (shape, parts) = layout::place(self.model, &boxes, layout)?;
            let pieces = layout::cut(shape, parts, templates.len())?;
            for (template, (shape, parts)) in templates.iter().zip(pieces) {
                let name = paths::name(template, alternative, &counted, &numbers);
                tensors.push(MappedTensor { name, shape, parts, copy: false });
            }
        }
        Ok(tensors)
    }

    /// A parameter with the axes that the name counts out fixed.
    fn part(
        &self,
        found: &Found,
        template: &Template,
        counted: &[Counted],
        numbers: &[i64],
    ) -> Result<Part, (String, String)> {
        let own = paths::counted(self.model, template, found)?;
        let fixed = own.iter().zip(counted).zip(numbers).flat_map(|((own, _), number)| own.fix(*number));
        Ok(Part::new(self.model, found.parameter, fixed.collect()))
    }

    /// Every parameter is named by some tensor.
    fn check_complete(&mut self, map: &Weights, tensors: &[MappedTensor]) {
        let mut mapped = vec![0; self.model.parameters.len()];
        for part in tensors.iter().filter(|tensor| !tensor.copy).flat_map(|tensor| &tensor.parts) {
            mapped[part.parameter] += part.extents.iter().product::<i64>();
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

/// The text of a template without holes.
fn plain(template: &Template) -> String {
    let pieces = template.pieces.iter().map(|piece| match piece {
        TemplatePiece::Text(text) => text.as_str(),
        _ => "*",
    });
    pieces.collect()
}
