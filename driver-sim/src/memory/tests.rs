use super::*;

#[test]
fn a_tree_made_from_outside() {
    let fs = MemoryFs::new(7, FileTime(1));
    fs.write_file("Dir\\sub\\f.txt", b"hello").unwrap();
    fs.write_file("dir\\SUB\\F.TXT:s", b"xy").unwrap();
    assert_eq!(fs.read_file("DIR\\sub\\f.txt").unwrap(), b"hello");
    assert_eq!(fs.read_file("dir\\sub\\f.txt:S").unwrap(), b"xy");
    assert!(fs.exists("dir") && !fs.exists("dir\\x"));
    assert_eq!(
        fs.tree(),
        "\\ 0x0\n\\Dir 0x0\n\\Dir\\sub 0x0\n\\Dir\\sub\\f.txt 0x20 []5 [s]2\n"
    );
    assert_eq!(fs.open_handles(), 0);
    assert_eq!(fs.make_dir("dir\\sub\\f.txt"), Err(VfsError::NotADirectory));
}

#[test]
fn a_full_volume_refuses() {
    let fs = MemoryFs::new(7, FileTime(1));
    fs.write_file("f", b"").unwrap();
    fs.set_capacity(2);
    let by = Identity::system();
    let open = VfsOp::Open {
        at: smb_engine::vfs::SharePath::new("f").unwrap().into(),
        how: smb_engine::vfs::OpenHow {
            data: smb_engine::vfs::DataAccess::ReadWrite,
            open_reparse: false,
        },
    };
    let Ok(VfsReply::Opened(opened)) = fs.execute(&by, open) else {
        panic!("not opened");
    };
    let write = |len: usize| {
        fs.execute(
            &by,
            VfsOp::Write {
                handle: opened.handle,
                at: smb_engine::vfs::WriteAt::Offset(0),
                data: vec![1; len].into(),
                through: false,
            },
        )
    };
    assert_eq!(write(8193), Err(VfsError::NoSpace));
    assert_eq!(write(8192), Ok(VfsReply::Written(8192)));
}
