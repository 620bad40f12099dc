//! Loop nests: sums in lanes, carried values, look-ups, branches, odd lengths.

use super::compiled::{Compiled, Runs, kernel, manifest, program, size, targets};
use archc::kernel::*;
use archc::link::Block;
use archc::mlir;
use archc::model::Combine;
use archc::target::{Level, Target};
use archc::tensor::Function;
use archc_runtime::abi::{Element, Size};

const I: Index = Index(0);
const J: Index = Index(1);
const K: Index = Index(2);

fn r(number: u32) -> Register {
    Register(number)
}

fn address(buffer: usize, terms: &[(Index, Amount)]) -> Address {
    Address {
        buffer,
        terms: terms.iter().map(|&(index, stride)| (AddressTerm::Index(index), stride)).collect(),
        offset: 0,
    }
}

fn one() -> Amount {
    Amount::Constant(1)
}

fn values(count: usize) -> Vec<f32> {
    (0..count).map(|place| ((place * 37 + 11) % 101) as f32 / 17.0 - 2.5).collect()
}

fn summing(index: Index, extent: Amount, body: Vec<Statement>, next: Register) -> Statement {
    let carried = Carried { register: r(20), initial: r(19), next, combine: Some(Combine::Sum) };
    let (from, to) = (Bound::Amount(Amount::Constant(0)), Bound::Amount(extent));
    Statement::Loop(Box::new(Loop { index, from, to, reverse: false, carried: vec![carried], body, lanes: true }))
}

/// `y[i] = sum over j of x[i, j] · w[j, i]`: one operand in a row each way.
fn row_sums(transposed: bool) -> Kernel {
    let x = if transposed { [(I, one()), (J, size(0))] } else { [(I, size(1)), (J, one())] };
    let body = vec![
        Statement::Load(r(0), address(0, &x)),
        Statement::Call(r(1), Function::Multiply, vec![r(0), r(0)]),
        Statement::Call(r(2), Function::Add, vec![r(20), r(1)]),
    ];
    let body = vec![
        Statement::Number(r(19), 0.5, ScalarType::F32),
        summing(J, size(1), body, r(2)),
        Statement::Store(address(1, &[(I, one())]), r(20)),
    ];
    kernel(
        1,
        1,
        2,
        Form::Nest(Nest { parallel: vec![ParallelLoop { index: I, extent: size(0) }], body, ..Nest::default() }),
    )
}

#[test]
fn sums_over_rows_and_columns_of_odd_lengths_are_right() {
    let cell = Size::Symbol(0).times(Size::Symbol(1));
    for target in targets() {
        for transposed in [false, true] {
            let program = program(row_sums(transposed), &[cell.clone(), Size::Symbol(0)], 1);
            let compiled = Compiled::new(&program, &target);
            for (rows, columns) in [(1, 1), (3, 37), (17, 16), (33, 5), (16, 64), (0, 4), (4, 0)] {
                let x = values(rows * columns);
                let (mut input, mut output) = (Block::of_f32(&x), Block::zeroed(rows * 4));
                compiled.run(&mut [&mut input, &mut output], &[rows as i64, columns as i64]);
                for (row, &sum) in output.to_f32().iter().enumerate() {
                    let cell = |column| if transposed { x[column * rows + row] } else { x[row * columns + column] };
                    let truth = 0.5 + (0..columns).map(|column| cell(column).powi(2)).sum::<f32>();
                    assert!((sum - truth).abs() < 1e-4 * truth.abs(), "{rows}x{columns}: {sum} for {truth}");
                }
            }
        }
    }
}

