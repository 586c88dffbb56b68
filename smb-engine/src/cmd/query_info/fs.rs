//! Information about the volume, [MS-SMB2] 3.3.5.20.2, [MS-FSA] 2.1.5.13.

use bytes::BytesMut;
use smb_proto::info::fs::{
    DeviceCharacteristics, DeviceType, FileFsAttributeInformation, FileFsControlInformation,
    FileFsDeviceInformation, FileFsFullSizeInformation, FileFsObjectIdInformation,
    FileFsSectorSizeInformation, FileFsSizeInformation, FileFsVolumeInformation, FsAttributes,
    FsControlFlags, SectorFlags,
};
use smb_proto::info::{FsInfoClass, QueryLen};
use smb_proto::msg::query_info;
use smb_proto::wire::Writer;
use smb_proto::{Guid, NtStatus};

use super::super::{CmdResult, Cx, WRONG_REPLY};
use super::{answer, length_mismatch, room, waits};
use crate::config::Share;
use crate::core::{OpenKind, Wake};
use crate::status::Refusal;
use crate::vfs::{Capabilities, VfsOp, VfsReply, VolumeInfo};

/// What was asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct State {
    class: FsInfoClass,
    room: usize,
}

pub(super) fn start(cx: &mut Cx<'_>, request: &query_info::Request) -> CmdResult {
    use FsInfoClass as C;
    let (handle, volume) = match &cx.open()?.1.kind {
        OpenKind::File(f) => (Some(f.handle), f.node.volume),
        OpenKind::Quota(_) => (None, 0),
        // A pipe lies on no volume.
        OpenKind::Pipe(_) => return Err(Refusal(NtStatus::INVALID_DEVICE_REQUEST)),
    };
    let class =
        C::from_code(request.file_info_class).ok_or(Refusal(NtStatus::INVALID_INFO_CLASS))?;
    let state = State {
        class,
        room: room(request),
    };
    match class {
        C::Label | C::DriverPath => return Err(Refusal(NtStatus::NOT_SUPPORTED)),
        // [MS-FSCC] does not know the one, and POSIX extensions are not negotiated.
        C::VolumeFlags | C::Posix => return Err(Refusal(NtStatus::INVALID_INFO_CLASS)),
        C::Volume
        | C::Size
        | C::Device
        | C::Attribute
        | C::Control
        | C::FullSize
        | C::ObjectId
        | C::SectorSize => {}
    }
    if state.room < class.query_len().map_or(0, QueryLen::min) {
        return Ok(length_mismatch(cx));
    }
    match class {
        C::Volume | C::Size | C::FullSize | C::SectorSize => {
            let handle = handle.ok_or(Refusal(NtStatus::INVALID_DEVICE_REQUEST))?;
            cx.ask_vfs(VfsOp::Volume { handle })?;
            Ok(waits(super::State::Fs(state)))
        }
        C::ObjectId if handle.is_none() => Err(Refusal(NtStatus::INVALID_DEVICE_REQUEST)),
        C::Device | C::Attribute | C::Control | C::ObjectId => {
            let (_, tree) = cx.tree()?;
            let share = tree.disk().ok_or(WRONG_REPLY)?.clone();
            let bytes = of_share(class, &share, cx.core.config.server_guid, volume)?;
            finish(cx, state, bytes)
        }
        C::Label | C::DriverPath | C::VolumeFlags | C::Posix => Err(WRONG_REPLY),
    }
}

pub(super) fn resume(cx: &Cx<'_>, state: State, wake: Wake) -> CmdResult {
    match wake.vfs()? {
        VfsReply::Volume(volume) => {
            let can = cx.tree()?.1.disk().ok_or(WRONG_REPLY)?.capabilities;
            let bytes = of_volume(state.class, &volume, can)?;
            finish(cx, state, bytes)
        }
        _ => Err(WRONG_REPLY),
    }
}

fn finish(cx: &Cx<'_>, state: State, bytes: BytesMut) -> CmdResult {
    let len = state.class.query_len().ok_or(WRONG_REPLY)?;
    Ok(answer(cx, bytes, len, state.room))
}

