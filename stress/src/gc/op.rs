//! What a mutator of the torture can do: one table of operations that makes their texts, their
//! reader and their weights.
//!
//! An operation names registers (`r3`), global cells (`g1`), handles (`h2`) and blocks of C's (`c0`)
//! and never objects, and is nothing where what it needs is not there. So any part of a script is a
//! script, which is what shrinking one needs.

use std::fmt;
use std::str::FromStr;

/// What an operation has to do with; a profile says how often each comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Group {
    /// Fresh small objects.
    Make,
    /// Fresh objects of a page and more, and such as never move.
    Large,
    /// Fresh weak objects.
    Weakly,
    /// Edges of the graph.
    Link,
    /// Roots that go.
    Drop,
    /// The root stack.
    Stack,
    /// Global cells, through which threads exchange objects.
    Global,
    /// Collections and safepoints.
    Collect,
    /// Calls into C, which pin, and time spent there.
    Call,
    /// Counted pins, and promotion.
    Pin,
    /// Guardians.
    Guard,
    /// Finalizers and C memory that objects own.
    Owner,
    /// Handles.
    Handle,
    /// C's malloc.
    Malloc,
    /// A look at everything.
    Check,
    /// Heaps that are filled to the limit.
    Fill,
    /// Forks.
    Fork,
    /// Threads that come and go.
    Thread,
    /// The heap is frozen.
    Freeze,
}

/// How many groups there are.
pub(super) const GROUPS: usize = Group::Freeze as usize + 1;

/// An operation's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Kind {
    Pair,
    Cell,
    List,
    Chain,
    Vector,
    Bytes,
    Mixed,
    Bitmap,
    Segment,
    Garbage,
    LargeVector,
    LargeBytes,
    Fixed,
    FixedBytes,
    WeakPair,
    Ephemeron,
    WeakVector,
    Store,
    Clear,
    Load,
    Move,
    Rewrite,
    Drop,
    Frames,
    Return,
    FromStack,
    SetGlobal,
    FromGlobal,
    ClearGlobal,
    Poll,
    Minor,
    Full,
    Request,
    Marking,
    Call,
    EndCall,
    Native,
    Leaf,
    Pin,
    Unpin,
    PinHandle,
    UnpinHandle,
    Promote,
    PromoteHandle,
    Guard,
    GuardFor,
    Next,
    Owner,
    Finalize,
    Finalizer,
    FinalizerThread,
    GlobalHandle,
    WeakHandle,
    Scope,
    LocalHandle,
    EndScope,
    FromHandle,
    SetHandle,
    FreeHandle,
    Stale,
    Malloc,
    Free,
    Check,
    Fill,
    Fork,
    Thread,
    Freeze,
}

/// What the number of an operation is drawn from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Number {
    /// From the first to the second.
    Within(u32, u32),
    /// A size whose magnitude is drawn first, below this power of two.
    Magnitude(u32),
}

/// One operation of the table.
pub(super) struct Row {
    pub(super) kind: Kind,
    pub(super) group: Group,
    /// How often it comes within its group.
    pub(super) weight: usize,
    pub(super) number: Number,
    /// Its text; letters in braces stand for what it names.
    template: &'static str,
}

const fn row(
    kind: Kind,
    group: Group,
    weight: usize,
    number: Number,
    template: &'static str,
) -> Row {
    Row {
        kind,
        group,
        weight,
        number,
        template,
    }
}

