//! `archc emit`: what one stage makes of a model.

use super::{Outcome, Verdict, arguments::EmitArguments, output};
use crate::driver::{self, Code, Failure, Graphs, Request, Session, Stage};
use crate::gpu::Gpu;
use crate::target::Target;
use crate::{graph, model, syntax};

/// Runs the pipeline up to the stage and prints what it made.
pub fn run(arguments: &EmitArguments, session: &mut Session) -> Outcome {
    let text = text_of(arguments, session)?;
    output::print(&text)?;
    if arguments.timings {
        eprint!("{}", output::timings(session));
    }
    Ok(Verdict::Good)
}

fn text_of(arguments: &EmitArguments, session: &mut Session) -> Result<String, Failure> {
    let gpu = arguments.gpu.gpu(matches!(arguments.stage, Stage::Ptx | Stage::Launches))?;
    let request = Request::from(&arguments.model);
    if arguments.stage == Stage::Ast {
        return Ok(driver::parse(&request, session)?.main.as_ref().map(syntax::print).unwrap_or_default());
    }
    let model = driver::check(&request, session)?;
    if arguments.stage == Stage::Model {
        return Ok(model::text(&model));
    }
    let graphs = driver::graphs(&model, session)?;
    if arguments.stage == Stage::Graph {
        let optimized = driver::optimized(&graphs, session)?;
        let wanted = optimized.iter().filter(|graph| is_wanted(arguments, &graph.name));
        return Ok(wanted.map(|graph| format!("{}\n", graph::text::print(graph))).collect());
    }
    if arguments.stage == Stage::Program {
        let programs = driver::programs(&graphs, session)?;
        let wanted = programs.iter().filter(|program| is_wanted(arguments, &program.name));
        return Ok(wanted.map(|program| format!("{program}\n")).collect());
    }
    if let Some(gpu) = gpu {
        return of_gpu(arguments, gpu, &graphs, session);
    }
    let target = Target::named(arguments.target.cpu.name())?;
    let code = match arguments.stage {
        Stage::Mlir => Code::Mlir,
        Stage::Llvm => Code::Llvm,
        _ => Code::Assembly,
    };
    driver::print(&model, &graphs, &target, code, session)
}

/// What is made for a GPU.
fn of_gpu(arguments: &EmitArguments, gpu: Gpu, graphs: &Graphs, session: &mut Session) -> Result<String, Failure> {
    let program = arguments.program.as_deref();
    match arguments.stage {
        Stage::Ptx => Ok(driver::device(graphs, program, gpu, session)?.ptx),
        _ => driver::launches(graphs, program, gpu, session),
    }
}

fn is_wanted(arguments: &EmitArguments, program: &str) -> bool {
    arguments.program.as_ref().is_none_or(|wanted| wanted == program)
}
