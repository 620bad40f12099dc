//! A hand-made compiled model: the score of a next token is the mean row of a table over all tokens so far.
#![expect(unsafe_code, reason = "compiled programs are functions behind addresses; these stand in for them")]

use archc_runtime::abi::{
    BufferInfo, Element, Frame, GenerateInfo, Manifest, ParameterInfo, ProgramFunction, ProgramInfo, Role, Size, Start,
    WeightPart, WeightSource, names,
};
use archc_runtime::model::{Code, Loaded};
use archc_runtime::random::Stream;

/// The number of tokens.
pub const VOCABULARY: usize = 256;
const V: i64 = VOCABULARY as i64;
/// The setting of the sampler: how much noise is added to scores before the best is taken.
pub const NOISE: &str = "temperature";

/// The compiled code.
pub fn code() -> Code {
    let functions: Vec<ProgramFunction> = vec![train, evaluate, forward, step, turn, require];
    // SAFETY: each function touches what `manifest` lists for it, and nothing else.
    unsafe { Code::new(manifest(), functions, None) }.unwrap()
}

/// The model in memory, its table drawn with the given seed.
pub fn model(threads: usize, seed: u64) -> Loaded {
    let mut model = Loaded::new(code(), threads).unwrap();
    model.initialize(seed).unwrap();
    model
}

/// What the model says about itself.
pub fn manifest() -> Manifest {
    let table = ParameterInfo {
        path: "scores.table".into(),
        axes: vec!["u".into(), "v".into()],
        shape: vec![V, V],
        start: Start::Normal { mean: 0.0, deviation: 0.02 },
        trained: true,
        turns: vec![],
    };
    Manifest {
        model: "Bag".into(),
        compiler: "by hand".into(),
        features: vec![],
        parameters: vec![table],
        programs: [programs_of_rows(), programs_of_turns()].concat(),
        generate: Some(GenerateInfo {
            block: "noisy".into(),
            settings: vec![("new".into(), 128.0), (NOISE.into(), 0.0)],
            start: None,
            input: "ids".into(),
            output: "ids".into(),
            requirements: vec!["`temperature` is 0 or more".into()],
        }),
        weights: published(),
        ignored: vec!["*.inv_freq".into()],
        longest: None,
        vocabulary: Some(V),
    }
}

/// A program that reads the table.
fn program(name: &str, sizes: &[&str], mut buffers: Vec<BufferInfo>) -> ProgramInfo {
    buffers.insert(0, buffer("scores.table", Role::Parameter, Element::F32, vec![V.into(), V.into()]));
    ProgramInfo {
        name: name.into(),
        sizes: sizes.iter().map(|size| (*size).to_owned()).collect(),
        buffers,
        limits: vec![],
        multiply_adds: if sizes.is_empty() { 0.into() } else { Size::Symbol(1).times(V.into()) },
        aside: Size::Constant(0),
        elementwise: Size::Constant(0),
        inputs: vec![],
    }
}

fn ids() -> BufferInfo {
    buffer("ids", Role::Input, Element::I32, vec![Size::Symbol(0), Size::Symbol(1)])
}

fn scratch() -> BufferInfo {
    buffer("mean", Role::Temporary { first: 0, last: 1 }, Element::F32, vec![V.into()])
}

fn logits(mut shape: Vec<Size>) -> BufferInfo {
    shape.push(V.into());
    buffer("logits", Role::Output, Element::F32, shape)
}

/// Programs over whole rows.
fn programs_of_rows() -> Vec<ProgramInfo> {
    let whole = [names::BATCH, "t"];
    let loss = || buffer(names::LOSS, Role::Output, Element::F32, vec![]);
    let gradient = buffer("scores.table", Role::Gradient, Element::F32, vec![V.into(), V.into()]);
    vec![
        program(names::TRAIN, &whole, vec![ids(), loss(), gradient, scratch()]),
        program(names::EVALUATE, &whole, vec![ids(), loss(), scratch()]),
        program(names::FORWARD, &whole, vec![ids(), logits(vec![Size::Symbol(0), Size::Symbol(1)])]),
    ]
}

