use smb_engine::names::Pattern;
use smb_engine::vfs::{
    BasicChange, Creation, Ea, QuotaLimits, VfsError, VfsHandle, VfsOp, VfsReply,
};
use smb_proto::dtyp::{AccessMask, Ace, AceFlags, Acl, AclSlot, SecurityDescriptor, Sid};
use smb_proto::fsctl::FileObjectId;
use smb_proto::info::{FileAttributes, SecurityInformation};
use smb_proto::{FileTime, Guid};

use super::probe::{Probe, directory, file};

pub(super) fn times(p: &Probe<'_>) {
    let time = |s: i64| FileTime::from_unix(1_600_000_000 + s, 123_456_700);
    for what in [file(), directory()] {
        let name = if what.directory { "d" } else { "f" };
        let handle = p.create(name, what).unwrap().handle;
        let change = BasicChange {
            creation: Some(time(1)),
            access: Some(time(2)),
            write: Some(time(3)),
            ..BasicChange::default()
        };
        p.set_basic(handle, change);
        let info = p.stat(handle);
        assert_eq!(
            (info.creation, info.access, info.write),
            (time(1), time(2), time(3))
        );
        // One alone leaves the others.
        let change = BasicChange {
            write: Some(time(9)),
            ..BasicChange::default()
        };
        p.set_basic(handle, change);
        let info = p.stat(handle);
        assert_eq!(
            (info.creation, info.access, info.write),
            (time(1), time(2), time(9))
        );
        p.close(handle).unwrap();
        assert_eq!(p.open_full(name).info.creation, time(1));
    }
    let handle = p.open("f");
    p.write(handle, 0, b"x");
    assert_eq!(p.stat(handle).creation, time(1));
}

pub(super) fn attributes(p: &Probe<'_>) {
    use FileAttributes as A;
    let settable = A::READONLY | A::HIDDEN | A::SYSTEM | A::ARCHIVE;
    let made = Creation {
        attributes: A::HIDDEN | A::ARCHIVE | A::DIRECTORY,
        ..file()
    };
    let made = p.create("f", made).unwrap();
    assert_eq!(made.info.attributes, A::HIDDEN | A::ARCHIVE);
    for set in [
        A::HIDDEN,
        A::SYSTEM | A::ARCHIVE,
        A::READONLY | A::HIDDEN | A::SYSTEM | A::ARCHIVE,
        A::READONLY,
        A::NORMAL,
    ] {
        p.set_attributes(made.handle, set);
        let got = p.stat(made.handle).attributes;
        assert_eq!(got & settable, set & settable);
        assert_eq!(got.contains(A::NORMAL), set == A::NORMAL, "{got:?}");
        assert_eq!(p.open_full("F").info.attributes, got);
    }
    let dir = p.create("d", directory()).unwrap();
    p.set_attributes(dir.handle, A::HIDDEN);
    let got = p.stat(dir.handle).attributes;
    assert_eq!(got, A::DIRECTORY | A::HIDDEN);
    p.set_attributes(dir.handle, A::NORMAL);
    assert_eq!(p.stat(dir.handle).attributes, A::DIRECTORY);
    // Times without attributes leave them.
    p.set_attributes(made.handle, A::SYSTEM);
    let change = BasicChange {
        write: Some(FileTime::from_unix(1, 0)),
        ..BasicChange::default()
    };
    p.set_basic(made.handle, change);
    assert!(p.stat(made.handle).attributes.contains(A::SYSTEM));
}

pub(super) fn volume(p: &Probe<'_>) {
    let handle = p.open("");
    let Ok(VfsReply::Volume(v)) = p.any(VfsOp::Volume { handle }) else {
        panic!("no volume");
    };
    assert!(v.sector.is_power_of_two() && v.sectors_per_unit > 0);
    assert!(v.available_units <= v.total_units);
    assert!(v.free_units <= v.total_units);
}

fn descriptor(p: &Probe<'_>, handle: VfsHandle) -> SecurityDescriptor {
    match p.any(VfsOp::Security { handle }) {
        Ok(VfsReply::Security(sd)) => sd,
        other => panic!("no descriptor: {other:?}"),
    }
}

