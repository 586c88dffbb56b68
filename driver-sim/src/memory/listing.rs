//! Walking a directory.

use std::collections::BTreeMap;
use std::ops::Bound;

use smb_engine::names::Pattern;
use smb_engine::vfs::{DirItem, Listing, VfsError, VfsHandle, VfsReply, VfsResult};

use super::State;
use super::node::Entry;

impl State {
    /// The walk goes by folded name, so what is created or removed meanwhile moves nothing.
    pub(super) fn list(
        &mut self,
        handle: VfsHandle,
        restart: bool,
        pattern: Option<&Pattern>,
        limit: usize,
        security: bool,
    ) -> VfsResult {
        let entries = self.entries_of(handle)?;
        let mut walked = match restart {
            true => None,
            false => self.handle(handle)?.walked.clone(),
        };
        let from = walked.clone().map_or(Bound::Unbounded, Bound::Excluded);
        let mut listing = Listing {
            items: Vec::new(),
            end: true,
        };
        for (key, entry) in entries.range((from, Bound::Unbounded)) {
            let wanted = pattern.is_none_or(|p| p.matches(&entry.name));
            if wanted && listing.items.len() >= limit {
                listing.end = false;
                break;
            }
            walked = Some(key.clone());
            if wanted {
                listing.items.push(DirItem {
                    name: entry.name.clone(),
                    short_name: String::new(),
                    info: self.info_of(entry.node)?,
                    security: security
                        .then(|| self.nodes.get(&entry.node).map(|n| n.security.clone()))
                        .flatten()
                        .map(Box::new),
                });
            }
        }
        if let Some(h) = self.handles.get_mut(&handle.0) {
            h.walked = walked;
        }
        Ok(VfsReply::Listing(listing))
    }

    pub(super) fn check_empty(&self, handle: VfsHandle) -> VfsResult {
        match self.entries_of(handle)?.is_empty() {
            true => Ok(VfsReply::Done),
            false => Err(VfsError::NotEmpty),
        }
    }

    /// The names in a directory; its streams have none.
    fn entries_of(&self, handle: VfsHandle) -> Result<&BTreeMap<String, Entry>, VfsError> {
        if self.is_named_stream(handle)? {
            return Err(VfsError::NotADirectory);
        }
        let entries = self.node_of(handle)?.entries.as_ref();
        entries.ok_or(VfsError::NotADirectory)
    }
}
