//! Opening the file in which NTFS keeps the quotas of a volume, by which programs of Windows and
//! smbcquotas ask for them and set them ([MS-FSA] 2.1.5.21: a quota stream). There is no such file
//! here: everything else that files have is missing.

use std::sync::Arc;

use smb_proto::NtStatus;
use smb_proto::dtyp::{AccessMask, FileTime};
use smb_proto::id::FileId;
use smb_proto::info::FileAttributes;
use smb_proto::msg::OplockLevel;
use smb_proto::msg::create::{CreateAction, CreateDisposition, Response, ResponseFlags};

use super::resolve::Fields;
use super::{CmdResult, Cx, commit, done, has_room};
use crate::config::BackendId;
use crate::core::sequence::Sequence;
use crate::core::{Open, OpenKind, QuotaOpen};
use crate::identity::Identity;
use crate::names::same_name;
use crate::status::Refusal;

const NAME: &str = "$Extend\\$Quota:$Q:$INDEX_ALLOCATION";
const ALL: AccessMask = AccessMask::FILE_GENERIC_READ.union(AccessMask::FILE_GENERIC_WRITE);

/// Whether a CREATE names it.
pub(super) fn is_meant(name: &str) -> bool {
    same_name(name, NAME)
}

/// Opens it for an administrator.
pub(super) fn open(
    cx: &mut Cx<'_>,
    fields: &Fields,
    backend: BackendId,
    by: Arc<Identity>,
    tree_access: AccessMask,
) -> CmdResult {
    let limit = ALL & tree_access;
    if !by.is_administrator() || !limit.contains(fields.desired) || fields.delete_on_close() {
        return Err(Refusal(NtStatus::ACCESS_DENIED));
    }
    match fields.disposition {
        CreateDisposition::Open | CreateDisposition::OpenIf => {}
        CreateDisposition::Create => return Err(Refusal(NtStatus::OBJECT_NAME_COLLISION)),
        CreateDisposition::Supersede
        | CreateDisposition::Overwrite
        | CreateDisposition::OverwriteIf => return Err(Refusal(NtStatus::ACCESS_DENIED)),
    }
    has_room(cx.core)?;
    let granted = if fields.maximum {
        limit
    } else {
        fields.desired
    };
    let (session, tree) = (cx.session()?.0, cx.tree()?.0);
    let persistent = cx.core.next_persistent_id;
    cx.core.next_persistent_id = persistent.wrapping_add(1);
    let sequence = cx.header()?.channel_sequence();
    let id = cx.core.opens.insert(Open {
        file_id: FileId {
            persistent,
            volatile: 0,
        },
        session,
        tree,
        granted,
        kind: OpenKind::Quota(QuotaOpen {
            backend,
            by,
            walk: None,
        }),
        running: 1,
        closing: false,
        disconnected: false,
        sequence: Sequence::new(sequence),
        closer: None,
    });
    commit::own(cx, id)?;
    let file_id = cx.open()?.1.file_id;
    done(Response {
        oplock_level: OplockLevel::NONE,
        flags: ResponseFlags::empty(),
        create_action: CreateAction::OPENED,
        creation_time: FileTime::ZERO,
        last_access_time: FileTime::ZERO,
        last_write_time: FileTime::ZERO,
        change_time: FileTime::ZERO,
        allocation_size: 0,
        end_of_file: 0,
        file_attributes: FileAttributes::HIDDEN
            | FileAttributes::SYSTEM
            | FileAttributes::DIRECTORY
            | FileAttributes::ARCHIVE,
        file_id,
        contexts: Vec::new(),
    })
}
