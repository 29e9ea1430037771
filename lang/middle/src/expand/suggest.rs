//! "Did you mean": the nearest of some names.

/// Longer names are no slips of anything.
const LONGEST: usize = 200;

/// The name nearest to `wanted`, if one is near enough; the alphabetically first of several.
pub fn nearest<'n>(wanted: &str, names: impl IntoIterator<Item = &'n str>) -> Option<String> {
    if wanted.len() > LONGEST {
        return None;
    }
    let wanted: Vec<char> = wanted.chars().collect();
    let limit = (wanted.len() / 3).min(3);
    let mut best: Option<(usize, &str)> = None;
    for name in names {
        if name.len().abs_diff(wanted.len()) > limit * 4 {
            continue;
        }
        let name_chars: Vec<char> = name.chars().collect();
        if name_chars.len().abs_diff(wanted.len()) > limit {
            continue;
        }
        let found = (distance(&wanted, &name_chars), name);
        if found.0 > 0 && found.0 <= limit && best.is_none_or(|best| found < best) {
            best = Some(found);
        }
    }
    best.map(|(_, name)| name.to_owned())
}

/// The library's name nearest to `wanted`: one with as many parts, each of them near by itself.
pub(super) fn nearest_library<'n>(
    wanted: &str,
    names: impl IntoIterator<Item = &'n str>,
) -> Option<String> {
    let parts = |name: &'n str| name.trim_matches(['(', ')']).split(' ');
    let wanted_parts: Vec<&str> = wanted.trim_matches(['(', ')']).split(' ').collect();
    let fits = |name: &&'n str| {
        let mut pairs = wanted_parts.iter().zip(parts(name));
        parts(name).count() == wanted_parts.len()
            && pairs.all(|(part, other)| *part == other || nearest(part, [other]).is_some())
    };
    nearest(wanted, names.into_iter().filter(fits))
}

/// How many letters must be inserted, deleted, replaced or swapped with their neighbour.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = previous[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut cost = replaced.min(previous[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                cost = cost.min(before[j - 2] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut previous, row);
    }
    previous[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_nothing_else() {
        let names = ["vector-ref", "vector-set!", "car", "cdr"];
        assert_eq!(nearest("vecotr-ref", names).as_deref(), Some("vector-ref"));
        assert_eq!(nearest("vectorref", names).as_deref(), Some("vector-ref"));
        assert_eq!(nearest("cat", names).as_deref(), Some("car"));
        assert_eq!(nearest("banana", names), None);
        assert_eq!(nearest("g", ["*"]), None);
        assert_eq!(nearest("car", ["car"]), None);
        assert_eq!(nearest("", names), None);
    }

    #[test]
    fn long_names_are_not_compared() {
        let (long, longer) = ("a".repeat(300), "a".repeat(301));
        assert_eq!(nearest(&long, [longer.as_str()]), None);
    }

    #[test]
    fn a_library_is_near_part_by_part() {
        let names = ["(scheme base)", "(scheme cxr)", "(my tool box)"];
        let near = |name| nearest_library(name, names);
        assert_eq!(near("(scheme bose)").as_deref(), Some("(scheme base)"));
        assert_eq!(near("(shceme base)").as_deref(), Some("(scheme base)"));
        assert_eq!(near("(scheme foo)"), None);
        assert_eq!(near("(my tools)"), None);
    }
}
