//! Creating and overwriting.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Mutex;

use rustix::fs::{self, AtFlags, FallocateFlags, FileType, Gid, Mode, OFlags, Statx, Uid};
use rustix::io::Errno;
use smb_engine::identity::Identity;
use smb_engine::vfs::{Creation, Location, SharePath, VfsError, VfsReply, VfsResult};
use smb_proto::info::FileAttributes;

use super::LocalFs;
use super::dir::Listed;
use super::error::{os, retry};
use super::handle::{Node, Open};
use super::identity::Acting;
use super::meta::{node_id, settable};
use super::open::reopen;
use super::path::{Place, Resolved, file_type, stat_fd};
use super::reparse::{stop_at_stored, unparsed};
use super::xattr::magic;

impl LocalFs {
    pub(super) fn create(&self, by: &Identity, at: &Location, what: &Creation) -> VfsResult {
        if self.check_veto(&at.path)? {
            return Err(VfsError::AccessDenied);
        }
        let acting = self.own.act_as(by)?;
        let Some(stream) = &at.stream else {
            let open = self.create_node(&acting, &at.path, what)?;
            drop(acting);
            return self.opened(open);
        };
        if what.directory {
            return Err(VfsError::NotADirectory);
        }
        // A stream of a file that does not exist makes the file as well.
        let (mut open, made) = match self.tree.resolve(&at.path, true)? {
            Resolved::Missing(_) => (self.create_node(&acting, &at.path, what)?, true),
            Resolved::Found(found) => {
                let kind = file_type(&found.stat);
                let node = match kind {
                    FileType::RegularFile => {
                        Node::with_data(reopen(found.fd.as_fd(), OFlags::RDWR).map_err(os)?)
                    }
                    FileType::Directory => Node::path_only(found.fd),
                    _ => return Err(VfsError::NotSupported),
                };
                let open = Open {
                    node,
                    id: node_id(&found.stat),
                    kind,
                    stream: None,
                    writable: true,
                    at: Mutex::new(found.at.into()),
                    walk: Mutex::new(Listed::Fresh),
                };
                (open, false)
            }
        };
        let made_stream = acting.or_as_server(|| self.create_stream(&open.node, open.id, stream));
        match made_stream {
            Ok(file) => open.stream = Some(file),
            Err(e) => {
                if made {
                    self.undo(&at.path, &open);
                }
                return Err(e);
            }
        }
        super::handle::lock(&open.at).stream = Some(stream.clone());
        drop(acting);
        self.opened(open)
    }

    /// Makes a file or directory.
    fn create_node(
        &self,
        acting: &Acting<'_>,
        path: &SharePath,
        what: &Creation,
    ) -> Result<Open, VfsError> {
        let mut place = match self.tree.place(path) {
            Err(VfsError::Invalid) => return Err(VfsError::Exists),
            place => place?,
        };
        let host = self.tree.naming.to_host(&place.name)?;
        let parent = stat_fd(place.dir.as_fd()).map_err(os)?;
        // Of two that create the same name in different case, one has to see the other.
        let one = self.node_lock(node_id(&parent));
        let dir = place.dir.as_fd();
        if self.tree.find(dir, &place.name, &host)?.is_some() {
            return Err(VfsError::Exists);
        }
        stop_at_stored(dir, unparsed([place.name.as_str()]))?;
        place.name = self.tree.naming.to_share(&host);
        let mode = self.mode_for(what.directory);
        let fd = if what.directory {
            retry(|| fs::mkdirat(dir, &host[..], mode)).map_err(os)?;
            self.tree
                .child(dir, &host, OFlags::DIRECTORY, Mode::empty())
        } else {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOCTTY;
            self.tree.child(dir, &host, flags, mode)
        }
        .map_err(os)?;
        drop(one);
        self.change_times.forget(node_id(&parent));
        let done = self.furnish(acting, fd, &parent, &place, what);
        if done.is_err() {
            let flags = if what.directory {
                AtFlags::REMOVEDIR
            } else {
                AtFlags::empty()
            };
            if let Err(e) = fs::unlinkat(dir, &host[..], flags) {
                tracing::warn!("cannot remove {path} after its creation failed: {e}");
            }
        }
        done
    }

    fn mode_for(&self, directory: bool) -> Mode {
        let o = &self.options;
        Mode::from_raw_mode(if directory {
            0o777 & o.directory_mask | o.force_directory_mode
        } else {
            // The owner's execute bit stands for the archive attribute that every new file has, as
            // in Samba and ksmbd; it also lets the owner have all rights, as Windows clients expect.
            0o766 & o.create_mask | o.force_create_mode
        })
    }

