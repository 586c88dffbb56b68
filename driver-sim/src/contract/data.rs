use smb_engine::vfs::{Creation, VfsError, VfsOp, WriteAt};
use smb_proto::info::FileAttributes;

use super::probe::{Probe, directory, file};

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| ((i * 7) ^ (i >> 8)) as u8 | 1).collect()
}

pub(super) fn written_is_read(p: &Probe<'_>) {
    let handle = p.make("f");
    for (offset, len) in [(0, 100_000), (50, 10), (99_990, 100), (4096, 4096)] {
        let data = pattern(len);
        p.write(handle, offset, &data);
        let back = p.read(handle, offset, u32::try_from(len).unwrap());
        assert!(back == data, "{len} bytes at {offset}");
    }
    assert_eq!(p.stat(handle).size, 100_090);
    // Short at the end, empty beyond it.
    assert_eq!(p.read(handle, 100_080, 100).len(), 10);
    assert!(p.read(handle, 100_090, 100).is_empty());
    assert!(p.read(handle, 1 << 40, 100).is_empty());
    assert!(p.read(handle, 0, 0).is_empty());
    p.write(handle, 5000, b"");
    assert_eq!(p.stat(handle).size, 100_090);
}

pub(super) fn holes(p: &Probe<'_>) {
    let handle = p.make("f");
    p.write(handle, 10_000, b"end");
    let data = p.read(handle, 0, 20_000);
    assert_eq!(data.len(), 10_003);
    assert!(data[..10_000].iter().all(|b| *b == 0));
    // Nothing written beyond the end does not make the file longer.
    p.write(handle, 20_000, b"");
    assert_eq!(p.stat(handle).size, 10_003);
}

pub(super) fn appended(p: &Probe<'_>) {
    let one = p.make("f");
    let two = p.open("f");
    for (handle, text) in [(one, "a"), (two, "bb"), (one, "ccc"), (two, "d")] {
        let written = p.try_write(handle, WriteAt::End, text.as_bytes());
        assert_eq!(written, Ok(text.len() as u64));
    }
    assert_eq!(p.read(one, 0, 100), b"abbcccd");
}

pub(super) fn sizes(p: &Probe<'_>) {
    let handle = p.make("f");
    p.write(handle, 0, &pattern(10_000));
    p.set_size(handle, 5000).unwrap();
    assert_eq!(p.stat(handle).size, 5000);
    assert!(p.read(handle, 0, 10_000) == pattern(10_000)[..5000]);
    // What was cut off does not come back.
    p.set_size(handle, 9000).unwrap();
    assert!(p.read(handle, 5000, 10_000) == [0; 4000]);
    p.set_size(handle, 0).unwrap();
    assert!(p.read(handle, 0, 10).is_empty());
}

pub(super) fn allocation(p: &Probe<'_>) {
    let handle = p.make("f");
    p.write(handle, 0, &pattern(10_000));
    p.set_allocation(handle, 100_000).unwrap();
    let info = p.stat(handle);
    assert_eq!(info.size, 10_000);
    assert!(info.allocation >= 10_000, "{}", info.allocation);
    assert!(p.read(handle, 0, 10_000) == pattern(10_000));
    p.set_allocation(handle, 4096).unwrap();
    assert_eq!(p.stat(handle).size, 4096);
    p.set_allocation(handle, 0).unwrap();
    assert_eq!(p.stat(handle).size, 0);
    let made = Creation {
        allocation: 65536,
        ..file()
    };
    let made = p.create("g", made).unwrap();
    assert_eq!(made.info.size, 0);
}

