//! Derivatives inside of a model: against finite differences and formulas. Samplers that a classifier guides: what the
//! block itself does, by the interpreter and natively, and where its gradient leads.

use super::compiled::{graphs, loaded, model};
use super::gradient;
use super::interpret::numbers;
use super::whole::{interpreted, natively, settings};
use archc::derive;
use archc::driver::{Session, compile};
use archc::interpret::{Data, Feed};
use archc::model::Model;
use archc::passes;
use archc::target::Target;
use archc::verify::native::Native;
use archc::verify::weights::random_weights;
use archc::verify::{Array, Batch, Engine, Interpreted};
use std::collections::BTreeMap;
use std::rc::Rc;

const ROWS: usize = 2;
const LONG: usize = 5;

/// A model with its weights and inputs.
struct Case {
    model: Model,
    weights: Vec<Array>,
    inputs: BTreeMap<String, Array>,
}

impl Case {
    fn of(text: &str, inputs: &[(&str, &[usize])]) -> Case {
        let model = model(text);
        let weights = random_weights(&model, 3);
        let input = |(name, axes): &(&str, &[usize]), seed: u64| {
            let shape = [&[ROWS], *axes].concat();
            let data = numbers(shape.iter().product(), seed).iter().map(|number| 2.0 * number).collect();
            (name.to_string(), Array { shape, data })
        };
        let inputs = inputs.iter().zip(5..).map(|(one, seed)| input(one, seed)).collect();
        Case { model, weights, inputs }
    }

    fn batch(&self) -> Batch {
        let lengths = BTreeMap::from([("t".to_string(), vec![LONG; ROWS])]);
        Batch { rows: ROWS, lengths, inputs: self.inputs.clone() }
    }

    fn interpreted(&self) -> BTreeMap<String, Array> {
        let graphs = graphs(&self.model);
        let outputs = Interpreted::new(&self.model, &graphs).forward(&self.weights, &self.batch());
        outputs.unwrap_or_else(|failure| panic!("{failure:?}")).into_iter().collect()
    }

    /// Native code gives what the interpreter gives.
    fn agrees(&self) -> BTreeMap<String, Array> {
        let expected = self.interpreted();
        let compiled = compile(&self.model, &graphs(&self.model), &Target::native(), &mut Session::default());
        let compiled = compiled.unwrap_or_else(|failure| panic!("{failure:?}"));
        let mut native = Native::new(&self.model, &compiled, 2).unwrap_or_else(|failure| panic!("{failure:?}"));
        let outputs = native.forward(&self.weights, &self.batch()).unwrap_or_else(|failure| panic!("{failure:?}"));
        for (name, array) in &expected {
            are_near(&outputs[name].data, &array.data, 1e-4, name);
        }
        expected
    }
}

fn are_near(left: &[f64], right: &[f64], tolerance: f64, what: &str) {
    assert_eq!(left.len(), right.len(), "{what}");
    let apart = |(left, right): (&f64, &f64)| (left - right).abs() / (1.0 + right.abs());
    let most = left.iter().zip(right).map(apart).fold(0.0, f64::max);
    assert!(most < tolerance, "{what}: {most}\n{left:?}\n{right:?}");
}

/// Layers, a recurrence, a look-up, a rank's choice, what is absent: everything lies on the way.
const SLOPE: &str = "model Slope {
  dim t, d = 4, v = 6, i = 2
  input x[t, d], keep[t] : bool
  param table[v, d], rates[d]
  y = x
  for i { y += mixer: gqa(norm: rmsnorm(y), 2, 2, width = 2) }
  S[d] = 0
  for t {
    S = tanh(rates * S + y)
    yield told[d] = S
  }
  scores = sum[d](told * table)
  best = max[v](scores where top[v](scores, 2)) + log_softmax[v](scores)[v: argmax[v](scores)]
  energy = sum[t](best where keep) + mean[t, d](x[t: t - 1 else 0] * told)
  output total = energy
  output slope[t, d] = grad(energy, x)
}";

#[test]
fn a_derivative_inside_of_a_model_is_that_of_finite_differences() {
    let mut case = Case::of(SLOPE, &[("x", &[LONG, 4]), ("keep", &[LONG])]);
    let keep = case.inputs.get_mut("keep").expect("an input");
    keep.data.iter_mut().enumerate().for_each(|(at, keep)| *keep = f64::from(at % 3 != 1));
    let outputs = case.agrees();
    let here = case.inputs["x"].data.clone();
    let mut wanted = Vec::new();
    for (at, own) in here.iter().enumerate() {
        let mut moved = |step: f64| {
            case.inputs.get_mut("x").expect("an input").data[at] = own + step;
            let total = case.interpreted()["total"].data.iter().sum::<f64>();
            case.inputs.get_mut("x").expect("an input").data[at] = *own;
            total
        };
        wanted.push((moved(1e-5) - moved(-1e-5)) / 2e-5);
    }
    are_near(&outputs["slope"].data, &wanted, 1e-7, "slope");
}

