//! Compile-time values: arithmetic on [`Setting`]s and values that differ from turn to turn.
//!
//! Whole numbers stay whole as long as the result is: `12 / 4` is 3, `12 / 5` is 2.4.

use super::Setting;
use crate::syntax::ast::Binary;
use crate::tensor::{AxisId, Function};
use std::rc::Rc;

/// A value known while the program is checked.
#[derive(Debug, Clone, PartialEq)]
pub enum Known {
    /// The same everywhere.
    One(Setting),
    /// One for each turn of a `for` over a count; absent for turns that are not being looked at.
    Turns(AxisId, Rc<Vec<Option<Setting>>>),
}

impl Known {
    /// A whole number.
    pub fn integer(number: i64) -> Known {
        Known::One(Setting::Integer(number))
    }

    /// The value, if it is the same in every turn.
    pub fn uniform(&self) -> Option<&Setting> {
        match self {
            Known::One(setting) => Some(setting),
            Known::Turns(_, values) => {
                let first = values.iter().flatten().next()?;
                values.iter().flatten().all(|value| value == first).then_some(first)
            }
        }
    }
}

impl Setting {
    /// The number, truths counting as 0 and 1.
    pub fn number(&self) -> Option<f64> {
        match self {
            Setting::Integer(number) => Some(*number as f64),
            Setting::Real(number) => Some(*number),
            Setting::Truth(holds) => Some(f64::from(u8::from(*holds))),
            _ => None,
        }
    }

