//! Parses one line: an operation, its operands, its types and presence.

use super::parse::{AxisNames, Values, find_value};
use super::print::{combine_name, dtype_name};
use super::tokens::Token;
use crate::graph::{For, Node, Op, Track, Typed, Value};
use crate::model::{Combine, Law};
use crate::tensor::{
    Affine, AxisId, DType, Function, Precision, Presence, Relation, Scalar, ScalarStep, TensorType, Term,
};
use std::collections::HashMap;

const COMBINES: [Combine; 7] =
    [Combine::Sum, Combine::Product, Combine::Maximum, Combine::Minimum, Combine::Any, Combine::All, Combine::First];

const DTYPES: [DType; 5] =
    [DType::REAL, DType::Real(Precision::F32), DType::Real(Precision::F64), DType::Int, DType::Bool];

/// The tokens of a line that are still to be read.
pub(super) struct Line {
    pub(super) number: usize,
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
}

type Parsed<T> = Result<T, String>;

impl Line {
    pub(super) fn new(number: usize, tokens: Vec<Token>) -> Line {
        Line { number, tokens: tokens.into_iter().peekable() }
    }

    pub(super) fn is_done(&mut self) -> bool {
        self.tokens.peek().is_none()
    }

    pub(super) fn next(&mut self) -> Option<Token> {
        self.tokens.next()
    }

    pub(super) fn skip(&mut self, sign: &str) -> bool {
        self.tokens.next_if(|token| matches!(token, Token::Sign(own) if *own == sign)).is_some()
    }

    pub(super) fn skip_word(&mut self, word: &str) -> bool {
        self.tokens.next_if(|token| matches!(token, Token::Word(own) if own == word)).is_some()
    }

    fn expect(&mut self, sign: &str) -> Parsed<()> {
        if self.skip(sign) { Ok(()) } else { Err(format!("`{sign}` is wanted, not {:?}", self.tokens.peek())) }
    }

    pub(super) fn word(&mut self) -> Parsed<String> {
        match self.next() {
            Some(Token::Word(word)) => Ok(word),
            other => Err(format!("a word is wanted, not {other:?}")),
        }
    }

    pub(super) fn text(&mut self) -> Parsed<String> {
        match self.next() {
            Some(Token::Text(text)) => Ok(text),
            other => Err(format!("a text in quotes is wanted, not {other:?}")),
        }
    }

    fn real(&mut self) -> Parsed<f64> {
        let sign = if self.skip("-") { -1.0 } else { 1.0 };
        match self.next() {
            Some(Token::Number(number)) => Ok(sign * number),
            Some(Token::Word(word)) if word == "inf" => Ok(sign * f64::INFINITY),
            Some(Token::Word(word)) if word == "NaN" => Ok(f64::NAN),
            other => Err(format!("a number is wanted, not {other:?}")),
        }
    }

    pub(super) fn whole(&mut self) -> Parsed<i64> {
        Ok(self.real()? as i64)
    }

    pub(super) fn value(&mut self, values: &Values) -> Parsed<Value> {
        match self.next() {
            Some(Token::Value(number, result)) => find_value(values, number, result),
            other => Err(format!("a value is wanted, not {other:?}")),
        }
    }

    fn is_value(&mut self) -> bool {
        matches!(self.tokens.peek(), Some(Token::Value(..)))
    }

    fn values(&mut self, values: &Values) -> Parsed<Vec<Value>> {
        let mut all = Vec::new();
        while self.is_value() {
            all.push(self.value(values)?);
            self.skip(",");
        }
        Ok(all)
    }

    fn axis(&mut self, axes: &AxisNames) -> Parsed<AxisId> {
        axes.find(&self.word()?)
    }

    fn axes(&mut self, axes: &AxisNames) -> Parsed<Vec<AxisId>> {
        self.expect("[")?;
        let mut all = Vec::new();
        while !self.skip("]") {
            all.push(self.axis(axes)?);
            self.skip(",");
        }
        Ok(all)
    }

    fn dtype(&mut self) -> Parsed<DType> {
        let word = self.word()?;
        let known = DTYPES.into_iter().find(|dtype| dtype_name(*dtype) == word);
        known.ok_or_else(|| format!("`{word}` is no element type"))
    }

    /// `%number = op : types @ path`
    pub(super) fn node(&mut self, axes: &AxisNames, values: &Values) -> Parsed<(usize, Node)> {
        let Some(Token::Value(number, _)) = self.next() else { return Err("a node begins with its number".into()) };
        self.expect("=")?;
        let word = self.word()?;
        let (op, operands) = self.op(&word, axes, values)?;
        self.expect(":")?;
        let mut results = vec![self.typed(axes, values)?];
        while self.skip(";") {
            results.push(self.typed(axes, values)?);
        }
        let path = if self.skip("@") { self.text()? } else { String::new() };
        if !self.is_done() {
            return Err(format!("the line does not end at {:?}", self.tokens.peek()));
        }
        Ok((number, Node { op, operands, results, path }))
    }

