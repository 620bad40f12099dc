//! Recurrences: classes decided by algebra, and the chunkwise form against the loop, by the interpreter.

mod choice;
mod forms;
mod layout;
pub mod operators;

use archc::derive;
use archc::driver::{self, Request, Session};
use archc::passes::scans::{Class, Form, Scan, explain};
use std::path::PathBuf;

use super::program::models::checked;

/// A model whose only scan is this text; k and m are summed and kept, h rides.
pub fn model_of(scan: &str) -> archc::model::Model {
    sized_model_of(scan, 3, 4)
}

fn sized_model_of(scan: &str, k: u32, m: u32) -> archc::model::Model {
    checked(format!(
        "use activations\nmodel Scan {{\n  dim t, h = 2, k = {k}, m = {m}\n\
         input q[t, h, k], key[t, h, k], val[t, h, m], a[t, h], g[t, h, k], e[t, h, k, m], beta[t, h]\n\
         param wq[h, k], wk[h, k], wv[h, m], wa[h], wg[h, k]\n\
         qq = q * wq;  kk = key * wk;  vv = val * wv;  fade = a * wa;  gate = g * wg\n{scan}\n  output out = y\n}}\n"
    ))
}

fn scan_of(scan: &str) -> Scan {
    let model = model_of(scan);
    let scans = explain(&derive::build(&model, &model.forward, "forward"), Form::Planned);
    assert_eq!(scans.len(), 1, "one scan");
    scans.into_iter().next().expect("one scan")
}

/// The class of the first carried value of an update of `S[h, k, m]` that `sum[k](S * qq)` is read of.
fn class_of(update: &str) -> Class {
    let scan = scan_of(&format!("S[h, k, m] : f32 = 0\nfor t {{ {update}\n yield y = sum[k](S * qq) }}"));
    scan.states[0].class.clone()
}

#[test]
fn a_class_is_decided_by_algebra_and_not_by_how_the_update_is_written() {
    let cases = [
        ("S = kk * vv", Class::Zero),
        ("S = 0 * S + kk * vv", Class::Zero),
        ("S = S - S + kk * vv", Class::Zero),
        ("S += kk * vv", Class::Identity),
        ("S = -(-S - kk * vv)", Class::Identity),
        ("S = (2 * S + vv * kk) / 2 + kk * vv / 2", Class::Identity),
        ("S = exp(fade) * S + kk * vv", Class::Scalar),
        ("u = kk * vv;  S = u + S * exp(fade / 2) * exp(fade / 2)", Class::Scalar),
        ("S = (S + kk * vv / exp(fade)) * exp(fade)", Class::Scalar),
        ("S = 0.9 * S + kk * vv", Class::Scalar),
        ("S = sigmoid(fade) * S + (1 - sigmoid(fade)) * (kk * vv)", Class::Scalar),
        ("S = S - sigmoid(fade) * S + kk * vv", Class::Scalar),
        ("S = exp(gate) * S + kk * vv", Class::PerChannel),
        ("S = S * sigmoid(gate) + vv * kk", Class::PerChannel),
        ("S = exp(e) * S + kk * vv", Class::Diagonal),
        ("S += beta * kk * (vv - sum[k](S * kk))", Class::IdentityMinusRankOne),
        ("p = sum[k](kk * S);  S = S - kk * beta * p + vv * (beta * kk)", Class::IdentityMinusRankOne),
        ("S = exp(fade) * S;  S += beta * kk * (vv - sum[k](S * kk))", Class::ScalarTimesIdentityMinusRankOne),
        ("S = exp(fade) * (S - beta * kk * sum[k](S * kk)) + kk * vv", Class::ScalarTimesIdentityMinusRankOne),
        ("S = exp(fade) * S - beta * kk * sum[k](S * kk) + kk * vv", Class::ScalarMinusRankOne),
        ("S = exp(gate) * S;  S += beta * kk * (vv - sum[k](S * kk))", Class::DiagonalMinusRankOne),
        ("S = exp(gate) * S + gate * sum[k](S * qq) + kk * vv", Class::DiagonalMinusRankOne),
    ];
    for (update, class) in cases {
        assert_eq!(class_of(update), class, "{update}");
    }
}

