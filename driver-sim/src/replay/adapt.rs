//! Captured messages as the report wants them.

use crate::capture::{Message, command, summary};

/// A request in one line.
pub(super) fn title(m: &Message) -> String {
    let (command, summary) = (command(m), summary(m));
    format!("{command}  {summary}").trim().to_owned()
}
