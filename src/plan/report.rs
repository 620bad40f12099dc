//! What a program keeps in memory, by who owns it, as formulas of its run-time sizes.
//!
//! In: a [`Program`]. Out: bytes for each role. Temporaries share one arena: their figure is the largest sum of those
//! that live at one step, given the sizes of a call.

use super::program::Program;
use archc_runtime::abi::{BufferInfo, Role, Size};

/// Bytes of one role.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// `parameter`, `state`, `packed`, `input`, `output`, `gradient`, `update` or `temporary`.
    pub role: &'static str,
    /// The sum over all buffers of the role.
    pub bytes: Size,
}

/// Bytes by role, in a fixed order; roles without a buffer are left out.
pub fn shares(program: &Program) -> Vec<Share> {
    let roles = ["parameter", "packed", "state", "input", "output", "gradient", "update", "temporary"];
    let of_role = |role: &'static str| {
        let mut buffers = program.buffers.iter().filter(|buffer| role_name(&buffer.role) == role).peekable();
        buffers.peek()?;
        Some(Share { role, bytes: sum(buffers.map(bytes_of)) })
    };
    roles.into_iter().filter_map(of_role).collect()
}

/// The bytes of all temporaries that live at the fullest step of a call with these sizes.
pub fn peak(program: &Program, symbols: &[i64]) -> i64 {
    let lives = program.buffers.iter().filter_map(|buffer| match buffer.role {
        Role::Temporary { first, last } => Some((first, last, bytes_of(buffer).evaluate(symbols))),
        _ => None,
    });
    let lives = lives.collect::<Vec<_>>();
    let at = |step: usize| {
        let alive = lives.iter().filter(|(first, last, _)| (*first..=*last).contains(&step));
        alive.map(|(.., bytes)| bytes).sum()
    };
    lives.iter().map(|(first, ..)| at(*first)).max().unwrap_or(0)
}

/// A size as a formula, with the names of a program's symbols.
pub fn formula(size: &Size, symbols: &[String]) -> String {
    let list =
        |sizes: &[Size], sign: &str| sizes.iter().map(|one| formula(one, symbols)).collect::<Vec<_>>().join(sign);
    match size {
        Size::Constant(number) => number.to_string(),
        Size::Symbol(place) => symbols.get(*place).cloned().unwrap_or_else(|| format!("turn{}", place - symbols.len())),
        Size::Sum(terms) => list(terms, " + "),
        Size::Product(factors) => {
            let bracket = |factor: &Size| match factor {
                Size::Sum(_) => format!("({})", formula(factor, symbols)),
                _ => formula(factor, symbols),
            };
            factors.iter().map(bracket).collect::<Vec<_>>().join("·")
        }
        Size::CeilDivide(over, under) => format!("ceil({} / {})", formula(over, symbols), formula(under, symbols)),
        Size::Max(left, right) => format!("max({}, {})", formula(left, symbols), formula(right, symbols)),
        Size::Min(left, right) => format!("min({}, {})", formula(left, symbols), formula(right, symbols)),
    }
}

fn bytes_of(buffer: &BufferInfo) -> Size {
    let bytes = Size::Constant(buffer.element.bytes() as i64);
    buffer.shape.iter().fold(bytes, |product, extent| multiplied(product, extent.clone()))
}

/// A product with one constant factor, in front.
fn multiplied(left: Size, right: Size) -> Size {
    let (mut constant, mut others) = (1, Vec::new());
    let mut open = vec![right, left];
    while let Some(size) = open.pop() {
        match size {
            Size::Product(factors) => open.extend(factors.into_iter().rev()),
            size => match size.constant() {
                Some(number) => constant *= number,
                None => others.push(size),
            },
        }
    }
    others.sort();
    if constant == 0 || others.is_empty() {
        return Size::Constant(constant);
    }
    if constant != 1 {
        others.insert(0, Size::Constant(constant));
    }
    if others.len() == 1 { others.remove(0) } else { Size::Product(others) }
}

/// The sum of products, with terms of the same symbols put together.
pub(super) fn total(products: Vec<Size>) -> Size {
    sum(products.into_iter().map(|product| multiplied(Size::Constant(1), product)))
}

/// The sum with terms of the same symbols put together.
fn sum(parts: impl Iterator<Item = Size>) -> Size {
    let mut terms: Vec<(Vec<Size>, i64)> = Vec::new();
    for part in parts {
        let (constant, others) = match part {
            Size::Constant(number) => (number, Vec::new()),
            Size::Product(mut factors) => match factors[0].constant() {
                Some(number) => (number, factors.split_off(1)),
                None => (1, factors),
            },
            other => (1, vec![other]),
        };
        match terms.iter_mut().find(|(known, _)| *known == others) {
            Some((_, known)) => *known += constant,
            None => terms.push((others, constant)),
        }
    }
    terms.sort();
    let sizes = terms.into_iter().map(|(others, constant)| {
        others.into_iter().fold(Size::Constant(constant), |product, other| product.times(other))
    });
    sizes.reduce(Size::plus).unwrap_or(Size::Constant(0))
}

fn role_name(role: &Role) -> &'static str {
    match role {
        Role::Parameter => "parameter",
        Role::Input => "input",
        Role::Output => "output",
        Role::Gradient => "gradient",
        Role::Update => "update",
        Role::State => "state",
        Role::Packed => "packed",
        Role::Temporary { .. } => "temporary",
    }
}
