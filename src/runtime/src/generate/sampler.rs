//! Chooses a token from scores.
//!
//! In this order: repetition penalty, temperature, top-k, top-p, min-p, one draw. What ranks higher stands first; ties go
//! to the lower id. The draw walks the kept tokens in order of id, as the language's `categorical` does.

use crate::error::{Error, Result};

/// How to choose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Scores are divided by it; 0 always takes the best.
    pub temperature: f64,
    /// Only so many best tokens; 0 is all.
    pub top_k: usize,
    /// Only tokens above which less than this mass is ranked; 1 is all.
    pub top_p: f64,
    /// Only tokens at least this times as probable as the best; 0 is all.
    pub min_p: f64,
    /// Scores of tokens said before are divided by it (multiplied if negative); 1 is off.
    pub repetition_penalty: f64,
}

impl Default for Sampling {
    fn default() -> Sampling {
        Sampling { temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0, repetition_penalty: 1.0 }
    }
}

impl Sampling {
    /// Refuses settings without meaning.
    ///
    /// # Errors
    /// If one is out of its range.
    pub fn check(&self) -> Result<()> {
        let faults = [
            (!(self.temperature >= 0.0 && self.temperature.is_finite()), "temperature", "0 or more"),
            (!(self.top_p > 0.0 && self.top_p <= 1.0), "top-p", "more than 0 and at most 1"),
            (!(0.0..=1.0).contains(&self.min_p), "min-p", "from 0 to 1"),
            (
                !(self.repetition_penalty > 0.0 && self.repetition_penalty.is_finite()),
                "repetition-penalty",
                "more than 0",
            ),
        ];
        match faults.iter().find(|(wrong, _, _)| *wrong) {
            None => Ok(()),
            Some((_, name, range)) => Err(Error::request(format!("{name} must be {range}"))),
        }
    }
}

/// The next token, given the scores, all ids so far, and a draw in `0.0..1.0`.
pub fn choose(scores: &[f32], said: &[u32], sampling: &Sampling, draw: f64) -> u32 {
    let mut scores: Vec<f64> = scores.iter().map(|score| f64::from(*score)).collect();
    penalize(&mut scores, said, sampling.repetition_penalty);
    if sampling.temperature == 0.0 {
        return best(&scores);
    }
    let mut kept = probabilities(&scores, sampling.temperature);
    keep_likely(&mut kept, sampling);
    pick(&kept, draw)
}

/// Makes what was said less likely (Keskar et al., 2019); each token once.
fn penalize(scores: &mut [f64], said: &[u32], penalty: f64) {
    if penalty == 1.0 {
        return;
    }
    let mut said = said.to_vec();
    said.sort_unstable();
    said.dedup();
    for id in said {
        if let Some(score) = scores.get_mut(id as usize) {
            *score = if *score > 0.0 { *score / penalty } else { *score * penalty };
        }
    }
}

/// The highest score; the first of equals.
fn best(scores: &[f64]) -> u32 {
    let mut best = 0;
    for (id, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = id;
        }
    }
    best as u32
}

/// One weight for each token, with a sum of 1.
fn probabilities(scores: &[f64], temperature: f64) -> Vec<(u32, f64)> {
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = scores.iter().map(|score| ((score - most) / temperature).exp()).collect();
    let sum: f64 = weights.iter().sum();
    (0..).zip(weights).map(|(id, weight)| (id, weight / sum)).collect()
}

/// Drops what top-k, top-p and min-p exclude, and puts the rest back in order of id.
fn keep_likely(kept: &mut Vec<(u32, f64)>, sampling: &Sampling) {
    if sampling.top_k == 0 && sampling.top_p >= 1.0 && sampling.min_p == 0.0 {
        return;
    }
    kept.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
    if sampling.top_k > 0 {
        kept.truncate(sampling.top_k);
    }
    let mass: f64 = kept.iter().map(|(_, weight)| weight).sum();
    let floor = sampling.min_p * kept.first().map_or(0.0, |(_, weight)| *weight);
    let mut above = 0.0;
    kept.retain(|(_, weight)| {
        let likely = above < sampling.top_p * mass && *weight >= floor;
        above += weight;
        likely
    });
    kept.sort_unstable_by_key(|(id, _)| *id);
}

/// The token in whose share of the mass the draw falls.
fn pick(kept: &[(u32, f64)], draw: f64) -> u32 {
    let mass: f64 = kept.iter().map(|(_, weight)| weight).sum();
    let mut left = draw * mass;
    for (id, weight) in kept {
        if left < *weight {
            return *id;
        }
        left -= weight;
    }
    // Rounding may leave a rest behind the last share.
    kept.iter().rev().find(|(_, weight)| *weight > 0.0).map_or(0, |(id, _)| *id)
}
