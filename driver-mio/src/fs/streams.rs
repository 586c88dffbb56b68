//! Named streams, kept in extended attributes `user.DosStream.NAME:$DATA` as Samba's streams_xattr
//! and ksmbd do.
//!
//! Samba puts one zero byte behind the data (an attribute could be empty nowhere when the format was
//! made); ksmbd does not. Written is Samba's form; read is a value without trailing zero as ksmbd's.
//! The kernel limits a value to 64 KiB, ext4 all attributes of a file to one block (4 KiB) unless
//! it was made with the feature `ea_inode`: what does not fit is [`VfsError::NoSpace`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use rustix::fs::{self, AtFlags, CWD, FileType, Timespec, Timestamps, XattrFlags};
use rustix::io::Errno;
use smb_engine::identity::Identity;
use smb_engine::names::{fold, same_name};
use smb_engine::vfs::{NodeId, StreamInfo, VfsError, VfsReply, VfsResult, WriteAt};

use super::LocalFs;
use super::error::{os, retry};
use super::handle::{Node, Open, lock};
use super::xattr::{Holder, STREAM_PREFIX, STREAM_TYPE, magic};

/// Bytes of data that one stream can have at most: XATTR_SIZE_MAX less the zero byte.
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
    let name = attribute.strip_prefix(STREAM_PREFIX)?;
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

/// An open stream. All handles of one stream share it, and its lock makes each operation one step.
pub(super) struct StreamFile {
    state: Mutex<State>,
}

struct State {
    attribute: String,
    /// The data, once the stream was removed while open.
    orphan: Option<Vec<u8>>,
}

impl State {
    /// Whether this is its name.
    fn is(&self, name: &str) -> bool {
        stream_of(&self.attribute).is_some_and(|s| same_name(s, name))
    }

    /// Takes the stream away from the file; who has it open keeps the data.
    fn remove(&mut self, holder: &Holder<'_>) -> Result<(), VfsError> {
        let data = self.load(holder)?;
        holder.remove(&self.attribute).map_err(os)?;
        self.orphan = Some(data);
        Ok(())
    }

    fn load(&self, holder: &Holder<'_>) -> Result<Vec<u8>, VfsError> {
        if let Some(data) = &self.orphan {
            return Ok(data.clone());
        }
        let value = holder.get(&self.attribute).map_err(os)?;
        value.map(data_of).ok_or(VfsError::NotFound)
    }

