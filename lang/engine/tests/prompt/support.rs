//! A prompt and what is said at it.

use bowline_engine::{Interaction, Options, Reply, Session};
use bowline_gc::HeapConfig;

/// One trial.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) body: fn(),
}

/// Trials named after their procedures.
macro_rules! cases {
    ($($body:ident)*) => {
        pub(crate) const CASES: &[$crate::support::Case] = &[$($crate::support::Case {
            name: concat!(module_path!(), "::", stringify!($body)),
            body: $body,
        },)*];
    };
}
pub(crate) use cases;

pub(crate) struct Prompt {
    pub(crate) at: Interaction,
}

impl Prompt {
    pub(crate) fn new() -> Prompt {
        Prompt::with(HeapConfig::default())
    }

    pub(crate) fn with(heap: HeapConfig) -> Prompt {
        let options = Options {
            heap,
            ..Options::default()
        };
        let session = Session::new(options).expect("a session");
        let at = session.interact().expect("a prompt");
        Prompt { at }
    }

    /// What is shown of an entry that succeeds.
    #[track_caller]
    pub(crate) fn says(&mut self, entry: &str) -> String {
        match self.at.submit(entry) {
            Reply::Said {
                text,
                failure: None,
            } => text,
            other => panic!("{entry}: {other:?}"),
        }
    }

    /// What is told of an entry that fails.
    #[track_caller]
    pub(crate) fn fails(&mut self, entry: &str) -> String {
        match self.at.submit(entry) {
            Reply::Said {
                failure: Some(failure),
                ..
            } => failure,
            other => panic!("{entry}: {other:?}"),
        }
    }

    /// Entries with what is shown of each.
    #[track_caller]
    pub(crate) fn check(&mut self, entries: &[(&str, &str)]) {
        for (entry, wanted) in entries {
            assert_eq!(self.says(entry), *wanted, "{entry}");
        }
    }

    /// An entry whose failure contains each of these, in this order.
    #[track_caller]
    pub(crate) fn tells(&mut self, entry: &str, parts: &[&str]) {
        let told = self.fails(entry);
        let mut rest = told.as_str();
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => panic!("{entry}: {told}\nlacks {part}"),
            }
        }
    }
}
