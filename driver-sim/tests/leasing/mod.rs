//! A test bed for clients with leases.

#![allow(dead_code, reason = "each test uses a part of it")]

use driver_sim::client::{ClientConfig, ClientEvent, ops};
use driver_sim::pair::{Answer, Builder, End, Pair, Tree};
use smb_proto::create_ctx::{Lease, LeaseFlags, LeaseState, LeaseV2};
use smb_proto::dtyp::AccessMask;
use smb_proto::id::{FileId, LeaseKey, MessageId};
use smb_proto::msg::create::{self, CreateDisposition, CreateOptions};
use smb_proto::msg::negotiate::GlobalCapabilities;
use smb_proto::msg::oplock_break::{self, LeaseBreakAck, LeaseBreakFlags};
use smb_proto::msg::{self, OplockLevel};
use smb_proto::{NtStatus, wire::Writer};

pub(crate) const NONE: LeaseState = LeaseState::empty();
pub(crate) const R: LeaseState = LeaseState::READ;
pub(crate) const RH: LeaseState = R.union(LeaseState::HANDLE);
pub(crate) const RW: LeaseState = R.union(LeaseState::WRITE);
pub(crate) const RWH: LeaseState = RH.union(LeaseState::WRITE);

/// A key that is this byte all over.
pub(crate) fn key(byte: u8) -> LeaseKey {
    LeaseKey([byte; 16])
}

/// Bytes of a structure.
pub(crate) fn bytes(encode: impl FnOnce(&mut Writer)) -> bytes::Bytes {
    let mut w = Writer::new();
    encode(&mut w);
    w.into_inner().freeze()
}

/// A server with leases.
pub(crate) fn server() -> Builder {
    Pair::builder().config(|c| {
        c.leases = true;
        c.directory_leases = true;
        c.durable_handles = true;
        c.multichannel = true;
    })
}

/// What clients of this file announce.
pub(crate) fn config(seed: u64) -> ClientConfig {
    let mut config = ClientConfig::default().seed(seed);
    config.capabilities |= GlobalCapabilities::LEASING | GlobalCapabilities::DIRECTORY_LEASING;
    config
}

/// A client with a connection and the share.
pub(crate) fn client(pair: &mut Pair, seed: u64) -> Tree {
    let end = pair.connect_as(config(seed));
    pair.mount_on(end)
}

/// A CREATE that asks for a lease of version 2 besides.
pub(crate) fn with_lease(
    mut request: create::Request,
    name: LeaseKey,
    state: LeaseState,
    parent: Option<LeaseKey>,
) -> create::Request {
    let mut flags = LeaseFlags::empty();
    flags.set(LeaseFlags::PARENT_LEASE_KEY_SET, parent.is_some());
    let lease = Lease {
        key: name,
        state,
        flags,
        v2: Some(LeaseV2 {
            parent_key: parent.unwrap_or(LeaseKey([0; 16])),
            epoch: 0,
        }),
    };
    request.requested_oplock_level = OplockLevel::LEASE;
    request.contexts.push(lease.to_raw());
    request
}

/// Opens a directory, or makes it; not to delete or rename it, which would keep others from renaming
/// into it.
pub(crate) fn dir(name: &str) -> create::Request {
    create::Request {
        desired_access: AccessMask::FILE_ALL_ACCESS.difference(AccessMask::DELETE),
        create_options: CreateOptions::DIRECTORY_FILE,
        ..ops::create(name, CreateDisposition::OpenIf)
    }
}

/// Opens a file, or makes it.
pub(crate) fn file(name: &str) -> create::Request {
    ops::create(name, CreateDisposition::OpenIf)
}

/// The lease that an answer grants.
pub(crate) fn granted(answer: &create::Response) -> Option<Lease> {
    let context = answer.contexts.iter().find(|c| c.name == Lease::NAME)?;
    Some(Lease::parse(&context.data).unwrap())
}

/// Opens with a lease: the open, and what was granted.
pub(crate) fn open_leased(
    pair: &mut Pair,
    tree: Tree,
    request: create::Request,
    name: LeaseKey,
    state: LeaseState,
    parent: Option<LeaseKey>,
) -> Answer<(FileId, Option<Lease>)> {
    let answer = pair.create(tree, with_lease(request, name, state, parent))?;
    Ok((answer.file_id, granted(&answer)))
}

/// A break of a lease that a client was told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) key: LeaseKey,
    pub(crate) from: LeaseState,
    pub(crate) to: LeaseState,
    pub(crate) epoch: u16,
    pub(crate) acknowledge: bool,
}

/// The breaks of leases that a client has been told of since it was last asked.
pub(crate) fn told(pair: &mut Pair, end: End) -> Vec<Told> {
    let events = pair.client_events(end);
    let breaks = events.into_iter().filter_map(|e| match e {
        ClientEvent::Break(oplock_break::Message::LeaseNotification(b)) => Some(Told {
            key: b.lease_key,
            from: b.current_lease_state,
            to: b.new_lease_state,
            epoch: b.new_epoch,
            acknowledge: b.flags.contains(LeaseBreakFlags::ACK_REQUIRED),
        }),
        _ => None,
    });
    breaks.collect()
}

/// Acknowledges a break.
pub(crate) fn acknowledge(pair: &mut Pair, tree: Tree, told: Told) -> NtStatus {
    let ack = oplock_break::Message::LeaseAck(LeaseBreakAck {
        lease_key: told.key,
        lease_state: told.to,
    });
    pair.call(tree, msg::Request::OplockBreak(ack)).status()
}

/// Whether a request is still waiting.
pub(crate) fn waits(pair: &mut Pair, tree: Tree, id: MessageId) -> bool {
    pair.run();
    pair.client(tree.end).in_flight() > 0 && pair.reply(tree.end, id).is_none()
}