    fn store(&mut self, holder: &Holder<'_>, mut data: Vec<u8>) -> Result<(), VfsError> {
        if let Some(orphan) = &mut self.orphan {
            *orphan = data;
            return Ok(());
        }
        data.push(0);
        holder
            .set(&self.attribute, &data, XattrFlags::REPLACE)
            .map_err(too_large)
    }
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
        let data = self.lock().load(&node.holder())?;
        Ok(u64::try_from(data.len()).unwrap_or(u64::MAX))
    }

    /// The bytes of a range, fewer at the end.
    pub(super) fn read(&self, node: &Node, offset: u64, len: usize) -> Result<Vec<u8>, VfsError> {
        let data = self.lock().load(&node.holder())?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = data.get(start..).unwrap_or(&[]);
        Ok(rest.get(..len).unwrap_or(rest).to_vec())
    }

    /// Changes the content as one step.
    pub(super) fn modify(
        &self,
        node: &Node,
        change: impl FnOnce(&mut Vec<u8>) -> Result<(), VfsError>,
    ) -> Result<(), VfsError> {
        let holder = node.holder();
        let mut state = self.lock();
        let mut data = state.load(&holder)?;
        change(&mut data)?;
        state.store(&holder, data)?;
        touch(node)
    }

    /// Writes `bytes`; beyond the end the gap becomes zeros.
    pub(super) fn write(&self, node: &Node, at: WriteAt, bytes: &[u8]) -> Result<(), VfsError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.modify(node, |data| {
            let start = match at {
                WriteAt::Offset(n) => usize::try_from(n).unwrap_or(usize::MAX),
                WriteAt::End => data.len(),
            };
            let end = start.saturating_add(bytes.len());
            resize(data, end.max(data.len()))?;
            if let Some(part) = data.get_mut(start..end) {
                part.copy_from_slice(bytes);
            }
            Ok(())
        })
    }

    pub(super) fn set_size(&self, node: &Node, size: u64) -> Result<(), VfsError> {
        self.modify(node, |data| {
            resize(data, usize::try_from(size).unwrap_or(usize::MAX))
        })
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

fn resize(data: &mut Vec<u8>, len: usize) -> Result<(), VfsError> {
    if len > MAX_STREAM {
        return Err(VfsError::NoSpace);
    }
    data.resize(len, 0);
    Ok(())
}

/// The streams that are open, by file and folded name.
#[derive(Default)]
pub(super) struct OpenStreams(Mutex<BTreeMap<(NodeId, String), Weak<StreamFile>>>);

impl OpenStreams {
    /// The one object of a stream.
    fn get(&self, node: NodeId, stream: &str, attribute: &str) -> Arc<StreamFile> {
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
            state: Mutex::new(State {
                attribute: attribute.to_owned(),
                orphan: None,
            }),
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
        Ok(names.into_iter().find_map(|name| {
            let stream = stream_of(&name)
                .filter(|s| same_name(s, wanted))?
                .to_owned();
            Some((name, stream))
        }))
    }

    /// The object of an existing stream.
    pub(super) fn open_stream(&self, id: NodeId, stream: &str, attribute: &str) -> Arc<StreamFile> {
        self.open_streams.get(id, stream, attribute)
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
        node.holder()
            .set(&attribute, &[0], XattrFlags::CREATE)
            .map_err(too_large)?;
        touch(node)?;
        Ok(self.open_streams.get(id, stream, &attribute))
    }

    /// Removes a stream if it still is that of `open`.
    pub(super) fn remove_stream(&self, open: &Open, name: &str) -> Result<(), VfsError> {
        let stream = open.stream.as_ref().ok_or(VfsError::NotFound)?;
        let _one = self.node_lock(open.id);
        let mut state = stream.lock();
        if state.orphan.is_some() || !state.is(name) {
            return Err(VfsError::NotFound);
        }
        state.remove(&open.node.holder())?;
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
        if state.orphan.is_some() || !state.is(from) {
            return Err(VfsError::NotFound);
        }
        if state.attribute == new {
            return Ok(());
        }
        let target = self.find_stream(&open.node, to)?;
        let mut value = state.load(&holder)?;
        value.push(0);
        if let Some((attribute, name)) = target.filter(|(a, _)| *a != state.attribute) {
            if !replace {
                return Err(VfsError::Exists);
            }
            let open_target = self.open_streams.present(open.id, &name);
            match open_target.filter(|target| !Arc::ptr_eq(target, stream)) {
                Some(target) => target.lock().remove(&holder)?,
                None => holder.remove(&attribute).map(drop).map_err(os)?,
            }
        }
        // The space of the old one may be needed for the new one; on failure it is put back.
        holder.remove(&state.attribute).map_err(os)?;
        if let Err(e) = holder.set(&new, &value, XattrFlags::CREATE) {
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
                stream.lock().remove(&holder)?;
                self.open_streams.forget(open.id, name);
            } else {
                holder.remove(&attribute).map_err(os)?;
            }
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
            for attribute in holder.list().map_err(os)? {
                let Some(name) = stream_of(&attribute) else {
                    continue;
                };
                // One that is removed meanwhile is not listed.
                let Some(value) = holder.get(&attribute).map_err(os)? else {
                    continue;
                };
                let size = u64::try_from(data_of(value).len()).unwrap_or(u64::MAX);
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
