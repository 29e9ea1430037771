//! A leaf call that keeps a collection waiting is named by the watchdog, and the collection comes after it.

use std::sync::Arc;

use libtest_mimic::Trial;

use crate::context::{Context, LIMIT, complaint};
use bowline_tests::process;
use bowline_tests::trials::trial;

pub(crate) fn trials(context: &Arc<Context>) -> Vec<Trial> {
    vec![trial(
        context,
        "leaf::the_watchdog_names_it".to_string(),
        |context, folder| {
            let mut command = context.program(&["--heap=256m", "--watchdog=50"], "leaf.scm");
            command.arg(context.library("memory/leaf.c")?);
            let outcome = process::run(&mut command, folder, "", LIMIT)?;
            let told = outcome.stderr.contains("which is in the leaf call slow");
            match told && outcome.exit == Some(0) && outcome.stdout == "100\n#t\n" {
                true => Ok(()),
                false => Err(complaint("expected a line that names the call", &outcome)),
            }
        },
    )]
}
