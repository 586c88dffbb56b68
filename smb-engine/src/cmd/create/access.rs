//! Who may open what for what, [MS-FSA] 2.1.5.1.1 and 2.1.5.1.2.1.

use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::info::FileAttributes;

use super::resolve::Fields;

/// Rights that an existing file may get from its directory ([MS-FSA] 2.1.5.1.2.1): DELETE from
/// FILE_DELETE_CHILD, FILE_READ_ATTRIBUTES from FILE_LIST_DIRECTORY.
const FROM_PARENT: AccessMask = AccessMask::DELETE.union(AccessMask::FILE_READ_ATTRIBUTES);

/// What writes to a read-only file ([MS-FSA] 2.1.5.1.2.1).
const WRITES: AccessMask = AccessMask::FILE_WRITE_DATA.union(AccessMask::FILE_APPEND_DATA);

/// What is known of an existing file when its rights are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Existing {
    /// What its descriptor gives ([`crate::acl::check::maximal`]).
    pub(super) by_descriptor: AccessMask,
    /// What the directory's descriptor gives; `None` if it was not looked at.
    pub(super) by_parent: Option<AccessMask>,
    /// It has no directory: the share's root.
    pub(super) root: bool,
    pub(super) attributes: FileAttributes,
    /// TreeConnect.MaximalAccess.
    pub(super) tree: AccessMask,
    /// SE_SECURITY_NAME: the identity may read and change audit lists.
    pub(super) audits: bool,
}

/// Rights granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grant {
    /// Open.GrantedAccess.
    pub(super) access: AccessMask,
    /// What could have been granted, for SMB2_CREATE_QUERY_MAXIMAL_ACCESS_RESPONSE.
    pub(super) maximal: AccessMask,
}

/// The judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Granted(Grant),
    /// It depends on the directory's descriptor.
    AskParent,
}

/// Judges the rights to an existing file or directory. `tell_maximal`: the client wants to know the
/// maximal access.
pub(super) fn existing(f: &Fields, e: &Existing, tell_maximal: bool) -> Result<Verdict, NtStatus> {
    let read_only = e.attributes.contains(FileAttributes::READONLY);
    let directory = e.attributes.contains(FileAttributes::DIRECTORY);
    if read_only && !directory && (f.desired | f.implied()).intersects(WRITES) {
        return Err(NtStatus::ACCESS_DENIED);
    }
    if f.delete_on_close() && (read_only || e.root) {
        return Err(NtStatus::CANNOT_DELETE);
    }
    check_privilege(f.desired, e.audits)?;
    let needed = (f.desired | f.implied()).difference(AccessMask::ACCESS_SYSTEM_SECURITY);
    if !e.tree.contains(needed) {
        return Err(NtStatus::ACCESS_DENIED);
    }
    let mut maximal = e.by_descriptor;
    if let Some(parent) = e.by_parent {
        if parent.contains(AccessMask::FILE_DELETE_CHILD) {
            maximal |= AccessMask::DELETE;
        }
        if parent.contains(AccessMask::FILE_LIST_DIRECTORY) {
            maximal |= AccessMask::FILE_READ_ATTRIBUTES;
        }
    }
    let missing = needed.difference(maximal);
    if !FROM_PARENT.contains(missing) {
        return Err(NtStatus::ACCESS_DENIED);
    }
    let incomplete = (f.maximum || tell_maximal) && !maximal.contains(FROM_PARENT);
    if e.by_parent.is_none() && !e.root && (!missing.is_empty() || incomplete) {
        return Ok(Verdict::AskParent);
    }
    if !missing.is_empty() {
        return Err(NtStatus::ACCESS_DENIED);
    }
    let maximal = maximal & e.tree;
    let mut access = f.desired;
    if f.maximum {
        let mut all = maximal;
        if read_only && !directory {
            all -= WRITES | AccessMask::FILE_DELETE_CHILD;
        }
        access |= all;
    }
    if f.delete_on_close() && !access.contains(AccessMask::DELETE) {
        return Err(NtStatus::ACCESS_DENIED);
    }
    Ok(Verdict::Granted(Grant { access, maximal }))
}

