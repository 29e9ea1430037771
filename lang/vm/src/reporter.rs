//! What the engine asks of whoever started it while a program runs: what places are called, and to
//! tell the user of what the program itself cannot see.

use bowline_layout::Value;
use bowline_runtime::Rt;
use bowline_syntax::Span;

use crate::space::TraceFrame;

/// Somebody who knows the texts of the program and can write to the user.
pub trait Reporter {
    /// What a place is called, as in "main.scm:12"; `None` when it is not in the program's own text.
    fn place(&self, span: Span) -> Option<String>;

    /// Tells of an object that a finalizer has raised and not handled, and of the calls that raised
    /// it. The object is good until the heap is used.
    fn finalizer_failed(&self, rt: &mut Rt, object: Value, trace: Vec<TraceFrame>);

    /// Tells the same of the outermost callback on a thread that C has made.
    fn guest_failed(&self, rt: &mut Rt, object: Value, trace: Vec<TraceFrame>);

    /// Does what is done before a program ends with this status, for one that ends on such a thread. Returns the status
    /// of the process.
    fn guest_quits(&self, rt: &mut Rt, status: i32) -> i32;
}

/// An engine that nobody listens to.
pub(crate) struct Nobody;

impl Reporter for Nobody {
    fn place(&self, _: Span) -> Option<String> {
        None
    }

    fn finalizer_failed(&self, _: &mut Rt, _: Value, _: Vec<TraceFrame>) {}

    fn guest_failed(&self, _: &mut Rt, _: Value, _: Vec<TraceFrame>) {}

    fn guest_quits(&self, _: &mut Rt, status: i32) -> i32 {
        status
    }
}
