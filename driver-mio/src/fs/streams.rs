//! Named streams, kept in extended attributes `user.DosStream.NAME:$DATA` as Samba's streams_xattr
//! and ksmbd do.
//!
//! Samba puts one zero byte behind the data (an attribute could be empty nowhere when the format was
//! made); ksmbd does not. Written is Samba's form; read is a value without trailing zero as ksmbd's.
//! The kernel limits a value to 64 KiB, ext4 all attributes of a file to one block (4 KiB) unless
//! it was made with the feature `ea_inode`: what does not fit goes to the [`super::depot`], to which
//! `user.BigStream.NAME:$DATA` points, and comes back when the stream is emptied.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use rustix::fs::{self, AtFlags, CWD, FallocateFlags, FileType, Timespec, Timestamps, XattrFlags};
use rustix::io::Errno;
use smb_engine::identity::Identity;
use smb_engine::names::{fold, same_name};
use smb_engine::vfs::{NodeId, StreamInfo, VfsError, VfsReply, VfsResult, WriteAt};

use super::LocalFs;
use super::depot::{Depot, Key, Side};
use super::error::{os, retry};
use super::handle::{Node, Open, lock};
use super::write::write_all;
use super::xattr::{BIG_STREAM_PREFIX, Holder, STREAM_PREFIX, STREAM_TYPE, magic};

/// Bytes of data that an attribute can have at most: XATTR_SIZE_MAX less the zero byte.
pub(super) const MAX_STREAM: usize = 65_535;
/// XATTR_NAME_MAX.
const MAX_ATTRIBUTE_NAME: usize = 255;

/// The attribute of a stream.
pub(super) fn attribute(stream: &str) -> Result<String, VfsError> {
    if stream.is_empty() || stream.contains(['\0', ':']) {
        return Err(VfsError::InvalidName);
    }
    let name = format!("{STREAM_PREFIX}{stream}{STREAM_TYPE}");
    if name.len() > MAX_ATTRIBUTE_NAME {
        return Err(VfsError::NameTooLong);
    }
    Ok(name)
}

/// The stream that an attribute holds.
fn stream_of(attribute: &str) -> Option<&str> {
    let name = attribute
        .strip_prefix(STREAM_PREFIX)
        .or_else(|| attribute.strip_prefix(BIG_STREAM_PREFIX))?;
    // Samba omits the type with `streams_xattr:store_stream_type = no`.
    Some(name.strip_suffix(STREAM_TYPE).unwrap_or(name)).filter(|n| !n.is_empty())
}

/// The data in an attribute's value.
fn data_of(mut value: Vec<u8>) -> Vec<u8> {
    if value.last() == Some(&0) {
        value.pop();
    }
    value
}

/// The same attribute for the other place of the data.
fn with_prefix(attribute: &str, prefix: &str) -> String {
    let tail = attribute
        .strip_prefix(STREAM_PREFIX)
        .or_else(|| attribute.strip_prefix(BIG_STREAM_PREFIX));
    format!("{prefix}{}", tail.unwrap_or_default())
}

/// An open stream. All handles of one stream share it, and its lock makes each operation one step.
pub(super) struct StreamFile {
    state: Mutex<State>,
    depot: Arc<Depot>,
}

struct State {
    attribute: String,
    data: Data,
}

/// Where the data are.
enum Data {
    /// In the attribute.
    Attribute,
    /// In the depot; the attribute says where.
    Pointer,
    /// In the depot.
    Side(Side),
    /// Here, since the stream was removed while open.
    Removed(Vec<u8>),
    /// In a file of the depot that has no name any more, for the same reason.
    RemovedSide(Side),
}

impl State {
    fn new(attribute: &str) -> Self {
        Self {
            attribute: attribute.to_owned(),
            data: if attribute.starts_with(BIG_STREAM_PREFIX) {
                Data::Pointer
            } else {
                Data::Attribute
            },
        }
    }

    /// Whether this is its name.
    fn is(&self, name: &str) -> bool {
        stream_of(&self.attribute).is_some_and(|s| same_name(s, name))
    }

    fn is_removed(&self) -> bool {
        matches!(self.data, Data::Removed(_) | Data::RemovedSide(_))
    }

    /// The file in the depot, if the data are there.
    fn side(&mut self, node: &Node, depot: &Depot) -> Result<Option<&Side>, VfsError> {
        if matches!(self.data, Data::Pointer) {
            let holder = node.holder();
            let key = pointer(&holder, &self.attribute)?.ok_or(VfsError::NotFound)?;
            let side = depot.open_for(key, node.fd())?;
            if side.key != key {
                let text = side.key.text();
                if let Err(e) = holder.set(&self.attribute, text.as_bytes(), XattrFlags::REPLACE) {
                    depot.doom(side.key);
                    return Err(too_large(e));
                }
            }
            self.data = Data::Side(side);
        }
        Ok(match &self.data {
            Data::Side(side) | Data::RemovedSide(side) => Some(side),
            Data::Attribute | Data::Pointer | Data::Removed(_) => None,
        })
    }

