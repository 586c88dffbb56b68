//! What belongs to the open rather than to the file: [MS-FSA] 2.1.5.15.9 (mode), 2.1.5.15.10
//! (position); and pipes.

use smb_proto::NtStatus;
use smb_proto::info::FileInfoClass;
use smb_proto::info::file::{
    FileMode, FileModeInformation, FilePipeInformation, FilePositionInformation,
};
use smb_proto::msg::create::CreateOptions;

use super::super::{CmdResult, Cx};
use super::{done, malformed};
use crate::status::Refusal;

/// FilePositionInformation.
pub(super) fn position(cx: &mut Cx<'_>, input: &[u8]) -> CmdResult {
    let info = FilePositionInformation::parse(input).map_err(malformed)?;
    cx.file_open_mut()?.position = u64::try_from(info.current_byte_offset)
        .map_err(|_| Refusal(NtStatus::INVALID_PARAMETER))?;
    Ok(done())
}

/// The modes that can be changed.
const CHANGEABLE: FileMode = FileMode::WRITE_THROUGH
    .union(FileMode::SEQUENTIAL_ONLY)
    .union(FileMode::SYNCHRONOUS_IO_ALERT)
    .union(FileMode::SYNCHRONOUS_IO_NONALERT);
const SYNCHRONOUS: FileMode =
    FileMode::SYNCHRONOUS_IO_ALERT.union(FileMode::SYNCHRONOUS_IO_NONALERT);

/// FileModeInformation.
pub(super) fn mode(cx: &mut Cx<'_>, input: &[u8]) -> CmdResult {
    let info = FileModeInformation::parse(input).map_err(malformed)?;
    let file = cx.file_open_mut()?;
    let now = FileMode::from_bits_retain(file.options.bits());
    if !may_become(now, info.mode) {
        return Err(Refusal(NtStatus::INVALID_PARAMETER));
    }
    let kept = file.options.bits() & !CHANGEABLE.bits();
    file.options = CreateOptions::from_bits_retain(kept | info.mode.bits());
    Ok(done())
}

/// Whether an open with the mode `now` may get the mode `new`: waiting for completion is decided
/// when a file is opened, and only how can be changed later.
fn may_become(now: FileMode, new: FileMode) -> bool {
    CHANGEABLE.contains(new)
        && !new.contains(SYNCHRONOUS)
        && now.intersects(SYNCHRONOUS) == new.intersects(SYNCHRONOUS)
}

/// Pipes can be told their modes, which make no difference to a client that asks and answers.
pub(super) fn pipe(cx: &Cx<'_>, class: FileInfoClass, input: &[u8]) -> CmdResult {
    cx.open()?;
    match class {
        FileInfoClass::Pipe => {
            let info = FilePipeInformation::parse(input).map_err(malformed)?;
            if info.read_mode > 1 || info.completion_mode > 1 {
                return Err(Refusal(NtStatus::INVALID_PARAMETER));
            }
            Ok(done())
        }
        _ => Err(Refusal(NtStatus::NOT_SUPPORTED)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        let none = FileMode::empty();
        assert!(may_become(none, FileMode::WRITE_THROUGH));
        assert!(may_become(FileMode::WRITE_THROUGH, none));
        assert!(!may_become(none, FileMode::from_bits_retain(1)));
        assert!(!may_become(none, FileMode::DELETE_ON_CLOSE));
        assert!(!may_become(none, FileMode::SYNCHRONOUS_IO_ALERT));
        let alert = FileMode::SYNCHRONOUS_IO_ALERT;
        assert!(may_become(alert, FileMode::SYNCHRONOUS_IO_NONALERT));
        assert!(!may_become(alert, none) && !may_become(alert, SYNCHRONOUS));
    }
}