pub(super) fn security(p: &Probe<'_>) {
    for what in [file(), directory()] {
        let name = if what.directory { "d" } else { "f" };
        let made = p.create(name, what).unwrap();
        assert!(made.security.owner.is_some() && made.security.group.is_some());
        assert!(made.security.dacl.acl().is_some());
        assert_eq!(descriptor(p, made.handle), made.security);
        assert_eq!(p.open_full(name).security, made.security);
    }
}

pub(super) fn security_parts(p: &Probe<'_>) {
    let user = Sid::domain(1, 2, 3).with_rid(1000).unwrap();
    let ace = |mask| Ace::allow(user, mask, AceFlags::empty());
    let dacl = AclSlot::Acl(Acl::new(vec![ace(AccessMask::FILE_ALL_ACCESS)]));
    let handle = p.make("f");
    let before = descriptor(p, handle);
    let new = SecurityDescriptor {
        owner: Some(user),
        group: Some(Sid::BUILTIN_USERS),
        dacl: dacl.clone(),
        ..SecurityDescriptor::default()
    };
    let set = |parts| {
        p.done(VfsOp::SetSecurity {
            handle,
            parts,
            descriptor: new.clone(),
        })
        .unwrap();
        descriptor(p, handle)
    };
    let got = set(SecurityInformation::DACL);
    assert_eq!((got.owner, got.group), (before.owner, before.group));
    assert_eq!(got.dacl, dacl);
    let got = set(SecurityInformation::OWNER | SecurityInformation::GROUP);
    assert_eq!((got.owner, got.group), (new.owner, new.group));
    p.close(handle).unwrap();
    assert_eq!(p.open_full("f").security.dacl, dacl);
    let made = Creation {
        security: Some(new.clone()),
        ..file()
    };
    assert_eq!(p.create("g", made).unwrap().security.dacl, dacl);
    listed_descriptors(p);
}

/// A listing tells the descriptor of each name if that is wanted.
fn listed_descriptors(p: &Probe<'_>) {
    let root = p.open_full("").handle;
    for (security, pattern) in [(false, None), (true, None), (true, Pattern::new("g"))] {
        let Ok(VfsReply::Listing(listing)) = p.any(VfsOp::List {
            handle: root,
            restart: true,
            pattern,
            limit: 100,
            security,
        }) else {
            panic!("no listing");
        };
        assert!(!listing.items.is_empty());
        for item in listing.items {
            let own = p.open_full(&item.name).security;
            assert_eq!(item.security, security.then(|| Box::new(own)));
        }
    }
}

fn pairs(eas: &[Ea]) -> Vec<(String, Vec<u8>)> {
    let fold = |e: &Ea| (e.name.to_ascii_uppercase(), e.value.to_vec());
    let mut pairs: Vec<_> = eas.iter().map(fold).collect();
    pairs.sort();
    pairs
}

pub(super) fn eas(p: &Probe<'_>) {
    for what in [file(), directory()] {
        let name = if what.directory { "d" } else { "f" };
        let opened = p.create(name, what).unwrap();
        let handle = opened.handle;
        assert_eq!(opened.info.ea_size, 0);
        assert!(p.eas(handle).is_empty());
        p.set_eas(handle, &[("ONE", b"1"), ("TWO", b"22")]).unwrap();
        assert_eq!(
            pairs(&p.eas(handle)),
            [
                ("ONE".into(), b"1".to_vec()),
                ("TWO".into(), b"22".to_vec())
            ]
        );
        // 4, and for each 4 bytes, the name with its zero byte, the value.
        assert_eq!(p.stat(handle).ea_size, 4 + (4 + 4 + 1) + (4 + 4 + 2));
        p.set_eas(handle, &[("one", b"changed"), ("Two", b"")])
            .unwrap();
        assert_eq!(pairs(&p.eas(handle)), [("ONE".into(), b"changed".to_vec())]);
        p.close(handle).unwrap();
        assert_eq!(p.eas(p.open(name)).len(), 1);
    }
    let made = Creation {
        eas: vec![Ea {
            flags: 0,
            name: "BORN".to_owned(),
            value: bytes::Bytes::from_static(b"with it"),
        }],
        ..file()
    };
    let made = p.create("g", made).unwrap();
    assert_eq!(pairs(&p.eas(made.handle)).len(), 1);
    assert_ne!(made.info.ea_size, 0);
}

