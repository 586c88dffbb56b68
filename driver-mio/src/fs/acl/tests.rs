//! Descriptors on a real directory.

use std::fs as host;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::sync::Arc;

use smb_engine::identity::IdentityKind;
use smb_engine::vfs::{
    Backend, Creation, DataAccess, Location, OpenHow, SharePath, VfsHandle, VfsOp,
};

use super::*;
use crate::fs::{AccountSids, LocalOptions};

fn alice() -> Sid {
    Sid::domain(1, 2, 3).with_rid(1001).unwrap()
}

fn bob() -> Sid {
    Sid::domain(1, 2, 3).with_rid(1002).unwrap()
}

fn backend(dir: &tempfile::TempDir) -> LocalFs {
    host::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let sids = AccountSids::new([(HostId::User(5001), alice()), (HostId::User(5002), bob())]);
    let options = LocalOptions {
        sids: Arc::new(sids),
        ..LocalOptions::default()
    };
    LocalFs::open(dir.path(), options).unwrap()
}

fn user(uid: u32) -> Identity {
    Identity {
        uid: Some(uid),
        gid: Some(uid),
        admin: false,
        kind: IdentityKind::User,
        ..Identity::system()
    }
}

fn at(name: &str) -> Location {
    SharePath::new(name).unwrap().into()
}

fn open_as(fs: &LocalFs, by: &Identity, name: &str, data: DataAccess) -> VfsResult {
    let how = OpenHow {
        data,
        open_reparse: false,
    };
    fs.execute(by, VfsOp::Open { at: at(name), how })
}

fn handle(reply: VfsResult) -> VfsHandle {
    match reply {
        Ok(VfsReply::Opened(o)) => o.handle,
        other => panic!("{other:?}"),
    }
}

fn create(
    fs: &LocalFs,
    by: &Identity,
    name: &str,
    security: Option<SecurityDescriptor>,
) -> VfsHandle {
    let what = Creation {
        directory: false,
        attributes: FileAttributes::empty(),
        security,
        eas: Vec::new(),
        allocation: 0,
    };
    handle(fs.execute(by, VfsOp::Create { at: at(name), what }))
}

fn security(fs: &LocalFs, handle: VfsHandle) -> SecurityDescriptor {
    match fs.execute(&Identity::system(), VfsOp::Security { handle }) {
        Ok(VfsReply::Security(sd)) => sd,
        other => panic!("{other:?}"),
    }
}

fn sd(owner: Sid, aces: Vec<Ace>) -> SecurityDescriptor {
    SecurityDescriptor {
        control: SdControl::DACL_PROTECTED,
        owner: Some(owner),
        group: Some(Sid::BUILTIN_USERS),
        sacl: AclSlot::Absent,
        dacl: AclSlot::Acl(Acl::new(aces)),
    }
}

fn allow(sid: Sid, mask: AccessMask) -> Ace {
    Ace::allow(sid, mask, AceFlags::empty())
}

fn masks(sd: &SecurityDescriptor) -> Vec<(String, u32)> {
    let aces = &sd.dacl.acl().unwrap().aces;
    aces.iter()
        .map(|a| (a.sid().unwrap().to_string(), a.mask().unwrap().bits()))
        .collect()
}

#[test]
fn permission_bits_become_rights() {
    // As smbd 4.17.12 answers.
    for (mode, directory, want) in [
        (6, false, 0x001f_019f),
        (7, false, 0x001f_01ff),
        (4, false, 0x0012_0089),
        (5, false, 0x0012_00a9),
        (0, false, 0),
        (7, true, 0x001f_01ff),
        (5, true, 0x0012_00a9),
    ] {
        assert_eq!(rights(mode, directory).bits(), want, "{mode}");
    }
}

#[test]
fn without_a_stored_descriptor_the_mode_speaks() {
    let dir = tempfile::tempdir().unwrap();
    let fs = backend(&dir);
    host::write(dir.path().join("f"), "").unwrap();
    host::set_permissions(dir.path().join("f"), PermissionsExt::from_mode(0o640)).unwrap();
    let sd = security(
        &fs,
        handle(open_as(&fs, &Identity::system(), "f", DataAccess::None)),
    );
    let uid = host::metadata(dir.path()).unwrap().uid();
    assert_eq!(sd.owner.unwrap().to_string(), format!("S-1-22-1-{uid}"));
    if fs.own.is_root() {
        assert_eq!(
            masks(&sd),
            [
                ("S-1-22-1-0".to_owned(), 0x001f_019f),
                ("S-1-22-2-0".to_owned(), 0x0012_0089),
                ("S-1-1-0".to_owned(), 0)
            ]
        );
    } else {
        assert_eq!(masks(&sd)[1], ("S-1-1-0".to_owned(), 0x001f_019f));
    }
}

