//! Runs matrix products and packing. Panels are [`WIDTH`] wide here.

use super::execute::{Memory, Slot, amount};
use archc::kernel::*;
use archc::tensor::{Scalar, ScalarStep};

/// The width of panels.
pub const WIDTH: i64 = 4;

/// Calls `turn` with every combination of batch indices.
pub fn each(extents: &[i64], turn: &mut dyn FnMut(&[i64])) {
    let mut at = vec![0; extents.len()];
    let total = extents.iter().product::<i64>();
    for number in 0..total {
        let mut rest = number;
        for (place, extent) in extents.iter().enumerate().rev() {
            at[place] = rest % extent;
            rest /= extent;
        }
        turn(&at);
    }
}

/// The numbers of amounts.
pub fn amounts(list: &[Amount], sizes: &[i64]) -> Vec<i64> {
    list.iter().map(|&one| amount(one, sizes)).collect()
}

fn skip(batch: &[Amount], at: &[i64], sizes: &[i64]) -> i64 {
    batch.iter().zip(at).map(|(&stride, at)| amount(stride, sizes) * at).sum()
}

/// Where an element of a matrix is.
pub fn element(matrix: &Matrix, at: &[i64], row: i64, column: i64, sizes: &[i64]) -> i64 {
    skip(&matrix.batch, at, sizes) + row * amount(matrix.rows, sizes) + column * amount(matrix.columns, sizes)
}

/// A scalar expression of operands.
pub fn scalar(expression: &Scalar, operands: &[f64]) -> f64 {
    let mut steps = Vec::with_capacity(expression.steps.len());
    for step in &expression.steps {
        let value = match step {
            ScalarStep::Operand(place) => operands[*place],
            ScalarStep::Number(number, _) => *number,
            ScalarStep::Coordinate(_) => panic!("kernels have no axes"),
            ScalarStep::Call(function, arguments) => {
                let arguments = arguments.iter().map(|&place| steps[place]).collect::<Vec<_>>();
                function.apply(&arguments)
            }
        };
        steps.push(value);
    }
    steps.last().copied().unwrap_or(0.0)
}

/// A matrix product.
pub fn gemm(gemm: &Gemm, slots: &[Slot], sizes: &[i64], memory: &mut Memory) {
    let [m, n, k] = [gemm.m, gemm.n, gemm.k].map(|extent| amount(extent, sizes));
    let right = |memory: &Memory, at: &[i64], row: i64, column: i64| match &gemm.b {
        Right::Strided(matrix) => memory.read(slots[matrix.buffer], element(matrix, at, row, column, sizes)),
        Right::Packed { buffer, batch } => {
            let inside = (column / WIDTH) * k * WIDTH + row * WIDTH + column % WIDTH;
            memory.read(slots[*buffer], skip(batch, at, sizes) + inside)
        }
    };
    each(&amounts(&gemm.batch, sizes), &mut |at| {
        for (row, column) in (0..m).flat_map(|row| (0..n).map(move |column| (row, column))) {
            let mut sum = 0.0;
            memory.multiplications += k.unsigned_abs();
            for inner in 0..k {
                let left = memory.read(slots[gemm.a.buffer], element(&gemm.a, at, row, inner, sizes));
                sum += left * right(memory, at, inner, column);
            }
            let mut operands = vec![sum];
            for extra in &gemm.extras {
                operands.push(memory.read(slots[extra.buffer], element(extra, at, row, column, sizes)));
            }
            let target = element(&gemm.c, at, row, column, sizes);
            let mut value = scalar(&gemm.epilogue, &operands);
            if gemm.accumulate {
                value += memory.read(slots[gemm.c.buffer], target);
            }
            memory.write(slots[gemm.c.buffer], target, value);
        }
    });
}

/// Copies a matrix into panels.
pub fn pack(pack: &Pack, slots: &[Slot], sizes: &[i64], memory: &mut Memory) {
    let [k, n] = [pack.k, pack.n].map(|extent| amount(extent, sizes));
    each(&amounts(&pack.batch, sizes), &mut |at| {
        let columns = (n + WIDTH - 1) / WIDTH * WIDTH;
        for (row, column) in (0..k).flat_map(|row| (0..columns).map(move |column| (row, column))) {
            let source = element(&pack.source, at, row, column, sizes);
            let value = if column < n { memory.read(slots[pack.source.buffer], source) } else { 0.0 };
            let inside = (column / WIDTH) * k * WIDTH + row * WIDTH + column % WIDTH;
            memory.write(slots[pack.target], skip(&pack.target_batch, at, sizes) + inside, value);
        }
    });
}
