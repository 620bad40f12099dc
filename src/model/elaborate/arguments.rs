//! Arguments and results of blocks, checked against the signature.

use super::calls::Request;
use super::{Answer, Elaborator, Fail};
use crate::diagnostics::Diagnostic;
use crate::diagnostics::codes::*;
use crate::model::construct::Draft;
use crate::model::declarations::Setting;
use crate::model::scope::{Given, Meaning, Net, Operand, Origin, Signature};
use crate::model::settings::Known;
use crate::model::values::{ValueId, ValueKind};
use crate::source::Span;
use crate::syntax::ast::{self, Block, Kind, Parameter};
use crate::tensor::{Affine, AxisId, DType, Precision, Presence, Relation};
use std::rc::Rc;

impl Elaborator<'_> {
    /// Arguments in the order of the parameters.
    pub fn place_arguments(&mut self, block: &Block, request: &Request) -> Answer<Vec<Option<Given>>> {
        let mut placed: Vec<Option<Given>> = vec![None; block.parameters.len()];
        let mut next = 0;
        for argument in &request.given {
            let place = match &argument.name {
                None => {
                    next += 1;
                    next - 1
                }
                Some(name) => match block.parameters.iter().position(|one| one.name().text == name.text) {
                    Some(place) => place,
                    None => return Err(self.no_parameter(block, name)),
                },
            };
            match placed.get_mut(place) {
                Some(slot @ None) => *slot = Some(argument.clone()),
                Some(Some(_)) => {
                    let name = block.parameters[place].name().text.clone();
                    return Err(self.fault(E0401, format!("`{name}` is given twice"), argument.span, "here again"));
                }
                None => return Err(self.too_many(block, argument.span)),
            }
        }
        Ok(placed)
    }

    fn no_parameter(&mut self, block: &Block, name: &ast::Name) -> Fail {
        let known = block.parameters.iter().map(|one| one.name().text.clone());
        let help = crate::model::spelling::hint(&name.text, known);
        let message = format!("`{}` has no parameter `{}`", block.name.text, name.text);
        self.report(
            Diagnostic::new(E0401, message).label(name.span, "here").label(block.head, "its signature").help(help),
        )
    }

    fn too_many(&mut self, block: &Block, span: Span) -> Fail {
        let message = format!("`{}` takes {} arguments", block.name.text, block.parameters.len());
        self.report(Diagnostic::new(E0401, message).label(span, "one too many").label(block.head, "its signature"))
    }

    /// Binds all parameters in the frame that is open; defaults see the earlier ones.
    pub fn bind_arguments(&mut self, block: &Block, given: Vec<Option<Given>>, span: Span) -> Answer<()> {
        for (parameter, argument) in block.parameters.iter().zip(given) {
            let (name, meaning) = match parameter {
                Parameter::Value(entry) => {
                    let (operand, place) = match argument {
                        Some(argument) => (self.given_operand(&argument, span)?, argument.span),
                        None => (self.default_of(block, entry, span)?, entry.target.span),
                    };
                    let operand = self.check_argument(&entry.target, operand, place)?;
                    (&entry.target.name, Meaning::Is(operand))
                }
                Parameter::Net { name, parameters, .. } => {
                    let net = self.net_argument(block, name, argument, span)?;
                    let signature = Signature { name: name.text.clone(), parameters: parameters.clone() };
                    (name, Meaning::Argument(net, Rc::new(signature)))
                }
            };
            self.define(name, meaning, Origin::Argument);
        }
        Ok(())
    }

    fn given_operand(&mut self, argument: &Given, span: Span) -> Answer<Operand> {
        match &argument.what {
            Some(operand) => Ok(operand.clone()),
            None => Err(self.fault(E0401, "`_` stands where a value is needed", span, "here")),
        }
    }

    fn default_of(&mut self, block: &Block, entry: &ast::Entry, span: Span) -> Answer<Operand> {
        match &entry.default {
            Some(default) => self.evaluate_word(default),
            None => {
                let name = &entry.target.name.text;
                let message = format!("`{}` needs `{name}`", block.name.text);
                Err(self.report(
                    Diagnostic::new(E0401, message)
                        .label(span, format!("`{name}` is not given"))
                        .label(entry.target.span, "it has no default")
                        .help(format!("add `{name} = …` to the call")),
                ))
            }
        }
    }

    fn net_argument(&mut self, block: &Block, name: &ast::Name, given: Option<Given>, span: Span) -> Answer<Rc<Net>> {
        let operand = given.and_then(|given| given.what);
        match operand {
            Some(Operand::Net(net)) => Ok(net),
            Some(Operand::Known(Known::One(Setting::Word(word) | Setting::Text(word)))) => {
                match self.read_name(&word, span, false, true)? {
                    Operand::Net(net) => Ok(net),
                    _ => Err(self.no_net(block, name, span)),
                }
            }
            _ => Err(self.no_net(block, name, span)),
        }
    }

    fn no_net(&mut self, block: &Block, name: &ast::Name, span: Span) -> Fail {
        let message = format!("`{}` needs a block for `{}`", block.name.text, name.text);
        self.report(
            Diagnostic::new(E0403, message)
                .label(span, "no block is given")
                .label(name.span, "declared with a signature of its own")
                .help("give a block's name, or a call with `_` for its data: `swiglu(_, hidden)`"),
        )
    }

    /// An argument with the axes and the type that the signature says.
    pub fn check_argument(&mut self, target: &ast::Target, operand: Operand, place: Span) -> Answer<Operand> {
        let spread = target.axes.as_ref().is_some_and(|axes| !axes.is_empty()) && matches!(operand, Operand::Known(_));
        let mut operand = match self.absent_index(target, &operand)? {
            Some(absent) => absent,
            None if spread => Operand::Value(self.to_value(&operand, place)?),
            None => operand,
        };
        if let (Some(names), Operand::Value(value)) = (&target.axes, &operand) {
            let mut axes = Vec::new();
            for name in names {
                axes.push(self.axis(name)?);
            }
            let has = self.values().axes_of(*value).to_vec();
            let own = has.iter().filter(|axis| **axis != crate::tensor::BATCH).count();
            if own > 0 && !axes.is_empty() && !axes.iter().any(|axis| has.contains(axis)) {
                return Err(self.foreign_axes(target, &has, place));
            }
            operand = Operand::Value(self.values().broadcast(*value, &axes));
        }
        match &target.kind {
            Some(kind) => self.check_kind(operand, kind, &target.name.text, place),
            None => Ok(operand),
        }
    }

    /// A number outside of the axis, for an index that may be absent: absent everywhere.
    fn absent_index(&mut self, target: &ast::Target, operand: &Operand) -> Answer<Option<Operand>> {
        let (Some(kind), Operand::Known(known)) = (&target.kind, operand) else { return Ok(None) };
        let Some(number) = known.uniform().and_then(Setting::whole).filter(|_| kind.optional) else { return Ok(None) };
        let axis = self.axis(&kind.name)?;
        let values = self.values();
        if number >= 0 && values.axes.fixed(axis).is_none_or(|size| number < size) {
            return Ok(None);
        }
        let mut never = Presence::always();
        never.require(Relation::AtLeastZero(Affine::number(-1)));
        let some = values.emit(Draft::new(ValueKind::Number(0.0), Vec::new(), DType::Int).index_of(Some(axis)));
        Ok(Some(Operand::Value(values.restrict(some, &never))))
    }

    fn foreign_axes(&mut self, target: &ast::Target, has: &[AxisId], place: Span) -> Fail {
        let names = target.axes.iter().flatten().map(|name| name.text.clone()).collect::<Vec<_>>().join(", ");
        let has = self.axis_names(has);
        self.report(
            Diagnostic::new(
                E0305,
                format!("`{}` is over [{names}], and the argument has none of these", target.name.text),
            )
            .label(place, format!("its axes are {has}"))
            .label(target.span, "declared here")
            .help("rename its axes, or say in the call which axis is which: `name[k = e](…)`"),
        )
    }

    /// An operand in the type that is written.
    pub fn check_kind(&mut self, operand: Operand, kind: &Kind, name: &str, place: Span) -> Answer<Operand> {
        match kind.name.text.as_str() {
            "f32" => self.as_real(operand, Precision::F32, place),
            "f64" => self.as_real(operand, Precision::F64, place),
            "real" => Ok(operand),
            word @ ("int" | "bool") => self.check_plain(operand, word, name, place),
            _ => {
                let axis = self.axis(&kind.name)?;
                self.as_index(operand, axis, name, place)
            }
        }
    }

    fn as_real(&mut self, operand: Operand, precision: Precision, place: Span) -> Answer<Operand> {
        let value = self.to_value(&operand, place)?;
        Ok(Operand::Value(self.values().convert(value, DType::Real(precision))))
    }

    fn check_plain(&mut self, operand: Operand, word: &str, name: &str, place: Span) -> Answer<Operand> {
        let value = self.to_value(&operand, place)?;
        let dtype = self.values().dtype(value);
        let fits = dtype == DType::Bool || word == "int" && dtype == DType::Int;
        if fits {
            return Ok(operand);
        }
        let is = if dtype.is_real() { "a real" } else { "an int" };
        let help = if word == "int" { "round it: `floor(x)`" } else { "compare it: `x > 0`" };
        let message = format!("`{name}` is {word}, and this is {is}");
        Err(self.fault_with(E0402, message, (place, is.into()), help))
    }

    /// An operand as an index of an axis.
    pub fn as_index(&mut self, operand: Operand, axis: AxisId, name: &str, place: Span) -> Answer<Operand> {
        // What differs from turn to turn is looked at as a value: the number of a turn is an index of its axis.
        if let Operand::Known(known) = &operand
            && let Some(setting) = known.uniform()
        {
            let number = setting.whole();
            let size = self.values().axes.fixed(axis);
            let inside = number.filter(|number| *number >= 0 && size.is_none_or(|size| *number < size));
            let Some(number) = inside else { return Err(self.no_index(name, axis, place)) };
            let draft = Draft::new(ValueKind::Number(number as f64), Vec::new(), DType::Int);
            return Ok(Operand::Value(self.values().emit(draft.index_of(Some(axis)))));
        }
        let value = self.to_value(&operand, place)?;
        match self.state.values.value(value).index_of {
            Some(own) if self.state.values.axes.alike(own, axis) => Ok(operand),
            _ => match self.proved_index(value, axis) {
                Some(index) => Ok(Operand::Value(index)),
                None => Err(self.no_index(name, axis, place)),
            },
        }
    }

    /// A whole number whose interval lies in an axis, as an index of it.
    fn proved_index(&mut self, value: ValueId, axis: AxisId) -> Option<ValueId> {
        let values = self.values();
        let (low, high) = values.interval_of(value);
        let inside = low >= Some(0) && high.is_some() && high < values.axes.fixed(axis).or(Some(i64::MIN));
        if !inside || values.dtype(value) != DType::Int {
            return None;
        }
        let old = values.value(value).clone();
        let draft = Draft::new(ValueKind::Where(value), old.ty.axes, old.ty.dtype);
        Some(values.emit(draft.present(old.presence).index_of(Some(axis))))
    }

    fn no_index(&mut self, name: &str, axis: AxisId, place: Span) -> Fail {
        let axis = self.axis_name(axis);
        self.fault_with(
            E0402,
            format!("`{name}` is an index of `{axis}`, and this is not"),
            (place, format!("nothing says that it is one of the positions of `{axis}`")),
            format!(
                "use an index of `{axis}` or of an axis like it, or keep it inside with `max(0, min(x, |{axis}| - 1))`"
            ),
        )
    }

    /// What a block returned, with the axes that it promises.
    pub fn check_results(&mut self, block: &Block, returned: Option<Vec<Operand>>) -> Answer<Vec<Operand>> {
        let returned = match returned {
            Some(returned) if returned.len() == block.results.len() => returned,
            None if block.results.is_empty() => return Ok(Vec::new()),
            None if self.frame().broken => return Err(Fail::Reported),
            None => {
                let message = format!("`{}` promises a result and has no `return`", block.name.text);
                return Err(self.fault_with(
                    E0404,
                    message,
                    (block.head, "promised here".into()),
                    "end it with `return …`",
                ));
            }
            Some(returned) => {
                let message = format!("`{}` returns {} results", block.name.text, returned.len());
                let label = format!("promises {}", block.results.len());
                return Err(self.fault(E0404, message, block.head, label));
            }
        };
        let mut results = Vec::with_capacity(returned.len());
        for (operand, item) in returned.into_iter().zip(&block.results) {
            results.push(self.check_result(block, operand, item)?);
        }
        Ok(results)
    }

    fn check_result(&mut self, block: &Block, operand: Operand, item: &ast::ResultItem) -> Answer<Operand> {
        let promised = item.axes.iter().map(|name| self.axis(name)).collect::<Answer<Vec<_>>>()?;
        let operand = match operand {
            Operand::Known(known) if item.axes.is_empty() => Operand::Known(known),
            other => {
                let value = self.to_value(&other, item.span)?;
                self.check_extra_axes(block, value, &promised, item)?;
                Operand::Value(self.values().broadcast(value, &promised))
            }
        };
        let name = item.name.as_ref().map_or("the result", |name| name.text.as_str());
        match &item.kind {
            Some(kind) => self.check_kind(operand, kind, name, item.span),
            None => Ok(operand),
        }
    }

    /// No axis that the block can name leaves unless its signature says so.
    fn check_extra_axes(
        &mut self,
        block: &Block,
        value: ValueId,
        promised: &[AxisId],
        item: &ast::ResultItem,
    ) -> Answer<()> {
        let has = self.values().axes_of(value).to_vec();
        let extra = has.iter().copied().find(|axis| {
            !promised.contains(axis) && self.state.frames.last().is_some_and(|frame| frame.name_of(*axis).is_some())
        });
        let Some(extra) = extra else { return Ok(()) };
        let name = self.axis_name(extra);
        let declared = self.frame().names.get(&name).map(|binding| binding.span);
        let written = self.state.values.value(value).span;
        let shown = self.axis_names(&has);
        let promise = self.axis_names(promised);
        let mut diagnostic = Diagnostic::new(
            E0301,
            format!("`{}` promises {promise}, and its result also has the axis `{name}`", block.name.text),
        )
        .label(written, format!("has the axes {shown}"))
        .label(item.span, "promised here");
        if let Some(declared) = declared {
            diagnostic = diagnostic.label(declared, format!("`{name}` is declared here"));
        }
        Err(self.report(diagnostic.help(format!("sum it away, `sum[{name}](…)`, or promise it as well"))))
    }
}
