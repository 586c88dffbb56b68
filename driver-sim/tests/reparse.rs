//! Reparse points as clients meet them: opens that stop at a link and tell where it leads ([MS-SMB2]
//! 2.2.2.2.1), opens that want the link itself, and how listings and queries show them.

use bytes::Bytes;
use driver_sim::client::{ClientConfig, ops};
use driver_sim::pair::{Pair, Tree};
use smb_proto::dtyp::Guid;
use smb_proto::fsctl::FsctlCode;
use smb_proto::fsctl::reparse::{
    MountPoint, NfsSpecialFile, ReparseDataBuffer, ReparsePoint, ReparseTag, SymbolicLink,
    SymlinkFlags,
};
use smb_proto::id::FileId;
use smb_proto::info::file::{
    FileAttributeTagInformation, FileLinkInformation, FileRenameInformation,
};
use smb_proto::info::{FileAttributes, FileInfoClass};
use smb_proto::msg::create::{self, CreateDisposition, CreateOptions, ResponseFlags};
use smb_proto::msg::error::{SymbolicLink as Stopped, SymlinkFlags as StoppedFlags};
use smb_proto::msg::{Response, error};
use smb_proto::wire::Writer;
use smb_proto::{Dialect, NtStatus};

fn bytes(encode: impl FnOnce(&mut Writer)) -> Bytes {
    let mut w = Writer::new();
    encode(&mut w);
    w.into_inner().freeze()
}

fn link(target: &str, flags: SymlinkFlags) -> ReparsePoint {
    ReparsePoint::SymbolicLink(SymbolicLink {
        substitute_name: target.to_owned(),
        print_name: target.to_owned(),
        flags,
    })
}

fn set(pair: &mut Pair, tree: Tree, file: FileId, buffer: &ReparseDataBuffer) -> NtStatus {
    let input = bytes(|w| buffer.encode(w));
    let code = FsctlCode::SET_REPARSE_POINT;
    pair.call(tree, ops::fsctl(file, code, input, 0)).status()
}

fn delete(pair: &mut Pair, tree: Tree, file: FileId, tag: u32, guid: Option<Guid>) -> NtStatus {
    let buffer = ReparseDataBuffer {
        tag: ReparseTag(tag),
        guid,
        data: Bytes::new(),
    };
    let input = bytes(|w| buffer.encode(w));
    let code = FsctlCode::DELETE_REPARSE_POINT;
    pair.call(tree, ops::fsctl(file, code, input, 0)).status()
}

/// Makes the file or directory `name` a reparse point.
fn make(pair: &mut Pair, tree: Tree, name: &str, directory: bool, point: &ReparsePoint) {
    let request = if directory {
        ops::make_dir(name)
    } else {
        ops::create(name, CreateDisposition::Create)
    };
    let file = pair.create(tree, request).unwrap().file_id;
    let status = set(pair, tree, file, &point.to_buffer());
    assert_eq!(status, NtStatus::SUCCESS, "{name}");
    pair.close(tree, file).unwrap();
}

fn itself(name: &str) -> create::Request {
    create::Request {
        create_options: CreateOptions::OPEN_REPARSE_POINT,
        ..ops::open(name)
    }
}

/// What a CREATE that stopped at a link tells.
fn stopped(pair: &mut Pair, tree: Tree, request: create::Request) -> (error::Response, Stopped) {
    let name = request.name.clone();
    let reply = pair.call(tree, request);
    assert_eq!(reply.status(), NtStatus::STOPPED_ON_SYMLINK, "{name}");
    let Response::Error(body) = reply.body else {
        panic!("{name}: {:?}", reply.body)
    };
    let told = Stopped::parse(body.status_data().unwrap()).unwrap();
    (body, told)
}

