//! Calls, returns, ends and branches by a table.

use super::{Flow, transfers, value};
use crate::block::Block;
use crate::fault::{Outcome, Rule, broken};
use crate::instruction::{Call, Callee, Operation};
use crate::launch::Launch;
use crate::memory::CODE_WINDOW;
use crate::thread::{Frame, State, Thread};

/// Activations of a thread at most.
const DEPTH: usize = 256;

pub(super) fn go(launch: &mut Launch, block: &mut Block, thread: &mut Thread, operation: &Operation) -> Outcome<Flow> {
    match operation {
        Operation::BranchIndexed(parts) => {
            let (index, targets) = &**parts;
            let index = value(launch, block, thread, *index);
            let Some(target) = targets.get(index as usize) else {
                return broken(Rule::Illegal, format!("branch {index} of a table of {}", targets.len()));
            };
            thread.at = *target;
            Ok(Flow::Jumped)
        }
        Operation::Call(parts) => call(launch, block, thread, parts),
        Operation::Return if !thread.callers.is_empty() => leave(launch, thread),
        _ => {
            transfers::end_thread(launch, block, thread)?;
            thread.state = State::Done;
            launch.memory.changes += 1;
            Ok(Flow::Stopped)
        }
    }
}

fn call(launch: &mut Launch, block: &mut Block, thread: &mut Thread, call: &Call) -> Outcome<Flow> {
    let function = match call.function {
        Callee::Direct(function) => function,
        Callee::Indirect(source) => value(launch, block, thread, source).wrapping_sub(CODE_WINDOW) as usize,
    };
    let Some(callee) = launch.module.functions.get(function) else {
        return broken(Rule::Illegal, "an indirect call of what is no function");
    };
    if callee.code.len() == 1 && callee.registers == 0 {
        return broken(Rule::Illegal, format!("`{}` is declared and has no body", callee.name));
    }
    if thread.callers.len() == DEPTH || callee.parameters.len() != call.arguments.len() {
        return broken(Rule::Illegal, format!("a call of `{}` too deep or with other arguments", callee.name));
    }
    let caller = thread.frame;
    thread.callers.push(caller);
    thread.frame = Frame { function, caller_at: thread.at + 1, ..caller };
    thread.enter(callee);
    for (slot, from) in callee.parameters.iter().zip(&call.arguments) {
        let from = caller.local + *from as usize;
        let to = thread.frame.local + slot.offset as usize;
        thread.local.copy_within(from..from + slot.bytes as usize, to);
    }
    thread.at = 0;
    Ok(Flow::Jumped)
}

fn leave(launch: &Launch, thread: &mut Thread) -> Outcome<Flow> {
    let ended = thread.frame;
    let Some(caller) = thread.callers.pop() else { return Ok(Flow::Stopped) };
    let callee = &launch.module.functions[ended.function];
    let at = ended.caller_at - 1;
    if let Operation::Call(call) = &launch.module.functions[caller.function].code[at].operation {
        for (slot, to) in callee.returns.iter().zip(&call.results) {
            let from = ended.local + slot.offset as usize;
            thread.local.copy_within(from..from + slot.bytes as usize, caller.local + *to as usize);
        }
    }
    thread.registers.truncate(ended.registers);
    thread.local.truncate(ended.local);
    thread.frame = caller;
    thread.at = ended.caller_at;
    Ok(Flow::Jumped)
}
