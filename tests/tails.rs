//! Values that are read a few positions back: however rows come, in runs of one position or of a hundred, later positions
//! read the same of them.

use super::compiled::{graphs, loaded, model_with};
use archc::verify::weights::random_weights;
use archc_runtime::generate::Decoder;
use archc_runtime::model::Loaded;

const LENGTH: usize = 136;

/// A family of small sizes.
fn small(file: &str, settings: &[(&str, &str)]) -> Loaded {
    let text = std::fs::read_to_string(format!("{}/examples/{file}.arch", env!("CARGO_MANIFEST_DIR")));
    let common = [("layers", "2"), ("d", "16"), ("v", "31")];
    let model = model_with(&text.expect("is there"), &[&common, settings].concat());
    loaded(&model, &graphs(&model), &random_weights(&model, 5), 2)
}

/// The scores of two rows after every run: how many positions each row gets in it.
fn scores(model: &mut Loaded, runs: &[[usize; 2]]) -> Vec<([usize; 2], [Vec<f32>; 2])> {
    let text = |row: usize| (0..LENGTH).map(|place| ((place * (3 + row) + place / 7) % 31) as u32).collect::<Vec<_>>();
    let rows = [text(0), text(1)];
    let mut decoder = Decoder::new(model, 2, LENGTH).expect("it decodes");
    let (mut seen, mut all) = ([0; 2], Vec::new());
    for run in runs {
        let part = |row: usize| &rows[row][seen[row]..seen[row] + run[row]];
        decoder.feed(&[part(0), part(1)]).expect("known ids");
        seen = [seen[0] + run[0], seen[1] + run[1]];
        all.push((seen, [decoder.scores(0).to_vec(), decoder.scores(1).to_vec()]));
    }
    all
}

#[test]
fn runs_of_any_length_leave_what_steps_leave() {
    let families: [(&str, &[(&str, &str)]); 3] = [
        ("mamba", &[("inner", "24"), ("low", "4"), ("state", "4")]),
        ("rwkv", &[("inner", "16"), ("hidden", "24")]),
        (
            "jamba",
            &[
                ("inner", "24"),
                ("low", "4"),
                ("state", "4"),
                ("heads", "2"),
                ("kv_heads", "1"),
                ("hidden", "24"),
                ("e", "4"),
                ("attn_every", "2"),
                ("attn_at", "1"),
            ],
        ),
    ];
    for (file, settings) in families {
        let mut model = small(file, settings);
        let by_step = scores(&mut model, &[[1; 2]; LENGTH]);
        let by_run = scores(&mut model, &[[1, 130], [2, 1], [3, 0], [130, 5]]);
        for (seen, run) in by_run {
            for row in 0..2 {
                let step = &by_step[seen[row] - 1].1[row];
                let far = step.iter().zip(&run[row]).map(|(step, run)| (step - run).abs()).fold(0.0, f32::max);
                assert!(far < 2e-5, "{file}, row {row}, {} positions: {far}", seen[row]);
            }
        }
    }
}
