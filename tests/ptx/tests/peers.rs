//! PTX that others' compilers made (see `peers/kernels.py`): the machine's reading of fragments, swizzles and
//! descriptors is theirs, not only ours. `make test-ptx-peers` makes the files and says where they are.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use archc_ptx::{Machine, Module, Parameter, Swizzle, TensorMap};

use crate::support::*;

/// One line of the index.
struct Peer {
    file: String,
    text: String,
    kernel: String,
    threads: u32,
    shared: usize,
    boxes: Vec<([u32; 2], Swizzle)>,
}

fn swizzled_box(text: &str) -> ([u32; 2], Swizzle) {
    let (size, mode) = text.split_once('/').expect("box/swizzle");
    let (rows, columns) = size.split_once('x').expect("rows x columns");
    let modes = [Swizzle::None, Swizzle::Bytes32, Swizzle::Bytes64, Swizzle::Bytes128];
    ([rows.parse().expect("rows"), columns.parse().expect("columns")], modes[mode.parse::<usize>().expect("a mode")])
}

fn peers(folder: &std::path::Path) -> Vec<Peer> {
    let index = std::fs::read_to_string(folder.join("index")).expect("an index");
    let peer = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        Peer {
            file: words[0].to_string(),
            text: std::fs::read_to_string(folder.join(words[0])).expect("a file of PTX"),
            kernel: words[1].to_string(),
            threads: words[2].parse().expect("threads"),
            shared: words[3].parse().expect("bytes"),
            boxes: words[4..].iter().map(|word| swizzled_box(word)).collect(),
        }
    };
    index.lines().map(peer).collect()
}

/// Small numbers that every format has.
fn small(at: usize) -> f32 {
    ((at * 7919 + at / 13) % 9) as f32 * 0.5 - 2.0
}

/// A small number as the bytes of a format.
fn encode(kind: &str, value: f32) -> Vec<u8> {
    let eight = |exponent: u32, fraction: u32| {
        let bits = value.to_bits();
        let code = ((bits >> 23) & 255) as i32 - 127 + (1 << (exponent - 1)) - 1;
        let magnitude =
            if value == 0.0 { 0 } else { (code as u32) << fraction | (bits & 0x7f_ffff) >> (23 - fraction) };
        vec![(bits >> 31 << 7 | magnitude) as u8]
    };
    match kind {
        "bf16" => half::bf16::from_f32(value).to_le_bytes().to_vec(),
        "fp16" => half::f16::from_f32(value).to_le_bytes().to_vec(),
        "s8" => vec![(2.0 * value) as i8 as u8],
        "e4m3" => eight(4, 3),
        "e5m2" => eight(5, 2),
        _ => value.to_le_bytes().to_vec(),
    }
}

fn fill(machine: &mut Machine, kind: &str, count: usize, start: usize) -> u64 {
    let bytes: Vec<u8> = (start..start + count).flat_map(|at| encode(kind, small(at))).collect();
    machine.buffer(&bytes)
}

/// The kernel's own parameters, and the two scratch pointers that it never uses here.
fn parameters(list: &[&dyn Fn() -> Parameter]) -> Vec<Parameter> {
    list.iter().map(|make| make()).chain([0_u64.into(), 0_u64.into()]).collect()
}

fn pointers_and_sizes(pointers: &[u64], sizes: &[u32]) -> Vec<Parameter> {
    let pointers = pointers.iter().map(|pointer| Parameter::from(*pointer));
    let sizes = sizes.iter().map(|size| Parameter::from(*size));
    pointers.chain(sizes).chain(parameters(&[])).collect()
}

fn close(found: &[f32], wanted: &[f64], tolerance: f64) -> Result<(), String> {
    let mut wrong = found.iter().zip(wanted).enumerate().filter(|(_, (found, wanted))| {
        let error = (f64::from(**found) - **wanted).abs();
        error.is_nan() || error > tolerance * (1.0 + wanted.abs())
    });
    match (found.len() == wanted.len(), wrong.next()) {
        (true, None) => Ok(()),
        (_, first) => Err(format!("{} wrong of {}, first {first:?}", wrong.count() + 1, found.len())),
    }
}

type Check = Result<(), String>;