/// Rows `table[i]` of x where `keep[i]`: a look-up under a branch, over two collapsed loops.
fn look_up() -> Kernel {
    let gathered = Address {
        buffer: 0,
        terms: vec![(AddressTerm::Register(r(0)), size(1)), (AddressTerm::Index(J), one())],
        offset: 0,
    };
    let target = address(3, &[(I, size(1)), (J, one())]);
    let body = vec![
        Statement::Load(r(0), address(1, &[(I, one())])),
        Statement::Load(r(1), address(2, &[(J, one())])),
        Statement::If(r(1), vec![Statement::Load(r(2), gathered), Statement::Add(target, r(2))]),
    ];
    let parallel = vec![ParallelLoop { index: I, extent: size(0) }, ParallelLoop { index: J, extent: size(1) }];
    let buffer = |element, written| KernelBuffer { element, written };
    let buffers = vec![
        buffer(Element::F32, false),
        buffer(Element::I32, false),
        buffer(Element::Bool, false),
        buffer(Element::F32, true),
    ];
    Kernel {
        name: "look up".to_string(),
        buffers,
        sizes: 3,
        form: Form::Nest(Nest { parallel, body, ..Nest::default() }),
    }
}

#[test]
fn a_look_up_under_a_branch_reads_and_adds_only_where_it_holds() {
    let symbol = Size::Symbol;
    let lengths = [symbol(2).times(symbol(1)), symbol(0), symbol(1), symbol(0).times(symbol(1))];
    let (rows, columns, stored) = (7, 21, 5);
    let x = values(stored * columns);
    let table = (0..rows).map(|row| ((row * 3 + 1) % stored) as i32).collect::<Vec<_>>();
    for target in targets() {
        // So much work that every turn is a chunk: borders fall inside rows.
        let compiled = Compiled::new(&program(look_up(), &lengths, i64::MAX / (1 << 20)), &target);
        let mut index = Block::zeroed(rows * 4);
        for (bytes, row) in index.bytes_mut().chunks_exact_mut(4).zip(&table) {
            bytes.copy_from_slice(&row.to_ne_bytes());
        }
        let mut keep = Block::zeroed(columns);
        keep.bytes_mut().iter_mut().enumerate().for_each(|(place, byte)| *byte = u8::from(place % 3 != 1));
        let (mut source, mut output) = (Block::of_f32(&x), Block::of_f32(&vec![1.0; rows * columns]));
        let sizes = [rows as i64, columns as i64, stored as i64];
        compiled.run(&mut [&mut source, &mut index, &mut keep, &mut output], &sizes);
        for (place, value) in output.to_f32().into_iter().enumerate() {
            let (row, column) = (place / columns, place % columns);
            let added = if column % 3 == 1 { 0.0 } else { x[table[row] as usize * columns + column] };
            assert_eq!(value, 1.0 + added, "row {row}, column {column}");
        }
    }
}

/// `y[i, j] = a · y[i, j - 1] + x[i, j]` from the end: carried from turn to turn, never in lanes.
#[test]
fn a_recurrence_runs_in_order_and_from_the_end() {
    let cell = [(I, size(1)), (J, one())];
    let carried = Carried { register: r(20), initial: r(19), next: r(3), combine: None };
    let turn = vec![
        Statement::Load(r(0), address(0, &cell)),
        Statement::Number(r(1), 0.5, ScalarType::F32),
        Statement::Call(r(2), Function::Multiply, vec![r(1), r(20)]),
        Statement::Call(r(3), Function::Add, vec![r(2), r(0)]),
        Statement::Store(address(1, &cell), r(3)),
    ];
    let (from, to) = (Bound::Amount(Amount::Constant(0)), Bound::Amount(size(1)));
    let inner = Loop { index: J, from, to, reverse: true, carried: vec![carried], body: turn, lanes: false };
    let body = vec![Statement::Number(r(19), 0.0, ScalarType::F32), Statement::Loop(Box::new(inner))];
    let parallel = vec![ParallelLoop { index: I, extent: size(0) }];
    let kernel = kernel(1, 1, 2, Form::Nest(Nest { parallel, body, ..Nest::default() }));
    let cells = Size::Symbol(0).times(Size::Symbol(1));
    let (rows, columns) = (19, 9);
    let x = values(rows * columns);
    for target in targets() {
        let compiled = Compiled::new(&program(kernel.clone(), &[cells.clone(), cells.clone()], 1), &target);
        let (mut input, mut output) = (Block::of_f32(&x), Block::zeroed(rows * columns * 4));
        compiled.run(&mut [&mut input, &mut output], &[rows as i64, columns as i64]);
        let y = output.to_f32();
        for row in 0..rows {
            let mut state = 0.0;
            for column in (0..columns).rev() {
                state = 0.5 * state + x[row * columns + column];
                assert_eq!(y[row * columns + column], state);
            }
        }
    }
}

