//! Which values no clause of a `match` takes, and which clauses take none: Maranget, "Warnings for pattern
//! matching", Journal of Functional Programming 17(3), 2007.
//!
//! The clauses are rows of patterns. A row is *useful* behind others if it takes a list of values that none of
//! them takes; to decide that, the first column is taken away: by looking at what is left for one head at a time
//! (*specialisation*), or at what is left for all heads that no row names (the *default*).
//!
//! A variable can hold anything, so whether a clause is reached is asked with the default always open: only
//! what certainly never runs is told. Whether something is missing is asked of the values that the clauses talk
//! of: of a datatype's constructors, of pairs and the empty list, of the two truth values where there are no
//! others; what else stands among those, `#f` for "nothing" say, is taken as it is.
//!
//! Both questions can take exponential time; beyond [`PATIENCE`] they have no answer.

use std::fmt::Write;

use bowline_syntax::{DatumKind, Number};

use super::datatype::Constructor;
use super::patterns::{Head, Node, Pattern};

/// How many patterns are looked at for one form.
const PATIENCE: usize = 200_000;

/// How many columns may be taken away one inside the other.
const DEPTH: usize = 4000;

/// Longer lists are not taken apart beforehand.
const LIST: usize = 64;

/// The patterns for some values: `None` is one for any value.
type Row<'p> = Vec<Option<&'p Pattern>>;

/// A value that no clause takes.
#[derive(Clone, Debug)]
pub(super) enum Witness {
    Any,
    Made(Head, Vec<Witness>),
}

/// The answer was not found in time.
struct GivenUp;

type Found<T> = Result<T, GivenUp>;

/// What is still to be spent on one form.
struct Search {
    patience: usize,
    depth: usize,
}

/// A value that none of these patterns takes, if there is one. `list` is the length of the list that the value is
/// known to be.
pub(super) fn missing(patterns: &[&Pattern], list: Option<usize>) -> Option<Witness> {
    let rows = patterns.iter().map(|pattern| vec![Some(*pattern)]);
    let mut rows: Vec<Row<'_>> = rows.collect();
    let mut search = Search::new();
    let Some(length) = list.filter(|length| *length <= LIST) else {
        return search.missing(&rows, 1).ok()??.into_iter().next();
    };
    // The elements become the columns.
    for _ in 0..length {
        rows = rows.iter().filter_map(|row| element(row)).collect();
    }
    let nil = Head::nil();
    rows = rows
        .iter()
        .filter_map(|row| specialised(row, &nil))
        .collect();
    let elements = search.missing(&rows, length).ok()??;
    let end = Witness::Made(nil, Vec::new());
    let join = |rest, element| Witness::Made(Head::Pair, vec![element, rest]);
    Some(elements.into_iter().rev().fold(end, join))
}

/// Whether a pattern takes nothing that those before it leave.
pub(super) fn is_useless(before: &[&Pattern], pattern: &Pattern) -> bool {
    let rows = before.iter().map(|pattern| vec![Some(*pattern)]);
    let mut search = Search::new();
    let useful = search.is_useful(&rows.collect::<Vec<_>>(), &[Some(pattern)]);
    matches!(useful, Ok(false))
}

fn head<'p>(row: &[Option<&'p Pattern>]) -> Option<(&'p Head, &'p [Pattern])> {
    match &(*row.first()?)?.node {
        Node::Made(head, parts) => Some((head, parts)),
        _ => None,
    }
}

/// What a row wants of the parts of values that begin with this head, and of the others.
fn specialised<'p>(row: &[Option<&'p Pattern>], wanted: &Head) -> Option<Row<'p>> {
    let mut made: Row<'p> = match head(row) {
        Some((head, _)) if head != wanted => return None,
        Some((_, parts)) => parts.iter().map(Some).collect(),
        None => vec![None; wanted.parts()],
    };
    made.extend_from_slice(&row[1..]);
    Some(made)
}

/// What a row wants of the rest of a list in its first column, of the others and of its first element.
fn element<'p>(row: &[Option<&'p Pattern>]) -> Option<Row<'p>> {
    let mut row = specialised(row, &Head::Pair)?;
    row.rotate_left(1);
    Some(row)
}

fn default<'p>(row: &[Option<&'p Pattern>]) -> Option<Row<'p>> {
    head(row).is_none().then(|| row[1..].to_vec())
}

/// The heads in the first column, each once.
fn heads<'p>(rows: &[Row<'p>]) -> Vec<&'p Head> {
    let mut found: Vec<&Head> = Vec::new();
    for (head, _) in rows.iter().filter_map(|row| head(row)) {
        if !found.contains(&head) {
            found.push(head);
        }
    }
    found
}

/// A head that the values talked of have and that is not among these, if there is one.
fn absent(heads: &[&Head]) -> Option<Witness> {
    let datatype = heads.iter().find_map(|head| head.datatype());
    let pair = heads.contains(&&Head::Pair);
    let nil = heads.iter().any(|head| head.is_nil());
    let mut wanted = Vec::new();
    if let Some(datatype) = datatype {
        wanted.extend((0..datatype.constructors.len()).map(|index| {
            let datatype = datatype.clone();
            Head::Constructor(Constructor { datatype, index }.into())
        }));
    }
    if pair || (nil && datatype.is_none()) {
        wanted.extend([Head::nil(), Head::Pair]);
    }
    if wanted.is_empty() {
        return absent_literal(heads);
    }
    let absent = wanted.into_iter().find(|head| !heads.contains(&head))?;
    let parts = vec![Witness::Any; absent.parts()];
    Some(Witness::Made(absent, parts))
}

