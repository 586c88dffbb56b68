//! Finding, opening, creating, overwriting, closing.

use std::collections::btree_map::Entry as MapEntry;

use smb_engine::identity::Identity;
use smb_engine::names::fold;
use smb_engine::vfs::{
    Creation, Ea, Location, Missing, NodeId, OpenHow, Opened, SharePath, VfsError, VfsHandle,
    VfsReply, VfsResult,
};
use smb_proto::info::FileAttributes;

use super::content::Content;
use super::node::{CREATABLE, Entry, Node, Stream, default_security};
use super::{Handle, LINKS_MAX, NAME_MAX, ROOT, State, meta};

/// Where a path leads: the directory that holds its last component, and what it names.
pub(super) struct Found {
    pub(super) parent: u64,
    pub(super) node: Option<u64>,
}

/// One component's length as a name on the wire counts it.
fn utf16_len(text: &str) -> usize {
    text.encode_utf16().count()
}

pub(super) fn check_name(name: &str) -> Result<(), VfsError> {
    if utf16_len(name) > NAME_MAX {
        return Err(VfsError::NameTooLong);
    }
    Ok(())
}

impl State {
    /// Walks to the directory of the last component and looks there. The root names itself.
    pub(super) fn find(&self, path: &SharePath) -> Result<Found, VfsError> {
        let mut found = Found {
            parent: ROOT,
            node: Some(ROOT),
        };
        let mut rest: Vec<&str> = path.components().collect();
        // The whole name is judged before any of it is looked for, [MS-FSA] 2.1.5.1.
        rest.iter().try_for_each(|name| check_name(name))?;
        rest.reverse();
        while let Some(name) = rest.pop() {
            let here = found.node.ok_or(VfsError::PathNotFound)?;
            let node = self.nodes.get(&here).ok_or(VfsError::PathNotFound)?;
            if let Some(reparse) = &node.reparse {
                // The unparsed part begins with the backslash behind the link.
                let behind = utf16_len(name) + rest.iter().map(|c| utf16_len(c) + 1).sum::<usize>();
                reparse.stop(behind + 1)?;
            }
            let entries = node.entries.as_ref().ok_or(VfsError::PathNotFound)?;
            found = Found {
                parent: here,
                node: entries.get(&fold(name)).map(|e| e.node),
            };
        }
        Ok(found)
    }

    /// As [`Self::find`], and the directory must exist and be one.
    pub(super) fn find_place(&self, path: &SharePath) -> Result<Found, VfsError> {
        if path.is_root() {
            return Err(VfsError::Exists);
        }
        self.find(path)
    }

    pub(super) fn entry_mut(&mut self, parent: u64, key: &str) -> Option<&mut Entry> {
        self.nodes.get_mut(&parent)?.entries.as_mut()?.get_mut(key)
    }

    /// The path as stored.
    fn stored_path(&self, path: &SharePath) -> SharePath {
        let mut out = SharePath::root();
        let mut here = ROOT;
        for name in path.components() {
            let entry = self
                .nodes
                .get(&here)
                .and_then(|n| n.entries.as_ref()?.get(&fold(name)));
            let stored = entry.map_or(name, |e| e.name.as_str());
            here = entry.map_or(here, |e| e.node);
            out = out.join(stored).unwrap_or(out);
        }
        out
    }

    pub(super) fn open(&mut self, at: &Location, how: OpenHow) -> VfsResult {
        let stream = at.stream.as_deref();
        let found = self.find(&at.path).map_err(|e| e.followed_by(stream))?;
        let Some(number) = found.node else {
            return self.missing(found.parent);
        };
        let node = self.nodes.get(&number).ok_or(VfsError::NotFound)?;
        if let (Some(reparse), false) = (&node.reparse, how.open_reparse) {
            reparse.stop(0).map_err(|e| e.followed_by(stream))?;
        }
        let stream = match &at.stream {
            None => node
                .streams
                .get("")
                .copied()
                .filter(|_| !node.is_directory()),
            Some(name) => match node.streams.get(&fold(name)) {
                Some(stream) => Some(*stream),
                None => {
                    check_name(name)?;
                    return self.missing(number);
                }
            },
        };
        let path = self.stored_path(&at.path);
        self.opened(number, stream, path)
    }

