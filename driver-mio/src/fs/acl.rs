//! Security descriptors: stored ones, and those made from owner, group and permission bits.
//!
//! With root's rights a descriptor that is set also becomes owner, mode and POSIX ACL as far as these
//! can say the same, so that the kernel allows each user what the descriptor allows. Without, all
//! users act as the server's own user, and the descriptor is the server's affair alone.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{self, AtFlags, FileType, Gid, Mode, Statx, Uid, XattrFlags};
use rustix::io::Errno;
use smb_engine::identity::Identity;
use smb_engine::vfs::{VfsError, VfsReply, VfsResult, sacl_with};
use smb_proto::FileTime;
use smb_proto::dtyp::{
    AccessMask, Ace, AceFlags, AceType, Acl, AclSlot, SdControl, SecurityDescriptor, Sid,
};
use smb_proto::info::{FileAttributes, SecurityInformation};

use super::LocalFs;
use super::dosattrib::DosAttrib;
use super::error::{os, retry};
use super::handle::{Node, Open};
use super::identity::Acting;
use super::meta::birth;
use super::ntacl::{self, Stored};
use super::options::HostId;
use super::path::{file_type, stat_fd};
use super::posix_acl::{self, PosixAcl, Tag};
use super::xattr::{self, Holder, magic};

/// What the owner of a file may do whatever its mode says, so that nobody locks himself out.
const OWNER_ALWAYS: AccessMask = AccessMask::READ_CONTROL
    .union(AccessMask::WRITE_DAC)
    .union(AccessMask::WRITE_OWNER)
    .union(AccessMask::FILE_READ_ATTRIBUTES)
    .union(AccessMask::FILE_WRITE_ATTRIBUTES)
    .union(AccessMask::FILE_READ_EA)
    .union(AccessMask::DELETE)
    .union(AccessMask::SYNCHRONIZE);

/// All standard rights, which Samba ties to the permission to write.
const STANDARD: AccessMask = AccessMask::DELETE
    .union(AccessMask::READ_CONTROL)
    .union(AccessMask::WRITE_DAC)
    .union(AccessMask::WRITE_OWNER)
    .union(AccessMask::SYNCHRONIZE);

const DACL_CONTROL: SdControl = SdControl::DACL_DEFAULTED
    .union(SdControl::DACL_TRUSTED)
    .union(SdControl::DACL_INHERIT_REQ)
    .union(SdControl::DACL_AUTO_INHERITED)
    .union(SdControl::DACL_PROTECTED);

const SACL_CONTROL: SdControl = SdControl::SACL_DEFAULTED
    .union(SdControl::SACL_INHERIT_REQ)
    .union(SdControl::SACL_AUTO_INHERITED)
    .union(SdControl::SACL_PROTECTED);

const SACL_PARTS: SecurityInformation = SecurityInformation::SACL
    .union(SecurityInformation::LABEL)
    .union(SecurityInformation::ATTRIBUTE)
    .union(SecurityInformation::SCOPE);

/// The rights that three permission bits stand for, as Samba 4.17 answers them: `rw-` is
/// 0x001f019f, `r-x` 0x001200a9, `rwx` all.
fn rights(bits: u16, directory: bool) -> AccessMask {
    if bits & 7 == 7 {
        return AccessMask::FILE_ALL_ACCESS;
    }
    let mut mask = AccessMask::empty();
    if bits & 4 != 0 {
        mask |= AccessMask::FILE_GENERIC_READ;
    }
    if bits & 2 != 0 {
        mask |= AccessMask::FILE_GENERIC_WRITE | STANDARD;
        mask.set(AccessMask::FILE_DELETE_CHILD, directory);
    }
    if bits & 1 != 0 {
        mask |= AccessMask::FILE_GENERIC_EXECUTE;
    }
    mask
}

