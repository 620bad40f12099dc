//! What a turn of a model's sampler computes: the position that the turn before has changed, a block, or whole sequences.
//!
//! In: a model with a `generate` line. Out: the program of one turn, or all turns as one, in the best of the last two
//! forms; and why nothing better was possible.

use super::{Failure, Session};
use crate::derive::{self, NotIncremental};
use crate::diagnostics::Diagnostic;
use crate::diagnostics::codes::N0603;
use crate::fault::Bug;
use crate::graph::Graph;
use crate::model::{self, Model};
use crate::passes;
use archc_runtime::abi::names;

/// One turn of the model's sampler, or why there is none.
pub(super) fn turn(model: &Model) -> Result<(Option<derive::Decode>, Option<NotIncremental>), Bug> {
    let Some(generate) = &model.generate else { return Ok((None, None)) };
    let sampler = derive::build(model, &generate.program, "generate");
    let (whole, along) = match derive::turn(&sampler) {
        Ok(found) => found,
        Err(refused) => return Ok((None, Some(refused))),
    };
    let outputs = whole.outputs.clone();
    let outputs = outputs.iter().map(String::as_str).collect::<Vec<_>>();
    let decode = derive::decode(&passes::prepare(whole)?, along, &outputs);
    Ok(match decode.and_then(|decode| derive::forgets_blank(&decode.step).map(|()| decode)) {
        Ok(decode) => (Some(decode), None),
        Err(refused) => (None, Some(refused)),
    })
}

/// A sampler whose turns are one program: over blocks if it goes block by block; else over whole sequences, and why.
pub(super) fn block_by_block(generate: Graph, whole: NotIncremental) -> Result<(Graph, Option<NotIncremental>), Bug> {
    Ok(match derive::blocks(&passes::prepare(generate.clone())?) {
        Ok(Some(blocks)) => (blocks, None),
        Ok(None) => (generate, Some(whole)),
        Err(refused) => (generate, Some(refused)),
    })
}

/// What a turn of a sampler computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turns {
    /// What the turn before has changed: one position.
    Position,
    /// A block of positions.
    Block,
    /// Whole sequences, for a reason.
    Whole(NotIncremental),
}

/// What a turn of the model's sampler computes.
///
/// # Errors
/// A bug of a stage.
pub fn turns(model: &Model, session: &mut Session) -> Result<Turns, Failure> {
    let turns = session.stage("graph", |_| {
        let (_, whole) = turn(model)?;
        let Some((generate, whole)) = model.generate.as_ref().zip(whole) else { return Ok(Turns::Position) };
        let generate = derive::build(model, &generate.program, names::GENERATE);
        let (_, whole) = block_by_block(generate, whole)?;
        Ok::<_, Bug>(whole.map_or(Turns::Block, Turns::Whole))
    })??;
    Ok(turns)
}

pub(super) fn runs_whole(generate: &model::Generate, why: &NotIncremental) -> Diagnostic {
    Diagnostic::new(N0603, format!("the turns of `{}` are one program over whole sequences", generate.block))
        .label(generate.span, why.to_string())
        .help("a sampler that writes in each turn the position after the last becomes one program a turn")
}