    /// Takes the stream away from the file; who has it open keeps the data.
    fn remove(&mut self, node: &Node, depot: &Depot) -> Result<(), VfsError> {
        let holder = node.holder();
        if self.side(node, depot)?.is_none() {
            let data = self.load(&holder)?;
            holder.remove(&self.attribute).map_err(os)?;
            self.data = Data::Removed(data);
            return Ok(());
        }
        holder.remove(&self.attribute).map_err(os)?;
        match std::mem::replace(&mut self.data, Data::Pointer) {
            Data::Side(side) => {
                depot.doom(side.key);
                self.data = Data::RemovedSide(side);
            }
            other => self.data = other,
        }
        Ok(())
    }

    /// The data, if they are not in the depot.
    fn load(&self, holder: &Holder<'_>) -> Result<Vec<u8>, VfsError> {
        if let Data::Removed(data) = &self.data {
            return Ok(data.clone());
        }
        let value = holder.get(&self.attribute).map_err(os)?;
        value.map(data_of).ok_or(VfsError::NotFound)
    }

    fn store(&mut self, node: &Node, depot: &Depot, mut data: Vec<u8>) -> Result<(), VfsError> {
        if let Data::Removed(removed) = &mut self.data {
            *removed = data;
            return Ok(());
        }
        data.push(0);
        let holder = node.holder();
        let stored = holder
            .set(&self.attribute, &data, XattrFlags::REPLACE)
            .map_err(too_large);
        if stored != Err(VfsError::NoSpace) {
            return stored;
        }
        data.pop();
        self.move_out(node, depot, &data)
    }

    /// Puts the data into the depot.
    fn move_out(&mut self, node: &Node, depot: &Depot, data: &[u8]) -> Result<(), VfsError> {
        let side = depot.create(node.fd())?;
        let done = write_all(side.fd.as_fd(), WriteAt::Offset(0), data, false)
            .and_then(|()| self.point_to(&node.holder(), side.key));
        match done {
            Ok(attribute) => {
                self.attribute = attribute;
                self.data = Data::Side(side);
                Ok(())
            }
            Err(e) => {
                depot.doom(side.key);
                Err(e)
            }
        }
    }

    /// Replaces the attribute by one that names a file of the depot.
    fn point_to(&self, holder: &Holder<'_>, key: Key) -> Result<String, VfsError> {
        let pointer = with_prefix(&self.attribute, BIG_STREAM_PREFIX);
        let text = key.text();
        let set = || holder.set(&pointer, text.as_bytes(), XattrFlags::empty());
        match set().map_err(too_large) {
            Ok(()) => {
                holder.remove(&self.attribute).map_err(os)?;
            }
            Err(VfsError::NoSpace) => {
                // The old attribute may take the place that the new one needs.
                let old = holder.get(&self.attribute).map_err(os)?;
                holder.remove(&self.attribute).map_err(os)?;
                if let Err(e) = set() {
                    if let Some(old) = old {
                        holder
                            .set(&self.attribute, &old, XattrFlags::empty())
                            .map_err(os)?;
                    }
                    return Err(too_large(e));
                }
            }
            Err(e) => return Err(e),
        }
        Ok(pointer)
    }

    /// Brings an emptied stream back from the depot.
    fn move_in(&mut self, node: &Node, depot: &Depot) -> Result<(), VfsError> {
        let Data::Side(side) = &self.data else {
            return Ok(());
        };
        let key = side.key;
        let attribute = with_prefix(&self.attribute, STREAM_PREFIX);
        let holder = node.holder();
        holder
            .set(&attribute, &[0], XattrFlags::empty())
            .map_err(too_large)?;
        holder.remove(&self.attribute).map_err(os)?;
        self.attribute = attribute;
        self.data = Data::Attribute;
        depot.doom(key);
        Ok(())
    }
}

/// The file of the depot that an attribute names.
fn pointer(holder: &Holder<'_>, attribute: &str) -> Result<Option<Key>, VfsError> {
    let value = holder.get(attribute).map_err(os)?;
    Ok(value.and_then(|v| Key::parse(&v)))
}

/// A value that does not fit, by whatever number the file system says so.
fn too_large(e: Errno) -> VfsError {
    match e {
        Errno::TOOBIG | Errno::RANGE | Errno::FBIG => VfsError::NoSpace,
        e => os(e),
    }
}

impl StreamFile {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(super) fn size(&self, node: &Node) -> Result<u64, VfsError> {
        let mut state = self.lock();
        if let Some(side) = state.side(node, &self.depot)? {
            return side.size();
        }
        let data = state.load(&node.holder())?;
        Ok(u64::try_from(data.len()).unwrap_or(u64::MAX))
    }

