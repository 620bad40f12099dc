//! Files, blocks and models: everything around the lines.

use super::ast::*;
use super::builder::{Builder, Parts};
use super::grammar::{Grammar, Rule};
use pest::Parser;
use pest::iterators::Pair;

type Node<'i> = Pair<'i, Rule>;

impl<'i> Builder<'i> {
    /// The whole file. What nests without end is refused before pest and the tree builder recurse into it.
    pub(super) fn file(&mut self) -> File {
        let mut file = File::default();
        if let Some(at) = too_deep(self.text) {
            self.unreadable(at);
            return file;
        }
        match Grammar::parse(Rule::file, self.text) {
            Ok(mut pairs) => {
                for item in pairs.next().into_iter().flat_map(Parts::of) {
                    self.item(item, &mut file);
                }
            }
            Err(_) => self.unreadable(self.text.len()),
        }
        file
    }

    /// The block that the text begins with; `None` if it does not begin with one.
    pub(super) fn only_block(&mut self) -> Option<Block> {
        let block = Grammar::parse(Rule::block, self.text).ok()?.next()?;
        Some(self.block(block))
    }

    fn item(&mut self, pair: Node<'i>, file: &mut File) {
        let earlier = self.found.len();
        match pair.as_rule() {
            Rule::use_line => file.uses.push(self.use_line(pair)),
            Rule::model => file.models.push(self.model(pair)),
            Rule::block => file.blocks.push(self.block(pair)),
            Rule::weights => file.weights.push(self.weights(pair)),
            Rule::broken_item => self.broken_item(pair),
            Rule::bad_use => self.bad(pair, Rule::only_use),
            _ => self.bad_item(pair),
        }
        self.keep_first_of_unclosed(earlier);
    }

    fn use_line(&mut self, pair: Node<'i>) -> Use {
        let span = self.span(&pair);
        let mut parts = Parts::of(pair);
        parts.maybe(Rule::k_use);
        let what = parts.one();
        if what.as_rule() == Rule::string {
            let target = UseTarget::File(self.unquoted(&what), self.span(&what));
            return Use { target, names: Vec::new(), span };
        }
        let mut parts = Parts::of(what);
        let path = parts.every(Rule::name).iter().map(|name| self.name(name)).collect();
        let names = parts.maybe(Rule::use_names).map(|names| self.names(names)).unwrap_or_default();
        Use { target: UseTarget::Path(path), names, span }
    }

    fn model(&mut self, pair: Node<'i>) -> Model {
        let mut parts = Parts::of(pair);
        let mut head = Parts::of(parts.one());
        head.maybe(Rule::k_model);
        Model { name: self.name(&head.one()), body: self.body(parts.one()) }
    }

    fn block(&mut self, pair: Node<'i>) -> Block {
        let mut parts = Parts::of(pair);
        let head = parts.one();
        let head_span = self.span(&head);
        let mut head = Parts::of(head);
        head.maybe(Rule::k_block);
        let name = self.name(&head.one());
        let demands = head.maybe(Rule::demands).map(|demands| self.demands(demands)).unwrap_or_default();
        let parameters = self.parameters(head.one());
        let results = head.maybe(Rule::results).map(|results| self.results(results)).unwrap_or_default();
        Block { name, demands, parameters, results, body: self.body(parts.one()), head: head_span }
    }

    fn demands(&mut self, pair: Node<'i>) -> Vec<Demand> {
        let mut demands = Vec::new();
        for demand in Parts::of(pair) {
            let mut names = self.names(demand).into_iter();
            demands.extend(names.next().map(|axis| Demand { axis, like: names.next() }));
        }
        demands
    }

    fn parameters(&mut self, pair: Node<'i>) -> Vec<Parameter> {
        Parts::of(pair).map(|parameter| self.parameter(parameter)).collect()
    }

    fn parameter(&mut self, pair: Node<'i>) -> Parameter {
        if pair.as_rule() == Rule::entry {
            return Parameter::Value(self.entry(pair));
        }
        let span = self.span(&pair);
        let mut parts = Parts::of(pair);
        let name = self.name(&parts.one());
        let parameters = self.parameters(parts.one());
        let results = self.results(parts.one());
        Parameter::Net { name, parameters, results, span }
    }

    /// `name[axes] : type = default`.
    pub(super) fn entry(&mut self, pair: Node<'i>) -> Entry {
        let mut parts = Parts::of(pair);
        let target = self.target(parts.one());
        Entry { target, default: parts.next().map(|default| self.expression(default)) }
    }

    /// `name[axes] : type`.
    pub(super) fn target(&mut self, pair: Node<'i>) -> Target {
        let span = self.span(&pair);
        let mut parts = Parts::of(pair);
        let name = self.name(&parts.one());
        let axes = parts.maybe(Rule::axes).map(|axes| self.names(axes));
        Target { name, axes, kind: parts.maybe(Rule::typed).map(|kind| self.kind(kind)), span }
    }

    fn kind(&mut self, pair: Node<'i>) -> Kind {
        let mut parts = Parts::of(pair);
        Kind { name: self.name(&parts.one()), optional: parts.maybe(Rule::maybe).is_some() }
    }

    fn results(&mut self, pair: Node<'i>) -> Vec<ResultItem> {
        Parts::of(pair).map(|result| self.result(result)).collect()
    }

    fn result(&mut self, pair: Node<'i>) -> ResultItem {
        let span = self.span(&pair);
        let mut parts = Parts::of(pair);
        let name = parts.maybe(Rule::name).map(|name| self.name(&name));
        let axes = parts.maybe(Rule::axes).map(|axes| self.names(axes)).unwrap_or_default();
        ResultItem { name, axes, kind: parts.maybe(Rule::typed).map(|kind| self.kind(kind)), span }
    }

    /// `{ … }`, of an item or of a line.
    pub(super) fn body(&mut self, pair: Node<'i>) -> Body {
        let span = self.span(&pair);
        let mut lines = Vec::new();
        for child in Parts::of(pair) {
            match child.as_rule() {
                Rule::unclosed => self.unclosed(span),
                _ => lines.extend(self.line(child)),
            }
        }
        Body { lines, span }
    }
}

/// Brackets and braces inside each other.
const DEEPEST_NESTING: usize = 64;

/// Where the nesting passes what any program needs.
fn too_deep(text: &str) -> Option<usize> {
    let (mut depth, mut in_string, mut in_comment) = (0usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\n' => (in_string, in_comment) = (false, false),
            b'"' if !in_comment => in_string = !in_string,
            b'#' if !in_string => in_comment = true,
            b'(' | b'[' | b'{' if !in_string && !in_comment => depth += 1,
            b')' | b']' | b'}' if !in_string && !in_comment => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST_NESTING {
            return Some(at);
        }
    }
    None
}
