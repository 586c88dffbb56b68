//! Who may do what: access-based enumeration, inheritance, ownership, audit lists and labels
//! ([MS-DTYP] 2.5.3, [MS-FSA] 2.1.5.1.2.1, [MS-SMB2] 2.2.10).

use driver_sim::client::{Credentials, ops};
use driver_sim::pair::{Pair, Tree};
use smb_proto::NtStatus;
use smb_proto::dtyp::{
    AccessMask, Ace, AceFlags, AceType, Acl, AclSlot, SdControl, SecurityDescriptor, Sid,
};
use smb_proto::id::FileId;
use smb_proto::info::SecurityInformation;
use smb_proto::msg::Response;
use smb_proto::msg::create;
use smb_proto::msg::tree_connect::{self, ShareFlags};

const NONE: AceFlags = AceFlags::empty();

/// The tree of somebody else, on a connection of his own.
fn other(pair: &mut Pair, share: &str) -> Tree {
    let end = pair.connect();
    let session = pair
        .logon(end, Credentials::new("other", "secret"))
        .unwrap();
    pair.tree(end, session, share).unwrap()
}

fn open(pair: &mut Pair, tree: Tree, name: &str, access: AccessMask) -> Result<FileId, NtStatus> {
    let request = create::Request {
        desired_access: access,
        ..ops::open(name)
    };
    Ok(pair.create(tree, request)?.file_id)
}

fn dacl(aces: Vec<Ace>) -> SecurityDescriptor {
    SecurityDescriptor {
        dacl: AclSlot::Acl(Acl::new(aces)),
        ..SecurityDescriptor::default()
    }
}

fn set(
    pair: &mut Pair,
    tree: Tree,
    file: FileId,
    parts: SecurityInformation,
    sd: &SecurityDescriptor,
) -> NtStatus {
    let request = ops::set_security(file, parts, sd.to_vec());
    pair.call(tree, request).status()
}

fn get(
    pair: &mut Pair,
    tree: Tree,
    file: FileId,
    parts: SecurityInformation,
) -> SecurityDescriptor {
    let (status, bytes) = pair.query(tree, ops::query_security(file, parts));
    assert_eq!(status, NtStatus::SUCCESS);
    SecurityDescriptor::parse(&bytes).unwrap()
}

/// What everyone may do with `name` is from now on `mask`; its owner keeps everything.
fn protect(pair: &mut Pair, tree: Tree, name: &str, mask: AccessMask) {
    let file = open(
        pair,
        tree,
        name,
        AccessMask::WRITE_DAC | AccessMask::READ_CONTROL,
    )
    .unwrap();
    let owner = get(pair, tree, file, SecurityInformation::OWNER).owner;
    let sd = dacl(vec![
        Ace::allow(owner.unwrap(), AccessMask::FILE_ALL_ACCESS, NONE),
        Ace::allow(Sid::WORLD, mask, NONE),
    ]);
    let status = set(pair, tree, file, SecurityInformation::DACL, &sd);
    assert_eq!(status, NtStatus::SUCCESS);
    pair.close(tree, file).unwrap();
}

fn names(pair: &mut Pair, tree: Tree, pattern: &str) -> Result<Vec<String>, NtStatus> {
    let dir = pair.create(tree, ops::open_dir("d")).unwrap().file_id;
    let listed = pair.list(tree, dir, pattern);
    pair.close(tree, dir).unwrap();
    Ok(listed?.into_iter().map(|e| e.name).collect())
}

