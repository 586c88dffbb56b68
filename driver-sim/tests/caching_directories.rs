//! Leases on directories ([MS-SMB2] 3.3.1.4, 3.3.5.9.11): granted to clients of dialects 3.x, broken by
//! whatever changes what a listing shows, and not by who has the lease itself.

mod leasing;

use std::time::Duration;

use driver_sim::client::ops;
use driver_sim::pair::{Pair, Tree};
use leasing::*;
use smb_proto::id::{FileId, LeaseKey};
use smb_proto::info::FileAttributes;
use smb_proto::info::FileInfoClass;
use smb_proto::info::file::{
    FileBasicInformation, FileDispositionInformation, FileEndOfFileInformation,
    FileLinkInformation, FileRenameInformation,
};
use smb_proto::msg::create::{CreateDisposition, ShareAccess};
use smb_proto::msg::negotiate::GlobalCapabilities;
use smb_proto::{Dialect, NtStatus};

/// Two clients, of which the first has a lease on `d`.
struct Bed {
    pair: Pair,
    a: Tree,
    b: Tree,
    dir: FileId,
    epoch: u16,
}

const DIR: u8 = 1;

fn bed() -> Bed {
    let mut pair = server().build();
    let (a, b) = (client(&mut pair, 1), client(&mut pair, 2));
    let (dir, lease) = open_leased(&mut pair, a, dir("d"), key(DIR), RWH, None).unwrap();
    let lease = lease.unwrap();
    assert_eq!((lease.state, lease.v2.unwrap().epoch), (RH, 1));
    Bed {
        pair,
        a,
        b,
        dir,
        epoch: 1,
    }
}

fn parent() -> Option<LeaseKey> {
    Some(key(DIR))
}

impl Bed {
    /// The first client was told to give up its lease; it does, and gets it again.
    #[track_caller]
    fn broken(&mut self, what: &str) {
        self.epoch += 1;
        let expected = Told {
            key: key(DIR),
            from: RH,
            to: NONE,
            epoch: self.epoch,
            acknowledge: true,
        };
        assert_eq!(told(&mut self.pair, self.a.end), [expected], "{what}");
        let done = acknowledge(&mut self.pair, self.a, expected);
        assert_eq!(done, NtStatus::SUCCESS, "{what}");
        self.rearm();
    }

    fn rearm(&mut self) {
        let again = open_leased(&mut self.pair, self.a, dir("d"), key(DIR), RH, None);
        let (open, lease) = again.unwrap();
        self.epoch += 1;
        let lease = lease.unwrap();
        assert_eq!((lease.state, lease.v2.unwrap().epoch), (RH, self.epoch));
        self.pair.close(self.a, open).unwrap();
    }

    #[track_caller]
    fn quiet(&mut self, what: &str) {
        assert_eq!(told(&mut self.pair, self.a.end), [], "{what}");
    }

    fn set(&mut self, who: Tree, open: FileId, class: FileInfoClass, buffer: bytes::Bytes) {
        self.pair.set_file(who, open, class, buffer).unwrap();
    }

    fn rename(&mut self, who: Tree, open: FileId, to: &str) -> Result<(), NtStatus> {
        let info = FileRenameInformation {
            replace_if_exists: true,
            root_directory: 0,
            file_name: to.to_owned(),
        };
        let buffer = bytes(|w| info.encode(w));
        self.pair.set_file(who, open, FileInfoClass::Rename, buffer)
    }
}

#[test]
fn who_is_granted_what() {
    let mut pair = server().build();
    let tree = client(&mut pair, 1);
    for (n, asked, expected) in [
        (1, RWH, RH),
        (2, RW, R),
        (3, RH, RH),
        (4, R, R),
        (5, NONE, NONE),
    ] {
        let name = format!("d{n}");
        let (_, lease) = open_leased(&mut pair, tree, dir(&name), key(n), asked, None).unwrap();
        assert_eq!(lease.unwrap().state, expected, "{asked:?}");
    }
    // Oplocks are not for directories.
    for level in [1, 8, 9] {
        let mut request = dir("d6");
        request.requested_oplock_level = smb_proto::msg::OplockLevel(level);
        let answer = pair.create(tree, request).unwrap();
        assert_eq!(answer.oplock_level, smb_proto::msg::OplockLevel::NONE);
    }
    // Several clients may have leases on one.
    let other = client(&mut pair, 2);
    let (_, lease) = open_leased(&mut pair, other, dir("d1"), key(1), RH, None).unwrap();
    assert_eq!(lease.unwrap().state, RH);
    assert_eq!(told(&mut pair, tree.end), []);
    pair.finish();
}