    fn missing(&self, parent: u64) -> VfsResult {
        let node = self.nodes.get(&parent).ok_or(VfsError::PathNotFound)?;
        Ok(VfsReply::Missing(Missing {
            parent: self.info_of(parent)?,
            security: node.security.clone(),
        }))
    }

    fn opened(&mut self, number: u64, stream: Option<u64>, path: SharePath) -> VfsResult {
        let handle = VfsHandle(self.fresh_id());
        self.handles.insert(
            handle.0,
            Handle {
                node: number,
                stream,
                walked: None,
            },
        );
        let stream = stream.and_then(|s| self.streams.get(&s));
        let name = stream.map(|s| s.name.clone()).filter(|n| !n.is_empty());
        Ok(VfsReply::Opened(Opened {
            handle,
            info: self.stat(handle)?,
            at: Location { path, stream: name },
            security: self.node_of(handle)?.security.clone(),
        }))
    }

    pub(super) fn open_by_id(&mut self, id: NodeId, how: OpenHow) -> VfsResult {
        let number = id.file;
        let path = self
            .path_of(ROOT, number, &SharePath::root())
            .filter(|_| id.volume == self.volume)
            .ok_or(VfsError::NotFound)?;
        self.open(&path.into(), how)
    }

    /// A path of a node: the first in the order of names.
    fn path_of(&self, from: u64, wanted: u64, here: &SharePath) -> Option<SharePath> {
        if from == wanted {
            return Some(here.clone());
        }
        let entries = self.nodes.get(&from)?.entries.as_ref()?;
        entries
            .values()
            .find_map(|e| self.path_of(e.node, wanted, &here.join(&e.name)?))
    }

    pub(super) fn create(&mut self, by: &Identity, at: &Location, what: Creation) -> VfsResult {
        let stream_name = at.stream.clone().unwrap_or_default();
        check_name(&stream_name)?;
        if what.directory && at.stream.is_some() {
            return Err(VfsError::Invalid);
        }
        let found = match &at.stream {
            None => {
                let found = self.find_place(&at.path)?;
                if found.node.is_some() {
                    return Err(VfsError::Exists);
                }
                found
            }
            Some(_) => self.find(&at.path)?,
        };
        let eas = meta::merged(&Default::default(), &what.eas)?;
        self.space_for(what.allocation)?;
        let number = match found.node {
            Some(number) => number,
            None => {
                let made = self.new_node(by, found.parent, at.path.file_name(), &what)?;
                if let Some(node) = self.nodes.get_mut(&made) {
                    node.eas = eas;
                }
                made
            }
        };
        let now = self.now;
        let mut stream = None;
        if !what.directory {
            let id = self.name_stream(number, &stream_name)?;
            if let Some(s) = self.streams.get_mut(&id) {
                s.content.set_allocation(what.allocation);
            }
            stream = Some(id);
        }
        let node = self.nodes.get_mut(&number).ok_or(VfsError::NotFound)?;
        if at.stream.is_some() {
            node.modified(now);
        }
        let path = self.stored_path(&at.path);
        self.opened(number, stream, path)
    }

    /// A new file (with its unnamed stream) or directory in `parent`.
    fn new_node(
        &mut self,
        by: &Identity,
        parent: u64,
        name: &str,
        what: &Creation,
    ) -> Result<u64, VfsError> {
        let security = what
            .security
            .clone()
            .unwrap_or_else(|| default_security(by));
        let mut node = Node::new(what.directory, self.now, security);
        node.attributes = what.attributes & CREATABLE;
        let number = self.fresh_id();
        let file = !what.directory;
        self.nodes.insert(number, node);
        if file {
            self.name_stream(number, "")?;
        }
        self.enter(parent, name, number)?;
        Ok(number)
    }

