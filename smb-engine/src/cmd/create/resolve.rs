//! What a CREATE asks for: checks of names and fields that need no file, in the order of
//! [MS-SMB2] 3.3.5.9 and [MS-FSA] 2.1.5.1.

use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::info::FileAttributes;
use smb_proto::msg::create::{
    CreateDisposition, CreateOptions, ImpersonationLevel, Request, ShareAccess,
};

/// Access bits that no request may have, [MS-FSA] 2.1.5.1.
const RESERVED_ACCESS: u32 = 0x0ce0_fe00;
/// Options that are not defined, [MS-SMB2] 3.3.5.9.
const RESERVED_OPTIONS: u32 = 0xff00_0000;
/// FILE_CREATE_TREE_CONNECTION, which no server supports.
const CREATE_TREE_CONNECTION: u32 = 0x0000_0080;
/// Attributes that a request may name, [MS-SMB2] 2.2.13.
const KNOWN_ATTRIBUTES: u32 = 0x0000_7fb7;
/// Attributes that are stored when something is created or overwritten.
const STORED_ATTRIBUTES: FileAttributes = FileAttributes::READONLY
    .union(FileAttributes::HIDDEN)
    .union(FileAttributes::SYSTEM)
    .union(FileAttributes::ARCHIVE)
    .union(FileAttributes::TEMPORARY)
    .union(FileAttributes::OFFLINE)
    .union(FileAttributes::NOT_CONTENT_INDEXED);

/// The fields of a request, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fields {
    /// DesiredAccess, generic rights mapped, without MAXIMUM_ALLOWED.
    pub(super) desired: AccessMask,
    /// MAXIMUM_ALLOWED was set.
    pub(super) maximum: bool,
    pub(super) disposition: CreateDisposition,
    pub(super) options: CreateOptions,
    pub(super) share: ShareAccess,
    /// Attributes to store.
    pub(super) attributes: FileAttributes,
}

impl Fields {
    /// Checks everything but the name and the contexts.
    pub(super) fn check(r: &Request) -> Result<Self, NtStatus> {
        const INVALID: NtStatus = NtStatus::INVALID_PARAMETER;
        if r.impersonation_level > ImpersonationLevel::DELEGATE {
            return Err(NtStatus::BAD_IMPERSONATION_LEVEL);
        }
        let raw = r.desired_access;
        if raw.is_empty() || raw.bits() & RESERVED_ACCESS != 0 {
            return Err(NtStatus::ACCESS_DENIED);
        }
        let disposition = r.disposition().ok_or(INVALID)?;
        let options = r.create_options;
        if options.bits() & RESERVED_OPTIONS != 0
            || r.share_access.bits() & !7 != 0
            || r.file_attributes.bits() & !KNOWN_ATTRIBUTES != 0
        {
            return Err(INVALID);
        }
        let unsupported =
            CreateOptions::OPEN_BY_FILE_ID.bits() | CreateOptions::RESERVE_OPFILTER.bits();
        if options.bits() & (unsupported | CREATE_TREE_CONNECTION) != 0 {
            return Err(NtStatus::NOT_SUPPORTED);
        }
        let maximum = raw.contains(AccessMask::MAXIMUM_ALLOWED);
        let desired = raw.map_generic().difference(AccessMask::MAXIMUM_ALLOWED);
        let directory = options.contains(CreateOptions::DIRECTORY_FILE);
        let destroys = matches!(
            disposition,
            CreateDisposition::Supersede
                | CreateDisposition::Overwrite
                | CreateDisposition::OverwriteIf
        );
        if directory
            && (destroys
                || options.contains(CreateOptions::NON_DIRECTORY_FILE)
                || r.file_attributes.contains(FileAttributes::TEMPORARY))
        {
            return Err(INVALID);
        }
        if options.contains(CreateOptions::DELETE_ON_CLOSE)
            && !maximum
            && !desired.contains(AccessMask::DELETE)
        {
            return Err(INVALID);
        }
        // There is no encrypting file system here, and nothing may pretend to be one.
        if disposition != CreateDisposition::Open
            && r.file_attributes.contains(FileAttributes::ENCRYPTED)
        {
            return Err(NtStatus::ACCESS_DENIED);
        }
        Ok(Self {
            desired,
            maximum,
            disposition,
            options,
            share: r.share_access,
            attributes: r.file_attributes & STORED_ATTRIBUTES,
        })
    }

    /// A directory is asked for.
    pub(super) fn directory(&self) -> bool {
        self.options.contains(CreateOptions::DIRECTORY_FILE)
    }

    /// FILE_DELETE_ON_CLOSE.
    pub(super) fn delete_on_close(&self) -> bool {
        self.options.contains(CreateOptions::DELETE_ON_CLOSE)
    }

