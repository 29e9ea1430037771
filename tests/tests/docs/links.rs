//! Links between pages: the file is there, and so is the place in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use libtest_mimic::Failed;

/// Follows the links of a page.
pub(crate) fn check(root: &Path, page: &str) -> Result<(), Failed> {
    let path = root.join(page);
    let text = prose(&std::fs::read_to_string(&path)?);
    let folder = path.parent().unwrap_or(root);
    let mut dead = Vec::new();
    for link in targets(&text) {
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        if file.contains("://") {
            continue;
        }
        let target = if file.is_empty() {
            path.clone()
        } else {
            folder.join(file)
        };
        if !target.exists() {
            dead.push(format!("{page}: there is no {link}"));
        } else if !anchor.is_empty()
            && !anchors(&std::fs::read_to_string(&target)?).contains(anchor)
        {
            dead.push(format!("{page}: {link} names a place that is not there"));
        }
    }
    match dead.is_empty() {
        true => Ok(()),
        false => Err(dead.join("\n").into()),
    }
}

/// A page without its fenced blocks.
fn prose(page: &str) -> String {
    let mut fenced = false;
    let mut text = String::new();
    for line in page.lines() {
        let fence = line.starts_with("```");
        if !fence && !fenced {
            text += &format!("{line}\n");
        }
        fenced ^= fence;
    }
    text
}

/// Where the links of a text lead, images too; also those that are defined on a line of their own.
fn targets(text: &str) -> Vec<&str> {
    let in_place = text.split("](").skip(1);
    let in_place = in_place.filter_map(|rest| rest.split(')').next());
    let definitions = text.lines().filter(|line| line.starts_with('['));
    let defined = definitions.filter_map(|line| Some(line.split_once("]: ")?.1));
    in_place.chain(defined).collect()
}

/// The places of a page that a link can name: its headings, as GitHub names them, and ids.
fn anchors(page: &str) -> BTreeSet<String> {
    let text = prose(page);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = BTreeSet::new();
    for line in text.lines().filter(|line| line.starts_with('#')) {
        let slug = slug(line.trim_start_matches('#').trim());
        let count = seen.entry(slug.clone()).or_default();
        anchors.insert(if *count == 0 {
            slug
        } else {
            format!("{slug}-{count}")
        });
        *count += 1;
    }
    let ids = text
        .split("id=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next());
    anchors.extend(ids.map(str::to_owned));
    anchors
}

fn slug(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c })
        .collect::<String>()
        .to_lowercase()
}