    /// The bytes of a range, fewer at the end.
    pub(super) fn read(&self, node: &Node, offset: u64, len: usize) -> Result<Vec<u8>, VfsError> {
        let mut state = self.lock();
        if let Some(side) = state.side(node, &self.depot)? {
            let left = side.size()?.saturating_sub(offset);
            let mut data = vec![0; len.min(usize::try_from(left).unwrap_or(usize::MAX))];
            let mut done = 0;
            while let Some(rest) = data.get_mut(done..).filter(|rest| !rest.is_empty()) {
                let at = offset.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
                match retry(|| rustix::io::pread(&side.fd, &mut *rest, at)).map_err(os)? {
                    0 => break,
                    n => done = done.saturating_add(n),
                }
            }
            data.truncate(done);
            return Ok(data);
        }
        let data = state.load(&node.holder())?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = data.get(start..).unwrap_or(&[]);
        Ok(rest.get(..len).unwrap_or(rest).to_vec())
    }

    /// Writes `bytes`; beyond the end the gap becomes zeros.
    pub(super) fn write(&self, node: &Node, at: WriteAt, bytes: &[u8]) -> Result<(), VfsError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut state = self.lock();
        if let Some(side) = state.side(node, &self.depot)? {
            write_all(side.fd.as_fd(), at, bytes, false)?;
            return touch(node);
        }
        let mut data = state.load(&node.holder())?;
        let start = match at {
            WriteAt::Offset(n) => usize::try_from(n).unwrap_or(usize::MAX),
            WriteAt::End => data.len(),
        };
        let end = start.saturating_add(bytes.len());
        if end > MAX_STREAM {
            self.outgrow(&mut state, node, &data)?;
            if let Some(side) = state.side(node, &self.depot)? {
                write_all(side.fd.as_fd(), at, bytes, false)?;
            }
            return touch(node);
        }
        data.resize(end.max(data.len()), 0);
        if let Some(part) = data.get_mut(start..end) {
            part.copy_from_slice(bytes);
        }
        state.store(node, &self.depot, data)?;
        touch(node)
    }

    /// The data need more room than an attribute has.
    fn outgrow(&self, state: &mut State, node: &Node, data: &[u8]) -> Result<(), VfsError> {
        if state.is_removed() {
            return Err(VfsError::NoSpace);
        }
        state.move_out(node, &self.depot, data)
    }

    pub(super) fn set_size(&self, node: &Node, size: u64) -> Result<(), VfsError> {
        let mut state = self.lock();
        let small = usize::try_from(size).ok().filter(|&n| n <= MAX_STREAM);
        if state.side(node, &self.depot)?.is_none() {
            let mut data = state.load(&node.holder())?;
            match small {
                Some(len) => {
                    data.resize(len, 0);
                    state.store(node, &self.depot, data)?;
                    return touch(node);
                }
                None => self.outgrow(&mut state, node, &data)?,
            }
        }
        if let Some(side) = state.side(node, &self.depot)? {
            if i64::try_from(size).is_err() {
                return Err(VfsError::TooLarge);
            }
            retry(|| fs::ftruncate(&side.fd, size)).map_err(os)?;
        }
        if size == 0 {
            state.move_in(node, &self.depot)?;
        }
        touch(node)
    }

    /// Makes the bytes of a range read as zeros, as far as there are any.
    pub(super) fn zero(&self, node: &Node, offset: u64, beyond: u64) -> Result<(), VfsError> {
        let mut state = self.lock();
        if let Some(side) = state.side(node, &self.depot)? {
            let end = beyond.min(side.size()?);
            let Some(len) = end.checked_sub(offset).filter(|&len| len > 0) else {
                return Ok(());
            };
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            retry(|| fs::fallocate(&side.fd, flags, offset, len)).map_err(os)?;
            return touch(node);
        }
        let mut data = state.load(&node.holder())?;
        let clamp = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let end = clamp(beyond).min(data.len());
        let Some(part) = data.get_mut(clamp(offset)..end) else {
            return Ok(());
        };
        part.fill(0);
        state.store(node, &self.depot, data)?;
        touch(node)
    }

    /// Brings what is in the depot to stable storage.
    pub(super) fn sync(&self, node: &Node) -> Result<(), VfsError> {
        match self.lock().side(node, &self.depot)? {
            Some(side) => retry(|| fs::fsync(&side.fd)).map_err(os),
            None => Ok(()),
        }
    }
}

/// Notes that the file was modified, [MS-FSA] 2.1.4.17: for the host a change of an attribute is none.
fn touch(node: &Node) -> Result<(), VfsError> {
    let times = Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: fs::UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: 0,
            tv_nsec: fs::UTIME_NOW,
        },
    };
    let path = magic(node.fd());
    retry(|| fs::utimensat(CWD, &path, &times, AtFlags::empty())).map_err(os)
}

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
        let open = Arc::new(StreamFile {
            state: Mutex::new(State::new(attribute)),
            depot: depot.clone(),
        });
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
