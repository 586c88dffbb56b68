//! How many bytes are held for whom.

use std::collections::BTreeSet;

use super::{Core, Open, OpenKind, Session};
use crate::output::ConnId;
use crate::table::Id;

/// Bytes that the server holds on behalf of one connection, or of all. Payloads and names are
/// counted; the rows of the tables, which are small and bounded in number, are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Received, and not a whole message yet.
    pub unparsed: usize,
    /// Of messages that are being worked on. Their credits bound it.
    pub requests: usize,
    /// Kept with opens until the client asks: changes of watched directories, names of directories
    /// being listed, bytes of named pipes.
    pub kept: usize,
}

impl Held {
    /// All together.
    #[must_use]
    pub fn total(self) -> usize {
        self.unparsed
            .saturating_add(self.requests)
            .saturating_add(self.kept)
    }
}

fn sum(of: impl Iterator<Item = usize>) -> usize {
    of.fold(0, usize::saturating_add)
}

/// What one connection makes the server hold, or all of them. `unparsed` is the link's to say.
pub(crate) fn held(core: &Core, conn: Option<ConnId>) -> Held {
    let chains = core.chains.iter();
    let mine = chains.filter(|(_, c)| conn.is_none_or(|conn| c.conn == conn));
    let requests = sum(mine.map(|(_, c)| c.bytes));
    let sessions: Option<BTreeSet<Id<Session>>> = conn.map(|conn| {
        let conn = core.conns.get(conn);
        conn.into_iter()
            .flat_map(|c| c.sessions.values().copied())
            .collect()
    });
    let opens = core.opens.iter().map(|(_, o)| o);
    let opens = opens.filter(|o| sessions.as_ref().is_none_or(|s| s.contains(&o.session)));
    Held {
        unparsed: 0,
        requests,
        kept: sum(opens.map(kept)),
    }
}

fn kept(open: &Open) -> usize {
    match &open.kind {
        OpenKind::File(f) => {
            let watched = f.watch.as_ref().map_or(0, |w| w.bytes);
            let listed = sum(f.scan.buffered.iter().map(|item| item.name.len()));
            watched.saturating_add(listed)
        }
        OpenKind::Pipe(pipe) => pipe.held(),
        OpenKind::Quota(_) => 0,
    }
}
