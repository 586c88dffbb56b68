use smb_engine::vfs::VfsError;

use super::probe::{Probe, directory};

pub(super) fn renamed(p: &Probe<'_>) {
    p.make_dir("d");
    p.put("f", b"content");
    let handle = p.open("f");
    let other = p.open("f");
    p.rename(handle, "f", "d\\g", false).unwrap();
    assert!(p.is_missing("f"));
    assert_eq!(p.content("d\\g"), b"content");
    // Handles stay with the file.
    p.write(other, 0, b"changed");
    assert_eq!(p.read(handle, 0, 10), b"changed");
    p.rename(other, "d\\g", "h", false).unwrap();
    assert_eq!(p.content("h"), b"changed");
}

pub(super) fn rename_replaces(p: &Probe<'_>) {
    p.put("f", b"new");
    p.put("g", b"old");
    p.make_dir("d");
    let handle = p.open("f");
    let old = p.open("g");
    for target in ["g", "G", "d"] {
        assert_eq!(p.rename(handle, "f", target, false), Err(VfsError::Exists));
    }
    assert_eq!(
        p.rename(handle, "f", "d", true),
        Err(VfsError::AccessDenied)
    );
    p.rename(handle, "f", "G", true).unwrap();
    assert!(p.is_missing("f"));
    assert_eq!(p.content("g"), b"new");
    assert_eq!(p.read(old, 0, 10), b"old");
    let dir = p.open("");
    assert_eq!(p.names(dir).len(), 2);
}

pub(super) fn rename_changes_case(p: &Probe<'_>) {
    p.put("name", b"x");
    let handle = p.open("name");
    p.rename(handle, "name", "NAME", false).unwrap();
    p.rename(handle, "NAME", "Name", true).unwrap();
    let dir = p.open("");
    assert_eq!(p.names(dir), ["Name"]);
    assert_eq!(p.content("name"), b"x");
}

pub(super) fn rename_of_directory(p: &Probe<'_>) {
    p.make_dir("a");
    p.make_dir("a\\b");
    p.put("a\\b\\f", b"deep");
    let inside = p.open("a\\b\\f");
    let dir = p.open("a");
    p.rename(dir, "a", "z", false).unwrap();
    assert_eq!(p.content("z\\b\\f"), b"deep");
    assert!(p.is_missing("a"));
    assert_eq!(p.read(inside, 0, 10), b"deep");
    assert_eq!(p.names(dir), ["b"]);
}

pub(super) fn rename_into_itself(p: &Probe<'_>) {
    p.make_dir("a");
    p.make_dir("a\\b");
    let dir = p.open("a");
    assert!(p.rename(dir, "a", "a\\c", false).is_err());
    assert!(p.rename(dir, "a", "a\\b\\c", false).is_err());
    assert!(!p.is_missing("a\\b"));
}

pub(super) fn rename_nowhere(p: &Probe<'_>) {
    p.put("f", b"x");
    p.put("g", b"y");
    let handle = p.open("f");
    for target in ["missing\\f", "g\\f"] {
        assert_eq!(
            p.rename(handle, "f", target, true),
            Err(VfsError::PathNotFound),
            "{target}"
        );
    }
    assert_eq!(
        p.rename(handle, "f", &"n".repeat(256), false),
        Err(VfsError::NameTooLong)
    );
    assert_eq!(p.content("f"), b"x");
}

/// A name that no longer belongs to the handle is left alone.
pub(super) fn rename_of_another(p: &Probe<'_>) {
    p.put("f", b"mine");
    p.put("g", b"theirs");
    let handle = p.open("f");
    assert_eq!(p.rename(handle, "g", "h", false), Err(VfsError::NotFound));
    assert_eq!(p.rename(handle, "x", "h", false), Err(VfsError::NotFound));
    assert_eq!(p.content("g"), b"theirs");
    assert!(p.is_missing("h"));
}

pub(super) fn removed(p: &Probe<'_>) {
    p.put("f", b"x");
    p.make_dir("d");
    for name in ["f", "d"] {
        let handle = p.open(name);
        p.remove(handle, &name.to_uppercase()).unwrap();
        assert!(p.is_missing(name));
        assert_eq!(p.remove(handle, name), Err(VfsError::NotFound));
        p.close(handle).unwrap();
    }
    let dir = p.open("");
    p.check_empty(dir).unwrap();
}

pub(super) fn removed_and_made_again(p: &Probe<'_>) {
    p.put("f", b"old");
    let old = p.open_full("f");
    p.remove(old.handle, "f").unwrap();
    p.put("f", b"new");
    assert_ne!(p.open_full("f").info.node, old.info.node);
    assert_eq!(p.remove(old.handle, "f"), Err(VfsError::NotFound));
    assert_eq!(p.content("f"), b"new");
    assert_eq!(p.read(old.handle, 0, 10), b"old");
}

pub(super) fn remove_of_another(p: &Probe<'_>) {
    p.put("f", b"mine");
    p.put("g", b"theirs");
    let handle = p.open("f");
    assert_eq!(p.remove(handle, "g"), Err(VfsError::NotFound));
    assert_eq!(p.remove(handle, "x"), Err(VfsError::NotFound));
    assert!(p.remove(handle, "x\\y").is_err());
    assert_eq!(p.content("g"), b"theirs");
}

pub(super) fn directories_must_be_empty(p: &Probe<'_>) {
    let dir = p.create("d", directory()).unwrap().handle;
    p.check_empty(dir).unwrap();
    p.put("d\\f", b"");
    assert_eq!(p.check_empty(dir), Err(VfsError::NotEmpty));
    assert_eq!(p.remove(dir, "d"), Err(VfsError::NotEmpty));
    let file = p.open("d\\f");
    p.remove(file, "d\\f").unwrap();
    p.check_empty(dir).unwrap();
    p.remove(dir, "d").unwrap();
    assert!(p.is_missing("d"));
}

pub(super) fn linked(p: &Probe<'_>) {
    p.make_dir("d");
    let handle = p.make("f");
    p.link(handle, "d\\second", false).unwrap();
    let info = p.stat(handle);
    assert_eq!(info.links, 2);
    assert_eq!(p.open_full("d\\second").info.node, info.node);
    p.write(handle, 0, b"shared");
    assert_eq!(p.content("d\\second"), b"shared");
    p.remove(handle, "f").unwrap();
    assert_eq!(p.stat(handle).links, 1);
    assert_eq!(p.content("d\\second"), b"shared");
    assert_eq!(
        p.link(handle, "missing\\x", false),
        Err(VfsError::PathNotFound)
    );
}

pub(super) fn link_replaces(p: &Probe<'_>) {
    let handle = p.make("f");
    p.write(handle, 0, b"new");
    p.put("g", b"old");
    p.make_dir("d");
    for name in ["g", "G", "d"] {
        assert_eq!(p.link(handle, name, false), Err(VfsError::Exists));
    }
    assert_eq!(p.link(handle, "d", true), Err(VfsError::AccessDenied));
    p.link(handle, "g", true).unwrap();
    assert_eq!(p.content("g"), b"new");
    assert_eq!(p.stat(handle).links, 2);
}

pub(super) fn link_of_directory(p: &Probe<'_>) {
    let dir = p.create("d", directory()).unwrap().handle;
    assert_eq!(p.link(dir, "x", false), Err(VfsError::IsADirectory));
    assert!(p.is_missing("x"));
}
