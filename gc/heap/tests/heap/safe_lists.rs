//! The safe interface: lists that grow in a variable.

use crate::safe::sum;
use crate::support::{Case, everywhere, planned};
use bowline_gc::safe::{AllocFailure, Collect, Heap, HeapConfig, Immediate, Plan};

pub(crate) const CASES: &[Case] = &[everywhere(
    "safe: a variable takes pairs in front",
    pairs_in_front,
)];

fn pairs_in_front() {
    let config = HeapConfig {
        plan: Plan::CompactTest,
        limit: Some(16 << 20),
        verify: true,
        nursery: 1 << 20,
        ..HeapConfig::default()
    };
    let mut mutator = Heap::start(planned(config)).unwrap().attach().unwrap();
    mutator.scope(|s| {
        let before = s.locals();
        let mut list = s.root(Immediate::NIL);
        for i in 0..100_000 {
            list.cons(s, i).unwrap();
            if i == 50_000 {
                // What is on the stack is looked at in the next collection only if it is set.
                s.collect(Collect::Minor);
            }
        }
        assert_eq!(s.locals(), before + 1, "no other handle is made");
        assert_eq!(sum(s.view(list.get())), 99_999 * 50_000);
        let error = loop {
            match list.cons(s, 7) {
                Ok(()) => {}
                Err(e) => break e,
            }
        };
        assert_eq!(error.why(), AllocFailure::OutOfMemory { requested: 16 });
        let last = s.view(list.get()).as_pair().unwrap();
        assert_eq!(last.car().as_fixnum(), Some(7), "it holds what it held");
    });
}
