//! Which form is chosen: the one that costs less at the sizes of the program.

use archc::derive;
use archc::passes::scans::{Form, Scan, explain};

use crate::program::models::checked;

const SUMS: &str = "S += kk * vv";
const FADING: &str = "S = exp(-softplus(fade)) * S + kk * vv";
const GATED: &str = "S = exp(-softplus(gate)) * S + kk * vv";
const CORRECTED: &str = "S += sigmoid(beta) * kk * (vv - sum[k](S * kk))";
const FADING_CORRECTED: &str = "S = exp(-softplus(fade)) * S\n S += sigmoid(beta) * kk * (vv - sum[k](S * kk))";
const GATED_CORRECTED: &str = "S = exp(-softplus(gate)) * S\n S += sigmoid(beta) * kk * (vv - sum[k](S * kk))";

/// The scan of an update of `S[h, k, m]`, where k and m have so many positions.
fn scan_of(update: &str, size: u32, form: Form) -> Scan {
    let model = checked(format!(
        "use activations\nmodel Scan {{\n  dim t, h = 2, k = {size}, m = {size}\n\
         input qq[t, h, k], kk[t, h, k], vv[t, h, m], fade[t, h], gate[t, h, k], beta[t, h]\n\
         S[h, k, m] : f32 = 0\nfor t {{ {update}\n yield y = sum[k](S * qq) }}\n  output out = y\n}}\n"
    ));
    let scans = explain(&derive::build(&model, &model.forward, "forward"), form);
    assert_eq!(scans.len(), 1, "one scan");
    scans.into_iter().next().expect("one scan")
}

#[test]
fn chunks_are_chosen_where_the_state_is_large_enough_to_pay_for_what_they_cost_besides() {
    let cases = [
        (SUMS, 64, Some(32)),
        (SUMS, 128, Some(32)),
        (FADING, 64, Some(32)),
        (FADING, 128, Some(32)),
        (CORRECTED, 64, Some(32)),
        (FADING_CORRECTED, 64, Some(32)),
        (FADING_CORRECTED, 128, Some(32)),
        (GATED, 64, Some(16)),
        (GATED, 128, Some(16)),
        (GATED_CORRECTED, 64, Some(16)),
        (GATED_CORRECTED, 128, Some(16)),
        (SUMS, 4, None),
        (FADING_CORRECTED, 4, None),
        (GATED, 4, None),
        (GATED_CORRECTED, 4, None),
    ];
    for (update, size, chunk) in cases {
        let scan = scan_of(update, size, Form::Planned);
        assert_eq!(scan.chunk, chunk, "{update} at {size}: {:?}", scan.refusal);
        assert!(scan.possible && scan.refusal.is_some() == chunk.is_none(), "{update} at {size}");
    }
}

#[test]
fn a_form_that_is_not_chosen_says_what_it_would_cost_and_is_made_if_asked_for() {
    let text = scan_of(GATED_CORRECTED, 4, Form::Planned).to_string();
    assert!(text.contains("planned    sequential\n  because    in chunks it would cost about "), "{text}");
    assert_eq!(scan_of(GATED_CORRECTED, 4, Form::Chunkwise(None)).chunk, Some(16));
    assert_eq!(scan_of(SUMS, 128, Form::Sequential).chunk, None);
}