#[test]
fn an_open_that_stops_tells_where_the_link_leads() {
    for dialect in Dialect::ALL {
        let mut pair = Pair::new();
        let end = pair.connect_as(ClientConfig::only(dialect));
        let tree = pair.mount_on(end);
        pair.fs().write_file("d\\f", b"content").unwrap();
        make(
            &mut pair,
            tree,
            "d\\Link",
            false,
            &link("..\\f", SymlinkFlags::RELATIVE),
        );
        let absolute = "\\??\\UNC\\other\\share\\x";
        make(
            &mut pair,
            tree,
            "away",
            true,
            &link(absolute, SymlinkFlags::empty()),
        );
        for (name, behind, target, relative) in [
            ("d\\Link", "", "..\\f", true),
            ("D\\LINK", "", "..\\f", true),
            ("d\\link:stream", ":stream", "..\\f", true),
            ("d\\link\\x", "\\x", "..\\f", true),
            ("away", "", absolute, false),
            ("away\\a\\\u{1f980}", "\\a\\\u{1f980}", absolute, false),
        ] {
            for disposition in [
                CreateDisposition::Open,
                CreateDisposition::Create,
                CreateDisposition::OpenIf,
                CreateDisposition::Supersede,
            ] {
                let request = ops::create(name, disposition);
                let (body, told) = stopped(&mut pair, tree, request);
                let contexts = matches!(body.data, error::ErrorData::Contexts(_));
                assert_eq!(contexts, dialect == Dialect::Smb311);
                let mut flags = StoppedFlags::empty();
                flags.set(StoppedFlags::RELATIVE, relative);
                let unparsed = u16::try_from(2 * behind.encode_utf16().count()).unwrap();
                assert_eq!(
                    told,
                    Stopped {
                        unparsed_path_length: unparsed,
                        substitute_name: target.to_owned(),
                        print_name: target.to_owned(),
                        flags,
                    },
                    "{name} {disposition:?}"
                );
            }
        }
        // Who wants the link gets it, but nothing behind it.
        let opened = pair.create(tree, itself("d\\Link")).unwrap();
        assert!(
            opened
                .file_attributes
                .contains(FileAttributes::REPARSE_POINT)
        );
        let shown = opened.flags.contains(ResponseFlags::REPARSEPOINT);
        assert_eq!(shown, dialect.is_smb3());
        let (_, told) = stopped(&mut pair, tree, itself("away\\x"));
        assert_eq!(told.unparsed_path_length, 4);
        pair.close(tree, opened.file_id).unwrap();
        assert_eq!(pair.fs().read_file("d\\f").unwrap(), b"content");
        pair.finish();
    }
}

#[test]
fn points_of_other_tags_open_only_as_themselves() {
    let mut pair = Pair::new();
    let tree = pair.mount();
    let mount = ReparsePoint::MountPoint(MountPoint {
        substitute_name: "\\??\\C:\\".to_owned(),
        print_name: "C:\\".to_owned(),
    });
    let device = ReparsePoint::Nfs(NfsSpecialFile::CharDevice { major: 1, minor: 3 });
    for (name, directory, point) in [
        ("mount", true, mount),
        ("fifo", false, ReparsePoint::Nfs(NfsSpecialFile::Fifo)),
        ("device", false, device),
        ("lx", false, ReparsePoint::LxFifo),
        ("socket", false, ReparsePoint::AfUnix),
        (
            "lxlink",
            false,
            ReparsePoint::LxSymlink(Bytes::from_static(b"/etc/passwd")),
        ),
    ] {
        make(&mut pair, tree, name, directory, &point);
        let refused = pair.create(tree, ops::open(name)).unwrap_err();
        assert_eq!(refused, NtStatus::IO_REPARSE_TAG_NOT_HANDLED, "{name}");
        let again = ops::create(name, CreateDisposition::Create);
        let refused = pair.create(tree, again).unwrap_err();
        assert_eq!(refused, NtStatus::OBJECT_NAME_COLLISION, "{name}");
        let opened = pair.create(tree, itself(name)).unwrap();
        let file = opened.file_id;
        let code = FsctlCode::GET_REPARSE_POINT;
        let reply = pair.call(tree, ops::fsctl(file, code, Bytes::new(), 4096));
        let Response::Ioctl(got) = reply.body else {
            panic!("{name}: {:?}", reply.body)
        };
        assert_eq!(got.output, bytes(|w| point.to_buffer().encode(w)), "{name}");
        let raw = pair
            .query_file(tree, file, FileInfoClass::AttributeTag)
            .unwrap();
        let told = FileAttributeTagInformation::parse(&raw).unwrap();
        assert_eq!(told.reparse_tag, point.tag().0, "{name}");
        assert!(told.attributes.contains(FileAttributes::REPARSE_POINT));
        pair.close(tree, file).unwrap();
    }
    let root = pair.create(tree, ops::open_dir("")).unwrap().file_id;
    for entry in pair.list(tree, root, "*").unwrap() {
        let point = !matches!(entry.name.as_str(), "." | "..");
        let shown = entry.attributes.contains(FileAttributes::REPARSE_POINT);
        // The tag takes the place of EaSize, [MS-FSCC] 2.4.18.
        assert_eq!(
            (shown, entry.reparse_tag != 0),
            (point, point),
            "{}",
            entry.name
        );
    }
    pair.finish();
}