/// The permission bits without which the kernel would refuse what a mask allows.
fn bits(mask: AccessMask) -> u16 {
    let mask = mask.map_generic();
    let mut bits = 0;
    if mask.contains(AccessMask::FILE_READ_DATA) {
        bits |= 4;
    }
    if mask.intersects(AccessMask::FILE_WRITE_DATA | AccessMask::FILE_APPEND_DATA) {
        bits |= 2;
    }
    if mask.contains(AccessMask::FILE_EXECUTE) {
        bits |= 1;
    }
    bits
}

/// The rights that a DACL gives to someone with these SIDs: each right by the first entry that
/// names it.
fn granted(acl: &Acl, sids: &[Sid]) -> AccessMask {
    let (mut allowed, mut denied) = (AccessMask::empty(), AccessMask::empty());
    for ace in &acl.aces {
        let (Some(sid), Some(mask)) = (ace.sid(), ace.mask()) else {
            continue;
        };
        if ace.flags.contains(AceFlags::INHERIT_ONLY) || !sids.contains(sid) {
            continue;
        }
        let mask = mask.map_generic();
        if ace.kind == AceType::ACCESS_ALLOWED {
            allowed |= mask.difference(denied);
        } else if ace.kind == AceType::ACCESS_DENIED {
            denied |= mask.difference(allowed);
        }
    }
    allowed
}

impl LocalFs {
    pub(super) fn security(&self, open: &Open) -> VfsResult {
        let stat = stat_fd(open.node.fd()).map_err(os)?;
        self.descriptor(&open.node, &stat).map(VfsReply::Security)
    }

    /// The descriptor of a file.
    pub(super) fn descriptor(
        &self,
        node: &Node,
        stat: &Statx,
    ) -> Result<SecurityDescriptor, VfsError> {
        self.descriptor_by(&node.holder(), stat)
    }

    /// The descriptor of a file by what holds its extended attributes.
    pub(super) fn descriptor_by(
        &self,
        holder: &Holder<'_>,
        stat: &Statx,
    ) -> Result<SecurityDescriptor, VfsError> {
        if !self.xattrs || !matches!(file_type(stat), FileType::RegularFile | FileType::Directory) {
            return Ok(self.made_descriptor(stat, None));
        }
        let access = posix(holder, posix_acl::ACCESS)?;
        let Some(value) = self.stored_value(holder)? else {
            return Ok(self.made_descriptor(stat, access.as_ref()));
        };
        let made = || self.made_descriptor(stat, access.as_ref());
        let Some(stored) = Stored::parse(&value) else {
            tracing::warn!(
                inode = stat.stx_ino,
                "a stored security descriptor cannot be read; only the owner and administrators have access"
            );
            return Ok(closed(made()));
        };
        if let Some(state) = stored.state
            && !states(holder, stat, access.as_ref())?.contains(&state)
        {
            // The permissions were changed on the host since it was stored.
            return Ok(made());
        }
        let mut descriptor = stored.descriptor;
        let fallback = made();
        descriptor.owner = descriptor.owner.or(fallback.owner);
        descriptor.group = descriptor.group.or(fallback.group);
        if descriptor.dacl == AclSlot::Absent {
            descriptor.dacl = fallback.dacl;
        }
        Ok(descriptor)
    }

    fn stored_value(&self, holder: &Holder<'_>) -> Result<Option<Vec<u8>>, VfsError> {
        if let Some(value) = holder.get(self.ntacl).map_err(os)? {
            return Ok(Some(value));
        }
        if self.ntacl == xattr::NTACL {
            return Ok(None);
        }
        // Written by a server with more rights; reading it needs none.
        holder.get(xattr::NTACL).map_err(os)
    }