pub(super) fn overwritten(p: &Probe<'_>) {
    let made = Creation {
        attributes: FileAttributes::HIDDEN,
        ..file()
    };
    let opened = p.create("f", made).unwrap();
    p.write(opened.handle, 0, b"old content");
    let added = Creation {
        attributes: FileAttributes::SYSTEM,
        ..file()
    };
    let both = FileAttributes::HIDDEN | FileAttributes::SYSTEM;
    let info = p.overwrite(opened.handle, added.clone(), false);
    assert_eq!((info.size, info.node), (0, opened.info.node));
    assert_eq!(info.attributes & both, both);
    let info = p.overwrite(opened.handle, added, true);
    assert_eq!(info.attributes & both, FileAttributes::SYSTEM);
    assert_eq!(info, p.stat(opened.handle));
    assert!(p.content("f").is_empty());
}

pub(super) fn directories_have_none(p: &Probe<'_>) {
    let dir = p.create("d", directory()).unwrap().handle;
    assert_eq!(p.try_read(dir, 0, 1), Err(VfsError::IsADirectory));
    let written = p.try_write(dir, WriteAt::Offset(0), b"x");
    assert_eq!(written, Err(VfsError::IsADirectory));
    assert_eq!(p.set_size(dir, 1), Err(VfsError::IsADirectory));
    let handle = p.make("f");
    assert_eq!(
        p.list(handle, true, "*", 10).unwrap_err(),
        VfsError::NotADirectory
    );
    assert_eq!(p.check_empty(handle), Err(VfsError::NotADirectory));
}

pub(super) fn unlinked_content(p: &Probe<'_>) {
    let handle = p.make("f");
    p.write(handle, 0, b"still");
    p.remove(handle, "f").unwrap();
    assert!(p.is_missing("f"));
    assert_eq!(p.read(handle, 0, 10), b"still");
    p.write(handle, 5, b" here");
    assert_eq!(p.read(handle, 0, 10), b"still here");
    assert_eq!(p.stat(handle).size, 10);
    p.close(handle).unwrap();
}

pub(super) fn copied(p: &Probe<'_>) {
    let (from, to) = (p.make("from"), p.make("to"));
    let data = pattern(300_000);
    p.write(from, 0, &data);
    assert_eq!(p.copy((from, 1000), (to, 5), 200_000), Ok(200_000));
    assert_eq!(p.stat(to).size, 200_005);
    assert!(p.read(to, 5, 200_000) == data[1000..201_000]);
    // Short at the end of the source.
    assert_eq!(p.copy((from, 299_000), (to, 0), 5000), Ok(1000));
    assert_eq!(p.copy((from, 400_000), (to, 0), 5000), Ok(0));
    // Inside one file.
    assert_eq!(p.copy((from, 0), (from, 400_000), 100_000), Ok(100_000));
    assert!(p.read(from, 400_000, 100_000) == data[..100_000]);
}

pub(super) fn beyond_everything(p: &Probe<'_>) {
    let handle = p.make("f");
    for offset in [u64::MAX, u64::MAX - 1, 1 << 63] {
        let refused = p
            .try_write(handle, WriteAt::Offset(offset), b"xy")
            .unwrap_err();
        assert!(
            matches!(refused, VfsError::TooLarge | VfsError::Invalid),
            "{offset:#x}: {refused}"
        );
        let refused = p.set_size(handle, offset).unwrap_err();
        assert!(
            matches!(refused, VfsError::TooLarge | VfsError::Invalid),
            "{offset:#x}: {refused}"
        );
        assert!(p.try_read(handle, offset, 10).is_ok_and(|d| d.is_empty()));
    }
    assert_eq!(p.stat(handle).size, 0);
}

pub(super) fn flushed(p: &Probe<'_>) {
    let handle = p.make("f");
    let data = bytes::Bytes::from_static(b"safe");
    let op = VfsOp::Write {
        handle,
        at: WriteAt::Offset(0),
        data,
        through: true,
    };
    assert!(p.any(op).is_ok());
    p.done(VfsOp::Flush { handle }).unwrap();
    let dir = p.open("");
    p.done(VfsOp::Flush { handle: dir }).unwrap();
    assert_eq!(p.content("f"), b"safe");
}