/// FileSystemAttributes for what a backend can do.
fn attributes(can: Capabilities) -> FsAttributes {
    let mut out = FsAttributes::UNICODE_ON_DISK | FsAttributes::SUPPORTS_POSIX_UNLINK_RENAME;
    for (ability, flag) in [
        (Capabilities::STREAMS, FsAttributes::NAMED_STREAMS),
        (
            Capabilities::EAS,
            FsAttributes::SUPPORTS_EXTENDED_ATTRIBUTES,
        ),
        (Capabilities::SECURITY, FsAttributes::PERSISTENT_ACLS),
        (Capabilities::SPARSE, FsAttributes::SUPPORTS_SPARSE_FILES),
        (
            Capabilities::REFLINK,
            FsAttributes::SUPPORTS_BLOCK_REFCOUNTING,
        ),
        (Capabilities::HARD_LINKS, FsAttributes::SUPPORTS_HARD_LINKS),
        (Capabilities::REPARSE, FsAttributes::SUPPORTS_REPARSE_POINTS),
        // NTFS has both flags, whose names keep their case and are looked for without regard to it
        // all the same ([MS-FSCC] 2.5.1).
        (
            Capabilities::CASE_PRESERVING,
            FsAttributes::CASE_PRESERVED_NAMES | FsAttributes::CASE_SENSITIVE_SEARCH,
        ),
        (
            Capabilities::OPEN_BY_ID,
            FsAttributes::SUPPORTS_OPEN_BY_FILE_ID,
        ),
        (Capabilities::READ_ONLY, FsAttributes::READ_ONLY_VOLUME),
        (Capabilities::COMPRESSION, FsAttributes::FILE_COMPRESSION),
        (Capabilities::QUOTAS, FsAttributes::VOLUME_QUOTAS),
        (Capabilities::OBJECT_IDS, FsAttributes::SUPPORTS_OBJECT_IDS),
    ] {
        out.set(flag, can.contains(ability));
    }
    out
}

/// A number for the volume that stays the same: the server's GUID mixed with the volume's number.
fn object_id(server: Guid, volume: u64) -> Guid {
    let mut bytes = server.to_bytes();
    bytes
        .iter_mut()
        .zip(volume.to_le_bytes())
        .for_each(|(b, v)| *b ^= v);
    Guid::from_bytes(bytes)
}

fn of_share(
    class: FsInfoClass,
    share: &Share,
    server: Guid,
    volume: u64,
) -> Result<BytesMut, Refusal> {
    use FsInfoClass as C;
    let mut w = Writer::new();
    match class {
        C::Device => {
            let mut characteristics = DeviceCharacteristics::DEVICE_IS_MOUNTED;
            characteristics.set(
                DeviceCharacteristics::READ_ONLY_DEVICE,
                share.capabilities.contains(Capabilities::READ_ONLY),
            );
            FileFsDeviceInformation {
                device_type: DeviceType::DISK,
                characteristics,
            }
            .encode(&mut w);
        }
        C::Attribute => FileFsAttributeInformation {
            attributes: attributes(share.capabilities),
            maximum_component_name_length: share.max_name,
            file_system_name: share.file_system.clone(),
        }
        .encode(&mut w),
        // Who has no quota is not limited, and without quotas nobody is.
        C::Control => FileFsControlInformation {
            default_quota_threshold: u64::MAX,
            default_quota_limit: u64::MAX,
            flags: if share.capabilities.contains(Capabilities::QUOTAS) {
                FsControlFlags::QUOTA_TRACK | FsControlFlags::QUOTA_ENFORCE
            } else {
                FsControlFlags::empty()
            },
            ..FileFsControlInformation::default()
        }
        .encode(&mut w),
        C::ObjectId => FileFsObjectIdInformation {
            object_id: object_id(server, volume),
            extended_info: [0; 48],
        }
        .encode(&mut w),
        C::Volume
        | C::Label
        | C::Size
        | C::FullSize
        | C::DriverPath
        | C::VolumeFlags
        | C::SectorSize
        | C::Posix => return Err(WRONG_REPLY),
    }
    Ok(w.into_inner())
}