/// [MS-SMB2] 2.2.10: with SMB2_SHAREFLAG_ACCESS_BASED_DIRECTORY_ENUM a listing leaves out what the user
/// may not read, whole or by its name; the owner and administrators see it, and the share says so.
#[test]
fn listings_leave_out_what_may_not_be_read() {
    const ALL: AccessMask = AccessMask::FILE_GENERIC_READ;
    let shown = [
        ("all", ALL, true),
        ("none", AccessMask::empty(), false),
        ("data", ALL.difference(AccessMask::FILE_READ_DATA), false),
        ("eas", ALL.difference(AccessMask::FILE_READ_EA), false),
        ("control", ALL.difference(AccessMask::READ_CONTROL), false),
        ("write", AccessMask::FILE_GENERIC_WRITE, false),
        ("more", ALL | AccessMask::FILE_WRITE_DATA, true),
    ];
    for hides in [false, true] {
        let mut pair = Pair::builder()
            .share("files", |s| s.hide_unreadable = hides)
            .build();
        let tree = pair.mount();
        let made = pair.create(tree, ops::make_dir("d")).unwrap().file_id;
        pair.close(tree, made).unwrap();
        for (name, mask, _) in shown {
            let name = format!("d\\{name}");
            let made = pair.create_new(tree, &name).unwrap();
            pair.close(tree, made).unwrap();
            protect(&mut pair, tree, &name, mask);
        }
        let everything = names(&mut pair, tree, "*").unwrap();
        assert_eq!(everything.len(), shown.len() + 2, "the owner sees all");
        let theirs = other(&mut pair, "files");
        let mut expected: Vec<_> = shown
            .iter()
            .filter(|(_, _, visible)| *visible || !hides)
            .map(|(name, ..)| (*name).to_owned())
            .chain([".".to_owned(), "..".to_owned()])
            .collect();
        expected.sort();
        let mut seen = names(&mut pair, theirs, "*").unwrap();
        seen.sort();
        assert_eq!(seen, expected);
        let one = names(&mut pair, theirs, "none");
        assert_eq!(
            one,
            if hides {
                Err(NtStatus::NO_SUCH_FILE)
            } else {
                Ok(vec!["none".to_owned()])
            }
        );
        // A hidden name is not a free one.
        let taken = pair.create_new(theirs, "d\\none").unwrap_err();
        assert_eq!(taken, NtStatus::OBJECT_NAME_COLLISION);
        let request = tree_connect::Request {
            flags: tree_connect::TreeConnectFlags::empty(),
            path: r"\\server\files".into(),
            contexts: Vec::new(),
        };
        let flags = match pair.call(theirs, request).body {
            Response::TreeConnect(r) => r.share_flags,
            other => panic!("{other:?}"),
        };
        let told = flags.contains(ShareFlags::ACCESS_BASED_DIRECTORY_ENUM);
        assert_eq!(told, hides);
        pair.finish();
    }
}

/// [MS-DTYP] 2.5.3.4.1: SE_DACL_AUTO_INHERITED is kept together with the request for it alone, unless
/// the share keeps descriptors as they come.
#[test]
fn the_inherited_flag_is_canonical_or_verbatim() {
    use SdControl as C;
    for (canonical, given, kept) in [
        (true, C::DACL_AUTO_INHERITED, C::empty()),
        (
            true,
            C::DACL_AUTO_INHERITED | C::DACL_INHERIT_REQ,
            C::DACL_AUTO_INHERITED,
        ),
        (true, C::DACL_INHERIT_REQ, C::empty()),
        (false, C::DACL_AUTO_INHERITED, C::DACL_AUTO_INHERITED),
        (false, C::DACL_INHERIT_REQ, C::empty()),
    ] {
        let mut pair = Pair::builder()
            .share("files", |s| s.canonical_inherited = canonical)
            .build();
        let tree = pair.mount();
        let file = pair.create_new(tree, "f").unwrap();
        let mut sd = dacl(vec![Ace::allow(
            Sid::WORLD,
            AccessMask::FILE_ALL_ACCESS,
            NONE,
        )]);
        sd.control = given;
        let status = set(&mut pair, tree, file, SecurityInformation::DACL, &sd);
        assert_eq!(status, NtStatus::SUCCESS);
        let got = get(&mut pair, tree, file, SecurityInformation::DACL);
        assert_eq!(
            got.control & (C::DACL_AUTO_INHERITED | C::DACL_INHERIT_REQ),
            kept
        );
        pair.finish();
    }
}

