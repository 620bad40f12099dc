//! Right operands in panels: parameters once for all calls of a program for inference, and per call in training.

use super::matrices::Matrices;
use crate::kernel::{Form, Kernel, Matrix, Pack, Right};
use crate::plan::place::{Slice, View};
use crate::plan::program::{Argument, Launch, Program, Step};
use crate::plan::schedule::Planner;
use crate::tensor::AxisId;
use archc_runtime::abi::{BufferInfo, Role, Size, names};

/// No target's panels are wider.
const WIDEST_PANEL: i64 = 64;

/// A parameter in panels, and what writes them.
#[derive(Debug, Clone, PartialEq)]
pub struct Packing {
    parameter: BufferInfo,
    packed: BufferInfo,
    kernel: Kernel,
    launch: Launch,
}

impl Packing {
    /// A parameter in another form, and the kernel that writes it: of the parameter, buffer 0, to that form, buffer 1.
    pub(in crate::plan) fn new(parameter: BufferInfo, packed: BufferInfo, (kernel, launch): (Kernel, Launch)) -> Self {
        Packing { parameter, packed, kernel, launch }
    }
}

impl<'p> Planner<'p> {
    /// The right operand of a product, and the step that packs it, if there is one. The groups of axes are those of
    /// the batch loops, the sum and the columns.
    pub(in crate::plan) fn right(
        &mut self,
        b: &View,
        [batch, sum, columns]: [&Vec<AxisId>; 3],
        matrices: &mut Matrices,
    ) -> (Option<Step>, Right) {
        let is_parameter = self.buffers[b.buffer].role == Role::Parameter;
        let is_batched = batch.iter().any(|axis| b.stride(*axis).is_some());
        let is_whole = self.sizes.elements(columns).constant().is_some();
        if !is_parameter || !is_whole || is_batched && !self.interface.packs {
            return (None, Right::Strided(matrices.matrix(b, batch, sum, columns)));
        }
        if self.interface.packs {
            let view = self.packed_parameter(b, [batch, sum, columns]);
            let stride = |axis: &AxisId| view.stride(*axis).cloned().unwrap_or(Size::Constant(0));
            let batch = batch.iter().map(|axis| matrices.amount(&stride(axis))).collect();
            return (None, Right::Packed { buffer: matrices.buffer(&view, false), batch });
        }
        let zero = batch.iter().map(|_| crate::kernel::Amount::Constant(0)).collect();
        let elements = self.panel_elements(sum, columns);
        let buffer = self.buffers.len();
        let role = Role::Temporary { first: 0, last: 0 };
        self.buffer(format!("panels.{buffer}"), role, b.element, vec![elements.clone()]);
        let view = View::dense(buffer, b.element, &[]);
        let (kernel, launch) = self.pack(b, &[], [sum, columns], &view, &elements);
        (Some(self.launch((kernel, launch))), Right::Packed { buffer: matrices.buffer(&view, false), batch: zero })
    }

    /// The buffer of a packed parameter, and whether it was there already.
    pub(in crate::plan) fn packed(&mut self, packed: &BufferInfo) -> (usize, bool) {
        let known = self.buffers.iter().position(|buffer| buffer == packed);
        if known.is_none() {
            self.buffers.push(packed.clone());
        }
        (known.unwrap_or(self.buffers.len() - 1), known.is_some())
    }

    /// Elements of the panels of one matrix.
    fn panel_elements(&self, sum: &[AxisId], columns: &[AxisId]) -> Size {
        let columns = self.sizes.elements(columns).constant().unwrap_or(0);
        let whole = (columns + WIDEST_PANEL - 1) / WIDEST_PANEL * WIDEST_PANEL;
        Size::Constant(whole).times(self.sizes.elements(sum))
    }