/// Every operation, in the order of [`Kind`].
#[rustfmt::skip] // a table
pub(super) const KINDS: [Row; Kind::Freeze as usize + 1] = {
    use Number::{Magnitude, Within};
    const NONE: Number = Within(0, 0);
    [
        row(Kind::Pair, Group::Make, 6, NONE, "r{a} = pair r{b} r{c}"),
        row(Kind::Cell, Group::Make, 4, NONE, "r{a} = cell r{b}"),
        row(Kind::List, Group::Make, 2, Magnitude(10), "r{a} = list {n} r{b}"),
        row(Kind::Chain, Group::Make, 1, Magnitude(8), "r{a} = chain {n} r{b}"),
        row(Kind::Vector, Group::Make, 6, Magnitude(7), "r{a} = vector {n} r{b}"),
        row(Kind::Bytes, Group::Make, 3, Magnitude(9), "r{a} = bytes {n}"),
        row(Kind::Mixed, Group::Make, 3, Magnitude(6), "r{a} = mixed {n} r{b}"),
        row(Kind::Bitmap, Group::Make, 2, Within(1, 30), "r{a} = bitmap {n} r{b}"),
        row(Kind::Segment, Group::Make, 1, Magnitude(8), "r{a} = segment {n} r{b}"),
        row(Kind::Garbage, Group::Make, 3, Magnitude(12), "garbage {n}"),
        row(Kind::LargeVector, Group::Large, 4, Within(1900, 9000), "r{a} = vector {n} r{b}, large"),
        row(Kind::LargeBytes, Group::Large, 3, Magnitude(19), "r{a} = bytes {n}, large"),
        row(Kind::Fixed, Group::Large, 4, Magnitude(9), "r{a} = immovable vector {n} r{b}"),
        row(Kind::FixedBytes, Group::Large, 2, Magnitude(11), "r{a} = immovable bytes {n}"),
        row(Kind::WeakPair, Group::Weakly, 4, NONE, "r{a} = weak pair r{b} r{c}"),
        row(Kind::Ephemeron, Group::Weakly, 3, NONE, "r{a} = ephemeron r{b} r{c}"),
        row(Kind::WeakVector, Group::Weakly, 2, Magnitude(6), "r{a} = weak vector {n} r{b}"),
        row(Kind::Store, Group::Link, 9, Magnitude(12), "r{a}.{n} = r{b}"),
        row(Kind::Clear, Group::Link, 1, Magnitude(12), "clear r{a}.{n}"),
        row(Kind::Load, Group::Link, 8, Magnitude(12), "r{a} = r{b}.{n}"),
        row(Kind::Move, Group::Link, 1, NONE, "r{a} = r{b}"),
        row(Kind::Rewrite, Group::Link, 1, Magnitude(16), "rewrite r{a} {n}"),
        row(Kind::Drop, Group::Drop, 1, NONE, "drop r{a}"),
        row(Kind::Frames, Group::Stack, 2, Magnitude(11), "frames {n} of r{a} r{b}"),
        row(Kind::Return, Group::Stack, 3, Magnitude(11), "return {n}"),
        row(Kind::FromStack, Group::Stack, 2, Magnitude(10), "r{a} = stack {n}"),
        row(Kind::SetGlobal, Group::Global, 3, NONE, "g{b} = r{a}"),
        row(Kind::FromGlobal, Group::Global, 3, NONE, "r{a} = g{b}"),
        row(Kind::ClearGlobal, Group::Global, 1, NONE, "clear g{b}"),
        row(Kind::Poll, Group::Collect, 8, NONE, "poll"),
        row(Kind::Minor, Group::Collect, 3, NONE, "collect minor"),
        row(Kind::Full, Group::Collect, 2, NONE, "collect full"),
        row(Kind::Request, Group::Collect, 2, NONE, "request a collection"),
        row(Kind::Marking, Group::Collect, 3, Within(1, 40), "begin marking, {n} steps"),
        row(Kind::Call, Group::Call, 2, Within(0, 3), "call {n} with r{a} r{b} r{c} {"),
        row(Kind::EndCall, Group::Call, 2, NONE, "} call"),
        row(Kind::Native, Group::Call, 1, Within(0, 3), "native {n}"),
        row(Kind::Leaf, Group::Call, 1, Within(0, 3), "leaf call {n}"),
        row(Kind::Pin, Group::Pin, 5, NONE, "pin r{a}"),
        row(Kind::Unpin, Group::Pin, 5, NONE, "unpin r{a}"),
        row(Kind::PinHandle, Group::Pin, 3, NONE, "pin h{b}"),
        row(Kind::UnpinHandle, Group::Pin, 3, NONE, "unpin h{b}"),
        row(Kind::Promote, Group::Pin, 2, NONE, "promote r{a}"),
        row(Kind::PromoteHandle, Group::Pin, 1, NONE, "promote h{b}"),
        row(Kind::Guard, Group::Guard, 3, NONE, "guard r{b} by r{a}"),
        row(Kind::GuardFor, Group::Guard, 2, NONE, "guard r{b} by r{a} for r{c}"),
        row(Kind::Next, Group::Guard, 4, NONE, "r{a} = next of r{b}"),
        row(Kind::Owner, Group::Owner, 3, Magnitude(14), "r{a} = owner of {n}"),
        row(Kind::Finalize, Group::Owner, 2, Magnitude(12), "finalize r{a} by r{b}, {n} bytes"),
        row(Kind::Finalizer, Group::Owner, 3, NONE, "r{a} r{b} = finalizer"),
        row(Kind::FinalizerThread, Group::Owner, 1, Within(0, 1), "finalizer thread {n}"),
        row(Kind::GlobalHandle, Group::Handle, 2, NONE, "h{b} = global handle r{a}"),
        row(Kind::WeakHandle, Group::Handle, 2, NONE, "h{b} = weak handle r{a}"),
        row(Kind::Scope, Group::Handle, 1, NONE, "scope {"),
        row(Kind::LocalHandle, Group::Handle, 2, NONE, "local handle r{a}"),
        row(Kind::EndScope, Group::Handle, 1, NONE, "} scope"),
        row(Kind::FromHandle, Group::Handle, 4, NONE, "r{a} = h{b}"),
        row(Kind::SetHandle, Group::Handle, 1, NONE, "set h{b} r{a}"),
        row(Kind::FreeHandle, Group::Handle, 2, NONE, "free h{b}"),
        row(Kind::Stale, Group::Handle, 1, NONE, "use stale h{b}"),
        row(Kind::Malloc, Group::Malloc, 3, Magnitude(20), "c{b} = malloc {n}"),
        row(Kind::Free, Group::Malloc, 2, NONE, "free c{b}"),
        row(Kind::Check, Group::Check, 1, NONE, "check"),
        row(Kind::Fill, Group::Fill, 1, NONE, "fill the heap"),
        row(Kind::Fork, Group::Fork, 1, Magnitude(16), "fork {n}"),
        row(Kind::Thread, Group::Thread, 1, Magnitude(16), "thread {n}"),
        row(Kind::Freeze, Group::Freeze, 1, NONE, "freeze"),
    ]
};

