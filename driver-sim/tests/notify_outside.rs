//! Changes that other programs of the host make, as CHANGE_NOTIFY tells them.

use driver_sim::client::ops;
use driver_sim::pair::{Pair, Tree};
use smb_engine::config::BackendId;
use smb_engine::identity::Identity;
use smb_engine::vfs::{
    Backend, Capabilities, DataAccess, Location, OpenHow, Outside, SharePath, VfsError, VfsOp,
    VfsReply,
};
use smb_proto::NtStatus;
use smb_proto::dtyp::AccessMask;
use smb_proto::id::{FileId, MessageId};
use smb_proto::info::FileInfoClass;
use smb_proto::info::file::FileRenameInformation;
use smb_proto::info::notify::{Action, parse};
use smb_proto::msg::change_notify::CompletionFilter as F;
use smb_proto::msg::create::CreateDisposition;
use smb_proto::msg::{Response, create};
use smb_proto::wire::Writer;

const NAMES: F = F::FILE_NAME.union(F::DIR_NAME);

fn world() -> (Pair, Tree, FileId) {
    let mut pair = Pair::new();
    pair.fs().make_dir("d\\sub").unwrap();
    pair.fs().write_file("d\\old", b"x").unwrap();
    let tree = pair.mount();
    let dir = open_dir(&mut pair, tree, "d");
    (pair, tree, dir)
}

fn open_dir(pair: &mut Pair, tree: Tree, name: &str) -> FileId {
    let request = create::Request {
        desired_access: AccessMask::FILE_GENERIC_READ,
        ..ops::open_dir(name)
    };
    pair.create(tree, request).unwrap().file_id
}

fn told(pair: &mut Pair, tree: Tree, id: MessageId) -> Result<Vec<(Action, String)>, NtStatus> {
    let reply = pair.wait(tree.end, id);
    match (&reply.body, reply.status()) {
        (Response::ChangeNotify(r), NtStatus::SUCCESS) => Ok(parse(&r.output)
            .unwrap()
            .into_iter()
            .map(|c| (c.action, c.name))
            .collect()),
        (_, status) => Err(status),
    }
}

fn at(path: &str) -> SharePath {
    SharePath::new(path).unwrap()
}

/// Another program removes or renames something.
fn outside(pair: &mut Pair, name: &str, to: Option<&str>) {
    let by = Identity::system();
    let fs = pair.fs();
    let how = OpenHow {
        data: DataAccess::None,
        open_reparse: true,
    };
    let open = VfsOp::Open {
        at: Location::from(at(name)),
        how,
    };
    let Ok(VfsReply::Opened(opened)) = fs.execute(&by, open) else {
        panic!("{name} is not there")
    };
    let (handle, from) = (opened.handle, opened.at);
    let op = match to {
        None => VfsOp::Remove { handle, at: from },
        Some(to) => VfsOp::Rename {
            handle,
            from,
            to: Location::from(at(to)),
            replace: true,
        },
    };
    fs.execute(&by, op).unwrap();
    fs.execute(&by, VfsOp::Close { handle }).unwrap();
    pair.run();
}

#[test]
fn what_others_do_is_told() {
    let (mut pair, tree, dir) = world();
    let id = pair.start(tree, ops::notify(dir, NAMES | F::SIZE, true));
    pair.fs().write_file("d\\new", b"").unwrap();
    pair.run();
    let first = told(&mut pair, tree, id).unwrap();
    assert_eq!(first, [(Action::ADDED, "new".to_owned())]);
    pair.fs().write_file("d\\sub\\x", b"data").unwrap();
    outside(&mut pair, "d\\new", Some("d\\newer"));
    outside(&mut pair, "d\\newer", Some("moved"));
    outside(&mut pair, "d\\old", None);
    let id = pair.start(tree, ops::notify(dir, NAMES, true));
    let expected = [
        (Action::MODIFIED, "new"),
        (Action::ADDED, "sub\\x"),
        (Action::MODIFIED, "sub\\x"),
        (Action::RENAMED_OLD_NAME, "new"),
        (Action::RENAMED_NEW_NAME, "newer"),
        (Action::REMOVED, "newer"),
        (Action::REMOVED, "old"),
    ];
    let expected: Vec<_> = expected.map(|(a, n)| (a, n.to_owned())).into();
    assert_eq!(told(&mut pair, tree, id), Ok(expected));
    pair.finish();
}

#[test]
fn nobody_who_does_not_watch_beneath_is_told_of_it() {
    let (mut pair, tree, dir) = world();
    let id = pair.start(tree, ops::notify(dir, NAMES, false));
    pair.fs().write_file("d\\sub\\x", b"").unwrap();
    pair.fs().write_file("y", b"").unwrap();
    pair.run();
    assert!(pair.reply(tree.end, id).is_none());
    pair.fs().make_dir("d\\z").unwrap();
    pair.run();
    let z = vec![(Action::ADDED, "z".to_owned())];
    assert_eq!(told(&mut pair, tree, id), Ok(z));
    pair.finish();
}

