//! Renaming, linking, removing.

use smb_engine::names::fold;
use smb_engine::vfs::{Location, SharePath, VfsError, VfsHandle, VfsReply, VfsResult};

use super::open::check_name;
use super::{ROOT, State};

impl State {
    pub(super) fn rename(
        &mut self,
        handle: VfsHandle,
        from: &Location,
        to: &Location,
        replace: bool,
    ) -> VfsResult {
        match (&from.stream, &to.stream, self.is_named_stream(handle)?) {
            (None, None, false) => self.rename_file(handle, &from.path, &to.path, replace),
            (Some(old), Some(new), true) => self.rename_stream(handle, old, new, replace),
            // A stream does not become a file, nor a file a stream.
            _ => Err(VfsError::Invalid),
        }
    }

    fn rename_file(
        &mut self,
        handle: VfsHandle,
        from: &SharePath,
        to: &SharePath,
        replace: bool,
    ) -> VfsResult {
        let number = self.handle(handle)?.node;
        if from.is_root() {
            return Err(VfsError::AccessDenied);
        }
        let source = self.find(from).map_err(|_| VfsError::NotFound)?;
        if to.is_root() {
            return self.may_replace(ROOT, replace).map(|()| VfsReply::Done);
        }
        let target = self.find_place(to)?;
        if source.node != Some(number) {
            return Err(VfsError::NotFound);
        }
        if self.is_beneath(number, target.parent) {
            return Err(VfsError::Invalid);
        }
        let (old_key, new_key) = (fold(from.file_name()), fold(to.file_name()));
        if (source.parent, &old_key) == (target.parent, &new_key) {
            self.respell(target.parent, number, to.file_name());
            return Ok(VfsReply::Done);
        }
        if let Some(other) = target.node {
            self.may_replace(other, replace)?;
            if other == number {
                // It has the name already, which stays; the other one goes.
                self.leave(source.parent, &old_key);
                self.respell(target.parent, number, to.file_name());
                return Ok(VfsReply::Done);
            }
            self.leave(target.parent, &new_key);
        }
        // Without any name for a moment: the handle keeps the node.
        self.leave(source.parent, &old_key);
        self.enter(target.parent, to.file_name(), number)?;
        Ok(VfsReply::Done)
    }

    /// Writes a name of `number` as given, if it differs (in case).
    fn respell(&mut self, parent: u64, number: u64, name: &str) {
        let now = self.now;
        match self.entry_mut(parent, &fold(name)) {
            Some(entry) if entry.name != name => name.clone_into(&mut entry.name),
            _ => return,
        }
        if let Some(dir) = self.nodes.get_mut(&parent) {
            dir.modified(now);
        }
        if let Some(node) = self.nodes.get_mut(&number) {
            node.change = now;
        }
    }

    fn may_replace(&self, other: u64, replace: bool) -> Result<(), VfsError> {
        if !replace {
            return Err(VfsError::Exists);
        }
        if self.nodes.get(&other).is_some_and(|n| n.is_directory()) {
            return Err(VfsError::AccessDenied);
        }
        Ok(())
    }

    /// Whether `node` is `top` or lies beneath it.
    fn is_beneath(&self, top: u64, node: u64) -> bool {
        top == node
            || self.nodes.get(&top).is_some_and(|n| {
                n.entries
                    .iter()
                    .flat_map(|e| e.values())
                    .any(|e| self.is_beneath(e.node, node))
            })
    }

    fn rename_stream(
        &mut self,
        handle: VfsHandle,
        old: &str,
        new: &str,
        replace: bool,
    ) -> VfsResult {
        check_name(new)?;
        let now = self.now;
        let (old_key, new_key) = (fold(old), fold(new));
        let id = self.handle(handle)?.stream;
        let node = self.node_of_mut(handle)?;
        if node.streams.get(&old_key).copied() != id || id.is_none() {
            return Err(VfsError::NotFound);
        }
        let other = node.streams.get(&new_key).copied();
        if other.is_some() && other != id && !replace {
            return Err(VfsError::Exists);
        }
        node.streams.remove(&old_key);
        if let Some(id) = id {
            node.streams.insert(new_key, id);
        }
        node.change = now;
        if let Some(other) = other.filter(|o| Some(*o) != id) {
            self.drop_stream_if_unused(other);
        }
        new.clone_into(&mut self.stream_of_mut(handle)?.name);
        Ok(VfsReply::Done)
    }

    pub(super) fn link(&mut self, handle: VfsHandle, to: &SharePath, replace: bool) -> VfsResult {
        let node = self.node_of(handle)?;
        if node.is_directory() {
            return Err(VfsError::IsADirectory);
        }
        if node.links == 0 {
            return Err(VfsError::NotFound);
        }
        let number = self.handle(handle)?.node;
        if to.is_root() {
            return self.may_replace(ROOT, replace).map(|()| VfsReply::Done);
        }
        let target = self.find_place(to)?;
        if let Some(other) = target.node {
            self.may_replace(other, replace)?;
            if other == number {
                self.respell(target.parent, number, to.file_name());
                return Ok(VfsReply::Done);
            }
            self.leave(target.parent, &fold(to.file_name()));
        }
        self.enter(target.parent, to.file_name(), number)?;
        Ok(VfsReply::Done)
    }

    pub(super) fn remove(&mut self, handle: VfsHandle, at: &Location) -> VfsResult {
        let number = self.handle(handle)?.node;
        if let Some(name) = &at.stream {
            return self.remove_stream(handle, name);
        }
        if at.path.is_root() {
            return Err(VfsError::AccessDenied);
        }
        let found = self.find(&at.path).map_err(|_| VfsError::NotFound)?;
        if found.node != Some(number) {
            return Err(VfsError::NotFound);
        }
        let entries = self.node_of(handle)?.entries.as_ref();
        if entries.is_some_and(|e| !e.is_empty()) {
            return Err(VfsError::NotEmpty);
        }
        self.leave(found.parent, &fold(at.path.file_name()));
        Ok(VfsReply::Done)
    }

    fn remove_stream(&mut self, handle: VfsHandle, name: &str) -> VfsResult {
        let now = self.now;
        let key = fold(name);
        let id = self.handle(handle)?.stream;
        let node = self.node_of_mut(handle)?;
        if key.is_empty() || id.is_none() || node.streams.get(&key).copied() != id {
            return Err(VfsError::NotFound);
        }
        node.streams.remove(&key);
        node.change = now;
        Ok(VfsReply::Done)
    }
}
