//! Named streams, kept in extended attributes `user.DosStream.NAME:$DATA` as Samba's streams_xattr
//! and ksmbd do.
//!
//! Samba puts one zero byte behind the data (an attribute could be empty nowhere when the format was
//! made); ksmbd does not. Written is Samba's form; read is a value without trailing zero as ksmbd's.
//! The kernel limits a value to 64 KiB, ext4 all attributes of a file to one block (4 KiB) unless
//! it was made with the feature `ea_inode`: what does not fit goes to the [`super::depot`], to which
//! `user.BigStream.NAME:$DATA` points, and comes back when the stream is emptied.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};

use rustix::fs::{FileType, XattrFlags};
use smb_engine::identity::Identity;
use smb_engine::names::{fold, same_name};
use smb_engine::vfs::{NodeId, StreamInfo, VfsError, VfsReply, VfsResult};

use super::LocalFs;
use super::depot::{Depot, Key};
use super::error::os;
use super::handle::{Node, Open, lock};
use super::stream_file::{
    StreamFile, attribute, data_of, pointer, stream_of, too_large, touch, with_prefix,
};
use super::xattr::{BIG_STREAM_PREFIX, Holder, STREAM_PREFIX};

/// The streams that are open, by file and folded name.
#[derive(Default)]
pub(super) struct OpenStreams(Mutex<BTreeMap<(NodeId, String), Weak<StreamFile>>>);

impl OpenStreams {
    /// The one object of a stream.
    fn get(
        &self,
        node: NodeId,
        stream: &str,
        attribute: &str,
        depot: &Arc<Depot>,
    ) -> Arc<StreamFile> {
        let mut map = lock(&self.0);
        let key = (node, fold(stream));
        if let Some(open) = map.get(&key).and_then(Weak::upgrade) {
            return open;
        }
        // Dead entries are swept now and then, so that the map stays as large as what is open.
        if map.len() >= 64 && map.len().is_power_of_two() {
            map.retain(|_, open| open.strong_count() > 0);
        }
        let open = Arc::new(StreamFile::new(attribute, depot));
        map.insert(key, Arc::downgrade(&open));
        open
    }

    /// The object of a stream, if it is open.
    fn present(&self, node: NodeId, stream: &str) -> Option<Arc<StreamFile>> {
        lock(&self.0)
            .get(&(node, fold(stream)))
            .and_then(Weak::upgrade)
    }

    fn forget(&self, node: NodeId, stream: &str) {
        lock(&self.0).remove(&(node, fold(stream)));
    }

    fn rename(&self, node: NodeId, from: &str, to: &str, open: &Arc<StreamFile>) {
        let mut map = lock(&self.0);
        map.remove(&(node, fold(from)));
        map.insert((node, fold(to)), Arc::downgrade(open));
    }
}

impl LocalFs {
    /// The attribute and stored name of a stream, found without regard to case.
    pub(super) fn find_stream(
        &self,
        node: &Node,
        wanted: &str,
    ) -> Result<Option<(String, String)>, VfsError> {
        if !self.xattrs {
            return Err(VfsError::NotSupported);
        }
        let exact = attribute(wanted)?;
        let names = node.holder().list().map_err(os)?;
        if names.contains(&exact) {
            return Ok(Some((exact, wanted.to_owned())));
        }
        // One in the depot counts only if no attribute has the data: another server may have made it.
        for prefix in [STREAM_PREFIX, BIG_STREAM_PREFIX] {
            for name in names.iter().filter(|name| name.starts_with(prefix)) {
                let Some(stream) = stream_of(name).filter(|s| same_name(s, wanted)) else {
                    continue;
                };
                if self.data_size(&node.holder(), name)?.is_some() {
                    return Ok(Some((name.clone(), stream.to_owned())));
                }
            }
        }
        Ok(None)
    }

    /// Bytes of data that an attribute has or points to; `None` if there are none such.
    fn data_size(&self, holder: &Holder<'_>, attribute: &str) -> Result<Option<u64>, VfsError> {
        if attribute.starts_with(BIG_STREAM_PREFIX) {
            return match pointer(holder, attribute)? {
                Some(key) => self.depot.size(key),
                None => Ok(None),
            };
        }
        let value = holder.get(attribute).map_err(os)?;
        Ok(value.map(|v| u64::try_from(data_of(v).len()).unwrap_or(u64::MAX)))
    }