    fn op(&mut self, word: &str, axes: &AxisNames, values: &Values) -> Parsed<(Op, Vec<Value>)> {
        let op = match word {
            "input" => Op::Input(self.text()?),
            "parameter" => Op::Parameter(self.text()?),
            "setting" => Op::Setting(self.text()?),
            "length" => Op::Length(self.axis(axes)?),
            "coordinate" => Op::Coordinate(self.axis(axes)?),
            "argument" => Op::Argument(self.whole()? as usize),
            "turn" => Op::Turn,
            "constant" => Op::Constant(self.numbers()?),
            "map" => return self.map(axes, values),
            "else" => Op::Else,
            "contract" => Op::Contract(self.axes(axes)?),
            "reduce" => Op::Reduce(self.combine()?, self.axes(axes)?),
            "rank" => Op::Rank(self.axes(axes)?),
            "index" | "scatter" => {
                let operand = self.value(values)?;
                let places = self.places(axes, values)?;
                return Ok((if word == "index" { Op::Index(places) } else { Op::Scatter(places) }, vec![operand]));
            }
            "write" => {
                let operands = self.values(values)?;
                return Ok((Op::Write(self.places(axes, values)?), operands));
            }
            "draw" => Op::Draw(self.law(axes)?, self.text()?),
            "stop" => Op::Stop,
            "peek" => Op::Peek,
            "for" => return self.repeat(axes, values),
            other => return Err(format!("`{other}` is no operation")),
        };
        Ok((op, self.values(values)?))
    }

    fn numbers(&mut self) -> Parsed<Vec<f64>> {
        let mut all = vec![self.real()?];
        while self.skip(",") {
            all.push(self.real()?);
        }
        Ok(all)
    }

    fn combine(&mut self) -> Parsed<Combine> {
        let word = self.word()?;
        let known = COMBINES.into_iter().find(|combine| combine_name(*combine) == word);
        known.ok_or_else(|| format!("`{word}` combines nothing"))
    }

    fn law(&mut self, axes: &AxisNames) -> Parsed<Law> {
        match self.word()?.as_str() {
            "uniform" => Ok(Law::Uniform),
            "normal" => Ok(Law::Normal),
            "bernoulli" => Ok(Law::Bernoulli),
            "index" => Ok(Law::UniformIndex(self.axis(axes)?)),
            "categorical" => Ok(Law::Categorical(self.axis(axes)?)),
            other => Err(format!("`{other}` is no law")),
        }
    }

    fn places(&mut self, axes: &AxisNames, values: &Values) -> Parsed<Vec<(AxisId, Affine<Value>)>> {
        self.expect("[")?;
        let mut places = Vec::new();
        while !self.skip("]") {
            let axis = self.axis(axes)?;
            self.expect(":")?;
            places.push((axis, self.affine(axes, values)?));
            self.skip(",");
        }
        Ok(places)
    }

    fn affine(&mut self, axes: &AxisNames, values: &Values) -> Parsed<Affine<Value>> {
        let mut sum = Affine::number(0);
        let mut sign = if self.skip("-") { -1 } else { 1 };
        loop {
            let mut factor = sign;
            let is_number = matches!(self.tokens.peek(), Some(Token::Number(_)));
            if is_number {
                factor *= self.whole()?;
            }
            if is_number && !self.skip("*") {
                sum.constant += factor;
            } else {
                sum = sum.plus(&Affine::term(self.term(axes, values)?), factor);
            }
            sign = match (self.skip("+"), self.skip("-")) {
                (true, _) => 1,
                (_, true) => -1,
                _ => return Ok(sum),
            };
        }
    }

    fn term(&mut self, axes: &AxisNames, values: &Values) -> Parsed<Term<Value>> {
        if self.is_value() {
            return Ok(Term::Value(self.value(values)?));
        }
        let axis = self.axis(axes)?;
        Ok(match (self.skip_word("div"), self.skip_word("mod")) {
            (true, _) => Term::Quotient(axis, self.whole()?),
            (_, true) => Term::Remainder(axis, self.whole()?),
            _ => Term::Axis(axis),
        })
    }

    fn typed(&mut self, axes: &AxisNames, values: &Values) -> Parsed<Typed> {
        let dtype = self.dtype()?;
        let own = if matches!(self.tokens.peek(), Some(Token::Sign("["))) { self.axes(axes)? } else { Vec::new() };
        let mut presence = Presence::always();
        if self.skip_word("where") {
            presence.require(self.relation(axes, values)?);
            while self.skip_word("and") {
                presence.require(self.relation(axes, values)?);
            }
        }
        Ok(Typed { ty: TensorType::new(own, dtype), presence })
    }

