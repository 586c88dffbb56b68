//! Opening what exists.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Mutex;

use rustix::fs::{self, FileType, Mode, OFlags};
use rustix::io::Errno;
use smb_engine::identity::Identity;
use smb_engine::vfs::{
    DataAccess, FileInfo, Location, Missing, NodeId, OpenHow, Opened, SharePath, VfsError,
    VfsReply, VfsResult,
};
use smb_proto::fsctl::reparse::ReparseTag;

use super::LocalFs;
use super::dir::Listed;
use super::error::{os, retry};
use super::handle::{Node, Open};
use super::identity::Acting;
use super::meta::node_id;
use super::path::{Found, Gap, Resolved, file_type, stat_fd};
use super::reparse::{stop_at_stored, unparsed};
use super::xattr::magic;

/// Opens the file behind a descriptor once more, with data.
pub(super) fn reopen(fd: BorrowedFd<'_>, flags: OFlags) -> Result<OwnedFd, Errno> {
    // NONBLOCK: a file on which someone holds a lease must not stop the thread.
    let flags = flags | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    retry(|| fs::open(magic(fd), flags, Mode::empty()))
}

/// Whether a handle with fewer rights may still be had after this refusal.
fn refused(e: Errno) -> bool {
    matches!(e, Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::TXTBSY)
}

/// Gives a descriptor the asked access to data; whether it may write.
fn with_access(fd: OwnedFd, kind: FileType, data: DataAccess) -> Result<(Node, bool), Errno> {
    let attempts: &[OFlags] = match (kind, data) {
        (FileType::RegularFile, DataAccess::Read) => &[OFlags::RDONLY],
        (FileType::RegularFile, DataAccess::ReadWrite) => &[OFlags::RDWR],
        (FileType::RegularFile, DataAccess::Best) => {
            &[OFlags::RDWR, OFlags::RDONLY, OFlags::WRONLY]
        }
        (FileType::Directory, DataAccess::Read | DataAccess::ReadWrite | DataAccess::Best) => {
            &[OFlags::DIRECTORY]
        }
        // Special files are never opened: that alone can have effects.
        _ => &[],
    };
    let mut last = None;
    for &flags in attempts {
        match reopen(fd.as_fd(), flags) {
            Ok(fd) => {
                let writable = flags.intersects(OFlags::RDWR | OFlags::WRONLY);
                return Ok((Node::with_data(fd), writable));
            }
            Err(e) if data == DataAccess::Best && refused(e) => last = Some(e),
            Err(e) => return Err(e),
        }
    }
    match last {
        Some(e) if data != DataAccess::Best => Err(e),
        _ => Ok((Node::path_only(fd), false)),
    }
}

/// Stops at a link that a client made, unless the link itself is wanted.
fn stop_at_last(node: &Node, info: &FileInfo, wanted: bool) -> Result<(), VfsError> {
    if wanted || ReparseTag(info.reparse_tag) != ReparseTag::SYMLINK {
        return Ok(());
    }
    stop_at_stored(node.fd(), 0)
}

impl LocalFs {
    /// Whether a name that clients must not see lies on the way (`Err`) or at the end.
    pub(super) fn check_veto(&self, path: &SharePath) -> Result<bool, VfsError> {
        let mut names = path.components().rev();
        let last = names.next().is_some_and(|n| self.options.vetoed(n));
        if names.any(|n| self.options.vetoed(n)) {
            return Err(VfsError::PathNotFound);
        }
        Ok(last)
    }

    pub(super) fn open_at(&self, by: &Identity, at: &Location, how: OpenHow) -> VfsResult {
        let vetoed = self.check_veto(&at.path)?;
        let acting = self.own.act_as(by)?;
        if vetoed {
            let place = self.tree.place(&at.path)?;
            drop(acting);
            return self.missing(&Gap {
                parent: place.dir,
                at: place.at,
            });
        }
        let stream = at.stream.as_deref();
        let done = match self.tree.resolve(&at.path, !how.open_reparse) {
            Err(e) => Err(e),
            Ok(Resolved::Missing(gap)) => {
                drop(acting);
                // Names are missing in a link because they are where it leads.
                let rest = unparsed([at.path.file_name()]);
                stop_at_stored(gap.parent.as_fd(), rest).and_then(|()| self.missing(&gap))
            }
            Ok(Resolved::Found(found)) => self.open_found(acting, found, stream, how),
        };
        done.map_err(|e| match e {
            // Another file system that is not to be entered.
            VfsError::OtherVolume => VfsError::AccessDenied,
            e => e.followed_by(stream),
        })
    }