    /// Gives a new file what was asked for.
    fn furnish(
        &self,
        acting: &Acting<'_>,
        fd: OwnedFd,
        parent: &Statx,
        place: &Place,
        what: &Creation,
    ) -> Result<Open, VfsError> {
        let stat = stat_fd(fd.as_fd()).map_err(os)?;
        let node = Node::with_data(fd);
        let kind = file_type(&stat);
        self.undo_umask(acting, &node, &stat, kind)?;
        if self.options.inherit_owner && stat.stx_uid != parent.stx_uid {
            let owner = Uid::from_raw(parent.stx_uid);
            acting.as_server(|| fs::fchown(node.fd(), Some(owner), None::<Gid>).map_err(os))?;
        }
        let at = place.at.join(&place.name).ok_or(VfsError::InvalidName)?;
        let open = Open {
            node,
            id: node_id(&stat),
            kind,
            stream: None,
            writable: !what.directory,
            at: Mutex::new(at.into()),
            walk: Mutex::new(Listed::Fresh),
        };
        let attributes = settable(what.attributes);
        if !attributes.is_empty() {
            self.change_dos(
                &open,
                |dos, stat| {
                    dos.attributes = Some(attributes);
                    dos.creation = Some(super::meta::birth(stat));
                },
                acting,
            )?;
        }
        acting.or_as_server(|| self.write_eas(&open.node, &what.eas))?;
        if let Some(security) = &what.security {
            self.store_descriptor(acting, &open, security)?;
        }
        if what.allocation > 0 && !what.directory {
            reserve(open.node.fd(), what.allocation)?;
        }
        Ok(open)
    }

    /// The modes in the configuration are meant as they stand, whatever the process's umask; but
    /// a default ACL of the directory decides for itself.
    fn undo_umask(
        &self,
        acting: &Acting<'_>,
        node: &Node,
        stat: &Statx,
        kind: FileType,
    ) -> Result<(), VfsError> {
        let wanted = self.mode_for(kind == FileType::Directory).as_raw_mode();
        let present = u32::from(stat.stx_mode);
        if present & 0o777 == wanted & 0o777 {
            return Ok(());
        }
        let access = node.holder().size("system.posix_acl_access").map_err(os)?;
        if access.is_some() {
            return Ok(());
        }
        let mode = Mode::from_raw_mode(wanted | (present & 0o2000));
        acting.or_as_server(|| retry(|| fs::chmod(magic(node.fd()), mode)).map_err(os))
    }

    fn undo(&self, path: &SharePath, open: &Open) {
        let removed = self.remove_name(path, open);
        if let Err(e) = removed {
            tracing::warn!("cannot remove {path} after its creation failed: {e}");
        }
    }

    pub(super) fn overwrite(
        &self,
        by: &Identity,
        open: &Open,
        what: &Creation,
        supersede: bool,
    ) -> VfsResult {
        if let Some(stream) = &open.stream {
            self.change_stream(by, open, |_| stream.set_size(&open.node, 0))?;
            return self.stat(open);
        }
        if open.kind != FileType::RegularFile {
            return Err(VfsError::IsADirectory);
        }
        let acting = self.own.act_as(by)?;
        if open.writable {
            retry(|| fs::ftruncate(open.node.fd(), 0)).map_err(os)?;
        } else {
            let fd = reopen(open.node.fd(), OFlags::RDWR).map_err(os)?;
            retry(|| fs::ftruncate(&fd, 0)).map_err(os)?;
        }
        acting.or_as_server(|| self.remove_all_streams(open))?;
        acting.or_as_server(|| {
            self.remove_all_eas(&open.node)?;
            self.write_eas(&open.node, &what.eas)
        })?;
        let given = settable(what.attributes);
        self.change_dos(
            open,
            |dos, _| {
                let kept = if supersede {
                    FileAttributes::empty()
                } else {
                    dos.attributes.unwrap_or_default()
                };
                dos.attributes = Some(kept | given);
            },
            &acting,
        )?;
        if what.allocation > 0 && open.writable {
            reserve(open.node.fd(), what.allocation)?;
        }
        drop(acting);
        self.info(open).map(VfsReply::Info)
    }
}

/// Reserves space without changing the size; a file system that cannot is not asked twice.
pub(super) fn reserve(fd: BorrowedFd<'_>, len: u64) -> Result<(), VfsError> {
    match retry(|| fs::fallocate(fd, FallocateFlags::KEEP_SIZE, 0, len)) {
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        Err(Errno::FBIG) => Err(VfsError::NoSpace),
        Err(e) => Err(os(e)),
    }
}
