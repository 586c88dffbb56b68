//! Opening what was: a time in a create context ([MS-SMB2] 2.2.13.2.7, 3.3.5.9.4), or as a component
//! of the name, as programs have it that hand names on.

use std::borrow::Cow;

use smb_proto::{FileTime, NtStatus};

use super::ctx::Contexts;
use super::resolve::Fields;
use crate::vfs::{Capabilities, Location, OpenHow, VfsOp, parse_snapshot_token};

/// Takes the first `@GMT-…` component out of a name, if the share has snapshots.
pub(in crate::cmd) fn split(name: &str, can: Capabilities) -> (Cow<'_, str>, Option<FileTime>) {
    let found = name
        .split('\\')
        .enumerate()
        .find_map(|(i, component)| Some((i, parse_snapshot_token(component)?)));
    let Some((at, taken)) = found.filter(|_| can.contains(Capabilities::SNAPSHOTS)) else {
        return (Cow::Borrowed(name), None);
    };
    let rest = name.split('\\').enumerate().filter(|(i, _)| *i != at);
    let rest: Vec<&str> = rest.map(|(_, component)| component).collect();
    (Cow::Owned(rest.join("\\")), Some(taken))
}

/// What the backend can do for this open: in a snapshot nothing can be changed.
pub(super) fn capabilities(
    can: Capabilities,
    fields: &Fields,
    ctx: &Contexts,
) -> Result<Capabilities, NtStatus> {
    if ctx.snapshot.is_none() {
        return Ok(can);
    }
    if fields.delete_on_close() {
        return Err(NtStatus::MEDIA_WRITE_PROTECTED);
    }
    Ok(can | Capabilities::READ_ONLY)
}

/// Opens something in a snapshot, or in the present.
pub(super) fn open(snapshot: Option<FileTime>, at: Location, how: OpenHow) -> VfsOp {
    match snapshot {
        Some(taken) => VfsOp::OpenSnapshot {
            at,
            data: how.data,
            taken,
        },
        None => VfsOp::Open { at, how },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_in_names() {
        let at = parse_snapshot_token("@GMT-2024.02.29-01.02.03");
        for (name, rest) in [
            ("@GMT-2024.02.29-01.02.03", ""),
            ("@GMT-2024.02.29-01.02.03\\a\\b", "a\\b"),
            ("a\\@GMT-2024.02.29-01.02.03\\b", "a\\b"),
            ("a\\b\\@GMT-2024.02.29-01.02.03", "a\\b"),
        ] {
            assert_eq!(split(name, Capabilities::SNAPSHOTS), (rest.into(), at));
            assert_eq!(split(name, Capabilities::empty()), (name.into(), None));
        }
        for name in ["", "a\\b", "@GMT-2024.02.30-01.02.03\\a", "\\a"] {
            assert_eq!(split(name, Capabilities::SNAPSHOTS), (name.into(), None));
        }
    }
}
