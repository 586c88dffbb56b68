//! Shares, the server itself and who uses it.

use smb_proto::dtyp::{AclSlot, SecurityDescriptor};
use smb_proto::rpc::pdu::Fault;
use smb_proto::rpc::{srvsvc, wkssvc};

use super::*;

fn share_enum(level: u32) -> srvsvc::ShareEnum {
    use srvsvc::ShareEnumUnion as U;
    let share_info = match level {
        0 => U::Level0(Some(Default::default())),
        1 => U::Level1(Some(Default::default())),
        2 => U::Level2(Some(Default::default())),
        501 => U::Level501(Some(Default::default())),
        502 => U::Level502(Some(Default::default())),
        other => U::Other(other, Some(Default::default())),
    };
    srvsvc::ShareEnum {
        server_name: Some("\\\\sansrv".into()),
        info: srvsvc::ShareEnumStruct { level, share_info },
        prefered_maximum_length: u32::MAX,
        resume_handle: Some(0),
    }
}

#[test]
fn shares_at_every_level() {
    use srvsvc::ShareEnumUnion as U;
    let mut c = Client::bound("srvsvc", srvsvc::INTERFACE, view());
    for level in [0, 1, 2, 501, 502] {
        let stub = c.call(15, &share_enum(level).encode());
        let reply = srvsvc::ShareEnumReply::parse(&stub).unwrap();
        assert_eq!((reply.status, reply.total_entries), (0, 3), "{level}");
        let names: Vec<_> = match reply.info.share_info {
            U::Level0(Some(l)) => l.buffer.unwrap().into_iter().map(|s| s.netname).collect(),
            U::Level1(Some(l)) => l.buffer.unwrap().into_iter().map(|s| s.netname).collect(),
            U::Level2(Some(l)) => l.buffer.unwrap().into_iter().map(|s| s.netname).collect(),
            U::Level501(Some(l)) => l.buffer.unwrap().into_iter().map(|s| s.netname).collect(),
            U::Level502(Some(l)) => {
                let list = l.buffer.unwrap();
                assert_eq!(list[0].path, Some("C:\\data".into()));
                assert_eq!((list[0].max_uses, list[1].max_uses), (u32::MAX, 5));
                let sd = list[1].security_descriptor.as_deref().unwrap();
                assert_eq!(list[1].reserved, 20);
                assert_eq!(SecurityDescriptor::parse(sd).unwrap().dacl, AclSlot::Null);
                list.into_iter().map(|s| s.netname).collect()
            }
            other => panic!("{other:?}"),
        };
        let expected = ["data", "Büro", "IPC$"].map(|n| Some(n.into()));
        assert_eq!(names, expected, "{level}");
    }
    let stub = c.call(15, &share_enum(77).encode());
    let reply = srvsvc::ShareEnumReply::parse(&stub).unwrap();
    assert_eq!((reply.status, reply.total_entries), (124, 0));
    // NetrShareEnumSticky is the same here.
    let stub = c.call(36, &share_enum(1).encode());
    let reply = srvsvc::ShareEnumReply::parse(&stub).unwrap();
    assert_eq!((reply.status, reply.total_entries), (0, 3));
    let mut c = Client::bound("srvsvc", srvsvc::INTERFACE, anonymous());
    for (level, status) in [(1, 0), (2, 5), (502, 5)] {
        let stub = c.call(15, &share_enum(level).encode());
        assert_eq!(srvsvc::ShareEnumReply::parse(&stub).unwrap().status, status);
    }
}

#[test]
fn shares_in_parts() {
    let mut c = Client::bound("srvsvc", srvsvc::INTERFACE, view());
    let mut call = share_enum(0);
    call.prefered_maximum_length = 1;
    let mut seen = Vec::new();
    for left in [3, 2, 1] {
        let reply = srvsvc::ShareEnumReply::parse(&c.call(15, &call.encode())).unwrap();
        assert_eq!(reply.total_entries, left);
        assert_eq!(reply.status, if left == 1 { 0 } else { 234 });
        let srvsvc::ShareEnumUnion::Level0(Some(list)) = reply.info.share_info else {
            panic!()
        };
        seen.extend(
            list.buffer
                .unwrap()
                .into_iter()
                .map(|s| s.netname.unwrap().0),
        );
        call.resume_handle = reply.resume_handle;
    }
    assert_eq!(seen, ["data", "Büro", "IPC$"]);
}

#[test]
fn one_share() {
    let mut c = Client::bound("srvsvc", srvsvc::INTERFACE, view());
    let mut get = |name: &str, level| {
        ask!(
            c,
            srvsvc::ShareGetInfo {
                server_name: None,
                net_name: name.into(),
                level
            },
            ShareGetInfoReply
        )
    };
    for level in [0, 1, 2, 501, 502, 1005] {
        let reply = get("BÜRO", level);
        assert_eq!((reply.status, reply.info.tag()), (0, level));
    }
    assert_eq!(
        get("data", 1005).info,
        srvsvc::ShareInfo::Level1005(Some(srvsvc::ShareInfo1005 { flags: 0x30 }))
    );
    assert_eq!(get("ipc$", 1).status, 0);
    assert_eq!(get("nothing", 1).status, 2310);
    assert_eq!(get("data", 3).status, 124);
}

