//! Whole CREATEs against tables and a backend that the test plays by hand, so that answers can come
//! late, in another order, or not as hoped.

mod existing;
mod new;
mod races;

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bytes::Bytes;
use smb_proto::create_ctx::{MaximalAccessRequest, MaximalAccessResponse};
use smb_proto::dtyp::{Ace, AceFlags, Acl, AclSlot, SecurityDescriptor};
use smb_proto::header::{Header, Route};
use smb_proto::id::{MessageId, SessionId, TreeId};
use smb_proto::info::FileAttributes;
use smb_proto::msg::create::{CreateAction, ImpersonationLevel, Response, ShareAccess};
use smb_proto::msg::{OplockLevel, negotiate};
use smb_proto::{Command, Dialect, FileTime, Guid};

use super::*;
use crate::acl::check::tests::{account, user};
use crate::config::{Config, EncryptionPolicy, Limits, MapToGuest, Share, SigningPolicy, UserList};
use crate::core::{
    ConnState, DeletePending, Established, FileKey, Negotiated, Open, Peer, Session, SessionState,
    Tree, invariants, teardown,
};
use crate::link::{Element, Inbound, Signature};
use crate::output::{Body, ConnId, Output};
use crate::table::Id;
use crate::time::{Instant, Now};
use crate::vfs::{Creation, FileInfo, Missing, SharePath, VfsRequest};

const NOW: Now = Now {
    mono: Instant(1),
    wall: FileTime(1),
};
const ALL: AccessMask = AccessMask::FILE_ALL_ACCESS;
const SHARE_ALL: ShareAccess = ShareAccess::from_bits_retain(7);

struct Bench {
    core: Core,
    conn: ConnId,
    session: Id<Session>,
    tree: Id<Tree>,
    next_message: u64,
    /// What the backend was asked and has not answered.
    asked: VecDeque<VfsRequest>,
    /// Answers by message id.
    answers: Vec<(u64, NtStatus, Body)>,
    events: Vec<Event>,
}

fn share() -> Share {
    Share {
        name: "s".into(),
        comment: String::new(),
        backend: BackendId(5),
        capabilities: Capabilities::all().difference(Capabilities::READ_ONLY),
        file_system: "NTFS".into(),
        max_name: 255,
        read_only: false,
        browseable: true,
        guest_ok: false,
        guest_only: false,
        encryption: EncryptionPolicy::Off,
        valid_users: UserList::default(),
        invalid_users: UserList::default(),
        read_list: UserList::default(),
        write_list: UserList::default(),
        admin_users: UserList::default(),
        force_identity: None,
        hosts_allow: Vec::new(),
        hosts_deny: Vec::new(),
        max_connections: 10,
        oplocks: false,
        continuous_availability: false,
        hide_unreadable: false,
        canonical_inherited: true,
        change_notify: true,
    }
}

fn config() -> Config {
    Config {
        server_name: "S".into(),
        workgroup: "W".into(),
        server_string: String::new(),
        server_guid: Guid::from_bytes([1; 16]),
        domain_sid: account(0),
        min_dialect: Dialect::Smb202,
        max_dialect: Dialect::Smb311,
        signing: SigningPolicy::WhenAsked,
        signing_algorithms: Vec::new(),
        encryption: EncryptionPolicy::Off,
        ciphers: Vec::new(),
        map_to_guest: MapToGuest::Never,
        guest: user(501, &[]),
        refuse_anonymous: true,
        multichannel: false,
        durable_handles: false,
        leases: false,
        directory_leases: false,
        interfaces: Vec::new(),
        started: FileTime(1),
        shares: Vec::new(),
        limits: Limits::default(),
    }
}

