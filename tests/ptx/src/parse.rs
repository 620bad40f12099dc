//! PTX text to `ModuleText`: directives of the module and heads of its functions (PTX ISA, "Directives").

use crate::body::Body;
use crate::fault::ParseError;
use crate::syntax::{FunctionText, Home, Slot, Variable, align_up};
use crate::token::{Token, Tokens};
use crate::types::Type;

/// All of a module, functions not yet decoded.
#[derive(Default)]
pub(crate) struct ModuleText {
    pub variables: Vec<Variable>,
    pub functions: Vec<FunctionText>,
}

/// A declared name with its type, alignment and size: what variables and parameters share.
pub(crate) struct Declared {
    pub name: String,
    pub of: Type,
    pub align: u32,
    pub bytes: u32,
    /// Elements are given by `[]` without a number.
    pub is_open: bool,
    /// `<n>`: names from 0 to n.
    pub count: Option<u32>,
}

pub(crate) fn parse(text: &str) -> Result<ModuleText, ParseError> {
    let mut tokens = Tokens::new(text);
    let mut module = ModuleText::default();
    while tokens.peek()?.is_some() {
        directive(&mut tokens, &mut module)?;
    }
    Ok(module)
}

fn directive(tokens: &mut Tokens, module: &mut ModuleText) -> Result<(), ParseError> {
    let line = tokens.line();
    let mut is_extern = false;
    loop {
        match tokens.word()? {
            ".version" | ".target" | ".address_size" | ".file" | ".loc" => return tokens.skip_line(),
            ".pragma" | ".alias" => return tokens.skip_statement(),
            ".section" => {
                tokens.word()?;
                tokens.expect('{')?;
                return tokens.skip_braces();
            }
            ".extern" => is_extern = true,
            ".visible" | ".weak" | ".common" => {}
            home @ (".global" | ".const" | ".shared") => {
                let home = home_of(home, is_extern);
                return variables(tokens, home, &mut module.variables);
            }
            kind @ (".entry" | ".func") => {
                let function = function(tokens, kind == ".entry", line, &mut module.variables)?;
                module.functions.push(function);
                return Ok(());
            }
            other => return tokens.fail(format!("`{other}` begins nothing that is known here")),
        }
    }
}

fn home_of(word: &str, is_extern: bool) -> Home {
    match word {
        ".shared" if is_extern => Home::DynamicShared,
        ".shared" => Home::Shared,
        ".const" => Home::Constant,
        _ => Home::Global,
    }
}

/// Reads `.align 16 .b8 name[64] = {…};` after the word of its space.
pub(crate) fn variables(tokens: &mut Tokens, home: Home, into: &mut Vec<Variable>) -> Result<(), ParseError> {
    for declared in declarations(tokens)? {
        let initial = match tokens.take('=')? {
            true => Some(initialiser(tokens, declared.of)?),
            false => (home == Home::Constant || home == Home::Global).then(Vec::new),
        };
        let home = if home == Home::Shared && declared.is_open { Home::DynamicShared } else { home };
        let bytes = declared.bytes as usize;
        into.push(Variable { name: declared.name, home, align: declared.align, bytes, initial });
    }
    tokens.expect(';')
}

fn initialiser(tokens: &mut Tokens, of: Type) -> Result<Vec<u8>, ParseError> {
    let mut bytes = Vec::new();
    let mut depth = 0;
    loop {
        if tokens.take('{')? {
            depth += 1;
        } else if tokens.take('}')? {
            depth -= 1;
        } else if !tokens.take(',')? {
            let negative = tokens.take('-')?;
            let number = tokens.number()?;
            let number = if negative { number.wrapping_neg() } else { number };
            bytes.extend_from_slice(&number.to_le_bytes()[..of.bytes()]);
        }
        if depth == 0 {
            return Ok(bytes);
        }
    }
}

/// Reads `.align 8 .b8 a[16], b[4]` up to `=`, `;`, `)` or, in a list of parameters, `,`.
pub(crate) fn declarations(tokens: &mut Tokens) -> Result<Vec<Declared>, ParseError> {
    let (of, align) = declared_type(tokens)?;
    let mut all = vec![declared_name(tokens, of, align)?];
    while tokens.take(',')? {
        all.push(declared_name(tokens, of, align)?);
    }
    Ok(all)
}

