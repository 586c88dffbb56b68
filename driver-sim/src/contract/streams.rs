use smb_engine::vfs::{Creation, VfsError};

use super::probe::{Found, HOW, Probe, directory, file};

pub(super) fn apart(p: &Probe<'_>) {
    p.put("f", b"main");
    let stream = p.create("f:Str", file()).unwrap();
    assert_eq!(stream.at, p.at("f:Str"));
    assert_eq!(stream.info.size, 0);
    p.write(stream.handle, 0, b"in the stream");
    let node = p.open_full("f").info.node;
    assert_eq!(stream.info.node, node);
    assert_eq!(p.stat(stream.handle).size, 13);
    assert_eq!(p.content("f"), b"main");
    assert_eq!(p.content("F:sTR"), b"in the stream");
    assert_eq!(p.open_full("f:STR").at, p.at("f:Str"));
    p.set_size(stream.handle, 2).unwrap();
    assert_eq!(p.content("f:Str"), b"in");
    assert_eq!(p.create("f:STR", file()).unwrap_err(), VfsError::Exists);
    match p.find("f:other", HOW) {
        Ok(Found::Missing(m)) => assert_eq!(m.parent.node, node),
        other => panic!("{other:?}"),
    }
    // Holes and reads beyond the end, as in files.
    p.write(stream.handle, 10, b"x");
    assert_eq!(p.read(stream.handle, 0, 100), b"in\0\0\0\0\0\0\0\0x");
    assert!(p.read(stream.handle, 50, 1).is_empty());
}

pub(super) fn listed(p: &Probe<'_>) {
    p.put("f", b"main");
    let handle = p.open("f");
    assert_eq!(p.streams(handle).len(), 1);
    p.put("f:b", b"22");
    p.put("f:a", b"1");
    let streams = p.streams(handle);
    assert_eq!(streams[0].name, "");
    assert_eq!(streams[0].size, 4);
    let mut named: Vec<_> = streams[1..].iter().map(|s| (&s.name[..], s.size)).collect();
    named.sort_unstable();
    assert_eq!(named, [("a", 1), ("b", 2)]);
}

pub(super) fn removed(p: &Probe<'_>) {
    p.put("f", b"main");
    p.put("f:s", b"stream");
    let stream = p.open("f:s");
    let main = p.open("f");
    // Only through a handle on the stream itself.
    assert!(p.remove(main, "f:s").is_err());
    assert_eq!(p.content("f:s"), b"stream");
    p.remove(stream, "f:S").unwrap();
    assert!(p.is_missing("f:s"));
    assert_eq!(p.streams(main).len(), 1);
    assert_eq!(p.content("f"), b"main");
    // What is open lives on, and grows like any other.
    p.write(stream, 100_000, b"end");
    assert_eq!(p.stat(stream).size, 100_003);
    assert_eq!(p.read(stream, 0, 8), b"stream\0\0");
    assert_eq!(p.read(stream, 100_000, 8), b"end");
    assert!(p.is_missing("f:s"));
}

pub(super) fn renamed(p: &Probe<'_>) {
    p.put("f", b"main");
    p.put("f:one", b"1");
    p.put("f:two", b"2");
    let one = p.open("f:one");
    assert_eq!(
        p.rename(one, "f:one", "f:two", false),
        Err(VfsError::Exists)
    );
    p.rename(one, "f:one", "f:Three", false).unwrap();
    assert!(p.is_missing("f:one"));
    assert_eq!(p.content("f:three"), b"1");
    p.rename(one, "f:Three", "f:two", true).unwrap();
    assert_eq!(p.content("f:two"), b"1");
    assert_eq!(p.streams(one).len(), 2);
}

/// Overwriting a stream touches nothing else; overwriting the file takes its streams away.
pub(super) fn overwritten(p: &Probe<'_>) {
    p.put("f", b"main");
    p.put("f:s", b"stream");
    p.put("f:t", b"other");
    let stream = p.open("f:s");
    assert_eq!(p.overwrite(stream, file(), false).size, 0);
    assert_eq!(p.content("f"), b"main");
    assert_eq!(p.content("f:t"), b"other");
    p.close(stream).unwrap();
    let main = p.open("f");
    p.overwrite(main, file(), false);
    assert_eq!(p.streams(main).len(), 1);
    assert!(p.is_missing("f:s") && p.is_missing("f:t"));
}

pub(super) fn on_directories(p: &Probe<'_>) {
    p.make_dir("d");
    let dir = p.open("d");
    assert!(p.streams(dir).is_empty());
    let stream = p.create("d:s", file()).unwrap();
    assert!(!stream.info.is_directory());
    p.write(stream.handle, 0, b"of a directory");
    assert_eq!(p.content("d:s"), b"of a directory");
    assert_eq!(p.streams(dir).len(), 1);
    p.check_empty(dir).unwrap();
    let refused = p.create("d:t", directory());
    assert!(refused.is_err());
}

/// A stream of a file that is not there makes the file as well.
pub(super) fn created_with_file(p: &Probe<'_>) {
    let at = p.find("f:s", HOW).unwrap();
    assert!(matches!(at, Found::Missing(_)));
    let made = p.create("f:s", Creation { ..file() }).unwrap();
    p.write(made.handle, 0, b"x");
    assert_eq!(p.content("f"), b"");
    assert_eq!(p.content("f:s"), b"x");
    assert_eq!(
        p.create("missing\\f:s", file()).unwrap_err(),
        VfsError::PathNotFound
    );
}

pub(super) fn follow_the_file(p: &Probe<'_>) {
    p.put("f", b"main");
    p.put("f:s", b"stream");
    let (main, stream) = (p.open("f"), p.open("f:s"));
    p.rename(main, "f", "g", false).unwrap();
    assert_eq!(p.content("g:s"), b"stream");
    p.write(stream, 0, b"STREAM");
    assert_eq!(p.content("g:s"), b"STREAM");
    p.close(stream).unwrap();
    p.remove(main, "g").unwrap();
    p.close(main).unwrap();
    p.put("g", b"new");
    assert!(p.is_missing("g:s"));
}

/// A stream holds as much as a file, whatever the backend keeps small ones in.
pub(super) fn large(p: &Probe<'_>) {
    p.put("f", b"main");
    p.put("f:s", b"small");
    let stream = p.open("f:s");
    let data: Vec<u8> = (0..150_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    p.write(stream, 5, &data);
    let whole = [b"small", &data[..]].concat();
    assert_eq!(p.content("f:s"), whole);
    assert_eq!(p.streams(stream)[1].size, 150_005);
    p.rename(stream, "f:s", "f:t", false).unwrap();
    let main = p.open("f");
    p.rename(main, "f", "g", false).unwrap();
    assert_eq!(p.content("g:t"), whole);
    p.set_size(stream, 0).unwrap();
    assert!(p.content("g:t").is_empty());
    p.set_size(stream, 300_000).unwrap();
    assert_eq!(p.content("g:t"), vec![0; 300_000]);
    p.remove(stream, "g:t").unwrap();
    assert!(p.is_missing("g:t"));
    p.put("g:t", b"new");
    assert_eq!(p.content("g:t"), b"new");
}