#[test]
fn own_changes_are_told_once_however_early_the_host_tells_them() {
    let (mut pair, tree, dir) = world();
    let id = pair.start(tree, ops::notify(dir, NAMES | F::SIZE, false));
    pair.hold(|op| matches!(op, VfsOp::Create { .. }));
    let made = pair.start(tree, ops::create("d\\x", CreateDisposition::Create));
    assert_eq!(pair.held(), 1);
    // The host tells of the file before the operation is answered.
    let added = |name: &str| Outside::Added {
        at: at(name),
        directory: false,
    };
    let (now, backend) = (pair.now(), BackendId(0));
    pair.engine().outside(now, backend, added("d\\x"));
    pair.run();
    assert!(pair.reply(tree.end, id).is_none(), "it is not there yet");
    pair.engine().outside(now, backend, added("d\\other"));
    pair.run();
    let other = vec![(Action::ADDED, "other".to_owned())];
    assert_eq!(told(&mut pair, tree, id), Ok(other));
    pair.release();
    assert_eq!(pair.wait(tree.end, made).status(), NtStatus::SUCCESS);
    let id = pair.start(tree, ops::notify(dir, NAMES, false));
    let once = vec![(Action::ADDED, "x".to_owned())];
    assert_eq!(told(&mut pair, tree, id), Ok(once));
    pair.finish();
}

#[test]
fn what_another_made_first_is_told_although_we_wanted_to() {
    let (mut pair, tree, dir) = world();
    let id = pair.start(tree, ops::notify(dir, NAMES, false));
    pair.hold(|op| matches!(op, VfsOp::Create { .. }));
    let made = pair.start(tree, ops::create("d\\x", CreateDisposition::Create));
    pair.fs().write_file("d\\x", b"").unwrap();
    pair.run();
    assert!(pair.reply(tree.end, id).is_none(), "it may be ours");
    pair.release();
    let status = pair.wait(tree.end, made).status();
    assert_eq!(status, NtStatus::OBJECT_NAME_COLLISION);
    let theirs = vec![(Action::ADDED, "x".to_owned())];
    assert_eq!(told(&mut pair, tree, id), Ok(theirs));
    pair.finish();
}

#[test]
fn what_another_removes_right_after_is_told_after() {
    // The host tells only what the test lets it tell.
    let mut pair = Pair::builder()
        .config(|c| {
            for share in &mut c.shares {
                share.capabilities.remove(Capabilities::WATCH);
            }
        })
        .build();
    pair.fs().make_dir("d").unwrap();
    let tree = pair.mount();
    let dir = open_dir(&mut pair, tree, "d");
    let id = pair.start(tree, ops::notify(dir, NAMES, false));
    pair.hold(|op| matches!(op, VfsOp::Create { .. }));
    let made = pair.start(tree, ops::create("d\\x", CreateDisposition::Create));
    let (now, backend) = (pair.now(), BackendId(0));
    let (name, directory) = (at("d\\x"), false);
    let happened = [
        Outside::Added {
            at: name.clone(),
            directory,
        },
        Outside::Removed {
            at: name,
            directory,
        },
    ];
    for what in happened {
        pair.engine().outside(now, backend, what);
    }
    pair.release();
    assert_eq!(pair.wait(tree.end, made).status(), NtStatus::SUCCESS);
    let came = vec![(Action::ADDED, "x".to_owned())];
    assert_eq!(told(&mut pair, tree, id), Ok(came));
    let id = pair.start(tree, ops::notify(dir, NAMES, false));
    let went = vec![(Action::REMOVED, "x".to_owned())];
    assert_eq!(told(&mut pair, tree, id), Ok(went));
    pair.finish();
}

#[test]
fn a_watched_directory_is_followed_when_others_rename_it_and_given_up_when_they_remove_it() {
    let (mut pair, tree, _) = world();
    let sub = open_dir(&mut pair, tree, "d\\sub");
    let id = pair.start(tree, ops::notify(sub, NAMES, false));
    let again = pair.start(tree, ops::notify(sub, NAMES, false));
    outside(&mut pair, "d\\sub", Some("d\\renamed"));
    pair.fs().write_file("d\\renamed\\x", b"").unwrap();
    pair.run();
    let x = vec![(Action::ADDED, "x".to_owned())];
    assert_eq!(told(&mut pair, tree, id), Ok(x));
    outside(&mut pair, "d\\renamed\\x", None);
    let went = vec![(Action::REMOVED, "x".to_owned())];
    assert_eq!(told(&mut pair, tree, again), Ok(went));
    let id = pair.start(tree, ops::notify(sub, NAMES, false));
    let again = pair.start(tree, ops::notify(sub, NAMES, false));
    outside(&mut pair, "d\\renamed", None);
    for id in [id, again] {
        assert_eq!(told(&mut pair, tree, id), Err(NtStatus::DELETE_PENDING));
    }
    pair.finish();
}

