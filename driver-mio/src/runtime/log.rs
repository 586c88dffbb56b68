//! Events of the engine as log lines: one for each event of a connection at info, one for each
//! request at debug.

use std::net::SocketAddr;

use smb_engine::event::Event;
use smb_engine::output::{CloseReason, ConnId};
use tracing::{debug, info, warn};

/// The connection that an event is about.
pub(super) fn conn_of(event: &Event) -> Option<ConnId> {
    match event {
        Event::Negotiated { conn, .. }
        | Event::LoggedOn { conn, .. }
        | Event::LogonFailed { conn, .. }
        | Event::TreeConnected { conn, .. }
        | Event::TreeRefused { conn, .. }
        | Event::Answered { conn, .. }
        | Event::Closing { conn, .. } => Some(*conn),
        Event::LoggedOff { .. }
        | Event::BackendFailed { .. }
        | Event::Restored { .. }
        | Event::NotRestored { .. }
        | Event::Stale => None,
    }
}

/// Writes one event.
pub(super) fn event(peer: Option<SocketAddr>, event: &Event) {
    let peer = peer.map(tracing::field::display);
    match event {
        Event::Negotiated { conn, dialect } => info!(%conn, peer, %dialect, "negotiated"),
        Event::LoggedOn {
            conn,
            session,
            user,
            unprivileged,
        } => {
            info!(%conn, peer, %session, user, unprivileged, "logged on");
        }
        Event::LogonFailed { conn, user, status } => {
            warn!(%conn, peer, user, %status, "logon failed");
        }
        Event::LoggedOff { session } => info!(%session, "logged off"),
        Event::TreeConnected {
            conn,
            session,
            share,
        } => {
            info!(%conn, peer, %session, share, "share connected");
        }
        Event::TreeRefused {
            conn,
            session,
            share,
            status,
        } => {
            warn!(%conn, peer, %session, share, %status, "share refused");
        }
        Event::Answered {
            conn,
            command,
            status,
        } => {
            debug!(%conn, peer, %command, %status, "answered");
        }
        Event::Closing { conn, reason } => match reason {
            CloseReason::Fault(fault) => warn!(%conn, peer, "closing connection: {fault}"),
            CloseReason::TooManyConnections => {
                warn!(%conn, peer, "closing connection: too many connections");
            }
            CloseReason::Idle => info!(%conn, peer, "closing connection: idle"),
            CloseReason::Administrative => info!(%conn, peer, "closing connection: shutting down"),
            CloseReason::SessionEnded => info!(%conn, peer, "closing connection: session ended"),
        },
        Event::BackendFailed { doing, error } => warn!(doing, %error, "storage failed"),
        Event::Restored { id } => info!(id, "persistent handle restored"),
        Event::NotRestored { id } => warn!(id, "persistent handle lost"),
        Event::Stale => debug!("an answer that nobody waits for"),
    }
}
