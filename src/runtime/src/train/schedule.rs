//! The learning rate over time.

use crate::recipe::{Recipe, Schedule};

/// The learning rate of a step, counted from 0: a straight rise over the warm-up, then the recipe's schedule, which
/// reaches the minimum rate after the last step.
pub fn rate_at(recipe: &Recipe, step: u64) -> f64 {
    let (top, bottom) = (recipe.learning_rate, recipe.minimum_rate);
    if step < recipe.warmup {
        return top * (step + 1) as f64 / recipe.warmup as f64;
    }
    let length = recipe.steps.saturating_sub(recipe.warmup).max(1);
    let part = ((step - recipe.warmup) as f64 / length as f64).min(1.0);
    match recipe.schedule {
        Schedule::Constant => top,
        Schedule::Linear => top + (bottom - top) * part,
        Schedule::Cosine => bottom + (top - bottom) * 0.5 * (1.0 + (std::f64::consts::PI * part).cos()),
    }
}