/// A share on which `user` is administrator; `other` is not.
fn with_administrator() -> Pair {
    Pair::builder()
        .share("files", |s| s.admin_users.users = vec!["user".into()])
        .build()
}

fn owned_by(sid: Sid) -> SecurityDescriptor {
    SecurityDescriptor {
        owner: Some(sid),
        ..SecurityDescriptor::default()
    }
}

/// [MS-DTYP] 2.5.3.4.1 and [MS-FSA] 2.1.5.17: who has WRITE_OWNER may make himself the owner and nobody
/// else, and has the rights of one from then on; the one before has lost them.
#[test]
fn ownership_is_taken_and_not_given() {
    use {AccessMask as A, SecurityInformation as P};
    let mut pair = Pair::new();
    let (mine, theirs) = {
        let mine = pair.mount();
        (mine, other(&mut pair, "files"))
    };
    let file = pair.create_new(mine, "f").unwrap();
    let me = get(&mut pair, mine, file, P::OWNER).owner.unwrap();
    pair.close(mine, file).unwrap();
    let file = pair.create_new(theirs, "g").unwrap();
    let them = get(&mut pair, theirs, file, P::OWNER).owner.unwrap();
    pair.close(theirs, file).unwrap();
    assert_ne!(me, them);
    protect(&mut pair, mine, "f", A::FILE_GENERIC_READ);
    let refused = open(&mut pair, theirs, "f", A::WRITE_OWNER).unwrap_err();
    assert_eq!(refused, NtStatus::ACCESS_DENIED);
    let file = open(&mut pair, mine, "f", A::WRITE_DAC).unwrap();
    let sd = dacl(vec![Ace::allow(
        Sid::WORLD,
        A::WRITE_OWNER | A::READ_CONTROL,
        NONE,
    )]);
    assert_eq!(set(&mut pair, mine, file, P::DACL, &sd), NtStatus::SUCCESS);
    pair.close(mine, file).unwrap();
    let file = open(&mut pair, theirs, "f", A::WRITE_OWNER | A::READ_CONTROL).unwrap();
    for (to, status) in [
        (Sid::BUILTIN_ADMINISTRATORS, NtStatus::INVALID_OWNER),
        (me, NtStatus::SUCCESS), // it is his: nothing changes
        (them, NtStatus::SUCCESS),
        (me, NtStatus::INVALID_OWNER),
    ] {
        assert_eq!(
            set(&mut pair, theirs, file, P::OWNER, &owned_by(to)),
            status,
            "{to}"
        );
    }
    assert_eq!(get(&mut pair, theirs, file, P::OWNER).owner, Some(them));
    pair.close(theirs, file).unwrap();
    let refused = open(&mut pair, mine, "f", A::WRITE_DAC).unwrap_err();
    assert_eq!(refused, NtStatus::ACCESS_DENIED);
    let file = open(&mut pair, theirs, "f", A::WRITE_DAC).unwrap();
    pair.close(theirs, file).unwrap();
    pair.finish();
}

