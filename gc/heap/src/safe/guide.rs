//! A guide: a small Lisp, from nothing to a million allocations, without a line of `unsafe`.
//!
//! The program is `examples/list_language`; `cargo run --release -p bowline-gc --example list_language` runs
//! it. Each of its modules is shown here in whole and tried by the test below it.
//!
//! # 1. A heap, a thread, a scope
//!
//! The heap is started once; each thread that uses it attaches; a scope is the permission to use it and says how
//! long handles last. [`Scope::pair`](super::Scope::pair) may collect, and then every object may move. A handle
//! follows its object; a view, which is a plain pointer, borrows the scope, so that the compiler refuses
//! a program that still has one when it allocates.
//!
//! ```
//! use bowline_gc::safe::{AllocError, Collect, Heap, HeapConfig, Immediate};
//!
//! let heap = Heap::start(HeapConfig::default())?;
//! let mut mutator = heap.attach()?;
//! mutator.scope(|s| {
//!     let mut list = s.local(Immediate::NIL);
//!     for i in 0..10 {
//!         list = s.pair(i, list)?.erase();
//!     }
//!     s.collect(Collect::Minor);
//!     let (mut sum, mut rest) = (0, s.view(list));
//!     while let Some(pair) = rest.as_pair() {
//!         sum += pair.car().as_fixnum().unwrap_or(0);
//!         rest = pair.cdr();
//!     }
//!     assert_eq!(sum, 45);
//!     Ok::<_, AllocError>(())
//! })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # 2. Objects of one's own
//!
//! Pairs, integers, characters and truth values every heap has. The others are declared, with a number and a
//! form each; `data.rs` is nothing but that:
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/list_language/data.rs"), "```")]
//!
//! A record has a `make` and a constant for each field. A cast is checked, and its error knows both names.
//!
//! ```
//! # #[path = "../../examples/list_language/data.rs"]
//! # mod data;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use bowline_gc::safe::{Heap, HeapConfig, Immediate};
//! use data::{Closure, Symbol};
//!
//! let heap = Heap::start_with(HeapConfig::default(), data::KINDS)?;
//! heap.attach()?.scope(|s| {
//!     let name = s.text::<Symbol>("x")?;
//!     let parameters = s.pair(name, Immediate::NIL)?;
//!     let identity = Closure::make(s, parameters, name, Immediate::NIL)?;
//!     let body = s.view(identity).get(Closure::body);
//!     assert_eq!(body.cast::<Symbol>()?.as_str(), "x");
//!     let wrong = body.cast::<Closure>().unwrap_err();
//!     assert_eq!(wrong.to_string(), "wanted a Closure, found a Symbol");
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # 3. The reader
//!
//! It makes objects, so it has the scope mutably and returns handles. The handles that it needs on the way to a
//! list go with the inner scope of [`Scope::escape`](super::Scope::escape), which keeps the one that is
//! returned. The names are in a [`Table`](super::Table): a Rust map whose values the collector finds.
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/list_language/reader.rs"), "```")]
//!
//! # 4. The printer
//!
//! It only looks, so it needs no scope at all: views are enough.
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/list_language/printer.rs"), "```")]
//!
//! ```
//! # #[path = "../../examples/list_language/data.rs"]
//! # mod data;
//! # #[path = "../../examples/list_language/error.rs"]
//! # mod error;
//! # #[path = "../../examples/list_language/reader.rs"]
//! # mod reader;
//! # #[path = "../../examples/list_language/printer.rs"]
//! # mod printer;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use bowline_gc::safe::{Collect, Heap, HeapConfig};
//! # let heap = Heap::start_with(HeapConfig::default(), data::KINDS)?;
//! # heap.attach()?.scope(|s| {
//! let symbols = s.table::<reader::Symbols>(Default::default());
//! let mut reader = reader::Reader::new("(car '(1 #t x)) ; a comment");
//! let datum = reader.read(s, &symbols)?.expect("a datum");
//! s.collect(Collect::Full);
//! assert_eq!(printer::print(s.view(datum)), "(car (quote (1 #t x)))");
//! assert!(reader.read(s, &symbols)?.is_none());
//! let error = reader::Reader::new("(1 2").read(s, &symbols).unwrap_err();
//! assert_eq!(error.to_string(), "syntax: a parenthesis is not closed");
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # 5. The evaluator
//!
//! It recurses for operands and goes round for calls in tail position. Each round has a scope of its own, so a loop
//! of the program's, however long, keeps the root stack as it was; what goes from one round to the next is in
//! three variables, [`Root`](super::Root)s.
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/list_language/eval.rs"), "```")]
//!
//! Primitives are functions from handles to a handle:
//!
#![doc = concat!("```ignore\n", include_str!("../../examples/list_language/primitives.rs"), "```")]
//!
//! ```
//! # #[path = "../../examples/list_language/data.rs"]
//! # mod data;
//! # #[path = "../../examples/list_language/error.rs"]
//! # mod error;
//! # #[path = "../../examples/list_language/eval.rs"]
//! # mod eval;
//! # #[path = "../../examples/list_language/primitives.rs"]
//! # mod primitives;
//! # #[path = "../../examples/list_language/printer.rs"]
//! # mod printer;
//! # #[path = "../../examples/list_language/reader.rs"]
//! # mod reader;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use bowline_gc::safe::{Heap, HeapConfig};
//! # let heap = Heap::start_with(HeapConfig::default(), data::KINDS)?;
//! # heap.attach()?.scope(|s| {
//! let language = eval::Language::new(s)?;
//! let adder = "(define adder (lambda (n) (lambda (m) (+ n m)))) ((adder 40) 2)";
//! let value = language.run(s, adder)?;
//! assert_eq!(s.view(value).as_fixnum(), Some(42));
//! let mistakes = [
//!     ("(car 1)", "wanted a pair, found the integer 1"),
//!     ("(1 2)", "wanted a Closure, found the integer 1"),
//!     ("(adder)", "a call of a closure has too few parts or too many"),
//!     ("nothing", "nothing is not defined"),
//! ];
//! for (text, message) in mistakes {
//!     assert_eq!(language.run(s, text).unwrap_err().to_string(), message);
//! }
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # 6. A million allocations
//!
//! The collector is asked to move everything that it can and to check every reference before and after each
//! collection. The program does not notice:
//!
//! ```
//! # #[path = "../../examples/list_language/data.rs"]
//! # mod data;
//! # #[path = "../../examples/list_language/error.rs"]
//! # mod error;
//! # #[path = "../../examples/list_language/eval.rs"]
//! # mod eval;
//! # #[path = "../../examples/list_language/primitives.rs"]
//! # mod primitives;
//! # #[path = "../../examples/list_language/printer.rs"]
//! # mod printer;
//! # #[path = "../../examples/list_language/reader.rs"]
//! # mod reader;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use bowline_gc::safe::{Collect, Heap, HeapConfig, Plan};
//! let config = HeapConfig {
//!     plan: Plan::CompactTest,
//!     verify: true,
//!     nursery: 2 << 20,
//!     ..HeapConfig::default()
//! };
//! let heap = Heap::start_with(config, data::KINDS)?;
//! heap.attach()?.scope(|s| {
//!     let language = eval::Language::new(s)?;
//!     language.run(
//!         s,
//!         "(define count (lambda (n list) (if (= n 0) list (count (- n 1) (cons n list)))))
//!          (define sum (lambda (list n) (if (null? list) n (sum (cdr list) (+ n (car list))))))
//!          (define list (count 150000 '()))",
//!     )?;
//!     s.collect(Collect::Full);
//!     let sum = language.run(s, "(sum list 0)")?;
//!     assert_eq!(s.view(sum).as_fixnum(), Some(150_000 * 150_001 / 2));
//!     let stats = s.stats();
//!     assert!(stats.minor > 2 && stats.major > 0 && stats.moved_objects > 150_000, "{stats:?}");
//!     assert!(s.locals() < 100, "nothing is left on the root stack");
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # 7. What else there is
//!
//! * C: [`Scope::lend`](super::Scope::lend) hands bytes to a native section where they stand,
//!   [`reenter`](super::reenter) is for callbacks, [`Scope::pin`](super::Scope::pin) for what C keeps longer,
//!   [`Scope::foreign_memory`](super::Scope::foreign_memory) for C memory that dies with an object.
//! * Threads: each attaches; [`Handle`](super::Handle)s go from one to the other. A loop that does not allocate
//!   calls [`Scope::poll`](super::Scope::poll), and what blocks goes into [`Scope::native`](super::Scope::native). So does
//!   the wait for a lock that somebody may hold while he allocates: [`Scope::lock`](super::Scope::lock).
//! * Weak things: [`Scope::weak_pair`](super::Scope::weak_pair), [`Scope::ephemeron`](super::Scope::ephemeron),
//!   [`Scope::guardian`](super::Scope::guardian), [`WeakHandle`](super::WeakHandle). Finalizers are run between two
//!   steps ([`Scope::run_finalizers`](super::Scope::run_finalizers)) or by
//!   [a thread of their own](super::Heap::finalizer_thread).
//! * A full heap is an error like others: [`AllocError`](super::AllocError). What was dropped by then makes room.
