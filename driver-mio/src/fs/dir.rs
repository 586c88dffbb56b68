//! Listing directories.

use std::os::fd::AsFd;

use rustix::fs::{FileType, Statx};
use rustix::io::Errno;
use smb_engine::identity::Identity;
use smb_engine::names::Pattern;
use smb_engine::vfs::{DirItem, Listing, SharePath, VfsError, VfsReply, VfsResult};

use super::LocalFs;
use super::error::os;
use super::handle::{Node, Open, lock};
use super::path::{file_type, stat_entry, stat_fd};
use super::walk::Walk;
use super::xattr::Holder;

/// How far the listing of a handle has come.
pub(super) enum Listed {
    /// Not begun.
    Fresh,
    /// On the way.
    At(Walk),
    /// Nothing follows.
    Done,
}

/// What of the names of a directory is wanted.
pub(super) struct Wanted<'a> {
    pub(super) pattern: Option<&'a Pattern>,
    pub(super) limit: usize,
    pub(super) security: bool,
}

impl LocalFs {
    pub(super) fn list(
        &self,
        by: &Identity,
        open: &Open,
        restart: bool,
        wanted: &Wanted<'_>,
    ) -> VfsResult {
        let &Wanted {
            pattern,
            limit,
            security,
        } = wanted;
        if !open.is_directory() {
            return Err(VfsError::NotADirectory);
        }
        let mut listed = lock(&open.walk);
        if restart {
            *listed = Listed::Fresh;
        }
        let at = lock(&open.at).path.clone();
        if matches!(*listed, Listed::Fresh) {
            if let Some(name) = pattern.and_then(Pattern::as_literal) {
                *listed = Listed::Done;
                return self.list_one(by, open, &at, &name, security);
            }
            let acting = self.own.act_as(by)?;
            *listed = Listed::At(Walk::begin(open.node.fd()).map_err(os)?);
            drop(acting);
        }
        let Listed::At(walk) = &mut *listed else {
            return Ok(VfsReply::Listing(Listing {
                items: Vec::new(),
                end: true,
            }));
        };
        let mut items = Vec::new();
        let mut end = false;
        loop {
            let Some(host) = walk.next().map_err(os)? else {
                end = true;
                break;
            };
            let name = self.tree.naming.to_share(&host);
            if pattern.is_some_and(|p| !p.matches(&name)) || self.options.vetoed(&name) {
                continue;
            }
            // Not before, so that nothing but hidden names behind is the end as well.
            if items.len() >= limit {
                walk.put_back(host);
                break;
            }
            let dir = walk.dir();
            match stat_entry(dir, &host) {
                Ok(stat) => {
                    let holder = Holder::entry(dir, &host);
                    items.extend(self.item(&at, &holder, &host, name, &stat, security)?);
                }
                // It was removed since the directory was read.
                Err(Errno::NOENT) => {}
                Err(e) => return Err(os(e)),
            }
        }
        if end {
            *listed = Listed::Done;
        }
        Ok(VfsReply::Listing(Listing { items, end }))
    }

    /// A listing of one name, which needs no walk.
    fn list_one(
        &self,
        by: &Identity,
        open: &Open,
        at: &SharePath,
        name: &str,
        security: bool,
    ) -> VfsResult {
        let mut items = Vec::new();
        // A name that cannot exist here is not listed.
        if let Ok(host) = self.tree.naming.to_host(name) {
            let acting = self.own.act_as(by)?;
            let found = match self.tree.find(open.node.fd(), name, &host) {
                // A mount point that is not to be crossed is not shown.
                Err(VfsError::OtherVolume) => None,
                found => found?,
            };
            drop(acting);
            if let Some((fd, stored)) = found {
                let name = self.tree.naming.to_share(&stored);
                if !self.options.vetoed(&name) {
                    let stat = stat_fd(fd.as_fd()).map_err(os)?;
                    let node = Node::path_only(fd);
                    items.extend(self.item(at, &node.holder(), &stored, name, &stat, security)?);
                }
            }
        }
        Ok(VfsReply::Listing(Listing { items, end: true }))
    }

    /// One entry; `None` if it is not to be shown.
    fn item(
        &self,
        at: &SharePath,
        holder: &Holder<'_>,
        host: &[u8],
        name: String,
        stat: &Statx,
        security: bool,
    ) -> Result<Option<DirItem>, VfsError> {
        if !self.options.cross_mounts && stat.stx_mnt_id != self.mount {
            return Ok(None);
        }
        let kind = file_type(stat);
        let followed = if kind == FileType::Symlink {
            self.tree.entry_target(at, host)
        } else {
            None
        };
        let told = |holder: &Holder<'_>, stat: &Statx| match security {
            true => self.descriptor_by(holder, stat).map(|d| Some(Box::new(d))),
            false => Ok(None),
        };
        let (info, security) = match followed {
            Some(fd) => {
                let node = Node::path_only(fd);
                let stat = stat_fd(node.fd()).map_err(os)?;
                let security = told(&node.holder(), &stat)?;
                (self.info_of_node(&node, &stat, &name)?, security)
            }
            None => {
                let extra = self.extra(holder, kind)?;
                (self.info_of(stat, &name, &extra, None), told(holder, stat)?)
            }
        };
        Ok(Some(DirItem {
            security,
            short_name: self.tree.naming.short(host, &name).unwrap_or_default(),
            name,
            info,
        }))
    }

    pub(super) fn check_empty(&self, open: &Open) -> VfsResult {
        if !open.is_directory() {
            return Err(VfsError::NotADirectory);
        }
        has_no_names(&open.node).map(|()| VfsReply::Done)
    }
}

/// Refuses a directory with entries.
pub(super) fn has_no_names(directory: &Node) -> Result<(), VfsError> {
    let mut walk = Walk::begin(directory.fd()).map_err(os)?;
    match walk.next().map_err(os)? {
        None => Ok(()),
        Some(_) => Err(VfsError::NotEmpty),
    }
}
