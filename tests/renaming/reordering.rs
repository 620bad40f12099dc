//! Puts in another order what has no order: blocks of a file, settings that do not read each other, named arguments,
//! and arms with patterns of their own.

use super::names;
use archc::syntax::ast::*;

pub fn file(file: &mut File) {
    file.blocks.reverse();
    for block in &mut file.blocks {
        body(&mut block.body);
    }
    file.models.iter_mut().for_each(|model| body(&mut model.body));
}

fn body(body: &mut Body) {
    body.lines.iter_mut().for_each(line);
}

fn line(line: &mut Line) {
    match &mut line.kind {
        LineKind::Set(items) if independent(items) => items.reverse(),
        LineKind::For(region) => body(&mut region.body),
        LineKind::Match(_, arms) => {
            arms.iter_mut().for_each(|(_, lines)| body(lines));
            if arms.iter().all(|(pattern, _)| !matches!(pattern, Pattern::Any(_))) {
                arms.reverse();
            }
        }
        LineKind::Bind(_, _, value) | LineKind::Output(_, value) | LineKind::Yield(_, value) => expression(value),
        LineKind::Return(values) => values.iter_mut().for_each(expression),
        _ => {}
    }
}

/// Whether no setting of a line reads another one.
fn independent(items: &[(Name, Expr)]) -> bool {
    let own = items.iter().map(|(name, _)| name.text.clone()).collect::<Vec<_>>();
    let mut free = true;
    for (_, value) in items {
        names::expression(&mut value.clone(), &mut |name| free &= !own.contains(name));
    }
    free
}

/// Reverses the named arguments of the calls of an expression, those of settings and sizes.
fn expression(expression: &mut Expr) {
    match &mut expression.kind {
        ExprKind::Call(call) => {
            let named = call.arguments.iter().position(|argument| argument.name.is_some());
            let named = named.unwrap_or(call.arguments.len());
            call.arguments[named..].reverse();
            for argument in &mut call.arguments {
                if let ArgumentValue::Value(value) = &mut argument.value {
                    self::expression(value);
                }
            }
        }
        ExprKind::Binary(_, left, right) | ExprKind::Where(left, right) | ExprKind::Else(left, right) => {
            self::expression(left);
            self::expression(right);
        }
        ExprKind::Unary(_, value) | ExprKind::Index(value, ..) => self::expression(value),
        ExprKind::Match(_, arms) if arms.iter().all(|(pattern, _)| !matches!(pattern, Pattern::Any(_))) => {
            arms.iter_mut().for_each(|(_, value)| self::expression(value));
            arms.reverse();
        }
        _ => {}
    }
}