/// [MS-FSA] 2.1.5.14 and .17: a SACL is read and set by handles with ACCESS_SYSTEM_SECURITY, which takes
/// a privilege and comes from no descriptor; what is new in a directory inherits it.
#[test]
fn audit_lists_take_a_privilege() {
    use {AccessMask as A, SecurityInformation as P};
    let mut pair = with_administrator();
    let (admin, theirs) = {
        let admin = pair.mount();
        (admin, other(&mut pair, "files"))
    };
    let made = pair.create(admin, ops::make_dir("d")).unwrap().file_id;
    pair.close(admin, made).unwrap();
    protect(&mut pair, admin, "d", A::FILE_ALL_ACCESS);
    let rights = A::ACCESS_SYSTEM_SECURITY | A::READ_CONTROL;
    let refused = open(&mut pair, theirs, "d", rights).unwrap_err();
    assert_eq!(refused, NtStatus::PRIVILEGE_NOT_HELD);
    let plain = open(&mut pair, theirs, "d", A::FILE_ALL_ACCESS).unwrap();
    let (status, _) = pair.query(theirs, ops::query_security(plain, P::SACL));
    assert_eq!(status, NtStatus::ACCESS_DENIED);
    pair.close(theirs, plain).unwrap();
    let audit = SecurityDescriptor {
        sacl: AclSlot::Acl(Acl::new(vec![Ace {
            kind: AceType::SYSTEM_AUDIT,
            ..Ace::allow(
                Sid::WORLD,
                A::FILE_WRITE_DATA,
                AceFlags::OBJECT_INHERIT | AceFlags::FAILED_ACCESS,
            )
        }])),
        ..SecurityDescriptor::default()
    };
    let file = open(&mut pair, admin, "d", rights).unwrap();
    assert_eq!(
        set(&mut pair, admin, file, P::SACL, &audit),
        NtStatus::SUCCESS
    );
    assert_eq!(get(&mut pair, admin, file, P::SACL).sacl, audit.sacl);
    assert_eq!(get(&mut pair, admin, file, P::DACL).sacl, AclSlot::Absent);
    pair.close(admin, file).unwrap();
    let made = pair.create_new(theirs, "d\\f").unwrap();
    pair.close(theirs, made).unwrap();
    let file = open(&mut pair, admin, "d\\f", rights).unwrap();
    let inherited = get(&mut pair, admin, file, P::SACL).sacl;
    assert_eq!(
        inherited.acl().unwrap().aces[0].flags,
        AceFlags::FAILED_ACCESS
    );
    pair.finish();
}

/// [MS-DTYP] 2.5.3.3: a label above the user's keeps him from writing whatever the DACL says; he sets
/// none above his own, and one that he sets leaves the audit list alone.
#[test]
fn labels_keep_users_from_writing_up() {
    use {AccessMask as A, SecurityInformation as P};
    const NO_WRITE_UP: AccessMask = AccessMask::FILE_READ_DATA;
    let label = |level| {
        let (authority, _) = Sid::MANDATORY_MEDIUM.split_rid().unwrap();
        SecurityDescriptor {
            sacl: AclSlot::Acl(Acl::new(vec![Ace {
                kind: AceType::SYSTEM_MANDATORY_LABEL,
                ..Ace::allow(authority.with_rid(level).unwrap(), NO_WRITE_UP, NONE)
            }])),
            ..SecurityDescriptor::default()
        }
    };
    let (medium, high) = (label(0x2000), label(0x3000));
    let mut pair = with_administrator();
    let (admin, theirs) = {
        let admin = pair.mount();
        (admin, other(&mut pair, "files"))
    };
    let made = pair.create_new(theirs, "f").unwrap();
    pair.close(theirs, made).unwrap();
    let file = open(&mut pair, theirs, "f", A::WRITE_OWNER | A::READ_CONTROL).unwrap();
    assert_eq!(
        set(&mut pair, theirs, file, P::LABEL, &high),
        NtStatus::PRIVILEGE_NOT_HELD
    );
    assert_eq!(
        set(&mut pair, theirs, file, P::LABEL, &medium),
        NtStatus::SUCCESS
    );
    assert_eq!(get(&mut pair, theirs, file, P::LABEL).sacl, medium.sacl);
    pair.close(theirs, file).unwrap();
    let file = open(&mut pair, theirs, "f", A::FILE_WRITE_DATA).unwrap();
    pair.close(theirs, file).unwrap();
    let file = open(&mut pair, admin, "f", A::WRITE_OWNER).unwrap();
    assert_eq!(
        set(&mut pair, admin, file, P::LABEL, &high),
        NtStatus::SUCCESS
    );
    pair.close(admin, file).unwrap();
    for (access, allowed) in [
        (A::FILE_READ_DATA, true),
        (A::FILE_WRITE_DATA, false),
        (A::WRITE_DAC, false),
        (A::WRITE_OWNER, false),
    ] {
        let opened = open(&mut pair, theirs, "f", access);
        assert_eq!(opened.is_ok(), allowed, "{access:?}");
        if let Ok(file) = opened {
            pair.close(theirs, file).unwrap();
        }
    }
    pair.finish();
}
