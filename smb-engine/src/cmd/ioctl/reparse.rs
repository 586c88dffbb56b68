//! FSCTL_GET_REPARSE_POINT, FSCTL_SET_REPARSE_POINT and FSCTL_DELETE_REPARSE_POINT, [MS-FSCC] 2.3,
//! [MS-FSA] 2.1.5.10.

use bytes::{Bytes, BytesMut};
use smb_proto::NtStatus;
use smb_proto::dtyp::{AccessMask, Guid};
use smb_proto::fsctl::reparse::{ReparseDataBuffer, ReparsePoint, ReparseTag};
use smb_proto::msg::change_notify::CompletionFilter;

use super::{At, Call, INVALID_PARAMETER, encoded, need_capability};
use crate::cmd::{CmdResult, Cx, WRONG_REPLY};
use crate::core::{Wake, notify};
use crate::status::Refusal;
use crate::vfs::{Capabilities, Reparse, VfsOp, VfsReply};

const DATA_INVALID: Refusal = Refusal(NtStatus::IO_REPARSE_DATA_INVALID);

/// What the backend was asked.
#[derive(Debug)]
pub(super) enum State {
    Getting,
    Changing,
}

/// Reads the reparse data of the open.
pub(super) fn get(cx: &mut Cx<'_>, call: Call) -> CmdResult {
    need_capability(cx, Capabilities::REPARSE)?;
    // The data tells where a link leads: only to who may see attributes or content.
    cx.need_any(AccessMask::FILE_READ_ATTRIBUTES | AccessMask::FILE_READ_DATA)?;
    let handle = cx.file_open()?.handle;
    cx.ask_vfs(VfsOp::Reparse { handle })?;
    Ok(call.wait(At::Reparse(State::Getting)))
}

/// Makes the open a reparse point.
pub(super) fn set(cx: &mut Cx<'_>, call: Call, input: &Bytes) -> CmdResult {
    let handle = changeable(cx)?;
    let reparse = parse(input)?;
    if ReparseTag(reparse.tag) == ReparseTag::MOUNT_POINT && !cx.file_open()?.directory {
        return Err(Refusal(NtStatus::NOT_A_DIRECTORY));
    }
    cx.ask_vfs(VfsOp::SetReparse { handle, reparse })?;
    Ok(call.wait(At::Reparse(State::Changing)))
}

/// Makes the open an ordinary file again.
pub(super) fn delete(cx: &mut Cx<'_>, call: Call, input: &Bytes) -> CmdResult {
    let handle = changeable(cx)?;
    let buffer = ReparseDataBuffer::parse(input).map_err(|_| DATA_INVALID)?;
    if !buffer.data.is_empty() {
        return Err(DATA_INVALID);
    }
    check_tag(&buffer)?;
    cx.ask_vfs(VfsOp::DeleteReparse {
        handle,
        tag: buffer.tag.0,
        guid: buffer.guid,
    })?;
    Ok(call.wait(At::Reparse(State::Changing)))
}

fn changeable(cx: &Cx<'_>) -> Result<crate::vfs::VfsHandle, Refusal> {
    need_capability(cx, Capabilities::REPARSE)?;
    cx.need_any(AccessMask::FILE_WRITE_DATA | AccessMask::FILE_WRITE_ATTRIBUTES)?;
    let f = cx.file_open()?;
    // A named stream is not a file of its own.
    if f.at.stream.is_some() {
        return Err(INVALID_PARAMETER);
    }
    Ok(f.handle)
}

/// What a client wants stored, if it is well-formed as far as its kind is known.
fn parse(input: &Bytes) -> Result<Reparse, Refusal> {
    if input.len() > ReparseDataBuffer::LEN_MAX {
        return Err(DATA_INVALID);
    }
    let buffer = ReparseDataBuffer::parse(input).map_err(|_| DATA_INVALID)?;
    check_tag(&buffer)?;
    ReparsePoint::parse(&buffer).map_err(|_| DATA_INVALID)?;
    let data = match buffer.guid {
        None => buffer.data,
        Some(guid) => {
            let mut data = BytesMut::from(&guid.to_bytes()[..]);
            data.extend_from_slice(&buffer.data);
            data.freeze()
        }
    };
    Ok(Reparse {
        tag: buffer.tag.0,
        data,
    })
}