pub(super) fn eas_all_or_none(p: &Probe<'_>) {
    let handle = p.make("f");
    p.set_eas(handle, &[("KEPT", b"v")]).unwrap();
    let before = p.eas(handle);
    let long = "N".repeat(300);
    let refused = p.set_eas(handle, &[("KEPT", b"new"), (&long, b"v"), ("ALSO", b"x")]);
    assert!(refused.is_err());
    assert_eq!(p.eas(handle), before);
    let large = vec![7; 70_000];
    let refused = p.set_eas(handle, &[("KEPT", b"new"), ("LARGE", &large)]);
    assert_eq!(refused, Err(VfsError::EasTooLarge));
    assert_eq!(p.eas(handle), before);
}

pub(super) fn overwrite_replaces_eas(p: &Probe<'_>) {
    let handle = p.make("f");
    p.set_eas(handle, &[("OLD", b"v")]).unwrap();
    let new = Creation {
        eas: vec![Ea {
            flags: 0,
            name: "NEW".to_owned(),
            value: bytes::Bytes::from_static(b"w"),
        }],
        ..file()
    };
    p.overwrite(handle, new, false);
    assert_eq!(pairs(&p.eas(handle)), [("NEW".into(), b"w".to_vec())]);
    p.overwrite(handle, file(), true);
    assert!(p.eas(handle).is_empty());
}

pub(super) fn object_ids(p: &Probe<'_>) {
    let id = |n: u8| FileObjectId {
        object_id: Guid::from_bytes([n; 16]),
        extended_info: [n + 1; 48],
    };
    p.make_dir("d");
    for name in ["f", "d"] {
        let handle = if name == "f" {
            p.make(name)
        } else {
            p.open(name)
        };
        let get = |handle| match p.any(VfsOp::ObjectId { handle }) {
            Ok(VfsReply::ObjectId(id)) => id,
            other => panic!("{other:?}"),
        };
        let set = |id, replace| {
            p.done(VfsOp::SetObjectId {
                handle,
                id,
                replace,
            })
        };
        assert_eq!(get(handle), None);
        set(None, false).unwrap();
        set(Some(id(1)), false).unwrap();
        assert_eq!(set(Some(id(2)), false), Err(VfsError::Exists));
        assert_eq!(get(handle), Some(id(1)));
        set(Some(id(2)), true).unwrap();
        // It is the file's, not its name's or an open's, and no extended attribute.
        p.rename(handle, name, &format!("{name}2"), false).unwrap();
        let other = p.open(&format!("{name}2"));
        assert_eq!(get(other), Some(id(2)));
        assert_eq!(p.stat(other).ea_size, 0);
        set(None, false).unwrap();
        assert_eq!(get(other), None);
    }
}

pub(super) fn quotas(p: &Probe<'_>) {
    let sid = Sid::domain(1, 2, 3).with_rid(1000).unwrap();
    let get = || match p.any(VfsOp::Quotas {
        of: vec![Sid::BUILTIN_USERS, sid],
    }) {
        Ok(VfsReply::Quotas(quotas)) => quotas,
        other => panic!("{other:?}"),
    };
    let set = |limits| p.done(VfsOp::SetQuota { sid, limits });
    let limits = QuotaLimits {
        threshold: Some(1 << 20),
        limit: Some(2 << 20),
    };
    match set(Some(limits)) {
        Ok(()) => {}
        // The host does not know the user.
        Err(error) => return assert_eq!(error, VfsError::NotFound),
    }
    let quotas = get();
    assert_eq!(quotas.len(), 1);
    assert_eq!((quotas[0].sid, quotas[0].limits), (sid, limits));
    set(None).unwrap();
    assert_eq!(get(), []);
    assert_eq!(set(None), Err(VfsError::NotFound));
}
