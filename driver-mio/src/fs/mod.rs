//! A directory of the host as storage: [`LocalFs`] answers the operations of
//! [`smb_engine::vfs`] beneath one directory handle.
//!
//! * `path` alone turns names into descriptors; everything else works on descriptors.
//! * `identity` acts as the connected user where the server runs as root.
//! * What POSIX has no place for lies in extended attributes, in the formats of Samba and ksmbd:
//!   attributes and creation time (`dosattrib`), security descriptors (`ntacl`), streams
//!   (`streams`), EAs (`ea`), reparse data (`reparse`).
//!
//! No lock is held across a call that waits for data, except that of a stream, whose attribute is
//! read and written as a whole.

mod acl;
mod cache;
mod change_time;
mod create;
mod depot;
mod dir;
mod dosattrib;
mod ea;
mod error;
mod handle;
mod identity;
mod meta;
mod names;
mod ntacl;
mod object_id;
mod open;
mod options;
mod path;
mod posix_acl;
mod prompt;
mod quota;
mod ranges;
mod read;
mod rename;
mod reparse;
mod snapshot;
mod stream_file;
mod streams;
mod volume;
mod walk;
mod watch;
mod write;
mod xattr;

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::thread::CapabilitySet;
use smb_engine::identity::Identity;
use smb_engine::vfs::{
    Backend, Capabilities, NodeId, VfsError, VfsHandle, VfsOp, VfsReply, VfsResult,
};
use thiserror::Error;

pub use names::{Mangled, NameMap};
pub use options::{AccountSids, HostId, LocalOptions, SidMapper};
pub use snapshot::{ShadowCopy, SnapshotSource, WithSnapshots};
pub use watch::Watcher;

/// A directory that cannot be shared.
#[derive(Debug, Error)]
pub enum LocalFsError {
    /// It cannot be opened.
    #[error("cannot open the directory {}: {}", path.display(), std::io::Error::from(*source))]
    Open {
        /// Which directory.
        path: PathBuf,
        /// Why.
        source: Errno,
    },
    /// The kernel is older than Linux 5.6, or a sandbox forbids the call.
    #[error(
        "the system call openat2, which keeps clients inside {}, is not available: \
         Linux 5.6 or later is needed, and a sandbox that allows it", path.display()
    )]
    NoOpenat2 {
        /// Which directory.
        path: PathBuf,
    },
    /// There is no `/proc`.
    #[error("/proc is not mounted; it is needed to reach open files of {}", path.display())]
    NoProc {
        /// Which directory.
        path: PathBuf,
    },
    /// Its snapshots are of another directory.
    #[error(
        "{} does not lie in `shadow:basedir`, which is {}", path.display(), base.display()
    )]
    OutsideSnapshots {
        /// Which directory.
        path: PathBuf,
        /// The one that the snapshots are of.
        base: PathBuf,
    },
    /// The process's own ids cannot be read.
    #[error("cannot read the groups of this process")]
    Identity,
}

const LOCKS: usize = 64;

/// A shared directory of the host.
pub struct LocalFs {
    tree: path::Tree,
    options: LocalOptions,
    own: identity::Own,
    handles: handle::Handles,
    change_times: change_time::ChangeTimes,
    open_streams: streams::OpenStreams,
    depot: Arc<depot::Depot>,
    /// Locks of files and directories, by a hash of their identity: several share one.
    locks: [Mutex<()>; LOCKS],
    xattrs: bool,
    /// The attribute that holds security descriptors.
    ntacl: &'static str,
    mount: u64,
    /// What `quotactl` wants to be named, if there are quotas.
    quota_device: Option<PathBuf>,
    volume: volume::Constants,
    capabilities: Capabilities,
    notes: Vec<String>,
    watcher: Option<Arc<Watcher>>,
}