impl Bench {
    fn new() -> Self {
        let mut core = Core::new(config(), [7; 32]);
        let peer = Peer {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 1,
        };
        let conn = core.conns.insert(Conn::new(peer, 512));
        if let Some(c) = core.conns.get_mut(conn) {
            c.state = ConnState::Negotiated(Box::new(Negotiated {
                dialect: Dialect::Smb311,
                client_guid: Guid::from_bytes([2; 16]),
                client_capabilities: negotiate::GlobalCapabilities::empty(),
                client_security_mode: negotiate::SecurityMode::empty(),
                capabilities: negotiate::GlobalCapabilities::empty(),
                security_mode: negotiate::SecurityMode::empty(),
                cipher: None,
                signing: smb_proto::crypto::SigningAlgorithm::AesCmac,
                preauth: None,
            }));
            c.window.take(0, 1).unwrap();
            c.window.grant(500);
        }
        let who = Arc::new(user(7, &[]));
        let mut s = Session::new(
            SessionId(0),
            Dialect::Smb311,
            Guid::from_bytes([2; 16]),
            NOW.mono,
        );
        s.state = SessionState::Valid(Established {
            identity: who.clone(),
            session_key: None,
            seal: None,
            open: None,
            signing: None,
            signing_required: false,
            encrypt: false,
            encryption_required: false,
        });
        s.channels
            .insert(conn, crate::core::Channel { signing: None });
        let wire = core.add_session(|wire| {
            s.wire = wire;
            s
        });
        let session = core.session_by_wire(wire).unwrap().0;
        core.conns
            .get_mut(conn)
            .unwrap()
            .sessions
            .insert(wire, session);
        let tree = core.trees.insert(Tree {
            wire: TreeId(1),
            session,
            share: TreeShare::Disk(Arc::new(share())),
            access: ALL,
            identity: who,
            encryption_required: false,
            connected: NOW.mono,
        });
        core.sessions
            .get_mut(session)
            .unwrap()
            .trees
            .insert(TreeId(1), tree);
        Self {
            core,
            conn,
            session,
            tree,
            next_message: 1,
            asked: VecDeque::new(),
            answers: Vec::new(),
            events: Vec::new(),
        }
    }

    fn send(&mut self, body: msg::Request, command: Command) -> u64 {
        let id = self.next_message;
        self.next_message += 1;
        let mut header = Header::request(command, MessageId(id));
        header.credit_charge = 1;
        header.credits = 10;
        header.session_id = SessionId(self.session.to_u64());
        header.route = Route::Sync {
            process_id: 0,
            tree_id: TreeId(1),
        };
        let element = Element {
            header,
            body: Ok(body),
            signature: Signature::Absent,
            raw: Bytes::new(),
        };
        let inbound = Inbound::Message {
            elements: vec![element],
            sealed: None,
        };
        dispatch::receive(&mut self.core, NOW, self.conn, inbound);
        self.drain();
        id
    }

    fn create(&mut self, request: Request) -> u64 {
        self.send(msg::Request::Create(request), Command::Create)
    }

    fn drain(&mut self) {
        while let Some(output) = self.core.next_output() {
            match output {
                Output::Vfs(request) => self.asked.push_back(request),
                Output::Send(_, outbound) => {
                    for a in outbound.elements {
                        let id = a.header.message_id.0;
                        self.answers.push((id, a.header.status, a.body));
                    }
                }
                Output::Store(news) => assert!(news.is_empty(), "nothing outlives the server"),
                Output::Event(event) => self.events.push(event),
                Output::Close(..) | Output::Keys(..) | Output::Lookup(..) => {}
            }
        }
        invariants::check(&self.core).unwrap();
    }

    /// The oldest question to the backend.
    fn op(&self) -> &VfsOp {
        &self.asked.front().expect("a question").op
    }

    /// Answers the question at `index`.
    fn answer_at(&mut self, index: usize, result: VfsResult) {
        let request = self.asked.remove(index).expect("a question");
        dispatch::complete(&mut self.core, NOW, request.token, Completion::Vfs(result));
        self.drain();
    }

    fn answer(&mut self, result: VfsResult) {
        self.answer_at(0, result);
    }

    /// Answers the Close (or Remove) that must be next.
    fn expect_close(&mut self, handle: u64) {
        let expected = VfsOp::Close {
            handle: VfsHandle(handle),
        };
        assert_eq!(self.op(), &expected);
        self.answer(Ok(VfsReply::Done));
    }

    /// Nothing is under way, and the tables hold `opens` opens.
    fn quiet(&self, opens: usize) {
        assert!(self.asked.is_empty(), "{:?}", self.asked);
        assert_eq!(self.core.opens.len(), opens);
        assert_eq!(self.core.ops.len(), 0);
        assert_eq!(self.core.creates_in_flight, 0);
        assert!(self.core.removed_meanwhile.is_empty());
    }