/// `s[j, k] = exp(x[j] · w[k]) · s[j, k]` for so many j and 64 k, in one turn of a parallel loop.
fn fading(turns: i64) -> Kernel {
    let parallel = vec![ParallelLoop { index: I, extent: one() }];
    kernel(2, 1, 0, Form::Nest(Nest { parallel, body: vec![fade(turns)], ..Nest::default() }))
}

fn fade(turns: i64) -> Statement {
    let (rows, k) = ([(J, one())], (K, one()));
    let cell = [(J, Amount::Constant(64)), k];
    let lanes = vec![
        Statement::Load(r(1), address(1, &[k])),
        Statement::Call(r(2), Function::Multiply, vec![r(0), r(1)]),
        Statement::Call(r(3), Function::Exp, vec![r(2)]),
        Statement::Load(r(4), address(2, &cell)),
        Statement::Call(r(5), Function::Multiply, vec![r(3), r(4)]),
        Statement::Store(address(2, &cell), r(5)),
    ];
    each(J, turns, vec![Statement::Load(r(0), address(0, &rows)), each(K, 64, lanes, true)], false)
}

/// `y[l] = sum over m of s[l + ahead, m] · w[m]` for so many l.
fn seen(turns: i64, ahead: i64) -> Vec<Statement> {
    let (l, m) = (Index(3), Index(4));
    let cell = Address { offset: 64 * ahead, ..address(2, &[(l, Amount::Constant(64)), (m, one())]) };
    let terms = vec![
        Statement::Load(r(10), cell),
        Statement::Load(r(11), address(1, &[(m, one())])),
        Statement::Call(r(12), Function::Multiply, vec![r(10), r(11)]),
        Statement::Call(r(13), Function::Add, vec![r(20), r(12)]),
    ];
    let body = vec![summing(m, Amount::Constant(64), terms, r(13)), Statement::Store(address(3, &[(l, one())]), r(20))];
    vec![Statement::Number(r(19), 0.0, ScalarType::F32), each(l, turns, body, true)]
}

fn each(index: Index, turns: i64, body: Vec<Statement>, lanes: bool) -> Statement {
    let [from, to] = [0, turns].map(|end| Bound::Amount(Amount::Constant(end)));
    Statement::Loop(Box::new(Loop { index, from, to, reverse: false, carried: Vec::new(), body, lanes }))
}

#[test]
fn two_turns_together_give_each_what_it_gives_alone() {
    let (x, w, s) = (values(6), values(64), values(6 * 64));
    for target in targets() {
        let [six, five] = [6, 5].map(|turns| {
            let lengths = [6, 64, 6 * 64].map(Size::Constant);
            let compiled = Compiled::new(&program(fading(turns), &lengths, 1), &target);
            let [mut x, mut w, mut s] = [&x, &w, &s].map(|numbers| Block::of_f32(numbers));
            compiled.run(&mut [&mut x, &mut w, &mut s], &[]);
            s.to_f32()
        });
        // Five turns are no pairs, so they run one by one.
        assert_eq!(six[..5 * 64], five[..5 * 64]);
        assert_eq!(five[5 * 64..], s[5 * 64..]);
        for (place, value) in six.iter().enumerate() {
            let truth = (x[place / 64] * w[place % 64]).exp() * s[place];
            assert!((value - truth).abs() <= 1e-5 * truth.abs(), "{place}: {value} for {truth}");
        }
    }
}

