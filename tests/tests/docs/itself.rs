//! The checks of pages and links against pages that are wrong: each must be refused for its reason.

use std::path::Path;

use libtest_mimic::Failed;

use crate::{Context, links, page};

/// What a page holds, and what must be said of it; nothing of a good one.
const PAGES: [(&str, Option<&str>); 10] = [
    (
        "```scheme\n(import (scheme base) (scheme write))\n(write 1)\n```\n```text\n1\n```\n",
        None,
    ),
    (
        "```scheme\n(import (scheme base) (scheme write))\n(write 1)\n```\n```text\n2\n```\n",
        Some("it shows\n2"),
    ),
    (
        "```scheme\n(import (scheme base))\n(car 1)\n```\n",
        Some("status 1"),
    ),
    ("```scheme fragment\n(car '(\n```\n", Some("cannot be read")),
    (
        "```scheme error\n(import (scheme base))\n```\n",
        Some("status 0"),
    ),
    (
        "```scheme error\n(import (scheme base))\n(car 1)\n```\n```text\n…error: car: …\n…\n```\n",
        None,
    ),
    (
        "```c file=a/b.txt\ntext\n```\n```console\n$ cat a/b.txt\ntext\n```\n",
        None,
    ),
    (
        "```console\n$ echo one two three\none … four\n```\n",
        Some("it shows\none … four"),
    ),
    (
        "```console\n$ echo one two three\none … three\n$ echo 4\n5\n```\n",
        Some("it shows\n5"),
    ),
    (
        "```console\n$ bowline no-such-command\n```\n",
        Some("it shows"),
    ),
];

/// The same of links.
const LINKS: [(&str, Option<&str>); 5] = [
    (
        "# A Heading, of `code`\n[a](#a-heading-of-code) [b](page.md) [c](https://example.org/x)\n",
        None,
    ),
    ("[a](#no-such-place)\n", Some("names a place")),
    (
        "[a](no-such-file.md)\n",
        Some("there is no no-such-file.md"),
    ),
    (
        "[a][b]\n\n[b]: no-such-file.md\n",
        Some("there is no no-such-file.md"),
    ),
    (
        "<a id=\"x\"></a> [a](page.md#x)\n```\n[b](no-such-file.md)\n```\n",
        None,
    ),
];

pub(crate) fn check(context: &Context, folder: &Path) -> Result<(), Failed> {
    let file = folder.join("page.md");
    let name = file.to_string_lossy();
    for (text, reason) in PAGES {
        std::fs::write(&file, text)?;
        expect(text, reason, page::check(context, &name, folder))?;
    }
    for (text, reason) in LINKS {
        std::fs::write(&file, text)?;
        expect(text, reason, links::check(&context.root, &name))?;
    }
    Ok(())
}

fn expect(text: &str, reason: Option<&str>, found: Result<(), Failed>) -> Result<(), Failed> {
    let said = found
        .err()
        .and_then(|failed| failed.message().map(str::to_owned));
    let as_expected = match (reason, &said) {
        (None, None) => true,
        (Some(reason), Some(said)) => said.contains(reason),
        _ => false,
    };
    match as_expected {
        true => Ok(()),
        false => Err(format!("of this page {said:?} is said, not {reason:?}:\n{text}").into()),
    }
}
