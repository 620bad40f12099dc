//! The lines of a body, one function for each kind that needs more than one step.

use super::ast::*;
use super::builder::{Builder, Parts};
use super::grammar::Rule;
use pest::iterators::Pair;

type Node<'i> = Pair<'i, Rule>;

impl<'i> Builder<'i> {
    /// One line; of a line that could not be read, which is reported, what its body holds.
    pub(super) fn line(&mut self, pair: Node<'i>) -> Vec<Line> {
        let span = self.span(&pair);
        match pair.as_rule() {
            Rule::bad_line => {
                self.bad(pair, Rule::only_line);
                Vec::new()
            }
            Rule::broken_for => self.broken_for(pair),
            rule => vec![Line { kind: self.line_kind(rule, pair), span }],
        }
    }

    fn line_kind(&mut self, rule: Rule, pair: Node<'i>) -> LineKind {
        if rule == Rule::region {
            return self.region(pair);
        }
        let mut parts = Parts::of(pair);
        match rule {
            Rule::bind => return self.bind(parts),
            Rule::bind_draw => return self.bind_draw(parts),
            Rule::param => return self.param(parts),
            Rule::choice => return self.choice(parts),
            _ => {}
        }
        parts.one(); // the word that the line begins with
        match rule {
            Rule::dim => LineKind::Dim(parts.map(|axis| self.dim(axis)).collect()),
            Rule::set => LineKind::Set(self.settings(parts)),
            Rule::input => LineKind::Input(parts.map(|entry| self.entry(entry)).collect()),
            Rule::output => LineKind::Output(self.target(parts.one()), self.expression(parts.one())),
            Rule::train => LineKind::Train(self.expression(parts.one())),
            Rule::generate => LineKind::Generate(self.call(parts.one())),
            Rule::require => {
                let relation = self.expression(parts.one());
                LineKind::Require(relation, parts.maybe(Rule::string).map(|text| self.unquoted(&text)))
            }
            Rule::update => LineKind::Update(self.name(&parts.one()), self.expression(parts.one())),
            Rule::loss => LineKind::Loss(self.expression(parts.one())),
            Rule::yields => {
                let targets = self.targets(&mut parts);
                LineKind::Yield(targets, self.expression(parts.one()))
            }
            _ => LineKind::Return(parts.map(|value| self.expression(value)).collect()),
        }
    }

    fn targets(&mut self, parts: &mut Parts<'i>) -> Vec<Target> {
        parts.every(Rule::target).into_iter().map(|target| self.target(target)).collect()
    }

    fn bind(&mut self, mut parts: Parts<'i>) -> LineKind {
        let targets = self.targets(&mut parts);
        let assign = if parts.maybe(Rule::add_equals).is_some() {
            Assign::Add
        } else if parts.maybe(Rule::times_equals).is_some() {
            Assign::Multiply
        } else {
            Assign::Set
        };
        LineKind::Bind(targets, assign, self.expression(parts.one()))
    }

    fn bind_draw(&mut self, mut parts: Parts<'i>) -> LineKind {
        let targets = self.targets(&mut parts);
        LineKind::Draw(targets, self.law(parts.one()))
    }

    fn law(&mut self, pair: Node<'i>) -> Law {
        let span = self.span(&pair);
        let mut parts = Parts::of(pair);
        let name = self.name(&parts.one());
        let axes = parts.maybe(Rule::bound).map(|bound| self.axis_arguments(bound)).unwrap_or_default();
        let arguments = parts.maybe(Rule::arguments).map(|given| self.arguments(given)).unwrap_or_default();
        Law { name, axes, arguments, span }
    }

    fn dim(&mut self, pair: Node<'i>) -> Dim {
        let mut parts = Parts::of(pair);
        let name = self.name(&parts.one());
        let size = if parts.maybe(Rule::k_like).is_some() {
            DimSize::Like(self.name(&parts.one()))
        } else {
            parts.next().map_or(DimSize::Sequence, |size| DimSize::Value(self.value(size)))
        };
        Dim { name, size }
    }

    /// `name = expression, …`, of `set` and of `config`.
    pub(super) fn settings(&mut self, parts: Parts<'i>) -> Vec<(Name, Expr)> {
        let mut settings = Vec::new();
        for setting in parts {
            let mut sides = Parts::of(setting);
            settings.push((self.name(&sides.one()), self.expression(sides.one())));
        }
        settings
    }

    fn param(&mut self, mut parts: Parts<'i>) -> LineKind {
        let buffer = parts.one().as_rule() == Rule::k_buffer;
        LineKind::Param { buffer, made: parts.map(|made| self.made(made)).collect() }
    }

    fn made(&mut self, pair: Node<'i>) -> Made {
        let span = self.span(&pair);
        let mut parts = Parts::of(pair);
        let name = self.name(&parts.one());
        let axes = parts.maybe(Rule::axes).map(|axes| self.names(axes)).unwrap_or_default();
        let start = if let Some(value) = parts.maybe(Rule::expression) {
            MadeStart::Value(self.expression(value))
        } else if let Some(law) = parts.maybe(Rule::law) {
            MadeStart::Draw(self.law(law))
        } else {
            MadeStart::Default
        };
        let condition = parts.maybe(Rule::k_if).map(|_| self.value(parts.one()));
        Made { name, axes, start, condition, span }
    }

    fn region(&mut self, pair: Node<'i>) -> LineKind {
        let mut parts = Parts::of(pair);
        let mut head = Parts::of(parts.one());
        let label = head.maybe(Rule::label).map(|label| self.label(label));
        head.maybe(Rule::k_for);
        let counts = head.every(Rule::count).into_iter().map(|count| self.count(count)).collect();
        let reverse = head.maybe(Rule::reverse).map(|reverse| self.reverse(reverse));
        let until = head.maybe(Rule::until).map(|until| {
            let mut parts = Parts::of(until);
            parts.maybe(Rule::k_until);
            self.expression(parts.one())
        });
        LineKind::For(For { label, counts, reverse, until, body: self.body(parts.one()) })
    }

    fn count(&mut self, pair: Node<'i>) -> Count {
        let mut parts = Parts::of(pair);
        let name = self.name(&parts.one());
        let turns = parts.maybe(Rule::k_in).map(|_| self.value(parts.one()));
        Count { name, turns }
    }

    fn reverse(&mut self, pair: Node<'i>) -> Reverse {
        let mut parts = Parts::of(pair);
        parts.maybe(Rule::k_reverse);
        let condition = parts.maybe(Rule::k_if).map(|_| self.value(parts.one()));
        Reverse { condition }
    }

    fn choice(&mut self, mut parts: Parts<'i>) -> LineKind {
        let start = self.span(&parts.one());
        let on = self.value(parts.one());
        let mut arms = Vec::new();
        for arm in parts {
            match arm.as_rule() {
                Rule::unclosed => self.unclosed(start),
                Rule::bad_arm => self.bad(arm, Rule::only_arm),
                _ => {
                    let mut sides = Parts::of(arm);
                    arms.push((self.pattern(sides.one()), self.body(sides.one())));
                }
            }
        }
        LineKind::Match(Box::new(on), arms)
    }
}
