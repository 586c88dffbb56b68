//! The storage of a share, from its configuration.

use std::path::Path;
use std::sync::Arc;

use smb_engine::identity::Identity;
use smb_engine::names::Pattern;
use smb_engine::vfs::{Backend, Capabilities, VfsOp, VfsResult};
use smb_proto::dtyp::Sid;

use crate::config::{InheritOwner, NameList, ShareConfig, SnapshotOrder};
use crate::fs::{
    HostId, LocalFs, LocalFsError, LocalOptions, NameMap, ShadowCopy, SidMapper, Watcher,
    WithSnapshots,
};
use crate::users::sids;

/// Users and groups of the host have the SIDs that ksmbd gives them.
struct HostSids {
    domain: Sid,
}

impl SidMapper for HostSids {
    fn sid(&self, id: HostId) -> Sid {
        match id {
            HostId::User(uid) => sids::of_uid(&self.domain, uid),
            HostId::Group(gid) => sids::of_gid(gid),
        }
    }

    fn host_id(&self, sid: &Sid) -> Option<HostId> {
        sids::uid_of(&self.domain, sid)
            .map(HostId::User)
            .or_else(|| sids::gid_of(sid).map(HostId::Group))
    }
}

/// A directory with fewer capabilities than its file system has, because the configuration says so.
struct Limited {
    fs: Box<dyn Backend>,
    without: Capabilities,
}

impl Backend for Limited {
    fn capabilities(&self) -> Capabilities {
        self.fs.capabilities() - self.without
    }

    fn execute(&self, by: &Identity, op: VfsOp) -> VfsResult {
        self.fs.execute(by, op)
    }

    fn execute_now(&self, by: &Identity, op: VfsOp) -> Result<VfsResult, VfsOp> {
        self.fs.execute_now(by, op)
    }
}

fn patterns(names: &NameList) -> Vec<Pattern> {
    names.0.iter().map(|n| Pattern::of_names(n)).collect()
}

/// The storage of a share.
pub struct Opened {
    /// What answers operations.
    pub backend: Arc<dyn Backend>,
    /// What tells of changes by other programs, if that is wanted and possible.
    pub watcher: Option<Arc<Watcher>>,
}

/// Opens the directory of a share and logs what is worth knowing about it.
///
/// # Errors
/// The directory cannot be shared.
pub fn open(share: &ShareConfig, path: &Path, domain: &Sid) -> Result<Opened, LocalFsError> {
    let options = LocalOptions {
        create_mask: share.create_mask.0,
        directory_mask: share.directory_mask.0,
        force_create_mode: share.force_create_mode.0,
        force_directory_mode: share.force_directory_mode.0,
        hide_dot_files: share.hide_dot_files,
        hide_files: patterns(&share.hide_files),
        mangled_names: share.mangled_names,
        name_map: if share.vfs_objects.catia {
            share.catia_mappings.0.clone()
        } else {
            NameMap::default()
        },
        match_normalised: share.vfs_objects.fruit,
        veto_files: patterns(&share.veto_files),
        follow_symlinks: share.follow_symlinks,
        cross_mounts: share.crossmnt,
        store_dos_attributes: share.store_dos_attributes,
        inherit_owner: share.inherit_owner != InheritOwner::No,
        watch: share.change_notify && share.kernel_change_notify,
        label: share.name.clone(),
        sids: Arc::new(HostSids { domain: *domain }),
    };
    let fs = LocalFs::open(path, options.clone())?;
    for note in fs.notes() {
        tracing::warn!(share = share.name, "{note}");
    }
    let mut without = Capabilities::empty();
    without.set(Capabilities::EAS, !share.ea_support);
    without.set(Capabilities::STREAMS, !share.vfs_objects.streams_xattr);
    without.set(Capabilities::SECURITY, !share.vfs_objects.acl_xattr);
    let watcher = fs.watcher();
    let fs: Box<dyn Backend> = if share.vfs_objects.shadow_copy2 {
        let source = snapshots(share, path)?;
        Box::new(WithSnapshots::new(fs, options, Box::new(source)))
    } else {
        Box::new(fs)
    };
    Ok(Opened {
        watcher,
        backend: Arc::new(Limited { fs, without }),
    })
}

/// Where the snapshots of a share are.
fn snapshots(share: &ShareConfig, path: &Path) -> Result<ShadowCopy, LocalFsError> {
    let base = share.shadow_basedir.as_deref().unwrap_or(path);
    let beneath = path
        .strip_prefix(base)
        .map_err(|_| LocalFsError::OutsideSnapshots {
            path: path.to_owned(),
            base: base.to_owned(),
        })?;
    Ok(ShadowCopy {
        base: base.to_owned(),
        share: beneath.to_owned(),
        dir: share.shadow_snapdir.0.clone(),
        format: share.shadow_format.0.clone(),
        ascending: share.shadow_sort == SnapshotOrder::OldestFirst,
    })
}
