//! Visits every name of a syntax tree: each identifier that is written anywhere but in a `use` line or a weight map.

use archc::syntax::ast::*;

/// What is done with each name.
pub type Each<'e> = dyn FnMut(&mut String) + 'e;

pub fn file(file: &mut File, each: &mut Each<'_>) {
    file.blocks.iter_mut().for_each(|one| block(one, each));
    for model in &mut file.models {
        name(&mut model.name, each);
        body(&mut model.body, each);
    }
}

fn name(name: &mut Name, each: &mut Each<'_>) {
    each(&mut name.text);
}

fn names(names: &mut [Name], each: &mut Each<'_>) {
    names.iter_mut().for_each(|one| name(one, each));
}

fn block(block: &mut Block, each: &mut Each<'_>) {
    name(&mut block.name, each);
    for demand in &mut block.demands {
        name(&mut demand.axis, each);
        demand.like.iter_mut().for_each(|like| name(like, each));
    }
    parameters(&mut block.parameters, &mut block.results, each);
    body(&mut block.body, each);
}

fn parameters(given: &mut [Parameter], results: &mut [ResultItem], each: &mut Each<'_>) {
    for parameter in given {
        match parameter {
            Parameter::Value(value) => entry(value, each),
            Parameter::Net { name: own, parameters: inner, results, .. } => {
                name(own, each);
                parameters(inner, results, each);
            }
        }
    }
    for result in results {
        result.name.iter_mut().for_each(|own| name(own, each));
        names(&mut result.axes, each);
        result.kind.iter_mut().for_each(|kind| name(&mut kind.name, each));
    }
}

fn entry(entry: &mut Entry, each: &mut Each<'_>) {
    target(&mut entry.target, each);
    entry.default.iter_mut().for_each(|default| expression(default, each));
}

fn target(target: &mut Target, each: &mut Each<'_>) {
    name(&mut target.name, each);
    target.axes.iter_mut().for_each(|axes| names(axes, each));
    target.kind.iter_mut().for_each(|kind| name(&mut kind.name, each));
}

fn body(body: &mut Body, each: &mut Each<'_>) {
    body.lines.iter_mut().for_each(|one| line(one, each));
}

fn line(line: &mut Line, each: &mut Each<'_>) {
    match &mut line.kind {
        LineKind::Dim(dims) => dims.iter_mut().for_each(|one| dim(one, each)),
        LineKind::Set(items) => items.iter_mut().for_each(|(own, value)| {
            name(own, each);
            expression(value, each);
        }),
        LineKind::Param { made, .. } => made.iter_mut().for_each(|one| self::made(one, each)),
        LineKind::Input(entries) => entries.iter_mut().for_each(|one| entry(one, each)),
        LineKind::Output(to, value) => {
            target(to, each);
            expression(value, each);
        }
        LineKind::Train(value) | LineKind::Require(value, _) | LineKind::Loss(value) => expression(value, each),
        LineKind::Generate(made) => call(made, each),
        LineKind::Update(own, value) => {
            name(own, each);
            expression(value, each);
        }
        LineKind::Yield(targets, value) | LineKind::Bind(targets, _, value) => {
            targets.iter_mut().for_each(|one| target(one, each));
            expression(value, each);
        }
        LineKind::Return(values) => values.iter_mut().for_each(|value| expression(value, each)),
        LineKind::For(region) => self::region(region, each),
        LineKind::Match(value, arms) => {
            expression(value, each);
            for (arm, lines) in arms {
                pattern(arm, each);
                body(lines, each);
            }
        }
        LineKind::Draw(targets, made) => {
            targets.iter_mut().for_each(|one| target(one, each));
            law(made, each);
        }
    }
}

fn dim(dim: &mut Dim, each: &mut Each<'_>) {
    name(&mut dim.name, each);
    match &mut dim.size {
        DimSize::Sequence => {}
        DimSize::Value(value) => expression(value, each),
        DimSize::Like(other) => name(other, each),
    }
}

