//! FSCTL_CREATE_OR_GET_OBJECT_ID and FSCTL_GET_OBJECT_ID, [MS-FSCC] 2.3.

use smb_proto::Guid;
use smb_proto::fsctl::FileObjectId;

use super::{Call, INVALID_PARAMETER, encoded};
use crate::cmd::{CmdResult, Cx};

/// Bytes of FILE_OBJECTID_BUFFER.
const ANSWER: usize = 64;

/// Every file has an object id: its number on the volume, and half of the server's GUID. It says
/// nothing of the host's volume.
pub(super) fn start(cx: &Cx<'_>, call: Call) -> CmdResult {
    if call.max_output < ANSWER {
        return Err(INVALID_PARAMETER);
    }
    let server = cx.core.config.server_guid;
    let id = object_id(cx.file_open()?.node.file, server);
    let answer = FileObjectId::with_birth(id, server, id, Guid::NIL);
    Ok(call.reply(encoded(|w| answer.encode(w))))
}

fn object_id(file: u64, server: Guid) -> Guid {
    let [.., a, b, c, d, e, f, g, h] = server.to_bytes();
    let [i, j, k, l, m, n, o, p] = file.to_le_bytes();
    Guid::from_bytes([i, j, k, l, m, n, o, p, a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_by_file_and_stay() {
        let server = Guid::from_bytes([9; 16]);
        assert_eq!(object_id(5, server), object_id(5, server));
        assert_ne!(object_id(5, server), object_id(6, server));
    }
}
