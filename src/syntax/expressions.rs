//! Expressions: pest's flat lists become trees by precedence, and comparisons that chain are refused.

use super::ast::*;
use super::builder::{Builder, Parts};
use super::grammar::Rule;
use crate::diagnostics::Diagnostic;
use crate::diagnostics::codes::{E0103, E0104, E0109};
use crate::source::Span;
use pest::iterators::Pair;
use pest::pratt_parser::{Assoc, Op, PrattParser};
use std::sync::LazyLock;

type Node<'i> = Pair<'i, Rule>;

/// The operators of a `value`, loosest first.
static PRECEDENCE: LazyLock<PrattParser<Rule>> = LazyLock::new(|| {
    let left = |rules: &[Rule]| {
        let operators = rules.iter().map(|rule| Op::infix(*rule, Assoc::Left));
        operators.reduce(|all, next| all | next).expect("a level has operators")
    };
    PrattParser::new()
        .op(left(&[Rule::or]))
        .op(left(&[Rule::and]))
        .op(Op::prefix(Rule::not))
        .op(left(COMPARISONS))
        .op(left(&[Rule::plus, Rule::minus]))
        .op(left(&[Rule::times, Rule::over, Rule::whole, Rule::remainder]))
        .op(Op::prefix(Rule::negative))
        .op(Op::infix(Rule::power, Assoc::Right))
});

/// Operators and operands in one chain.
const LONGEST_CHAIN: usize = 400;

const COMPARISONS: &[Rule] =
    &[Rule::equal, Rule::unequal, Rule::less, Rule::at_most, Rule::greater, Rule::at_least, Rule::within];

impl<'i> Builder<'i> {
    /// `a where b else c` groups to the left: (a where b) else c.
    pub(super) fn expression(&mut self, pair: Node<'i>) -> Expr {
        let mut parts = self.operands(pair);
        let mut left = self.guarded(parts.one());
        while parts.maybe(Rule::k_else).is_some() {
            left = join(left, self.guarded(parts.one()), ExprKind::Else);
        }
        left
    }

    fn guarded(&mut self, pair: Node<'i>) -> Expr {
        let mut parts = self.operands(pair);
        let mut left = self.value(parts.one());
        while parts.maybe(Rule::k_where).is_some() {
            left = join(left, self.value(parts.one()), ExprKind::Where);
        }
        left
    }

    pub(super) fn value(&mut self, pair: Node<'i>) -> Expr {
        let whole = self.span(&pair);
        let flat = pair.into_inner().collect::<Vec<_>>();
        if self.refuse_length(flat.len(), whole) {
            return Expr { kind: ExprKind::Integer(0), span: whole };
        }
        self.refuse_chains(&flat);
        let (file, base) = (self.file, self.place(0, 0).start);
        // `self` is borrowed by the operands alone; the operators need only the spans of what they join.
        PRECEDENCE
            .map_primary(|operand| self.operand(operand))
            .map_prefix(|operator, right| {
                let start = base + operator.as_span().start() as u32;
                let span = Span { file, start, end: right.span.end };
                Expr { kind: ExprKind::Unary(unary(operator.as_rule()), Box::new(right)), span }
            })
            .map_infix(|left, operator, right| {
                let operator = binary(operator.as_rule());
                join(left, right, |left, right| ExprKind::Binary(operator, left, right))
            })
            .parse(flat.into_iter())
    }