    /// The packed buffer of a parameter, at the slice that the view is: the matrices of the batch axes that it lies
    /// along stand one after another.
    fn packed_parameter(&mut self, b: &View, [batch, sum, columns]: [&Vec<AxisId>; 3]) -> View {
        let parameter = self.buffers[b.buffer].clone();
        let own = batch.iter().copied().filter(|axis| b.stride(*axis).is_some()).collect::<Vec<_>>();
        let slices = b.slices.iter().cloned().chain(own.iter().map(|axis| self.slice_of(b, *axis))).collect::<Vec<_>>();
        let elements = self.panel_elements(sum, columns);
        let mut shape = slices.iter().map(|slice| slice.extent.clone()).collect::<Vec<_>>();
        shape.push(elements.clone());
        let mut name = format!("{} by {}", parameter.name, self.names(sum));
        if !own.is_empty() {
            name += &format!(" for each {} of {}", self.names(&own), self.names(columns));
        }
        let packed = BufferInfo { name, role: Role::Packed, element: parameter.element, shape };
        let (buffer, known) = self.packed(&packed);
        let mut view = View::dense(buffer, parameter.element, &[]);
        let mut stride = elements.clone();
        for (place, slice) in slices.iter().enumerate().rev() {
            view.offset = view.offset.plus(slice.at.clone().times(stride.clone()));
            if let Some(axis) = place.checked_sub(b.slices.len()).map(|place| own[place]) {
                view.strides.push((axis, stride.clone()));
            }
            stride = stride.times(slice.extent.clone());
        }
        if !known {
            let whole = View::dense(1, parameter.element, &[]);
            let mut source = b.clone();
            (source.buffer, source.offset) = (0, Size::Constant(0));
            let (kernel, launch) = self.pack(&source, &slices, [sum, columns], &whole, &elements);
            self.packings.push(Packing { parameter, packed, kernel, launch });
        }
        view
    }

    /// All positions of an axis of a view, as a slice that starts at the first.
    fn slice_of(&self, view: &View, axis: AxisId) -> Slice {
        let stride = view.stride(axis).cloned().unwrap_or(Size::Constant(0));
        Slice { at: Size::Constant(0), stride, extent: self.sizes.extent(axis) }
    }

    fn names(&self, axes: &[AxisId]) -> String {
        axes.iter().map(|axis| self.sizes.axes()[*axis].name.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn pack(
        &self,
        source: &View,
        slices: &[Slice],
        [sum, columns]: [&[AxisId]; 2],
        target: &View,
        elements: &Size,
    ) -> (Kernel, Launch) {
        let mut matrices = Matrices::default();
        let Matrix { buffer, rows, columns: across, .. } = matrices.matrix(source, &[], sum, columns);
        let mut target_batch = Vec::new();
        let mut stride = elements.clone();
        for slice in slices.iter().rev() {
            target_batch.insert(0, matrices.amount(&stride));
            stride = stride.times(slice.extent.clone());
        }
        let batch = slices.iter().map(|slice| matrices.amount(&slice.stride)).collect();
        let form = Pack {
            batch: slices.iter().map(|slice| matrices.amount(&slice.extent)).collect(),
            k: matrices.amount(&self.sizes.elements(sum)),
            n: matrices.amount(&self.sizes.elements(columns)),
            source: Matrix { buffer, rows, columns: across, batch },
            target: matrices.buffer(target, true),
            target_batch,
        };
        matrices.finish("pack", Form::Pack(form), "", stride)
    }
}

/// The programs that write the packed parameters: one for each parameter, so that a caller who reads nothing but what is
/// packed can give the memory of one back before the next is packed.
pub fn prepare(packings: &[Packing]) -> Vec<Program> {
    let mut of_each: Vec<(&BufferInfo, Vec<&Packing>)> = Vec::new();
    for packing in packings {
        match of_each.iter_mut().find(|(parameter, _)| **parameter == packing.parameter) {
            Some((_, known)) => known.push(packing),
            None => of_each.push((&packing.parameter, vec![packing])),
        }
    }
    of_each.into_iter().map(|(parameter, packings)| prepare_one(&parameter.name, &packings)).collect()
}

/// The program that writes all packed forms of a parameter.
fn prepare_one(parameter: &str, packings: &[&Packing]) -> Program {
    let mut program = Program {
        name: format!("{}{parameter}", names::PREPARE),
        symbols: Vec::new(),
        limits: Vec::new(),
        counters: 0,
        buffers: Vec::new(),
        kernels: Vec::new(),
        steps: Vec::new(),
        multiply_adds: Size::Constant(0),
        aside: Size::Constant(0),
        elementwise: Size::Constant(0),
        powers: Size::Constant(0),
    };
    for packing in packings {
        if program.buffers.contains(&packing.packed) {
            continue;
        }
        let mut place = |buffer: &BufferInfo| {
            program.buffers.iter().position(|known| known == buffer).unwrap_or_else(|| {
                program.buffers.push(buffer.clone());
                program.buffers.len() - 1
            })
        };
        let places = [place(&packing.parameter), place(&packing.packed)];
        let mut launch = packing.launch.clone();
        for Argument { buffer, .. } in &mut launch.arguments {
            *buffer = places[*buffer];
        }
        let kernel = program.kernels.iter().position(|known| *known == packing.kernel);
        launch.kernel = kernel.unwrap_or_else(|| {
            program.kernels.push(packing.kernel.clone());
            program.kernels.len() - 1
        });
        program.steps.push(Step::Launch(launch));
    }
    program
}
