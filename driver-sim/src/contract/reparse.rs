use bytes::Bytes;
use smb_engine::vfs::{Creation, OpenHow, Reparse, VfsError, VfsHandle, VfsOp, VfsReply};
use smb_proto::Guid;
use smb_proto::fsctl::reparse::{ReparsePoint, SymbolicLink, SymlinkFlags};
use smb_proto::info::FileAttributes;

use super::probe::{Found, HOW, Probe, directory, file};

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
    let guid = data(b"").guid();
    p.done(VfsOp::DeleteReparse { handle, tag, guid })
}

/// A symbolic link to `target`.
fn link(target: &str, flags: SymlinkFlags) -> Reparse {
    let point = ReparsePoint::SymbolicLink(SymbolicLink {
        substitute_name: target.to_owned(),
        print_name: "for people".to_owned(),
        flags,
    });
    let buffer = point.to_buffer();
    Reparse {
        tag: buffer.tag.0,
        data: buffer.data,
    }
}

/// A relative link of this name, on a file or a directory.
fn make_link(p: &Probe<'_>, name: &str, what: Creation, target: &str) {
    let made = p.create(name, what).unwrap().handle;
    set(p, made, link(target, SymlinkFlags::RELATIVE)).unwrap();
    p.close(made).unwrap();
}

fn stopped<T>(unparsed: u16, target: &str) -> Result<T, VfsError> {
    Err(VfsError::StoppedOnSymlink {
        unparsed,
        target: target.to_owned(),
        relative: true,
    })
}

/// What an open of `name` comes to, without what was opened.
fn opens(p: &Probe<'_>, name: &str, open_reparse: bool) -> Result<(), VfsError> {
    let how = OpenHow {
        open_reparse,
        ..HOW
    };
    match p.find(name, how)? {
        Found::Opened(opened) => p.close(opened.handle),
        Found::Missing(_) => Ok(()),
    }
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
    let foreign = Reparse {
        tag: TAG,
        data: Bytes::from_static(b"abcdefghijklmnop"),
    };
    let guid = foreign.guid();
    assert_eq!(set(p, handle, foreign), Err(VfsError::ReparseConflict));
    for guid in [guid, None, Some(Guid::from_bytes([0; 16]))] {
        let tag = TAG;
        let refused = p.done(VfsOp::DeleteReparse { handle, tag, guid });
        assert_eq!(refused, Err(VfsError::ReparseConflict));
    }
    assert_eq!(get(p, handle), Ok(data(b"one")));
}

pub(super) fn links_stop_a_walk(p: &Probe<'_>) {
    p.make_dir("d");
    p.put("d\\f", b"content");
    make_link(p, "d\\File", file(), "f");
    make_link(p, "d\\Dir", directory(), "..\\d");
    for (name, unparsed, target) in [
        ("d\\File", 0, "f"),
        ("D\\FILE", 0, "f"),
        ("d\\Dir", 0, "..\\d"),
        ("d\\Dir\\f", 2, "..\\d"),
        ("d\\dir\\no\\f", 5, "..\\d"),
        ("D\\DIR\\\u{e9}\\\u{1f980}", 5, "..\\d"),
        // A file may be a link to a directory: its maker did not know.
        ("d\\file\\x", 2, "f"),
        ("d\\file\\x\\y", 4, "f"),
        ("d\\File:stream", 7, "f"),
        ("d\\Dir\\f:stream", 9, "..\\d"),
    ] {
        assert_eq!(opens(p, name, false), stopped(unparsed, target), "{name}");
    }
    // The link itself is there; what is behind it is so only by way of it.
    for itself in ["d\\File", "d\\dir"] {
        assert_eq!(opens(p, itself, true), Ok(()), "{itself}");
    }
    assert_eq!(opens(p, "d\\Dir\\f", true), stopped(2, "..\\d"));
    assert_eq!(opens(p, "d\\File\\f", true), stopped(2, "f"));
    assert_eq!(p.content("d\\f"), b"content");
}

pub(super) fn links_are_no_place_for_names(p: &Probe<'_>) {
    p.put("f", b"content");
    make_link(p, "Dir", directory(), "else");
    make_link(p, "File", file(), "else");
    let f = p.open("f");
    for (name, unparsed) in [("Dir\\new", 4), ("File\\new", 4), ("dir\\a\\b", 4)] {
        for what in [file(), directory()] {
            let refused = p.create(name, what).map(drop);
            assert_eq!(refused, stopped(unparsed, "else"), "{name}");
        }
        assert_eq!(p.rename(f, "f", name, false), stopped(unparsed, "else"));
        assert_eq!(p.link(f, name, true), stopped(unparsed, "else"));
    }
    assert_eq!(p.create("Dir", file()).map(drop), Err(VfsError::Exists));
    assert_eq!(p.content("f"), b"content");
}

pub(super) fn links_are_renamed_and_removed_themselves(p: &Probe<'_>) {
    p.put("target", b"content");
    for (name, what) in [("l", file()), ("dl", directory())] {
        make_link(p, name, what, "target");
        let how = OpenHow {
            open_reparse: true,
            ..HOW
        };
        let Ok(Found::Opened(opened)) = p.find(name, how) else {
            panic!("{name} does not open")
        };
        let handle = opened.handle;
        p.rename(handle, name, "moved", false).unwrap();
        assert_eq!(opens(p, "moved", false), stopped(0, "target"));
        let as_was = link("target", SymlinkFlags::RELATIVE);
        assert_eq!(get(p, handle), Ok(as_was));
        // A new target for the link, absolute now.
        set(p, handle, link("\\??\\C:\\x", SymlinkFlags::empty())).unwrap();
        assert_eq!(
            opens(p, "moved", false),
            Err(VfsError::StoppedOnSymlink {
                unparsed: 0,
                target: "\\??\\C:\\x".to_owned(),
                relative: false
            })
        );
        p.remove(handle, "moved").unwrap();
        p.close(handle).unwrap();
        assert!(p.is_missing("moved"));
    }
    assert_eq!(p.content("target"), b"content");
}

pub(super) fn links_become_files_again(p: &Probe<'_>) {
    for (name, what) in [("l", file()), ("dl", directory())] {
        let made = p.create(name, what).unwrap();
        let point = link("target", SymlinkFlags::RELATIVE);
        let tag = point.tag;
        set(p, made.handle, point).unwrap();
        let (handle, guid) = (made.handle, None);
        p.done(VfsOp::DeleteReparse { handle, tag, guid }).unwrap();
        let opened = p.open_full(name);
        assert_eq!(opened.info.node, made.info.node);
        assert_eq!(opened.info.reparse_tag, 0);
    }
    p.put("dl\\f", b"x");
    assert_eq!(p.content("dl\\f"), b"x");
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