#[test]
fn a_stored_descriptor_comes_back_until_the_host_changes_permissions() {
    let dir = tempfile::tempdir().unwrap();
    let fs = backend(&dir);
    let system = Identity::system();
    let h = create(&fs, &system, "f", None);
    let uid = host::metadata(dir.path()).unwrap().uid();
    let own = fs.options.sids.sid(HostId::User(uid));
    let made = security(&fs, h);
    let new = sd(
        own,
        vec![
            allow(own, AccessMask::FILE_ALL_ACCESS),
            allow(Sid::WORLD, AccessMask::FILE_GENERIC_READ),
        ],
    );
    let set = |parts| {
        let descriptor = new.clone();
        fs.execute(
            &system,
            VfsOp::SetSecurity {
                handle: h,
                parts,
                descriptor,
            },
        )
    };
    set(SecurityInformation::DACL).unwrap();
    let now = security(&fs, h);
    assert_eq!((now.owner, now.group), (made.owner, made.group));
    assert_eq!(
        (&now.dacl, now.control),
        (&new.dacl, SdControl::DACL_PROTECTED)
    );
    set(SecurityInformation::GROUP
        | SecurityInformation::OWNER
        | SecurityInformation::UNPROTECTED_DACL)
    .unwrap();
    let now = security(&fs, h);
    assert_eq!((now.group, now.control), (new.group, SdControl::empty()));
    // Times and content may change, the mode not.
    host::write(dir.path().join("f"), "x").unwrap();
    assert_eq!(security(&fs, h), now);
    host::set_permissions(dir.path().join("f"), PermissionsExt::from_mode(0o666)).unwrap();
    assert_ne!(security(&fs, h).dacl, now.dacl);
    // It is not an EA that clients can see.
    assert_eq!(
        fs.execute(&system, VfsOp::Eas { handle: h }),
        Ok(VfsReply::Eas(Vec::new()))
    );
}

#[test]
fn what_cannot_be_read_lets_in_the_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let fs = backend(&dir);
    let h = create(&fs, &Identity::system(), "f", None);
    let holder = fs.handles.get(h).unwrap();
    for bad in [
        &b""[..],
        b"garbage",
        &[4, 0, 4, 0, 0, 0, 2, 0],
        &[0xff; 300],
    ] {
        holder
            .node
            .holder()
            .set(fs.ntacl, bad, XattrFlags::empty())
            .unwrap();
        let sids: Vec<_> = masks(&security(&fs, h))
            .into_iter()
            .map(|(s, _)| s)
            .collect();
        let owner = security(&fs, h).owner.unwrap().to_string();
        assert_eq!(sids, [owner, "S-1-5-32-544".to_owned()]);
    }
}

#[test]
fn the_kernel_allows_what_the_descriptor_allows() {
    let dir = tempfile::tempdir().unwrap();
    let fs = backend(&dir);
    if !fs.own.is_root() {
        return;
    }
    let (a, b, c) = (user(5001), user(5002), user(5003));
    let h = create(&fs, &a, "f", None);
    let rw = AccessMask::FILE_GENERIC_READ | AccessMask::FILE_GENERIC_WRITE;
    let only = |aces| {
        let descriptor = sd(alice(), aces);
        let parts = SecurityInformation::DACL;
        fs.execute(
            &a,
            VfsOp::SetSecurity {
                handle: h,
                parts,
                descriptor,
            },
        )
        .unwrap();
    };
    let can = |by: &Identity, data| open_as(&fs, by, "f", data).is_ok();
    only(vec![allow(alice(), rw), allow(bob(), rw)]);
    assert!(can(&a, DataAccess::ReadWrite) && can(&b, DataAccess::ReadWrite));
    assert!(!can(&c, DataAccess::Read));
    only(vec![
        allow(alice(), rw),
        allow(bob(), AccessMask::GENERIC_READ),
    ]);
    assert!(can(&b, DataAccess::Read) && !can(&b, DataAccess::ReadWrite));
    only(vec![
        Ace::deny(bob(), AccessMask::FILE_WRITE_DATA, AceFlags::empty()),
        allow(Sid::WORLD, AccessMask::FILE_ALL_ACCESS),
    ]);
    assert!(can(&c, DataAccess::ReadWrite));
    only(vec![allow(alice(), rw)]);
    assert!(can(&a, DataAccess::ReadWrite) && !can(&b, DataAccess::Read));
    let meta = host::metadata(dir.path().join("f")).unwrap();
    assert_eq!((meta.mode() & 0o777, meta.uid()), (0o600, 5001));

    // Ownership follows, and so does that of a new file.
    let descriptor = sd(bob(), vec![allow(bob(), rw)]);
    let parts = SecurityInformation::OWNER | SecurityInformation::DACL;
    fs.execute(
        &a,
        VfsOp::SetSecurity {
            handle: h,
            parts,
            descriptor: descriptor.clone(),
        },
    )
    .unwrap();
    assert_eq!(host::metadata(dir.path().join("f")).unwrap().uid(), 5002);
    assert_eq!(security(&fs, h).owner, Some(bob()));
    create(
        &fs,
        &a,
        "g",
        Some(sd(alice(), vec![allow(alice(), rw), allow(bob(), rw)])),
    );
    assert!(open_as(&fs, &b, "g", DataAccess::ReadWrite).is_ok());
    // A user the host gave access is shown.
    chown(dir.path().join("g"), Some(0), None).unwrap();
    let made = security(&fs, handle(open_as(&fs, &b, "g", DataAccess::None)));
    assert!(masks(&made).contains(&(bob().to_string(), 0x001f_019f)));
}