/// Judges the creation of something in a directory (or of a stream in a file) by what the
/// container's descriptor gives: [MS-FSA] 2.1.5.1.1. Who creates a file may do with it through
/// this open whatever was asked for.
pub(super) fn new(
    f: &Fields,
    container: AccessMask,
    tree: AccessMask,
    audits: bool,
) -> Result<AccessMask, NtStatus> {
    if f.delete_on_close() && f.attributes.contains(FileAttributes::READONLY) {
        return Err(NtStatus::CANNOT_DELETE);
    }
    check_privilege(f.desired, audits)?;
    let right = if f.directory() {
        AccessMask::FILE_ADD_SUBDIRECTORY
    } else {
        AccessMask::FILE_ADD_FILE
    };
    let plain = f.desired.difference(AccessMask::ACCESS_SYSTEM_SECURITY);
    if !container.contains(right) || !tree.contains(plain | right) {
        return Err(NtStatus::ACCESS_DENIED);
    }
    let mut access = f.desired;
    if f.maximum {
        access |= AccessMask::FILE_ALL_ACCESS & tree;
    }
    if f.delete_on_close() && !access.contains(AccessMask::DELETE) {
        return Err(NtStatus::ACCESS_DENIED);
    }
    Ok(access)
}

fn check_privilege(desired: AccessMask, audits: bool) -> Result<(), NtStatus> {
    if desired.contains(AccessMask::ACCESS_SYSTEM_SECURITY) && !audits {
        return Err(NtStatus::PRIVILEGE_NOT_HELD);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use smb_proto::msg::create::{CreateDisposition, CreateOptions, ShareAccess};

    const ALL: AccessMask = AccessMask::FILE_ALL_ACCESS;
    const READ: AccessMask = AccessMask::FILE_GENERIC_READ;
    const NONE: AccessMask = AccessMask::empty();
    const DENIED: Result<Verdict, NtStatus> = Err(NtStatus::ACCESS_DENIED);

    fn fields(desired: AccessMask) -> Fields {
        Fields {
            desired: desired.difference(AccessMask::MAXIMUM_ALLOWED),
            maximum: desired.contains(AccessMask::MAXIMUM_ALLOWED),
            disposition: CreateDisposition::Open,
            options: CreateOptions::empty(),
            share: ShareAccess::empty(),
            attributes: FileAttributes::empty(),
        }
    }

    fn file(by_descriptor: AccessMask) -> Existing {
        Existing {
            by_descriptor,
            by_parent: None,
            root: false,
            attributes: FileAttributes::ARCHIVE,
            tree: ALL,
            audits: false,
        }
    }

    fn granted(access: AccessMask, maximal: AccessMask) -> Result<Verdict, NtStatus> {
        Ok(Verdict::Granted(Grant { access, maximal }))
    }

    #[test]
    fn desired_rights() {
        let f = fields(READ);
        assert_eq!(existing(&f, &file(ALL), false), granted(READ, ALL));
        assert_eq!(existing(&f, &file(NONE), false), DENIED);
        let mut e = file(ALL);
        e.tree = AccessMask::FILE_READ_DATA;
        assert_eq!(existing(&f, &e, false), DENIED);
        let security = fields(AccessMask::ACCESS_SYSTEM_SECURITY);
        assert_eq!(
            existing(&security, &file(ALL), false),
            Err(NtStatus::PRIVILEGE_NOT_HELD)
        );
        e = file(ALL);
        e.audits = true;
        assert_eq!(
            existing(&security, &e, false),
            granted(AccessMask::ACCESS_SYSTEM_SECURITY, ALL)
        );
    }

    #[test]
    fn the_directory_can_help() {
        let delete = fields(AccessMask::DELETE);
        let mut e = file(READ);
        assert_eq!(existing(&delete, &e, false), Ok(Verdict::AskParent));
        e.by_parent = Some(READ);
        assert_eq!(existing(&delete, &e, false), DENIED);
        e.by_parent = Some(AccessMask::FILE_DELETE_CHILD);
        let with = READ | AccessMask::DELETE;
        assert_eq!(
            existing(&delete, &e, false),
            granted(AccessMask::DELETE, with)
        );
        e.by_parent = None;
        e.root = true;
        assert_eq!(existing(&delete, &e, false), DENIED);
        // not for other rights
        let write = fields(AccessMask::DELETE | AccessMask::FILE_WRITE_DATA);
        assert_eq!(existing(&write, &file(READ), false), DENIED);
        // whoever wants the maximum, or to know it
        let maximum = fields(AccessMask::MAXIMUM_ALLOWED);
        assert_eq!(
            existing(&maximum, &file(READ), false),
            Ok(Verdict::AskParent)
        );
        assert_eq!(
            existing(&fields(READ), &file(READ), true),
            Ok(Verdict::AskParent)
        );
        assert_eq!(existing(&maximum, &file(ALL), false), granted(ALL, ALL));
    }

    #[test]
    fn read_only_files() {
        let mut e = file(ALL);
        e.attributes = FileAttributes::READONLY;
        assert_eq!(existing(&fields(ALL), &e, false), DENIED);
        let rest = ALL.difference(WRITES | AccessMask::FILE_DELETE_CHILD);
        let maximum = fields(AccessMask::MAXIMUM_ALLOWED);
        assert_eq!(existing(&maximum, &e, false), granted(rest, ALL));
        let delete = AccessMask::DELETE;
        assert_eq!(existing(&fields(delete), &e, false), granted(delete, ALL));
        let mut f = fields(delete);
        f.options = CreateOptions::DELETE_ON_CLOSE;
        assert_eq!(existing(&f, &e, false), Err(NtStatus::CANNOT_DELETE));
        e.attributes = FileAttributes::ARCHIVE;
        assert_eq!(existing(&f, &e, false), granted(delete, ALL));
        let mut f = fields(READ);
        f.disposition = CreateDisposition::OverwriteIf;
        e.attributes = FileAttributes::READONLY;
        assert_eq!(existing(&f, &e, false), DENIED);
        e.attributes = FileAttributes::ARCHIVE;
        assert_eq!(existing(&f, &e, false), granted(READ, ALL));
        e.by_descriptor = READ;
        assert_eq!(existing(&f, &e, false), DENIED);
        e.by_descriptor = ALL;
        e.tree = READ;
        assert_eq!(existing(&f, &e, false), DENIED);
        // the attribute means something else on a directory
        e.tree = ALL;
        e.attributes = FileAttributes::READONLY | FileAttributes::DIRECTORY;
        assert_eq!(existing(&fields(ALL), &e, false), granted(ALL, ALL));
    }

    #[test]
    fn creation() {
        let add = AccessMask::FILE_ADD_FILE;
        let sub = AccessMask::FILE_ADD_SUBDIRECTORY;
        let f = fields(ALL);
        assert_eq!(new(&f, add, ALL, false), Ok(ALL));
        assert_eq!(new(&f, sub, ALL, false), Err(NtStatus::ACCESS_DENIED));
        assert_eq!(new(&f, add, READ, false), Err(NtStatus::ACCESS_DENIED));
        let read = fields(READ);
        assert_eq!(new(&read, add, READ, false), Err(NtStatus::ACCESS_DENIED));
        assert_eq!(new(&read, add, READ | add, false), Ok(READ));
        let maximum = fields(AccessMask::MAXIMUM_ALLOWED);
        assert_eq!(new(&maximum, add, ALL, false), Ok(ALL));
        let mut d = fields(AccessMask::MAXIMUM_ALLOWED);
        d.options = CreateOptions::DIRECTORY_FILE;
        assert_eq!(new(&d, add, ALL, false), Err(NtStatus::ACCESS_DENIED));
        assert_eq!(new(&d, sub, ALL, false), Ok(ALL));
        d.options = CreateOptions::DELETE_ON_CLOSE;
        d.attributes = FileAttributes::READONLY;
        assert_eq!(new(&d, ALL, ALL, false), Err(NtStatus::CANNOT_DELETE));
    }
}
