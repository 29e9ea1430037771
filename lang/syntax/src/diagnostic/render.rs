//! Drawing of diagnostics.
//!
//! The head line is ours; the source lines, underlines and notes are drawn by annotate-snippets,
//! which also replaces control characters of the source. Only the lines between the first and the
//! last span of a source are handed to it, so that an error in a large file costs no more than one
//! in a small file.
//!
//! The window holds whole lines of the source, so inv:syntax.span carries over to offsets in it.

use std::fmt::Write;
use std::ops::Range;

use annotate_snippets::renderer::{AnsiColor, Effects, Style};
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Diagnostic, Severity};
use crate::span::{SourceId, SourceMap, Span};

/// The text of these diagnostics: for each the line `FILE:LINE:COL: SEVERITY: MESSAGE`, the source
/// lines with underlines, and the notes.
pub fn render(diagnostics: &[Diagnostic], sources: &SourceMap, color: bool) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        head(&mut out, diagnostic, sources, color);
        body(&mut out, diagnostic, sources, color);
    }
    out
}

/// One line; control characters would break it or drive the terminal.
fn printable(text: &str) -> String {
    let harmless = |c: char| match c {
        '\n' | '\t' => ' ',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(harmless).collect()
}

fn style(severity: Severity) -> Style {
    let color = match severity {
        Severity::Error => AnsiColor::BrightRed,
        Severity::Warning => AnsiColor::Yellow,
        Severity::Note => AnsiColor::BrightGreen,
    };
    color.on_default().effects(Effects::BOLD)
}

fn head(out: &mut String, diagnostic: &Diagnostic, sources: &SourceMap, color: bool) {
    let (severity, mut message) = (diagnostic.severity, printable(&diagnostic.message));
    if let (Some(code), Severity::Warning) = (diagnostic.code, severity) {
        let _ = write!(message, " [{code}]");
    }
    if let Some(location) = sources.location(diagnostic.primary) {
        out.push_str(&printable(&location.to_string()));
        out.push_str(": ");
    }
    // Writing to a string cannot fail.
    let _ = if color {
        let (style, bold) = (style(severity), Style::new().effects(Effects::BOLD));
        writeln!(out, "{style}{severity}{style:#}{bold}: {message}{bold:#}")
    } else {
        writeln!(out, "{severity}: {message}")
    };
}

/// An underline: where, what to say, and whether it marks the place of the finding itself.
struct Mark<'a> {
    span: Span,
    label: &'a str,
    kind: AnnotationKind,
}

fn body(out: &mut String, diagnostic: &Diagnostic, sources: &SourceMap, color: bool) {
    let mut marks = vec![Mark {
        span: diagnostic.primary,
        label: &diagnostic.primary_label,
        kind: AnnotationKind::Primary,
    }];
    let places = diagnostic.other_places(sources);
    marks.extend(places.iter().map(|(span, label)| Mark {
        span: *span,
        label,
        kind: AnnotationKind::Context,
    }));
    marks.retain(|mark| sources.location(mark.span).is_some());
    let mut ids: Vec<SourceId> = Vec::new();
    for mark in &marks {
        if !ids.contains(&mark.span.source) {
            ids.push(mark.span.source);
        }
    }
    let mut group = Group::with_level(match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    });
    for id in ids {
        group = group.element(snippet(id, &marks, sources, diagnostic.primary.source));
    }
    let calls = diagnostic.calls.iter().map(|call| &call.text);
    for note in calls.chain(&diagnostic.notes) {
        group = group.element(Level::NOTE.message(note.as_str()));
    }
    if group.is_empty() {
        return;
    }
    let renderer = match color {
        true => Renderer::styled(),
        false => Renderer::plain(),
    };
    out.push_str(&renderer.render(&[group]));
    out.push('\n');
}

/// The lines of source `id` that have marks. The head line has named the primary source already.
fn snippet<'a>(
    id: SourceId,
    marks: &[Mark<'a>],
    sources: &'a SourceMap,
    primary: SourceId,
) -> Snippet<'a, Annotation<'a>> {
    let here = || marks.iter().filter(|mark| mark.span.source == id);
    let first = here().map(|mark| mark.span.start).min().unwrap_or(0);
    let last = here().map(|mark| mark.span.start).max().unwrap_or(0);
    let (window, line) = sources.window(id, first, last);
    let text = &sources.text(id)[window.clone()];
    let mut snippet = Snippet::source(text).line_start(line as usize);
    if id != primary {
        snippet = snippet.path(sources.name(id));
    }
    for mark in here() {
        let annotation = mark.kind.span(first_line(text, window.start, mark.span));
        let label = (!mark.label.is_empty()).then_some(mark.label);
        snippet = snippet.annotation(annotation.label(label));
    }
    snippet
}

/// The part of `span` on its first line, as offsets into `text`, which begins at `origin`: a
/// bracket along a page of source shows less than an underline where it begins.
fn first_line(text: &str, origin: usize, span: Span) -> Range<usize> {
    let offset = |at: u32| text.floor_char_boundary((at as usize).saturating_sub(origin));
    let (start, end) = (offset(span.start), offset(span.end).max(offset(span.start)));
    let line_end = text[start..]
        .find(['\n', '\r'])
        .map_or(text.len(), |n| start + n);
    start..end.min(line_end)
}
