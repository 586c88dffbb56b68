//! Cases in which backends have differed.

use smb_engine::vfs::{BasicChange, Creation, VfsError, VfsOp};
use smb_proto::FileTime;
use smb_proto::dtyp::{Acl, AclSlot, SecurityDescriptor, Sid};
use smb_proto::info::{FileAttributes, SecurityInformation};

use super::probe::{Probe, directory, file};

const LONG_AGO: FileTime = FileTime(126_000_000_000_000_000);

fn set_write_time(p: &Probe<'_>, handle: smb_engine::vfs::VfsHandle) {
    let write = Some(LONG_AGO);
    let change = BasicChange {
        write,
        ..BasicChange::default()
    };
    p.set_basic(handle, change);
}

/// A directory has one name, whatever lies in it.
pub(super) fn links_of_directories(p: &Probe<'_>) {
    p.make_dir("d");
    p.make_dir("d\\e");
    assert_eq!(p.open_full("d").info.links, 1);
}

/// Whether a name can be is told before whether it is there ([MS-FSA] 2.1.5.1).
pub(super) fn names_before_places(p: &Probe<'_>) {
    let name = format!("missing\\{}", "n".repeat(256));
    assert_eq!(p.create(&name, file()).unwrap_err(), VfsError::NameTooLong);
}

/// A directory that cannot take the place of a file leaves it there.
pub(super) fn refused_rename_leaves_the_target(p: &Probe<'_>) {
    p.make_dir("d");
    p.put("d\\f", b"content");
    let dir = p.open("d");
    assert_eq!(p.rename(dir, "d", "d\\f", true), Err(VfsError::Invalid));
    assert_eq!(p.content("d\\f"), b"content");
}

/// After a directory has taken the place of a file, the name is known in any case.
pub(super) fn directory_replaces_file(p: &Probe<'_>) {
    p.make_dir("d");
    p.put("f", b"x");
    assert!(p.is_missing("none"));
    let dir = p.open("d");
    p.rename(dir, "d", "f", true).unwrap();
    assert!(p.open_full("F").info.is_directory());
    assert!(p.is_missing("d"));
}

/// What has lost its names gets no new one.
pub(super) fn no_link_to_the_removed(p: &Probe<'_>) {
    p.put("g", b"");
    let handle = p.make("f");
    p.remove(handle, "f").unwrap();
    assert_eq!(p.link(handle, "new", false), Err(VfsError::NotFound));
    assert_eq!(p.link(handle, "g", false), Err(VfsError::NotFound));
}

/// A file that is renamed to another name of its own loses the old one; the other stays what it is.
pub(super) fn renamed_to_its_own_link(p: &Probe<'_>) {
    p.make_dir("d");
    let handle = p.make("f");
    p.link(handle, "d\\g", false).unwrap();
    assert_eq!(p.rename(handle, "f", "d\\g", false), Err(VfsError::Exists));
    let dir = p.open("d");
    set_write_time(p, dir);
    p.rename(handle, "f", "d\\g", true).unwrap();
    assert!(p.is_missing("f"));
    assert_eq!(p.stat(handle).links, 1);
    assert_eq!(p.open_full("d\\G").info.node, p.stat(handle).node);
    assert_eq!(p.stat(dir).write, LONG_AGO);
}

/// Zeroing nothing changes nothing.
pub(super) fn zeroing_nothing(p: &Probe<'_>) {
    let handle = p.make("f");
    p.write(handle, 0, b"x");
    set_write_time(p, handle);
    p.zero(handle, 5, 10);
    assert_eq!(p.stat(handle).write, LONG_AGO);
    p.zero(handle, 0, 1);
    assert_ne!(p.stat(handle).write, LONG_AGO);
}

/// Overwriting adds attributes, superseding replaces them ([MS-FSA] 2.1.5.1.2); SPARSE_FILE is one.
pub(super) fn overwriting_a_sparse_file(p: &Probe<'_>) {
    let handle = p.make("f");
    let sparse = true;
    p.done(VfsOp::SetSparse { handle, sparse }).unwrap();
    let info = p.overwrite(handle, file(), false);
    assert!(info.attributes.contains(FileAttributes::SPARSE_FILE));
    let info = p.overwrite(handle, file(), true);
    assert!(!info.attributes.contains(FileAttributes::SPARSE_FILE));
}