fn run_peer(peer: &Peer, module: &Module, machine: &mut Machine) -> Check {
    match peer.kernel.as_str() {
        "add" => add(peer, module, machine),
        "softmax" | "scan" => rows(peer, module, machine),
        "histogram" => histogram(peer, module, machine),
        "product" => product(peer, module, machine),
        "described" => described(peer, module, machine),
        "attention" => attention(peer, module, machine),
        other => Err(format!("no reference for `{other}`")),
    }
}

fn start(peer: &Peer, module: &Module, machine: &mut Machine, grid: [u32; 3], parameters: &[Parameter]) -> Check {
    let block = [peer.threads, 1, 1];
    machine.launch(module, &peer.kernel, grid, block, peer.shared, parameters).map_err(|fault| fault.to_string())
}

fn add(peer: &Peer, module: &Module, machine: &mut Machine) -> Check {
    let count = 1300;
    let (x, y) = (fill(machine, "f32", count, 0), fill(machine, "f32", count, 5));
    let out = machine.uninitialised(4 * count);
    start(peer, module, machine, [3, 1, 1], &pointers_and_sizes(&[x, y, out], &[count as u32]))?;
    let wanted: Vec<f64> = (0..count).map(|at| f64::from(small(at) + small(at + 5))).collect();
    close(&to_floats(&machine.read(out)), &wanted, 0.0)
}

fn rows(peer: &Peer, module: &Module, machine: &mut Machine) -> Check {
    let (count, width) = (3, 777);
    let x = fill(machine, "f32", count * width, 0);
    let out = machine.uninitialised(4 * count * width);
    start(peer, module, machine, [count as u32, 1, 1], &pointers_and_sizes(&[x, out], &[width as u32]))?;
    let row = |row: usize| {
        let values: Vec<f64> = (0..width).map(|at| f64::from(small(row * width + at))).collect();
        let total: f64 = values.iter().map(|value| value.exp()).sum();
        let mut sum = 0.0;
        let one = move |value: &f64| match peer.kernel.as_str() {
            "softmax" => value.exp() / total,
            _ => {
                sum += value;
                sum
            }
        };
        values.iter().map(one).collect::<Vec<f64>>()
    };
    close(&to_floats(&machine.read(out)), &(0..count).flat_map(row).collect::<Vec<_>>(), 1e-5)
}

fn histogram(peer: &Peer, module: &Module, machine: &mut Machine) -> Check {
    let count = 900_usize;
    let x = machine.buffer(&words((0..count).map(|at| (at * at % 61) as u32)));
    let out = machine.buffer(&[0; 64]);
    start(peer, module, machine, [4, 1, 1], &pointers_and_sizes(&[x, out], &[count as u32]))?;
    let mut wanted = vec![0; 16];
    (0..count).for_each(|at| wanted[at * at % 61 % 16] += 1);
    let found = to_words(&machine.read(out));
    if found == wanted { Ok(()) } else { Err(format!("{found:?} instead of {wanted:?}")) }
}

fn product(peer: &Peer, module: &Module, machine: &mut Machine) -> Check {
    let parts: Vec<&str> = peer.file.split('_').collect();
    let (kind, is_transposed, is_wide) = (parts[1], parts[2] != "n", parts[2] == "w");
    let (size, depth, tiles) = if is_wide { (256, 128, 2) } else { (128, 192, 2) };
    let (a, b) = (fill(machine, kind, size * depth, 0), fill(machine, kind, size * depth, 3));
    let c = machine.uninitialised(4 * size * size);
    let sizes = [size as u32, size as u32, depth as u32];
    start(peer, module, machine, [tiles, tiles, 1], &pointers_and_sizes(&[a, b, c], &sizes))?;
    let scale = if kind == "s8" { 2.0 } else { 1.0 };
    let right = |column: usize, k: usize| if is_transposed { column * depth + k } else { k * size + column };
    let one = |row: usize, column: usize| {
        let terms = (0..depth).map(|k| scale * small(row * depth + k) * scale * small(3 + right(column, k)));
        f64::from(terms.sum::<f32>())
    };
    let wanted: Vec<f64> = (0..size * size).map(|at| one(at / size, at % size)).collect();
    let bytes = machine.read(c);
    let found = if kind == "s8" {
        to_words(&bytes).iter().map(|word| *word as i32 as f32).collect()
    } else {
        to_floats(&bytes)
    };
    close(&found, &wanted, 0.0)
}