fn of_volume(class: FsInfoClass, v: &VolumeInfo, can: Capabilities) -> Result<BytesMut, Refusal> {
    use FsInfoClass as C;
    let mut w = Writer::new();
    match class {
        C::Volume => FileFsVolumeInformation {
            creation_time: v.creation,
            serial_number: v.serial,
            supports_objects: can.contains(Capabilities::OBJECT_IDS),
            label: v.label.clone(),
        }
        .encode(&mut w),
        C::Size => FileFsSizeInformation {
            total_allocation_units: v.total_units,
            available_allocation_units: v.available_units,
            sectors_per_allocation_unit: v.sectors_per_unit,
            bytes_per_sector: v.sector,
        }
        .encode(&mut w),
        C::FullSize => FileFsFullSizeInformation {
            total_allocation_units: v.total_units,
            caller_available_allocation_units: v.available_units,
            actual_available_allocation_units: v.free_units,
            sectors_per_allocation_unit: v.sectors_per_unit,
            bytes_per_sector: v.sector,
        }
        .encode(&mut w),
        C::SectorSize => {
            let unit = v.sector.saturating_mul(v.sectors_per_unit);
            let mut flags = SectorFlags::ALIGNED_DEVICE | SectorFlags::PARTITION_ALIGNED_ON_DEVICE;
            flags.set(SectorFlags::TRIM_ENABLED, can.contains(Capabilities::TRIM));
            FileFsSectorSizeInformation {
                logical_bytes_per_sector: v.sector,
                physical_bytes_per_sector_for_atomicity: v.sector,
                physical_bytes_per_sector_for_performance: unit,
                effective_physical_bytes_per_sector_for_atomicity: v.sector,
                flags,
                byte_offset_for_sector_alignment: 0,
                byte_offset_for_partition_alignment: 0,
            }
            .encode(&mut w);
        }
        C::Label
        | C::Device
        | C::Attribute
        | C::Control
        | C::ObjectId
        | C::DriverPath
        | C::VolumeFlags
        | C::Posix => return Err(WRONG_REPLY),
    }
    Ok(w.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abilities_become_flags() {
        let always = FsAttributes::UNICODE_ON_DISK | FsAttributes::SUPPORTS_POSIX_UNLINK_RENAME;
        assert_eq!(attributes(Capabilities::empty()), always);
        assert_eq!(
            attributes(Capabilities::STREAMS | Capabilities::CASE_PRESERVING),
            always
                | FsAttributes::NAMED_STREAMS
                | FsAttributes::CASE_PRESERVED_NAMES
                | FsAttributes::CASE_SENSITIVE_SEARCH
        );
    }

    #[test]
    fn object_ids_differ_by_server_and_volume() {
        let (a, b) = (Guid::from_bytes([1; 16]), Guid::from_bytes([2; 16]));
        assert_eq!(object_id(a, 7), object_id(a, 7));
        assert_ne!(object_id(a, 7), object_id(a, 8));
        assert_ne!(object_id(a, 7), object_id(b, 7));
    }

    #[test]
    fn sizes_are_those_of_the_classes() {
        let v = VolumeInfo {
            creation: smb_proto::FileTime(1),
            serial: 2,
            label: "L".to_owned(),
            sector: 512,
            sectors_per_unit: 8,
            total_units: 100,
            available_units: 40,
            free_units: 50,
        };
        for class in [
            FsInfoClass::Size,
            FsInfoClass::FullSize,
            FsInfoClass::SectorSize,
        ] {
            assert_eq!(
                class.query_len(),
                Some(QueryLen::Fixed(
                    of_volume(class, &v, Capabilities::all()).unwrap().len()
                ))
            );
        }
        let full = FileFsFullSizeInformation::parse(
            &of_volume(FsInfoClass::FullSize, &v, Capabilities::all()).unwrap(),
        )
        .unwrap();
        assert_eq!(
            (
                full.caller_available_allocation_units,
                full.actual_available_allocation_units
            ),
            (40, 50)
        );
    }
}
