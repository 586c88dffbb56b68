//! FileFullEaInformation, [MS-FSA] 2.1.5.15.5.

use bytes::Bytes;
use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::info::file::{EaFlags, FileFullEaInformation};
use smb_proto::msg::change_notify::CompletionFilter;

use super::super::{CmdResult, Cx};
use super::{change, needs};
use crate::names::valid_ea_name;
use crate::status::Refusal;
use crate::vfs::{Capabilities, Ea, VfsOp};

pub(super) fn start(cx: &mut Cx<'_>, input: &Bytes) -> CmdResult {
    needs(cx, AccessMask::FILE_WRITE_EA)?;
    let (_, tree) = cx.tree()?;
    if !tree
        .disk()
        .is_some_and(|s| s.capabilities.contains(Capabilities::EAS))
    {
        return Err(Refusal(NtStatus::EAS_NOT_SUPPORTED));
    }
    let eas = read(input)?;
    let handle = cx.file_open()?.handle;
    change(cx, VfsOp::SetEas { handle, eas }, CompletionFilter::EA)
}

/// The list of a request, checked.
fn read(input: &Bytes) -> Result<Vec<Ea>, NtStatus> {
    FileFullEaInformation::parse_list(input)
        .map_err(|_| NtStatus::EA_LIST_INCONSISTENT)?
        .into_iter()
        .map(|ea| {
            if !EaFlags::NEED_EA.contains(ea.flags) {
                return Err(NtStatus::INVALID_EA_FLAG);
            }
            match std::str::from_utf8(&ea.name) {
                Ok(name) if valid_ea_name(name) => Ok(Ea {
                    flags: ea.flags.bits(),
                    name: name.to_owned(),
                    value: ea.value,
                }),
                _ => Err(NtStatus::INVALID_EA_NAME),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use smb_proto::wire::Writer;

    fn list(flags: u8, name: &'static str) -> Bytes {
        let mut w = Writer::new();
        let ea = FileFullEaInformation {
            flags: EaFlags::from_bits_retain(flags),
            name: Bytes::from_static(name.as_bytes()),
            value: Bytes::from_static(b"v"),
        };
        FileFullEaInformation::encode_list(&[ea], &mut w);
        w.into_inner().freeze()
    }

    #[test]
    fn bad_lists() {
        assert_eq!(read(&list(0x80, "a.b")).unwrap()[0].name, "a.b");
        assert_eq!(read(&list(1, "a")), Err(NtStatus::INVALID_EA_FLAG));
        assert_eq!(read(&list(0, "a*")), Err(NtStatus::INVALID_EA_NAME));
        assert_eq!(read(&list(0, "")), Err(NtStatus::INVALID_EA_NAME));
        let cut = list(0, "abc").slice(..10);
        assert_eq!(read(&cut), Err(NtStatus::EA_LIST_INCONSISTENT));
    }
}