    /// A descriptor that says what owner, group, mode and POSIX ACL say.
    fn made_descriptor(&self, stat: &Statx, access: Option<&PosixAcl>) -> SecurityDescriptor {
        let directory = file_type(stat) == FileType::Directory;
        let sids = &self.options.sids;
        let owner = sids.sid(HostId::User(stat.stx_uid));
        let group = sids.sid(HostId::Group(stat.stx_gid));
        let allow = |sid, mask| Ace::allow(sid, mask, AceFlags::empty());
        let aces = if self.own.is_root() {
            let from_mode = PosixAcl::from_mode(stat.stx_mode);
            access
                .unwrap_or(&from_mode)
                .effective()
                .map(|(tag, bits)| {
                    let mask = rights(bits, directory);
                    match tag {
                        Tag::Owner => allow(owner, mask | OWNER_ALWAYS),
                        Tag::User(id) => allow(sids.sid(HostId::User(id)), mask),
                        Tag::Group => allow(group, mask),
                        Tag::OtherGroup(id) => allow(sids.sid(HostId::Group(id)), mask),
                        Tag::Mask | Tag::Others => allow(Sid::WORLD, mask),
                    }
                })
                .collect()
        } else {
            // Everyone acts as this process's user.
            let mut mask = rights(self.own.permission(stat), directory);
            if stat.stx_uid == self.own.uid() {
                mask |= OWNER_ALWAYS;
            }
            vec![allow(owner, mask | OWNER_ALWAYS), allow(Sid::WORLD, mask)]
        };
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
        by: &Identity,
        open: &Open,
        parts: SecurityInformation,
        descriptor: &SecurityDescriptor,
    ) -> VfsResult {
        if !self.xattrs {
            return Err(VfsError::NotSupported);
        }
        let acting = self.own.act_as(by)?;
        let _one = self.node_lock(open.id);
        let stat = stat_fd(open.node.fd()).map_err(os)?;
        let mut new = acting.as_server(|| self.descriptor(&open.node, &stat))?;
        if parts.contains(SecurityInformation::OWNER) {
            new.owner = descriptor.owner;
        }
        if parts.contains(SecurityInformation::GROUP) {
            new.group = descriptor.group;
        }
        let mut control = |mask: SdControl| {
            new.control = new.control.difference(mask) | (descriptor.control & mask);
        };
        if parts.contains(SecurityInformation::DACL) {
            control(DACL_CONTROL);
            new.dacl = descriptor.dacl.clone();
        }
        if parts.contains(SecurityInformation::SACL) {
            control(SACL_CONTROL);
        }
        if parts.intersects(SACL_PARTS) {
            new.sacl = sacl_with(&new.sacl, &descriptor.sacl, parts);
        }
        for (part, flag, set) in [
            (
                SecurityInformation::PROTECTED_DACL,
                SdControl::DACL_PROTECTED,
                true,
            ),
            (
                SecurityInformation::UNPROTECTED_DACL,
                SdControl::DACL_PROTECTED,
                false,
            ),
            (
                SecurityInformation::PROTECTED_SACL,
                SdControl::SACL_PROTECTED,
                true,
            ),
            (
                SecurityInformation::UNPROTECTED_SACL,
                SdControl::SACL_PROTECTED,
                false,
            ),
        ] {
            if parts.contains(part) {
                new.control.set(flag, set);
            }
        }
        acting.as_server(|| {
            if self.own.is_root() {
                self.change_owner(open, new.owner, new.group)?;
            }
            self.store(open, &new)
        })?;
        Ok(VfsReply::Done)
    }

    /// Stores the descriptor of a new file.
    pub(super) fn store_descriptor(
        &self,
        acting: &Acting<'_>,
        open: &Open,
        descriptor: &SecurityDescriptor,
    ) -> Result<(), VfsError> {
        if !self.xattrs {
            return Err(VfsError::NotSupported);
        }
        let mut descriptor = descriptor.clone();
        acting.as_server(|| {
            if self.options.inherit_owner {
                let stat = stat_fd(open.node.fd()).map_err(os)?;
                descriptor.owner = Some(self.options.sids.sid(HostId::User(stat.stx_uid)));
            } else if self.own.is_root() {
                // The group is that of the user or, by its set-group-id bit, of the directory.
                self.change_owner(open, descriptor.owner, None)?;
            }
            self.store(open, &descriptor)
        })
    }

