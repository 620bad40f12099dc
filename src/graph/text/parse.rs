//! Parses a graph's text form: lines, axes, regions.

use super::parse_node::Line;
use super::tokens::{Token, tokens};
use crate::graph::{Graph, Op, Region, Value};
use crate::tensor::{Axes, AxisId, Extent};
use std::collections::HashMap;

/// A graph from its text form.
///
/// # Errors
/// The number of the line and what is wrong with it.
pub fn parse(text: &str) -> Result<Graph, String> {
    let mut parser = Parser::new(text)?;
    let name = parser.take_line("graph")?.text()?;
    let mut axes = AxisNames::new();
    while let Some(mut line) = parser.line_if("axis") {
        let number = line.number;
        read_axis(&mut line, &mut axes).map_err(|fault| format!("line {number}: {fault}"))?;
    }
    let root = parser.region(&axes)?;
    let mut line = parser.take_line("outputs")?;
    let mut outputs = Vec::new();
    while !line.is_done() {
        outputs.push(line.text()?);
        line.skip(",");
    }
    Ok(Graph { name, axes: axes.table, root, outputs })
}

/// The axes by the names that the text gives them.
pub(super) struct AxisNames {
    table: Axes,
    by_name: HashMap<String, AxisId>,
}

impl AxisNames {
    fn new() -> AxisNames {
        let table = Axes::default();
        let by_name = table.iter().map(|(id, axis)| (axis.name.clone(), id)).collect();
        AxisNames { table, by_name }
    }

    pub(super) fn find(&self, name: &str) -> Result<AxisId, String> {
        self.by_name.get(name).copied().ok_or_else(|| format!("there is no axis `{name}`"))
    }
}

fn read_axis(line: &mut Line, axes: &mut AxisNames) -> Result<(), String> {
    let name = line.word()?;
    let id = match line.next() {
        Some(Token::Number(size)) => axes.table.add(name.clone(), Extent::Fixed(size as i64)),
        Some(Token::Word(kind)) => match kind.as_str() {
            "sequence" => axes.table.add(name.clone(), Extent::Sequence),
            "rows" => axes.table.add(name.clone(), Extent::Batch),
            "like" => {
                let model = axes.find(&line.word()?)?;
                axes.table.add_like(name.clone(), model)
            }
            "pieces" => {
                line.skip("of");
                let size = line.whole()?;
                line.skip("*");
                let of = axes.find(&line.word()?)?;
                axes.table.add(name.clone(), Extent::Pieces { of, size })
            }
            "computed" => {
                let extent = read_computed(line, axes)?;
                axes.table.add(name.clone(), extent)
            }
            other => return Err(format!("`{other}` is no extent")),
        },
        _ => return Err("an axis needs an extent".into()),
    };
    if line.skip("most") {
        axes.table.limit(id, line.whole()?);
    }
    axes.by_name.insert(name, id);
    Ok(())
}

fn read_computed(line: &mut Line, axes: &AxisNames) -> Result<Extent, String> {
    let (mut lengths, mut settings) = (Vec::new(), Vec::new());
    loop {
        let number = line.whole()?;
        if !line.skip("*") {
            return Ok(Extent::Computed { lengths, settings, constant: number });
        }
        match line.next() {
            Some(Token::Word(name)) => lengths.push((axes.find(&name)?, number)),
            Some(Token::Text(name)) => settings.push((name, number)),
            _ => return Err("a length is computed from axes and settings".into()),
        }
        line.skip("+");
    }
}

struct Parser {
    lines: std::iter::Peekable<std::vec::IntoIter<(usize, Vec<Token>)>>,
}

impl Parser {
    fn new(text: &str) -> Result<Parser, String> {
        let mut lines = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.split(" //").next().unwrap_or_default();
            let tokens = tokens(line).map_err(|fault| format!("line {}: {fault}", number + 1))?;
            if !tokens.is_empty() {
                lines.push((number + 1, tokens));
            }
        }
        Ok(Parser { lines: lines.into_iter().peekable() })
    }

    fn starts(&mut self, word: &str) -> bool {
        self.lines.peek().is_some_and(|(_, tokens)| tokens[0] == Token::Word(word.into()))
    }

    /// The rest of the next line, if it begins with the word.
    fn line_if(&mut self, word: &str) -> Option<Line> {
        if !self.starts(word) {
            return None;
        }
        let (number, tokens) = self.lines.next()?;
        Some(Line::new(number, tokens[1..].to_vec()))
    }

    fn take_line(&mut self, word: &str) -> Result<Line, String> {
        let number = self.lines.peek().map_or(0, |(number, _)| *number);
        self.line_if(word).ok_or_else(|| format!("line {number}: `{word}` is wanted"))
    }

    fn region(&mut self, axes: &AxisNames) -> Result<Region, String> {
        let mut region = Region::default();
        let mut values = HashMap::new();
        while matches!(self.lines.peek(), Some((_, tokens)) if matches!(tokens[0], Token::Value(..))) {
            let Some((number, tokens)) = self.lines.next() else { break };
            let mut line = Line::new(number, tokens);
            let at = |fault: String| format!("line {number}: {fault}");
            let (name, mut node) = line.node(axes, &values).map_err(at)?;
            while self.line_if("body").is_some() {
                let body = self.region(axes)?;
                if let Op::For(region) = &mut node.op {
                    region.bodies.push(body);
                }
            }
            values.insert(name, region.insert(node));
        }
        let mut line = self.take_line("give")?;
        while !line.is_done() {
            let result = if line.skip_word("none") { None } else { Some(line.value(&values)?) };
            region.results.push(result);
            line.skip(",");
        }
        Ok(region)
    }
}

/// The values of a region by the numbers that the text gives them.
pub(super) type Values = HashMap<usize, crate::graph::NodeId>;

/// The value of a number and a result.
pub(super) fn find_value(values: &Values, number: usize, result: u32) -> Result<Value, String> {
    let node = values.get(&number).copied().ok_or_else(|| format!("%{number} is not made before it is read"))?;
    Ok(Value { node, result })
}