    /// Removes the attribute of a stream that is not open, with its data.
    fn drop_attribute(&self, holder: &Holder<'_>, attribute: &str) -> Result<(), VfsError> {
        let key = if attribute.starts_with(BIG_STREAM_PREFIX) {
            pointer(holder, attribute)?
        } else {
            None
        };
        holder.remove(attribute).map_err(os)?;
        if let Some(key) = key {
            self.depot.doom(key);
        }
        Ok(())
    }

    /// The files of the depot that belong to a file whose last name is about to go.
    pub(super) fn sides_of(&self, node: &Node, id: NodeId) -> Vec<Key> {
        if !self.xattrs || !self.depot.is_used() {
            return Vec::new();
        }
        let holder = node.holder();
        let names = holder.list().unwrap_or_default();
        let mut keys = Vec::new();
        for name in names.iter().filter(|n| n.starts_with(BIG_STREAM_PREFIX)) {
            // Who has the stream open keeps its data.
            if let Some(open) = stream_of(name).and_then(|s| self.open_streams.present(id, s)) {
                let _ = open.lock().side(node, &self.depot);
            }
            keys.extend(pointer(&holder, name).ok().flatten());
        }
        keys
    }

    /// If the last name of a file has gone, these files of the depot go with it.
    pub(super) fn drop_sides_if_gone(&self, node: &Node, keys: Vec<Key>) {
        if !keys.is_empty() && super::path::stat_fd(node.fd()).is_ok_and(|stat| stat.stx_nlink == 0)
        {
            for key in keys {
                self.depot.doom(key);
            }
        }
    }

    /// The object of an existing stream.
    pub(super) fn open_stream(&self, id: NodeId, stream: &str, attribute: &str) -> Arc<StreamFile> {
        self.open_streams.get(id, stream, attribute, &self.depot)
    }

    /// Makes an empty stream.
    pub(super) fn create_stream(
        &self,
        node: &Node,
        id: NodeId,
        stream: &str,
    ) -> Result<Arc<StreamFile>, VfsError> {
        let _one = self.node_lock(id);
        if self.find_stream(node, stream)?.is_some() {
            return Err(VfsError::Exists);
        }
        let attribute = attribute(stream)?;
        let holder = node.holder();
        let attribute = match holder
            .set(&attribute, &[0], XattrFlags::CREATE)
            .map_err(too_large)
        {
            Err(VfsError::NoSpace) => {
                let side = self.depot.create(node.fd())?;
                let pointer = with_prefix(&attribute, BIG_STREAM_PREFIX);
                let text = side.key.text();
                if let Err(e) = holder.set(&pointer, text.as_bytes(), XattrFlags::empty()) {
                    self.depot.doom(side.key);
                    return Err(too_large(e));
                }
                pointer
            }
            done => done.map(|()| attribute)?,
        };
        touch(node)?;
        let open = &self.open_streams;
        Ok(open.get(id, stream, &attribute, &self.depot))
    }

    /// Removes a stream if it still is that of `open`.
    pub(super) fn remove_stream(&self, open: &Open, name: &str) -> Result<(), VfsError> {
        let stream = open.stream.as_ref().ok_or(VfsError::NotFound)?;
        let _one = self.node_lock(open.id);
        let mut state = stream.lock();
        if state.is_removed() || !state.is(name) {
            return Err(VfsError::NotFound);
        }
        state.remove(&open.node, &self.depot)?;
        drop(state);
        self.open_streams.forget(open.id, name);
        Ok(())
    }