    /// Rights that the disposition needs on an existing file beside what is asked for: superseding
    /// deletes a file and makes a new one in its place, overwriting writes.
    pub(super) fn implied(&self) -> AccessMask {
        match self.disposition {
            CreateDisposition::Supersede => AccessMask::DELETE | AccessMask::FILE_WRITE_DATA,
            CreateDisposition::Overwrite | CreateDisposition::OverwriteIf => {
                AccessMask::FILE_WRITE_DATA
            }
            CreateDisposition::Open | CreateDisposition::Create | CreateDisposition::OpenIf => {
                AccessMask::empty()
            }
        }
    }

    /// Something that does not exist is created.
    pub(super) fn creates(&self) -> bool {
        match self.disposition {
            CreateDisposition::Supersede
            | CreateDisposition::Create
            | CreateDisposition::OpenIf
            | CreateDisposition::OverwriteIf => true,
            CreateDisposition::Open | CreateDisposition::Overwrite => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smb_proto::msg::OplockLevel;

    fn request() -> Request {
        Request {
            requested_oplock_level: OplockLevel::NONE,
            impersonation_level: ImpersonationLevel::IMPERSONATION,
            desired_access: AccessMask::FILE_GENERIC_READ,
            file_attributes: FileAttributes::NORMAL,
            share_access: ShareAccess::READ,
            create_disposition: CreateDisposition::OpenIf.into(),
            create_options: CreateOptions::empty(),
            name: String::new(),
            contexts: Vec::new(),
        }
    }

    fn status(change: impl FnOnce(&mut Request)) -> NtStatus {
        let mut r = request();
        change(&mut r);
        match Fields::check(&r) {
            Ok(_) => NtStatus::SUCCESS,
            Err(status) => status,
        }
    }

    /// Which single bits of the options, attributes and access are taken, as Windows takes them.
    #[test]
    fn single_bits() {
        let mask = |f: &dyn Fn(u32) -> NtStatus, wanted: NtStatus| {
            (0..32)
                .filter(|i| f(1 << i) == wanted)
                .fold(0u32, |m, i| m | 1 << i)
        };
        let option = |bit| {
            status(|r| {
                r.desired_access = AccessMask::MAXIMUM_ALLOWED;
                r.create_options = CreateOptions::from_bits_retain(bit);
            })
        };
        assert_eq!(mask(&option, NtStatus::NOT_SUPPORTED), 0x0010_2080);
        assert_eq!(mask(&option, NtStatus::INVALID_PARAMETER), 0xff00_0000);
        assert_eq!(mask(&option, NtStatus::SUCCESS), 0x00ef_df7f);
        let attribute = |bit| status(|r| r.file_attributes = FileAttributes::from_bits_retain(bit));
        assert_eq!(mask(&attribute, NtStatus::SUCCESS), 0x0000_3fb7);
        assert_eq!(mask(&attribute, NtStatus::INVALID_PARAMETER), 0xffff_8048);
        let access = |bit| status(|r| r.desired_access = AccessMask::from_bits_retain(bit));
        assert_eq!(mask(&access, NtStatus::ACCESS_DENIED), 0x0ce0_fe00);
    }

    #[test]
    fn combinations() {
        use CreateDisposition as D;
        const INVALID: NtStatus = NtStatus::INVALID_PARAMETER;
        assert_eq!(
            status(|r| r.impersonation_level = ImpersonationLevel(4)),
            NtStatus::BAD_IMPERSONATION_LEVEL
        );
        assert_eq!(status(|r| r.create_disposition = 6), INVALID);
        assert_eq!(
            status(|r| r.share_access = ShareAccess::from_bits_retain(8)),
            INVALID
        );
        assert_eq!(
            status(|r| r.desired_access = AccessMask::empty()),
            NtStatus::ACCESS_DENIED
        );
        for d in D::ALL {
            let expected = match d {
                D::Supersede | D::Overwrite | D::OverwriteIf => INVALID,
                D::Open | D::Create | D::OpenIf => NtStatus::SUCCESS,
            };
            let got = status(|r| {
                r.create_disposition = d.into();
                r.create_options = CreateOptions::DIRECTORY_FILE;
            });
            assert_eq!(got, expected, "{d:?}");
        }
        assert_eq!(
            status(|r| {
                r.create_options =
                    CreateOptions::DIRECTORY_FILE | CreateOptions::NON_DIRECTORY_FILE;
            }),
            INVALID
        );
        assert_eq!(
            status(|r| {
                r.create_options = CreateOptions::DIRECTORY_FILE;
                r.file_attributes = FileAttributes::TEMPORARY;
            }),
            INVALID
        );
        for (access, expected) in [
            (AccessMask::FILE_GENERIC_READ, INVALID),
            (AccessMask::DELETE, NtStatus::SUCCESS),
            (AccessMask::GENERIC_ALL, NtStatus::SUCCESS),
            (AccessMask::MAXIMUM_ALLOWED, NtStatus::SUCCESS),
        ] {
            let got = status(|r| {
                r.create_options = CreateOptions::DELETE_ON_CLOSE;
                r.desired_access = access;
            });
            assert_eq!(got, expected, "{access:?}");
        }
    }
}