#[test]
fn mount_points_are_directories_and_owners_are_respected() {
    let mut pair = Pair::new();
    pair.fs().write_file("f", b"").unwrap();
    pair.fs().write_file("full\\x", b"").unwrap();
    let tree = pair.mount();
    let file = pair.open(tree, "f").unwrap();
    let mount = ReparsePoint::MountPoint(MountPoint {
        substitute_name: "\\??\\C:\\".to_owned(),
        print_name: String::new(),
    });
    let refused = set(&mut pair, tree, file, &mount.to_buffer());
    assert_eq!(refused, NtStatus::NOT_A_DIRECTORY);
    let full = pair.create(tree, ops::open_dir("full")).unwrap().file_id;
    let refused = set(&mut pair, tree, full, &mount.to_buffer());
    assert_eq!(refused, NtStatus::DIRECTORY_NOT_EMPTY);

    let owner = |byte| Some(Guid::from_bytes([byte; 16]));
    let foreign = |tag, byte| ReparseDataBuffer {
        tag: ReparseTag(tag),
        guid: owner(byte),
        data: Bytes::from_static(b"data"),
    };
    for (tag, guid, expected) in [
        (42, 1, NtStatus::SUCCESS),
        (42, 1, NtStatus::SUCCESS),
        (43, 1, NtStatus::IO_REPARSE_TAG_MISMATCH),
        (42, 2, NtStatus::REPARSE_ATTRIBUTE_CONFLICT),
    ] {
        let got = set(&mut pair, tree, file, &foreign(tag, guid));
        assert_eq!(got, expected, "set {tag} of {guid}");
    }
    for (tag, guid, expected) in [
        (43, owner(1), NtStatus::IO_REPARSE_TAG_MISMATCH),
        (42, owner(2), NtStatus::REPARSE_ATTRIBUTE_CONFLICT),
        (42, None, NtStatus::IO_REPARSE_DATA_INVALID),
        (42, owner(1), NtStatus::SUCCESS),
        (42, owner(1), NtStatus::NOT_A_REPARSE_POINT),
    ] {
        let got = delete(&mut pair, tree, file, tag, guid);
        assert_eq!(got, expected, "delete {tag} of {guid:?}");
    }
    pair.finish();
}

/// A rename or hard link into what is a link to the client is not carried out, wherever it leads.
#[test]
fn no_name_is_moved_behind_a_link() {
    let mut pair = Pair::new();
    pair.fs().write_file("f", b"content").unwrap();
    let tree = pair.mount();
    make(
        &mut pair,
        tree,
        "dir",
        true,
        &link("..\\..\\outside", SymlinkFlags::RELATIVE),
    );
    make(
        &mut pair,
        tree,
        "file",
        false,
        &link("\\??\\C:\\", SymlinkFlags::empty()),
    );
    let before = pair.fs().tree();
    let file = pair.open(tree, "f").unwrap();
    for (target, unparsed) in [("dir\\f", 4), ("DIR\\a\\b", 8), ("file\\f", 4)] {
        let rename = bytes(|w| {
            FileRenameInformation {
                replace_if_exists: true,
                root_directory: 0,
                file_name: target.to_owned(),
            }
            .encode(w);
        });
        let linked = bytes(|w| {
            FileLinkInformation {
                replace_if_exists: true,
                root_directory: 0,
                file_name: target.to_owned(),
            }
            .encode(w);
        });
        for (class, input) in [
            (FileInfoClass::Rename, rename),
            (FileInfoClass::Link, linked),
        ] {
            let reply = pair.call(tree, ops::set_file(file, class, input));
            let refused = reply.status();
            assert_eq!(refused, NtStatus::STOPPED_ON_SYMLINK, "{target} {class:?}");
            let Response::Error(body) = reply.body else {
                panic!("{target} {class:?}: {:?}", reply.body)
            };
            let told = Stopped::parse(body.status_data().unwrap()).unwrap();
            assert_eq!(told.unparsed_path_length, unparsed, "{target} {class:?}");
        }
    }
    assert_eq!(pair.fs().tree(), before);
    pair.finish();
}