fn made(made: &mut Made, each: &mut Each<'_>) {
    name(&mut made.name, each);
    names(&mut made.axes, each);
    made.condition.iter_mut().for_each(|value| expression(value, each));
    match &mut made.start {
        MadeStart::Default => {}
        MadeStart::Value(value) => expression(value, each),
        MadeStart::Draw(drawn) => law(drawn, each),
    }
}

/// Laws are part of the language; what they are given is not.
fn law(law: &mut Law, each: &mut Each<'_>) {
    axis_arguments(&mut law.axes, each);
    arguments(&mut law.arguments, each);
}

fn region(region: &mut For, each: &mut Each<'_>) {
    region.label.iter_mut().for_each(|label| name(&mut label.name, each));
    for count in &mut region.counts {
        name(&mut count.name, each);
        count.turns.iter_mut().for_each(|turns| expression(turns, each));
    }
    let condition = region.reverse.iter_mut().filter_map(|reverse| reverse.condition.as_mut());
    condition.chain(&mut region.until).for_each(|value| expression(value, each));
    body(&mut region.body, each);
}

fn pattern(pattern: &mut Pattern, each: &mut Each<'_>) {
    if let Pattern::Word(word) = pattern {
        name(word, each);
    }
}

fn axes(axes: &mut Axes, each: &mut Each<'_>) {
    match axes {
        Axes::One(axis) => name(axis, each),
        Axes::Group(parts, _) => names(parts, each),
    }
}

fn axis_arguments(arguments: &mut [AxisArgument], each: &mut Each<'_>) {
    for argument in arguments {
        argument.axis.iter_mut().for_each(|axis| name(axis, each));
        axes(&mut argument.given, each);
    }
}

fn arguments(arguments: &mut [Argument], each: &mut Each<'_>) {
    for argument in arguments {
        argument.name.iter_mut().for_each(|own| name(own, each));
        if let ArgumentValue::Value(value) = &mut argument.value {
            expression(value, each);
        }
    }
}

fn call(call: &mut Call, each: &mut Each<'_>) {
    call.label.iter_mut().for_each(|label| name(&mut label.name, each));
    name(&mut call.name, each);
    axis_arguments(&mut call.axes, each);
    arguments(&mut call.arguments, each);
}

pub fn expression(expression: &mut Expr, each: &mut Each<'_>) {
    match &mut expression.kind {
        ExprKind::Integer(_) | ExprKind::Real(_) | ExprKind::Truth(_) | ExprKind::Text(_) => {}
        ExprKind::Name(own) => each(own),
        ExprKind::Size(axis) => name(axis, each),
        ExprKind::List(items) => items.iter_mut().for_each(|item| self::expression(item, each)),
        ExprKind::Unary(_, value) => self::expression(value, each),
        ExprKind::Binary(_, left, right)
        | ExprKind::Where(left, right)
        | ExprKind::Else(left, right)
        | ExprKind::Element(left, right) => {
            self::expression(left, each);
            self::expression(right, each);
        }
        ExprKind::Index(value, places, absent) => index(value, places, absent, each),
        ExprKind::Field(value, own) => {
            self::expression(value, each);
            name(own, each);
        }
        ExprKind::Match(value, arms) => {
            self::expression(value, each);
            for (arm, value) in arms {
                pattern(arm, each);
                self::expression(value, each);
            }
        }
        ExprKind::Call(made) => call(made, each),
    }
}

fn index(value: &mut Expr, places: &mut [Place], absent: &mut Option<Box<Expr>>, each: &mut Each<'_>) {
    expression(value, each);
    for place in places {
        axes(&mut place.axes, each);
        match &mut place.at {
            PlaceValue::Value(at) => expression(at, each),
            PlaceValue::Group(parts, _) => names(parts, each),
        }
    }
    absent.iter_mut().for_each(|absent| expression(absent, each));
}