/// The same for heads that are all constants.
fn absent_literal(heads: &[&Head]) -> Option<Witness> {
    let kinds = || heads.iter().filter_map(|head| literal(head));
    let has = |wanted| kinds().any(|kind| matches!(kind, DatumKind::Boolean(b) if *b == wanted));
    if !heads.is_empty() && kinds().all(|kind| matches!(kind, DatumKind::Boolean(_))) {
        let absent = [true, false].into_iter().find(|b| !has(*b))?;
        return Some(Witness::constant(DatumKind::Boolean(absent)));
    }
    let is = |kind: &DatumKind, n| matches!(kind, DatumKind::Number(Number::Fixnum(m)) if *m == n);
    let integers = kinds().all(|kind| matches!(kind, DatumKind::Number(Number::Fixnum(_))));
    if heads.is_empty() || !integers {
        return Some(Witness::Any);
    }
    let absent = (0..).find(|n| !kinds().any(|kind| is(kind, *n)))?;
    Some(Witness::constant(DatumKind::Number(Number::Fixnum(absent))))
}

fn literal(head: &Head) -> Option<&DatumKind> {
    match head {
        Head::Literal(datum, _) => Some(&datum.kind),
        _ => None,
    }
}

impl Search {
    fn new() -> Self {
        Search {
            patience: PATIENCE,
            depth: 0,
        }
    }

    fn deeper<T>(&mut self, rows: usize, go: impl FnOnce(&mut Self) -> Found<T>) -> Found<T> {
        if self.patience <= rows || self.depth == DEPTH {
            return Err(GivenUp);
        }
        self.patience -= rows + 1;
        self.depth += 1;
        let found = go(self);
        self.depth -= 1;
        found
    }

    /// Values, one for each of `columns`, that no row takes.
    fn missing(&mut self, rows: &[Row<'_>], columns: usize) -> Found<Option<Vec<Witness>>> {
        if columns == 0 {
            return Ok(rows.is_empty().then(Vec::new));
        }
        let heads = heads(rows);
        let Some(absent) = absent(&heads) else {
            for head in heads {
                let inner: Vec<_> = rows.iter().filter_map(|r| specialised(r, head)).collect();
                let parts = head.parts();
                let left = self.deeper(rows.len(), |s| s.missing(&inner, parts + columns - 1))?;
                if let Some(mut made) = left {
                    let rest = made.split_off(parts);
                    let mut all = vec![Witness::Made(head.clone(), made)];
                    all.extend(rest);
                    return Ok(Some(all));
                }
            }
            return Ok(None);
        };
        let rest: Vec<_> = rows.iter().filter_map(|row| default(row)).collect();
        let left = self.deeper(rows.len(), |search| search.missing(&rest, columns - 1))?;
        Ok(left.map(|mut rest| {
            rest.insert(0, absent);
            rest
        }))
    }

    /// Whether the row takes values that none of the rows before it takes.
    fn is_useful(&mut self, rows: &[Row<'_>], row: &[Option<&Pattern>]) -> Found<bool> {
        if row.is_empty() {
            return Ok(rows.is_empty());
        }
        let (inner, row): (Vec<_>, _) = match head(row) {
            Some((head, _)) => {
                let inner = rows.iter().filter_map(|r| specialised(r, head));
                (inner.collect(), specialised(row, head))
            }
            None => {
                let inner = rows.iter().filter_map(|r| default(r));
                (inner.collect(), default(row))
            }
        };
        let row = row.unwrap_or_default();
        self.deeper(rows.len(), |search| search.is_useful(&inner, &row))
    }
}

impl Witness {
    fn constant(kind: DatumKind) -> Witness {
        let datum = bowline_syntax::Datum::new(kind, bowline_syntax::Span::NONE);
        let text = datum.to_string();
        Witness::Made(Head::Literal(datum, text.into()), Vec::new())
    }

    /// As a pattern.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    /// The elements, if it is a proper list.
    fn items(&self) -> Option<Vec<&Witness>> {
        let (mut rest, mut items) = (self, Vec::new());
        loop {
            match rest {
                Witness::Made(Head::Pair, parts) => match &parts[..] {
                    [first, next] => {
                        items.push(first);
                        rest = next;
                    }
                    _ => return None,
                },
                Witness::Made(head, _) if head.is_nil() => return Some(items),
                _ => return None,
            }
        }
    }

    fn write(&self, out: &mut String) {
        let (head, parts) = match self {
            Witness::Any => return out.push('_'),
            Witness::Made(head, parts) => (head, parts),
        };
        if let Some(items) = self.items().filter(|items| !items.is_empty()) {
            out.push_str("(list");
            for item in items {
                out.push(' ');
                item.write(out);
            }
            out.push(')');
            return;
        }
        let name = match head {
            Head::Literal(datum, text) => {
                let quoted = matches!(datum.kind, DatumKind::Symbol(_) | DatumKind::List(_));
                let quote = if quoted { "'" } else { "" };
                // Writing to a string cannot fail.
                let _ = write!(out, "{quote}{text}");
                return;
            }
            Head::Pair => "cons",
            Head::Constructor(constructor) => constructor.shape().name.as_str(),
        };
        let _ = write!(out, "({name}");
        for part in parts {
            out.push(' ');
            part.write(out);
        }
        out.push(')');
    }
}