impl LocalFs {
    /// Opens a directory to be shared. Nothing is written to it.
    pub fn open(path: &Path, options: LocalOptions) -> Result<Self, LocalFsError> {
        let at = || path.to_path_buf();
        let root = rustix::fs::open(
            path,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        // A directory that may only be searched can be shared as well.
        .or_else(|_| {
            rustix::fs::open(
                path,
                OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
                Mode::empty(),
            )
        })
        .map_err(|source| LocalFsError::Open { path: at(), source })?;
        check_openat2(&root).map_err(|source| match source {
            Errno::NOSYS | Errno::PERM => LocalFsError::NoOpenat2 { path: at() },
            source => LocalFsError::Open { path: at(), source },
        })?;
        let stat = path::stat_fd(root.as_fd())
            .map_err(|source| LocalFsError::Open { path: at(), source })?;
        let magic = xattr::magic(root.as_fd());
        if rustix::fs::stat(&magic).map(|s| s.st_ino) != Ok(stat.stx_ino) {
            return Err(LocalFsError::NoProc { path: at() });
        }
        let own = identity::Own::read().map_err(|_| LocalFsError::Identity)?;
        let xattrs = !matches!(
            rustix::fs::getxattr_query(&magic, xattr::DOSATTRIB),
            Err(Errno::OPNOTSUPP)
        );
        let privileged = rustix::thread::capabilities(None)
            .is_ok_and(|c| c.effective.contains(CapabilitySet::SYS_ADMIN));
        let volume = volume::Constants::read(root.as_fd(), &stat)
            .map_err(|source| LocalFsError::Open { path: at(), source })?;

        let of_depot = root.try_clone().map_err(|_| LocalFsError::Open {
            path: at(),
            source: Errno::MFILE,
        })?;
        let depot = Arc::new(depot::Depot::new(of_depot, own.uid()));

        let mut notes = Vec::new();
        let shown = path.display();
        if !xattrs {
            notes.push(format!(
                "the file system of {shown} has no extended attributes: no streams, no EAs, no \
                 stored DOS attributes and no stored security descriptors there"
            ));
        } else if !privileged {
            notes.push(format!(
                "without CAP_SYS_ADMIN the security descriptors of {shown} are kept in \
                 {}, which Samba and ksmbd do not read, instead of {}",
                xattr::NTACL_USER,
                xattr::NTACL
            ));
        }
        if !own.is_root() {
            notes.push(format!(
                "not running as root: all users act on {shown} as uid {}",
                own.uid()
            ));
        }

        let mut capabilities = Capabilities::SPARSE
            | Capabilities::HARD_LINKS
            | Capabilities::CASE_PRESERVING
            | volume.capabilities();
        if xattrs {
            capabilities |= Capabilities::STREAMS
                | Capabilities::EAS
                | Capabilities::SECURITY
                | Capabilities::REPARSE
                | Capabilities::OBJECT_IDS;
        }
        let quota_device = quota::device(stat.stx_mnt_id);
        capabilities.set(Capabilities::QUOTAS, quota_device.is_some());
        if xattrs && options.store_dos_attributes {
            capabilities |= Capabilities::COMPRESSION;
        }
        let watcher = options
            .watch
            .then(|| {
                let root = root.try_clone().map_err(|_| Errno::MFILE)?;
                Watcher::new(root, options.clone(), stat.stx_mnt_id)
            })
            .transpose()
            .unwrap_or_else(|e| {
                notes.push(format!(
                    "changes that other programs make in {shown} are not told to clients that \
                     watch it: {e} (the system's limit is fs.inotify.max_user_instances)"
                ));
                None
            });
        capabilities.set(Capabilities::WATCH, watcher.is_some());
        Ok(Self {
            watcher: watcher.map(Arc::new),
            tree: path::Tree::new(root, &options, volume.local()),
            options,
            own,
            handles: handle::Handles::default(),
            change_times: change_time::ChangeTimes::default(),
            open_streams: streams::OpenStreams::default(),
            depot,
            locks: [const { Mutex::new(()) }; LOCKS],
            xattrs,
            ntacl: if privileged {
                xattr::NTACL
            } else {
                xattr::NTACL_USER
            },
            mount: stat.stx_mnt_id,
            quota_device,
            volume,
            capabilities,
            notes,
        })
    }

    /// What the administrator should know about this directory, one sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn lock_index(id: NodeId) -> usize {
        let mixed = (id.file ^ id.volume.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        usize::try_from(mixed >> 40).unwrap_or(0) % LOCKS
    }

    /// The lock under which a file's attributes, or a directory's names, are changed.
    fn node_lock(&self, id: NodeId) -> MutexGuard<'_, ()> {
        handle::lock(&self.locks[Self::lock_index(id)])
    }

