//! Change notification, [MS-SMB2] 3.3.5.19.

use driver_sim::client::{ClientEvent, ops};
use driver_sim::pair::{Pair, Tree};
use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::id::{FileId, MessageId};
use smb_proto::info::FileInfoClass;
use smb_proto::info::file::{
    FileBasicInformation, FileDispositionInformation, FileRenameInformation,
};
use smb_proto::info::notify::{Action, parse};
use smb_proto::msg::change_notify::{CompletionFilter as F, Request};
use smb_proto::msg::{Response, create, tree_disconnect};
use smb_proto::wire::Writer;

const NAMES: F = F::FILE_NAME.union(F::DIR_NAME);

fn world() -> (Pair, Tree, FileId) {
    let mut pair = Pair::new();
    pair.fs().make_dir("d\\sub").unwrap();
    pair.fs().make_dir("e").unwrap();
    let tree = pair.mount();
    // Who could delete the directory would keep others from renaming in it.
    let dir = pair
        .create(
            tree,
            create::Request {
                desired_access: AccessMask::FILE_GENERIC_READ,
                ..ops::open_dir("d")
            },
        )
        .unwrap()
        .file_id;
    (pair, tree, dir)
}

fn told(pair: &mut Pair, tree: Tree, id: MessageId) -> Result<Vec<(Action, String)>, NtStatus> {
    let reply = pair.wait(tree.end, id);
    match (&reply.body, reply.status()) {
        (Response::ChangeNotify(r), NtStatus::SUCCESS) => Ok(parse(&r.output)
            .unwrap()
            .into_iter()
            .map(|c| (c.action, c.name))
            .collect()),
        (Response::ChangeNotify(r), status) => {
            assert!(r.output.is_empty());
            Err(status)
        }
        (_, status) => Err(status),
    }
}

fn touch(pair: &mut Pair, tree: Tree, name: &str) {
    let file = pair.create_new(tree, name).unwrap();
    pair.close(tree, file).unwrap();
}

fn rename(pair: &mut Pair, tree: Tree, from: &str, to: &str) {
    let file = pair.open(tree, from).unwrap();
    let mut w = Writer::new();
    FileRenameInformation {
        replace_if_exists: false,
        root_directory: 0,
        file_name: to.to_owned(),
    }
    .encode(&mut w);
    let buffer = w.into_inner().freeze();
    pair.set_file(tree, file, FileInfoClass::Rename, buffer)
        .unwrap();
    pair.close(tree, file).unwrap();
}

fn delete(pair: &mut Pair, tree: Tree, file: FileId) {
    let mut w = Writer::new();
    FileDispositionInformation {
        delete_pending: true,
    }
    .encode(&mut w);
    let buffer = w.into_inner().freeze();
    pair.set_file(tree, file, FileInfoClass::Disposition, buffer)
        .unwrap();
}

#[test]
fn waits_and_is_told() {
    let (mut pair, tree, dir) = world();
    let id = pair.start(tree, ops::notify(dir, NAMES, false));
    let pending = pair
        .client_events(tree.end)
        .iter()
        .any(|e| matches!(e, ClientEvent::Interim { .. }));
    assert!(pending, "the interim answer comes at once");
    touch(&mut pair, tree, "e\\x");
    touch(&mut pair, tree, "d\\sub\\x");
    assert!(pair.reply(tree.end, id).is_none());
    touch(&mut pair, tree, "d\\new");
    assert_eq!(
        told(&mut pair, tree, id),
        Ok(vec![(Action::ADDED, "new".to_owned())])
    );
    pair.finish();
}

#[test]
fn changes_between_requests_are_kept() {
    let (mut pair, tree, dir) = world();
    let id = pair.start(tree, ops::notify(dir, NAMES, true));
    touch(&mut pair, tree, "d\\a");
    told(&mut pair, tree, id).unwrap();
    touch(&mut pair, tree, "d\\sub\\b");
    rename(&mut pair, tree, "d\\a", "d\\c");
    rename(&mut pair, tree, "d\\c", "e\\c");
    rename(&mut pair, tree, "e\\c", "d\\sub\\c");
    let file = pair.open(tree, "d\\sub\\c").unwrap();
    delete(&mut pair, tree, file);
    pair.close(tree, file).unwrap();
    // Filter and scope of later requests do not count.
    let id = pair.start(tree, ops::notify(dir, F::SECURITY, false));
    let expected = [
        (Action::ADDED, "sub\\b"),
        (Action::RENAMED_OLD_NAME, "a"),
        (Action::RENAMED_NEW_NAME, "c"),
        (Action::REMOVED, "c"),
        (Action::ADDED, "sub\\c"),
        (Action::REMOVED, "sub\\c"),
    ];
    let expected: Vec<_> = expected.map(|(a, n)| (a, n.to_owned())).into();
    assert_eq!(told(&mut pair, tree, id), Ok(expected));
    pair.finish();
}