pub(crate) fn declared_type(tokens: &mut Tokens) -> Result<(Type, Option<u32>), ParseError> {
    let (mut align, mut of, mut lanes) = (None, None, 1);
    while let Some(Token::Word(word)) = tokens.peek()? {
        let Some(name) = word.strip_prefix('.') else { break };
        let name = name.to_string();
        tokens.next()?;
        match name.as_str() {
            "align" => align = Some(tokens.number()? as u32),
            "v2" => lanes = 2,
            "v4" => lanes = 4,
            "ptr" | "global" | "const" | "shared" | "local" | "param" | "generic" | "attribute" => {}
            "texref" | "samplerref" | "surfref" => return tokens.fail(format!("`.{name}` is not supported")),
            _ => match Type::parse(&name) {
                Some(known) => of = Some(known),
                None => return tokens.fail(format!("`.{name}` is no type")),
            },
        }
        if tokens.take('(')? {
            while !tokens.take(')')? {
                tokens.next()?;
            }
        }
    }
    match of {
        Some(of) => Ok((Type { lanes: of.lanes * lanes, ..of }, align)),
        None => tokens.fail("a type expected".into()),
    }
}

pub(crate) fn declared_name(tokens: &mut Tokens, of: Type, align: Option<u32>) -> Result<Declared, ParseError> {
    let name = tokens.word()?.to_string();
    let (mut elements, mut is_open, mut count) = (1, false, None);
    if tokens.take('<')? {
        count = Some(tokens.number()? as u32);
        tokens.expect('>')?;
    }
    while tokens.take('[')? {
        if tokens.take(']')? {
            is_open = true;
            continue;
        }
        elements *= tokens.number()? as u32;
        tokens.expect(']')?;
    }
    let bytes = if is_open { 0 } else { elements * of.bytes() as u32 };
    let align = align.unwrap_or(of.bytes() as u32);
    Ok(Declared { name, of, align, bytes, is_open, count })
}

/// Lays declarations out one after another from `offset`, which moves on.
pub(crate) fn place(declared: &Declared, offset: &mut u32) -> Slot {
    let start = align_up(*offset, declared.align);
    *offset = start + declared.bytes;
    Slot { name: declared.name.clone(), offset: start, bytes: declared.bytes, align: declared.align }
}

/// Reads `(.param .b32 a, .param .b32 b)`.
fn parameters(tokens: &mut Tokens, offset: &mut u32) -> Result<Vec<Slot>, ParseError> {
    let mut slots = Vec::new();
    while !tokens.take(')')? {
        let (of, align) = declared_type(tokens)?;
        let declared = declared_name(tokens, of, align)?;
        slots.push(place(&declared, offset));
        tokens.take(',')?;
    }
    Ok(slots)
}

fn function(
    tokens: &mut Tokens,
    is_kernel: bool,
    line: usize,
    shared: &mut Vec<Variable>,
) -> Result<FunctionText, ParseError> {
    let mut function = FunctionText { line, is_kernel, ..FunctionText::default() };
    let mut offset = 0;
    if !is_kernel && tokens.take('(')? {
        function.returns = parameters(tokens, &mut offset)?;
    }
    function.name = tokens.word()?.to_string();
    if tokens.take('(')? {
        function.parameters = parameters(tokens, &mut offset)?;
    }
    function.frame = offset;
    loop {
        if tokens.take(';')? {
            return Ok(function);
        }
        if tokens.take('{')? {
            break;
        }
        performance_directive(tokens, &mut function)?;
    }
    Body::new(function, shared).parse(tokens)
}

fn performance_directive(tokens: &mut Tokens, function: &mut FunctionText) -> Result<(), ParseError> {
    let word = tokens.word()?.to_string();
    if word == ".noreturn" || word == ".explicitcluster" {
        return Ok(());
    }
    if word == ".pragma" {
        return tokens.skip_statement();
    }
    let mut numbers = [1_u32; 3];
    let mut at = 0;
    while let Some(Token::Number(number)) = tokens.peek()? {
        numbers[at.min(2)] = *number as u32;
        at += 1;
        tokens.next()?;
        tokens.take(',')?;
    }
    match word.as_str() {
        ".maxntid" => function.threads = Some((numbers, false)),
        ".reqntid" => function.threads = Some((numbers, true)),
        ".reqnctapercluster" if numbers != [1; 3] => {
            return tokens.fail("clusters of several blocks are not supported".into());
        }
        ".minnctapersm" | ".maxnctapersm" | ".maxnreg" | ".maxclusterrank" | ".reqnctapercluster" => {}
        other => return tokens.fail(format!("`{other}` is no directive of a function")),
    }
    Ok(())
}
