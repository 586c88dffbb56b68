//! What every class that can be set says to too little data and to an open without the right:
//! [MS-SMB2] 3.3.5.21.1, [MS-FSA] 2.1.5.15.

use driver_sim::client::ops;
use driver_sim::pair::Pair;
use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::info::FileInfoClass;
use smb_proto::info::FileInfoClass as C;
use smb_proto::msg::create;

/// Classes, a good value of each in bytes, and the right that they need; none for what belongs to the
/// open itself, and for a link, which needs the right on the directory.
fn table() -> Vec<(FileInfoClass, Vec<u8>, Option<AccessMask>)> {
    // Flags, RootDirectory, length of the name, name.
    let name = |flags: u8| {
        let mut v = vec![flags, 0, 0, 0, 0, 0, 0, 0];
        v.extend([0; 8]);
        v.extend(2u32.to_le_bytes());
        v.extend([b'n', 0, 0, 0]);
        v
    };
    let n = |n: u64| n.to_le_bytes().to_vec();
    let ea = [&[0; 4][..], &[0, 1, 1, 0], b"E\0v"].concat();
    vec![
        (
            C::Basic,
            vec![0; 40],
            Some(AccessMask::FILE_WRITE_ATTRIBUTES),
        ),
        (C::Rename, name(0), Some(AccessMask::DELETE)),
        (C::RenameEx, name(0), Some(AccessMask::DELETE)),
        (C::Link, name(0), None),
        (C::LinkEx, name(0), None),
        (C::Disposition, vec![0], Some(AccessMask::DELETE)),
        (C::DispositionEx, vec![0; 4], Some(AccessMask::DELETE)),
        (C::Position, n(3), None),
        (C::Mode, vec![0; 4], None),
        (C::FullEa, ea, Some(AccessMask::FILE_WRITE_EA)),
        (C::Allocation, n(5), Some(AccessMask::FILE_WRITE_DATA)),
        (C::EndOfFile, n(5), Some(AccessMask::FILE_WRITE_DATA)),
    ]
}

#[test]
fn every_class_has_a_row() {
    let rows: Vec<_> = table().into_iter().map(|(class, ..)| class).collect();
    // Sets of these are refused whatever they say, or are about pipes or privileges.
    let others = [
        C::Quota,
        C::ObjectId,
        C::ReparsePoint,
        C::ShortName,
        C::Pipe,
    ];
    for &class in FileInfoClass::ALL {
        if class.uses().set && !others.contains(&class) && class != C::ValidDataLength {
            assert!(rows.contains(&class), "{class:?}");
        }
    }
}

#[test]
fn too_little_data_and_missing_rights() {
    for (class, good, right) in table() {
        let mut pair = Pair::new();
        pair.fs().write_file("f", b"hello").unwrap();
        let tree = pair.mount();
        let file = pair.open(tree, "f").unwrap();
        let least = class.set_min_len().unwrap_or(1);
        for len in 0..least {
            assert_eq!(
                pair.set_file(tree, file, class, good[..len].to_vec()),
                Err(NtStatus::INFO_LENGTH_MISMATCH),
                "{class:?} with {len} bytes"
            );
        }
        // Every right but the one; with none but that one it goes.
        let all = AccessMask::FILE_ALL_ACCESS;
        for (access, expected) in [
            (
                all.difference(right.unwrap_or(AccessMask::empty())),
                right.map_or(Ok(()), |_| Err(NtStatus::ACCESS_DENIED)),
            ),
            (right.unwrap_or(AccessMask::FILE_READ_ATTRIBUTES), Ok(())),
        ] {
            let request = create::Request {
                desired_access: access,
                ..ops::open("f")
            };
            pair.close(tree, file).ok();
            let open = pair.create(tree, request).unwrap().file_id;
            let done = pair.set_file(tree, open, class, good.clone());
            // The other way to set the name has been used up by the first round.
            let again = done == Err(NtStatus::OBJECT_NAME_COLLISION);
            assert!(done == expected || again, "{class:?} {access:?}: {done:?}");
            pair.close(tree, open).unwrap();
        }
        pair.finish();
    }
}