/// `x - c` shrinks by `1 - 2 · rate` in every step down the slope of its square. The block names d alone: t rides.
#[test]
fn steps_down_a_slope_lead_where_the_formula_says() {
    let text = "block downhill(energy(x[d]) -> y, x[d], rate) -> [d] {
  for n in 5 { x = x - rate * grad(energy(x), x) }
  return x
}
block bowl(x[d], c[d]) -> y { return sum[d]((x - c) * (x - c)) }
model Descent {
  dim t, d = 4
  input x[t, d], c[t, d]
  output end[t, d] = downhill(bowl(_, c), x, 0.1)
}";
    let case = Case::of(text, &[("x", &[LONG, 4]), ("c", &[LONG, 4])]);
    let ends = case.inputs["x"].data.iter().zip(&case.inputs["c"].data);
    let ends = ends.map(|(x, c)| c + 0.8_f64.powi(5) * (x - c)).collect::<Vec<_>>();
    are_near(&case.agrees()["end"].data, &ends, 1e-9, "end");
}

/// A loss that is made of a derivative: its own gradients are second derivatives.
#[test]
fn training_goes_through_a_derivative() {
    let model = model(
        "model Smooth {
  dim t, d = 3, v = 5
  input ids[t] : v
  param table[v, d], deep[d, v], w[v]
  x = table[v: ids]
  for i in 2 { x += layer: mlp(x, 4, act = tanh_of) }
  y = tanh(sum[d](x * deep))
  energy = sum[t, v](w * y * y)
  slope = grad(energy, x)
  loss mean[batch, t](sum[d](slope * slope) + sum[v](y))
}
block mlp(x[d], hidden, act(x) -> y) -> [d] {
  dim f = hidden
  param up[d, f], down[f, d]
  return sum[f](act(sum[d](x * up)) * down)
}
block tanh_of(x) -> y { return tanh(x) }
",
    );
    let graph = derive::build(&model, model.train.as_ref().expect("it learns"), "train");
    let mut feed = Feed::default();
    feed.inputs.insert("ids".into(), Data::new([2, 3], vec![0.0, 3.0, 1.0, 4.0, 2.0, 2.0]));
    for (parameter, array) in model.parameters.iter().zip(random_weights(&model, 4)) {
        let data = array.data.iter().map(|number| 10.0 * number).collect::<Vec<_>>();
        feed.parameters.insert(parameter.path.clone(), Rc::new(Data::new(array.shape, data)));
    }
    gradient::assert_gradients(&passes::prepare(graph).expect("prepares"), &feed);
}

/// A linear classifier's slope is known: by the chain through softmax, where the text is open.
#[test]
fn scores_are_steered_by_the_slope_of_the_classifier() {
    let text = "block linear(x[t, v], w[v]) -> y { return log(sigmoid(sum[t, v](x * w))) }
model Steered {
  dim t, v = 7
  input guess[t, v], seen[t, v], w[v], here[t] : bool
  output next[t, v] = steered(guess, here, seen, linear(_, w), 1.5)
  p = softmax[v](guess)
  z = sum[t, v]((p where here else seen) * w)
  output formula[t, v] = guess + 1.5 * (1 - sigmoid(z)) * (p * (w - sum[v](p * w)) where here else 0)
}";
    let mut case = Case::of(text, &[("guess", &[LONG, 7]), ("seen", &[LONG, 7]), ("w", &[7]), ("here", &[LONG])]);
    let here = case.inputs.get_mut("here").expect("an input");
    here.data.iter_mut().enumerate().for_each(|(at, here)| *here = f64::from(at % 3 != 0));
    let outputs = case.agrees();
    are_near(&outputs["next"].data, &outputs["formula"].data, 1e-10, "next");
    assert_ne!(outputs["next"].data, case.inputs["guess"].data, "the classifier says something");
}

