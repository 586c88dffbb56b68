//! Names as requests give them, and other small facts about requests.

use smb_proto::dtyp::SecurityDescriptor;
use smb_proto::fsctl::FsctlCode;

/// The name of a share from a path `\\server\share`.
pub(super) fn share_name(path: &str) -> &str {
    let path = path.trim_start_matches('\\');
    path.split_once('\\')
        .map_or(path, |(_, share)| share.trim_end_matches('\\'))
}

/// Path and stream of a name in a share; `None` for one that no file can have.
pub(super) fn split_name(name: &str) -> Option<(String, String)> {
    let mut parts = name.splitn(2, ':');
    let path = parts.next().unwrap_or("").trim_end_matches('\\');
    if path.starts_with('\\') || path.contains('/') {
        return None;
    }
    let stream = parts.next().unwrap_or("");
    let (stream, kind) = stream.split_once(':').unwrap_or((stream, "$DATA"));
    kind.eq_ignore_ascii_case("$DATA")
        .then(|| (path.to_owned(), stream.to_owned()))
}

/// Whether an FSCTL changes content.
pub(super) fn writes(code: FsctlCode) -> bool {
    [
        FsctlCode::SRV_COPYCHUNK,
        FsctlCode::SRV_COPYCHUNK_WRITE,
        FsctlCode::SET_ZERO_DATA,
        FsctlCode::DUPLICATE_EXTENTS_TO_FILE,
    ]
    .contains(&code)
}

/// Adds the parts that `seen` shows to those that are known.
pub(super) fn merge(known: &mut SecurityDescriptor, seen: SecurityDescriptor) {
    known.owner = known.owner.or(seen.owner);
    known.group = known.group.or(seen.group);
    if known.dacl == smb_proto::dtyp::AclSlot::Absent {
        known.dacl = seen.dacl;
        known.control |= seen.control;
    }
}