/// Tags of Microsoft come without, those of others with a GUID ([MS-FSCC] 2.1.2.1). 0 and 1 are
/// reserved.
fn check_tag(buffer: &ReparseDataBuffer) -> Result<(), Refusal> {
    if buffer.tag.0 <= 1 {
        return Err(Refusal(NtStatus::IO_REPARSE_TAG_INVALID));
    }
    if buffer.tag.is_microsoft() == buffer.guid.is_some() {
        return Err(DATA_INVALID);
    }
    Ok(())
}

/// What is stored, as a client sees it.
fn buffer_of(reparse: Reparse) -> Option<ReparseDataBuffer> {
    let tag = ReparseTag(reparse.tag);
    if tag.is_microsoft() {
        return Some(ReparseDataBuffer {
            tag,
            guid: None,
            data: reparse.data,
        });
    }
    let (guid, _) = reparse.data.split_first_chunk::<16>()?;
    Some(ReparseDataBuffer {
        tag,
        guid: Some(Guid::from_bytes(*guid)),
        data: reparse.data.slice(16..),
    })
}

/// Goes on.
pub(super) fn resume(cx: &mut Cx<'_>, call: Call, state: State, wake: Wake) -> CmdResult {
    match (state, wake.vfs()?) {
        (State::Getting, VfsReply::Reparse(reparse)) => {
            let buffer = buffer_of(reparse).ok_or(WRONG_REPLY)?;
            let mut output = encoded(|w| buffer.encode(w));
            if output.len() <= call.max_output {
                return Ok(call.reply(output));
            }
            // Less than the header is of no use; more is given as far as it fits.
            if call.max_output < 8 {
                return Err(Refusal(NtStatus::BUFFER_TOO_SMALL));
            }
            output.truncate(call.max_output);
            Ok(call.reply_with(NtStatus::BUFFER_OVERFLOW, output))
        }
        (State::Changing, VfsReply::Done) => {
            let (id, _) = cx.open()?;
            notify::changed(cx.core, cx.now, id, CompletionFilter::ATTRIBUTES);
            Ok(call.done())
        }
        (State::Getting | State::Changing, _) => Err(WRONG_REPLY),
    }
}

#[cfg(test)]
mod tests {
    use smb_proto::fsctl::reparse::{SymbolicLink, SymlinkFlags};

    use super::*;

    fn bytes(b: &ReparseDataBuffer) -> Bytes {
        encoded(|w| b.encode(w))
    }

    #[test]
    fn links_go_in_and_come_out() {
        let link = ReparsePoint::SymbolicLink(SymbolicLink {
            substitute_name: "a\\b".to_owned(),
            print_name: "a\\b".to_owned(),
            flags: SymlinkFlags::RELATIVE,
        });
        let wire = bytes(&link.to_buffer());
        let stored = parse(&wire).unwrap();
        assert_eq!(stored.tag, ReparseTag::SYMLINK.0);
        assert_eq!(bytes(&buffer_of(stored).unwrap()), wire);
    }

    #[test]
    fn tags_of_others_keep_their_guid() {
        let foreign = ReparseDataBuffer {
            tag: ReparseTag(0x0000_1234),
            guid: Some(Guid::from_bytes([3; 16])),
            data: Bytes::from_static(b"xyz"),
        };
        let wire = bytes(&foreign);
        let stored = parse(&wire).unwrap();
        assert_eq!(stored.data.len(), 19);
        assert_eq!(bytes(&buffer_of(stored).unwrap()), wire);
    }

    #[test]
    fn what_is_not_stored() {
        let no_guid = ReparseDataBuffer {
            tag: ReparseTag(0x0000_1234),
            guid: None,
            data: Bytes::new(),
        };
        assert_eq!(parse(&bytes(&no_guid)), Err(DATA_INVALID));
        let reserved = ReparseDataBuffer {
            tag: ReparseTag(1),
            ..no_guid.clone()
        };
        assert_eq!(
            parse(&bytes(&reserved)),
            Err(Refusal(NtStatus::IO_REPARSE_TAG_INVALID))
        );
        let broken_link = ReparseDataBuffer {
            tag: ReparseTag::SYMLINK,
            guid: None,
            data: Bytes::from_static(&[1, 2, 3]),
        };
        assert_eq!(parse(&bytes(&broken_link)), Err(DATA_INVALID));
        let too_long = ReparseDataBuffer {
            tag: ReparseTag::DFS,
            guid: None,
            data: Bytes::from(vec![0; ReparseDataBuffer::LEN_MAX]),
        };
        assert_eq!(parse(&bytes(&too_long)), Err(DATA_INVALID));
        assert_eq!(parse(&Bytes::new()), Err(DATA_INVALID));
    }
}
