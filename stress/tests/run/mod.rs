//! A run of the command and what comes of it: what the tests of `malloc` and of `gc` share.

use std::path::Path;
use std::process::Command;

/// A run of the command.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Where the tests write.
pub(crate) fn scratch() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

pub(crate) fn stress(arguments: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bowline-stress"));
    let run = command.args(arguments).current_dir(scratch());
    let output = run.output().unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Run {
    /// It has ended by this code and said all that.
    #[track_caller]
    pub(crate) fn ended(self, code: i32, said: &[&str]) -> Self {
        self.ended_by(&[code], said)
    }

    /// It has ended by one of these codes and said all that.
    #[track_caller]
    pub(crate) fn ended_by(self, codes: &[i32], said: &[&str]) -> Self {
        let Self { out, err, .. } = &self;
        let texts = format!("{out}{err}");
        assert!(codes.contains(&self.code), "{}: {texts}", self.code);
        for said in said {
            assert!(texts.contains(said), "no `{said}` in:\n{texts}");
        }
        self
    }
}