    /// The children of a chain; of one that is too long (which is reported) the first alone.
    fn operands(&mut self, pair: Node<'i>) -> Parts<'i> {
        let whole = self.span(&pair);
        let parts = Parts::of(pair);
        if self.refuse_length(parts.len(), whole) { parts.first() } else { parts }
    }

    /// Every chain becomes a tree as deep as it is long, and every stage walks trees by recursion.
    fn refuse_length(&mut self, length: usize, whole: Span) -> bool {
        let refused = length > LONGEST_CHAIN;
        if refused {
            let message = format!("this chains more than {LONGEST_CHAIN} operators and operands");
            let diagnostic = Diagnostic::new(E0109, message).label(whole, "too long for one expression");
            self.found.push(diagnostic.help("bind parts of it to names"));
        }
        refused
    }

    /// `a < b < c` would compare a bool with a number: every language that allows it surprises somebody.
    fn refuse_chains(&mut self, flat: &[Node<'i>]) {
        let mut earlier: Option<&Node<'i>> = None;
        for pair in flat {
            match pair.as_rule() {
                Rule::or | Rule::and => earlier = None,
                rule if COMPARISONS.contains(&rule) => {
                    if let Some(first) = earlier {
                        let (first, second) = (self.span(first), self.span(pair));
                        let message = "comparisons do not chain";
                        self.found.push(
                            Diagnostic::new(E0103, message)
                                .label(second, "a second comparison in a row")
                                .label(first, "the first")
                                .help("say `a < b and b < c`, or put one of them in ( )"),
                        );
                        return;
                    }
                    earlier = Some(pair);
                }
                _ => {}
            }
        }
    }

    fn operand(&mut self, pair: Node<'i>) -> Expr {
        let whole = self.span(&pair);
        let mut parts = self.operands(pair);
        let mut expression = self.atom(parts.one());
        for suffix in parts {
            let span = whole.to(expression.span);
            let span = Span { end: self.span(&suffix).end, ..span };
            let kind = self.suffix(expression, suffix);
            expression = Expr { kind, span };
        }
        expression
    }

    fn suffix(&mut self, expression: Expr, suffix: Node<'i>) -> ExprKind {
        let on = Box::new(expression);
        let rule = suffix.as_rule();
        let mut parts = Parts::of(suffix);
        match rule {
            Rule::field => ExprKind::Field(on, self.name(&parts.one())),
            Rule::element => ExprKind::Element(on, Box::new(self.value(parts.one()))),
            _ => {
                let places = parts.every(Rule::place).into_iter().map(|place| self.index_place(place)).collect();
                let fallback = parts.maybe(Rule::k_else).map(|_| Box::new(self.expression(parts.one())));
                ExprKind::Index(on, places, fallback)
            }
        }
    }

    fn index_place(&mut self, pair: Node<'i>) -> Place {
        let mut parts = Parts::of(pair);
        let axes = self.axes_or_group(parts.one());
        let at = parts.one();
        let at = match at.as_rule() {
            Rule::group => {
                let span = self.span(&at);
                PlaceValue::Group(self.names(at), span)
            }
            _ => PlaceValue::Value(self.value(at)),
        };
        Place { axes, at }
    }

    /// `k` or `(p i)`.
    pub(super) fn axes_or_group(&mut self, pair: Node<'i>) -> Axes {
        match pair.as_rule() {
            Rule::group => {
                let span = self.span(&pair);
                Axes::Group(self.names(pair), span)
            }
            _ => Axes::One(self.name(&pair)),
        }
    }

    /// All names directly inside a pair.
    pub(super) fn names(&self, pair: Node<'i>) -> Vec<Name> {
        Parts::of(pair).filter(|child| child.as_rule() == Rule::name).map(|child| self.name(&child)).collect()
    }

    fn atom(&mut self, pair: Node<'i>) -> Expr {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::parenthesis => self.expression(Parts::of(pair).one()).kind,
            Rule::select => self.select(pair),
            Rule::call => ExprKind::Call(self.call(pair)),
            Rule::size => ExprKind::Size(self.name(&Parts::of(pair).one())),
            Rule::number => self.number(&pair),
            Rule::truth => ExprKind::Truth(pair.as_str() == "true"),
            Rule::infinity => ExprKind::Real(f64::INFINITY),
            Rule::string => ExprKind::Text(self.unquoted(&pair)),
            Rule::list => ExprKind::List(Parts::of(pair).map(|item| self.expression(item)).collect()),
            _ => ExprKind::Name(pair.as_str().to_string()),
        };
        Expr { kind, span }
    }

    /// Without a dot and an exponent a number is an integer.
    fn number(&mut self, pair: &Node<'i>) -> ExprKind {
        let digits = pair.as_str().replace('_', "");
        if digits.contains(['.', 'e']) {
            return ExprKind::Real(digits.parse().unwrap_or(f64::INFINITY));
        }
        digits.parse().map(ExprKind::Integer).unwrap_or_else(|_| {
            let label = format!("the largest is {}", i64::MAX);
            let message = format!("{} is too large for an integer", pair.as_str());
            self.found.push(Diagnostic::new(E0104, message).label(self.span(pair), label));
            ExprKind::Integer(i64::MAX)
        })
    }

    fn select(&mut self, pair: Node<'i>) -> ExprKind {
        let mut parts = Parts::of(pair);
        parts.maybe(Rule::k_match);
        let on = self.value(parts.one());
        let arms = parts.map(|arm| {
            let mut parts = Parts::of(arm);
            (self.pattern(parts.one()), self.expression(parts.one()))
        });
        ExprKind::Match(Box::new(on), arms.collect())
    }

    pub(super) fn pattern(&mut self, pair: Node<'i>) -> Pattern {
        let span = self.span(&pair);
        let negative = pair.as_str().starts_with('-');
        let inner = Parts::of(pair).one();
        match inner.as_rule() {
            Rule::truth => Pattern::Truth(inner.as_str() == "true", span),
            Rule::otherwise => Pattern::Any(span),
            Rule::name => Pattern::Word(self.name(&inner)),
            Rule::string => Pattern::Word(Name { text: self.unquoted(&inner), span }),
            _ => {
                let number = inner.as_str().replace('_', "").parse().unwrap_or(f64::INFINITY);
                Pattern::Number(if negative { -number } else { number }, span)
            }
        }
    }

    pub(super) fn call(&mut self, pair: Node<'i>) -> Call {
        let span = self.span(&pair);
        let mut parts = Parts::of(pair);
        let label = parts.maybe(Rule::label).map(|label| self.label(label));
        let name = self.name(&parts.one());
        let axes = parts.maybe(Rule::bound).map(|bound| self.axis_arguments(bound)).unwrap_or_default();
        let arguments = self.arguments(parts.one());
        Call { label, name, axes, arguments, span }
    }

    pub(super) fn label(&mut self, pair: Node<'i>) -> Label {
        let mut parts = Parts::of(pair);
        let shared = parts.maybe(Rule::k_shared).is_some();
        Label { name: self.name(&parts.one()), shared }
    }

    pub(super) fn axis_arguments(&mut self, pair: Node<'i>) -> Vec<AxisArgument> {
        let mut arguments = Vec::new();
        for argument in Parts::of(pair) {
            let mut sides = Parts::of(argument).collect::<Vec<_>>();
            let given = self.axes_or_group(sides.pop().expect("an axis argument has a right side"));
            arguments.push(AxisArgument { axis: sides.pop().map(|axis| self.name(&axis)), given });
        }
        arguments
    }

    pub(super) fn arguments(&mut self, pair: Node<'i>) -> Vec<Argument> {
        Parts::of(pair).map(|argument| self.argument(Parts::of(argument).one())).collect()
    }

    fn argument(&mut self, pair: Node<'i>) -> Argument {
        if pair.as_rule() != Rule::given {
            return Argument { name: None, value: self.argument_value(pair) };
        }
        let mut parts = Parts::of(pair);
        let name = Some(self.name(&parts.one()));
        Argument { name, value: self.argument_value(parts.one()) }
    }

    fn argument_value(&mut self, pair: Node<'i>) -> ArgumentValue {
        match pair.as_rule() {
            Rule::hole => ArgumentValue::Hole(self.span(&pair)),
            _ => ArgumentValue::Value(self.expression(pair)),
        }
    }
}

fn join(left: Expr, right: Expr, kind: impl FnOnce(Box<Expr>, Box<Expr>) -> ExprKind) -> Expr {
    let span = left.span.to(right.span);
    Expr { kind: kind(Box::new(left), Box::new(right)), span }
}

fn unary(rule: Rule) -> Unary {
    if rule == Rule::not { Unary::Not } else { Unary::Negate }
}

fn binary(rule: Rule) -> Binary {
    match rule {
        Rule::or => Binary::Or,
        Rule::and => Binary::And,
        Rule::equal => Binary::Equal,
        Rule::unequal => Binary::NotEqual,
        Rule::less => Binary::Less,
        Rule::at_most => Binary::LessEqual,
        Rule::greater => Binary::Greater,
        Rule::at_least => Binary::GreaterEqual,
        Rule::within => Binary::In,
        Rule::plus => Binary::Add,
        Rule::minus => Binary::Subtract,
        Rule::times => Binary::Multiply,
        Rule::over => Binary::Divide,
        Rule::whole => Binary::FloorDivide,
        Rule::remainder => Binary::Remainder,
        _ => Binary::Power,
    }
}
