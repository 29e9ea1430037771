//! Random operations against a shadow: a map from slices to their owners, and what they wrote.

use crate::account::Class;
use crate::pal::Model;
use crate::region::{Region, SLICE};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Take {
        slices: usize,
        align: u32,
        runtime: bool,
    },
    Give(usize),
    Grow(usize, usize),
    Shrink(usize, usize),
    Pass(u64),
    PurgeAll,
    RefuseCommit(usize),
    RefusePurge(usize),
    Heal,
    Fork,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let slices = prop_oneof![6 => 1..6_usize, 2 => 6..40_usize, 1 => 40..200_usize];
    let step = prop_oneof![
        8 => (slices.clone(), 0..6_u32, any::<bool>())
            .prop_map(|(slices, align, runtime)| Step::Take { slices, align, runtime }),
        6 => any::<usize>().prop_map(Step::Give),
        2 => (any::<usize>(), slices).prop_map(|(span, more)| Step::Grow(span, more)),
        2 => (any::<usize>(), any::<usize>()).prop_map(|(span, to)| Step::Shrink(span, to)),
        3 => (0..400_u64).prop_map(Step::Pass),
        1 => Just(Step::PurgeAll),
        1 => (0..3_usize).prop_map(Step::RefuseCommit),
        1 => (0..3_usize).prop_map(Step::RefusePurge),
        2 => Just(Step::Heal),
        1 => Just(Step::Fork),
    ];
    prop::collection::vec(step, 1..120)
}

/// A span that the shadow knows to be taken.
#[derive(Clone, Copy, Debug)]
struct Held {
    first: usize,
    slices: usize,
    class: Class,
    mark: u64,
}

struct Shadow {
    region: Region<Model>,
    held: Vec<Held>,
    marks: u64,
    /// Whether the platform refuses something.
    faulty: bool,
}

impl Shadow {
    fn new() -> Self {
        let region = Region::new(Model::new());
        assert!(region.boot());
        Shadow {
            region,
            held: Vec::new(),
            marks: 0,
            faulty: false,
        }
    }

    /// The first word of each page of some slices.
    fn words(&self, first: usize, slices: usize) -> impl Iterator<Item = *mut u64> {
        let start = self.region.slice_start(first);
        (0..slices * SLICE)
            .step_by(4096)
            .map(move |offset| start.wrapping_add(offset).cast())
    }

    fn write(&self, held: Held) {
        for word in self.words(held.first, held.slices) {
            // SAFETY: inv:region.span.
            unsafe { word.write(held.mark) };
        }
    }

    fn reads(&self, first: usize, slices: usize, expected: u64) -> bool {
        // SAFETY: inv:region.span.
        self.words(first, slices)
            .all(|word| unsafe { word.read() } == expected)
    }

    fn is_free(&self, first: usize, slices: usize) -> bool {
        self.held
            .iter()
            .all(|held| first + slices <= held.first || held.first + held.slices <= first)
    }

    fn mark(&mut self) -> u64 {
        self.marks += 1;
        self.marks
    }

    fn take(&mut self, slices: usize, align: usize, class: Class) {
        let Some(span) = self.region.take(slices, align, class) else {
            assert!(
                self.faulty || !self.has_room(slices, align),
                "room for {slices}"
            );
            return;
        };
        assert_eq!(span.slices, slices);
        let address = self.region.slice_start(span.first).addr();
        assert!(address.is_multiple_of(align * SLICE));
        assert!(
            self.is_free(span.first, slices),
            "overlap at {}",
            span.first
        );
        assert!(!span.zeroed || self.reads(span.first, slices, 0));
        let held = Held {
            first: span.first,
            slices,
            class,
            mark: self.mark(),
        };
        self.write(held);
        self.held.push(held);
    }

    /// Whether an aligned run of slices is free, by looking at every place.
    fn has_room(&self, slices: usize, align: usize) -> bool {
        let low = self.region.lock().low as usize;
        let end = self.region.size() / SLICE;
        (low..(end + 1).saturating_sub(slices)).any(|first| {
            let address = self.region.slice_start(first).addr();
            address.is_multiple_of(align * SLICE) && self.is_free(first, slices)
        })
    }

    fn give(&mut self, place: usize) {
        let held = self.held.swap_remove(place);
        assert!(self.reads(held.first, held.slices, held.mark));
        self.region.give(held.first, held.slices, held.class);
    }

    fn grow(&mut self, place: usize, more: usize) {
        let Held {
            first,
            slices,
            class,
            mark,
        } = self.held[place];
        let Some(zeroed) = self.region.grow(first, slices, slices + more, class) else {
            return;
        };
        assert!(self.is_free(first + slices, more), "overlap behind {first}");
        assert!(self.reads(first, slices, mark));
        assert!(!zeroed || self.reads(first + slices, more, 0));
        self.held[place].slices += more;
        self.write(self.held[place]);
    }

    fn shrink(&mut self, place: usize, to: usize) {
        let Held {
            first,
            slices,
            class,
            mark,
        } = self.held[place];
        let to = 1 + to % slices;
        self.region.shrink(first, slices, to, class);
        self.held[place].slices = to;
        assert!(self.reads(first, to, mark));
    }

    fn step(&mut self, step: Step) {
        let held = self.held.len();
        match step {
            Step::Take {
                slices,
                align,
                runtime,
            } => {
                let class = if runtime {
                    Class::Runtime
                } else {
                    Class::Client
                };
                self.take(slices, 1 << align, class);
            }
            Step::Give(place) if held > 0 => self.give(place % held),
            Step::Grow(place, more) if held > 0 => self.grow(place % held, more),
            Step::Shrink(place, to) if held > 0 => self.shrink(place % held, to),
            Step::Give(_) | Step::Grow(..) | Step::Shrink(..) => {}
            Step::Pass(ms) => self.region.pal().pass(ms),
            Step::PurgeAll => self.region.purge_all(),
            Step::RefuseCommit(after) => {
                self.region.pal().commit.after(after);
                self.faulty = true;
            }
            Step::RefusePurge(after) => {
                self.region.pal().purge.after(after);
                self.faulty = true;
            }
            Step::Heal => {
                self.region.pal().commit.never();
                self.region.pal().purge.never();
                self.faulty = false;
            }
            Step::Fork => {
                self.region.fork_prepare();
                self.region.fork_child(false);
            }
        }
    }

    fn check(&self) {
        let totals = self.region.check().expect("sound");
        let of = |class| {
            let held = self.held.iter().filter(|held| held.class == class);
            held.map(|held| held.slices).sum::<usize>()
        };
        let (client, runtime) = (of(Class::Client), of(Class::Runtime));
        assert_eq!(totals.taken, client + runtime);
        assert_eq!(self.region.live(Class::Client), client * SLICE);
        assert_eq!(self.region.live(Class::Runtime), runtime * SLICE);
        assert_eq!(totals.leaving, 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_region_does_what_its_shadow_does(steps in steps()) {
        let mut shadow = Shadow::new();
        for step in steps {
            shadow.step(step);
            shadow.check();
        }
        shadow.step(Step::Heal);
        while !shadow.held.is_empty() {
            shadow.give(0);
        }
        shadow.region.purge_all();
        shadow.check();
        let rest = shadow.region.size() / SLICE - shadow.region.lock().low as usize;
        shadow.take(rest, 1, Class::Client);
        prop_assert_eq!(shadow.held.len(), 1);
    }
}