#[test]
fn server_and_workstation() {
    for (view, expected) in [
        (view(), [(100, 0), (101, 0), (102, 5), (103, 124)]),
        (admin(), [(100, 0), (101, 0), (102, 0), (599, 124)]),
    ] {
        let mut c = Client::bound("srvsvc", srvsvc::INTERFACE, view.clone());
        let mut w = Client::bound("wkssvc", wkssvc::INTERFACE, view);
        for (level, status) in expected {
            let server_name = None;
            let reply = ask!(
                c,
                srvsvc::ServerGetInfo { server_name, level },
                ServerGetInfoReply
            );
            assert_eq!((reply.status, reply.info.tag()), (status, level));
            let server_name = None;
            let reply = ask!(
                w,
                wkssvc::WkstaGetInfo { server_name, level },
                WkstaGetInfoReply
            );
            assert_eq!((reply.status, reply.info.tag()), (status, level));
        }
    }
}

#[test]
fn who_uses_the_server() {
    let session = |level| {
        use srvsvc::SessionEnumUnion as U;
        let session_info = match level {
            0 => U::Level0(Some(Default::default())),
            1 => U::Level1(Some(Default::default())),
            2 => U::Level2(Some(Default::default())),
            10 => U::Level10(Some(Default::default())),
            _ => U::Level502(Some(Default::default())),
        };
        srvsvc::SessionEnum {
            client_name: Some("\\\\192.0.2.7".into()),
            info: srvsvc::SessionEnumStruct {
                level,
                session_info,
            },
            prefered_maximum_length: u32::MAX,
            ..Default::default()
        }
    };
    let status = |view: ServerView, level| {
        let mut c = Client::bound("srvsvc", srvsvc::INTERFACE, view);
        let stub = c.call(12, &session(level).encode());
        let reply = srvsvc::SessionEnumReply::parse(&stub).unwrap();
        (reply.status, reply.total_entries)
    };
    for level in [0, 1, 2, 10, 502] {
        assert_eq!(status(admin(), level), (0, 1), "{level}");
        let user = if matches!(level, 0 | 10) {
            (0, 1)
        } else {
            (5, 0)
        };
        assert_eq!(status(view(), level), user, "{level}");
        assert_eq!(status(anonymous(), level), (5, 0), "{level}");
    }

    let mut c = Client::bound("srvsvc", srvsvc::INTERFACE, admin());
    for (qualifier, n) in [("data", 1), ("other", 0), ("\\\\192.0.2.7", 1)] {
        let reply = ask!(
            c,
            srvsvc::ConnectionEnum {
                qualifier: Some(qualifier.into()),
                info: srvsvc::ConnectionEnumStruct {
                    level: 1,
                    connect_info: srvsvc::ConnectionEnumUnion::Level1(Some(Default::default())),
                },
                prefered_maximum_length: u32::MAX,
                ..Default::default()
            },
            ConnectionEnumReply
        );
        assert_eq!((reply.status, reply.total_entries), (0, n), "{qualifier}");
    }
    for (base, n) in [("", 1), ("c:\\DATA", 1), ("C:\\other", 0)] {
        let reply = ask!(
            c,
            srvsvc::FileEnum {
                base_path: Some(base.into()),
                info: srvsvc::FileEnumStruct {
                    level: 3,
                    file_info: srvsvc::FileEnumUnion::Level3(Some(Default::default())),
                },
                prefered_maximum_length: u32::MAX,
                ..Default::default()
            },
            FileEnumReply
        );
        assert_eq!((reply.status, reply.total_entries), (0, n), "{base}");
    }
}

#[test]
fn paths_and_names() {
    let mut c = Client::bound("srvsvc", srvsvc::INTERFACE, view());
    let mut canonical = |path: &str, outbuf_len| {
        ask!(
            c,
            srvsvc::PathCanonicalize {
                path_name: path.into(),
                outbuf_len,
                ..Default::default()
            },
            PathCanonicalizeReply
        )
    };
    let reply = canonical("C:/a/../b", 20);
    assert_eq!((reply.status, reply.path_type), (0, 8198));
    assert_eq!(reply.outbuf.len(), 20);
    assert!(reply.outbuf.starts_with(b"C\0:\0\\\0b\0\0\0"));
    assert_eq!(canonical("C:\\b", 9).status, 2123);
    assert_eq!(canonical("C:\\..\\b", 20).status, 123);
    let long = srvsvc::PathCanonicalize {
        outbuf_len: 64_001,
        ..Default::default()
    };
    assert_eq!(c.try_call(31, &long.encode()), Err(Fault::BAD_STUB_DATA));
    for (name, status) in [("data", 0), ("a/b", 123)] {
        let reply = ask!(
            c,
            srvsvc::NameValidate {
                server_name: None,
                name: name.into(),
                name_type: 9,
                flags: 0
            },
            NameValidateReply
        );
        assert_eq!(reply.status, status, "{name}");
    }
}
