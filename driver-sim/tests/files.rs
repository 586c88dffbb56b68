//! Files and directories through the whole server.

use driver_sim::client::{ClientConfig, ops};
use driver_sim::pair::Pair;
use smb_proto::fsctl::FsctlCode;
use smb_proto::info::{FileAttributes, FileInfoClass, FsInfoClass, InfoType};
use smb_proto::msg::create::{CreateAction, CreateDisposition, CreateOptions};
use smb_proto::msg::{create, query_info};
use smb_proto::{Dialect, NtStatus};

/// Bytes that differ everywhere.
fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (i.wrapping_mul(31) ^ (i >> 8)) as u8)
        .collect()
}

#[test]
fn what_is_written_is_read() {
    for dialect in Dialect::ALL {
        for protect in [
            ClientConfig::signing as fn(ClientConfig) -> ClientConfig,
            ClientConfig::encrypting,
            std::convert::identity,
        ] {
            let mut pair = Pair::new();
            let end = pair.connect_as(protect(ClientConfig::only(dialect)));
            let tree = pair.mount_on(end);
            let file = pair.create_new(tree, "a.bin").unwrap();
            let data = pattern(200_001);
            // 2.0.2 has single-credit requests: 64 KiB at once.
            for (i, chunk) in data.chunks(65536).enumerate() {
                let written = pair.write(tree, file, i as u64 * 65536, chunk.to_vec());
                assert_eq!(written, Ok(chunk.len() as u32));
            }
            let mut back = Vec::new();
            while let Ok(part) = pair.read(tree, file, back.len() as u64, 65536) {
                back.extend_from_slice(&part);
            }
            assert_eq!(back, data, "{dialect}");
            assert_eq!(
                pair.read(tree, file, data.len() as u64, 10),
                Err(NtStatus::END_OF_FILE)
            );
            pair.flush(tree, file).unwrap();
            pair.close(tree, file).unwrap();
            assert_eq!(pair.close(tree, file), Err(NtStatus::FILE_CLOSED));
            assert_eq!(pair.fs().read_file("a.bin").unwrap(), data);
            pair.finish();
        }
    }
}

#[test]
fn eight_megabytes_at_once() {
    for protect in [
        ClientConfig::signing as fn(ClientConfig) -> ClientConfig,
        ClientConfig::encrypting,
    ] {
        let mut pair = Pair::new();
        let config = ClientConfig {
            credits: 512,
            ..protect(ClientConfig::default())
        };
        let end = pair.connect_as(config);
        let tree = pair.mount_on(end);
        let file = pair.create_new(tree, "big").unwrap();
        let data = pattern(8 << 20);
        assert_eq!(pair.write(tree, file, 0, data.clone()), Ok(8 << 20));
        assert_eq!(pair.read(tree, file, 0, 8 << 20).unwrap(), data);
        // One byte more than was negotiated.
        assert_eq!(
            pair.read(tree, file, 0, (8 << 20) + 1),
            Err(NtStatus::INVALID_PARAMETER)
        );
        pair.finish();
    }
}

#[test]
fn dispositions() {
    use CreateDisposition as D;
    let none = Err(NtStatus::OBJECT_NAME_NOT_FOUND);
    for (disposition, missing, present) in [
        (
            D::Supersede,
            Ok(CreateAction::CREATED),
            Ok(CreateAction::SUPERSEDED),
        ),
        (D::Open, none, Ok(CreateAction::OPENED)),
        (
            D::Create,
            Ok(CreateAction::CREATED),
            Err(NtStatus::OBJECT_NAME_COLLISION),
        ),
        (
            D::OpenIf,
            Ok(CreateAction::CREATED),
            Ok(CreateAction::OPENED),
        ),
        (D::Overwrite, none, Ok(CreateAction::OVERWRITTEN)),
        (
            D::OverwriteIf,
            Ok(CreateAction::CREATED),
            Ok(CreateAction::OVERWRITTEN),
        ),
    ] {
        let mut pair = Pair::new();
        let tree = pair.mount();
        pair.fs().write_file("there", b"content").unwrap();
        for (name, expected) in [("missing", missing), ("THERE", present)] {
            let reply = pair.create(tree, ops::create(name, disposition));
            assert_eq!(
                reply.as_ref().map(|r| r.create_action).map_err(|s| *s),
                expected,
                "{disposition:?} {name}"
            );
            if let Ok(reply) = reply {
                pair.close(tree, reply.file_id).unwrap();
            }
        }
        let kept = matches!(disposition, D::Open | D::Create | D::OpenIf);
        let left = if kept { &b"content"[..] } else { b"" };
        assert_eq!(pair.fs().read_file("there").unwrap(), left);
        pair.finish();
    }
}