    fn store(&self, open: &Open, descriptor: &SecurityDescriptor) -> Result<(), VfsError> {
        if !matches!(open.kind, FileType::RegularFile | FileType::Directory) {
            return Err(VfsError::NotSupported);
        }
        if self.own.is_root()
            && let AclSlot::Acl(acl) = &descriptor.dacl
        {
            let before = stat_fd(open.node.fd()).map_err(os)?;
            self.change_permissions(open, descriptor, acl)?;
            self.keep_writable(open, &before)?;
        }
        let holder = open.node.holder();
        let stat = stat_fd(open.node.fd()).map_err(os)?;
        let access = posix(&holder, posix_acl::ACCESS)?;
        let [state, _] = states(&holder, &stat, access.as_ref())?;
        let value = ntacl::encode(descriptor, &state, now());
        holder
            .set(self.ntacl, &value, XattrFlags::empty())
            .map_err(|e| match e {
                Errno::TOOBIG | Errno::RANGE => VfsError::NoSpace,
                e => os(e),
            })
    }

    /// A file without stored attributes is READONLY if its owner may not write. Where a descriptor
    /// takes that permission away it is not meant so, hence the attributes are stored then.
    fn keep_writable(&self, open: &Open, before: &Statx) -> Result<(), VfsError> {
        let writable = |stat: &Statx| stat.stx_mode & 0o200 != 0;
        if open.kind != FileType::RegularFile
            || !self.options.store_dos_attributes
            || !writable(before)
            || writable(&stat_fd(open.node.fd()).map_err(os)?)
        {
            return Ok(());
        }
        let holder = open.node.holder();
        if holder.size(xattr::DOSATTRIB).map_err(os)?.is_some() {
            return Ok(());
        }
        let attributes = DosAttrib {
            attributes: Some(FileAttributes::empty()),
            creation: Some(birth(before)),
        };
        let value = self.stored_form(attributes, open.kind).encode();
        holder
            .set(xattr::DOSATTRIB, &value, XattrFlags::empty())
            .map_err(os)
    }

    /// Makes owner and group those of a descriptor, where the host knows them.
    fn change_owner(
        &self,
        open: &Open,
        owner: Option<Sid>,
        group: Option<Sid>,
    ) -> Result<(), VfsError> {
        let stat = stat_fd(open.node.fd()).map_err(os)?;
        let id = |sid: Option<Sid>| sid.and_then(|sid| self.options.sids.host_id(&sid));
        let owner = match id(owner) {
            Some(HostId::User(uid)) if uid != stat.stx_uid && uid != u32::MAX => Some(uid),
            _ => None,
        };
        let group = match id(group) {
            Some(HostId::Group(gid)) if gid != stat.stx_gid && gid != u32::MAX => Some(gid),
            _ => None,
        };
        if owner.is_none() && group.is_none() {
            return Ok(());
        }
        let (owner, group) = (owner.map(Uid::from_raw), group.map(Gid::from_raw));
        retry(|| fs::chownat(open.node.fd(), c"", owner, group, AtFlags::EMPTY_PATH)).map_err(os)
    }

    /// Makes mode and POSIX ACL allow what the DACL allows to those whom the host knows.
    fn change_permissions(
        &self,
        open: &Open,
        descriptor: &SecurityDescriptor,
        dacl: &Acl,
    ) -> Result<(), VfsError> {
        let stat = stat_fd(open.node.fd()).map_err(os)?;
        let new = self.permissions(&stat, descriptor, dacl);
        let holder = open.node.holder();
        if new.is_minimal() {
            holder.remove(posix_acl::ACCESS).map_err(os)?;
        } else {
            match holder.set(posix_acl::ACCESS, &new.encode(), XattrFlags::empty()) {
                Ok(()) => return Ok(()),
                // Without POSIX ACLs the mode must do.
                Err(Errno::OPNOTSUPP) => {}
                Err(e) => return Err(os(e)),
            }
        }
        let mode = u32::from(stat.stx_mode & 0o7000 | new.mode());
        if mode != u32::from(stat.stx_mode) & 0o7777 {
            let path = magic(open.node.fd());
            retry(|| fs::chmod(&path, Mode::from_raw_mode(mode))).map_err(os)?;
        }
        Ok(())
    }

