//! Launches as a graph of the driver's: captured from a stream on which nothing runs, launched where everything does.

use super::Gpu;
use super::library::{Executable, Graph, Graphs, Status, Stream};
use crate::device::Driver;
use crate::error::Result;
use std::ptr;

/// `CU_STREAM_NON_BLOCKING`: it waits for no other stream, and no other waits for it.
const APART: u32 = 1;
/// `CU_STREAM_CAPTURE_MODE_THREAD_LOCAL`: what other threads do meanwhile is their own affair.
const OWN_THREAD: i32 = 1;

impl Gpu {
    /// The graph of what is launched, ready to run; none if the driver has no graphs, or declines this one.
    pub(super) fn captured(
        &mut self,
        launches: &mut dyn FnMut(&mut dyn Driver) -> Result<()>,
    ) -> Result<Option<Executable>> {
        let Some(graphs) = self.graphs else { return Ok(None) };
        self.enter()?;
        let mut stream = ptr::null_mut();
        // SAFETY: the driver writes one handle.
        let status = unsafe { (graphs.create_stream)(&raw mut stream, APART) };
        if self.declined(status) {
            return Ok(None);
        }
        let graph = self.capture(graphs, stream, launches);
        // SAFETY: the stream was made above, nothing was ever run on it, and its capture has ended.
        unsafe { (graphs.destroy_stream)(stream) };
        let Some(graph) = graph? else { return Ok(None) };
        let mut executable = ptr::null_mut();
        // SAFETY: the graph is whole, and the driver writes one handle.
        let status = unsafe { (graphs.instantiate)(&raw mut executable, graph, 0) };
        // SAFETY: what was made of it does not need it any more.
        unsafe { (graphs.destroy)(graph) };
        Ok((!self.declined(status)).then_some(executable))
    }

    fn capture(
        &mut self,
        graphs: Graphs,
        stream: Stream,
        launches: &mut dyn FnMut(&mut dyn Driver) -> Result<()>,
    ) -> Result<Option<Graph>> {
        // SAFETY: the stream is there.
        let status = unsafe { (graphs.begin_capture)(stream, OWN_THREAD) };
        if self.declined(status) {
            return Ok(None);
        }
        self.stream = stream;
        let launched = launches(self);
        self.stream = ptr::null_mut();
        let mut graph = ptr::null_mut();
        // SAFETY: the capture was begun above; the driver writes one handle.
        let status = unsafe { (graphs.end_capture)(stream, &raw mut graph) };
        if launched.is_err() && !graph.is_null() {
            // SAFETY: the graph was given above, and nobody else has it.
            unsafe { (graphs.destroy)(graph) };
        }
        launched?;
        Ok((!self.declined(status)).then_some(graph))
    }

    /// Whether the driver declines to make a graph, which costs time and nothing else. Who waits is told.
    fn declined(&self, status: Status) -> bool {
        let declined = self.library.check("making a graph of launches", status).err();
        if let Some(error) = &declined {
            eprintln!("note: the GPU is asked for one launch after another: {}", error.message());
        }
        declined.is_some()
    }
}