#[test]
fn only_where_both_sides_have_it() {
    for (switched_on, dialect, announced, expected) in [
        (true, Dialect::Smb311, true, true),
        (true, Dialect::Smb300, true, true),
        (true, Dialect::Smb210, true, false),
        (true, Dialect::Smb311, false, false),
        (false, Dialect::Smb311, true, false),
    ] {
        let mut pair = server()
            .config(|c| c.directory_leases = switched_on)
            .build();
        let mut config = config(1);
        config.dialects = vec![dialect];
        if !announced {
            config.capabilities -= GlobalCapabilities::DIRECTORY_LEASING;
        }
        let end = pair.connect_as(config);
        let capabilities = pair.client(end).negotiated().unwrap().response.capabilities;
        let has = capabilities.contains(GlobalCapabilities::DIRECTORY_LEASING);
        assert_eq!(has, expected, "{dialect:?}");
        let tree = pair.mount_on(end);
        let (_, lease) = open_leased(&mut pair, tree, dir("d"), key(1), RH, None).unwrap();
        assert_eq!(
            lease.is_some(),
            expected,
            "{switched_on} {dialect:?} {announced}"
        );
        pair.finish();
    }
}

#[test]
fn entries_that_come_and_go() {
    let mut t = bed();
    let (a, b) = (t.a, t.b);
    // The same client says that it knows.
    let mine = open_leased(&mut t.pair, a, file("d\\mine"), key(9), RWH, parent());
    let (mine, _) = mine.unwrap();
    t.quiet("own key, created");
    // Another key, no key, no lease at all, another client.
    let (other, _) =
        open_leased(&mut t.pair, a, file("d\\other"), key(8), RWH, Some(key(7))).unwrap();
    t.broken("another key");
    let none = open_leased(&mut t.pair, a, file("d\\none"), key(6), RWH, None);
    t.broken("no key");
    let theirs = t.pair.create_new(b, "d\\theirs").unwrap();
    t.broken("no lease");
    // The key is another client's: it means another lease.
    let foreign = open_leased(&mut t.pair, b, file("d\\foreign"), key(5), RWH, parent());
    t.broken("another client with the same key");
    // Deeper or beside does not matter.
    t.pair.create(b, dir("d\\sub")).unwrap();
    t.broken("directory");
    t.pair.create_new(b, "d\\sub\\x").unwrap();
    t.pair.create_new(b, "dx").unwrap();
    t.quiet("elsewhere");

    // Removal: with the last close, and by whom the decision was and the close.
    for (who, open, breaks) in [
        (a, mine, false),
        (a, other, true),
        (a, none.unwrap().0, true),
        (b, theirs, true),
        (b, foreign.unwrap().0, true),
    ] {
        let info = FileDispositionInformation {
            delete_pending: true,
        };
        t.set(
            who,
            open,
            FileInfoClass::Disposition,
            bytes(|w| info.encode(w)),
        );
        t.quiet("not gone yet");
        t.pair.close(who, open).unwrap();
        if breaks {
            t.broken("removed");
        } else {
            t.quiet("own key, removed");
        }
    }
    t.pair.finish();
}

#[test]
fn a_removal_by_two_is_told_to_both() {
    let mut t = bed();
    let (a, b) = (t.a, t.b);
    let (one, _) = open_leased(&mut t.pair, a, file("d\\f"), key(9), RH, parent()).unwrap();
    let two = t.pair.open(b, "d\\f").unwrap();
    told(&mut t.pair, a.end);
    let info = FileDispositionInformation {
        delete_pending: true,
    };
    t.set(
        a,
        one,
        FileInfoClass::Disposition,
        bytes(|w| info.encode(w)),
    );
    t.pair.close(a, one).unwrap();
    t.quiet("still open");
    t.pair.close(b, two).unwrap();
    t.broken("the one said so, the other closed it");
    t.pair.finish();
}

