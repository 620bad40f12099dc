//! The numbers that a parameter starts with, where they are computed from its coordinates alone.
//!
//! Every part of the expression is computed over the axes that it varies along, and spread over the others at the end.

use super::Elaborator;
use crate::model::values::{ValueId, ValueKind};
use crate::tensor::{AxisId, Function};

/// Numbers over some of the axes, given by their places in rising order, the last counting fastest.
struct Numbers {
    places: Vec<usize>,
    numbers: Vec<f64>,
}

/// The fixed axes of a parameter, in its order.
struct Frame<'a> {
    axes: &'a [AxisId],
    sizes: Vec<usize>,
}

impl Elaborator<'_> {
    /// The numbers of a value over fixed axes, the last counting fastest; none if it depends on anything else.
    pub fn tabulate(&mut self, value: ValueId, axes: &[AxisId]) -> Option<Vec<f64>> {
        let sizes = axes.iter().map(|axis| self.values().axes.fixed(*axis));
        let sizes = sizes.map(|size| usize::try_from(size?).ok()).collect::<Option<Vec<_>>>()?;
        let frame = Frame { axes, sizes };
        let numbers = self.numbers_of(value, &frame)?;
        Some(frame.spread(&numbers, &(0..axes.len()).collect::<Vec<_>>()))
    }

    fn numbers_of(&self, value: ValueId, frame: &Frame) -> Option<Numbers> {
        match &self.state.values.value(value).kind {
            ValueKind::Number(number) => Some(Numbers { places: Vec::new(), numbers: vec![*number] }),
            ValueKind::Coordinate(axis) => {
                let place = frame.axes.iter().position(|own| own == axis)?;
                let numbers = (0..frame.sizes[place]).map(|at| at as f64).collect();
                Some(Numbers { places: vec![place], numbers })
            }
            ValueKind::Broadcast(x) => self.numbers_of(*x, frame),
            ValueKind::Scalar(function, operands) => {
                let operands = operands.iter().map(|operand| self.numbers_of(*operand, frame));
                Some(frame.apply(*function, &operands.collect::<Option<Vec<_>>>()?))
            }
            _ => None,
        }
    }
}

impl Frame<'_> {
    fn apply(&self, function: Function, operands: &[Numbers]) -> Numbers {
        let places = (0..self.axes.len()).filter(|place| operands.iter().any(|own| own.places.contains(place)));
        let places = places.collect::<Vec<_>>();
        let columns = operands.iter().map(|operand| self.spread(operand, &places)).collect::<Vec<_>>();
        let count = places.iter().map(|place| self.sizes[*place]).product();
        let mut arguments = vec![0.0; columns.len()];
        let numbers = (0..count).map(|at| {
            arguments.iter_mut().zip(&columns).for_each(|(argument, column)| *argument = column[at]);
            function.apply(&arguments)
        });
        let numbers = numbers.collect();
        Numbers { places, numbers }
    }

    /// Numbers over more axes than they vary along.
    fn spread(&self, own: &Numbers, places: &[usize]) -> Vec<f64> {
        let mut indices = vec![0];
        let mut inner = own.numbers.len();
        for place in places {
            let size = self.sizes[*place];
            let varies = own.places.contains(place);
            inner = if varies { inner / size.max(1) } else { inner };
            let step = if varies { inner } else { 0 };
            indices = indices.iter().flat_map(|&start| (0..size).map(move |at| start + at * step)).collect();
        }
        indices.into_iter().map(|at| own.numbers[at]).collect()
    }
}
