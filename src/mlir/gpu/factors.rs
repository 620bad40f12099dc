//! Where the elements of A and B of a product lie in global memory.

use super::Frame;
use super::tiles::at;
use crate::gpu::PANEL;
use crate::kernel::{Amount, Gemm, Matrix, Right};
use crate::mlir::text::{Value, Writer};

/// A or B.
#[derive(Debug, Clone)]
pub enum Factor {
    /// A matrix: places outside of the sum are its rows.
    Rows(Matrix),
    /// A matrix: places outside of the sum are its columns.
    Columns(Matrix),
    /// Panels in a buffer.
    Panels(usize, Vec<Amount>),
}

impl Factor {
    /// A and B.
    pub fn both(form: &Gemm) -> [Factor; 2] {
        let right = match &form.b {
            Right::Strided(matrix) => Factor::Columns(matrix.clone()),
            Right::Packed { buffer, batch } => Factor::Panels(*buffer, batch.clone()),
        };
        [Factor::Rows(form.a.clone()), right]
    }

    /// Whether neighbours lie along the sum.
    pub fn along_sum(&self) -> bool {
        let one = Amount::Constant(1);
        match self {
            Factor::Rows(matrix) => matrix.columns == one,
            Factor::Columns(matrix) => matrix.rows == one && matrix.columns != one,
            Factor::Panels(..) => false,
        }
    }

    /// The kernel's buffer.
    pub fn buffer(&self) -> usize {
        match self {
            Factor::Rows(matrix) | Factor::Columns(matrix) => matrix.buffer,
            Factor::Panels(buffer, _) => *buffer,
        }
    }

    /// One past the last place outside of the sum, of so many: panels are padded.
    pub fn limit(&self, writer: &mut Writer, extent: Value) -> Value {
        let Factor::Panels(..) = self else { return extent };
        let width = writer.int(PANEL as i64);
        let panels = writer.ceil_divide(extent, width);
        writer.multiply(panels, width)
    }

    /// Where it starts for some batch indices.
    pub fn start(&self, writer: &mut Writer, frame: &Frame<'_>, batch: &[Value]) -> Value {
        let strides = match self {
            Factor::Rows(matrix) | Factor::Columns(matrix) => &matrix.batch,
            Factor::Panels(_, batch) => batch,
        };
        frame.body.start_of(writer, batch, strides)
    }

    /// The element at a place and a k, of a factor that starts somewhere and of a sum over so many.
    pub fn at(
        &self,
        writer: &mut Writer,
        frame: &Frame<'_>,
        (start, depth): (Value, Value),
        (place, k): (Value, Value),
    ) -> Value {
        match self {
            Factor::Rows(matrix) => at(writer, frame, matrix, start, place, k),
            Factor::Columns(matrix) => at(writer, frame, matrix, start, k, place),
            Factor::Panels(..) => {
                let width = writer.int(PANEL as i64);
                let within = writer.binary("arith.remui", place, width);
                let panel = writer.subtract(place, within);
                frame.in_panel(writer, start, [panel, depth], [k, within])
            }
        }
    }
}
