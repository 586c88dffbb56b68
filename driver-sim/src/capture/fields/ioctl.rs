//! Buffers of IOCTL by their control code.

use bytes::Bytes;
use serde_json::{Value, json};
use smb_proto::fsctl::reparse::{ReparseDataBuffer, ReparsePoint};
use smb_proto::fsctl::*;
use smb_proto::msg::ioctl;

use super::{data, hex, parsed, rpc, unreadable, value};

/// What a client sends.
pub(super) fn input(r: &ioctl::Request) -> Value {
    let b = &r.input;
    if b.is_empty() {
        return Value::Null;
    }
    macro_rules! read {
        ($t:ident) => {
            parsed($t::parse(b), b)
        };
    }
    match r.ctl_code {
        FsctlCode::PIPE_TRANSCEIVE => rpc::pdus(b).unwrap_or_else(|| data(b)),
        FsctlCode::PIPE_WAIT => read!(PipeWait),
        FsctlCode::DFS_GET_REFERRALS => read!(DfsReferralRequest),
        FsctlCode::DFS_GET_REFERRALS_EX => read!(DfsReferralRequestEx),
        FsctlCode::VALIDATE_NEGOTIATE_INFO => read!(ValidateNegotiateRequest),
        FsctlCode::SRV_COPYCHUNK | FsctlCode::SRV_COPYCHUNK_WRITE => read!(SrvCopychunkCopy),
        FsctlCode::SRV_READ_HASH => read!(SrvReadHash),
        FsctlCode::LMR_REQUEST_RESILIENCY => read!(ResiliencyRequest),
        FsctlCode::SET_REPARSE_POINT | FsctlCode::DELETE_REPARSE_POINT => reparse(b),
        FsctlCode::SET_COMPRESSION => read!(CompressionState),
        FsctlCode::SET_SPARSE => read!(SetSparse),
        FsctlCode::SET_ZERO_DATA => read!(ZeroData),
        FsctlCode::QUERY_ALLOCATED_RANGES => read!(FileAllocatedRange),
        FsctlCode::DUPLICATE_EXTENTS_TO_FILE => read!(DuplicateExtents),
        FsctlCode::DUPLICATE_EXTENTS_TO_FILE_EX => read!(DuplicateExtentsEx),
        FsctlCode::SET_INTEGRITY_INFORMATION => read!(SetIntegrity),
        FsctlCode::SET_OBJECT_ID => read!(FileObjectId),
        FsctlCode::OFFLOAD_READ => read!(OffloadReadInput),
        FsctlCode::OFFLOAD_WRITE => read!(OffloadWriteInput),
        FsctlCode::FILE_LEVEL_TRIM => read!(FileLevelTrim),
        _ => json!(hex(b)),
    }
}

/// What a server answers.
pub(super) fn output(r: &ioctl::Response) -> Value {
    let b = &r.output;
    if b.is_empty() {
        return Value::Null;
    }
    macro_rules! read {
        ($t:ident) => {
            parsed($t::parse(b), b)
        };
    }
    match r.ctl_code {
        FsctlCode::PIPE_TRANSCEIVE => rpc::pdus(b).unwrap_or_else(|| data(b)),
        FsctlCode::VALIDATE_NEGOTIATE_INFO => read!(ValidateNegotiateResponse),
        FsctlCode::QUERY_NETWORK_INTERFACE_INFO => parsed(parse_interfaces(b), b),
        FsctlCode::SRV_REQUEST_RESUME_KEY => read!(SrvResumeKeyResponse),
        FsctlCode::SRV_COPYCHUNK | FsctlCode::SRV_COPYCHUNK_WRITE => read!(SrvCopychunkResponse),
        FsctlCode::SRV_ENUMERATE_SNAPSHOTS => read!(SrvSnapshotArray),
        FsctlCode::GET_REPARSE_POINT => reparse(b),
        FsctlCode::GET_COMPRESSION => read!(CompressionState),
        FsctlCode::QUERY_ALLOCATED_RANGES => parsed(parse_ranges(b), b),
        FsctlCode::GET_INTEGRITY_INFORMATION => read!(IntegrityInfo),
        FsctlCode::GET_OBJECT_ID | FsctlCode::CREATE_OR_GET_OBJECT_ID => read!(FileObjectId),
        FsctlCode::OFFLOAD_READ => read!(OffloadReadOutput),
        FsctlCode::OFFLOAD_WRITE => read!(OffloadWriteOutput),
        FsctlCode::FILE_LEVEL_TRIM => read!(FileLevelTrimOutput),
        _ => json!(hex(b)),
    }
}

fn reparse(b: &Bytes) -> Value {
    let buffer = match ReparseDataBuffer::parse(b) {
        Ok(buffer) => buffer,
        Err(e) => return unreadable(b, &e),
    };
    match ReparsePoint::parse(&buffer) {
        Ok(Some(point)) => value(&point),
        Ok(None) => value(&buffer),
        Err(e) => unreadable(b, &e),
    }
}
