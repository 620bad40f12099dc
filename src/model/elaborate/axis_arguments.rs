//! Axis arguments: which axis of the caller each axis of a signature is.

use super::calls::Request;
use super::{Answer, Elaborator, Fail};
use crate::diagnostics::Diagnostic;
use crate::diagnostics::codes::*;
use crate::source::Span;
use crate::syntax::ast::{self, Axes, Block};
use crate::tensor::{AxisId, Extent};
use std::collections::HashMap;
use std::rc::Rc;

/// A group of the caller's axes that is one axis of the block.
pub struct Merged {
    /// The caller's axes, outermost first.
    pub parts: Vec<AxisId>,
    /// The block's axis.
    pub whole: AxisId,
}

impl Elaborator<'_> {
    /// The axis of each name in a block's signature.
    #[expect(clippy::type_complexity, reason = "used once, where a block is called")]
    pub fn bind_axes(
        &mut self,
        block: &Rc<Block>,
        request: &Request,
    ) -> Answer<(HashMap<String, AxisId>, Vec<(String, Merged)>)> {
        let names = super::signature::signature_axes(block);
        let (mut axes, mut merged) = (HashMap::new(), Vec::new());
        for (place, argument) in request.axes.iter().enumerate() {
            let name = match &argument.axis {
                Some(name) => name.text.clone(),
                None => match names.get(place) {
                    Some(name) => name.text.clone(),
                    None => return Err(self.too_many_axes(block, names.len(), request.span)),
                },
            };
            if !names.iter().any(|known| known.text == name) {
                return Err(self.no_such_axis(block, &name, &names, request.span));
            }
            let axis = match &argument.given {
                Axes::One(given) => self.axis_in(given, &request.scope)?,
                Axes::Group(parts, span) => {
                    let group = self.group(&name, parts, &request.scope, *span)?;
                    let whole = group.whole;
                    merged.push((name.clone(), group));
                    whole
                }
            };
            axes.insert(name, axis);
        }
        self.bind_by_name(block, request, &names, &mut axes)?;
        self.check_axes(block, &axes, request.span)?;
        Ok((axes, merged))
    }

    fn bind_by_name(
        &mut self,
        block: &Rc<Block>,
        request: &Request,
        names: &[ast::Name],
        axes: &mut HashMap<String, AxisId>,
    ) -> Answer<()> {
        let sized = super::signature::axes_sized_inside(block);
        for name in names {
            if axes.contains_key(&name.text) || sized.contains(&name.text) {
                continue;
            }
            let found = request.bound.get(&name.text).or_else(|| request.scope.get(&name.text));
            match found {
                Some(axis) => {
                    axes.insert(name.text.clone(), *axis);
                }
                None => return Err(self.unbound_axis(block, name, request.span)),
            }
        }
        Ok(())
    }

    fn unbound_axis(&mut self, block: &Block, name: &ast::Name, span: Span) -> Fail {
        let (block_name, axis) = (&block.name.text, &name.text);
        self.report(
            Diagnostic::new(E0308, format!("`{block_name}` needs an axis `{axis}`, and there is none here"))
                .label(span, format!("which of the axes here is `{axis}`?"))
                .label(name.span, format!("`{axis}` is an axis of its signature"))
                .help(format!("say which it is: `{block_name}[{axis} = …](…)`")),
        )
    }

    fn too_many_axes(&mut self, block: &Block, count: usize, span: Span) -> Fail {
        let message = format!("`{}` has {count} axes, and more are given", block.name.text);
        self.report(Diagnostic::new(E0308, message).label(span, "in this call").label(block.head, "its signature"))
    }

    fn no_such_axis(&mut self, block: &Block, name: &str, names: &[ast::Name], span: Span) -> Fail {
        let help = crate::model::spelling::hint(name, names.iter().map(|name| name.text.clone()));
        self.report(
            Diagnostic::new(E0308, format!("`{}` has no axis `{name}`", block.name.text))
                .label(span, "in this call")
                .label(block.head, "its signature")
                .help(help),
        )
    }

    /// An axis as it can be named where a call is written.
    fn axis_in(&mut self, name: &ast::Name, scope: &HashMap<String, AxisId>) -> Answer<AxisId> {
        match scope.get(&name.text) {
            Some(axis) => Ok(*axis),
            None => self.axis(name),
        }
    }

    fn group(
        &mut self,
        name: &str,
        parts: &[ast::Name],
        scope: &HashMap<String, AxisId>,
        span: Span,
    ) -> Answer<Merged> {
        let mut axes = Vec::with_capacity(parts.len());
        let mut size = 1;
        for part in parts {
            let axis = self.axis_in(part, scope)?;
            let Some(own) = self.values().axes.fixed(axis) else {
                let label = format!("`{}` has no fixed size", part.text);
                return Err(self.fault(E0303, "only axes of fixed size can be grouped", span, label));
            };
            size *= own;
            axes.push(axis);
        }
        let whole = self.keyed_axis(name, Extent::Fixed(size), None);
        Ok(Merged { parts: axes, whole })
    }

    /// No two axes of a signature are one, and those that must be alike are.
    fn check_axes(&mut self, block: &Block, axes: &HashMap<String, AxisId>, span: Span) -> Answer<()> {
        let names = super::signature::signature_axes(block);
        for (place, name) in names.iter().enumerate() {
            let twin = names[..place]
                .iter()
                .find(|other| axes.get(&other.text).is_some() && axes.get(&other.text) == axes.get(&name.text));
            if let Some(twin) = twin {
                let both = self.axis_name(axes[&name.text]);
                return Err(self.report(
                    Diagnostic::new(E0306, format!("`{}` and `{}` are both bound to `{both}`", twin.text, name.text))
                        .label(span, "a value never has an axis twice")
                        .label(block.head, "its signature")
                        .help(format!("make a second index over it: `dim {} like {both}`", fresh(&both))),
                ));
            }
        }
        for demand in &block.demands {
            let Some(like) = &demand.like else { continue };
            let (Some(one), Some(other)) = (axes.get(&demand.axis.text), axes.get(&like.text)) else { continue };
            if !self.state.values.axes.alike(*one, *other) {
                let (one, other) = (self.axis_name(*one), self.axis_name(*other));
                return Err(self.report(
                    Diagnostic::new(E0304, format!("`{one}` is not like `{other}`"))
                        .label(span, format!("`{}` wants `{} like {}`", block.name.text, demand.axis.text, like.text))
                        .label(demand.axis.span, "demanded here"),
                ));
            }
        }
        Ok(())
    }
}

/// Axes of a block's results that its body sizes, and those of the caller that they are to be: as the call says, else by name.
pub fn sized_for_caller(
    block: &Block,
    request: &Request,
    axes: &HashMap<String, AxisId>,
) -> HashMap<String, Option<AxisId>> {
    let sized = super::signature::axes_sized_inside(block);
    let results = block.results.iter().flat_map(|result| &result.axes).map(|name| &name.text);
    let of_caller = |name: &String| {
        let named = axes.get(name).or_else(|| request.bound.get(name)).or_else(|| request.scope.get(name)).copied();
        let taken = axes.iter().any(|(other, axis)| other != name && Some(*axis) == named);
        named.filter(|_| !taken)
    };
    results.filter(|name| sized.contains(name)).map(|name| (name.clone(), of_caller(name))).collect()
}

/// A name for a second index over an axis.
fn fresh(axis: &str) -> String {
    if axis == "s" { "u".into() } else { "s".into() }
}
