//! Expressions: names, operators, `where`, `else`, lists, sizes.

use super::{Answer, Elaborator, known};
use crate::diagnostics::Diagnostic;
use crate::diagnostics::codes::*;
use crate::model::declarations::Setting;
use crate::model::scope::{Meaning, Net, Operand, Target};
use crate::model::settings::{self, Known};
use crate::source::Span;
use crate::syntax::ast::{self, Binary, Expr, ExprKind, Unary};
use crate::tensor::{AxisId, BATCH, Function};
use std::rc::Rc;

impl Elaborator<'_> {
    /// What an expression stands for; a bare name that nothing declares is an error.
    pub fn evaluate(&mut self, expr: &Expr) -> Answer<Operand> {
        self.evaluate_in(expr, false)
    }

    /// The same where a word may stand.
    pub fn evaluate_word(&mut self, expr: &Expr) -> Answer<Operand> {
        self.evaluate_in(expr, true)
    }

    fn evaluate_in(&mut self, expr: &Expr, words: bool) -> Answer<Operand> {
        let before = std::mem::replace(&mut self.values().span, expr.span);
        let answer = self.evaluate_kind(expr, words);
        self.values().span = before;
        answer
    }

    fn evaluate_kind(&mut self, expr: &Expr, words: bool) -> Answer<Operand> {
        match &expr.kind {
            ExprKind::Integer(number) => Ok(known(Setting::Integer(*number))),
            ExprKind::Real(number) => Ok(known(Setting::Real(*number))),
            ExprKind::Truth(holds) => Ok(known(Setting::Truth(*holds))),
            ExprKind::Text(text) => Ok(known(Setting::Text(text.clone()))),
            ExprKind::Name(name) => self.read_name(name, expr.span, words, true),
            ExprKind::Size(name) => self.size(name),
            ExprKind::List(items) => self.list(items),
            ExprKind::Unary(operator, inner) => self.unary(*operator, inner),
            ExprKind::Binary(operator, left, right) => self.binary(*operator, left, right, expr.span),
            ExprKind::Where(value, condition) => self.guarded(value, condition, words),
            ExprKind::Else(value, other) => self.otherwise(value, other, words),
            ExprKind::Index(base, places, other) => self.index(base, places, other.as_deref(), expr.span),
            ExprKind::Element(list, index) => self.element(list, index, expr.span),
            ExprKind::Field(base, field) => self.field(base, field),
            ExprKind::Match(scrutinee, arms) => {
                let patterns = arms.iter().map(|(pattern, _)| pattern.clone()).collect::<Vec<_>>();
                let arm = self.decide(scrutinee, &patterns)?;
                self.evaluate_in(&arms[arm].1, words)
            }
            ExprKind::Call(call) => self.call(call),
        }
    }

    /// The run-time value of an expression.
    pub fn evaluate_value(&mut self, expr: &Expr) -> Answer<crate::model::ValueId> {
        let operand = self.evaluate(expr)?;
        self.to_value(&operand, expr.span)
    }

    /// What a name stands for. A value with the axis of a running `for` is seen at the turn, unless `whole` is asked.
    pub fn read_name(&mut self, name: &str, span: Span, words: bool, at_turn: bool) -> Answer<Operand> {
        if let Some(binding) = self.look_up(name) {
            return match binding.meaning {
                Meaning::Axis(axis) => Ok(self.coordinate(axis)),
                Meaning::Is(operand) if at_turn => self.at_turn(operand),
                Meaning::Is(operand) => Ok(operand),
                Meaning::Argument(net, signature) => Ok(Operand::Net(self.bare_net(Target::Argument(net, signature)))),
                Meaning::Broken => Err(super::Fail::Reported),
            };
        }
        if name == "training" {
            return Ok(known(Setting::Truth(self.training)));
        }
        if name == "self" {
            return Ok(Operand::Net(self.bare_net(Target::Itself)));
        }
        if let Some(block) = self.library.block(name) {
            return Ok(Operand::Net(self.bare_net(Target::Block(block))));
        }
        if super::builtins::function(name).is_some() {
            return Ok(Operand::Net(self.bare_net(Target::Function(name.into()))));
        }
        if words {
            return Ok(known(Setting::Word(name.into())));
        }
        Err(self.unknown_name(name, span))
    }

    /// A block without arguments.
    fn bare_net(&mut self, target: Target) -> Rc<Net> {
        let scope = self.frame().axes();
        Rc::new(Net { target, label: None, axes: Vec::new(), given: Vec::new(), field: None, scope })
    }

    fn unknown_name(&mut self, name: &str, span: Span) -> super::Fail {
        let mut diagnostic = Diagnostic::new(E0201, format!("nothing is called `{name}` here"))
            .label(span, format!("not declared in `{}`", self.frame().name.clone()));
        if name == "batch" {
            diagnostic = diagnostic.help("`batch` can only be named in a reduction: `mean[batch, t](…)`");
        } else if let Some(near) = self.nearest_name(name) {
            diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
        }
        self.report(diagnostic)
    }

    /// The name in scope that is most like this one.
    pub fn nearest_name(&mut self, name: &str) -> Option<String> {
        let library = self.library.block_names();
        let own = self.frame().names.keys().cloned().collect::<Vec<_>>();
        let builtin = super::builtins::names().map(str::to_string);
        crate::model::spelling::nearest(name, own.into_iter().chain(library).chain(builtin))
    }

    /// The coordinate along an axis; in a `for` along it, the turn.
    fn coordinate(&mut self, axis: AxisId) -> Operand {
        let active = self.state.regions.iter().rev().find(|active| active.axis == axis);
        match active {
            Some(active) if active.count.is_some() => {
                let count = active.count.unwrap_or_default();
                let turns =
                    (0..count).map(|turn| active.group.contains(&turn).then_some(Setting::Integer(turn as i64)));
                Operand::Known(Known::Turns(axis, Rc::new(turns.collect())))
            }
            Some(active) => Operand::Value(active.turn),
            None => Operand::Value(self.values().coordinate(axis)),
        }
    }

    fn size(&mut self, name: &ast::Name) -> Answer<Operand> {
        let axis = self.axis(name)?;
        if axis == BATCH {
            return Err(self.fault(
                E0302,
                "the number of rows cannot be asked for",
                name.span,
                "batch has no size here",
            ));
        }
        Ok(match self.values().axes.fixed(axis) {
            Some(size) => known(Setting::Integer(size)),
            None => {
                let form = self.values().length_form(axis);
                Operand::Value(self.values().evaluate(&form))
            }
        })
    }

    fn list(&mut self, items: &[Expr]) -> Answer<Operand> {
        let mut settings = Vec::with_capacity(items.len());
        for item in items {
            match self.evaluate_word(item)? {
                Operand::Known(Known::One(setting)) => settings.push(setting),
                _ => {
                    let label = "not known while compiling";
                    return Err(self.fault(E0405, "a list holds numbers, bools and words", item.span, label));
                }
            }
        }
        Ok(known(Setting::List(settings)))
    }

    fn unary(&mut self, operator: Unary, inner: &Expr) -> Answer<Operand> {
        let function = match operator {
            Unary::Negate => Function::Negate,
            Unary::Not => Function::Not,
        };
        let operand = self.evaluate(inner)?;
        self.function(function, &[operand], inner.span)
    }

    /// A function of operands: now, if all are known, else at run time.
    pub fn function(&mut self, function: Function, operands: &[Operand], span: Span) -> Answer<Operand> {
        let constants = operands.iter().map(|operand| match operand {
            Operand::Known(known) => Some(known.clone()),
            _ => None,
        });
        if let Some(constants) = constants.collect::<Option<Vec<_>>>() {
            return match settings::apply_known(function, &constants) {
                Ok(result) => Ok(Operand::Known(result)),
                Err(reason) => Err(self.fault(E0405, format!("this cannot be computed: {reason}"), span, "here")),
            };
        }
        let mut values = Vec::with_capacity(operands.len());
        for operand in operands {
            values.push(self.to_value(operand, span)?);
        }
        Ok(Operand::Value(self.values().scalar(function, &values)))
    }

    fn binary(&mut self, operator: Binary, left: &Expr, right: &Expr, span: Span) -> Answer<Operand> {
        let (a, b) = self.sides(operator, left, right)?;
        use Function::*;
        let Some((function, flip)) = settings::function_of(operator) else {
            return self.membership(&a, &b, span);
        };
        if matches!(function, Less | LessEqual | Equal | NotEqual) {
            self.check_positions(&a, &b, span)?;
        }
        for (operand, side) in [(&a, left), (&b, right)] {
            if matches!(operand, Operand::Net(_) | Operand::Several(_) | Operand::Nothing) {
                self.to_value(operand, side.span)?;
            }
        }
        let operands = if flip { [b, a] } else { [a, b] };
        self.function(function, &operands, span)
    }

    /// Both sides; beside a word or a list, a bare name may be a word.
    fn sides(&mut self, operator: Binary, left: &Expr, right: &Expr) -> Answer<(Operand, Operand)> {
        let wordy = matches!(operator, Binary::Equal | Binary::NotEqual | Binary::In);
        let a = self.evaluate(left)?;
        let word = matches!(&a, Operand::Known(known) if speaks_words(known));
        let b = if wordy && word { self.evaluate_word(right)? } else { self.evaluate(right)? };
        Ok((a, b))
    }

    /// `x in [a, b]`.
    fn membership(&mut self, item: &Operand, list: &Operand, span: Span) -> Answer<Operand> {
        let Operand::Known(Known::One(Setting::List(items))) = list else {
            return Err(self.fault(E0405, "`in` asks whether something is in a list", span, "no list on the right"));
        };
        let mut any = known(Setting::Truth(false));
        for other in items.clone() {
            let equal = self.function(Function::Equal, &[item.clone(), known(other)], span)?;
            any = self.function(Function::Or, &[any, equal], span)?;
        }
        Ok(any)
    }

    fn guarded(&mut self, value: &Expr, condition: &Expr, words: bool) -> Answer<Operand> {
        let value_of = self.evaluate_in(value, words)?;
        let condition_of = self.evaluate(condition)?;
        self.restrict(value_of, condition_of, value.span, condition.span)
    }

    /// `x where c` of operands.
    pub fn restrict(&mut self, x: Operand, c: Operand, span: Span, condition: Span) -> Answer<Operand> {
        if let Operand::Known(known) = &c
            && known.uniform().and_then(Setting::number) == Some(1.0)
        {
            return Ok(x);
        }
        let (x, c) = (self.to_value(&x, span)?, self.to_value(&c, condition)?);
        if self.values().dtype(c) != crate::tensor::DType::Bool {
            let label = "a number, not a bool";
            return Err(self.fault(E0402, "`where` takes a condition", condition, label));
        }
        let relations = self.values().relations(c);
        Ok(Operand::Value(self.values().restrict(x, &relations)))
    }

    fn otherwise(&mut self, value: &Expr, other: &Expr, words: bool) -> Answer<Operand> {
        let value_of = self.evaluate_in(value, words)?;
        let Operand::Value(x) = value_of else { return Ok(value_of) };
        if self.values().presence(x).is_always() {
            let _ = self.evaluate_in(other, words)?;
            return Ok(Operand::Value(x));
        }
        let other_of = self.evaluate_in(other, words)?;
        let y = self.to_value(&other_of, other.span)?;
        Ok(Operand::Value(self.values().otherwise(x, y)))
    }

    fn element(&mut self, list: &Expr, index: &Expr, span: Span) -> Answer<Operand> {
        let (list_of, index_of) = (self.evaluate(list)?, self.evaluate(index)?);
        let (Operand::Known(items), Operand::Known(place)) = (&list_of, &index_of) else {
            let label = "not a list setting, or its place is known only when the program runs";
            return Err(self.fault_with(
                E0405,
                "only a list can be read like this",
                (span, label.into()),
                "a value is indexed with its axis: `x[axis: index]`",
            ));
        };
        match settings::element(items, place) {
            Ok(found) => Ok(Operand::Known(found)),
            Err(reason) => Err(self.fault(E0405, reason, span, "here")),
        }
    }

    fn field(&mut self, base: &Expr, field: &ast::Name) -> Answer<Operand> {
        match self.evaluate(base)? {
            Operand::Net(net) => Ok(Operand::Net(Rc::new(Net { field: Some(field.text.clone()), ..(*net).clone() }))),
            Operand::Several(results) => match results.iter().find(|(name, _)| *name == field.text) {
                Some((_, result)) => Ok(result.clone()),
                None => {
                    let names = results.iter().map(|(name, _)| name.clone());
                    let help = crate::model::spelling::hint(&field.text, names);
                    Err(self.fault_with(
                        E0201,
                        format!("there is no result `{}`", field.text),
                        (field.span, "not one of the results".into()),
                        help,
                    ))
                }
            },
            other => match base.kind {
                ExprKind::Call(_) => Ok(other),
                _ => {
                    let label = "only a block with several results has fields";
                    Err(self.fault(E0404, format!("`{}` is no field of this", field.text), field.span, label))
                }
            },
        }
    }
}

/// Whether a value is a word, or a list that may hold words.
fn speaks_words(known: &Known) -> bool {
    let wordy = |setting: &Setting| matches!(setting, Setting::Word(_) | Setting::List(_));
    match known {
        Known::One(setting) => wordy(setting),
        Known::Turns(_, values) => values.iter().flatten().any(wordy),
    }
}
