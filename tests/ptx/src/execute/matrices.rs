//! Matrices of a warp: `ldmatrix`, `stmatrix`, `movmatrix`, `mma` (PTX ISA, "Warp-level matrix instructions").

use super::memory::resolve;
use super::value;
use crate::block::Block;
use crate::fault::{Outcome, Rule, broken};
use crate::instruction::{Place, Source, Space};
use crate::launch::Launch;
use crate::matrix::{self, COLUMNS, LoadMatrix, Multiply, StoreMatrix};
use crate::syntax::Register;
use crate::types::truncate;
use crate::warp::WarpKind;

/// Performs a matrix instruction for the 32 lanes of a warp.
pub(super) fn perform(launch: &mut Launch, block: &mut Block, lanes: &[usize], kind: &WarpKind) -> Outcome<()> {
    if lanes.len() != 32 {
        return broken(Rule::Divergence, format!("{} lanes at an instruction of a whole warp", lanes.len()));
    }
    match kind {
        WarpKind::LoadMatrix(load) => load_matrix(launch, block, lanes, load),
        WarpKind::StoreMatrix(store) => store_matrix(launch, block, lanes, store),
        WarpKind::Multiply(multiply) => multiply_matrices(launch, block, lanes, multiply),
        WarpKind::Transpose { to, from } => {
            let words = gather(launch, block, lanes, *from);
            let matrix = matrix_of(&words);
            scatter(block, lanes, *to, |row, column| matrix[column][row]);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Rows of eight 16-bit elements.
type Matrix = [[u16; 8]; 8];

/// The address of row `row` of matrix `number`: the lane of that number gives it.
fn row_address(launch: &Launch, block: &Block, lanes: &[usize], place: &Place, lane: usize) -> Outcome<u64> {
    match resolve(launch, block, &block.threads[lanes[lane]], place) {
        (Space::Shared, address) => Ok(address),
        (_, address) => broken(Rule::Bounds, format!("{address:#x} is no address of shared memory")),
    }
}

fn load_matrix(launch: &mut Launch, block: &mut Block, lanes: &[usize], load: &LoadMatrix) -> Outcome<()> {
    for (number, to) in load.to.iter().enumerate() {
        let mut matrix: Matrix = [[0; 8]; 8];
        for (row, elements) in matrix.iter_mut().enumerate() {
            let address = row_address(launch, block, lanes, &load.from, 8 * number + row)?;
            let (shared, access) = block.shared_for(lanes[0] / 32);
            let range = shared.aligned(address, 16)?;
            for (element, bytes) in elements.iter_mut().zip(shared.read(range, access)?.chunks_exact(2)) {
                *element = u16::from_le_bytes([bytes[0], bytes[1]]);
            }
        }
        let transposed = load.transposed;
        scatter(block, lanes, *to, |row, column| if transposed { matrix[column][row] } else { matrix[row][column] });
    }
    Ok(())
}

/// Gives each lane its two neighbours of a row.
fn scatter(block: &mut Block, lanes: &[usize], to: Register, element: impl Fn(usize, usize) -> u16) {
    for (lane, number) in lanes.iter().enumerate() {
        let (row, column) = (lane / 4, 2 * (lane % 4));
        let word = u64::from(element(row, column)) | u64::from(element(row, column + 1)) << 16;
        block.threads[*number].set(to, word);
    }
}

fn gather(launch: &Launch, block: &Block, lanes: &[usize], source: Source) -> Vec<u64> {
    lanes.iter().map(|number| value(launch, block, &block.threads[*number], source)).collect()
}

fn transpose(matrix: &Matrix) -> Matrix {
    std::array::from_fn(|row| std::array::from_fn(|column| matrix[column][row]))
}

fn matrix_of(words: &[u64]) -> Matrix {
    let mut matrix: Matrix = [[0; 8]; 8];
    for (lane, word) in words.iter().enumerate() {
        let (row, column) = (lane / 4, 2 * (lane % 4));
        matrix[row][column] = *word as u16;
        matrix[row][column + 1] = (word >> 16) as u16;
    }
    matrix
}

fn store_matrix(launch: &mut Launch, block: &mut Block, lanes: &[usize], store: &StoreMatrix) -> Outcome<()> {
    for (number, from) in store.from.iter().enumerate() {
        let given = matrix_of(&gather(launch, block, lanes, *from));
        let matrix = if store.transposed { transpose(&given) } else { given };
        for (row, elements) in matrix.iter().enumerate() {
            let address = row_address(launch, block, lanes, &store.to, 8 * number + row)?;
            let bytes: Vec<u8> = elements.iter().flat_map(|element| element.to_le_bytes()).collect();
            block.check_no_mbarrier(address, 16)?;
            let (shared, access) = block.shared_for(lanes[0] / 32);
            let range = shared.aligned(address, 16)?;
            launch.memory.changes += u64::from(shared.write(range, &bytes, access)?);
        }
    }
    Ok(())
}

/// A factor, row by row (columns for the right one), from the fragments of all lanes.
fn factor(fragments: &[Vec<u64>], multiply: &Multiply, is_left: bool) -> Vec<f64> {
    let (of, lines) = if is_left { (multiply.a, multiply.rows) } else { (multiply.b, COLUMNS) };
    let mut numbers = vec![0.0; lines * multiply.depth];
    for (at, words) in fragments.iter().enumerate() {
        for (lane, word) in words.iter().enumerate() {
            let (line, start) = match is_left {
                true => matrix::left_place(of, at, lane),
                false => matrix::right_place(of, at, lane),
            };
            for element in 0..matrix::packed(of) {
                let bits = word >> (element as u32 * of.bits);
                numbers[line * multiply.depth + start + element] = matrix::number(of, bits);
            }
        }
    }
    numbers
}

fn multiply_matrices(launch: &mut Launch, block: &mut Block, lanes: &[usize], multiply: &Multiply) -> Outcome<()> {
    let read = |sources: &[Source], block: &Block| -> Vec<Vec<u64>> {
        sources.iter().map(|source| gather(launch, block, lanes, *source)).collect()
    };
    let left = factor(&read(&multiply.left, block), multiply, true);
    let right = factor(&read(&multiply.right, block), multiply, false);
    let addend = read(&multiply.addend, block);
    let products = matrix::products(&left, &right, multiply.depth);
    let per_register = if multiply.sum.bits == 16 { 2 } else { 1 };
    for (at, to) in multiply.to.iter().enumerate() {
        for (lane, number) in lanes.iter().enumerate() {
            let mut word = 0;
            for part in 0..per_register {
                let shift = 16 * part as u32;
                let (row, column) = matrix::sum_place(at * per_register + part, lane);
                let before = matrix::number(multiply.sum, addend[at][lane] >> shift);
                let sum = products[row * COLUMNS + column] + before;
                let bits = matrix::bits(multiply.sum, sum, multiply.finite);
                word |= truncate(bits, multiply.sum.bits) << shift;
            }
            block.threads[*number].set(*to, word);
        }
    }
    Ok(())
}