    /// Gives a stream another name.
    pub(super) fn rename_stream(
        &self,
        open: &Open,
        stream: &Arc<StreamFile>,
        (from, to): (&str, &str),
        replace: bool,
    ) -> Result<(), VfsError> {
        let new = attribute(to)?;
        let _one = self.node_lock(open.id);
        let holder = open.node.holder();
        let mut state = stream.lock();
        if state.is_removed() || !state.is(from) {
            return Err(VfsError::NotFound);
        }
        // In the depot only the name changes.
        let in_depot = state.side(&open.node, &self.depot)?.is_some();
        let new = if in_depot {
            with_prefix(&new, BIG_STREAM_PREFIX)
        } else {
            new
        };
        if state.attribute == new {
            return Ok(());
        }
        let target = self.find_stream(&open.node, to)?;
        let mut value = holder
            .get(&state.attribute)
            .map_err(os)?
            .ok_or(VfsError::NotFound)?;
        if !in_depot {
            value = data_of(value);
            value.push(0);
        }
        if let Some((attribute, name)) = target.filter(|(a, _)| *a != state.attribute) {
            if !replace {
                return Err(VfsError::Exists);
            }
            let open_target = self.open_streams.present(open.id, &name);
            match open_target.filter(|target| !Arc::ptr_eq(target, stream)) {
                Some(target) => target.lock().remove(&open.node, &self.depot)?,
                None => self.drop_attribute(&holder, &attribute)?,
            }
        }
        // The space of the old one may be needed for the new one; on failure it is put back.
        holder.remove(&state.attribute).map_err(os)?;
        if let Err(e) = holder.set(&new, &value, XattrFlags::empty()) {
            holder
                .set(&state.attribute, &value, XattrFlags::empty())
                .map_err(os)?;
            return Err(too_large(e));
        }
        state.attribute = new;
        drop(state);
        self.open_streams.rename(open.id, from, to, stream);
        Ok(())
    }

    /// Removes all named streams, as an overwrite of the file does.
    pub(super) fn remove_all_streams(&self, open: &Open) -> Result<(), VfsError> {
        if !self.xattrs {
            return Ok(());
        }
        let _one = self.node_lock(open.id);
        let holder = open.node.holder();
        for attribute in holder.list().map_err(os)? {
            let Some(name) = stream_of(&attribute) else {
                continue;
            };
            if let Some(stream) = self.open_streams.present(open.id, name) {
                let mut state = stream.lock();
                // Another attribute of this name was left over by somebody.
                if state.attribute == attribute {
                    state.remove(&open.node, &self.depot)?;
                    self.open_streams.forget(open.id, name);
                    continue;
                }
            }
            self.drop_attribute(&holder, &attribute)?;
        }
        Ok(())
    }

    pub(super) fn streams(&self, open: &Open) -> VfsResult {
        let mut out = Vec::new();
        let info = self.info(open)?;
        if open.kind != FileType::Directory {
            let (size, allocation) = if open.stream.is_some() {
                let stat = super::path::stat_fd(open.node.fd()).map_err(os)?;
                let file = self.info_of_node(&open.node, &stat, "")?;
                (file.size, file.allocation)
            } else {
                (info.size, info.allocation)
            };
            out.push(StreamInfo {
                name: String::new(),
                size,
                allocation,
            });
        }
        if self.xattrs {
            let holder = open.node.holder();
            let mut names = holder.list().map_err(os)?;
            // Where two attributes have one name, the one with the data counts.
            names.sort_by_key(|name| name.starts_with(BIG_STREAM_PREFIX));
            for attribute in names {
                let Some(name) = stream_of(&attribute) else {
                    continue;
                };
                // One that is removed meanwhile is not listed.
                let Some(size) = self.data_size(&holder, &attribute)? else {
                    continue;
                };
                if out.iter().any(|s| same_name(&s.name, name)) {
                    continue;
                }
                out.push(StreamInfo {
                    name: name.to_owned(),
                    size,
                    allocation: size.next_multiple_of(16),
                });
            }
        }
        Ok(VfsReply::Streams(out))
    }

    /// Carries out a change of an open stream as the user, or as the server where POSIX lets only
    /// the owner do what the descriptor allows.
    pub(super) fn change_stream(
        &self,
        by: &Identity,
        open: &Open,
        mut change: impl FnMut(&StreamFile) -> Result<(), VfsError>,
    ) -> Result<(), VfsError> {
        let Some(stream) = &open.stream else {
            return Err(VfsError::Invalid);
        };
        if !open.writable {
            return Err(VfsError::AccessDenied);
        }
        let acting = self.own.act_as(by)?;
        acting.or_as_server(|| change(stream))
    }
}
