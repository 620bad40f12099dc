//! Copies of a panel whose columns are rows in memory: blocks of 8 by 8, turned in registers.

use super::pack::{Source, copy_line};
use crate::mlir::arithmetic::Order;
use crate::mlir::text::{Kind, Type, Value, Writer};

/// Rows and columns of a block.
const SIDE: usize = 8;

/// Copies a panel of which `left` columns are there; elements along k are side by side. The others are
/// zeros, and no element is gathered by itself but along the last few k.
pub fn copy_part(writer: &mut Writer, width: usize, source: &Source, panel: Value, depth: Value, left: Value) {
    let (zero, one, side) = (writer.int(0), writer.int(1), writer.int(SIDE as i64));
    let rest = writer.binary("arith.remsi", depth, side);
    let even = writer.subtract(depth, rest);
    let lanes = writer.int(width as i64);
    let (open, column, _) = writer.begin_for(zero, lanes, side, &[]);
    let lines = lines_of(writer, source, column, left);
    let there = writer.compare(Order::Less, column, left);
    let (inner, k, _) = writer.begin_for(zero, even, side, &[]);
    let to = writer.multiply(k, lanes);
    let to = writer.add(to, column);
    let target = writer.element_address(panel, to, Kind::F32);
    let choice = writer.begin_if(there, &[]);
    let nothing = writer.number(0.0, Type::vector(Kind::F32, SIDE));
    let rows = lines.iter().map(|(line, exists)| {
        let address = writer.element_address(*line, k, Kind::F32);
        let row = writer.load(address, Type::vector(Kind::F32, SIDE));
        writer.select(*exists, row, nothing)
    });
    let rows = rows.collect::<Vec<_>>();
    let lines = turned(writer, &rows);
    store_block(writer, width, target, lines);
    writer.begin_else(&[]);
    store_block(writer, width, target, vec![nothing; SIDE]);
    writer.end(choice, &[]);
    writer.end(inner, &[]);
    writer.end(open, &[]);
    let numbers = writer.lane_numbers(Kind::I64, width);
    let mask = writer.compare(Order::Less, numbers, left);
    let (open, k, _) = writer.begin_for(even, depth, one, &[]);
    copy_line(writer, width, source, panel, k, Some(mask));
    writer.end(open, &[]);
}

/// Where the columns of a block lie and whether they exist; the first is in place of those that do not.
fn lines_of(writer: &mut Writer, source: &Source, column: Value, left: Value) -> Vec<(Value, Value)> {
    let line = |number: usize| {
        let number = writer.int(number as i64);
        let here = writer.add(column, number);
        let exists = writer.compare(Order::Less, here, left);
        let here = writer.select(exists, here, column);
        let at = writer.multiply(here, source.columns);
        (writer.element_address(source.address, at, Kind::F32), exists)
    };
    (0..SIDE).map(line).collect()
}

/// Stores the lines of a block, a panel's width apart.
fn store_block(writer: &mut Writer, width: usize, target: Value, lines: Vec<Value>) {
    for (place, line) in lines.into_iter().enumerate() {
        let address = writer.address_at(target, place * width, Kind::F32);
        writer.store(address, line);
    }
}

/// Copies a full panel; elements along k are side by side.
pub fn copy(writer: &mut Writer, width: usize, source: &Source, panel: Value, depth: Value) {
    let (zero, one, side) = (writer.int(0), writer.int(1), writer.int(SIDE as i64));
    let rest = writer.binary("arith.remsi", depth, side);
    let even = writer.subtract(depth, rest);
    let lanes = writer.int(width as i64);
    let (open, k, _) = writer.begin_for(zero, even, side, &[]);
    let mut line = writer.element_address(source.address, k, Kind::F32);
    let to = writer.multiply(k, lanes);
    let target = writer.element_address(panel, to, Kind::F32);
    for column in (0..width).step_by(SIDE) {
        let mut rows = Vec::with_capacity(SIDE);
        for _ in 0..SIDE {
            rows.push(writer.load(line, Type::vector(Kind::F32, SIDE)));
            line = writer.element_address(line, source.columns, Kind::F32);
        }
        let lines = turned(writer, &rows);
        let target = writer.address_at(target, column, Kind::F32);
        store_block(writer, width, target, lines);
    }
    writer.end(open, &[]);
    let (open, k, _) = writer.begin_for(even, depth, one, &[]);
    copy_line(writer, width, source, panel, k, None);
    writer.end(open, &[]);
}

/// The columns of eight rows: pairs of elements, then of pairs, then of halves change places.
fn turned(writer: &mut Writer, rows: &[Value]) -> Vec<Value> {
    let mut pairs = Vec::with_capacity(SIDE);
    for two in rows.chunks(2) {
        pairs.push(writer.shuffle(two[0], two[1], &[0, 8, 1, 9, 4, 12, 5, 13]));
        pairs.push(writer.shuffle(two[0], two[1], &[2, 10, 3, 11, 6, 14, 7, 15]));
    }
    let mut fours = Vec::with_capacity(SIDE);
    for four in pairs.chunks(4) {
        for half in 0..2 {
            fours.push(writer.shuffle(four[half], four[half + 2], &[0, 1, 8, 9, 4, 5, 12, 13]));
            fours.push(writer.shuffle(four[half], four[half + 2], &[2, 3, 10, 11, 6, 7, 14, 15]));
        }
    }
    let low = (0..4).map(|place| writer.shuffle(fours[place], fours[place + 4], &[0, 1, 2, 3, 8, 9, 10, 11]));
    let low = low.collect::<Vec<_>>();
    let high = (0..4).map(|place| writer.shuffle(fours[place], fours[place + 4], &[4, 5, 6, 7, 12, 13, 14, 15]));
    low.into_iter().chain(high.collect::<Vec<_>>()).collect()
}
