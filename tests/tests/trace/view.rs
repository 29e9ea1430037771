//! `bowline trace-view`: the page of a trace, and what is no trace.
//!
//! Absent on purpose: how the page looks. A browser is tried where there is one (`a browser draws it`).

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bowline_tests::process::{self, Outcome};
use bowline_tests::trials::trial;
use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use crate::run::{Context, complaint, ensure};

/// How long a page may take, on a busy machine.
const LIMIT: Duration = Duration::from_secs(100);

/// A trial's work.
type Run = fn(&Context, &Path) -> Result<(), Failed>;

pub(crate) fn trials(context: &Arc<Context>) -> Vec<Trial> {
    let new = |name: &str, run: Run| trial(context, format!("view::{name}"), run);
    let browser = browser();
    // Without a browser the trial is said to be ignored.
    let drawn = new("a browser draws it", drawn).with_ignored_flag(browser.is_none());
    vec![
        new("a trace of ours", ours),
        new("a trace of others", others),
        new("half a million events", many),
        new("a trace that is cut off", cut_off),
        new("what is no trace", refused),
        drawn,
    ]
}

fn browser() -> Option<std::path::PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    names.iter().find_map(|name| process::find(name))
}

fn view(context: &Context, folder: &Path, arguments: &[&str]) -> Result<Outcome, Failed> {
    let mut command = Command::new(&context.bowline);
    command.arg("trace-view").args(arguments);
    Ok(process::run(&mut command, folder, "", LIMIT)?)
}

/// The data in a page.
fn data(page: &str) -> Result<Value, Failed> {
    let data = page
        .split_once("id=\"data\">")
        .and_then(|(_, rest)| rest.split_once("</script>"));
    let (data, _) = data.ok_or("the page has data")?;
    Ok(serde_json::from_str(data)?)
}

fn ours(context: &Context, folder: &Path) -> Result<(), Failed> {
    let body = "(do ((i 0 (+ i 1))) ((= i 20)) (build 10000))
(qsort (make-bytevector 16 1) 2 8 (lambda (a b) (usleep 2000) 0))
(do ((i 0 (+ i 1))) ((= i 100)) (strlen \"</script>\"))
(collect)";
    let trace = context.trace(folder, &["--nursery=4m"], body)?;
    let outcome = view(context, folder, &["t.json"])?;
    if outcome.exit != Some(0) || !outcome.stderr.is_empty() || outcome.stdout != "t.html\n" {
        return Err(complaint("expected a page", &outcome));
    }
    let page = data(&std::fs::read_to_string(folder.join("t.html"))?)?;
    let summary = trace.metadata("bowline_summary")[0];
    ensure(page["own"] == true && page["name"] == "p.scm", "it is ours")?;
    ensure(
        page["summary"] == *summary,
        "the sums are those of the trace",
    )?;
    let pauses = page["pauses"].as_array().map_or(0, Vec::len) as u64;
    ensure(
        summary["collections"] == pauses && pauses > 3,
        &format!("{pauses} pauses"),
    )?;
    let slices = page["tracks"].as_array().into_iter().flatten();
    let slices: usize = slices
        .map(|t| t["begin"].as_array().map_or(0, Vec::len))
        .sum();
    ensure(slices == trace.slices().len(), &format!("{slices} slices"))?;
    let functions = page["functions"].as_array().into_iter().flatten();
    let strlen = functions.into_iter().find(|f| f["name"] == "strlen");
    ensure(strlen.is_some_and(|f| f["calls"] == 100), "calls of strlen")?;
    let rows = page["tracks"].as_array().into_iter().flatten();
    let main = rows.into_iter().find(|t| t["name"] == "main");
    ensure(
        main.is_some_and(|t| t["depth"] == 3),
        "a call in a callback in a call",
    )
}

fn others(context: &Context, folder: &Path) -> Result<(), Failed> {
    let text = r#"{"displayTimeUnit":"ms","traceEvents":[
{"ph":"B","name":"load <a>","pid":"p","tid":7,"ts":1000000},
{"ph":"X","name":"parse","pid":"p","tid":7,"ts":1000010,"dur":5,"args":{"x":[1,{"y":2}]}},
{"ph":"E","pid":"p","tid":7,"ts":1000030},
{"ph":"C","name":"size","pid":"p","ts":1000020,"args":{"n":4}},
{"ph":"s","id":1,"name":"flow","pid":"p","tid":7,"ts":1000011}]}"#;
    std::fs::write(folder.join("o.json"), text)?;
    let outcome = view(context, folder, &["o.json", "-o", "-"])?;
    if outcome.exit != Some(0) {
        return Err(complaint("expected a page", &outcome));
    }
    let page = data(&outcome.stdout)?;
    ensure(
        page["own"] == false && page["span"] == 30_000,
        "it is somebody else's",
    )?;
    let track = &page["tracks"][0];
    let length = serde_json::json!([30_000, 5000]);
    ensure(
        track["length"] == length && track["row"] == serde_json::json!([0, 1]),
        "two slices",
    )?;
    ensure(
        page["functions"][0]["name"] == "load <a>",
        "the table is made of the slices",
    )
}