impl Kind {
    /// Its row.
    pub(super) fn row(self) -> &'static Row {
        &KINDS[self as usize]
    }
}

/// One operation. What its kind does not name is 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Op {
    pub(super) kind: Kind,
    pub(super) a: u32,
    pub(super) b: u32,
    pub(super) c: u32,
    pub(super) n: u32,
}

impl Op {
    /// The operation of this kind that names nothing.
    pub(super) const fn of(kind: Kind) -> Self {
        Op {
            kind,
            a: 0,
            b: 0,
            c: 0,
            n: 0,
        }
    }

    fn part(&mut self, letter: char) -> Option<&mut u32> {
        match letter {
            'a' => Some(&mut self.a),
            'b' => Some(&mut self.b),
            'c' => Some(&mut self.c),
            'n' => Some(&mut self.n),
            _ => None,
        }
    }

    /// The same with what its kind does not name set to 0.
    pub(super) fn plain(mut self) -> Self {
        let template = self.kind.row().template;
        for letter in ['a', 'b', 'c', 'n'] {
            let named = template.contains(&['{', letter, '}'].iter().collect::<String>());
            if let Some(part) = self.part(letter).filter(|_| !named) {
                *part = 0;
            }
        }
        self
    }
}

/// The parts of a template: literal text, and letters that stand for numbers.
enum Piece<'a> {
    Text(&'a str),
    Letter(char),
}

fn pieces(mut template: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    while let Some(at) = template.find('{') {
        // A brace without a letter is text: it opens a block.
        let letter = template[at + 1..].chars().next();
        let Some(letter) = letter.filter(|_| template[at + 2..].starts_with('}')) else {
            break;
        };
        found.push(Piece::Text(&template[..at]));
        found.push(Piece::Letter(letter));
        template = &template[at + 3..];
    }
    found.push(Piece::Text(template));
    found
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut copy = *self;
        pieces(self.kind.row().template)
            .into_iter()
            .try_for_each(|piece| match piece {
                Piece::Text(text) => f.write_str(text),
                Piece::Letter(letter) => {
                    let number = copy.part(letter).map_or(0, |part| *part);
                    write!(f, "{number}")
                }
            })
    }
}

/// The operation that `text` is, if it is one of this kind.
fn read(kind: Kind, mut text: &str) -> Option<Op> {
    let mut op = Op::of(kind);
    for piece in pieces(kind.row().template) {
        match piece {
            Piece::Text(literal) => text = text.strip_prefix(literal)?,
            Piece::Letter(letter) => {
                let end = text.find(|c: char| !c.is_ascii_digit());
                let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
                *op.part(letter)? = digits.parse().ok()?;
                text = rest;
            }
        }
    }
    text.is_empty().then_some(op)
}

impl FromStr for Op {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = KINDS.iter().find_map(|row| read(row.kind, text));
        found.ok_or_else(|| format!("`{text}` is no operation"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_reads_what_it_prints() {
        for (i, row) in KINDS.iter().enumerate() {
            assert_eq!(row.kind as usize, i, "{}", row.template);
            let op = Op {
                kind: row.kind,
                a: 1,
                b: 22,
                c: 3,
                n: 40_000,
            };
            let op = op.plain();
            assert_eq!(op.to_string().parse(), Ok(op), "{op}");
        }
    }

    #[test]
    fn operations_look_like_a_program() {
        let op: Op = "r3 = pair r1 r2".parse().unwrap();
        assert_eq!((op.kind, op.a, op.b, op.c), (Kind::Pair, 3, 1, 2));
        assert_eq!(op.to_string(), "r3 = pair r1 r2");
        let op: Op = "call 2 with r1 r2 r3 {".parse().unwrap();
        assert_eq!((op.kind, op.n), (Kind::Call, 2));
    }

    #[test]
    fn what_is_no_operation_is_told() {
        for text in ["", "r3 = pear r1 r2", "r = pair r1 r2", "poll 3"] {
            let told = text.parse::<Op>().unwrap_err();
            assert_eq!(told, format!("`{text}` is no operation"));
        }
    }
}