    fn status(&self, id: u64) -> NtStatus {
        let found = self.answers.iter().find(|(i, ..)| *i == id);
        found.expect("an answer").1
    }

    fn response(&self, id: u64) -> &Response {
        let found = self.answers.iter().find(|(i, ..)| *i == id);
        match &found.expect("an answer").2 {
            Body::Message(msg::Response::Create(r)) => r,
            other => panic!("{other:?}"),
        }
    }

    /// Opens an existing file in one go.
    fn opened(&mut self, request: Request, handle: u64, node: u64) -> u64 {
        let at = at_of(&request);
        let id = self.create(request);
        self.answer(Ok(found(handle, node, at)));
        id
    }

    fn open_of(&self, id: u64) -> (Id<Open>, &Open) {
        let wire = self.response(id).file_id;
        let open = Id::from_u64(wire.volatile).unwrap();
        let o = self.core.opens.get(open).unwrap();
        assert_eq!(o.file_id, wire);
        (open, o)
    }

    fn close(&mut self, create: u64) -> u64 {
        let file_id = self.response(create).file_id;
        let body = msg::close::Request {
            flags: msg::close::CloseFlags::empty(),
            file_id,
        };
        self.send(msg::Request::Close(body), Command::Close)
    }

    fn set_tree_access(&mut self, access: AccessMask) {
        let tree = self.tree;
        self.core.trees.get_mut(tree).unwrap().access = access;
    }

    fn set_capabilities(&mut self, capabilities: Capabilities) {
        let mut share = share();
        share.capabilities = capabilities;
        let tree = self.tree;
        self.core.trees.get_mut(tree).unwrap().share = TreeShare::Disk(Arc::new(share));
    }
}

fn request(name: &str, disposition: CreateDisposition) -> Request {
    Request {
        requested_oplock_level: OplockLevel::BATCH,
        impersonation_level: ImpersonationLevel::IMPERSONATION,
        desired_access: AccessMask::FILE_READ_DATA,
        file_attributes: FileAttributes::NORMAL,
        share_access: SHARE_ALL,
        create_disposition: disposition.into(),
        create_options: CreateOptions::empty(),
        name: name.into(),
        contexts: Vec::new(),
    }
}

fn open(name: &str) -> Request {
    request(name, CreateDisposition::Open)
}

fn at_of(request: &Request) -> Location {
    Name::parse(&request.name, 255).unwrap().at
}

fn at(path: &str) -> Location {
    SharePath::new(path).unwrap().into()
}

fn info(node: u64) -> FileInfo {
    FileInfo {
        node: NodeId {
            volume: 1,
            file: node,
        },
        creation: FileTime(10),
        access: FileTime(20),
        write: FileTime(30),
        change: FileTime(40),
        size: 50,
        allocation: 60,
        attributes: FileAttributes::ARCHIVE,
        links: 1,
        ea_size: 0,
        reparse_tag: 0,
        hidden_by_name: false,
    }
}

/// Lets the user of the tests do `mask`.
fn sd(mask: AccessMask) -> SecurityDescriptor {
    SecurityDescriptor {
        owner: Some(account(1)),
        dacl: AclSlot::Acl(Acl::new(vec![Ace::allow(
            account(7),
            mask,
            AceFlags::empty(),
        )])),
        ..SecurityDescriptor::default()
    }
}

fn opened(handle: u64, node: u64, at: Location) -> Opened {
    Opened {
        handle: VfsHandle(handle),
        info: info(node),
        at,
        security: sd(ALL),
    }
}

fn found(handle: u64, node: u64, at: Location) -> VfsReply {
    VfsReply::Opened(opened(handle, node, at))
}

fn directory(handle: u64, node: u64, at: Location, mask: AccessMask) -> VfsReply {
    let mut o = opened(handle, node, at);
    o.info.attributes = FileAttributes::DIRECTORY;
    o.security = sd(mask);
    VfsReply::Opened(o)
}

fn nothing(mask: AccessMask) -> VfsReply {
    let mut parent = info(1000);
    parent.attributes = FileAttributes::DIRECTORY;
    VfsReply::Missing(Missing {
        parent,
        security: sd(mask),
    })
}