    /// An empty stream of this name. A file has the unnamed one from its beginning.
    fn name_stream(&mut self, number: u64, name: &str) -> Result<u64, VfsError> {
        let id = self.fresh_id();
        let node = self.nodes.get_mut(&number).ok_or(VfsError::NotFound)?;
        match node.streams.entry(fold(name)) {
            MapEntry::Occupied(unnamed) if name.is_empty() => return Ok(*unnamed.get()),
            MapEntry::Occupied(_) => return Err(VfsError::Exists),
            MapEntry::Vacant(place) => place.insert(id),
        };
        let (name, content) = (name.to_owned(), Content::default());
        let stable = None;
        let stream = Stream {
            name,
            content,
            stable,
        };
        self.streams.insert(id, stream);
        Ok(id)
    }

    /// Gives `node` a name in `parent`, where there is none of it.
    pub(super) fn enter(&mut self, parent: u64, name: &str, node: u64) -> Result<(), VfsError> {
        let now = self.now;
        let child = self.nodes.get_mut(&node).ok_or(VfsError::NotFound)?;
        if child.links >= LINKS_MAX {
            return Err(VfsError::TooManyLinks);
        }
        child.links += 1;
        child.change = now;
        let dir = self.nodes.get_mut(&parent).ok_or(VfsError::PathNotFound)?;
        let entries = dir.entries.as_mut().ok_or(VfsError::PathNotFound)?;
        let name = name.to_owned();
        entries.insert(fold(&name), Entry { name, node });
        dir.modified(now);
        Ok(())
    }

    /// Takes a name out of `parent`.
    pub(super) fn leave(&mut self, parent: u64, key: &str) {
        let now = self.now;
        let Some(dir) = self.nodes.get_mut(&parent) else {
            return;
        };
        let Some(entry) = dir.entries.as_mut().and_then(|e| e.remove(key)) else {
            return;
        };
        dir.modified(now);
        if let Some(node) = self.nodes.get_mut(&entry.node) {
            node.links -= 1;
            node.change = now;
        }
        self.collect_garbage(entry.node);
    }

    pub(super) fn overwrite(
        &mut self,
        handle: VfsHandle,
        what: Creation,
        supersede: bool,
    ) -> VfsResult {
        let now = self.now;
        let unnamed = self.stream_of(handle)?.name.is_empty();
        let eas: Vec<Ea> = what.eas;
        let fresh = meta::merged(&Default::default(), &eas)?;
        self.space_for(what.allocation)?;
        let content = self.content_to_change(handle)?;
        content.set_size(0);
        content.set_allocation(what.allocation);
        let node = self.node_of_mut(handle)?;
        node.modified(now);
        let mut dropped = Vec::new();
        if unnamed {
            if supersede {
                node.attributes = FileAttributes::empty();
            }
            node.attributes |= what.attributes & CREATABLE;
            node.eas = fresh;
            let named: Vec<String> = node
                .streams
                .keys()
                .filter(|k| !k.is_empty())
                .cloned()
                .collect();
            dropped.extend(named.iter().filter_map(|k| node.streams.remove(k)));
        }
        for stream in dropped {
            self.drop_stream_if_unused(stream);
        }
        self.stat(handle).map(VfsReply::Info)
    }

    pub(super) fn close(&mut self, handle: VfsHandle) -> VfsResult {
        let h = self
            .handles
            .remove(&handle.0)
            .ok_or(VfsError::StaleHandle)?;
        self.watches.remove(&handle.0);
        self.collect_garbage(h.node);
        if let Some(stream) = h.stream {
            self.drop_stream_if_unused(stream);
        }
        Ok(VfsReply::Done)
    }
}