    /// The locks of two directories, taken in an order that cannot deadlock.
    fn two_locks(&self, a: NodeId, b: NodeId) -> (MutexGuard<'_, ()>, Option<MutexGuard<'_, ()>>) {
        let (a, b) = (Self::lock_index(a), Self::lock_index(b));
        let first = handle::lock(&self.locks[a.min(b)]);
        let second = (a != b).then(|| handle::lock(&self.locks[a.max(b)]));
        (first, second)
    }
}

/// Whether `openat2` works here.
fn check_openat2(root: &OwnedFd) -> Result<(), Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    error::retry(|| rustix::fs::openat2(root, c".", flags, Mode::empty(), ResolveFlags::BENEATH))
        .map(drop)
}

impl Backend for LocalFs {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn execute_now(&self, by: &Identity, op: VfsOp) -> Result<VfsResult, VfsOp> {
        self.at_once(by, op)
    }

    fn execute(&self, by: &Identity, op: VfsOp) -> VfsResult {
        let changed = changed_by(&op).filter(|_| !self.change_times.is_empty());
        let done = self.carry_out(by, op);
        self.depot.bury();
        if !matches!(done, Err(_) | Ok(VfsReply::Written(0)))
            && let Some(open) = changed.and_then(|handle| self.handles.get(handle).ok())
        {
            self.change_times.forget(open.id);
        }
        done
    }
}

/// The handle of what an operation changes, unless that sets its change time.
fn changed_by(op: &VfsOp) -> Option<VfsHandle> {
    match *op {
        VfsOp::SetBasic { handle, ref change } => change.change.is_none().then_some(handle),
        VfsOp::CopyRange { to, .. } => Some(to),
        VfsOp::Overwrite { handle, .. }
        | VfsOp::Write { handle, .. }
        | VfsOp::SetSize { handle, .. }
        | VfsOp::SetAllocation { handle, .. }
        | VfsOp::Rename { handle, .. }
        | VfsOp::Link { handle, .. }
        | VfsOp::Remove { handle, .. }
        | VfsOp::SetEas { handle, .. }
        | VfsOp::SetSecurity { handle, .. }
        | VfsOp::ZeroRange { handle, .. }
        | VfsOp::SetSparse { handle, .. }
        | VfsOp::SetCompression { handle, .. }
        | VfsOp::Trim { handle, .. }
        | VfsOp::SetObjectId { handle, .. }
        | VfsOp::SetReparse { handle, .. }
        | VfsOp::DeleteReparse { handle, .. } => Some(handle),
        VfsOp::Open { .. }
        | VfsOp::OpenById { .. }
        | VfsOp::OpenSnapshot { .. }
        | VfsOp::Snapshots { .. }
        | VfsOp::Create { .. }
        | VfsOp::Close { .. }
        | VfsOp::Read { .. }
        | VfsOp::Flush { .. }
        | VfsOp::Stat { .. }
        | VfsOp::CheckEmpty { .. }
        | VfsOp::List { .. }
        | VfsOp::Streams { .. }
        | VfsOp::Eas { .. }
        | VfsOp::Security { .. }
        | VfsOp::Volume { .. }
        | VfsOp::AllocatedRanges { .. }
        | VfsOp::ObjectId { .. }
        | VfsOp::Quotas { .. }
        | VfsOp::SetQuota { .. }
        | VfsOp::Reparse { .. }
        | VfsOp::Watch { .. } => None,
    }
}

