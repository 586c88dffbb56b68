use smb_engine::vfs::{VfsError, VfsOp};
use smb_proto::info::FileAttributes;

use super::probe::{Found, HOW, Probe, directory, file};

pub(super) fn root(p: &Probe<'_>) {
    let opened = p.open_full("");
    assert!(opened.info.is_directory());
    assert_ne!(opened.handle.0, 0);
    assert_eq!(opened.at, p.at(""));
    p.close(opened.handle).unwrap();
}

pub(super) fn existing(p: &Probe<'_>) {
    let made = p.create("f", file()).unwrap();
    assert_eq!(made.at, p.at("f"));
    assert_eq!(made.info.size, 0);
    assert_eq!(made.info.links, 1);
    assert!(!made.info.attributes.is_empty());
    assert!(!made.info.attributes.contains(FileAttributes::DIRECTORY));
    p.close(made.handle).unwrap();
    let opened = p.open_full("f");
    assert_eq!(opened.info, p.stat(opened.handle));
    p.close(opened.handle).unwrap();
    let made = p.create("d", directory()).unwrap();
    assert!(made.info.is_directory());
    assert_eq!(made.info.size, 0);
    p.close(made.handle).unwrap();
}

pub(super) fn missing(p: &Probe<'_>) {
    let here = p.open_full("");
    p.make_dir("d");
    let below = p.open_full("d");
    for (name, parent) in [("x", &here), ("d\\x", &below)] {
        match p.find(name, HOW) {
            Ok(Found::Missing(m)) => {
                assert_eq!(m.parent.node, parent.info.node, "{name}");
                assert!(m.parent.is_directory());
                assert_eq!(m.security, parent.security);
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

pub(super) fn nothing_on_the_way(p: &Probe<'_>) {
    p.put("f", b"");
    for name in ["x\\y", "x\\y\\z", "f\\y", "f\\y\\z"] {
        match p.find(name, HOW) {
            Err(VfsError::PathNotFound) => {}
            other => panic!("{name}: {other:?}"),
        }
    }
}

pub(super) fn create_in_missing(p: &Probe<'_>) {
    p.put("f", b"");
    for name in ["x\\y", "f\\y"] {
        for what in [file(), directory()] {
            let refused = p.create(name, what).unwrap_err();
            assert_eq!(refused, VfsError::PathNotFound, "{name}");
        }
    }
}

pub(super) fn create_again(p: &Probe<'_>) {
    p.put("f", b"content");
    p.make_dir("d");
    for name in ["f", "d"] {
        for what in [file(), directory()] {
            assert_eq!(
                p.create(name, what).unwrap_err(),
                VfsError::Exists,
                "{name}"
            );
        }
    }
    assert_eq!(p.content("f"), b"content");
}

pub(super) fn two_handles(p: &Probe<'_>) {
    let one = p.make("f");
    let two = p.open("f");
    assert_ne!(one, two);
    p.write(one, 0, b"seen by both");
    assert_eq!(p.read(two, 0, 100), b"seen by both");
    p.close(one).unwrap();
    assert_eq!(p.read(two, 5, 2), b"by");
    p.close(two).unwrap();
}

pub(super) fn stale_handles(p: &Probe<'_>) {
    let handle = p.make("f");
    p.close(handle).unwrap();
    assert_eq!(p.close(handle), Err(VfsError::StaleHandle));
    assert_eq!(p.try_read(handle, 0, 1), Err(VfsError::StaleHandle));
    assert_eq!(p.try_stat(handle), Err(VfsError::StaleHandle));
    let flush = p.done(VfsOp::Flush { handle });
    assert_eq!(flush, Err(VfsError::StaleHandle));
}

pub(super) fn identity(p: &Probe<'_>) {
    let f = p.create("f", file()).unwrap();
    let g = p.create("g", file()).unwrap();
    let d = p.create("d", directory()).unwrap();
    let here = p.open_full("");
    let all = [f.info.node, g.info.node, d.info.node, here.info.node];
    for (i, a) in all.iter().enumerate() {
        assert_eq!(a.volume, all[0].volume);
        assert!(all.iter().skip(i + 1).all(|b| a != b));
    }
    p.write(f.handle, 0, b"x");
    p.rename(f.handle, "f", "d\\new", false).unwrap();
    assert_eq!(p.stat(f.handle).node, f.info.node);
    p.close(f.handle).unwrap();
    assert_eq!(p.open_full("d\\NEW").info.node, f.info.node);
}

pub(super) fn by_id(p: &Probe<'_>) {
    p.make_dir("d");
    let made = p.create("d\\f", file()).unwrap();
    p.write(made.handle, 0, b"by id");
    p.close(made.handle).unwrap();
    let opened = p.open_id(made.info.node).unwrap();
    assert_eq!(opened.info.node, made.info.node);
    assert_eq!(p.read(opened.handle, 0, 10), b"by id");
    p.remove(opened.handle, "d\\f").unwrap();
    p.close(opened.handle).unwrap();
    assert_eq!(p.open_id(made.info.node).unwrap_err(), VfsError::NotFound);
}
