//! `match`: always decided while compiling. What differs between turns of a `for` splits its turns.

use super::{Answer, Elaborator, Fail};
use crate::diagnostics::Diagnostic;
use crate::diagnostics::codes::*;
use crate::model::declarations::Setting;
use crate::model::scope::Operand;
use crate::model::settings::{self, Known};
use crate::syntax::ast::{Expr, Pattern};

impl Elaborator<'_> {
    /// The arm that a `match` takes.
    pub fn decide(&mut self, scrutinee: &Expr, patterns: &[Pattern]) -> Answer<usize> {
        let operand = self.evaluate(scrutinee)?;
        let Operand::Known(known) = operand else {
            return Err(self.fault_with(
                E0406,
                "`match` is decided while compiling",
                (scrutinee.span, "known only when the program runs".into()),
                "choose at run time with `a where condition else b`",
            ));
        };
        match &known {
            Known::One(setting) => self.arm_of(setting, scrutinee, patterns),
            Known::Turns(axis, values) => {
                let mut groups: Vec<Vec<usize>> = vec![Vec::new(); patterns.len()];
                for turn in 0..values.len() {
                    if let Some(setting) = settings::at(&known, turn) {
                        let arm = self.arm_of(&setting, scrutinee, patterns)?;
                        groups[arm].push(turn);
                    }
                }
                let taken = groups.iter().enumerate().filter(|(_, turns)| !turns.is_empty()).collect::<Vec<_>>();
                if let [(arm, _)] = taken.as_slice() {
                    return Ok(*arm);
                }
                // In the order of their first turns: the order of arms means nothing.
                let mut parts = taken.into_iter().map(|(_, turns)| turns.clone()).collect::<Vec<_>>();
                parts.sort_unstable();
                Err(Fail::Split(*axis, parts))
            }
        }
    }

    fn arm_of(&mut self, setting: &Setting, scrutinee: &Expr, patterns: &[Pattern]) -> Answer<usize> {
        if let Some(arm) = patterns.iter().position(|pattern| fits(pattern, setting)) {
            return Ok(arm);
        }
        let text = setting.text();
        let words = patterns.iter().map(show);
        let help = crate::model::spelling::hint(&text, words);
        Err(self.report(
            Diagnostic::new(E0407, format!("no arm of this `match` is for `{text}`"))
                .label(scrutinee.span, format!("is `{text}` here"))
                .help(help),
        ))
    }
}

/// Whether a pattern is for a setting.
fn fits(pattern: &Pattern, setting: &Setting) -> bool {
    match (pattern, setting) {
        (Pattern::Any(_), _) => true,
        (Pattern::Number(number, _), Setting::Integer(_) | Setting::Real(_)) => setting.number() == Some(*number),
        (Pattern::Word(word), Setting::Word(text) | Setting::Text(text)) => word.text == *text,
        (Pattern::Truth(holds, _), Setting::Truth(is)) => holds == is,
        _ => false,
    }
}

/// A pattern as it is written.
fn show(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Any(_) => "_".into(),
        Pattern::Number(number, _) => number.to_string(),
        Pattern::Word(word) => word.text.clone(),
        Pattern::Truth(holds, _) => holds.to_string(),
    }
}
