//! Streams too large for an extended attribute.

use rustix::fs::XattrFlags;

use super::*;

/// The files in the depot.
fn sides(f: &Fixture) -> usize {
    std::fs::read_dir(f.path(depot::NAME)).map_or(0, Iterator::count)
}

#[test]
fn large_streams_lie_beside_the_files() {
    let f = Fixture::new();
    let s = f.create("f:s");
    let long: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
    f.write(s, WriteAt::Offset(0), b"small").unwrap();
    assert_eq!(sides(&f), 0);
    f.write(s, WriteAt::Offset(0), &long).unwrap();
    f.write(s, WriteAt::End, b"end").unwrap();
    assert_eq!(sides(&f), 1);
    let whole = [&long[..], b"end"].concat();
    let all = |name: &str| f.read(f.open(name), 0, 300_000);
    assert_eq!(all("f:S"), whole);
    let listed = f.streams(f.open("f"));
    assert_eq!(
        (listed.len(), &listed[1].name[..], listed[1].size),
        (2, "s", 200_003)
    );
    // They follow renames of the stream and of the file, and of the host.
    f.rename(s, "f:s", "f:t", false).unwrap();
    let file = f.open("f");
    f.rename(file, "f", "g", false).unwrap();
    std::fs::rename(f.path("g"), f.path("h")).unwrap();
    assert_eq!(all("h:t"), whole);
    // Overwriting brings a stream back into the file.
    let again = f.open("h:t");
    f.run(VfsOp::SetSize {
        handle: again,
        size: 0,
    })
    .unwrap();
    assert_eq!((all("h:t").len(), sides(&f)), (0, 0));
    f.run(VfsOp::SetSize {
        handle: again,
        size: 100_000,
    })
    .unwrap();
    assert_eq!((all("h:t"), sides(&f)), (vec![0; 100_000], 1));
    // A removed stream can be read by who has it open.
    f.write(again, WriteAt::Offset(0), b"read me").unwrap();
    f.remove(again, "h:t").unwrap();
    assert_eq!(sides(&f), 0);
    assert_eq!(f.read(again, 0, 7), b"read me");
    assert_eq!(f.streams(f.open("h")).len(), 1);
}

#[test]
fn large_streams_go_with_their_file() {
    let f = Fixture::new();
    let long = vec![7; 100_000];
    for name in ["a", "b", "c"] {
        let s = f.create(&format!("{name}:s"));
        f.write(s, WriteAt::Offset(0), &long).unwrap();
    }
    assert_eq!(sides(&f), 3);
    let a = f.open("a");
    f.remove(a, "a").unwrap();
    assert_eq!(sides(&f), 2);
    // Replaced by another one.
    let b = f.open("b");
    f.rename(b, "b", "c", true).unwrap();
    assert_eq!(sides(&f), 1);
    assert_eq!(f.read(f.open("c:s"), 0, 200_000), long);
    // A second name keeps them.
    std::fs::hard_link(f.path("c"), f.path("d")).unwrap();
    let c = f.open("c");
    f.remove(c, "c").unwrap();
    assert_eq!(f.read(f.open("d:s"), 0, 200_000), long);
}

#[test]
fn a_copy_made_by_the_host_gets_its_own_large_stream() {
    let f = Fixture::new();
    let s = f.create("f:s");
    f.write(s, WriteAt::Offset(0), &vec![7; 100_000]).unwrap();
    std::fs::write(f.path("copy"), "").unwrap();
    let name = "user.BigStream.s:$DATA";
    let mut value = [0; 100];
    let len = rustix::fs::getxattr(f.path("f"), name, &mut value).unwrap();
    let flags = XattrFlags::empty();
    rustix::fs::setxattr(f.path("copy"), name, &value[..len], flags).unwrap();
    let copy = f.open("copy:s");
    f.write(copy, WriteAt::Offset(0), b"mine").unwrap();
    assert_eq!(sides(&f), 2);
    assert_eq!(f.read(s, 0, 4), [7; 4]);
    assert_eq!(f.read(copy, 0, 6), b"mine\x07\x07");
    // What points nowhere is no stream.
    rustix::fs::setxattr(f.path("copy"), "user.BigStream.x:$DATA", b"../f", flags).unwrap();
    assert_eq!(f.streams(f.open("copy")).len(), 2);
    let x = f.create("copy:x");
    f.write(x, WriteAt::Offset(0), b"x").unwrap();
    assert_eq!(f.streams(f.open("copy")).len(), 3);
}

#[test]
fn clients_do_not_see_the_depot() {
    let f = Fixture::new();
    let s = f.create("f:s");
    f.write(s, WriteAt::Offset(0), &vec![7; 100_000]).unwrap();
    let root = f.open("");
    assert_eq!(f.names(root, "*"), ["f"]);
    for name in [
        ".sansmb-streams",
        ".SANSMB-Streams",
        ".\u{17f}ansmb-streams",
    ] {
        assert!(f.try_open(name, DataAccess::Read).is_err(), "{name}");
        assert!(f.try_open(&format!("{name}\\x"), DataAccess::Read).is_err());
    }
}

/// The data belong to the server, whoever writes them.
#[test]
fn users_do_not_own_the_depot() {
    let mut f = Fixture::new();
    host::set_permissions(f.path(""), host::Permissions::from_mode(0o777)).unwrap();
    f.by = Identity {
        admin: false,
        kind: IdentityKind::User,
        uid: Some(12345),
        gid: Some(12345),
        ..Identity::system()
    };
    let long = vec![7; 100_000];
    for name in ["f:s", "d:s"] {
        if name == "d:s" {
            f.mkdir("d");
        }
        let s = f.create(name);
        f.write(s, WriteAt::Offset(0), &long).unwrap();
        f.write(s, WriteAt::Offset(99_999), b"89").unwrap();
        assert_eq!(f.read(f.open(name), 0, 200_000).len(), 100_001);
    }
    let depot = host::metadata(f.path(depot::NAME)).unwrap();
    assert_eq!(depot.uid(), rustix::process::geteuid().as_raw());
    assert_eq!(depot.mode() & 0o777, 0o700);
    let s = f.open("f:s");
    f.rename(s, "f:s", "f:t", false).unwrap();
    assert_eq!(f.read(s, 0, 200_000).len(), 100_001);
    let file = f.open("f");
    f.remove(file, "f").unwrap();
    assert_eq!(f.read(s, 0, 3), [7; 3]);
    assert_eq!(sides(&f), 1);
}
