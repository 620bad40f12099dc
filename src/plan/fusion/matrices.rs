//! Several axes as one: which axes of views can be walked with a single stride, and kernels over such matrices.

use crate::kernel::{Amount, Form, Kernel, KernelBuffer, Matrix};
use crate::plan::place::View;
use crate::plan::program::{Argument, Launch};
use crate::plan::sizes::{LaunchSizes, Sizes};
use crate::tensor::AxisId;
use archc_runtime::abi::Size;

/// The buffers and sizes of a kernel over matrices.
#[derive(Debug, Default)]
pub struct Matrices {
    arguments: Vec<(Argument, KernelBuffer)>,
    sizes: LaunchSizes,
}

impl Matrices {
    /// The kernel's name for a size.
    pub fn amount(&mut self, size: &Size) -> Amount {
        self.sizes.amount(size)
    }

    /// The kernel's name for a buffer.
    pub fn buffer(&mut self, view: &View, written: bool) -> usize {
        let argument = Argument { buffer: view.buffer, offset: view.offset.clone() };
        let place = self.arguments.iter().position(|(known, _)| *known == argument).unwrap_or_else(|| {
            self.arguments.push((argument, KernelBuffer { element: view.element, written: false }));
            self.arguments.len() - 1
        });
        self.arguments[place].1.written |= written;
        place
    }

    /// A view as a matrix; groups of axes go by their last one, and a lacking axis repeats.
    pub fn matrix(&mut self, view: &View, batch: &[AxisId], rows: &[AxisId], columns: &[AxisId]) -> Matrix {
        let buffer = self.buffer(view, false);
        let rows = self.stride(view, rows.last());
        let columns = self.stride(view, columns.last());
        let batch = batch.iter().map(|axis| self.stride(view, Some(axis))).collect();
        Matrix { buffer, rows, columns, batch }
    }

    /// The same for a matrix that the kernel writes.
    pub fn target(&mut self, view: &View, batch: &[AxisId], rows: &[AxisId], columns: &[AxisId]) -> Matrix {
        self.buffer(view, true);
        self.matrix(view, batch, rows, columns)
    }

    fn stride(&mut self, view: &View, axis: Option<&AxisId>) -> Amount {
        match axis.and_then(|axis| view.stride(*axis)) {
            Some(stride) => self.amount(&stride.clone()),
            None => Amount::Constant(0),
        }
    }

    /// The kernel and its launch but for the kernel's place.
    pub fn finish(self, name: &str, form: Form, path: &str, work: Size) -> (Kernel, Launch) {
        let (arguments, buffers) = self.arguments.into_iter().unzip();
        let kernel = Kernel { name: name.into(), buffers, sizes: self.sizes.count(), form };
        (kernel, Launch { kernel: 0, arguments, sizes: self.sizes.into_sizes(), work, path: path.into() })
    }
}

/// How many of the axes, from the last backwards, can be walked as one in all views: an outer stride is the inner one
/// times the inner extent, or a view lacks all of them.
pub fn merged(sizes: &Sizes, axes: &[AxisId], views: &[&View]) -> usize {
    let Some(mut inner) = axes.last() else { return 0 };
    let mut count = 1;
    for outer in axes.iter().rev().skip(1) {
        let fits = |view: &&View| match (view.stride(*outer), view.stride(*inner)) {
            (None, None) => true,
            (Some(wide), Some(narrow)) => same(wide, &narrow.clone().times(sizes.extent(*inner))),
            _ => false,
        };
        if !views.iter().all(fits) {
            break;
        }
        inner = outer;
        count += 1;
    }
    count
}

/// Whether two sizes are the same product.
fn same(left: &Size, right: &Size) -> bool {
    factors(left) == factors(right)
}

fn factors(size: &Size) -> (i64, Vec<Size>) {
    let mut constant = 1;
    let mut others = Vec::new();
    collect(size, &mut constant, &mut others);
    others.sort();
    (constant, others)
}

fn collect(size: &Size, constant: &mut i64, others: &mut Vec<Size>) {
    match size {
        Size::Product(list) => list.iter().for_each(|one| collect(one, constant, others)),
        size => match size.constant() {
            Some(number) => *constant *= number,
            None => others.push(size.clone()),
        },
    }
}