#[test]
fn names_that_are_not_there() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    pair.fs().write_file("dir\\file", b"").unwrap();
    for (name, status) in [
        ("x", NtStatus::OBJECT_NAME_NOT_FOUND),
        ("dir\\x", NtStatus::OBJECT_NAME_NOT_FOUND),
        ("x\\y", NtStatus::OBJECT_PATH_NOT_FOUND),
        ("dir\\file\\y", NtStatus::OBJECT_PATH_NOT_FOUND),
        ("dir\\file:s", NtStatus::OBJECT_NAME_NOT_FOUND),
    ] {
        assert_eq!(pair.open(tree, name), Err(status), "{name}");
    }
    // A slash separates, and going up is fine as long as it stays inside.
    for name in ["dir/file", "dir\\..\\dir\\file"] {
        let file = pair.open(tree, name).unwrap();
        pair.close(tree, file).unwrap();
    }
    for name in [
        "a*b",
        "a?",
        "\\dir",
        "/dir",
        "..\\x",
        "dir\\..\\..\\dir",
        "a\0b",
    ] {
        let status = pair.open(tree, name).unwrap_err();
        assert!(
            matches!(
                status,
                NtStatus::OBJECT_NAME_INVALID
                    | NtStatus::INVALID_PARAMETER
                    | NtStatus::OBJECT_PATH_SYNTAX_BAD
            ),
            "{name:?}: {status}"
        );
    }
    pair.finish();
}

#[test]
fn files_and_directories_are_told_apart() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    pair.fs().write_file("dir\\file", b"").unwrap();
    assert_eq!(
        pair.create(tree, ops::open_dir("dir\\file")).unwrap_err(),
        NtStatus::NOT_A_DIRECTORY
    );
    let file_only = create::Request {
        create_options: CreateOptions::NON_DIRECTORY_FILE,
        ..ops::open("dir")
    };
    assert_eq!(
        pair.create(tree, file_only).unwrap_err(),
        NtStatus::FILE_IS_A_DIRECTORY
    );
    let dir = pair.create(tree, ops::make_dir("dir\\sub")).unwrap();
    assert!(dir.file_attributes.contains(FileAttributes::DIRECTORY));
    assert_eq!(
        pair.read(tree, dir.file_id, 0, 10),
        Err(NtStatus::INVALID_DEVICE_REQUEST)
    );
    assert_eq!(
        pair.create(tree, ops::make_dir("DIR\\SUB")).unwrap_err(),
        NtStatus::OBJECT_NAME_COLLISION
    );
    pair.finish();
}

#[test]
fn listing_a_large_directory() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let mut names: Vec<String> = (0..1500)
        .map(|i| match i % 4 {
            0 => format!("file {i}.txt"),
            1 => format!("дом {i}"),
            2 => format!("日本語 {i}.dat"),
            _ => format!("😀 {i}"),
        })
        .collect();
    for name in &names {
        pair.fs().write_file(&format!("d\\{name}"), b"x").unwrap();
    }
    let dir = pair.create(tree, ops::open_dir("d")).unwrap().file_id;
    let listed = pair.list(tree, dir, "*").unwrap();
    let mut seen: Vec<String> = listed.iter().map(|e| e.name.clone()).collect();
    assert_eq!(&seen[..2], [".", ".."]);
    seen.drain(..2);
    seen.sort();
    names.sort();
    assert_eq!(seen, names);
    assert!(listed[2..].iter().all(|e| e.end_of_file == 1));
    // A pattern is fixed by the first query of a walk, so a new open is needed.
    let dir = pair.create(tree, ops::open_dir("d")).unwrap().file_id;
    let some = pair.list(tree, dir, "FILE 1*.TXT").unwrap();
    let expected = names.iter().filter(|n| n.starts_with("file 1")).count();
    assert_eq!(some.len(), expected);
    let dir = pair.create(tree, ops::open_dir("d")).unwrap().file_id;
    assert_eq!(
        pair.list(tree, dir, "nothing*"),
        Err(NtStatus::NO_SUCH_FILE)
    );
    pair.finish();
}

