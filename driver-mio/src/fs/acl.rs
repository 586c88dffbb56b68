//! Security descriptors: stored ones, and those made from owner, group and mode.

use rustix::fs::{FileType, Statx};
use smb_engine::identity::Identity;
use smb_engine::vfs::{VfsError, VfsReply, VfsResult};
use smb_proto::dtyp::{
    AccessMask, Ace, AceFlags, Acl, AclSlot, SdControl, SecurityDescriptor, Sid,
};
use smb_proto::info::SecurityInformation;

use super::LocalFs;
use super::error::os;
use super::handle::{Node, Open};
use super::identity::Acting;
use super::options::HostId;
use super::path::{file_type, stat_fd};

/// What the owner of a file may do whatever its mode says, so that nobody locks himself out.
const OWNER_ALWAYS: AccessMask = AccessMask::READ_CONTROL
    .union(AccessMask::WRITE_DAC)
    .union(AccessMask::WRITE_OWNER)
    .union(AccessMask::FILE_READ_ATTRIBUTES)
    .union(AccessMask::FILE_WRITE_ATTRIBUTES)
    .union(AccessMask::FILE_READ_EA)
    .union(AccessMask::DELETE)
    .union(AccessMask::SYNCHRONIZE);

/// The rights that three permission bits stand for, as Samba maps them: all three are full
/// control; writing a directory includes deleting in it.
fn rights(bits: u16, directory: bool) -> AccessMask {
    if bits & 7 == 7 {
        return AccessMask::FILE_ALL_ACCESS;
    }
    let mut mask = AccessMask::empty();
    if bits & 4 != 0 {
        mask |= AccessMask::FILE_GENERIC_READ;
    }
    if bits & 2 != 0 {
        mask |= AccessMask::FILE_GENERIC_WRITE | AccessMask::DELETE;
        if directory {
            mask |= AccessMask::FILE_DELETE_CHILD;
        }
    }
    if bits & 1 != 0 {
        mask |= AccessMask::FILE_GENERIC_EXECUTE;
    }
    mask
}

impl LocalFs {
    pub(super) fn security(&self, open: &Open) -> VfsResult {
        let stat = stat_fd(open.node.fd()).map_err(os)?;
        self.descriptor(&open.node, &stat).map(VfsReply::Security)
    }

    /// The descriptor of a file.
    pub(super) fn descriptor(
        &self,
        _node: &Node,
        stat: &Statx,
    ) -> Result<SecurityDescriptor, VfsError> {
        Ok(self.made_from_mode(stat))
    }

    /// A descriptor that says what owner, group and mode say.
    pub(super) fn made_from_mode(&self, stat: &Statx) -> SecurityDescriptor {
        let directory = file_type(stat) == FileType::Directory;
        let owner = self.options.sids.sid(HostId::User(stat.stx_uid));
        let group = self.options.sids.sid(HostId::Group(stat.stx_gid));
        let mode = stat.stx_mode;
        let of = |shift: u16| rights(mode >> shift, directory);
        let mut aces = vec![Ace::allow(owner, of(6) | OWNER_ALWAYS, AceFlags::empty())];
        for (sid, mask) in [(group, of(3)), (Sid::WORLD, of(0))] {
            aces.push(Ace::allow(sid, mask, AceFlags::empty()));
        }
        SecurityDescriptor {
            control: SdControl::empty(),
            owner: Some(owner),
            group: Some(group),
            sacl: AclSlot::Absent,
            dacl: AclSlot::Acl(Acl::new(aces)),
        }
    }

    pub(super) fn set_security(
        &self,
        _by: &Identity,
        _open: &Open,
        _parts: SecurityInformation,
        _descriptor: &SecurityDescriptor,
    ) -> VfsResult {
        Err(VfsError::NotSupported)
    }

    /// Stores the descriptor of a new file.
    pub(super) fn store_descriptor(
        &self,
        _acting: &Acting<'_>,
        _open: &Open,
        _descriptor: &SecurityDescriptor,
    ) -> Result<(), VfsError> {
        Err(VfsError::NotSupported)
    }
}
