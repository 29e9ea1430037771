//! Whether what is written to a terminal is coloured.

use clap::ValueEnum;

/// What the user asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal that knows colours, unless NO_COLOR is set.
    #[default]
    Auto,
    /// In any case.
    Always,
    /// In no case.
    Never,
}

impl Color {
    /// Whether a stream is coloured, given whether it is a terminal.
    pub(crate) fn on(self, terminal: bool) -> bool {
        self.decide(
            terminal,
            is_dumb(),
            std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()),
        )
    }

    fn decide(self, terminal: bool, dumb: bool, refused: bool) -> bool {
        match self {
            Color::Auto => terminal && !dumb && !refused,
            Color::Always => true,
            Color::Never => false,
        }
    }
}

/// Whether the terminal can do nothing but show text line after line.
pub(crate) fn is_dumb() -> bool {
    let term = std::env::var_os("TERM").unwrap_or_default();
    ["", "dumb", "cons25", "emacs"]
        .iter()
        .any(|dumb| term == *dumb)
}

#[cfg(test)]
mod tests {
    use super::Color::{Always, Auto, Never};

    #[test]
    fn what_is_asked_for_comes_before_what_is_found() {
        assert!(Auto.decide(true, false, false));
        for (terminal, dumb, refused) in [
            (false, false, false),
            (true, true, false),
            (true, false, true),
        ] {
            assert!(!Auto.decide(terminal, dumb, refused));
            assert!(Always.decide(terminal, dumb, refused));
        }
        assert!(!Never.decide(true, false, false));
    }
}
