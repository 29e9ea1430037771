//! Entries line by line from standard input, as it comes: from a pipe, a file, or a terminal that
//! can do nothing else.
//!
//! Lines come through the interaction, from the buffer that programs read from too: an entry that
//! reads a line gets the one after it.

use bowline_engine::{Entry, Interaction, Interrupted, entry};

use super::{FAILED, Next, PROMPT, show, tell};

/// What is shown where an entry goes on.
const MORE: &str = "  ";

/// Evaluates until the input ends: the status to exit with. Somebody who watches (`terminal`) is
/// prompted and has seen what failed; for everybody else the status tells.
pub(super) fn run(interaction: &mut Interaction, terminal: bool, failed: bool) -> i32 {
    let mut any_failed = failed;
    while let Some(text) = next(interaction, terminal) {
        match tell(interaction.submit(&text), "") {
            Next::On { failed } => any_failed |= failed,
            Next::End(status) => return status,
        }
    }
    if terminal {
        show("\n");
        return 0;
    }
    if any_failed { FAILED } else { 0 }
}

/// The next entry. One that is not whole when the input ends is given as it is: evaluating it tells
/// what is missing.
fn next(interaction: &mut Interaction, terminal: bool) -> Option<String> {
    let (mut text, mut begun) = (String::new(), false);
    loop {
        let ask = || {
            if terminal {
                show(if begun { MORE } else { PROMPT });
            }
        };
        match interaction.read_line(ask) {
            Ok(Some(line)) => text += &line,
            Ok(None) if begun => return Some(text),
            Ok(None) => return None,
            Err(Interrupted) => {
                show("\n");
                text.clear();
            }
        }
        begun = match entry(&text) {
            Entry::Complete => return Some(text),
            Entry::Incomplete { .. } => true,
            Entry::Empty => false,
        };
        // Empty lines too, so that places in what follows are told right.
        text.push('\n');
    }
}
