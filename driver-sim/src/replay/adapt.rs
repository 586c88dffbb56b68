//! Captured messages as the report wants them.

use serde_json::Value;

use crate::capture::{Conversation, Message, command, summary};

pub(super) fn fields(_c: &Conversation, m: &Message) -> Value {
    serde_json::json!({"body": {"debug": format!("{:?}", m.body)}})
}

/// A request in one line.
pub(super) fn title(m: &Message) -> String {
    let (command, summary) = (command(m), summary(m));
    format!("{command}  {summary}").trim().to_owned()
}
