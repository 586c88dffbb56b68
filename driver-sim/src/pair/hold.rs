//! What is kept back: file operations, questions about accounts, and what clients send.

use smb_engine::output::{Completion, Query, Token};
use smb_engine::vfs::{VfsOp, VfsRequest};

use super::{End, Pair};
use crate::check::{Outside, Seen};

/// A question of the engine that is not answered yet.
#[allow(clippy::large_enum_variant, reason = "a handful at a time")]
pub(super) enum Held {
    Vfs(VfsRequest),
    Lookup(Token, Query),
}

impl Pair {
    /// Keeps back the file operations that `which` names until [`Self::release`].
    pub fn hold(&mut self, which: fn(&VfsOp) -> bool) {
        self.holds = which;
    }

    /// Keeps back questions about accounts, and with them logons, until [`Self::release`].
    pub fn hold_lookups(&mut self) {
        self.holds_lookups = true;
    }

    /// Operations and questions that are kept back.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// The file operations that are kept back, the oldest first.
    pub fn held_requests(&self) -> impl Iterator<Item = &VfsRequest> {
        self.held.iter().filter_map(|held| match held {
            Held::Vfs(request) => Some(request),
            Held::Lookup(..) => None,
        })
    }

    /// The questions about accounts that are kept back, the oldest first.
    pub fn held_lookups(&self) -> impl Iterator<Item = Token> {
        self.held.iter().filter_map(|held| match held {
            Held::Lookup(token, _) => Some(*token),
            Held::Vfs(_) => None,
        })
    }

    /// Carries out all that was kept back, and holds no more.
    pub fn release(&mut self) {
        self.holds = |_| false;
        self.holds_lookups = false;
        while self.release_oldest() {}
        self.run();
    }

    /// Carries out what was kept back the longest; others are still kept back. `false` if there is
    /// nothing.
    pub fn release_oldest(&mut self) -> bool {
        let held = self.held.pop_front();
        self.let_go(held)
    }

    /// As [`Self::release_oldest`], with what was kept back last.
    pub fn release_newest(&mut self) -> bool {
        let held = self.held.pop_back();
        self.let_go(held)
    }

    /// As [`Self::release_oldest`], with what has so many older ones before it.
    pub fn release_nth(&mut self, n: usize) -> bool {
        let held = self.held.remove(n);
        self.let_go(held)
    }

    fn let_go(&mut self, held: Option<Held>) -> bool {
        match held {
            None => return false,
            Some(Held::Vfs(request)) => self.carry_out(request),
            Some(Held::Lookup(token, query)) => self.answer_lookup(token, &query),
        }
        self.settle();
        self.run();
        true
    }

    /// Gives the engine an answer of the caller's making, fitting or not, to a question that was
    /// asked or not. The question itself, if it is kept back, stays so. The checkers follow no names
    /// any more.
    pub fn complete(&mut self, token: Token, completion: Completion) {
        let touched = Outside::Touched { path: "" };
        self.panel.tell(self.now, &Seen::Outside(touched));
        self.engine.complete(self.now, token, completion);
        self.settle();
        self.run();
    }

    /// What a client sends from now on waits for [`Self::deliver`].
    pub fn pause(&mut self, end: End) {
        self.ends[end.0].paused = true;
    }

    /// The client sends again as it likes.
    pub fn resume(&mut self, end: End) {
        self.ends[end.0].paused = false;
        self.run();
    }

    /// Carries one message of a client to the server; `false` if it has none to send.
    pub fn deliver(&mut self, end: End) -> bool {
        let carried = self.carry(end.0);
        self.run();
        carried
    }
}
