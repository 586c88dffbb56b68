//! CANCEL, [MS-SMB2] 3.3.5.16: never answered itself.

use smb_proto::header::Route;

use crate::core::{Core, Wake};
use crate::dispatch;
use crate::link::{Element, Signature};
use crate::output::ConnId;
use crate::time::Now;

/// Cancels the request that `element` names: by AsyncId if the flag says so, else by MessageId.
/// One that is not waiting, or has been answered, is left alone; so is everything if the CANCEL has a
/// wrong signature, or one of a session that has no channel here (3.3.5.2.4, 3.3.5.2.9).
pub(crate) fn cancel(core: &mut Core, now: Now, conn: ConnId, element: &Element) {
    if mutated!(core, CancelIgnored) {
        return;
    }
    match element.signature {
        Signature::Bad | Signature::NoKey => return,
        Signature::Good(_) | Signature::Absent => {}
    }
    let Some(c) = core.conns.get(conn) else {
        return;
    };
    let target = match element.header.route {
        Route::Async(id) => c.by_async.get(&id),
        Route::Sync { .. } => c.by_message.get(&element.header.message_id),
    };
    if let Some(op) = target.copied() {
        dispatch::interrupt(core, now, op, Wake::Cancelled);
    }
}
