//! The reference: one entry for every name that a public library exports, for the prompt and for
//! `docs/reference.md`.
//!
//! The texts lie in `lang/engine/reference`, blocks between blank lines:
//!
//! ```text
//! == (scheme base) Lists
//! What the section is about, as long as it likes.
//!
//! (length list) → integer
//! How many elements LIST has. An improper or circular list is an error.
//! > (length '(a b c)) ⇒ 3
//!
//! syntax
//! (if test then [else])
//! …
//! ```
//!
//! A block may begin with the word `syntax`, `auxiliary` or `value`; without one it describes
//! procedures. Then come the signatures: names that share a text stand in one block and become an
//! entry each. In a signature `[x]` may be left out and `x ...` stands for any number of them. An
//! example ends in `⇒ VALUE` (several values with blanks between), `prints TEXT` or
//! `raises PART-OF-THE-MESSAGE`. Lines are joined to paragraphs by whoever shows them.
//!
//! Everything in an entry is a slice of the embedded texts.
//!
//! Absent on purpose: checking. Tests compare names, arities and examples with the library itself.

use std::sync::OnceLock;

const TEXTS: [&str; 6] = [
    include_str!("../reference/syntax.txt"),
    include_str!("../reference/data.txt"),
    include_str!("../reference/numbers.txt"),
    include_str!("../reference/control.txt"),
    include_str!("../reference/bowline.txt"),
    include_str!("../reference/datatype.txt"),
];

/// What a name is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A procedure.
    Procedure,
    /// A syntactic form.
    Syntax,
    /// A word that forms look for, such as `else`.
    Auxiliary,
    /// A variable that holds no procedure.
    Value,
}

/// What there is to know about a name.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its library, as `(scheme base)`. Others may export it too.
    pub library: &'static str,
    /// The section of the library's reference that it belongs to.
    pub section: &'static str,
    /// How it is used and what comes of it; a line for each way.
    pub signature: &'static str,
    /// One to some sentences, in lines.
    pub text: &'static str,
    /// The examples as they stand; see [`Entry::examples`].
    pub examples: &'static str,
}

/// What an example's expression comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// These values, as `write` shows them, with a blank between them.
    Values(&'static str),
    /// This text on the standard output.
    Prints(&'static str),
    /// A condition whose message contains this.
    Raises(&'static str),
}

/// A section of the reference.
#[derive(Clone, Debug)]
pub struct Section {
    /// Its library.
    pub library: &'static str,
    /// Its title; empty if it is the library's only one.
    pub title: &'static str,
    /// What it is about; often empty.
    pub text: &'static str,
    /// Its entries in reading order. Those that share a text stand side by side.
    pub entries: Vec<Entry>,
}

impl Entry {
    /// The expressions to try, with what they come to.
    pub fn examples(&self) -> impl Iterator<Item = (&'static str, Outcome)> + use<> {
        self.examples.lines().filter_map(example)
    }
}

/// The entry of a name.
pub fn lookup(name: &str) -> Option<&'static Entry> {
    let entries = all();
    let found = entries.binary_search_by(|entry| entry.name.cmp(name));
    found.ok().map(|index| &entries[index])
}

/// Every entry, by name.
pub fn all() -> &'static [Entry] {
    &reference().entries
}

/// The sections in reading order.
pub fn sections() -> &'static [Section] {
    &reference().sections
}

struct Reference {
    entries: Vec<Entry>,
    sections: Vec<Section>,
}

fn reference() -> &'static Reference {
    static REFERENCE: OnceLock<Reference> = OnceLock::new();
    REFERENCE.get_or_init(|| {
        let mut sections = Vec::new();
        TEXTS.iter().for_each(|text| read(text, &mut sections));
        let entries = sections.iter().flat_map(|section| &section.entries);
        let mut entries: Vec<Entry> = entries.copied().collect();
        entries.sort_by_key(|entry| entry.name);
        Reference { entries, sections }
    })
}

fn read(text: &'static str, sections: &mut Vec<Section>) {
    for block in text.split("\n\n").map(|block| block.trim_matches('\n')) {
        if let Some(heading) = block.strip_prefix("== ") {
            sections.push(section(heading));
        } else if let Some(section) = sections.last_mut() {
            section.read(block);
        }
    }
}

impl Section {
    fn read(&mut self, block: &'static str) {
        let (kind, block) = kind(block);
        let (mut signatures, rest) = match kind {
            Kind::Procedure | Kind::Syntax => split_while(block, |line| line.starts_with('(')),
            Kind::Auxiliary | Kind::Value => split_first(block),
        };
        let (text, examples) = split_while(rest, |line| !line.starts_with("> "));
        while let Some(name) = signatures.lines().next().map(name) {
            let (signature, others) = split_while(signatures, |line| self::name(line) == name);
            self.entries.push(Entry {
                name,
                kind,
                library: self.library,
                section: self.title,
                signature: signature.trim_end(),
                text: text.trim_end(),
                examples,
            });
            signatures = others;
        }
    }
}

/// A section by its block: `(LIBRARY NAME) TITLE`, then its text.
fn section(block: &'static str) -> Section {
    let (heading, text) = split_first(block);
    let (library, title) = heading.split_at(heading.find(')').map_or(0, |at| at + 1));
    Section {
        library,
        title: title.trim(),
        text,
        entries: Vec::new(),
    }
}

fn kind(block: &'static str) -> (Kind, &'static str) {
    let (first, rest) = split_first(block);
    match first.trim_end() {
        "syntax" => (Kind::Syntax, rest),
        "auxiliary" => (Kind::Auxiliary, rest),
        "value" => (Kind::Value, rest),
        _ => (Kind::Procedure, block),
    }
}

/// The name that a signature is of.
fn name(signature: &'static str) -> &'static str {
    let inner = signature.strip_prefix('(').unwrap_or(signature);
    inner.split([' ', ')', '\n']).next().unwrap_or(inner)
}

/// What stands between an example's expression and what it comes to.
const MARKS: [(&str, Mark); 3] = [
    (" ⇒ ", Outcome::Values),
    (" prints ", Outcome::Prints),
    (" raises ", Outcome::Raises),
];

type Mark = fn(&'static str) -> Outcome;

fn example(line: &'static str) -> Option<(&'static str, Outcome)> {
    let line = line.strip_prefix("> ")?;
    MARKS.into_iter().find_map(|(mark, outcome)| {
        let (expression, what) = line.rsplit_once(mark)?;
        Some((expression.trim_end(), outcome(what.trim())))
    })
}

/// The first line, and what follows it.
fn split_first(text: &'static str) -> (&'static str, &'static str) {
    text.split_once('\n').unwrap_or((text, ""))
}

/// The leading lines for which this holds, and the rest.
fn split_while(
    text: &'static str,
    holds: impl Fn(&'static str) -> bool,
) -> (&'static str, &'static str) {
    let leading = text.split_inclusive('\n').take_while(|line| holds(line));
    text.split_at(leading.map(str::len).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_with_all_that_is_said_of_it() {
        let entry = lookup("car").expect("it is exported");
        assert_eq!(
            (entry.kind, entry.library),
            (Kind::Procedure, "(scheme base)")
        );
        assert_eq!(entry.signature, "(car pair) → object");
        assert!(entry.text.starts_with("The first part of PAIR;"));
        let examples: Vec<_> = entry.examples().collect();
        assert_eq!(examples[0], ("(car '(a b c))", Outcome::Values("a")));
        assert!(lookup("no-such-name").is_none());
    }
}