#[test]
fn attributes_and_data() {
    let (mut pair, tree, dir) = world();
    touch(&mut pair, tree, "d\\f");
    let id = pair.start(tree, ops::notify(dir, F::ATTRIBUTES, false));
    let file = pair.open(tree, "d\\f").unwrap();
    let set = |attributes, time| {
        let mut w = Writer::new();
        FileBasicInformation {
            attributes,
            last_write_time: smb_proto::FileTime(time),
            ..FileBasicInformation::default()
        }
        .encode(&mut w);
        w.into_inner().freeze()
    };
    use smb_proto::info::FileAttributes as A;
    pair.set_file(tree, file, FileInfoClass::Basic, set(A::empty(), 1 << 56))
        .unwrap();
    assert!(pair.reply(tree.end, id).is_none(), "only a time changed");
    pair.set_file(tree, file, FileInfoClass::Basic, set(A::HIDDEN, 0))
        .unwrap();
    let modified = Ok(vec![(Action::MODIFIED, "f".to_owned())]);
    assert_eq!(told(&mut pair, tree, id), modified);
    let other = pair.create(tree, ops::open_dir("d")).unwrap().file_id;
    let id = pair.start(tree, ops::notify(other, F::SIZE, false));
    pair.write(tree, file, 0, "data").unwrap();
    assert_eq!(told(&mut pair, tree, id), modified);
    pair.finish();
}

#[test]
fn too_much_for_the_buffer() {
    let (mut pair, tree, dir) = world();
    let small = Request {
        output_buffer_length: 15,
        ..ops::notify(dir, NAMES, false)
    };
    let id = pair.start(tree, small);
    touch(&mut pair, tree, "d\\long-name");
    assert_eq!(told(&mut pair, tree, id), Err(NtStatus::NOTIFY_ENUM_DIR));
    // What was too much is not told again.
    let id = pair.start(tree, ops::notify(dir, NAMES, false));
    touch(&mut pair, tree, "d\\b");
    assert_eq!(
        told(&mut pair, tree, id),
        Ok(vec![(Action::ADDED, "b".to_owned())])
    );
    pair.finish();
}

#[test]
fn too_much_to_keep() {
    let mut pair = Pair::builder()
        .config(|c| c.limits.max_notify_bytes = 100)
        .build();
    pair.fs().make_dir("d").unwrap();
    let tree = pair.mount();
    let dir = pair.create(tree, ops::open_dir("d")).unwrap().file_id;
    let id = pair.start(tree, ops::notify(dir, NAMES, false));
    touch(&mut pair, tree, "d\\a");
    told(&mut pair, tree, id).unwrap();
    for i in 0..20 {
        touch(&mut pair, tree, &format!("d\\{i}"));
    }
    let id = pair.start(tree, ops::notify(dir, NAMES, false));
    assert_eq!(told(&mut pair, tree, id), Err(NtStatus::NOTIFY_ENUM_DIR));
    pair.finish();
}

#[test]
fn the_first_request_bounds_what_is_kept() {
    let (mut pair, tree, dir) = world();
    let small = Request {
        output_buffer_length: 13,
        ..ops::notify(dir, NAMES, false)
    };
    for request in [small, ops::notify(dir, NAMES, false)] {
        let id = pair.start(tree, request);
        touch(
            &mut pair,
            tree,
            &format!("d\\{}", request.output_buffer_length),
        );
        assert_eq!(told(&mut pair, tree, id), Err(NtStatus::NOTIFY_ENUM_DIR));
    }
    // Filter and scope stay too, so a later filter may be empty.
    let empty = ops::notify(dir, F::empty(), true);
    let id = pair.start(tree, empty);
    pair.client(tree.end).cancel(id);
    pair.run();
    assert_eq!(told(&mut pair, tree, id), Err(NtStatus::CANCELLED));
    pair.finish();
}

