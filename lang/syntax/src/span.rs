//! Where a piece of program text stands: source ids, spans, and the map from them to lines.
//!
//! A span is a byte range of one source. Lines and columns are computed only when somebody asks
//! (an error, a call chain), from a table of line starts that is built on first use.
//!
//! `inv:syntax.span` A span's ends lie on character boundaries of its source and `start <= end`.
//! Lookups clamp rather than rely on it, since spans may be made by hand.
//!
//! Absent on purpose: reading files. Whoever opens a file adds its text here.

use std::cell::OnceCell;
use std::fmt;
use std::rc::Rc;

use crate::expansion::{Expansions, Via};

/// The number of a source within its [`SourceMap`].
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct SourceId(pub u32);

impl SourceId {
    /// No source: code that was made up.
    pub const NONE: Self = Self(u32::MAX);
}

/// A range of bytes of one source.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct Span {
    /// The source.
    pub source: SourceId,
    /// The offset of the first byte.
    pub start: u32,
    /// The offset behind the last byte.
    pub end: u32,
    /// Through which macro it came there.
    pub via: Via,
}

impl Span {
    /// The span of code that stands nowhere.
    pub const NONE: Self = Self {
        source: SourceId::NONE,
        start: 0,
        end: 0,
        via: Via::WRITTEN,
    };

    /// The bytes `start..end` of `source`.
    pub const fn new(source: SourceId, start: u32, end: u32) -> Self {
        Self {
            source,
            start,
            end,
            via: Via::WRITTEN,
        }
    }

    /// Whether this is the span of made-up code.
    pub fn is_none(self) -> bool {
        self.source == SourceId::NONE
    }

    /// The smallest span that covers both. When the sources differ, or one is [`Span::NONE`], it is
    /// the first that is not.
    pub fn to(self, other: Self) -> Self {
        if self.is_none() {
            return other;
        }
        if self.source != other.source {
            return self;
        }
        Self {
            source: self.source,
            start: self.start.min(other.start),
            end: self.end.max(other.end),
            via: if self.via == other.via {
                self.via
            } else {
                Via::WRITTEN
            },
        }
    }
}

/// A place as people name it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Location {
    /// The name of the source, usually a file name.
    pub file: Rc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1, in characters.
    pub column: u32,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

struct Source {
    name: Rc<str>,
    text: Rc<str>,
    library: bool,
    /// The number of its first line.
    first_line: u32,
    line_starts: OnceCell<Vec<u32>>,
}

impl Source {
    fn line_starts(&self) -> &[u32] {
        self.line_starts.get_or_init(|| {
            let newlines = self.text.bytes().enumerate().filter(|&(_, b)| b == b'\n');
            std::iter::once(0)
                .chain(newlines.map(|(at, _)| at as u32 + 1))
                .collect()
        })
    }

    /// The nearest character boundary at or before `offset`.
    fn clamp(&self, offset: u32) -> usize {
        self.text.floor_char_boundary(offset as usize)
    }

    /// The line, from 0, on which `offset` stands.
    fn line(&self, offset: usize) -> usize {
        let offset = offset as u32;
        self.line_starts().partition_point(|&start| start <= offset) - 1
    }

    /// The bytes of line `line`, without its end-of-line characters.
    fn line_range(&self, line: usize) -> std::ops::Range<usize> {
        let starts = self.line_starts();
        let start = starts[line] as usize;
        let end = starts
            .get(line + 1)
            .map_or(self.text.len(), |&e| e as usize);
        let body = self.text[start..end].trim_end_matches(['\n', '\r']);
        start..start + body.len()
    }
}

/// All the texts of a program, by number.
#[derive(Default)]
pub struct SourceMap {
    sources: Vec<Source>,
    expansions: Rc<Expansions>,
}

impl SourceMap {
    /// A map without sources.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text under a name.
    pub fn add(&mut self, name: &str, text: impl Into<Rc<str>>) -> SourceId {
        self.insert(name, text.into(), false, 1)
    }

    /// Adds a text that continues another of the same name: its first line has this number.
    pub fn add_from_line(&mut self, name: &str, text: impl Into<Rc<str>>, line: u32) -> SourceId {
        self.insert(name, text.into(), false, line)
    }

    /// Adds a text that belongs to the standard library: call chains leave its frames out.
    pub fn add_library(&mut self, name: &str, text: impl Into<Rc<str>>) -> SourceId {
        self.insert(name, text.into(), true, 1)
    }

    fn insert(&mut self, name: &str, text: Rc<str>, library: bool, first_line: u32) -> SourceId {
        let id = SourceId(self.sources.len() as u32);
        self.sources.push(Source {
            name: Rc::from(name),
            text,
            library,
            first_line,
            line_starts: OnceCell::new(),
        });
        id
    }

    /// What spans came through is looked up here from now on.
    pub fn set_expansions(&mut self, expansions: Rc<Expansions>) {
        self.expansions = expansions;
    }

    /// What spans came through.
    pub fn expansions(&self) -> &Expansions {
        &self.expansions
    }

    fn get(&self, id: SourceId) -> Option<&Source> {
        self.sources.get(id.0 as usize)
    }

    /// Whether `id` was added as a library.
    pub fn is_library(&self, id: SourceId) -> bool {
        self.get(id).is_some_and(|source| source.library)
    }

    /// The text of a source; empty when there is no such source.
    pub fn text(&self, id: SourceId) -> &str {
        self.get(id).map_or("", |source| &source.text)
    }

    /// The text of a source, shared: it can be read from while the map grows.
    pub fn shared_text(&self, id: SourceId) -> Option<Rc<str>> {
        self.get(id).map(|source| Rc::clone(&source.text))
    }

    /// The name of a source; `<unknown>` when there is no such source.
    pub fn name(&self, id: SourceId) -> &str {
        self.get(id).map_or("<unknown>", |source| &source.name)
    }

    /// Where a span begins, or `None` when it is in no source of this map.
    pub fn location(&self, span: Span) -> Option<Location> {
        let source = self.get(span.source)?;
        let offset = source.clamp(span.start);
        let line = source.line(offset);
        let start = source.line_starts()[line] as usize;
        Some(Location {
            file: Rc::clone(&source.name),
            line: line as u32 + source.first_line,
            column: source.text[start..offset].chars().count() as u32 + 1,
        })
    }

    /// The line on which a span begins, without its end-of-line characters.
    pub fn line_text(&self, span: Span) -> &str {
        self.get(span.source).map_or("", |source| {
            let line = source.line(source.clamp(span.start));
            &source.text[source.line_range(line)]
        })
    }

    /// The bytes of whole lines that spans `first` to `last` of one source cover, with the number
    /// (from 1) of the first line.
    pub(crate) fn window(
        &self,
        id: SourceId,
        first: u32,
        last: u32,
    ) -> (std::ops::Range<usize>, u32) {
        self.get(id).map_or((0..0, 1), |source| {
            let line = source.line(source.clamp(first));
            let last_line = source.line(source.clamp(last));
            let start = source.line_range(line).start;
            let number = line as u32 + source.first_line;
            (start..source.line_range(last_line).end, number)
        })
    }
}
