//! `bowline trace-view`: a trace as a page of HTML that needs nothing else, neither a network nor a server.
//!
//! Reading order: `read` (the file), `model` (what is drawn of it), then `page.html`, `page.css` and `page.js`,
//! which are put together here with the model as JSON.
//!
//! Absent on purpose: any code of others in the page.

mod model;
mod read;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use model::Page;

const HTML: &str = include_str!("page.html");
const CSS: &str = include_str!("page.css");
const JS: &str = include_str!("page.js");

/// Options of `trace-view`.
#[derive(Args, Debug)]
pub(crate) struct ViewOptions {
    /// The trace: what --trace has written, or any in Chrome's format.
    trace: PathBuf,
    /// The page; beside the trace if nothing is said, "-" for standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Writes the page.
pub(crate) fn run(options: &ViewOptions) -> Result<i32, String> {
    let trace = &options.trace;
    let of_trace =
        |what: &dyn std::fmt::Display| format!("cannot view {}: {what}", trace.display());
    let bytes = std::fs::read(trace).map_err(|error| of_trace(&error))?;
    let read = read::read(&bytes).map_err(|fault| of_trace(&fault))?;
    let page = model::page(&read).map_err(|fault| of_trace(&fault))?;
    let html = html(&page, &file_name(trace)).map_err(|error| of_trace(&error))?;
    let output = match &options.output {
        Some(output) if output.as_os_str() == "-" => {
            let written = std::io::stdout().write_all(html.as_bytes());
            let failed = |error| format!("cannot write to standard output: {error}");
            return written.map(|()| 0).map_err(failed);
        }
        Some(output) => output.clone(),
        None => trace.with_extension("html"),
    };
    let chosen_here = options.output.is_none();
    if is_same(trace, &output) {
        let output = output.display();
        return Err(format!(
            "the page would overwrite its own trace {output}: give another with -o"
        ));
    }
    std::fs::write(&output, html)
        .map_err(|error| format!("cannot write {}: {error}", output.display()))?;
    if chosen_here {
        let _ = writeln!(std::io::stdout(), "{}", output.display());
    }
    for remark in &page.remarks {
        let _ = writeln!(std::io::stderr(), "bowline: {remark}");
    }
    Ok(0)
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// Whether both are one file that exists.
pub(crate) fn is_same(a: &Path, b: &Path) -> bool {
    let whole = |path: &Path| path.canonicalize().ok();
    whole(a).is_some_and(|a| Some(a) == whole(b))
}

/// Text between the tags of HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The page, put together.
fn html(page: &Page, file: &str) -> Result<String, serde_json::Error> {
    // Within a script no tag may begin, whatever a function is called.
    let data = serde_json::to_string(page)?.replace('<', "\\u003c");
    let title = match page.name.is_empty() {
        true => file,
        false => &page.name,
    };
    let mut text = String::with_capacity(data.len() + HTML.len() + CSS.len() + JS.len());
    let mut rest = HTML;
    while let Some((before, (name, after))) = rest
        .split_once("{{")
        .and_then(|(before, rest)| Some((before, rest.split_once("}}")?)))
    {
        text.push_str(before);
        match name {
            "title" => text.push_str(&escaped(title)),
            "file" => text.push_str(&escaped(file)),
            "style" => text.push_str(CSS),
            "script" => text.push_str(JS),
            _ => text.push_str(&data),
        }
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(trace: &str) -> String {
        let read = read::read(trace.as_bytes()).expect("a trace");
        let page = model::page(&read).expect("a page");
        html(&page, "a<b.json").expect("HTML")
    }

    #[test]
    fn the_page_holds_everything_and_asks_for_nothing() {
        let html = of(r#"[{"ph":"X","name":"</script><b>&amp;{{data}}","ts":1,"dur":1}]"#);
        assert!(!html.contains("</script><b>"), "a name ends no script");
        assert!(html.contains("a&lt;b.json"));
        assert_eq!(html.matches("</script>").count(), 2);
        for outside in [
            "src=", "href=", "@import", "url(", "fetch(", "http:", "https:",
        ] {
            assert!(!html.contains(outside), "{outside}");
        }
        let data = html
            .split_once("id=\"data\">")
            .and_then(|(_, rest)| rest.split_once("</script>"));
        let data: serde_json::Value =
            serde_json::from_str(data.expect("the data").0).expect("JSON");
        assert_eq!(data["names"][0], "</script><b>&amp;{{data}}");
        assert_eq!(data["tracks"][0]["length"][0], 1000);
    }
}
