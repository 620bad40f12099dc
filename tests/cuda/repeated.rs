//! Calls that are run again and again: what they launch is recorded once, and anew where a buffer has moved.

use super::launches::{launch, plan_of};
use archc_runtime::abi::{DeviceArgument, DevicePlan, DeviceStep, Size};
use archc_runtime::device::{Driver, Repeated, Shared, run};
use archc_runtime::error::Result;
use std::fmt::Write;
use std::sync::{Arc, Mutex};

/// A driver that writes down what it is asked for.
#[derive(Debug, Default)]
struct Tape {
    text: Arc<Mutex<String>>,
    recorded: u64,
    /// It has no room for a recording.
    declines: bool,
}

impl Tape {
    fn note(&self, what: &str) {
        let mut text = self.text.lock().expect("nobody panics");
        write!(text, "{what} ").expect("a text");
    }
}

impl Driver for Tape {
    fn name(&self) -> String {
        "a tape".to_string()
    }

    fn allocate(&mut self, _: usize) -> Result<u64> {
        Ok(0)
    }

    fn release(&mut self, _: u64) {}

    fn upload(&mut self, _: u64, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn download(&mut self, _: u64, bytes: &mut [u8]) -> Result<()> {
        self.note(&format!("read{}", bytes.len()));
        bytes.fill(0);
        Ok(())
    }

    fn copy(&mut self, _: u64, _: u64, _: usize) -> Result<()> {
        Ok(())
    }

    fn clear(&mut self, _: u64, _: usize) -> Result<()> {
        Ok(())
    }

    fn wait(&mut self) -> Result<()> {
        Ok(())
    }

    fn launch(&mut self, entry: usize, _: u32, addresses: &[u64], _: &[i64]) -> Result<()> {
        self.note(&format!("{entry}@{}", addresses[0]));
        Ok(())
    }

    fn record(&mut self, launches: &mut dyn FnMut(&mut dyn Driver) -> Result<()>) -> Result<Option<u64>> {
        if self.declines {
            self.note("no");
            return Ok(None);
        }
        self.recorded += 1;
        self.note(&format!("record{}(", self.recorded));
        launches(self)?;
        self.note(")");
        Ok(Some(self.recorded))
    }

    fn replay(&mut self, recording: u64) -> Result<()> {
        self.note(&format!("replay{recording}"));
        Ok(())
    }

    fn erase(&mut self, recording: u64) {
        self.note(&format!("erase{recording}"));
    }
}

/// What is asked for where a program runs on one buffer, at each of these addresses in turn.
fn asked(plan: &DevicePlan, addresses: &[u64], declines: bool) -> String {
    let tape = Tape { declines, ..Tape::default() };
    let text = tape.text.clone();
    let (driver, mut repeated) = (Shared::new(tape), Repeated::default());
    for address in addresses {
        let tally = repeated.run((plan, 0), &[*address], &[3], &driver, &mut |_, _| Ok(true));
        assert_eq!(tally.expect("nothing declines"), 3);
    }
    drop(repeated);
    let text = text.lock().expect("nobody panics");
    text.trim_end().to_string()
}

/// Two launches, and what the program tells of its multiply-adds.
fn two() -> Vec<DeviceStep> {
    let one = |entry| launch(entry, Size::Symbol(0), 0.into());
    vec![one(4), DeviceStep::Tally(Size::Symbol(0)), one(5)]
}

#[test]
fn what_is_launched_again_is_recorded_once() {
    let text = "4@64 5@64 record1( 4@64 5@64 ) replay1 replay1 replay1 erase1";
    assert_eq!(asked(&plan_of(two(), 0), &[64; 4], false), text);
}

#[test]
fn where_a_buffer_has_moved_all_is_launched_and_recorded_anew() {
    let text =
        "4@64 5@64 record1( 4@64 5@64 ) replay1 erase1 4@128 5@128 record2( 4@128 5@128 ) replay2 erase2 4@64 5@64";
    assert_eq!(asked(&plan_of(two(), 0), &[64, 64, 128, 128, 64], false), text);
}

#[test]
fn a_driver_that_cannot_record_is_asked_once() {
    assert_eq!(asked(&plan_of(two(), 0), &[64; 3], true), "4@64 5@64 no 4@64 5@64 4@64 5@64");
}

#[test]
fn what_depends_on_numbers_in_memory_or_on_an_answer_is_not_recorded() {
    let from = DeviceArgument { buffer: 0, bytes: 0.into() };
    let arms = vec![two(), Vec::new()];
    let chosen = vec![DeviceStep::Count { counter: 1, from }, DeviceStep::Switch { counter: 1, table: vec![0], arms }];
    let turns = |body| DeviceStep::Loop { counter: 1, turns: Size::Constant(1), reverse: false, body };
    let watched = vec![turns(vec![DeviceStep::Ask { counter: 1, body: two() }])];
    let text = "read4 4@64 5@64 read4 4@64 5@64 read4 4@64 5@64";
    assert_eq!(asked(&plan_of(chosen, 1), &[64; 3], false), text);
    assert_eq!(asked(&plan_of(watched, 1), &[64; 3], false), "4@64 5@64 4@64 5@64 4@64 5@64");
    // What turns of a loop look up is the same each time.
    let table = DeviceStep::Lookup { counter: 2, of: 1, table: vec![0] };
    let switch = DeviceStep::Switch { counter: 2, table: vec![0], arms: vec![two()] };
    let steps = vec![turns(vec![table, switch])];
    assert!(asked(&plan_of(steps, 2), &[64; 2], false).contains("record1"));
}

#[test]
fn one_launch_is_not_worth_it() {
    let mut steps = two();
    steps.truncate(2);
    assert_eq!(asked(&plan_of(steps, 0), &[64; 3], false), "4@64 4@64 4@64");
}

/// Turns of experts, of which each asks where its rows begin and end, in the second buffer, and launches on `written`.
fn experts(entry: usize, written: usize) -> DeviceStep {
    let number = |place: Size| DeviceArgument { buffer: 1, bytes: place.times(4.into()) };
    let mut one = launch(entry, Size::Constant(1), 0.into());
    if let DeviceStep::Launch(one) = &mut one {
        one.arguments[0].buffer = written;
    }
    let body = vec![
        DeviceStep::Count { counter: 2, from: number(Size::Symbol(1)) },
        DeviceStep::Count { counter: 3, from: number(Size::Symbol(1).plus(1.into())) },
        one,
    ];
    DeviceStep::Loop { counter: 1, turns: Size::Constant(3), reverse: false, body }
}

#[test]
fn what_all_experts_ask_for_is_read_at_once_and_again_where_it_may_have_changed() {
    let plan = plan_of(vec![experts(4, 0), experts(5, 0), experts(6, 1), experts(7, 0)], 3);
    let mut tape = Tape::default();
    run(&plan, 0, &[64, 512], &[1], &mut tape, &mut |_, _| Ok(true)).expect("nothing declines");
    let text = tape.text.lock().expect("nobody panics").clone();
    let first = "read16 4@64 4@64 4@64 5@64 5@64 5@64";
    let then = "6@512 read4 read4 6@512 read4 read4 6@512 read16 7@64 7@64 7@64";
    assert_eq!(text.trim_end(), format!("{first} {then}"));
}