impl LocalFs {
    fn carry_out(&self, by: &Identity, op: VfsOp) -> VfsResult {
        let get = |handle| self.handles.get(handle);
        match op {
            VfsOp::Open { at, how } => self.open_at(by, &at, how),
            VfsOp::OpenById { node, how } => self.open_by_id(by, node, how),
            // Of `WithSnapshots`.
            VfsOp::OpenSnapshot { .. } | VfsOp::Snapshots { .. } => Err(VfsError::NotSupported),
            VfsOp::Quotas { of } => self.quotas(&of),
            VfsOp::SetQuota { sid, limits } => self.set_quota(&sid, limits),
            VfsOp::Create { at, what } => self.create(by, &at, &what),
            VfsOp::Overwrite {
                handle,
                what,
                supersede,
            } => self.overwrite(by, get(handle)?.as_ref(), &what, supersede),
            VfsOp::Close { handle } => {
                self.unwatch(handle.0);
                self.handles.remove(handle).map(|_| VfsReply::Done)
            }
            VfsOp::Read {
                handle,
                offset,
                len,
            } => self.read(get(handle)?.as_ref(), offset, len),
            VfsOp::Write {
                handle,
                at,
                data,
                through,
            } => self.write(by, get(handle)?.as_ref(), at, &data, through),
            VfsOp::Flush { handle } => self.flush(get(handle)?.as_ref()),
            VfsOp::Stat { handle } => self.stat(get(handle)?.as_ref()),
            VfsOp::SetBasic { handle, change } => self.set_basic(by, get(handle)?.as_ref(), change),
            VfsOp::SetSize { handle, size } => self.set_size(by, get(handle)?.as_ref(), size),
            VfsOp::SetAllocation { handle, size } => {
                self.set_allocation(by, get(handle)?.as_ref(), size)
            }
            VfsOp::Rename {
                handle,
                from,
                to,
                replace,
            } => self.rename(by, get(handle)?.as_ref(), &from, &to, replace),
            VfsOp::Link {
                handle,
                to,
                replace,
            } => self.link(by, get(handle)?.as_ref(), &to, replace),
            VfsOp::Remove { handle, at } => self.remove(by, get(handle)?.as_ref(), &at),
            VfsOp::CheckEmpty { handle } => self.check_empty(get(handle)?.as_ref()),
            VfsOp::List {
                handle,
                restart,
                pattern,
                limit,
                security,
            } => {
                let what = dir::Wanted {
                    pattern: pattern.as_ref(),
                    limit,
                    security,
                };
                self.list(by, get(handle)?.as_ref(), restart, &what)
            }
            VfsOp::Streams { handle } => self.streams(get(handle)?.as_ref()),
            VfsOp::Eas { handle } => self.eas(get(handle)?.as_ref()),
            VfsOp::SetEas { handle, eas } => self.set_eas(by, get(handle)?.as_ref(), &eas),
            VfsOp::Security { handle } => self.security(get(handle)?.as_ref()),
            VfsOp::SetSecurity {
                handle,
                parts,
                descriptor,
            } => self.set_security(by, get(handle)?.as_ref(), parts, &descriptor),
            VfsOp::Volume { handle } => self.volume_info(get(handle)?.as_ref()),
            VfsOp::CopyRange {
                from,
                from_offset,
                to,
                to_offset,
                len,
            } => self.copy_range(
                by,
                (get(from)?.as_ref(), from_offset),
                (get(to)?.as_ref(), to_offset),
                len,
            ),
            VfsOp::ZeroRange {
                handle,
                offset,
                beyond,
            } => self.zero_range(by, get(handle)?.as_ref(), offset, beyond),
            VfsOp::AllocatedRanges {
                handle,
                offset,
                len,
                limit,
            } => self.allocated_ranges(get(handle)?.as_ref(), offset, len, limit),
            VfsOp::SetSparse { handle, sparse } => {
                self.set_sparse(by, get(handle)?.as_ref(), sparse)
            }
            VfsOp::SetCompression { handle, compressed } => {
                self.set_compression(by, get(handle)?.as_ref(), compressed)
            }
            VfsOp::Trim {
                handle,
                offset,
                beyond,
            } => self.trim(by, get(handle)?.as_ref(), offset, beyond),
            VfsOp::ObjectId { handle } => self.object_id(get(handle)?.as_ref()),
            VfsOp::SetObjectId {
                handle,
                id,
                replace,
            } => self.set_object_id(by, get(handle)?.as_ref(), id, replace),
            VfsOp::Reparse { handle } => self.reparse(get(handle)?.as_ref()),
            VfsOp::SetReparse { handle, reparse } => {
                self.set_reparse(by, get(handle)?.as_ref(), &reparse)
            }
            VfsOp::DeleteReparse { handle, tag, guid } => {
                self.delete_reparse(by, get(handle)?.as_ref(), tag, guid)
            }
            VfsOp::Watch { handle, recursive } => {
                self.watch(handle.0, get(handle)?.as_ref(), recursive)
            }
        }
    }
}

#[cfg(test)]
mod tests;