fn described(peer: &Peer, module: &Module, machine: &mut Machine) -> Check {
    let (rows, columns, depth) = (256_usize, 256_usize, 192_usize);
    let (a, b) = (fill(machine, "bf16", rows * depth, 0), fill(machine, "bf16", columns * depth, 3));
    let c = machine.uninitialised(2 * rows * columns);
    let descriptor = |at: usize, base: u64, rows: usize, columns: usize| {
        let (tile, swizzle) = peer.boxes[at];
        let map = TensorMap::matrix(base, 2, rows as u64, columns as u64, tile, swizzle);
        [map.into(), (rows as u32).into(), (columns as u32).into(), (columns as u64).into(), Parameter::from(1_u64)]
    };
    let mut list: Vec<Parameter> = Vec::new();
    list.extend(descriptor(0, a, rows, depth));
    list.extend(descriptor(1, b, columns, depth));
    list.extend(descriptor(2, c, rows, columns));
    list.extend(pointers_and_sizes(&[], &[rows as u32, columns as u32, depth as u32]));
    let tile = match peer.file.as_str() {
        "described_a_90.ptx" => [128, 128],
        "described_b_90.ptx" => [64, 256],
        _ => [128, 64],
    };
    start(peer, module, machine, [rows as u32 / tile[0], columns as u32 / tile[1], 1], &list)?;
    let dot = |row: usize, column: usize| {
        (0..depth).map(|k| small(row * depth + k) * small(3 + column * depth + k)).sum::<f32>()
    };
    let wanted: Vec<f64> = (0..rows * columns).map(|at| f64::from(dot(at / columns, at % columns))).collect();
    let found: Vec<f32> =
        machine.read(c).chunks_exact(2).map(|pair| half::bf16::from_le_bytes([pair[0], pair[1]]).to_f32()).collect();
    close(&found, &wanted, 0.004)
}

fn attention(peer: &Peer, module: &Module, machine: &mut Machine) -> Check {
    let (count, width) = (128_usize, 64_usize);
    let starts = [0, 3, 11];
    let inputs = starts.map(|start| fill(machine, "bf16", count * width, start));
    let out = machine.uninitialised(4 * count * width);
    let list = pointers_and_sizes(&[inputs[0], inputs[1], inputs[2], out], &[count as u32]);
    start(peer, module, machine, [2, 1, 1], &list)?;
    let number = |which: usize, row: usize, d: usize| f64::from(small(starts[which] + row * width + d));
    let row = |row: usize| {
        let score = |other: usize| (0..width).map(|d| number(0, row, d) * number(1, other, d)).sum::<f64>() / 8.0;
        let weights: Vec<f64> = (0..=row).map(|other| score(other).exp()).collect();
        let total: f64 = weights.iter().sum();
        let one =
            |d: usize| weights.iter().enumerate().map(|(other, weight)| weight * number(2, other, d)).sum::<f64>();
        (0..width).map(|d| one(d) / total).collect::<Vec<f64>>()
    };
    close(&to_floats(&machine.read(out)), &(0..count).flat_map(row).collect::<Vec<_>>(), 0.01)
}

#[test]
fn kernels_of_other_compilers_give_their_results() {
    let Some(folder) = std::env::var_os("ARCHC_PTX_PEERS").map(PathBuf::from) else {
        let note = b"SKIPPED: no PTX of other compilers here; `make test-ptx-peers` fetches a compiler and runs this\n";
        std::io::stderr().write_all(note).expect("an open stderr");
        return;
    };
    let filter = std::env::var("ARCHC_PTX_PEER").unwrap_or_default();
    let (mut report, mut failed) = (String::new(), 0);
    for peer in peers(&folder).iter().filter(|peer| peer.file.contains(&filter)) {
        let module = match Module::parse(&peer.text) {
            Ok(module) => module,
            Err(error) => {
                failed += 1;
                let _ = writeln!(report, "{:24} {error}", peer.file);
                continue;
            }
        };
        for seed in 0..2 {
            let mut machine = Machine::new(seed);
            let began = Instant::now();
            let result = run_peer(peer, &module, &mut machine);
            let (executed, seconds) = (machine.executed() as f64 / 1e6, began.elapsed().as_secs_f64());
            failed += usize::from(result.is_err());
            let _ = writeln!(report, "{:24} seed {seed} {executed:7.2} M in {seconds:6.3} s: {result:?}", peer.file);
        }
    }
    std::io::stderr().write_all(report.as_bytes()).expect("an open stderr");
    assert_eq!(failed, 0, "kernels of others that fail");
}