#[test]
fn every_query_has_an_answer() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let file = pair.create_new(tree, "f").unwrap();
    pair.write(tree, file, 0, "12345").unwrap();
    let dir = pair.create(tree, ops::open_dir("")).unwrap().file_id;
    for open in [file, dir] {
        for code in 0..=255 {
            for kind in InfoType::ALL {
                let request = query_info::Request {
                    info_type: kind.code(),
                    file_info_class: code,
                    additional_information: 7,
                    ..ops::query_file(open, FileInfoClass::Basic)
                };
                let reply = pair.call(tree, request);
                assert_ne!(reply.status(), NtStatus::INTERNAL_ERROR, "{kind:?} {code}");
            }
        }
        for class in [
            FileInfoClass::Basic,
            FileInfoClass::Standard,
            FileInfoClass::Internal,
            FileInfoClass::Ea,
            FileInfoClass::Access,
            FileInfoClass::Position,
            FileInfoClass::Mode,
            FileInfoClass::Alignment,
            FileInfoClass::All,
            FileInfoClass::NetworkOpen,
            FileInfoClass::AttributeTag,
        ] {
            pair.query_file(tree, open, class)
                .unwrap_or_else(|status| panic!("{class:?}: {status}"));
        }
        for class in [
            FsInfoClass::Volume,
            FsInfoClass::Size,
            FsInfoClass::Device,
            FsInfoClass::Attribute,
            FsInfoClass::FullSize,
            FsInfoClass::SectorSize,
        ] {
            pair.query_fs(tree, open, class)
                .unwrap_or_else(|status| panic!("{class:?}: {status}"));
        }
    }
    pair.finish();
}

#[test]
fn every_fsctl_has_an_answer() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let file = pair.create_new(tree, "f").unwrap();
    // Function codes of the file system device, all methods.
    for code in (0x0009_0000..0x0009_0400)
        .chain(0x0011_c000..0x0011_c020)
        .chain(0x0014_0000..0x0014_0400)
    {
        // This one demands to be right, or closes the connection.
        if FsctlCode(code) == FsctlCode::VALIDATE_NEGOTIATE_INFO {
            continue;
        }
        for input in [&[][..], &[0xff; 64]] {
            let reply = pair.call(
                tree,
                ops::fsctl(file, FsctlCode(code), input.to_vec(), 4096),
            );
            assert_ne!(reply.status(), NtStatus::INTERNAL_ERROR, "{code:#x}");
        }
    }
    pair.finish();
}

#[test]
fn a_read_only_share_stays_as_it_is() {
    let mut pair = Pair::new();
    pair.fs().write_file("dir\\file", b"content").unwrap();
    let before = pair.fs().tree();
    let end = pair.connect();
    let files = pair.mount_on(end);
    let tree = pair.tree(end, files.target.session, "readonly").unwrap();
    for disposition in CreateDisposition::ALL {
        let request = ops::create("dir\\file", disposition);
        let expected = match disposition {
            CreateDisposition::Create => NtStatus::OBJECT_NAME_COLLISION,
            _ => NtStatus::ACCESS_DENIED,
        };
        let status = pair.create(tree, request).map(|_| ());
        assert_eq!(status, Err(expected), "{disposition:?}");
    }
    let new = pair.create_new(tree, "new").unwrap_err();
    assert!(
        matches!(
            new,
            NtStatus::ACCESS_DENIED | NtStatus::MEDIA_WRITE_PROTECTED
        ),
        "{new}"
    );
    let read = create::Request {
        desired_access: smb_proto::dtyp::AccessMask::GENERIC_READ,
        ..ops::open("dir\\file")
    };
    let file = pair.create(tree, read).unwrap().file_id;
    assert_eq!(pair.read(tree, file, 0, 100).unwrap(), &b"content"[..]);
    assert_eq!(pair.write(tree, file, 0, "x"), Err(NtStatus::ACCESS_DENIED));
    assert_eq!(pair.fs().tree(), before);
    pair.finish();
}

#[test]
fn a_durable_open_that_is_not_there_is_not_found() {
    // [MS-SMB2] 3.3.5.9.7: nothing else in such a request counts, so clients leave it empty.
    let mut pair = Pair::new();
    let tree = pair.mount();
    let file = pair
        .create(tree, ops::create("a", CreateDisposition::Create))
        .unwrap();
    let file_id = file.file_id;
    let request = create::Request {
        desired_access: smb_proto::dtyp::AccessMask::empty(),
        create_disposition: CreateDisposition::Supersede.into(),
        contexts: vec![smb_proto::create_ctx::DurableReconnect { file_id }.to_raw()],
        ..ops::open("a")
    };
    let refused = pair.create(tree, request).map(|_| ());
    assert_eq!(refused, Err(NtStatus::OBJECT_NAME_NOT_FOUND));
    pair.close(tree, file_id).unwrap();
    pair.finish();
}