#[test]
fn what_is_not_affine_and_what_has_no_shape_says_why() {
    let nonlinear = ["S = tanh(S) + kk * vv", "S = S * S + kk * vv", "S = max(S, kk * vv)", "S = kk * vv / (1 + S)"];
    for update in nonlinear {
        assert!(matches!(class_of(update), Class::Nonlinear(_)), "{update}");
    }
    let general = "S = S - kk * sum[k](S * kk) - qq * sum[k](S * qq) + kk * vv";
    assert!(matches!(class_of(general), Class::General(_)), "{general}");
    let scan = scan_of("S[h, k, m] : f32 = 0\nfor t { S = fade * S + kk * vv\n yield y = sum[k](S * qq) }");
    let why = scan.refusal.expect("a reason");
    assert!(why.contains("not known to be positive"), "{why}");
}

fn classes_in(file: &str, sizes: &[&str]) -> Vec<(Vec<String>, Option<u32>)> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples").join(file);
    let settings = sizes.iter().map(|name| (name.to_string(), "128".to_string())).collect();
    let model = driver::check(&Request { file, settings, ..Request::default() }, &mut Session::default());
    let model = model.expect("checks");
    let scans = explain(&derive::build(&model, &model.forward, "forward"), Form::Planned);
    let classes = |scan: &Scan| scan.states.iter().map(|state| state.class.to_string()).collect();
    scans.iter().map(|scan| (classes(scan), scan.chunk)).collect()
}

#[test]
fn every_recurrence_of_the_library_has_its_class_and_its_form() {
    let is = |file: &str, classes: &[&str], chunk: Option<u32>| {
        let sizes: &[&str] = if file.starts_with("ops/op_") { &["n", "m"] } else { &[] };
        let only = classes_in(file, sizes).into_iter().next().expect("a scan");
        assert_eq!(only, (classes.iter().map(ToString::to_string).collect(), chunk), "{file}");
    };
    is("retnet.arch", &["scalar", "scalar", "diagonal"], Some(32));
    is("mamba2.arch", &["scalar"], Some(32));
    is("deltanet.arch", &["identity minus rank one"], Some(32));
    is("gated_deltanet.arch", &["scalar times (identity minus rank one)"], Some(32));
    is("qwen3_next.arch", &["scalar times (identity minus rank one)"], Some(32));
    is("mamba.arch", &["diagonal"], None);
    is("jamba.arch", &["diagonal"], None);
    is("rwkv.arch", &["nonlinear (`maximum` of what is carried)"; 3], None);
    is("ops/op_linear_attn.arch", &["identity"], Some(32));
    is("ops/op_retention.arch", &["scalar"], Some(32));
    is("ops/op_gla.arch", &["per channel"], Some(16));
    is("ops/op_delta_rule.arch", &["identity minus rank one"], Some(32));
    is("ops/op_kda.arch", &["diagonal minus rank one"], Some(16));
    is("ops/rwkv7_mix.arch", &["diagonal minus rank one"], None);
}

#[test]
fn what_looks_at_nothing_later_is_known_first_and_the_rest_is_linear() {
    let text = "S[h, k, m] : f32 = 0;  peak[h] : f32 = -1e30\n\
                for t { n = max(peak + fade, beta);  S = exp(peak + fade - n) * S + exp(beta - n) * kk * vv;  peak = n\n\
                yield y = sum[k](S * qq) }";
    let model = sized_model_of(text, 64, 64);
    let scans = explain(&derive::build(&model, &model.forward, "forward"), Form::Planned);
    let classes = scans.iter().map(|scan| (scan.states[0].class.clone(), scan.chunk)).collect::<Vec<_>>();
    assert!(matches!(classes.as_slice(), [(Class::Nonlinear(_), None), (Class::Scalar, Some(32))]), "{classes:?}");
}