#[test]
fn what_the_host_loses_is_to_be_listed_anew() {
    let (mut pair, tree, dir) = world();
    let id = pair.start(tree, ops::notify(dir, NAMES, false));
    let now = pair.now();
    // Of another file system.
    pair.engine().outside(now, BackendId(7), Outside::Lost);
    pair.run();
    assert!(pair.reply(tree.end, id).is_none());
    pair.engine().outside(now, BackendId(0), Outside::Lost);
    pair.run();
    assert_eq!(told(&mut pair, tree, id), Err(NtStatus::NOTIFY_ENUM_DIR));
    pair.finish();
}

#[test]
fn filters_hold_for_what_others_change() {
    let (mut pair, tree, dir) = world();
    let now = pair.now();
    let touched = Outside::Touched { at: at("d\\old") };
    let written = Outside::Written { at: at("d\\old") };
    let modified = vec![(Action::MODIFIED, "old".to_owned())];
    for (filter, silent, loud) in [
        (F::SIZE, &touched, &written),
        (F::ATTRIBUTES, &written, &touched),
        (F::SECURITY, &written, &touched),
        (F::EA, &written, &touched),
    ] {
        let watch = open_dir(&mut pair, tree, "d");
        let id = pair.start(tree, ops::notify(watch, filter, false));
        pair.engine().outside(now, BackendId(0), silent.clone());
        pair.run();
        assert!(pair.reply(tree.end, id).is_none(), "{filter:?}");
        pair.engine().outside(now, BackendId(0), loud.clone());
        pair.run();
        assert_eq!(told(&mut pair, tree, id).as_ref(), Ok(&modified));
    }
    pair.close(tree, dir).unwrap();
    pair.finish();
}

#[test]
fn ways_to_end_while_the_host_begins_to_watch() {
    let (mut pair, tree, dir) = world();
    pair.hold(|op| matches!(op, VfsOp::Watch { .. }));
    let id = pair.start(tree, ops::notify(dir, NAMES, false));
    pair.client(tree.end).cancel(id);
    pair.release();
    assert_eq!(told(&mut pair, tree, id), Err(NtStatus::CANCELLED));

    pair.hold(|op| matches!(op, VfsOp::Watch { .. }));
    let other = open_dir(&mut pair, tree, "d");
    let id = pair.start(tree, ops::notify(other, NAMES, false));
    // What happens meanwhile through this server is seen.
    let file = pair.create_new(tree, "d\\y").unwrap();
    pair.release();
    let y = vec![(Action::ADDED, "y".to_owned())];
    assert_eq!(told(&mut pair, tree, id), Ok(y));
    pair.close(tree, file).unwrap();

    pair.hold(|op| matches!(op, VfsOp::Watch { .. }));
    let third = open_dir(&mut pair, tree, "d");
    let id = pair.start(tree, ops::notify(third, NAMES, false));
    let close = pair.start(tree, ops::close(third));
    pair.release();
    assert_eq!(told(&mut pair, tree, id), Err(NtStatus::NOTIFY_CLEANUP));
    assert_eq!(pair.wait(tree.end, close).status(), NtStatus::SUCCESS);
    pair.finish();
}

#[test]
fn a_host_that_cannot_watch_more_leaves_the_rest_as_it_was() {
    let (mut pair, tree, dir) = world();
    pair.inject(|op| matches!(op, VfsOp::Watch { .. }).then_some(VfsError::NotSupported));
    let id = pair.start(tree, ops::notify(dir, NAMES, false));
    pair.fs().write_file("d\\theirs", b"").unwrap();
    pair.run();
    assert!(pair.reply(tree.end, id).is_none());
    let file = pair.create_new(tree, "d\\ours").unwrap();
    pair.close(tree, file).unwrap();
    let ours = vec![(Action::ADDED, "ours".to_owned())];
    assert_eq!(told(&mut pair, tree, id), Ok(ours));
    pair.finish();
}

#[test]
fn a_share_without_change_notification_says_so() {
    let mut pair = Pair::builder()
        .config(|c| c.shares.iter_mut().for_each(|s| s.change_notify = false))
        .build();
    let tree = pair.mount();
    let dir = open_dir(&mut pair, tree, "");
    let reply = pair.call(tree, ops::notify(dir, NAMES, false));
    assert_eq!(reply.status(), NtStatus::NOT_IMPLEMENTED);
    pair.finish();
}

#[test]
fn a_renamed_file_is_to_be_archived_anew() {
    let (mut pair, tree, dir) = world();
    let id = pair.start(tree, ops::notify(dir, F::ATTRIBUTES, false));
    let file = pair.open(tree, "d\\old").unwrap();
    let mut w = Writer::new();
    FileRenameInformation {
        replace_if_exists: false,
        root_directory: 0,
        file_name: "d\\renamed".to_owned(),
    }
    .encode(&mut w);
    let buffer = w.into_inner().freeze();
    pair.set_file(tree, file, FileInfoClass::Rename, buffer)
        .unwrap();
    let modified = vec![(Action::MODIFIED, "renamed".to_owned())];
    assert_eq!(told(&mut pair, tree, id), Ok(modified));
    pair.finish();
}
