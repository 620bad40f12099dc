//! Draws: counter-based random numbers, the same on every target and thread count.

use super::emitter::{Emitter, scalar_type};
use crate::graph::{Node, Value};
use crate::kernel::{Bound, Carried, RandomWords, Register, ScalarType};
use crate::model::{Combine, Law};
use crate::ops::parameters_of;
use crate::plan::place::{Place, Places};
use crate::tensor::{AxisId, BATCH, Function, random};
use archc_runtime::abi::Size;

impl Emitter<'_, '_> {
    /// A draw at places.
    pub(super) fn draw(&mut self, node: &Node, law: Law, path: &str, places: &Places) -> Register {
        let words = self.words(node, law, path, places);
        let ty = scalar_type(node.results[0].ty.dtype);
        let register = match law {
            Law::Uniform => {
                let [low, high] = self.parameters(node, ty, places);
                let width = self.nest.call(Function::Subtract, &[high, low]);
                let unit = self.unit(words[0], ty);
                let part = self.nest.call(Function::Multiply, &[width, unit]);
                self.nest.call(Function::Add, &[low, part])
            }
            Law::Normal => {
                let [mean, deviation] = self.parameters(node, ty, places);
                let normal = self.normal(words, ty);
                let part = self.nest.call(Function::Multiply, &[deviation, normal]);
                self.nest.call(Function::Add, &[mean, part])
            }
            Law::Bernoulli => {
                let [bar] = self.parameters(node, ScalarType::F32, places);
                let unit = self.unit(words[0], ScalarType::F32);
                self.nest.call(Function::Less, &[unit, bar])
            }
            Law::UniformIndex(axis) => {
                let count = self.scope.sizes.extent(axis);
                let count = self.nest.size(&count);
                let product = self.nest.call(Function::Multiply, &[words[0], count]);
                let range = self.nest.int(1 << 32);
                self.nest.call(Function::FloorDivide, &[product, range])
            }
            Law::Categorical(axis) => {
                let unit = self.unit(words[0], ScalarType::F32);
                self.categorical(node.operands[0], axis, unit, places)
            }
        };
        self.nest.convert(register, ty)
    }

    fn words(&mut self, node: &Node, law: Law, path: &str, places: &Places) -> [Register; 4] {
        let axes = &node.results[0].ty.axes;
        let outside = node.operands[parameters_of(law)..].to_vec();
        let turns = outside.first().map(|turn| self.scope.typed(*turn).ty.axes.clone()).unwrap_or_default();
        let outside = outside.into_iter().map(|value| self.value(value, places)).collect::<Vec<_>>();
        let row = outside.get(1).copied().unwrap_or_else(|| self.coordinate(BATCH, places));
        let others = axes.iter().filter(|axis| **axis != BATCH && !turns.contains(axis));
        let coordinates = others.map(|axis| self.coordinate(*axis, places)).collect();
        let scope = self.scope;
        let turns = scope.turns.iter().map(|turn| self.nest.size(turn)).chain(outside.first().copied()).collect();
        let seed = [0, 1].map(|half| match &scope.seed {
            Some(view) => {
                let mut view = view.clone();
                view.offset = view.offset.plus(Size::Constant(half));
                self.nest.load(&view, &Places::new())
            }
            None => self.nest.int(0),
        });
        self.nest.random(RandomWords {
            words: [Register(0); 4],
            seed,
            path: random::hash(path),
            turns,
            row,
            coordinates,
        })
    }

    fn parameters<const COUNT: usize>(&mut self, node: &Node, ty: ScalarType, places: &Places) -> [Register; COUNT] {
        std::array::from_fn(|place| {
            let value = self.value(node.operands[place], places);
            self.nest.convert(value, ty)
        })
    }

    /// A number of [0, 1) with 24 bits.
    fn unit(&mut self, word: Register, ty: ScalarType) -> Register {
        let cut = self.nest.int(256);
        let bits = self.nest.call(Function::FloorDivide, &[word, cut]);
        let bits = self.nest.convert(bits, ty);
        let scale = self.nest.number(1.0 / f64::from(1u32 << 24), ty);
        self.nest.call(Function::Multiply, &[bits, scale])
    }

    /// A standard normal number, by Box and Muller.
    fn normal(&mut self, words: [Register; 4], ty: ScalarType) -> Register {
        let [first, second] = [self.unit(words[0], ty), self.unit(words[1], ty)];
        let one = self.nest.number(1.0, ty);
        let rest = self.nest.call(Function::Subtract, &[one, first]);
        let log = self.nest.call(Function::Log, &[rest]);
        let factor = self.nest.number(-2.0, ty);
        let square = self.nest.call(Function::Multiply, &[factor, log]);
        let radius = self.nest.call(Function::Sqrt, &[square]);
        let circle = self.nest.number(std::f64::consts::TAU, ty);
        let angle = self.nest.call(Function::Multiply, &[circle, second]);
        let cosine = self.nest.call(Function::Cos, &[angle]);
        self.nest.call(Function::Multiply, &[radius, cosine])
    }

    /// The first index at which the running sum of weights exceeds the drawn part of their whole sum; if rounding lets
    /// none do so, the last of positive weight.
    fn categorical(&mut self, weights: Value, axis: AxisId, part: Register, places: &Places) -> Register {
        let ty = ScalarType::F32;
        let weight = &mut |emitter: &mut Self, places: &Places| {
            let weight = emitter.value(weights, places);
            emitter.nest.convert(weight, ty)
        };
        let whole = self.fold(Combine::Sum, ty, &[axis], &[weights], places, weight);
        let bar = self.nest.call(Function::Multiply, &[part, whole]);
        let (zero, end) = (self.nest.int(0), self.length(axis, places));
        let initial = [
            self.nest.number(0.0, ty),
            self.nest.number(0.0, ScalarType::Int),
            self.nest.number(0.0, ScalarType::Bool),
        ];
        let index = self.nest.open_loop(Bound::Register(zero), Bound::Register(end), false, false);
        self.runs(index, axis);
        let mut places = places.clone();
        places.insert(axis, Place::index(index));
        let [sum, chosen, done] = [ty, ScalarType::Int, ScalarType::Bool].map(|ty| self.nest.carry(ty));
        let present = self.present(weights, &places);
        let value = weight(self, &places);
        let nothing = self.nest.number(0.0, ty);
        let value = self.choose(present, value, nothing);
        let next_sum = self.nest.call(Function::Add, &[sum, value]);
        let positive = self.nest.call(Function::Less, &[nothing, value]);
        let open = self.nest.call(Function::Not, &[done]);
        let taken = self.nest.call(Function::And, &[positive, open]);
        let here = self.coordinate(axis, &places);
        let next_chosen = self.nest.call(Function::Select, &[taken, here, chosen]);
        let exceeds = self.nest.call(Function::Less, &[bar, next_sum]);
        let next_done = self.nest.call(Function::Or, &[done, exceeds]);
        let next = [next_sum, next_chosen, next_done];
        let registers = [sum, chosen, done].into_iter().zip(initial).zip(next);
        let carried = registers.map(|((register, initial), next)| Carried { register, initial, next, combine: None });
        self.nest.close_loop(carried.collect());
        chosen
    }
}
