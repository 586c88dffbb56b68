//! Changing names: rename, hard link, remove.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{self, AtFlags, CWD, FileType, RenameFlags};
use rustix::io::Errno;
use smb_engine::identity::Identity;
use smb_engine::vfs::{Location, SharePath, VfsError, VfsReply, VfsResult};

use super::LocalFs;
use super::error::{os, retry};
use super::handle::{Node, Open, lock};
use super::meta::node_id;
use super::path::{Place, file_type, stat_fd};
use super::reparse::{stop_at_stored, unparsed};
use super::xattr::magic;

/// A name that exists.
struct Entry {
    place: Place,
    /// Its name as stored on the host.
    host: Vec<u8>,
}

impl LocalFs {
    pub(super) fn rename(
        &self,
        by: &Identity,
        open: &Open,
        from: &Location,
        to: &Location,
        replace: bool,
    ) -> VfsResult {
        let acting = self.own.act_as(by)?;
        match (&from.stream, &to.stream, &open.stream) {
            (None, None, None) => {}
            (Some(old), Some(new), Some(stream)) => {
                acting.or_as_server(|| self.rename_stream(open, stream, (old, new), replace))?;
                lock(&open.at).stream = Some(new.clone());
                return Ok(VfsReply::Done);
            }
            // A stream does not become a file, nor a file a stream.
            _ => return Err(VfsError::Invalid),
        }
        if self.check_veto(&to.path)? {
            return Err(VfsError::AccessDenied);
        }
        let source = self.present_place(&from.path)?;
        let target = self.new_place(&to.path, replace)?;
        let host = self.tree.naming.to_host(&target.name)?;
        let from_dir = stat_fd(source.dir.as_fd()).map_err(os)?;
        let to_dir = stat_fd(target.dir.as_fd()).map_err(os)?;
        let _both = self.two_locks(node_id(&from_dir), node_id(&to_dir));
        let source = self.entry_of(source, open)?;
        stop_at_stored(target.dir.as_fd(), unparsed([target.name.as_str()]))?;
        let same_dir = node_id(&from_dir) == node_id(&to_dir);
        self.move_entry(open, &source, &target, &host, same_dir, replace)?;
        self.change_times.forget(node_id(&from_dir));
        self.change_times.forget(node_id(&to_dir));
        let stored = self.tree.naming.to_share(&host);
        let new = target.at.join(&stored).ok_or(VfsError::InvalidName)?;
        self.relocate(&from.path, &new);
        Ok(VfsReply::Done)
    }

    /// The place of a name that something open is said to have: if the way there is gone, so is the
    /// name.
    fn present_place(&self, path: &SharePath) -> Result<Place, VfsError> {
        match self.tree.place(path) {
            // The root directory has no name to lose.
            Err(VfsError::Invalid) => Err(VfsError::AccessDenied),
            Err(VfsError::PathNotFound | VfsError::NameTooLong | VfsError::InvalidName) => {
                Err(VfsError::NotFound)
            }
            place => place,
        }
    }

    /// The place of a new name.
    fn new_place(&self, path: &SharePath, replace: bool) -> Result<Place, VfsError> {
        match self.tree.place(path) {
            // The root directory is always there, and a directory.
            Err(VfsError::Invalid) if replace => Err(VfsError::AccessDenied),
            Err(VfsError::Invalid) => Err(VfsError::Exists),
            place => place,
        }
    }

    /// The entry that is the name of `open`, as far as it still is.
    fn entry_of(&self, place: Place, open: &Open) -> Result<Entry, VfsError> {
        let host = self.tree.naming.to_host(&place.name)?;
        let (fd, stored) = self
            .tree
            .find(place.dir.as_fd(), &place.name, &host)?
            .ok_or(VfsError::NotFound)?;
        let stat = stat_fd(fd.as_fd()).map_err(os)?;
        let mut is_it = node_id(&stat) == open.id;
        if !is_it && file_type(&stat) == FileType::Symlink {
            // What was opened may be what the link leads to; it is the link that goes.
            let target = self.tree.entry_target(&place.at, &stored);
            is_it = target
                .and_then(|fd| stat_fd(fd.as_fd()).ok())
                .is_some_and(|stat| node_id(&stat) == open.id);
        }
        if !is_it {
            return Err(VfsError::NotFound);
        }
        Ok(Entry {
            place,
            host: stored,
        })
    }

