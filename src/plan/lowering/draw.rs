//! Draws: counter-based random numbers, the same on every target and thread count.

use super::emitter::{Emitter, scalar_type};
use crate::graph::Node;
use crate::kernel::{RandomWords, Register, ScalarType};
use crate::model::Law;
use crate::ops::parameters_of;
use crate::plan::place::Places;
use crate::tensor::{AxisId, BATCH, Function, random};
use archc_runtime::abi::Size;

impl Emitter<'_, '_> {
    /// A draw at places.
    pub(super) fn draw(&mut self, node: &Node, law: Law, path: &str, places: &Places) -> Register {
        let ty = scalar_type(node.results[0].ty.dtype);
        let register = match law {
            Law::Uniform => {
                let word = self.word(node, law, path, places);
                let [low, high] = self.parameters(node, ty, places);
                let width = self.nest.call(Function::Subtract, &[high, low]);
                let unit = self.unit(word, ty);
                let part = self.nest.call(Function::Multiply, &[width, unit]);
                self.nest.call(Function::Add, &[low, part])
            }
            Law::Normal => {
                let normal = self.member(node, path, places);
                self.normal(node, normal, places)
            }
            Law::Bernoulli => {
                let word = self.word(node, law, path, places);
                let [bar] = self.parameters(node, ScalarType::F32, places);
                let unit = self.unit(word, ScalarType::F32);
                self.nest.call(Function::Less, &[unit, bar])
            }
            Law::UniformIndex(axis) => {
                let word = self.word(node, law, path, places);
                let count = self.scope.sizes.extent(axis);
                let count = self.nest.size(&count);
                let product = self.nest.call(Function::Multiply, &[word, count]);
                let range = self.nest.int(1 << 32);
                self.nest.call(Function::FloorDivide, &[product, range])
            }
            Law::Categorical(axis) => {
                let word = self.word(node, law, path, places);
                let unit = self.unit(word, ScalarType::F32);
                self.categorical(node.operands[0], axis, unit, places)
            }
        };
        self.nest.convert(register, ty)
    }

    /// The axes whose coordinates tell the numbers of a draw in one row and turn apart, in order.
    pub fn counted(&self, node: &Node, law: Law) -> Vec<AxisId> {
        let turn = node.operands.get(parameters_of(law));
        let turns = turn.map(|turn| self.scope.typed(*turn).ty.axes.clone()).unwrap_or_default();
        let axes = node.results[0].ty.axes.iter().copied();
        axes.filter(|axis| *axis != BATCH && !turns.contains(axis)).collect()
    }

    fn word(&mut self, node: &Node, law: Law, path: &str, places: &Places) -> Register {
        let coordinates = self.coordinates(node, law, places);
        self.words(node, law, path, places, coordinates)[0]
    }

    fn coordinates(&mut self, node: &Node, law: Law, places: &Places) -> Vec<Register> {
        self.counted(node, law).into_iter().map(|axis| self.coordinate(axis, places)).collect()
    }

    /// The words of coordinates in the row and turn of places.
    fn words(
        &mut self,
        node: &Node,
        law: Law,
        path: &str,
        places: &Places,
        coordinates: Vec<Register>,
    ) -> [Register; 4] {
        let outside = node.operands[parameters_of(law)..].to_vec();
        let outside = outside.into_iter().map(|value| self.value(value, places)).collect::<Vec<_>>();
        let [low, high, first] = [0, 1, 2].map(|part| self.seed(part));
        let row = outside.get(1).copied().unwrap_or_else(|| {
            let own = self.coordinate(BATCH, places);
            self.nest.call(Function::Add, &[first, own])
        });
        let turns = self.scope.turns.iter().map(|turn| self.nest.size(turn)).chain(outside.first().copied()).collect();
        self.nest.random(RandomWords {
            words: [Register(0); 4],
            seed: [low, high],
            path: random::hash(path),
            turns,
            row,
            coordinates,
        })
    }