#[test]
fn ways_to_end() {
    let (mut pair, tree, dir) = world();
    let id = pair.start(tree, ops::notify(dir, NAMES, false));
    pair.client(tree.end).cancel(id);
    pair.run();
    assert_eq!(told(&mut pair, tree, id), Err(NtStatus::CANCELLED));

    let id = pair.start(tree, ops::notify(dir, NAMES, false));
    pair.close(tree, dir).unwrap();
    assert_eq!(told(&mut pair, tree, id), Err(NtStatus::NOTIFY_CLEANUP));

    let dir = pair.create(tree, ops::open_dir("d")).unwrap().file_id;
    let id = pair.start(tree, ops::notify(dir, NAMES, false));
    pair.call(tree, tree_disconnect::Request);
    assert_eq!(told(&mut pair, tree, id), Err(NtStatus::NOTIFY_CLEANUP));
    pair.finish();
}

#[test]
fn the_directory_itself_goes() {
    let (mut pair, tree, _) = world();
    let watch = pair.create(tree, ops::open_dir("e")).unwrap().file_id;
    let id = pair.start(tree, ops::notify(watch, NAMES, false));
    let dir = pair.create(tree, ops::open_dir("e")).unwrap().file_id;
    delete(&mut pair, tree, dir);
    assert_eq!(told(&mut pair, tree, id), Err(NtStatus::DELETE_PENDING));
    let id = pair.start(tree, ops::notify(watch, NAMES, false));
    assert_eq!(told(&mut pair, tree, id), Err(NtStatus::DELETE_PENDING));
    pair.finish();

    // The same by FILE_DELETE_ON_CLOSE of another open.
    let (mut pair, tree, _) = world();
    let watch = pair.create(tree, ops::open_dir("e")).unwrap().file_id;
    let id = pair.start(tree, ops::notify(watch, NAMES, false));
    let options = create::CreateOptions::DIRECTORY_FILE | create::CreateOptions::DELETE_ON_CLOSE;
    let dir = pair
        .create(
            tree,
            create::Request {
                create_options: options,
                ..ops::open("e")
            },
        )
        .unwrap()
        .file_id;
    assert!(pair.reply(tree.end, id).is_none());
    pair.close(tree, dir).unwrap();
    assert_eq!(told(&mut pair, tree, id), Err(NtStatus::DELETE_PENDING));
    pair.finish();
}

#[test]
fn several_requests_on_one_open() {
    let (mut pair, tree, dir) = world();
    let first = pair.start(tree, ops::notify(dir, NAMES, false));
    let second = pair.start(tree, ops::notify(dir, NAMES, false));
    touch(&mut pair, tree, "d\\a");
    assert!(told(&mut pair, tree, first).is_ok());
    assert!(pair.reply(tree.end, second).is_none());
    touch(&mut pair, tree, "d\\b");
    assert_eq!(
        told(&mut pair, tree, second),
        Ok(vec![(Action::ADDED, "b".to_owned())])
    );
    pair.finish();
}

#[test]
fn refusals() {
    let (mut pair, tree, dir) = world();
    let file = pair.create_new(tree, "f").unwrap();
    let blind = pair
        .create(
            tree,
            create::Request {
                desired_access: AccessMask::FILE_READ_ATTRIBUTES,
                ..ops::open_dir("d")
            },
        )
        .unwrap()
        .file_id;
    let too_long = Request {
        output_buffer_length: (8 << 20) + 1,
        ..ops::notify(dir, NAMES, false)
    };
    for (request, status) in [
        (ops::notify(file, NAMES, false), NtStatus::INVALID_PARAMETER),
        (ops::notify(blind, NAMES, false), NtStatus::ACCESS_DENIED),
        (
            ops::notify(dir, F::empty(), false),
            NtStatus::INVALID_PARAMETER,
        ),
        (too_long, NtStatus::INVALID_PARAMETER),
    ] {
        assert_eq!(pair.call(tree, request).status(), status);
    }
    pair.finish();
}