/// By what the turns of a chunk of the first parallel loop are a multiple.
fn group(text: &str) -> i64 {
    let (before, call) = text.split_once("llvm.call %").expect("a loop runs in chunks");
    let last = |line: &str| Some(line.split([')', ':']).next()?.trim_end().rsplit_once(", ")?.1.to_owned());
    // Numbers of values begin anew in every function.
    let definition = |name: &str| {
        let mut lines = before.lines().rev().map(str::trim);
        lines.find_map(|line| line.strip_prefix(&format!("{name} = ")).map(str::to_owned))
    };
    let grain = last(call).expect("a call has operands");
    let factor = definition(&grain).and_then(|line| last(&line)).expect("a grain is a product");
    let constant = definition(&factor).expect("groups are known");
    let number = constant.strip_prefix("arith.constant ").and_then(|line| line.split(' ').next());
    number.and_then(|number| number.parse().ok()).expect("groups are numbers")
}

#[test]
fn chunks_are_whole_vectors_where_turns_run_side_by_side() {
    let target = Target::of(Level::Avx2);
    let [columns, rows] = [true, false].map(|transposed| {
        let program = program(row_sums(transposed), &vec![Size::Constant(0); 2], 1 << 40);
        group(&mlir::write(&[&program], &manifest(), &target))
    });
    assert_eq!([columns, rows], [target.lanes as i64, 1]);
}

#[test]
fn turns_run_together_in_pairs_where_they_compute_elementary_functions() {
    let target = Target::of(Level::Avx2);
    let [six, five] = [6, 5]
        .map(|turns| mlir::write(&[&program(fading(turns), &vec![Size::Constant(0); 3], 1)], &manifest(), &target));
    let twice = format!("vector<{}xf32>", 2 * target.lanes);
    assert!(six.contains(&twice) && !five.contains(&twice));
}

/// What fades, and what is seen of it, so many turns of it further on.
fn fading_and_seen(turns: i64, ahead: i64) -> Nest {
    let body = [vec![fade(turns)], seen(turns, ahead)].concat();
    Nest { parallel: vec![ParallelLoop { index: I, extent: one() }], body, ..Nest::default() }
}

#[test]
fn sums_of_two_turns_together_are_those_of_each_alone() {
    let (x, w, s) = (values(6), values(64), values(6 * 64));
    for target in targets() {
        let [six, five] = [6, 5].map(|turns| {
            let lengths = [6, 64, 6 * 64, 6].map(Size::Constant);
            let kernel = kernel(2, 2, 0, Form::Nest(fading_and_seen(turns, 0)));
            let compiled = Compiled::new(&program(kernel, &lengths, 1), &target);
            let [mut x, mut w, mut s, mut y] = [&x[..], &w, &s, &[0.0; 6]].map(Block::of_f32);
            compiled.run(&mut [&mut x, &mut w, &mut s, &mut y], &[]);
            (s.to_f32(), y.to_f32())
        });
        assert_eq!(six.1[..5], five.1[..5]);
        assert_eq!(five.1[5], 0.0);
        for (turn, value) in six.1.iter().enumerate() {
            let terms = (0..64).map(|place| f64::from(six.0[turn * 64 + place]) * f64::from(w[place]));
            let (truth, size) = terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()));
            assert!((f64::from(*value) - truth).abs() <= 1e-6 * size, "{turn}: {value} for {truth}");
        }
    }
}

#[test]
fn neighbouring_loops_are_joined_where_no_turn_reads_what_another_writes() {
    let loops = |ahead| {
        let body = joined(&fading_and_seen(5, ahead), 16).body;
        body.iter().filter(|statement| matches!(statement, Statement::Loop(_))).count()
    };
    assert_eq!((loops(0), loops(1)), (1, 2));
}

