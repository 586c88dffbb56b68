//! The data of one open stream: in an extended attribute, or in a file of the depot.

use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard};

use rustix::fs::{self, AtFlags, CWD, FallocateFlags, Timespec, Timestamps, XattrFlags};
use rustix::io::Errno;
use smb_engine::names::same_name;
use smb_engine::vfs::{VfsError, WriteAt};

use super::depot::{Depot, Key, Side};
use super::error::{os, retry};
use super::handle::{Node, lock};
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
pub(super) fn stream_of(attribute: &str) -> Option<&str> {
    let name = attribute
        .strip_prefix(STREAM_PREFIX)
        .or_else(|| attribute.strip_prefix(BIG_STREAM_PREFIX))?;
    // Samba omits the type with `streams_xattr:store_stream_type = no`.
    Some(name.strip_suffix(STREAM_TYPE).unwrap_or(name)).filter(|n| !n.is_empty())
}

/// The data in an attribute's value.
pub(super) fn data_of(mut value: Vec<u8>) -> Vec<u8> {
    if value.last() == Some(&0) {
        value.pop();
    }
    value
}

/// The same attribute for the other place of the data.
pub(super) fn with_prefix(attribute: &str, prefix: &str) -> String {
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

pub(super) struct State {
    pub(super) attribute: String,
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
    pub(super) fn is(&self, name: &str) -> bool {
        stream_of(&self.attribute).is_some_and(|s| same_name(s, name))
    }

    pub(super) fn is_removed(&self) -> bool {
        matches!(self.data, Data::Removed(_) | Data::RemovedSide(_))
    }

    /// The file in the depot, if the data are there.
    pub(super) fn side(&mut self, node: &Node, depot: &Depot) -> Result<Option<&Side>, VfsError> {
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
    pub(super) fn remove(&mut self, node: &Node, depot: &Depot) -> Result<(), VfsError> {
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

    /// The same for a stream that has been removed: no name leads to the file any more.
    fn move_out_removed(
        &mut self,
        node: &Node,
        depot: &Depot,
        data: &[u8],
    ) -> Result<(), VfsError> {
        let side = depot.create(node.fd())?;
        depot.doom(side.key);
        write_all(side.fd.as_fd(), WriteAt::Offset(0), data, false)?;
        self.data = Data::RemovedSide(side);
        Ok(())
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
pub(super) fn pointer(holder: &Holder<'_>, attribute: &str) -> Result<Option<Key>, VfsError> {
    let value = holder.get(attribute).map_err(os)?;
    Ok(value.and_then(|v| Key::parse(&v)))
}

/// A value that does not fit, by whatever number the file system says so.
pub(super) fn too_large(e: Errno) -> VfsError {
    match e {
        Errno::TOOBIG | Errno::RANGE | Errno::FBIG => VfsError::NoSpace,
        e => os(e),
    }
}

impl StreamFile {
    /// The stream that `attribute` holds or points to.
    pub(super) fn new(attribute: &str, depot: &Arc<Depot>) -> Self {
        Self {
            state: Mutex::new(State::new(attribute)),
            depot: depot.clone(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
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
            return state.move_out_removed(node, &self.depot, data);
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
pub(super) fn touch(node: &Node) -> Result<(), VfsError> {
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