    /// The number, if it is whole.
    pub fn whole(&self) -> Option<i64> {
        match self {
            Setting::Integer(number) => Some(*number),
            Setting::Truth(holds) => Some(i64::from(*holds)),
            Setting::Real(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some(*number as i64),
            _ => None,
        }
    }

    /// As a source would write it.
    pub fn text(&self) -> String {
        match self {
            Setting::Integer(number) => number.to_string(),
            Setting::Real(number) if number.is_infinite() => if *number > 0.0 { "inf" } else { "-inf" }.into(),
            Setting::Real(number) => format!("{number:?}"),
            Setting::Truth(holds) => holds.to_string(),
            Setting::Word(word) => word.clone(),
            Setting::Text(text) => format!("\"{text}\""),
            Setting::List(items) => {
                format!("[{}]", items.iter().map(Setting::text).collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// What kind of thing it is, for messages.
    pub fn describe(&self) -> &'static str {
        match self {
            Setting::Integer(_) | Setting::Real(_) => "a number",
            Setting::Truth(_) => "a bool",
            Setting::Word(_) => "a word",
            Setting::Text(_) => "a text",
            Setting::List(_) => "a list",
        }
    }

    /// The setting that a number is: whole where it is whole and `whole` says that it should be.
    fn of_number(number: f64, whole: bool) -> Setting {
        if whole && number.fract() == 0.0 && number.abs() < 9e15 {
            Setting::Integer(number as i64)
        } else {
            Setting::Real(number)
        }
    }
}

/// Whether two settings are equal, numbers by value.
pub fn same(left: &Setting, right: &Setting) -> bool {
    match (left.number(), right.number()) {
        (Some(left), Some(right)) => left == right,
        (None, None) => left == right,
        _ => false,
    }
}

/// A function of compile-time values, or what is wrong with its arguments.
pub fn apply(function: Function, arguments: &[Setting]) -> Result<Setting, String> {
    use Function::*;
    if matches!(function, Equal | NotEqual) {
        let equal = same(&arguments[0], &arguments[1]);
        return Ok(Setting::Truth(equal == (function == Equal)));
    }
    if let (Multiply, [Setting::List(items), Setting::Integer(times)]) = (function, arguments) {
        let times = usize::try_from(*times).unwrap_or(0);
        return Ok(Setting::List(std::iter::repeat_n(items.iter().cloned(), times).flatten().collect()));
    }
    if let (Add, [Setting::List(first), Setting::List(second)]) = (function, arguments) {
        return Ok(Setting::List(first.iter().chain(second).cloned().collect()));
    }
    let mut numbers = Vec::with_capacity(arguments.len());
    for argument in arguments {
        match argument.number() {
            Some(number) => numbers.push(number),
            None => return Err(format!("`{}` is {}, not a number", argument.text(), argument.describe())),
        }
    }
    let whole = arguments.iter().all(|argument| !matches!(argument, Setting::Real(_)));
    let by_zero = numbers.get(1) == Some(&0.0);
    match function {
        FloorDivide | Remainder if by_zero => Err("division by zero".into()),
        Less | LessEqual | And | Or | Not => Ok(Setting::Truth(function.apply(&numbers) != 0.0)),
        Floor => Ok(Setting::of_number(function.apply(&numbers), true)),
        Add | Subtract | Multiply | Divide | FloorDivide | Remainder | Minimum | Maximum | Negate | Absolute | Sign
        | Power => Ok(Setting::of_number(function.apply(&numbers), whole)),
        _ => Ok(Setting::Real(function.apply(&numbers))),
    }
}

/// The same over values that may differ from turn to turn.
pub fn apply_known(function: Function, arguments: &[Known]) -> Result<Known, String> {
    let Some((axis, count)) = turns(arguments)? else {
        let plain = arguments.iter().map(|known| at(known, 0).expect("no turns")).collect::<Vec<_>>();
        return Ok(Known::One(apply(function, &plain)?));
    };
    let mut values = Vec::with_capacity(count);
    for turn in 0..count {
        let plain = arguments.iter().map(|known| at(known, turn)).collect::<Option<Vec<_>>>();
        values.push(plain.map(|plain| apply(function, &plain)).transpose()?);
    }
    Ok(Known::Turns(axis, Rc::new(values)))
}

/// The axis and number of turns that some values differ over.
fn turns(arguments: &[Known]) -> Result<Option<(AxisId, usize)>, String> {
    let mut found = None;
    for argument in arguments {
        if let Known::Turns(axis, values) = argument {
            match found {
                Some((known, _)) if known != *axis => return Err("it differs over the turns of two `for`s".into()),
                _ => found = Some((*axis, values.len())),
            }
        }
    }
    Ok(found)
}

/// The value in one turn.
pub fn at(known: &Known, turn: usize) -> Option<Setting> {
    match known {
        Known::One(setting) => Some(setting.clone()),
        Known::Turns(_, values) => values.get(turn).cloned().flatten(),
    }
}

/// The item of a list at an index.
pub fn element(list: &Known, index: &Known) -> Result<Known, String> {
    let pick = |list: &Setting, index: &Setting| -> Result<Setting, String> {
        let Setting::List(items) = list else {
            return Err(format!("`{}` is {}, not a list", list.text(), list.describe()));
        };
        let place = index.whole().ok_or_else(|| format!("`{}` is not a place in a list", index.text()))?;
        let found = usize::try_from(place).ok().and_then(|place| items.get(place));
        found.cloned().ok_or_else(|| format!("the list has {} items, and there is none at {place}", items.len()))
    };
    match (list, index) {
        (Known::One(list), Known::One(index)) => Ok(Known::One(pick(list, index)?)),
        (Known::One(list), Known::Turns(axis, places)) => {
            let picked = places.iter().map(|place| place.as_ref().map(|place| pick(list, place)).transpose());
            Ok(Known::Turns(*axis, Rc::new(picked.collect::<Result<_, _>>()?)))
        }
        _ => Err("a list that differs from turn to turn cannot be indexed".into()),
    }
}

/// The function of an infix operator, and whether it takes its sides the other way round; nothing for `in`.
pub fn function_of(operator: Binary) -> Option<(Function, bool)> {
    use Function::*;
    Some(match operator {
        Binary::In => return None,
        Binary::Or => (Or, false),
        Binary::And => (And, false),
        Binary::Equal => (Equal, false),
        Binary::NotEqual => (NotEqual, false),
        Binary::Less => (Less, false),
        Binary::LessEqual => (LessEqual, false),
        Binary::Greater => (Less, true),
        Binary::GreaterEqual => (LessEqual, true),
        Binary::Add => (Add, false),
        Binary::Subtract => (Subtract, false),
        Binary::Multiply => (Multiply, false),
        Binary::Divide => (Divide, false),
        Binary::FloorDivide => (FloorDivide, false),
        Binary::Remainder => (Remainder, false),
        Binary::Power => (Power, false),
    })
}
