//! Who may do what: access-based enumeration, inheritance, ownership, audit lists and labels
//! ([MS-DTYP] 2.5.3, [MS-FSA] 2.1.5.1.2.1, [MS-SMB2] 2.2.10).

use driver_sim::client::{Credentials, ops};
use driver_sim::pair::{Pair, Tree};
use smb_proto::NtStatus;
use smb_proto::dtyp::{
    AccessMask, Ace, AceFlags, Acl, AclSlot, SdControl, SecurityDescriptor, Sid,
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