    fn permissions(&self, stat: &Statx, descriptor: &SecurityDescriptor, dacl: &Acl) -> PosixAcl {
        let sids = &self.options.sids;
        let owner = sids.sid(HostId::User(stat.stx_uid));
        let group = sids.sid(HostId::Group(stat.stx_gid));
        let of = |who: &[Sid]| {
            let mut all = vec![Sid::WORLD, Sid::NETWORK, Sid::AUTHENTICATED_USERS];
            all.extend(who);
            bits(granted(dacl, &all))
        };
        let mut owners = vec![owner, Sid::OWNER_RIGHTS];
        owners.extend(descriptor.owner);
        let mut groups = vec![group];
        groups.extend(descriptor.group);
        // POSIX looks at the owner's entry alone, Windows at those of all his groups: the wider one
        // is right here, since the server checks the descriptor itself.
        owners.extend(&groups);
        // The kernel must not refuse the owner what the server has let him do: as in Samba, he can
        // always read a file, and do everything with a directory.
        let always = if file_type(stat) == FileType::Directory {
            7
        } else {
            4
        };
        let mut acl = vec![
            (Tag::Owner, of(&owners) | always),
            (Tag::Group, of(&groups)),
            (Tag::Others, of(&[])),
        ];
        for sid in dacl.aces.iter().filter_map(Ace::sid) {
            let tag = match sids.host_id(sid) {
                Some(HostId::User(id)) if id != stat.stx_uid => Tag::User(id),
                Some(HostId::Group(id)) if id != stat.stx_gid => Tag::OtherGroup(id),
                _ => continue,
            };
            if !acl.iter().any(|(present, _)| *present == tag) {
                acl.push((tag, of(&[*sid])));
            }
        }
        if acl.len() > 3 {
            let mask = acl
                .iter()
                .filter(|(tag, _)| !matches!(tag, Tag::Owner | Tag::Others))
                .fold(0, |all, (_, bits)| all | bits);
            acl.push((Tag::Mask, mask));
        }
        PosixAcl(acl)
    }
}

/// A descriptor with the same owner that lets in nobody else but administrators.
fn closed(descriptor: SecurityDescriptor) -> SecurityDescriptor {
    let allow = |sid| Ace::allow(sid, AccessMask::FILE_ALL_ACCESS, AceFlags::empty());
    let aces = descriptor
        .owner
        .into_iter()
        .chain([Sid::BUILTIN_ADMINISTRATORS])
        .map(allow)
        .collect();
    SecurityDescriptor {
        dacl: AclSlot::Acl(Acl::new(aces)),
        ..descriptor
    }
}

fn posix(holder: &Holder<'_>, name: &str) -> Result<Option<PosixAcl>, VfsError> {
    let value = holder.get(name).map_err(os)?;
    Ok(value.as_deref().and_then(PosixAcl::parse))
}

/// The hashes that tie a descriptor to the state of the file system: Samba's, and that of ksmbd. For
/// a directory without default ACL Samba counts an empty one, ksmbd none.
fn states(
    holder: &Holder<'_>,
    stat: &Statx,
    access: Option<&PosixAcl>,
) -> Result<[[u8; 32]; 2], VfsError> {
    let ids = (stat.stx_uid, stat.stx_gid, stat.stx_mode);
    if file_type(stat) != FileType::Directory {
        return Ok([ntacl::state_hash(ids, access, None); 2]);
    }
    let default = posix(holder, posix_acl::DEFAULT)?;
    let ksmbd = ntacl::state_hash(ids, access, default.as_ref());
    let default = default.unwrap_or(PosixAcl(Vec::new()));
    Ok([ntacl::state_hash(ids, access, Some(&default)), ksmbd])
}

fn now() -> FileTime {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    FileTime::from_unix(
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        since.subsec_nanos(),
    )
}

#[cfg(test)]
mod tests;
