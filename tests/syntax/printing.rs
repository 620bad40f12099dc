//! Printing a tree and reading it again gives the same tree.

use super::{arch_files, fixtures, read, shape};
use archc::source::{FileId, Span};
use archc::syntax::ast::*;
use archc::syntax::print;
use proptest::prelude::*;

#[test]
fn every_fixture_and_every_shipped_file_survives_print_and_parse() {
    for (path, text) in [fixtures(), arch_files("stdlib"), arch_files("examples")].concat() {
        let tree = read(&text).0;
        let printed = print(&tree);
        let (again, messages) = read(&printed);
        assert_eq!(messages, Vec::<String>::new(), "{}:\n{printed}", path.display());
        assert_eq!(shape(&again), shape(&tree), "{}:\n{printed}", path.display());
        assert_eq!(print(&again), printed, "{}", path.display());
    }
}

#[test]
fn the_printed_form_is_readable() {
    let text =
        "block f(x[t,d])->[t,d]{for i in 3{x+=(a+b)*-c^2 where t>0 else(1 else 2);match i{0=>{x=1},_=>{}}}return x}";
    insta::assert_snapshot!(print(&read(text).0));
}

const NOWHERE: Span = Span { file: FileId(0), start: 0, end: 0 };

fn name(text: &str) -> Name {
    Name { text: text.to_string(), span: NOWHERE }
}

fn expr(kind: ExprKind) -> Expr {
    Expr { kind, span: NOWHERE }
}

fn leaf() -> impl Strategy<Value = Expr> {
    let kinds = prop_oneof![
        (0..1000i64).prop_map(ExprKind::Integer),
        (0.0..1e9f64).prop_map(ExprKind::Real),
        any::<bool>().prop_map(ExprKind::Truth),
        "[a-c]".prop_map(ExprKind::Name),
        Just(ExprKind::Size(name("d"))),
    ];
    kinds.prop_map(expr)
}

fn operator() -> impl Strategy<Value = Binary> {
    use Binary::*;
    proptest::sample::select(vec![
        Or,
        And,
        Equal,
        NotEqual,
        Less,
        LessEqual,
        Greater,
        GreaterEqual,
        In,
        Add,
        Subtract,
        Multiply,
        Divide,
        FloorDivide,
        Remainder,
        Power,
    ])
}

fn call(argument: Expr, label: bool) -> ExprKind {
    let label = label.then(|| Label { name: name("l"), shared: false });
    let axes = vec![AxisArgument { axis: Some(name("k")), given: Axes::Group(vec![name("p"), name("i")], NOWHERE) }];
    let argument = Argument { name: None, value: ArgumentValue::Value(argument) };
    ExprKind::Call(Call { label, name: name("f"), axes, arguments: vec![argument], span: NOWHERE })
}

fn place(at: Expr) -> Place {
    Place { axes: Axes::One(name("t")), at: PlaceValue::Value(at) }
}

fn expression() -> impl Strategy<Value = Expr> {
    leaf().prop_recursive(6, 60, 3, |inner| {
        let one = || inner.clone().prop_map(Box::new);
        let kinds = prop_oneof![
            4 => (operator(), one(), one()).prop_map(|(operator, a, b)| ExprKind::Binary(operator, a, b)),
            1 => one().prop_map(|a| ExprKind::Unary(Unary::Negate, a)),
            1 => one().prop_map(|a| ExprKind::Unary(Unary::Not, a)),
            1 => (one(), one()).prop_map(|(a, b)| ExprKind::Where(a, b)),
            1 => (one(), one()).prop_map(|(a, b)| ExprKind::Else(a, b)),
            1 => (one(), one()).prop_map(|(a, b)| ExprKind::Element(a, b)),
            1 => (one(), one(), proptest::option::of(one())).prop_map(|(a, b, c)| ExprKind::Index(a, vec![place(*b)], c)),
            1 => one().prop_map(|a| ExprKind::Field(a, name("g"))),
            1 => (one(), any::<bool>()).prop_map(|(a, label)| call(*a, label)),
            1 => proptest::collection::vec(inner.clone(), 0..3).prop_map(ExprKind::List),
            1 => (one(), one()).prop_map(|(a, b)| ExprKind::Match(a, vec![(Pattern::Truth(true, NOWHERE), *b)])),
        ];
        kinds.prop_map(expr)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_expression_survives_print_and_parse(value in expression()) {
        let target = Target { name: name("y"), axes: None, kind: None, span: NOWHERE };
        let line = Line { kind: LineKind::Bind(vec![target], Assign::Set, value), span: NOWHERE };
        let body = Body { lines: vec![line], span: NOWHERE };
        let block = Block { name: name("b"), demands: vec![], parameters: vec![], results: vec![], body, head: NOWHERE };
        let tree = File { blocks: vec![block], ..File::default() };
        let printed = print(&tree);
        let (again, messages) = read(&printed);
        prop_assert_eq!(messages, Vec::<String>::new(), "{}", printed);
        prop_assert_eq!(shape(&again), shape(&tree), "{}", printed);
    }
}