/// Programs over new positions, and what the sampler requires.
fn programs_of_turns() -> Vec<ProgramInfo> {
    let sizes = [names::BATCH, names::CHUNK, names::CONTEXT];
    let of_rows = |name: &str, role, element| buffer(name, role, element, vec![Size::Symbol(0)]);
    let positions = vec![
        ids(),
        of_rows(names::START, Role::Input, Element::I32),
        of_rows(&names::length(names::CHUNK), Role::Input, Element::I32),
        of_rows(&names::length(names::CONTEXT), Role::Input, Element::I32),
        buffer("history", Role::State, Element::I32, vec![Size::Symbol(0), Size::Symbol(2)]),
    ];
    let noise = || buffer(NOISE, Role::Input, Element::F32, vec![]);
    let choice = vec![
        of_rows(names::NEXT, Role::Output, Element::I32),
        of_rows(names::STOP, Role::Output, Element::Bool),
        noise(),
        buffer(names::SEED, Role::Input, Element::I32, vec![3.into()]),
        buffer(names::TURN, Role::Input, Element::I32, vec![]),
        of_rows(names::ROW, Role::Input, Element::I32),
        scratch(),
    ];
    let scores = vec![logits(vec![Size::Symbol(0)])];
    vec![
        program(names::STEP, &sizes, [positions.clone(), scores].concat()),
        program(names::TURN, &sizes, [positions, choice].concat()),
        program(names::REQUIRE, &[], vec![noise(), buffer("0", Role::Output, Element::Bool, vec![])]),
    ]
}

/// The published form: the table transposed and in two halves.
fn published() -> Vec<WeightSource> {
    let half = V / 2;
    let source = |place: i64| WeightSource {
        tensor: format!("model.table.{place}"),
        shape: vec![V, half],
        parts: vec![WeightPart {
            parameter: 0,
            extents: vec![V, half],
            source_offset: 0,
            source_strides: vec![half, 1],
            target_offset: place * half * V,
            target_strides: vec![1, V],
        }],
        copy: false,
    };
    vec![source(0), source(1)]
}

fn buffer(name: &str, role: Role, element: Element, shape: Vec<Size>) -> BufferInfo {
    BufferInfo { name: name.into(), role, element, shape }
}

/// A frame's buffer as elements.
///
/// # Safety
/// The buffer must be listed with this type and at least this length, and be borrowed nowhere else.
unsafe fn elements<'call, T>(frame: *const Frame, place: usize, length: usize) -> &'call mut [T] {
    // SAFETY: promised by the caller.
    unsafe { std::slice::from_raw_parts_mut((*(*frame).buffers.add(place)).cast(), length) }
}

/// A frame's size.
///
/// # Safety
/// The program must have it.
unsafe fn size(frame: *const Frame, place: usize) -> usize {
    // SAFETY: promised by the caller.
    unsafe { *(*frame).sizes.add(place) as usize }
}

/// Writes the mean row over some ids.
fn mean_row(table: &[f32], ids: &[i32], mean: &mut [f32]) {
    mean.fill(0.0);
    for id in ids {
        let row = &table[*id as usize * VOCABULARY..][..VOCABULARY];
        mean.iter_mut().zip(row).for_each(|(sum, score)| *sum += score / ids.len() as f32);
    }
}

/// Turns scores into probabilities; returns the loss of a target.
fn softmax(scores: &mut [f32], target: usize) -> f32 {
    let most = scores.iter().copied().fold(f32::MIN, f32::max);
    let loss = -(scores[target] - most);
    scores.iter_mut().for_each(|score| *score = (*score - most).exp());
    let sum: f32 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= sum);
    loss + sum.ln()
}

/// The loss over all rows; `add(prefix, probabilities, target, weight)` sees each prediction.
fn visit(
    table: &[f32],
    ids: &[i32],
    length: usize,
    mean: &mut [f32],
    mut add: impl FnMut(&[i32], &[f32], usize, f32),
) -> f32 {
    let weight = 1.0 / (ids.len() / length * (length - 1)) as f32;
    let mut loss = 0.0;
    for row in ids.chunks(length) {
        for end in 1..length {
            let target = row[end] as usize;
            mean_row(table, &row[..end], mean);
            loss += softmax(mean, target) * weight;
            add(&row[..end], mean, target, weight);
        }
    }
    loss
}

unsafe extern "C" fn train(frame: *const Frame) {
    // SAFETY: buffers and sizes as listed in `manifest`, each borrowed once.
    unsafe {
        let (rows, length) = (size(frame, 0), size(frame, 1));
        let table = elements::<f32>(frame, 0, VOCABULARY * VOCABULARY);
        let ids = elements::<i32>(frame, 1, rows * length);
        let gradient = elements::<f32>(frame, 3, VOCABULARY * VOCABULARY);
        let mean = elements::<f32>(frame, 4, VOCABULARY);
        gradient.fill(0.0);
        elements::<f32>(frame, 2, 1)[0] = visit(table, ids, length, mean, |prefix, probabilities, target, weight| {
            for id in prefix {
                let row = &mut gradient[*id as usize * VOCABULARY..][..VOCABULARY];
                let share = weight / prefix.len() as f32;
                row.iter_mut().zip(probabilities).for_each(|(sum, probability)| *sum += probability * share);
                row[target] -= share;
            }
        });
    }
}