#[test]
fn entries_that_look_different() {
    type Change = (&'static str, FileInfoClass, bytes::Bytes);
    let basic = |change: fn(&mut FileBasicInformation)| {
        let mut info = FileBasicInformation::default();
        change(&mut info);
        bytes(|w| info.encode(w))
    };
    let changes: Vec<Change> = vec![
        (
            "size",
            FileInfoClass::EndOfFile,
            bytes(|w| FileEndOfFileInformation { end_of_file: 7 }.encode(w)),
        ),
        (
            "attributes",
            FileInfoClass::Basic,
            basic(|i| i.attributes = FileAttributes::HIDDEN),
        ),
        (
            "creation time",
            FileInfoClass::Basic,
            basic(|i| i.creation_time = smb_proto::FileTime::from_unix(1_600_000_000, 0)),
        ),
        (
            "write time",
            FileInfoClass::Basic,
            basic(|i| i.last_write_time = smb_proto::FileTime::from_unix(1_600_000_000, 0)),
        ),
        (
            "change time",
            FileInfoClass::Basic,
            basic(|i| i.change_time = smb_proto::FileTime::from_unix(1_600_000_000, 0)),
        ),
        (
            "access time",
            FileInfoClass::Basic,
            basic(|i| i.last_access_time = smb_proto::FileTime::from_unix(1_600_000_000, 0)),
        ),
    ];
    let mut t = bed();
    let (a, b) = (t.a, t.b);
    for (what, class, buffer) in changes {
        let (mine, _) = open_leased(&mut t.pair, a, file("d\\f"), key(9), RWH, parent()).unwrap();
        t.quiet(what);
        t.set(a, mine, class, buffer.clone());
        t.quiet(what);
        t.pair.close(a, mine).unwrap();
        for (who, name) in [(a, Some(key(7))), (a, None), (b, Some(key(7))), (b, None)] {
            let open = open_leased(&mut t.pair, who, file("d\\f"), key(9), RWH, name);
            t.set(who, open.as_ref().unwrap().0, class, buffer.clone());
            t.broken(what);
            t.pair.close(who, open.unwrap().0).unwrap();
            t.quiet(what);
        }
    }
    t.pair.finish();
}

#[test]
fn writes_are_told_when_the_file_is_closed() {
    let mut t = bed();
    let (a, b) = (t.a, t.b);
    let open = t.pair.create_new(b, "d\\f").unwrap();
    t.broken("created");
    t.pair.write(b, open, 0, "content").unwrap();
    t.quiet("written");
    t.pair.advance(Duration::from_secs(4));
    t.quiet("the write time is seen");
    t.pair.close(b, open).unwrap();
    t.broken("closed");
    // Nothing was written.
    let open = t.pair.open(b, "d\\f").unwrap();
    t.pair.read(b, open, 0, 10).unwrap();
    t.pair.close(b, open).unwrap();
    t.quiet("only read");
    // Overwritten at once.
    let request = ops::create("d\\f", CreateDisposition::Overwrite);
    let open = t.pair.create(b, request).unwrap().file_id;
    t.broken("overwritten");
    t.pair.close(b, open).unwrap();
    t.quiet("closed");
    // One's own.
    let (mine, _) = open_leased(&mut t.pair, a, file("d\\f"), key(9), RWH, parent()).unwrap();
    t.pair.write(a, mine, 0, "more").unwrap();
    t.pair.close(a, mine).unwrap();
    t.quiet("own key");
    t.pair.finish();
}

#[test]
fn names_that_change() {
    let mut t = bed();
    let (a, b) = (t.a, t.b);
    let (e, lease) = open_leased(&mut t.pair, a, dir("e"), key(2), RH, None).unwrap();
    assert_eq!(lease.unwrap().state, RH);
    let open = t.pair.create_new(b, "f").unwrap();
    t.rename(b, open, "d\\f").unwrap();
    t.broken("moved into it");
    t.rename(b, open, "d\\g").unwrap();
    t.broken("renamed in it");
    // Out of it, and into another that is leased too.
    t.rename(b, open, "e\\g").unwrap();
    let mut both = told(&mut t.pair, a.end);
    both.sort_by_key(|t| t.key.0);
    let keys: Vec<_> = both.iter().map(|t| (t.key, t.from, t.to)).collect();
    assert_eq!(keys, [(key(1), RH, NONE), (key(2), RH, NONE)]);
    t.epoch += 1;
    for b in both {
        assert_eq!(acknowledge(&mut t.pair, a, b), NtStatus::SUCCESS);
    }
    t.rearm();
    // A further name.
    let info = FileLinkInformation {
        replace_if_exists: false,
        root_directory: 0,
        file_name: "d\\link".to_owned(),
    };
    t.set(b, open, FileInfoClass::Link, bytes(|w| info.encode(w)));
    t.broken("linked");
    // Who knows of one of the two only.
    let (mine, _) = open_leased(&mut t.pair, a, file("d\\m"), key(9), RWH, parent()).unwrap();
    let (_, lease) = open_leased(&mut t.pair, a, dir("e"), key(2), RH, None).unwrap();
    assert_eq!(lease.unwrap().state, RH);
    t.rename(a, mine, "e\\m").unwrap();
    let one: Vec<_> = told(&mut t.pair, a.end).iter().map(|t| t.key).collect();
    assert_eq!(one, [key(2)]);
    t.pair.close(a, e).unwrap();
    t.pair.finish();
}

#[test]
fn a_lease_follows_its_directory() {
    let mut t = bed();
    let (a, b) = (t.a, t.b);
    let leased = open_leased(&mut t.pair, a, ops::make_dir("x"), key(2), RH, None);
    let (d, _) = leased.unwrap();
    t.rename(a, d, "new").unwrap();
    t.pair.create(b, dir("x")).unwrap();
    t.pair.create_new(b, "x\\f").unwrap();
    t.quiet("the old name is another directory now");
    t.pair.create_new(b, "new\\f").unwrap();
    let told = told(&mut t.pair, a.end);
    assert_eq!(told.len(), 1);
    t.pair.close(a, d).unwrap();
    t.pair.create_new(b, "new\\g").unwrap();
    t.quiet("closed");
    t.pair.finish();
}

#[test]
fn an_open_that_is_denied_takes_the_handle_alone() {
    let mut t = bed();
    let (a, b) = (t.a, t.b);
    let mut alone = dir("d");
    alone.share_access = ShareAccess::empty();
    let id = t.pair.start(b, alone.clone());
    let one = told(&mut t.pair, a.end);
    assert_eq!(
        one.iter().map(|t| (t.from, t.to)).collect::<Vec<_>>(),
        [(RH, R)]
    );
    assert_eq!(acknowledge(&mut t.pair, a, one[0]), NtStatus::SUCCESS);
    let status = t.pair.wait(b.end, id).status();
    assert_eq!(status, NtStatus::SHARING_VIOLATION);
    t.epoch += 1;
    t.rearm();
    // The handle was only cached.
    let id = t.pair.start(b, alone);
    let d = t.dir;
    t.pair.close(a, d).unwrap();
    assert_eq!(t.pair.wait(b.end, id).status(), NtStatus::SUCCESS);
    t.pair.finish();
}

#[test]
fn a_directory_is_renamed_when_handles_beneath_are_given_back() {
    let mut pair = server().build();
    let (a, b) = (client(&mut pair, 1), client(&mut pair, 2));
    pair.create(a, dir("d")).unwrap();
    pair.create(a, dir("d\\e")).unwrap();
    let (f, lease) = open_leased(&mut pair, b, file("d\\e\\f"), key(1), RWH, None).unwrap();
    assert_eq!(lease.unwrap().state, RWH);
    pair.disconnect(a.end);
    let a = client(&mut pair, 3);
    let d = pair.create(a, ops::open_dir("d")).unwrap().file_id;
    let info = FileRenameInformation {
        replace_if_exists: false,
        root_directory: 0,
        file_name: "new".to_owned(),
    };
    let request = ops::set_file(d, FileInfoClass::Rename, bytes(|w| info.encode(w)));
    // The client needs its handle.
    let id = pair.start(a, request.clone());
    let one = told(&mut pair, b.end);
    assert_eq!(
        one.iter().map(|t| (t.from, t.to)).collect::<Vec<_>>(),
        [(RWH, RW)]
    );
    assert_eq!(pair.reply(a.end, id), None);
    assert_eq!(acknowledge(&mut pair, b, one[0]), NtStatus::SUCCESS);
    assert_eq!(pair.wait(a.end, id).status(), NtStatus::ACCESS_DENIED);
    // It does not.
    pair.close(b, f).unwrap();
    let (f, _) = open_leased(&mut pair, b, file("d\\e\\f"), key(1), RWH, None).unwrap();
    let id = pair.start(a, request);
    assert_eq!(told(&mut pair, b.end).len(), 1);
    assert_eq!(pair.reply(a.end, id), None);
    pair.close(b, f).unwrap();
    assert_eq!(pair.wait(a.end, id).status(), NtStatus::SUCCESS);
    assert!(pair.open(b, "new\\e\\f").is_ok());
    pair.finish();
}

/// The open whose rename waits is closed: it does not wait for the other client.
#[test]
fn a_rename_that_waits_ends_with_its_open() {
    let mut pair = server().build();
    let (a, b) = (client(&mut pair, 1), client(&mut pair, 2));
    pair.create(a, dir("d")).unwrap();
    open_leased(&mut pair, b, file("d\\f"), key(1), RWH, None).unwrap();
    pair.disconnect(a.end);
    let a = client(&mut pair, 3);
    let d = pair.create(a, ops::open_dir("d")).unwrap().file_id;
    let info = FileRenameInformation {
        replace_if_exists: false,
        root_directory: 0,
        file_name: "new".to_owned(),
    };
    let request = ops::set_file(d, FileInfoClass::Rename, bytes(|w| info.encode(w)));
    let id = pair.start(a, request);
    assert_eq!(told(&mut pair, b.end).len(), 1);
    assert_eq!(pair.reply(a.end, id), None);
    pair.close(a, d).unwrap();
    assert_eq!(pair.wait(a.end, id).status(), NtStatus::FILE_CLOSED);
    pair.finish();
}

#[test]
fn a_rename_takes_the_place_of_what_is_only_cached() {
    let mut t = bed();
    let b = t.b;
    let c = client(&mut t.pair, 3);
    let (kept, _) = open_leased(&mut t.pair, b, file("to"), key(4), RWH, None).unwrap();
    let from = t.pair.create_new(c, "from").unwrap();
    let info = FileRenameInformation {
        replace_if_exists: true,
        root_directory: 0,
        file_name: "to".to_owned(),
    };
    let request = ops::set_file(from, FileInfoClass::Rename, bytes(|w| info.encode(w)));
    let id = t.pair.start(c, request.clone());
    let one = told(&mut t.pair, b.end);
    assert_eq!(
        one.iter().map(|t| (t.from, t.to)).collect::<Vec<_>>(),
        [(RWH, RW)]
    );
    assert_eq!(acknowledge(&mut t.pair, b, one[0]), NtStatus::SUCCESS);
    assert_eq!(t.pair.wait(c.end, id).status(), NtStatus::ACCESS_DENIED);
    t.pair.close(b, kept).unwrap();
    let (kept, _) = open_leased(&mut t.pair, b, file("to"), key(4), RWH, None).unwrap();
    let id = t.pair.start(c, request);
    assert_eq!(told(&mut t.pair, b.end).len(), 1);
    t.pair.close(b, kept).unwrap();
    assert_eq!(t.pair.wait(c.end, id).status(), NtStatus::SUCCESS);
    t.pair.finish();
}

#[test]
fn a_directory_that_is_only_cached_takes_in_a_new_name() {
    let mut pair = server().build();
    let (a, b) = (client(&mut pair, 1), client(&mut pair, 2));
    let mut request = dir("d");
    request.desired_access = smb_proto::dtyp::AccessMask::DELETE;
    let (d, lease) = open_leased(&mut pair, a, request.clone(), key(1), RH, None).unwrap();
    assert_eq!(lease.unwrap().state, RH);
    let from = pair.create_new(b, "from").unwrap();
    let info = FileRenameInformation {
        replace_if_exists: false,
        root_directory: 0,
        file_name: "d\\to".to_owned(),
    };
    let rename = ops::set_file(from, FileInfoClass::Rename, bytes(|w| info.encode(w)));
    let id = pair.start(b, rename.clone());
    let one = told(&mut pair, a.end);
    assert_eq!(
        one.iter().map(|t| (t.from, t.to)).collect::<Vec<_>>(),
        [(RH, R)]
    );
    assert_eq!(acknowledge(&mut pair, a, one[0]), NtStatus::SUCCESS);
    assert_eq!(pair.wait(b.end, id).status(), NtStatus::SHARING_VIOLATION);
    let (second, _) = open_leased(&mut pair, a, request, key(1), RH, None).unwrap();
    let id = pair.start(b, rename);
    assert_eq!(told(&mut pair, a.end).len(), 1);
    pair.close(a, d).unwrap();
    assert_eq!(pair.reply(b.end, id), None);
    pair.close(a, second).unwrap();
    assert_eq!(pair.wait(b.end, id).status(), NtStatus::SUCCESS);
    pair.finish();
}
