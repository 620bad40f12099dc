//! The body of one function: declarations to numbers, instructions to statements, names looked up by scope
//! (PTX ISA, "Scoping": a `{ … }` group has registers and labels of its own).

use std::collections::HashMap;

use crate::fault::ParseError;
use crate::parse::{declarations, declared_name, declared_type, place, variables};
use crate::special::special;
use crate::syntax::{FunctionText, Home, Operand, Register, Statement, Variable};
use crate::token::{Token, Tokens};
use crate::types::Type;

#[derive(Default)]
struct Scope {
    number: usize,
    names: HashMap<String, Operand>,
    /// `%r<8>`: the first register of the range, how many, and their type.
    ranges: HashMap<String, (Register, u32, Type)>,
}

/// Reads one body; shared and global variables that it declares join those of the module.
pub(crate) struct Body<'m> {
    function: FunctionText,
    variables: &'m mut Vec<Variable>,
    scopes: Vec<Scope>,
    scopes_made: usize,
}

impl<'m> Body<'m> {
    pub fn new(mut function: FunctionText, variables: &'m mut Vec<Variable>) -> Body<'m> {
        function.registers = 1;
        let mut outer = Scope::default();
        let is_kernel = function.is_kernel;
        for slot in function.parameters.iter().chain(&function.returns) {
            let place = if is_kernel { Operand::Parameter(slot.offset) } else { Operand::Frame(slot.offset) };
            outer.names.insert(slot.name.clone(), place);
        }
        if is_kernel {
            function.frame = 0;
        }
        Body { function, variables, scopes: vec![outer], scopes_made: 1 }
    }

    /// Reads up to the brace that closes the body.
    pub fn parse(mut self, tokens: &mut Tokens) -> Result<FunctionText, ParseError> {
        while !self.scopes.is_empty() {
            if tokens.take('}')? {
                self.scopes.pop();
            } else if tokens.take('{')? {
                self.scopes.push(Scope { number: self.scopes_made, ..Scope::default() });
                self.scopes_made += 1;
            } else if !tokens.take(';')? {
                self.item(tokens)?;
            }
        }
        self.function.has_body = true;
        Ok(self.function)
    }

    fn item(&mut self, tokens: &mut Tokens) -> Result<(), ParseError> {
        let line = tokens.line();
        match tokens.next()? {
            Some(Token::Mark('@')) => {
                let negated = tokens.take('!')?;
                let name = tokens.word()?;
                let Operand::Register(guard, _) = self.resolve(tokens, name)? else {
                    return tokens.fail(format!("`{name}` is no predicate"));
                };
                let opcode = tokens.word()?;
                self.instruction(tokens, line, Some((guard, negated)), opcode)
            }
            Some(Token::Word(word)) if word.starts_with('.') => self.directive(tokens, word),
            Some(Token::Word(word)) if tokens.take(':')? => self.label(tokens, word),
            Some(Token::Word(word)) => self.instruction(tokens, line, None, word),
            other => tokens.fail(format!("an instruction expected, found {other:?}")),
        }
    }

    fn label(&mut self, tokens: &mut Tokens, name: &str) -> Result<(), ParseError> {
        let scope = self.scopes.last().map_or(0, |scope| scope.number);
        match tokens.peek()? {
            Some(Token::Word(".branchtargets")) => {
                tokens.next()?;
                let mut targets = vec![tokens.word()?.to_string()];
                while tokens.take(',')? {
                    targets.push(tokens.word()?.to_string());
                }
                self.function.tables.push((scope, name.to_string(), targets));
                tokens.expect(';')
            }
            Some(Token::Word(".callprototype" | ".calltargets")) => tokens.skip_statement(),
            _ => {
                self.function.labels.push((scope, name.to_string(), self.function.statements.len()));
                Ok(())
            }
        }
    }

    fn directive(&mut self, tokens: &mut Tokens, word: &str) -> Result<(), ParseError> {
        match word {
            ".loc" | ".file" => tokens.skip_line(),
            ".pragma" => tokens.skip_statement(),
            ".reg" => self.registers(tokens),
            ".local" | ".param" => {
                for declared in declarations(tokens)? {
                    let slot = place(&declared, &mut self.function.frame);
                    self.innermost().names.insert(slot.name, Operand::Frame(slot.offset));
                }
                tokens.expect(';')
            }
            ".shared" => self.module_variable(tokens, Home::Shared),
            ".global" => self.module_variable(tokens, Home::Global),
            ".const" => self.module_variable(tokens, Home::Constant),
            other => tokens.fail(format!("`{other}` is no directive of a body")),
        }
    }

    /// A variable with a lifetime beyond the call: kept by the module under a name nobody else can have.
    fn module_variable(&mut self, tokens: &mut Tokens, home: Home) -> Result<(), ParseError> {
        let first = self.variables.len();
        variables(tokens, home, self.variables)?;
        for at in first..self.variables.len() {
            let unique = format!("{}:{}:{at}", self.function.name, self.variables[at].name);
            let name = std::mem::replace(&mut self.variables[at].name, unique.clone());
            self.innermost().names.insert(name, Operand::Name(unique, 0));
        }
        Ok(())
    }

    fn registers(&mut self, tokens: &mut Tokens) -> Result<(), ParseError> {
        let (of, align) = declared_type(tokens)?;
        loop {
            let declared = declared_name(tokens, of, align)?;
            let first = self.function.registers;
            // A 128-bit register is two of 64.
            let stride = if of.width() == 128 { 2 } else { 1 };
            self.function.registers += stride * declared.count.unwrap_or(1);
            match declared.count {
                Some(count) => drop(self.innermost().ranges.insert(declared.name, (first, count, of))),
                None => drop(self.innermost().names.insert(declared.name, Operand::Register(first, of))),
            }
            if !tokens.take(',')? {
                return tokens.expect(';');
            }
        }
    }

    fn innermost(&mut self) -> &mut Scope {
        if self.scopes.is_empty() {
            self.scopes.push(Scope::default());
        }
        let last = self.scopes.len() - 1;
        &mut self.scopes[last]
    }

    fn instruction(
        &mut self,
        tokens: &mut Tokens,
        line: usize,
        guard: Option<(Register, bool)>,
        opcode: &str,
    ) -> Result<(), ParseError> {
        let mut operands = Vec::new();
        while !tokens.take(';')? {
            operands.push(self.operand(tokens)?);
            tokens.take(',')?;
        }
        let scopes = self.scopes.iter().map(|scope| scope.number).collect();
        self.function.statements.push(Statement { line, guard, opcode: opcode.to_string(), operands, scopes });
        Ok(())
    }

    fn operand(&mut self, tokens: &mut Tokens) -> Result<Operand, ParseError> {
        let first = self.single(tokens)?;
        if tokens.take('|')? {
            return Ok(Operand::Pair(Box::new(first), Box::new(self.single(tokens)?)));
        }
        Ok(first)
    }

    fn list(&mut self, tokens: &mut Tokens, end: char) -> Result<Vec<Operand>, ParseError> {
        let mut all = Vec::new();
        while !tokens.take(end)? {
            all.push(self.operand(tokens)?);
            tokens.take(',')?;
        }
        Ok(all)
    }

    fn single(&mut self, tokens: &mut Tokens) -> Result<Operand, ParseError> {
        match tokens.next()? {
            Some(Token::Number(number)) => Ok(Operand::Constant(number)),
            Some(Token::Mark('-')) => Ok(Operand::Constant(tokens.number()?.wrapping_neg())),
            Some(Token::Mark('!')) => Ok(Operand::Not(Box::new(self.single(tokens)?))),
            Some(Token::Mark('{')) => Ok(Operand::Vector(self.list(tokens, '}')?)),
            Some(Token::Mark('(')) => Ok(Operand::List(self.list(tokens, ')')?)),
            Some(Token::Mark('[')) => self.address(tokens),
            Some(Token::Word(word)) => {
                let base = self.resolve(tokens, word)?;
                match base {
                    Operand::Name(name, _) => Ok(Operand::Name(name, offset(tokens)?)),
                    Operand::Frame(start) => Ok(Operand::Frame((i64::from(start) + offset(tokens)?) as u32)),
                    Operand::Parameter(start) => Ok(Operand::Parameter((i64::from(start) + offset(tokens)?) as u32)),
                    other => Ok(other),
                }
            }
            other => tokens.fail(format!("an operand expected, found {other:?}")),
        }
    }

    fn address(&mut self, tokens: &mut Tokens) -> Result<Operand, ParseError> {
        let base = self.single(tokens)?;
        let distance = offset(tokens)?;
        tokens.take(',')?;
        let rest = self.list(tokens, ']')?;
        Ok(Operand::Address(Box::new(base), distance, rest))
    }

    fn resolve(&self, tokens: &mut Tokens, word: &str) -> Result<Operand, ParseError> {
        if word == "_" {
            return Ok(Operand::Sink);
        }
        let stem = word.trim_end_matches(|character: char| character.is_ascii_digit());
        let index = word[stem.len()..].parse::<u32>().ok();
        for scope in self.scopes.iter().rev() {
            if let Some(known) = scope.names.get(word) {
                return Ok(known.clone());
            }
            if let (Some((first, count, of)), Some(index)) = (scope.ranges.get(stem), index)
                && index < *count
            {
                let stride = if of.width() == 128 { 2 } else { 1 };
                return Ok(Operand::Register(first + stride * index, *of));
            }
        }
        if let Some(register) = special(word) {
            return Ok(Operand::Special(register));
        }
        match word.starts_with('%') {
            true => tokens.fail(format!("`{word}` is not declared")),
            false => Ok(Operand::Name(word.to_string(), 0)),
        }
    }
}

/// `+8`, `+-8`, `-8` or nothing.
fn offset(tokens: &mut Tokens) -> Result<i64, ParseError> {
    let plus = tokens.take('+')?;
    let minus = tokens.take('-')?;
    if !plus && !minus {
        return Ok(0);
    }
    let number = tokens.number()? as i64;
    Ok(if minus { number.wrapping_neg() } else { number })
}
