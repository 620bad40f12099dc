//! What rows stop by, and what samplers give: the sequence with what the turn has just written in it, all of its
//! positions. Whatever form turns are compiled to, they leave what the block itself leaves over whole texts.

use super::blocks::whole_texts;
use super::compiled::{graphs, loaded, model};
use super::whole::{interpreted, natively, settings};
use archc::model::Model;
use archc::verify::weights::random_weights;

/// The last token is the mask.
fn rows() -> Vec<Vec<u32>> {
    let long = (0..12).map(|at| if at == 7 { 19 } else { at }).collect();
    vec![vec![3, 1, 4, 1, 5], vec![9, 2], vec![6, 19, 7, 19], long]
}

/// Goes block by block, until something holds.
fn by_blocks(until: &str) -> Model {
    model(&format!(
        "block filled[j](net(ids[t] : v) -> [t, v], prompt[p] : v, mask : v, new = 10, steps = 4) -> ids[t] : v {{
  dim t = |p| + new, b = (|t| + |j| - 1) // |j|
  ids = prompt[p: t else mask]
  for b {{
    for n in steps until {until} {{
      guess = argmax[v](net(ids))
      sure = max[v](net(ids)) where t // |j| == b and ids == mask
      ids = guess where t // |j| == b and top[t](sure, 2)
    }}
  }}
  return ids
}}
model Tiny {{
  dim t, d = 12, v = 20, j = 5
  set mask = |v| - 1
  input ids[t] : v
  param table[v, d]
  x = table[v: ids]
  for i in 2 {{ x += attn: gqa(norm1: rmsnorm(x), 4, 2, width = 6, sight = t // 5 * 5 + 4) }}
  output logits = 2 * sum[d](norm: rmsnorm(x) * table)
  generate filled[j = j](self, mask = mask)
}}
"
    ))
}

#[test]
fn turns_of_blocks_stop_by_all_positions_of_the_text() {
    let all = [
        ("not any[t](ids == mask)", false),
        ("sum[t](ids == mask) == 11", false),
        ("any[t](ids != mask and t >= |p| + 2)", false),
        ("not any[t](ids == mask where t // |j| == b)", true),
    ];
    for (until, own_block) in all {
        let model = by_blocks(until);
        let graphs = graphs(&model);
        let weights = random_weights(&model, 3);
        let own = settings(&model, &[]);
        let ids = interpreted(&model, &whole_texts(&model, &graphs), &weights, &own, &rows());
        let why = graphs.whole.as_ref().map(ToString::to_string);
        assert_eq!(why.is_none(), own_block, "{until} looks at the turn's own block alone: {why:?}");
        assert!(why.as_ref().is_none_or(|why| why.contains("all positions")), "{why:?}");
        assert_eq!(interpreted(&model, &graphs, &weights, &own, &rows()), ids, "{until}: {why:?}");
        assert_eq!(natively(&mut loaded(&model, &graphs, &weights, 2), &own, &rows()), ids, "{until}, natively");
    }
}

/// Goes token by token; `given` is its answer.
fn by_tokens(until: &str, counted: &str, given: &str) -> Model {
    model(&format!(
        "block stopping(net(ids[t] : v) -> [t, v], prompt[p] : v, new = 7) -> ids[t] : v {{
  dim t = |p| + new
  ids = prompt[p: t else 0]
  seen = 0
  for n in new until {until} {{
    next = argmax[v](net(ids)[t: |p| + n - 1])
    ids = next where t == |p| + n
    seen = {counted}
  }}
  return {given}
}}
model Tiny {{
  dim t, d = 12, v = 20
  input ids[t] : v
  param table[v, d], head[v, d]
  x = table[v: ids] + attn: gqa(table[v: ids], 4, 2, width = 6)
  output logits = sum[d](norm: rmsnorm(x) * head)
  generate stopping(self)
}}
"
    ))
}

/// A turn of the newest token alone does not know what it writes: then all turns are one program.
#[test]
fn turns_of_tokens_stop_by_what_they_have_just_written() {
    let read = "sum[t](ids > 9 where t >= |p|)";
    for (until, counted) in [(format!("{read} >= 2"), "seen + 1"), ("seen >= 2".to_string(), read)] {
        let model = by_tokens(&until, counted, "ids");
        let graphs = graphs(&model);
        let why = graphs.whole.as_ref().expect("it is no series of turns").to_string();
        assert!(why.contains("just written"), "{why}");
        let weights = random_weights(&model, 3);
        let own = settings(&model, &[]);
        let ids = interpreted(&model, &graphs, &weights, &own, &rows());
        assert_eq!(natively(&mut loaded(&model, &graphs, &weights, 2), &own, &rows()), ids, "{until}");
        let mut stopped = 0;
        for (row, ids) in rows().iter().zip(&ids) {
            let new = &ids[row.len()..];
            let second = new.iter().enumerate().filter(|(_, id)| **id > 9).nth(1).map(|(at, _)| at);
            let rest = second.map_or(&[][..], |second| &new[second + 1..]);
            assert!(rest.iter().all(|id| *id == 0), "a row stops with the second such token: {new:?}");
            stopped += usize::from(!rest.is_empty());
        }
        assert!(stopped > 0, "some row stops early: {ids:?}");
    }
    assert!(graphs(&by_tokens("next > 9", "seen + 1", "ids")).turn.is_some(), "the choice itself is known");
}

#[test]
fn what_a_sampler_gives_may_be_made_of_its_text() {
    let model = by_tokens("next > 9", "seen + 1", "ids where t >= |p| else 1");
    let graphs = graphs(&model);
    let why = graphs.whole.as_ref().expect("it is no series of turns").to_string();
    assert!(why.contains("all turns"), "{why}");
    let weights = random_weights(&model, 3);
    let own = settings(&model, &[]);
    let ids = interpreted(&model, &graphs, &weights, &own, &rows());
    assert_eq!(natively(&mut loaded(&model, &graphs, &weights, 2), &own, &rows()), ids);
    assert!(rows().iter().zip(&ids).all(|(row, ids)| ids[..row.len()].iter().all(|id| *id == 1)), "{ids:?}");
}