    fn move_entry(
        &self,
        open: &Open,
        source: &Entry,
        target: &Place,
        host: &[u8],
        same_dir: bool,
        replace: bool,
    ) -> Result<(), VfsError> {
        let (from, to) = (source.place.dir.as_fd(), target.dir.as_fd());
        let own = source
            .place
            .at
            .join(&self.tree.naming.to_share(&source.host));
        if open.kind == FileType::Directory
            && own.is_some_and(|own| target.at.beneath(&own).is_some())
        {
            // Nothing moves into itself; the host would say so only after the target is gone.
            return Err(VfsError::Invalid);
        }
        if same_dir && source.host == host {
            return Ok(());
        }
        let Some((fd, present)) = self.tree.find(to, &target.name, host)? else {
            return rename_new(from, &source.host, to, host);
        };
        if same_dir && present == source.host {
            // Only the case changes.
            return rename_new(from, &source.host, to, host);
        }
        if !replace {
            return Err(VfsError::Exists);
        }
        let stat = stat_fd(fd.as_fd()).map_err(os)?;
        if file_type(&stat) == FileType::Directory {
            return Err(VfsError::AccessDenied);
        }
        let replaced = Node::path_only(fd);
        let sides = self.sides_of(&replaced, node_id(&stat));
        if node_id(&stat) == open.id {
            // Another name of the same file: POSIX would leave both.
            unlink(from, &source.host, false)?;
        } else if open.kind == FileType::Directory {
            replace_file_by_directory(from, &source.host, to, &present, host)?;
            self.drop_sides_if_gone(&replaced, sides);
            return Ok(());
        } else {
            retry(|| fs::renameat(from, &source.host[..], to, &present[..])).map_err(os)?;
            self.drop_sides_if_gone(&replaced, sides);
        }
        if present != host {
            rename_new(to, &present, to, host)?;
        }
        Ok(())
    }

    /// Notes the new name at every handle of what was renamed, and of what lies beneath it.
    fn relocate(&self, from: &SharePath, to: &SharePath) {
        for open in self.handles.all() {
            let mut at = lock(&open.at);
            let Some(rest) = at.path.beneath(from) else {
                continue;
            };
            let new = if rest.is_empty() {
                Some(to.clone())
            } else {
                SharePath::new(&format!("{to}\\{rest}"))
            };
            if let Some(new) = new {
                at.path = new;
            }
        }
    }

    pub(super) fn link(
        &self,
        by: &Identity,
        open: &Open,
        to: &SharePath,
        replace: bool,
    ) -> VfsResult {
        if open.kind == FileType::Directory {
            return Err(VfsError::IsADirectory);
        }
        if stat_fd(open.node.fd()).map_err(os)?.stx_nlink == 0 {
            return Err(VfsError::NotFound);
        }
        if self.check_veto(to)? {
            return Err(VfsError::AccessDenied);
        }
        let acting = self.own.act_as(by)?;
        let place = self.new_place(to, replace)?;
        let host = self.tree.naming.to_host(&place.name)?;
        let dir = place.dir.as_fd();
        let dir_id = node_id(&stat_fd(dir).map_err(os)?);
        let _one = self.node_lock(dir_id);
        stop_at_stored(dir, unparsed([place.name.as_str()]))?;
        let path = magic(open.node.fd());
        let link = |name: &[u8]| {
            retry(|| fs::linkat(CWD, &path, dir, name, AtFlags::SYMLINK_FOLLOW)).map_err(os)
        };
        let Some((fd, present)) = self.tree.find(dir, &place.name, &host)? else {
            link(&host)?;
            self.change_times.forget(dir_id);
            return Ok(VfsReply::Done);
        };
        if !replace {
            return Err(VfsError::Exists);
        }
        let stat = stat_fd(fd.as_fd()).map_err(os)?;
        if file_type(&stat) == FileType::Directory {
            return Err(VfsError::AccessDenied);
        }
        if node_id(&stat) != open.id {
            let replaced = Node::path_only(fd);
            let sides = self.sides_of(&replaced, node_id(&stat));
            // A link cannot replace a name, a rename can.
            let temporary = temporary_name();
            link(&temporary)?;
            if let Err(e) = retry(|| fs::renameat(dir, &temporary[..], dir, &present[..])) {
                unlink(dir, &temporary, false)?;
                return Err(os(e));
            }
            self.drop_sides_if_gone(&replaced, sides);
        }
        if present != host {
            rename_new(dir, &present, dir, &host)?;
        }
        self.change_times.forget(dir_id);
        drop(acting);
        Ok(VfsReply::Done)
    }

