//! The pages and the reference against the product: programs in them are run, links followed.
//!
//! A page's programs and files lie in one folder, in which its blocks are carried out one after the
//! other; so a page is one trial. [`page`] says which blocks there are. The reference is compared with
//! the procedures that it describes, and its examples are run.
//!
//! Absent on purpose: sessions at the prompt and what the pages say in words.

mod block;
mod itself;
mod links;
mod page;
mod reference;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bowline_tests::{process, trials};
use libtest_mimic::{Failed, Trial};

/// How long a program of a page may take.
const LIMIT: Duration = Duration::from_secs(120);

/// Pages that are made of the reference, whose examples are run from there.
const GENERATED: [&str; 1] = ["docs/reference.md"];

/// What the trials share.
struct Context {
    /// The command.
    bowline: PathBuf,
    /// The workspace.
    root: PathBuf,
}

fn main() -> ExitCode {
    trials::run(all)
}

fn all() -> Result<Vec<Trial>, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let pages = pages(&root)?;
    let context = Arc::new(Context {
        bowline: process::product("bowline")?,
        root,
    });
    let mut trials = vec![
        trial(&context, "itself::wrong_pages_are_refused", itself::check),
        trial(&context, "reference::arities", reference::arities),
        trial(&context, "reference::examples", reference::examples),
    ];
    for page in pages {
        let name = page.replace('/', "-");
        let of = page.clone();
        trials.push(trial(
            &context,
            &format!("links::{name}"),
            move |context, _| links::check(&context.root, &of),
        ));
        if !GENERATED.contains(&page.as_str()) {
            trials.push(trial(
                &context,
                &format!("page::{name}"),
                move |context, folder| page::check(context, &page, folder),
            ));
        }
    }
    Ok(trials)
}

fn trial(
    context: &Arc<Context>,
    name: &str,
    run: impl FnOnce(&Context, &Path) -> Result<(), Failed> + Send + 'static,
) -> Trial {
    trials::trial(context, name.to_owned(), run)
}

/// The pages for users, relative to the workspace.
fn pages(root: &Path) -> Result<Vec<String>, String> {
    let mut pages = vec!["README.md".to_owned()];
    let entries = std::fs::read_dir(root.join("docs")).map_err(|error| error.to_string())?;
    for entry in entries {
        let entry = entry.map_err(|error| error.to_string())?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".md") {
            pages.push(format!("docs/{name}"));
        }
    }
    pages.sort();
    Ok(pages)
}
