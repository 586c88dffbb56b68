use bytes::Bytes;
use smb_engine::vfs::{Reparse, VfsError, VfsHandle, VfsOp, VfsReply};
use smb_proto::info::FileAttributes;

use super::probe::{Probe, directory};

/// A tag of nobody's, with the GUID that such tags have ([MS-FSCC] 2.1.2.3).
const TAG: u32 = 0x0000_0123;

fn data(text: &'static [u8]) -> Reparse {
    Reparse {
        tag: TAG,
        data: Bytes::from([b"0123456789abcdef", text].concat()),
    }
}

fn set(p: &Probe<'_>, handle: VfsHandle, reparse: Reparse) -> Result<(), VfsError> {
    p.done(VfsOp::SetReparse { handle, reparse })
}

fn get(p: &Probe<'_>, handle: VfsHandle) -> Result<Reparse, VfsError> {
    p.any(VfsOp::Reparse { handle }).map(|reply| match reply {
        VfsReply::Reparse(reparse) => reparse,
        other => panic!("{other:?}"),
    })
}

fn delete(p: &Probe<'_>, handle: VfsHandle, tag: u32) -> Result<(), VfsError> {
    p.done(VfsOp::DeleteReparse { handle, tag })
}

pub(super) fn stored(p: &Probe<'_>) {
    let handle = p.make("f");
    assert_eq!(get(p, handle), Err(VfsError::NotAReparsePoint));
    assert_eq!(delete(p, handle, TAG), Err(VfsError::NotAReparsePoint));
    set(p, handle, data(b"one")).unwrap();
    set(p, handle, data(b"two")).unwrap();
    assert_eq!(get(p, handle), Ok(data(b"two")));
    let info = p.stat(handle);
    assert_eq!(info.reparse_tag, TAG);
    assert!(info.attributes.contains(FileAttributes::REPARSE_POINT));
    p.close(handle).unwrap();
    let opened = p.open_full("f");
    assert_eq!(opened.info.reparse_tag, TAG);
    delete(p, opened.handle, TAG).unwrap();
    let info = p.stat(opened.handle);
    assert_eq!(info.reparse_tag, 0);
    assert!(!info.attributes.contains(FileAttributes::REPARSE_POINT));
}

pub(super) fn mismatched(p: &Probe<'_>) {
    let handle = p.make("f");
    set(p, handle, data(b"one")).unwrap();
    let other = Reparse {
        tag: TAG + 1,
        ..data(b"two")
    };
    assert_eq!(set(p, handle, other), Err(VfsError::ReparseTagMismatch));
    assert_eq!(
        delete(p, handle, TAG + 1),
        Err(VfsError::ReparseTagMismatch)
    );
    assert_eq!(get(p, handle), Ok(data(b"one")));
}

pub(super) fn on_directories(p: &Probe<'_>) {
    let dir = p.create("d", directory()).unwrap().handle;
    p.put("d\\f", b"");
    assert_eq!(set(p, dir, data(b"x")), Err(VfsError::NotEmpty));
    let file = p.open("d\\f");
    p.remove(file, "d\\f").unwrap();
    p.close(file).unwrap();
    set(p, dir, data(b"x")).unwrap();
    let info = p.stat(dir);
    assert!(info.is_directory());
    assert_eq!(info.reparse_tag, TAG);
}
