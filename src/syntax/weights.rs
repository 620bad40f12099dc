//! Weight maps: paths of parameters on the left, names in a file on the right, and how an axis lies there.

use super::ast::*;
use super::builder::{Builder, Parts};
use super::grammar::Rule;
use pest::iterators::Pair;

type Node<'i> = Pair<'i, Rule>;

impl<'i> Builder<'i> {
    pub(super) fn weights(&mut self, pair: Node<'i>) -> Weights {
        let span = self.span(&pair);
        let mut parts = Parts::of(pair);
        let mut head = Parts::of(parts.one());
        head.maybe(Rule::k_weights);
        let format = self.name(&head.one());
        let architecture = head.one();
        let architecture = (self.unquoted(&architecture), self.span(&architecture));
        let body = parts.one();
        let body_span = self.span(&body);
        let mut lines = Vec::new();
        for child in Parts::of(body) {
            match child.as_rule() {
                Rule::unclosed => self.unclosed(body_span),
                Rule::bad_weight_line => self.bad(child, Rule::only_weight_line),
                _ => lines.push(self.weight_line(child)),
            }
        }
        Weights { format, architecture, lines, span }
    }

    fn weight_line(&mut self, pair: Node<'i>) -> WeightLine {
        let (span, rule) = (self.span(&pair), pair.as_rule());
        let mut parts = Parts::of(pair);
        if rule == Rule::mapping {
            return self.mapping(parts, span);
        }
        parts.one(); // the word that the line begins with
        match rule {
            Rule::config => WeightLine::Config(self.settings(parts)),
            Rule::require => {
                let condition = self.expression(parts.one());
                WeightLine::Require(condition, parts.maybe(Rule::string).map(|text| self.unquoted(&text)))
            }
            Rule::ignore => WeightLine::Ignore(self.template(parts.one())),
            Rule::named_input => {
                let name = self.name(&parts.one());
                let tensor = self.unquoted(&parts.one());
                WeightLine::Input(name, tensor, self.order(parts))
            }
            Rule::trained => {
                let name = self.name(&parts.one());
                WeightLine::Train(name, self.unquoted(&parts.one()))
            }
            Rule::named_loss => WeightLine::Loss(self.template(parts.one())),
            Rule::sampled => WeightLine::Generate(self.settings(parts)),
            Rule::named_draw => WeightLine::Draw(self.path(parts.one()), self.template(parts.one())),
            Rule::named_gradient => WeightLine::Gradient(self.path(parts.one()), self.template(parts.one())),
            _ => {
                let (path, template) = (self.path(parts.one()), self.template(parts.one()));
                WeightLine::Value(path, template, self.order(parts))
            }
        }
    }

    fn order(&mut self, mut parts: Parts<'i>) -> Option<Vec<Name>> {
        parts.maybe(Rule::w_as);
        let order = parts.maybe(Rule::order)?;
        Some(Parts::of(order).map(|name| self.name(&name)).collect())
    }

    fn mapping(&mut self, mut parts: Parts<'i>, span: crate::source::Span) -> WeightLine {
        let path = self.path(parts.one());
        let template = self.template(parts.one());
        let more = parts.every(Rule::more).into_iter().map(|name| self.template(Parts::of(name).one())).collect();
        parts.maybe(Rule::w_as);
        let layout = parts.maybe(Rule::layout).map(|layout| self.slots(layout));
        let also = parts.map(|copy| {
            let mut copy = Parts::of(copy);
            copy.maybe(Rule::w_also);
            self.template(copy.one())
        });
        WeightLine::Map { path, template, more, layout, also: also.collect(), span }
    }

    fn path(&mut self, pair: Node<'i>) -> WeightPath {
        let span = self.span(&pair);
        WeightPath { steps: Parts::of(pair).map(|step| self.step(step)).collect(), span }
    }

    fn step(&mut self, pair: Node<'i>) -> WeightStep {
        let mut parts = Parts::of(pair);
        let first = parts.one();
        if first.as_rule() == Rule::parts {
            return WeightStep::Parts(Parts::of(first).map(|path| self.path(path)).collect());
        }
        WeightStep::Name(self.name(&first), parts.next().map(|axis| self.name(&axis)))
    }

    fn slots(&mut self, pair: Node<'i>) -> Vec<Slot> {
        Parts::of(pair).map(|slot| self.slot(slot)).collect()
    }

    fn slot(&mut self, pair: Node<'i>) -> Slot {
        let span = self.span(&pair);
        match pair.as_rule() {
            Rule::name => Slot::Axis(self.name(&pair)),
            // A size with a dot or past the integers fits no tensor; 0 fits none either, and is refused where it counts.
            Rule::number => Slot::Number(pair.as_str().replace('_', "").parse().unwrap_or(0), span),
            _ => Slot::Joined(Parts::of(pair).map(|product| self.slots(product)).collect(), span),
        }
    }

    fn template(&mut self, pair: Node<'i>) -> Template {
        let span = self.span(&pair);
        Template { pieces: Parts::of(pair).map(|piece| self.piece(piece)).collect(), span }
    }

    fn piece(&mut self, pair: Node<'i>) -> TemplatePiece {
        if pair.as_rule() == Rule::text {
            return TemplatePiece::Text(pair.as_str().to_string());
        }
        let mut inside = Parts::of(pair).collect::<Vec<_>>();
        if inside.len() == 1 {
            return TemplatePiece::Number(self.axes_or_group(inside.remove(0)));
        }
        TemplatePiece::Parts(inside.iter().map(|name| self.name(name)).collect())
    }
}