/// Of starts that are normal, and a classifier that says how near to m they are with a deviation of its own: what the noised
/// vector says of the class is known, and the mean of the start by Bayes.
#[test]
fn a_guess_leans_as_bayes_says() {
    let text = "block exact(x[t, d], step : n, left[n]) -> [t, d] { return sqrt(left[n: step]) * x }
block nearness(x[t, d], step : n, left[n], m[d], spread) -> y {
  here = left[n: step]
  off = m - sqrt(here) * x
  return sum[t, d](-off * off / (2 * (spread * spread + 1 - here)))
}
model Leaning {
  dim t, d = 3, n = 6
  input x[t, d], m[d]
  left = left_after(linear_noise[n](0.1, 0.5))
  set step = 3, spread = 0.5
  output guess[t, d] = leaning(exact(_, _, left), nearness(_, _, left, m, spread), x, step, left, 1.0)
  here = left[n: step]
  prior = sqrt(here) * x
  output bayes[t, d] = prior + (1 - here) / (1 - here + spread * spread) * (m - prior)
}";
    let case = Case::of(text, &[("x", &[LONG, 3]), ("m", &[3])]);
    let outputs = case.agrees();
    are_near(&outputs["guess"].data, &outputs["bayes"].data, 1e-10, "guess");
}

const BODY: &str = "block body[t, d](x[t, d], step : n, times[n, d]) -> [t, d] {
  y = x + times[n: step]
  return y + attn: gqa(y, 2, 2, sight = |t|)
}
";
/// The token that classifiers like.
const LIKED: i32 = 5;

fn rows() -> Vec<Vec<u32>> {
    vec![vec![3, 1, 4, 1, 2], vec![9, 2], vec![6, 19, 7, 19]]
}

/// The texts of a sampler, by the interpreter and natively.
fn texts(text: &str, others: &[(&str, f64)]) -> Vec<Vec<i32>> {
    let model = model(&format!("{text}{BODY}"));
    let graphs = graphs(&model);
    let weights = random_weights(&model, 3);
    let own = settings(&model, &[&[("new", 8.0)], others].concat());
    let ids = interpreted(&model, &graphs, &weights, &own, &rows());
    let mut loaded = loaded(&model, &graphs, &weights, 2);
    assert_eq!(natively(&mut loaded, &own, &rows()), ids, "{}: {others:?}", model.name);
    ids
}

fn liked(texts: &[Vec<i32>]) -> usize {
    texts.iter().flatten().filter(|id| **id == LIKED).count()
}

fn corners(sampler: &str) -> String {
    format!(
        "block likes(x[t, v]) -> y {{ return sum[t](log(0.01 + x[v: {LIKED}])) }}
model Corners {{
  dim t, d = 8, v = 20, n = 6
  input x[t, v], part
  param table[v, d], times[n, d]
  output logits = sum[d](body(sum[v](x * table) + part, 0, times) * table)
  generate {sampler}
}}
"
    )
}

#[test]
fn a_classifier_guides_a_sampler_of_corners() {
    let plain = corners("simplex_sample(self(_, _), blank = |v| - 1)");
    let guided = corners("simplex_guided(self(_, _), likes, blank = |v| - 1)");
    for others in [[("steps", 4.0), ("length", 0.0)], [("steps", 6.0), ("length", 4.0)]] {
        let with = |guidance: f64| texts(&guided, &[&others[..], &[("guidance", guidance)]].concat());
        let (free, weak, strong) = (texts(&plain, &others), with(0.0), with(20.0));
        assert_eq!(weak, free, "no guidance changes nothing");
        assert!(liked(&strong) > liked(&free) + 8, "{free:?} {strong:?}");
        for (row, text) in rows().iter().zip(&strong) {
            assert!(row.iter().zip(text).all(|(given, now)| *given == 19 || *given as i32 == *now), "{text:?}");
        }
    }
}

fn vectors(sampler: &str) -> String {
    format!(
        "block likes(x[t, d], step : n, table[v, d]) -> y {{
  far = sum[d]((x - table) * (x - table))
  return sum[t](log_softmax[v](-far)[v: {LIKED}])
}}
block tells[t, d](x[t, d], told[t, d], step : n, times[n, d]) -> [t, d] {{ return body(x + 0.5 * told, step, times) }}
model Vectors {{
  dim t, d = 8, v = 20, n = 6
  input ids[t] : v, told[t, d], step : n
  param table[v, d], times[n, d]
  left = left_after(falling_noise[n](root_left))
  output guess[t, d] = body(table[v: ids] + 0.5 * told, step, times)
  generate {sampler}, table = table, left = left)
}}
"
    )
}

#[test]
fn a_classifier_guides_samplers_of_vectors() {
    let samplers = [
        "embedded_guided(body(_, _, times), likes(_, _, table)",
        "remembering_guided(tells(_, _, _, times), likes(_, _, table)",
    ];
    for sampler in samplers {
        for others in [[("still", 0.0)], [("still", 1.0)]] {
            let with = |guidance: f64| texts(&vectors(sampler), &[&others[..], &[("guidance", guidance)]].concat());
            let (free, strong) = (with(0.0), with(2.0));
            assert!(liked(&strong) > liked(&free) + 4, "{sampler}: {free:?} {strong:?}");
        }
    }
}
