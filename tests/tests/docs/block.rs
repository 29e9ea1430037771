//! The fenced blocks of a page, and text that stands for what differs from run to run.

/// One fenced block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Block {
    /// The line of its fence, from 1.
    pub(crate) line: usize,
    /// The first word behind the fence.
    pub(crate) language: String,
    /// Further words, such as `error` or `file=NAME`.
    pub(crate) words: Vec<String>,
    /// What it holds.
    pub(crate) text: String,
}

impl Block {
    /// Whether this word stands behind the language.
    pub(crate) fn is(&self, word: &str) -> bool {
        self.words.iter().any(|other| other == word)
    }

    /// The file that it is, if it says so.
    pub(crate) fn file(&self) -> Option<&str> {
        self.words
            .iter()
            .find_map(|word| word.strip_prefix("file="))
    }
}

/// The fenced blocks of a page, in order.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (i, line) in page.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some("")) => blocks.extend(open.take()),
            (Some(block), _) => block.text += &format!("{line}\n"),
            (None, Some(info)) => {
                let mut words = info.split([' ', ',']).map(str::to_owned);
                open = Some(Block {
                    line: i + 1,
                    language: words.next().unwrap_or_default(),
                    words: words.collect(),
                    text: String::new(),
                });
            }
            (None, None) => {}
        }
    }
    blocks
}

/// Whether a text is what the page shows. `…` on a line stands for any text within it, and alone on
/// a line for any number of lines.
pub(crate) fn matches(shown: &str, actual: &str) -> bool {
    let lines = |text: &str| -> Vec<String> {
        let text = text.trim_end_matches('\n');
        text.lines()
            .map(|line| line.trim_end().to_owned())
            .collect()
    };
    let fits = |shown: &String, actual: &String| similar(shown, actual);
    fits_with_gaps(
        &lines(shown),
        &lines(actual),
        &|line| line.trim() == "…",
        &fits,
    )
}

fn similar(shown: &str, actual: &str) -> bool {
    let characters = |text: &str| text.chars().collect::<Vec<_>>();
    fits_with_gaps(
        &characters(shown),
        &characters(actual),
        &|c| *c == '…',
        &|a, b| a == b,
    )
}

/// Whether `actual` is `shown` with anything in the place of its gaps.
fn fits_with_gaps<T>(
    shown: &[T],
    actual: &[T],
    is_gap: &dyn Fn(&T) -> bool,
    fits: &dyn Fn(&T, &T) -> bool,
) -> bool {
    match shown.split_first() {
        None => actual.is_empty(),
        Some((first, rest)) if is_gap(first) => {
            (0..=actual.len()).any(|skipped| fits_with_gaps(rest, &actual[skipped..], is_gap, fits))
        }
        Some((first, rest)) => actual.split_first().is_some_and(|(one, others)| {
            fits(first, one) && fits_with_gaps(rest, others, is_gap, fits)
        }),
    }
}