/// Two rows of what fades, of which the second keeps what it is: `s[i, j, k] = i < 1 ? exp(…) · s[i, j, k] : s[i, j, k]`.
fn fading_in_the_first_row() -> Kernel {
    let Statement::Loop(mut rows) = fade(6) else { unreachable!() };
    let Some(Statement::Loop(lanes)) = rows.body.last_mut() else { unreachable!() };
    for statement in &mut lanes.body {
        if let Statement::Load(_, address) | Statement::Store(address, _) = statement
            && address.buffer == 2
        {
            address.terms.push((AddressTerm::Index(I), Amount::Constant(6 * 64)));
        }
    }
    let Some(Statement::Store(_, kept)) = lanes.body.last_mut() else { unreachable!() };
    *kept = r(6);
    lanes.body.insert(5, Statement::Call(r(6), Function::Select, vec![r(32), r(5), r(4)]));
    let body = vec![
        Statement::Number(r(30), 1.0, ScalarType::Int),
        Statement::Count(r(31), CountSource::Index(I)),
        Statement::Call(r(32), Function::Less, vec![r(31), r(30)]),
        Statement::Loop(rows),
    ];
    let parallel = vec![ParallelLoop { index: I, extent: Amount::Constant(2) }];
    kernel(2, 1, 0, Form::Nest(Nest { parallel, body, ..Nest::default() }))
}

#[test]
fn a_choice_that_all_turns_share_is_made_as_each_would_make_it() {
    let (x, w, s) = (values(6), values(64), values(2 * 6 * 64));
    for target in targets() {
        let run = |kernel: Kernel, rows: i64| {
            let lengths = [6, 64, 2 * 6 * 64].map(Size::Constant);
            let compiled = Compiled::new(&program(kernel, &lengths, rows), &target);
            let [mut x, mut w, mut s] = [&x, &w, &s].map(|numbers| Block::of_f32(numbers));
            compiled.run(&mut [&mut x, &mut w, &mut s], &[]);
            s.to_f32()
        };
        let (both, first) = (run(fading_in_the_first_row(), 2), run(fading(6), 1));
        assert_eq!(both[..6 * 64], first[..6 * 64]);
        assert_eq!(both[6 * 64..], s[6 * 64..]);
    }
}

#[test]
fn a_sum_of_a_product_is_rounded_once_where_the_nest_says_so_and_the_machine_can() {
    let (x, w) = (values(37), values(41)[4..].to_vec());
    let body = vec![
        Statement::Load(r(0), address(0, &[(I, one())])),
        Statement::Load(r(1), address(1, &[(I, one())])),
        Statement::Call(r(2), Function::Multiply, vec![r(0), r(0)]),
        Statement::Call(r(3), Function::Add, vec![r(1), r(2)]),
        Statement::Store(address(2, &[(I, one())]), r(3)),
    ];
    for (target, fused) in targets().into_iter().flat_map(|target| [(target.clone(), false), (target, true)]) {
        let parallel = vec![ParallelLoop { index: I, extent: Amount::Constant(37) }];
        let kernel = kernel(2, 1, 0, Form::Nest(Nest { parallel, body: body.clone(), fused, ..Nest::default() }));
        let compiled = Compiled::new(&program(kernel, &[37; 3].map(Size::Constant), 37), &target);
        let [mut x_block, mut w_block, mut y] = [&x[..], &w, &[0.0; 37]].map(Block::of_f32);
        compiled.run(&mut [&mut x_block, &mut w_block, &mut y], &[]);
        let once = fused && target.fused();
        let truth = x.iter().zip(&w).map(|(x, w)| if once { x.mul_add(*x, *w) } else { x * x + w });
        assert_eq!(y.to_f32(), truth.collect::<Vec<_>>(), "{target:?} {fused}");
    }
}