/// The page stays small, and is made in a time that nobody minds.
fn many(context: &Context, folder: &Path) -> Result<(), Failed> {
    let mut text = String::from("[\n");
    for i in 0..500_000 {
        let end = if i == 499_999 { "\n]" } else { ",\n" };
        text += &format!(
            r#"{{"ph":"X","name":"f{}","cat":"call","pid":1,"tid":{},"ts":{}.5,"dur":8}}{end}"#,
            i % 20,
            i % 3,
            i * 10
        );
    }
    std::fs::write(folder.join("m.json"), text)?;
    let outcome = view(context, folder, &["m.json"])?;
    if outcome.exit != Some(0) {
        return Err(complaint("expected a page", &outcome));
    }
    let html = std::fs::read_to_string(folder.join("m.html"))?;
    ensure(html.len() < 16 << 20, &format!("{} bytes", html.len()))?;
    let page = data(&html)?;
    ensure(
        page["events"] == 500_000 && page["names"].as_array().map(Vec::len) == Some(20),
        "all are there",
    )
}

fn cut_off(context: &Context, folder: &Path) -> Result<(), Failed> {
    context.trace(
        folder,
        &["--nursery=4m"],
        "(do ((i 0 (+ i 1))) ((= i 20)) (build 10000))",
    )?;
    let whole = std::fs::read_to_string(folder.join("t.json"))?;
    let at = whole.len() / 2;
    std::fs::write(folder.join("half.json"), &whole[..at])?;
    let outcome = view(context, folder, &["half.json"])?;
    let told = outcome
        .stderr
        .starts_with("bowline: The trace is not closed: it ends at byte ");
    if outcome.exit != Some(0) || !told {
        return Err(complaint("expected a remark", &outcome));
    }
    let page = data(&std::fs::read_to_string(folder.join("half.html"))?)?;
    ensure(
        page["remarks"].as_array().map(Vec::len) == Some(1),
        "the page says it too",
    )
}

fn refused(context: &Context, folder: &Path) -> Result<(), Failed> {
    let traces: [(&str, &[u8], &str); 5] = [
        ("empty.json", b"", "the file is empty"),
        ("text.json", b"hello", "line 1, column 1: expected value"),
        ("bytes.json", b"[\xff", "byte 1 is not UTF-8 text"),
        (
            "bad.json",
            b"[\n{\"ph\":\"X\"},\n{\"ph\" \"X\"}]",
            "line 3, column 7: expected `:`",
        ),
        ("none.json", b"[]", "no event in it can be drawn"),
    ];
    for (name, text, why) in traces {
        std::fs::write(folder.join(name), text)?;
        let outcome = view(context, folder, &[name])?;
        let wanted = format!("bowline: cannot view {name}: {why}\n");
        if outcome.stderr != wanted || outcome.exit != Some(2) {
            return Err(complaint(&wanted, &outcome));
        }
    }
    let outcome = view(context, folder, &["missing.json"])?;
    let wanted = "bowline: cannot view missing.json: No such file or directory (os error 2)\n";
    ensure(
        outcome.stderr == wanted && outcome.exit == Some(2),
        &outcome.stderr,
    )?;
    std::fs::write(folder.join("t.html"), r#"[{"ph":"i","name":"a","ts":1}]"#)?;
    let outcome = view(context, folder, &["t.html"])?;
    ensure(
        outcome
            .stderr
            .contains("the page would overwrite its own trace t.html"),
        &outcome.stderr,
    )?;
    let outcome = view(context, folder, &["t.html", "-o", "no/page.html"])?;
    let wanted = "bowline: cannot write no/page.html: No such file or directory (os error 2)\n";
    ensure(
        outcome.stderr == wanted && outcome.exit == Some(2),
        &outcome.stderr,
    )
}

/// What the page's script makes of the data, as the browser sees it in the end.
fn drawn(context: &Context, folder: &Path) -> Result<(), Failed> {
    let body = "(do ((i 0 (+ i 1))) ((= i 20)) (build 10000)) (usleep 2000) (collect)";
    context.trace(folder, &["--nursery=4m"], body)?;
    view(context, folder, &["t.json"])?;
    let browser = browser().ok_or("a browser")?;
    let mut command = Command::new(browser);
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
    ]);
    command.args([
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]);
    command.arg(format!(
        "--user-data-dir={}",
        folder.join("profile").display()
    ));
    command.args(["--virtual-time-budget=3000", "--dump-dom"]);
    command.arg(format!("file://{}", folder.join("t.html").display()));
    let outcome = process::run(&mut command, folder, "", LIMIT)?;
    // These stand in no file: the script has made them, the last ones after everything was drawn.
    for made in [
        "Collections</span>",
        "usleep</td>",
        "<strong>main</strong>",
        "minor collections</span>",
        "all ",
    ] {
        if !outcome.stdout.contains(made) {
            return Err(complaint(&format!("expected {made} in the page"), &outcome));
        }
    }
    Ok(())
}