/// A descriptor that lets nobody write does not make a file READONLY.
pub(super) fn descriptors_are_no_attributes(p: &Probe<'_>) {
    let handle = p.make("f");
    let before = p.stat(handle).attributes;
    p.done(VfsOp::SetSecurity {
        handle,
        parts: SecurityInformation::OWNER | SecurityInformation::DACL,
        descriptor: SecurityDescriptor {
            owner: Some(Sid::LOCAL_SYSTEM),
            dacl: AclSlot::Acl(Acl::new(Vec::new())),
            ..SecurityDescriptor::default()
        },
    })
    .unwrap();
    assert_eq!(p.stat(handle).attributes, before);
}

/// An EA keeps the case of its name; those given with a stream are the file's.
pub(super) fn names_of_eas(p: &Probe<'_>) {
    let handle = p.make("f");
    p.set_eas(handle, &[("Name", b"1")]).unwrap();
    p.set_eas(handle, &[("NAME", b"2")]).unwrap();
    let eas = p.eas(handle);
    assert_eq!((eas.len(), &eas[0].name[..]), (1, "Name"));
    assert_eq!(&eas[0].value[..], b"2");
}

/// Who has a stream open goes on with its data when the name goes, however that happens.
pub(super) fn streams_that_lose_their_names(p: &Probe<'_>) {
    p.put("f:a", b"first");
    p.put("f:b", b"second");
    p.put("f:c", b"third");
    let (a, b, c) = (p.open("f:a"), p.open("f:b"), p.open("f:c"));
    p.rename(b, "f:b", "f:a", true).unwrap();
    assert_eq!(p.read(a, 0, 10), b"first");
    assert_eq!(p.read(b, 0, 10), b"second");
    p.remove(c, "f:c").unwrap();
    assert_eq!(p.read(c, 0, 10), b"third");
    let main = p.open("f");
    p.overwrite(main, file(), true);
    assert_eq!(p.read(b, 0, 10), b"second");
    p.write(a, 0, b"F");
    assert_eq!(p.read(a, 0, 10), b"First");
    assert_eq!(p.streams(main).len(), 1);
}

/// A stream's present name has to be given, and it stays a stream.
pub(super) fn renaming_streams(p: &Probe<'_>) {
    p.put("f:a", b"a");
    let (file, stream) = (p.open("f"), p.open("f:a"));
    assert_eq!(
        p.rename(stream, "f:b", "f:c", false),
        Err(VfsError::NotFound)
    );
    assert_eq!(p.rename(stream, "f:a", "g", false), Err(VfsError::Invalid));
    assert_eq!(p.rename(stream, "f", "g", false), Err(VfsError::Invalid));
    assert_eq!(p.rename(file, "f", "f:x", false), Err(VfsError::Invalid));
    assert_eq!(p.content("f:a"), b"a");
}

/// Writing a stream modifies the file ([MS-FSA] 2.1.4.17); writing nothing does nothing.
pub(super) fn streams_modify_the_file(p: &Probe<'_>) {
    let stream = p.create("f:s", file()).unwrap().handle;
    set_write_time(p, stream);
    p.write(stream, 50, b"");
    let info = p.stat(stream);
    assert_eq!((info.size, info.write), (0, LONG_AGO));
    p.write(stream, 0, b"x");
    assert_ne!(p.stat(stream).write, LONG_AGO);
    set_write_time(p, stream);
    p.set_allocation(stream, 1).unwrap();
    assert_eq!(p.stat(stream).write, LONG_AGO);
    p.set_allocation(stream, 2).unwrap();
    assert_ne!(p.stat(stream).write, LONG_AGO);
}

/// A stream of a directory is no directory.
pub(super) fn streams_of_directories(p: &Probe<'_>) {
    let made = p.create("d", directory()).unwrap();
    p.close(made.handle).unwrap();
    let stream = p.create("d:s", file()).unwrap().handle;
    assert_eq!(p.check_empty(stream), Err(VfsError::NotADirectory));
    assert!(p.list(stream, true, "*", 10).is_err());
}

/// Attributes and EAs given with a stream that makes its file are the file's.
pub(super) fn streams_that_make_their_file(p: &Probe<'_>) {
    let attributes = FileAttributes::HIDDEN;
    let what = Creation {
        attributes,
        ..file()
    };
    p.create("f:s", what).unwrap();
    assert_eq!(p.open_full("f").info.attributes, attributes);
}
