//! Buffers of QUERY_INFO, SET_INFO and QUERY_DIRECTORY by their class.

use bytes::Bytes;
use serde_json::{Value, json};
use smb_proto::dtyp::SecurityDescriptor;
use smb_proto::info::dir::{DirClass, parse_list};
use smb_proto::info::file::*;
use smb_proto::info::fs::*;
use smb_proto::info::quota::{FileQuotaInformation, QueryQuotaInfo};
use smb_proto::info::{FileInfoClass, FsInfoClass, InfoType};
use smb_proto::msg::query_info;

use super::{hex, parsed, put, value};

/// The name of a class of information about files.
pub(super) fn file_class(code: u8) -> Value {
    match FileInfoClass::from_code(code) {
        Some(class) => json!(class.name()),
        None => json!(code),
    }
}

/// Puts names in the place of the numbers of a class.
pub(super) fn class(v: &mut Value, info_type: u8, code: u8) {
    let name = match InfoType::from_code(info_type) {
        Some(known) => {
            put(v, "info_type", json!(known.name()));
            match known {
                InfoType::File => file_class(code),
                InfoType::FileSystem => match FsInfoClass::from_code(code) {
                    Some(class) => json!(class.name()),
                    None => json!(code),
                },
                InfoType::Security | InfoType::Quota => json!(code),
            }
        }
        None => json!(code),
    };
    put(v, "file_info_class", name);
}

/// The input of a QUERY_INFO: names of attributes, or which quotas.
pub(super) fn question(r: &query_info::Request) -> Value {
    if r.input.is_empty() {
        return Value::Null;
    }
    match InfoType::from_code(r.info_type) {
        Some(InfoType::Quota) => parsed(QueryQuotaInfo::parse(&r.input), &r.input),
        Some(InfoType::File) if r.file_info_class == FileInfoClass::FullEa.code() => {
            match FileGetEaInformation::parse_list(&r.input) {
                Ok(list) => list.iter().map(|ea| json!(text(&ea.name))).collect(),
                Err(e) => super::unreadable(&r.input, &e),
            }
        }
        Some(InfoType::File | InfoType::FileSystem | InfoType::Security) | None => {
            json!(hex(&r.input))
        }
    }
}

/// Names of extended attributes are ASCII.
fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// A list of extended attributes.
pub(super) fn eas(buffer: &Bytes) -> Value {
    match FileFullEaInformation::parse_list(buffer) {
        Ok(list) => list
            .iter()
            .map(|ea| {
                json!({
                    "name": text(&ea.name),
                    "flags": value(&ea.flags),
                    "value": hex(&ea.value),
                })
            })
            .collect(),
        Err(e) => super::unreadable(buffer, &e),
    }
}

/// A security descriptor, whose access control lists are read as well.
pub(super) fn descriptor(buffer: &[u8]) -> Value {
    parsed(SecurityDescriptor::parse(buffer), buffer)
}

/// A directory listing.
pub(super) fn listing(class: u8, buffer: &[u8]) -> Value {
    match DirClass::from_code(class) {
        Some(class) => parsed(parse_list(class, buffer), buffer),
        None => json!(hex(buffer)),
    }
}

/// Information of any class, as it is answered and as it is set.
pub(super) fn content(info_type: u8, class: u8, buffer: &Bytes) -> Value {
    match InfoType::from_code(info_type) {
        Some(InfoType::File) => match FileInfoClass::from_code(class) {
            Some(class) => file(class, buffer),
            None => json!(hex(buffer)),
        },
        Some(InfoType::FileSystem) => match FsInfoClass::from_code(class) {
            Some(class) => file_system(class, buffer),
            None => json!(hex(buffer)),
        },
        Some(InfoType::Security) => descriptor(buffer),
        Some(InfoType::Quota) => parsed(FileQuotaInformation::parse_list(buffer), buffer),
        None => json!(hex(buffer)),
    }
}

