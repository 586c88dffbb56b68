//! What requests mean for those who cache.

use smb_proto::create_ctx::{
    DurableReconnect, DurableReconnectV2, DurableRequestV2, Lease, LeaseState, Requested,
};
use smb_proto::dtyp::AccessMask;
use smb_proto::fsctl::{FsctlCode, ZeroData};
use smb_proto::id::{FileId, LeaseKey};
use smb_proto::info::file::{DispositionFlags, FileDispositionInformation};
use smb_proto::info::{FileInfoClass, InfoType};
use smb_proto::msg::create::CreateOptions;
use smb_proto::msg::lock::LockFlags;
use smb_proto::msg::{OplockLevel, Request, create, oplock_break, set_info};

use super::model::Deed;

/// An open with these rights alone only looks at a file.
const LOOKS: AccessMask = AccessMask::FILE_READ_ATTRIBUTES
    .union(AccessMask::FILE_WRITE_ATTRIBUTES)
    .union(AccessMask::SYNCHRONIZE)
    .union(AccessMask::READ_CONTROL);

/// What a CREATE asks for.
#[derive(Debug, Clone)]
pub(super) struct Create {
    pub(super) level: OplockLevel,
    pub(super) lease: Option<Lease>,
    pub(super) durable_v2: Option<DurableRequestV2>,
    pub(super) reconnect: Option<DurableReconnect>,
    pub(super) reconnect_v2: Option<DurableReconnectV2>,
    pub(super) app: bool,
    /// It certainly does more than look.
    pub(super) works: bool,
    pub(super) deletes: bool,
    pub(super) stream: String,
}

/// What a request is.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    Negotiate(smb_proto::Guid),
    Setup,
    Logoff,
    TreeDisconnect,
    Create(Box<Create>),
    Close(FileId),
    Deed(FileId, Deed),
    Resiliency(FileId),
    AckOplock(FileId, OplockLevel),
    AckLease(LeaseKey, LeaseState),
    Other,
}

fn create(r: &create::Request) -> Asked {
    let Ok(all) = Requested::from_raw(&r.contexts) else {
        return Asked::Other;
    };
    let access = r.desired_access.map_generic();
    let maximum = access.contains(AccessMask::MAXIMUM_ALLOWED);
    let stream = r.name.split_once(':').map_or("", |(_, stream)| stream);
    let stream = smb_engine::names::fold(stream);
    Asked::Create(Box::new(Create {
        level: r.requested_oplock_level,
        lease: all
            .lease
            .filter(|_| r.requested_oplock_level == OplockLevel::LEASE),
        durable_v2: all.durable_v2,
        reconnect: all.durable_reconnect,
        reconnect_v2: all.durable_reconnect_v2,
        app: all.app_instance_id.is_some(),
        works: !maximum && !LOOKS.contains(access),
        deletes: r.create_options.contains(CreateOptions::DELETE_ON_CLOSE),
        stream: stream.trim_end_matches(":$DATA").to_owned(),
    }))
}

fn set(r: &set_info::Request) -> Option<Deed> {
    if InfoType::from_code(r.info_type) != Some(InfoType::File) {
        return None;
    }
    match FileInfoClass::from_code(r.file_info_class)? {
        FileInfoClass::EndOfFile => Some(Deed::Data),
        FileInfoClass::Rename | FileInfoClass::RenameEx => Some(Deed::Name),
        FileInfoClass::Disposition => {
            let delete = FileDispositionInformation::parse(&r.buffer).ok()?;
            delete.delete_pending.then_some(Deed::Name)
        }
        FileInfoClass::DispositionEx => {
            let flags = r.buffer.first()?;
            let delete = DispositionFlags::from_bits_retain(u32::from(*flags));
            delete
                .contains(DispositionFlags::DELETE)
                .then_some(Deed::Name)
        }
        _ => None,
    }
}

fn deed(request: &Request) -> Option<(FileId, Deed)> {
    match request {
        Request::Write(r) if !r.data.is_empty() => Some((r.file_id, Deed::Data)),
        Request::SetInfo(r) => Some((r.file_id, set(r)?)),
        Request::Lock(r) => {
            let unlocks = r.locks.iter().any(|l| l.flags.contains(LockFlags::UNLOCK));
            // One with a sequence may be a repetition.
            let first = r.lock_sequence_index == 0 && r.lock_sequence_number == 0;
            (first && !unlocks && !r.locks.is_empty()).then_some((r.file_id, Deed::Data))
        }
        Request::Ioctl(r) if r.ctl_code == FsctlCode::SET_ZERO_DATA => {
            let zero = ZeroData::parse(&r.input).ok()?;
            (zero.file_offset < zero.beyond_final_zero).then_some((r.file_id, Deed::Data))
        }
        _ => None,
    }
}

pub(super) fn asked(request: &Request) -> Asked {
    match request {
        Request::Negotiate(r) => Asked::Negotiate(r.client_guid),
        Request::SessionSetup(_) => Asked::Setup,
        Request::Logoff(_) => Asked::Logoff,
        Request::TreeDisconnect(_) => Asked::TreeDisconnect,
        Request::Create(r) => create(r),
        Request::Close(r) => Asked::Close(r.file_id),
        Request::OplockBreak(oplock_break::Message::Oplock(ack)) => {
            Asked::AckOplock(ack.file_id, ack.oplock_level)
        }
        Request::OplockBreak(oplock_break::Message::LeaseAck(ack)) => {
            Asked::AckLease(ack.lease_key, ack.lease_state)
        }
        Request::Ioctl(r) if r.ctl_code == FsctlCode::LMR_REQUEST_RESILIENCY => {
            Asked::Resiliency(r.file_id)
        }
        _ => deed(request).map_or(Asked::Other, |(id, deed)| Asked::Deed(id, deed)),
    }
}
