//! A pipe as a client sees it.

use std::time::Duration;

use bytes::Bytes;
use smb_proto::FileTime;
use smb_proto::dtyp::{AclSlot, SecurityDescriptor, Sid};
use smb_proto::rpc::pdu::{
    Bind, BindAck, Body, ContextElement, ContextResult, Pdu, PfcFlags, Request, SyntaxId,
};
use smb_proto::rpc::srvsvc;

use super::*;

pub(super) const DOMAIN: Sid = Sid::domain(7, 8, 9);
pub(super) const ALICE: Sid = Sid::domain_account(7, 8, 9, 1000);

/// A server with two shares, two users (one of them an administrator) and a group.
pub(super) fn view() -> ServerView {
    let account = |rid, name: &str, groups: &[Sid]| AccountView {
        sid: DOMAIN.with_rid(rid).unwrap(),
        name: name.to_owned(),
        full_name: format!("{name} full"),
        comment: format!("about {name}"),
        kind: AccountKind::User,
        groups: groups.to_vec(),
        disabled: rid == 1001,
    };
    let share = |name: &str, comment: &str| ShareView {
        name: name.to_owned(),
        share_type: srvsvc::STYPE_DISKTREE,
        comment: comment.to_owned(),
        path: format!("C:\\{name}"),
        max_users: None,
        current_users: 2,
        flags: 0x30,
        security: None,
    };
    let staff = DOMAIN.with_rid(2000).unwrap();
    ServerView {
        server_name: "SANSRV".to_owned(),
        workgroup: "LAB".to_owned(),
        comment: "a server".to_owned(),
        version: (6, 1),
        domain_sid: DOMAIN,
        caller: Caller {
            name: "alice".to_owned(),
            domain: "SANSRV".to_owned(),
            sid: ALICE,
            anonymous: false,
            admin: false,
        },
        shares: vec![
            share("data", "the data"),
            ShareView {
                max_users: Some(5),
                security: Some(SecurityDescriptor {
                    dacl: AclSlot::Null,
                    ..SecurityDescriptor::default()
                }),
                ..share("Büro", "")
            },
        ],
        accounts: vec![
            account(1000, "alice", &[staff]),
            account(1001, "bob", &[Sid::BUILTIN_ADMINISTRATORS]),
            AccountView {
                kind: AccountKind::Group,
                ..account(2000, "staff", &[])
            },
        ],
        sessions: vec![SessionView {
            client: "192.0.2.7".to_owned(),
            user: "alice".to_owned(),
            guest: false,
            opens: 3,
            active: Duration::from_secs(60),
            idle: Duration::from_secs(5),
        }],
        connections: vec![ConnectionView {
            id: 4,
            share: "data".to_owned(),
            share_type: srvsvc::STYPE_DISKTREE,
            client: "192.0.2.7".to_owned(),
            user: "alice".to_owned(),
            opens: 3,
            active: Duration::from_secs(50),
        }],
        files: vec![FileView {
            id: 9,
            path: "C:\\data\\a.txt".to_owned(),
            user: "alice".to_owned(),
            permissions: 3,
            locks: 1,
        }],
        now: FileTime::from_unix(1_795_353_566, 0),
        uptime: Duration::from_secs(1000),
    }
}

fn admin() -> ServerView {
    let mut v = view();
    v.caller.admin = true;
    v
}

fn anonymous() -> ServerView {
    let mut v = view();
    v.caller.anonymous = true;
    v
}

/// A client of one pipe.
struct Client {
    pipe: Pipe,
    view: ServerView,
    call_id: u32,
}

impl Client {
    fn unbound(pipe: &str, view: ServerView) -> Self {
        Self {
            pipe: Pipe::open(pipe).unwrap(),
            view,
            call_id: 0,
        }
    }

    fn bound(pipe: &str, interface: SyntaxId, view: ServerView) -> Self {
        let mut client = Self::unbound(pipe, view);
        let ack = client.bind(&[(interface, SyntaxId::NDR)], 4280);
        assert_eq!(ack.results, [ContextResult::Accepted(SyntaxId::NDR)]);
        client
    }

    fn bind_pdu(contexts: &[(SyntaxId, SyntaxId)], fragment: u16) -> Pdu {
        let contexts = contexts
            .iter()
            .zip(0..)
            .map(|(&(interface, transfer), id)| ContextElement {
                id,
                interface,
                transfers: vec![transfer],
            })
            .collect();
        Pdu::whole(
            1,
            Body::Bind(Bind {
                max_xmit_frag: fragment,
                max_recv_frag: fragment,
                assoc_group: 0,
                contexts,
            }),
        )
    }

    fn bind(&mut self, contexts: &[(SyntaxId, SyntaxId)], fragment: u16) -> BindAck {
        self.send(&Self::bind_pdu(contexts, fragment));
        match self.receive().body {
            Body::BindAck(ack) => ack,
            other => panic!("{other:?}"),
        }
    }

    fn send(&mut self, pdu: &Pdu) {
        self.pipe.write(&pdu.to_bytes(), &self.view).unwrap();
    }

    fn receive(&mut self) -> Pdu {
        let got = self.pipe.read(65536);
        assert!(!got.more);
        let pdu = Pdu::parse(&got.data).unwrap();
        assert_eq!(Pdu::fragment_len(&got.data), Ok(Some(got.data.len())));
        pdu
    }

    fn request(id: u32, flags: PfcFlags, opnum: u16, stub: &[u8]) -> Pdu {
        Pdu {
            flags,
            ..Pdu::whole(
                id,
                Body::Request(Request {
                    alloc_hint: 0,
                    context_id: 0,
                    opnum,
                    object: None,
                    stub: Bytes::copy_from_slice(stub),
                }),
            )
        }
    }

    fn try_call(&mut self, opnum: u16, stub: &[u8]) -> Result<Bytes, u32> {
        self.call_id += 1;
        self.send(&Self::request(self.call_id, PfcFlags::WHOLE, opnum, stub));
        let mut all = Vec::new();
        loop {
            let pdu = self.receive();
            assert_eq!(pdu.call_id, self.call_id);
            match pdu.body {
                Body::Response(r) => all.extend_from_slice(&r.stub),
                Body::Fault(f) => return Err(f.status),
                other => panic!("{other:?}"),
            }
            if pdu.flags.contains(PfcFlags::LAST_FRAG) {
                return Ok(all.into());
            }
        }
    }

    fn call(&mut self, opnum: u16, stub: &[u8]) -> Bytes {
        self.try_call(opnum, stub).unwrap()
    }
}

/// Makes a call and reads its reply.
macro_rules! ask {
    ($client:expr, $module:ident :: $call:ident $fields:tt, $reply:ident) => {{
        let call = $module::$call $fields;
        let stub = $client.call($module::$call::OPNUM, &call.encode());
        $module::$reply::parse(&stub).unwrap()
    }};
}

mod accounts;
mod association;
mod server;