fn file(class: FileInfoClass, b: &Bytes) -> Value {
    use FileInfoClass as C;
    macro_rules! read {
        ($t:ident) => {
            parsed($t::parse(b), b)
        };
    }
    match class {
        C::Basic => read!(FileBasicInformation),
        C::Standard => read!(FileStandardInformation),
        C::Internal => read!(FileInternalInformation),
        C::Ea => read!(FileEaInformation),
        C::Access => read!(FileAccessInformation),
        C::Name | C::AlternateName | C::NormalizedName => read!(FileNameInformation),
        C::Rename => read!(FileRenameInformation),
        C::RenameEx => read!(FileRenameInformationEx),
        C::Link => read!(FileLinkInformation),
        C::LinkEx => read!(FileLinkInformationEx),
        C::Disposition => read!(FileDispositionInformation),
        C::DispositionEx => read!(FileDispositionInformationEx),
        C::Position => read!(FilePositionInformation),
        C::FullEa => eas(b),
        C::Mode => read!(FileModeInformation),
        C::Alignment => read!(FileAlignmentInformation),
        C::All => read!(FileAllInformation),
        C::Allocation => read!(FileAllocationInformation),
        C::EndOfFile => read!(FileEndOfFileInformation),
        C::Stream => parsed(FileStreamInformation::parse_list(b), b),
        C::Pipe => read!(FilePipeInformation),
        C::PipeLocal => read!(FilePipeLocalInformation),
        C::PipeRemote => read!(FilePipeRemoteInformation),
        C::Compression => read!(FileCompressionInformation),
        C::ObjectId => read!(FileObjectIdInformation),
        C::ReparsePoint => read!(FileReparsePointInformation),
        C::NetworkOpen => read!(FileNetworkOpenInformation),
        C::AttributeTag => read!(FileAttributeTagInformation),
        C::ValidDataLength => read!(FileValidDataLengthInformation),
        C::ShortName => read!(FileShortNameInformation),
        C::HardLink => read!(FileHardLinkInformation),
        C::StandardLink => read!(FileStandardLinkInformation),
        C::RemoteProtocol => read!(FileRemoteProtocolInformation),
        C::Id => read!(FileIdInformation),
        C::Stat => read!(FileStatInformation),
        C::StatLx => read!(FileStatLxInformation),
        C::CaseSensitive => read!(FileCaseSensitiveInformation),
        C::Posix => read!(FilePosixInformation),
        // Listings are asked for with QUERY_DIRECTORY; the others have no structure here.
        C::Directory
        | C::FullDirectory
        | C::BothDirectory
        | C::Names
        | C::IdBothDirectory
        | C::IdFullDirectory
        | C::IdGlobalTxDirectory
        | C::IdExtdDirectory
        | C::IdExtdBothDirectory
        | C::Id64ExtdDirectory
        | C::Id64ExtdBothDirectory
        | C::IdAllExtdDirectory
        | C::IdAllExtdBothDirectory
        | C::MailslotQuery
        | C::MailslotSet
        | C::Completion
        | C::MoveCluster
        | C::Quota
        | C::Tracking
        | C::SfioReserve
        | C::SfioVolume => json!(hex(b)),
    }
}

fn file_system(class: FsInfoClass, b: &Bytes) -> Value {
    use FsInfoClass as C;
    macro_rules! read {
        ($t:ident) => {
            parsed($t::parse(b), b)
        };
    }
    match class {
        C::Volume => read!(FileFsVolumeInformation),
        C::Label => read!(FileFsLabelInformation),
        C::Size => read!(FileFsSizeInformation),
        C::Device => read!(FileFsDeviceInformation),
        C::Attribute => read!(FileFsAttributeInformation),
        C::Control => read!(FileFsControlInformation),
        C::FullSize => read!(FileFsFullSizeInformation),
        C::ObjectId => read!(FileFsObjectIdInformation),
        C::DriverPath => read!(FileFsDriverPathInformation),
        C::SectorSize => read!(FileFsSectorSizeInformation),
        C::Posix => read!(FileFsPosixInformation),
        C::VolumeFlags => json!(hex(b)),
    }
}