unsafe extern "C" fn evaluate(frame: *const Frame) {
    // SAFETY: as in `train`.
    unsafe {
        let (rows, length) = (size(frame, 0), size(frame, 1));
        let table = elements::<f32>(frame, 0, VOCABULARY * VOCABULARY);
        let ids = elements::<i32>(frame, 1, rows * length);
        let mean = elements::<f32>(frame, 3, VOCABULARY);
        elements::<f32>(frame, 2, 1)[0] = visit(table, ids, length, mean, |_, _, _, _| {});
    }
}

unsafe extern "C" fn forward(frame: *const Frame) {
    // SAFETY: as in `train`.
    unsafe {
        let (rows, length) = (size(frame, 0), size(frame, 1));
        let table = elements::<f32>(frame, 0, VOCABULARY * VOCABULARY);
        let ids = elements::<i32>(frame, 1, rows * length);
        let logits = elements::<f32>(frame, 2, rows * length * VOCABULARY);
        for (row, logits) in ids.chunks(length).zip(logits.chunks_mut(length * VOCABULARY)) {
            for (end, logits) in logits.chunks_mut(VOCABULARY).enumerate() {
                mean_row(table, &row[..=end], logits);
            }
        }
    }
}

unsafe extern "C" fn step(frame: *const Frame) {
    // SAFETY: as in `train`.
    unsafe {
        let rows = size(frame, 0);
        let logits = elements::<f32>(frame, 6, rows * VOCABULARY);
        for (row, logits) in logits.chunks_mut(VOCABULARY).enumerate() {
            grow(frame, row, logits);
        }
    }
}

/// Takes a row's new ids into its history, and scores what follows.
///
/// # Safety
/// The frame is that of a step or of a turn, none of whose buffers up to the history is borrowed.
unsafe fn grow(frame: *const Frame, row: usize, scores: &mut [f32]) {
    // SAFETY: as in `train`.
    unsafe {
        let (rows, chunk, context) = (size(frame, 0), size(frame, 1), size(frame, 2));
        let table = elements::<f32>(frame, 0, VOCABULARY * VOCABULARY);
        let ids = elements::<i32>(frame, 1, rows * chunk);
        let (starts, new) = (elements::<i32>(frame, 2, rows), elements::<i32>(frame, 3, rows));
        let ends = elements::<i32>(frame, 4, rows);
        let history = elements::<i32>(frame, 5, rows * context);
        let (start, end) = (starts[row] as usize, ends[row] as usize);
        assert_eq!(ends[row], starts[row] + new[row]);
        let history = &mut history[row * context..][..context];
        history[start..end].copy_from_slice(&ids[row * chunk..][..end - start]);
        mean_row(table, &history[..end], scores);
    }
}

unsafe extern "C" fn turn(frame: *const Frame) {
    // SAFETY: as in `train`.
    unsafe {
        let rows = size(frame, 0);
        let (next, stops) = (elements::<i32>(frame, 6, rows), elements::<u8>(frame, 7, rows));
        let (noise, seed) = (elements::<f32>(frame, 8, 1)[0], elements::<i32>(frame, 9, 2)[0]);
        let (turn, numbers) = (elements::<i32>(frame, 10, 1)[0], elements::<i32>(frame, 11, rows));
        let scores = elements::<f32>(frame, 12, VOCABULARY);
        for row in 0..rows {
            grow(frame, row, scores);
            let draws = Stream::new(seed as u64, "turn").of(turn as u64).of(numbers[row] as u64);
            let noisy = |id: usize| scores[id] + noise * draws.normal(id as u64) as f32;
            // The first of equals.
            let best = (0..VOCABULARY).rev().max_by(|left, right| noisy(*left).total_cmp(&noisy(*right)));
            (next[row], stops[row]) = (best.map_or(-1, |id| id as i32), 0);
        }
    }
}

unsafe extern "C" fn require(frame: *const Frame) {
    // SAFETY: as in `train`.
    unsafe {
        let noise = elements::<f32>(frame, 1, 1)[0];
        elements::<u8>(frame, 2, 1)[0] = u8::from(noise >= 0.0);
    }
}
