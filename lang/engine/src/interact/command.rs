//! Commands: entries that begin with a comma.

use super::{End, Interaction, Outcome};

impl Interaction {
    pub(super) fn command(&mut self, text: &str) -> Outcome {
        match text.trim() {
            "quit" => Err(End::Quit(0)),
            "bt" => {
                if let Some(text) = self.whole_failure() {
                    self.say(&text);
                }
                Ok(())
            }
            _ => Err(End::Failed(
                self.session.format.remark("there is no such command"),
            )),
        }
    }
}