    pub(super) fn remove(&self, by: &Identity, open: &Open, at: &Location) -> VfsResult {
        let acting = self.own.act_as(by)?;
        match &at.stream {
            Some(name) => acting.or_as_server(|| self.remove_stream(open, name))?,
            None => self.remove_name(&at.path, open)?,
        }
        Ok(VfsReply::Done)
    }

    /// Removes a name of a file or directory.
    pub(super) fn remove_name(&self, path: &SharePath, open: &Open) -> Result<(), VfsError> {
        let place = self.present_place(path)?;
        let dir_id = node_id(&stat_fd(place.dir.as_fd()).map_err(os)?);
        let _one = self.node_lock(dir_id);
        let entry = self.entry_of(place, open)?;
        self.change_times.forget(dir_id);
        let dir = entry.place.dir.as_fd();
        let sides = self.sides_of(&open.node, open.id);
        match unlink(dir, &entry.host, open.kind == FileType::Directory) {
            // What was opened through a link is a directory, its name is not.
            Err(VfsError::NotADirectory) => return unlink(dir, &entry.host, false),
            done => done?,
        }
        self.drop_sides_if_gone(&open.node, sides);
        Ok(())
    }
}

/// How names for a moment begin.
pub(super) const TEMPORARY: &[u8] = b".smb-link-";

/// A name for a moment; nobody else makes such.
fn temporary_name() -> Vec<u8> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    [TEMPORARY, format!("{}-{n}", std::process::id()).as_bytes()].concat()
}

/// Renames to a name that is free.
fn rename_new(
    from: BorrowedFd<'_>,
    old: &[u8],
    to: BorrowedFd<'_>,
    new: &[u8],
) -> Result<(), VfsError> {
    match retry(|| fs::renameat_with(from, old, to, new, RenameFlags::NOREPLACE)) {
        // File systems without that flag; the caller has looked and holds the directory's lock.
        // (EINVAL is also a directory that moves into itself: then the second call says so.)
        Err(Errno::INVAL | Errno::NOSYS) => retry(|| fs::renameat(from, old, to, new)).map_err(os),
        done => done.map_err(os),
    }
}

/// Puts a directory in the place of a file, which POSIX does not do in one step: the file steps
/// aside, and comes back if the directory cannot take its place.
fn replace_file_by_directory(
    from: BorrowedFd<'_>,
    old: &[u8],
    to: BorrowedFd<'_>,
    present: &[u8],
    new: &[u8],
) -> Result<(), VfsError> {
    let aside = temporary_name();
    rename_new(to, present, to, &aside)?;
    if let Err(e) = rename_new(from, old, to, new) {
        rename_new(to, &aside, to, present)?;
        return Err(e);
    }
    unlink(to, &aside, false)
}

fn unlink(dir: BorrowedFd<'_>, name: &[u8], directory: bool) -> Result<(), VfsError> {
    let flags = if directory {
        AtFlags::REMOVEDIR
    } else {
        AtFlags::empty()
    };
    match retry(|| fs::unlinkat(dir, name, flags)) {
        // POSIX allows either number for a directory with entries.
        Err(Errno::EXIST) => Err(VfsError::NotEmpty),
        done => done.map_err(os),
    }
}