    fn missing(&self, gap: &Gap) -> VfsResult {
        let stat = stat_fd(gap.parent.as_fd()).map_err(os)?;
        let node = Node::path_only(gap.parent.try_clone().map_err(|_| VfsError::TooManyOpen)?);
        Ok(VfsReply::Missing(Missing {
            parent: self.info_of_node(&node, &stat, gap.at.file_name())?,
            security: self.descriptor(&node, &stat)?,
        }))
    }

    /// Opens what a name led to, or one of its streams.
    fn open_found(
        &self,
        acting: Acting<'_>,
        found: Found,
        stream: Option<&str>,
        how: OpenHow,
    ) -> VfsResult {
        let OpenHow { data, open_reparse } = how;
        // Whatever name led here: an 8.3 name, say, or a link of the host.
        if found.at.components().any(|name| self.options.vetoed(name)) {
            return Err(VfsError::NotFound);
        }
        let kind = file_type(&found.stat);
        let id = node_id(&found.stat);
        let (node, mut writable) = with_access(found.fd, kind, data).map_err(os)?;
        drop(acting);
        let mut at = Location::from(found.at);
        let mut open_stream = None;
        if let Some(wanted) = stream {
            let Some((attribute, stored)) = self.find_stream(&node, wanted)? else {
                let parent = self.info_of_node(&node, &found.stat, at.path.file_name())?;
                stop_at_last(&node, &parent, open_reparse)?;
                return Ok(VfsReply::Missing(Missing {
                    parent,
                    security: self.descriptor(&node, &found.stat)?,
                }));
            };
            open_stream = Some(self.open_stream(id, &stored, &attribute));
            at.stream = Some(stored);
            // A directory has no data of its own to be opened for writing.
            writable |= kind == FileType::Directory
                && matches!(data, DataAccess::ReadWrite | DataAccess::Best);
        }
        let open = Open {
            node,
            id,
            kind,
            stream: open_stream,
            writable,
            at: Mutex::new(at),
            walk: Mutex::new(Listed::Fresh),
        };
        let info = self.info(&open)?;
        stop_at_last(&open.node, &info, open_reparse)?;
        self.enter(open, info)
    }

    /// Enters something new into the table and describes it.
    pub(super) fn opened(&self, open: Open) -> VfsResult {
        let info = self.info(&open)?;
        self.enter(open, info)
    }

    fn enter(&self, open: Open, info: FileInfo) -> VfsResult {
        let stat = stat_fd(open.node.fd()).map_err(os)?;
        let security = self.descriptor(&open.node, &stat)?;
        let at = super::handle::lock(&open.at).clone();
        Ok(VfsReply::Opened(Opened {
            handle: self.handles.insert(open),
            info,
            at,
            security,
        }))
    }

    /// Opens what is open already once more: a file's number alone does not show that it lies in
    /// the share.
    pub(super) fn open_by_id(&self, by: &Identity, node: NodeId, how: OpenHow) -> VfsResult {
        let open = self
            .handles
            .all()
            .into_iter()
            .find(|open| open.id == node)
            .ok_or(VfsError::NotFound)?;
        let fd = reopen(open.node.fd(), OFlags::PATH).map_err(os)?;
        let stat = stat_fd(fd.as_fd()).map_err(os)?;
        if stat.stx_nlink == 0 {
            return Err(VfsError::NotFound);
        }
        let at = super::handle::lock(&open.at).path.clone();
        let acting = self.own.act_as(by)?;
        self.open_found(acting, Found { fd, stat, at }, None, how)
    }
}
