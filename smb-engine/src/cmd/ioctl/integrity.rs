//! FSCTL_GET_INTEGRITY_INFORMATION and FSCTL_SET_INTEGRITY_INFORMATION, [MS-FSCC] 2.3, [MS-FSA]
//! 2.1.5.10: checksums of the content, which a file system that shares blocks may keep. Clients ask
//! before they clone, because both files must have the same state.

use smb_proto::NtStatus;
use smb_proto::fsctl::{ChecksumAlgorithm, IntegrityFlags, IntegrityInfo, SetIntegrity};

use super::{At, Call, INVALID_PARAMETER, encoded, need_capability};
use crate::cmd::{CmdResult, Cx, WRONG_REPLY};
use crate::core::Wake;
use crate::status::Refusal;
use crate::vfs::{Capabilities, VfsOp, VfsReply};

/// Bytes of FSCTL_GET_INTEGRITY_INFORMATION_BUFFER.
const ANSWER: usize = 16;

/// No file has checksums that a client could rely on; the unit of allocation is the volume's.
pub(super) fn get(cx: &mut Cx<'_>, call: Call) -> CmdResult {
    need_capability(cx, Capabilities::REFLINK)?;
    if call.max_output < ANSWER {
        return Err(INVALID_PARAMETER);
    }
    let handle = cx.file_open()?.handle;
    cx.ask_vfs(VfsOp::Volume { handle })?;
    Ok(call.wait(At::Integrity))
}

/// The volume is known.
pub(super) fn resume(call: Call, wake: Wake) -> CmdResult {
    let VfsReply::Volume(volume) = wake.vfs()? else {
        return Err(WRONG_REPLY);
    };
    let cluster_size = volume.sector.saturating_mul(volume.sectors_per_unit);
    let info = IntegrityInfo {
        checksum_algorithm: ChecksumAlgorithm::NONE,
        flags: IntegrityFlags::empty(),
        checksum_chunk_size: cluster_size,
        cluster_size,
    };
    Ok(call.reply(encoded(|w| info.encode(w))))
}

/// Checksums can be left off, and that is all.
pub(super) fn set(cx: &Cx<'_>, call: Call, input: &[u8]) -> CmdResult {
    need_capability(cx, Capabilities::REFLINK)?;
    cx.file_open()?;
    let asked = SetIntegrity::parse(input).map_err(|_| INVALID_PARAMETER)?;
    match asked.checksum_algorithm {
        ChecksumAlgorithm::NONE | ChecksumAlgorithm::UNCHANGED => Ok(call.done()),
        ChecksumAlgorithm::CRC32 | ChecksumAlgorithm::CRC64 => {
            Err(Refusal(NtStatus::NOT_SUPPORTED))
        }
        _ => Err(INVALID_PARAMETER),
    }
}