    fn relation(&mut self, axes: &AxisNames, values: &Values) -> Parsed<Relation<Value>> {
        let left = self.affine(axes, values)?;
        if self.skip(">=") {
            self.whole()?;
            return Ok(Relation::AtLeastZero(left));
        }
        if self.skip("==") {
            let axis = left.as_axis().ok_or("only a coordinate equals an index")?;
            return Ok(Relation::Equal(axis, self.value(values)?));
        }
        let [(Term::Value(value), 1)] = left.terms.as_slice() else { return Err("a relation is incomplete".into()) };
        if self.skip("<") {
            return Ok(Relation::Below { rank: *value, bound: self.value(values)? });
        }
        Ok(Relation::Holds(*value))
    }

    fn repeat(&mut self, axes: &AxisNames, values: &Values) -> Parsed<(Op, Vec<Value>)> {
        let label = self.text()?;
        self.word()?;
        let axis = self.axis(axes)?;
        let (reverse, until) = (self.skip_word("reverse"), self.skip_word("until"));
        let mut groups = [Vec::new(), Vec::new(), Vec::new()];
        for (word, group) in ["carried", "sliced", "captured"].iter().zip(&mut groups) {
            if self.skip_word(word) {
                *group = self.values(values)?;
            }
        }
        let mut turns = None;
        if self.skip_word("turns") {
            turns = Some(self.numbers()?.into_iter().map(|body| body as u32).collect());
        }
        let (carried, sliced) = (groups[0].len(), groups[1].len());
        let mut tracks = Vec::new();
        while self.skip_word("track") {
            let axis = self.axis(axes)?;
            let slice = |number: f64| (number >= 0.0).then_some(number as u32);
            tracks.push(Track { axis, slices: self.numbers()?.into_iter().map(slice).collect() });
        }
        let mut stacks = Vec::new();
        if self.skip_word("stacked") {
            stacks.push(self.axis(axes)?);
            while self.skip(",") {
                stacks.push(self.axis(axes)?);
            }
        }
        let region = For { axis, reverse, carried, sliced, bodies: Vec::new(), turns, tracks, stacks, until, label };
        Ok((Op::For(region), groups.concat()))
    }

    /// `map $3 = exp(%1), add($3, %2) with %4`
    fn map(&mut self, axes: &AxisNames, values: &Values) -> Parsed<(Op, Vec<Value>)> {
        let mut map = Map { scalar: Scalar::default(), operands: Vec::new(), named: HashMap::new() };
        while let Some(Token::Step(name)) = self.tokens.next_if(|token| matches!(token, Token::Step(_))) {
            if !self.skip("=") {
                // The whole expression is one named step.
                let place = map.find(name)?;
                return Ok((Op::Map(map.ending_in(place)), map.operands));
            }
            let place = self.step(axes, values, &mut map)?;
            map.named.insert(name, place);
            self.expect(",")?;
        }
        let last = self.step(axes, values, &mut map)?;
        if self.skip_word("with") {
            map.operands.extend(self.values(values)?);
        }
        Ok((Op::Map(map.ending_in(last)), map.operands))
    }

    fn step(&mut self, axes: &AxisNames, values: &Values, map: &mut Map) -> Parsed<usize> {
        if self.is_value() {
            let operand = self.value(values)?;
            return Ok(map.operand(operand));
        }
        if let Some(Token::Step(name)) = self.tokens.next_if(|token| matches!(token, Token::Step(_))) {
            return map.find(name);
        }
        let word = self.word()?;
        if word == "coordinate" {
            let axis = self.axis(axes)?;
            return Ok(map.scalar.push(ScalarStep::Coordinate(axis)));
        }
        if let Some(dtype) = DTYPES.into_iter().find(|dtype| dtype_name(*dtype) == word) {
            let number = self.real()?;
            return Ok(map.scalar.push(ScalarStep::Number(number, dtype)));
        }
        let function = Function::ALL.into_iter().find(|function| function.name() == word);
        let function = function.ok_or_else(|| format!("`{word}` is no function"))?;
        self.expect("(")?;
        let mut arguments = Vec::new();
        while !self.skip(")") {
            arguments.push(self.step(axes, values, map)?);
            self.skip(",");
        }
        Ok(map.scalar.push(ScalarStep::Call(function, arguments)))
    }
}

/// A map while it is read: operands in the order in which they are met.
struct Map {
    scalar: Scalar,
    operands: Vec<Value>,
    named: HashMap<usize, usize>,
}

impl Map {
    fn operand(&mut self, operand: Value) -> usize {
        let known = self.operands.iter().position(|known| *known == operand);
        let place = known.unwrap_or_else(|| {
            self.operands.push(operand);
            self.operands.len() - 1
        });
        self.scalar.push(ScalarStep::Operand(place))
    }

    fn find(&self, name: usize) -> Parsed<usize> {
        self.named.get(&name).copied().ok_or_else(|| format!("${name} is not made before it is read"))
    }

    /// The steps up to the last that is needed.
    fn ending_in(&self, last: usize) -> Scalar {
        Scalar { steps: self.scalar.steps[..=last].to_vec() }
    }
}