    /// A number of the input that is called `seed`.
    fn seed(&mut self, part: i64) -> Register {
        let Some(mut view) = self.scope.seed.clone() else { return self.nest.int(0) };
        view.offset = view.offset.plus(Size::Constant(part));
        self.nest.load(&view, &Places::new())
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

    /// The numbers of a group, `tensor::random::normals`: `group` stands for the last of the counted coordinates.
    pub fn normals(&mut self, node: &Node, path: &str, places: &Places, group: Register) -> [Register; 4] {
        let words = self.group_words(node, path, places, Some(group));
        let ty = scalar_type(node.results[0].ty.dtype);
        let [[a, b], [c, d]] = [[words[0], words[1]], [words[2], words[3]]].map(|pair| self.box_muller(pair, ty));
        [a, b, c, d]
    }

    fn group_words(&mut self, node: &Node, path: &str, places: &Places, group: Option<Register>) -> [Register; 4] {
        let mut coordinates = self.coordinates(node, Law::Normal, places);
        if let (Some(last), Some(group)) = (coordinates.last_mut(), group) {
            *last = group;
        }
        self.words(node, Law::Normal, path, places, coordinates)
    }

    /// The standard normal number of one element, `tensor::random::Stream::normal`.
    fn member(&mut self, node: &Node, path: &str, places: &Places) -> Register {
        let ty = scalar_type(node.results[0].ty.dtype);
        let Some(at) = self.coordinates(node, Law::Normal, places).pop() else {
            let words = self.group_words(node, path, places, None);
            return self.box_muller([words[0], words[1]], ty)[0];
        };
        let [apart, four, two, one] = [random::APART as i64, 4, 2, 1].map(|number| self.nest.int(number));
        let [row, lane] = [Function::FloorDivide, Function::Remainder].map(|part| self.nest.call(part, &[at, apart]));
        let begin = self.nest.call(Function::FloorDivide, &[row, four]);
        let begin = self.nest.call(Function::Multiply, &[begin, apart]);
        let group = self.nest.call(Function::Add, &[begin, lane]);
        let words = self.group_words(node, path, places, Some(group));
        let member = self.nest.call(Function::Remainder, &[row, four]);
        let later = self.nest.call(Function::LessEqual, &[two, member]);
        let pair = [0, 1].map(|word| self.nest.call(Function::Select, &[later, words[2 + word], words[word]]));
        let [cosine, sine] = self.box_muller(pair, ty);
        let side = self.nest.call(Function::Remainder, &[row, two]);
        let side = self.nest.call(Function::Equal, &[side, one]);
        self.nest.call(Function::Select, &[side, sine, cosine])
    }

    /// A standard normal number with the mean and deviation of its place.
    pub fn normal(&mut self, node: &Node, number: Register, places: &Places) -> Register {
        let [mean, deviation] = self.parameters(node, self.nest.ty(number), places);
        let part = self.nest.call(Function::Multiply, &[deviation, number]);
        self.nest.call(Function::Add, &[mean, part])
    }

    /// Two standard normal numbers of two words (Box and Muller, 1958).
    fn box_muller(&mut self, words: [Register; 2], ty: ScalarType) -> [Register; 2] {
        if ty == ScalarType::F32 {
            return self.nest.normals(words);
        }
        let [first, second] = words.map(|word| self.unit(word, ty));
        let one = self.nest.number(1.0, ty);
        let rest = self.nest.call(Function::Subtract, &[one, first]);
        let log = self.nest.call(Function::Log, &[rest]);
        let factor = self.nest.number(-2.0, ty);
        let square = self.nest.call(Function::Multiply, &[factor, log]);
        let radius = self.nest.call(Function::Sqrt, &[square]);
        let circle = self.nest.number(std::f64::consts::TAU, ty);
        let angle = self.nest.call(Function::Multiply, &[circle, second]);
        [Function::Cos, Function::Sin].map(|part| {
            let part = self.nest.call(part, &[angle]);
            self.nest.call(Function::Multiply, &[radius, part])
        })
    }
}
