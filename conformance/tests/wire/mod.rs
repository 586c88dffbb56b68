//! The simulator's client, which does no I/O, on a socket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use driver_sim::client::{
    Client, ClientConfig, ClientEvent, Credentials, LogonFor, Reply, Target, ops,
};
use smb_proto::id::MessageId;

/// A client and its connection.
pub(crate) struct Wire {
    pub(crate) client: Client,
    pub(crate) socket: TcpStream,
}

impl Wire {
    /// Connected to a share as `demo`.
    #[allow(
        dead_code,
        reason = "each program that includes this needs a part of it"
    )]
    pub(crate) fn mount(address: SocketAddr, config: ClientConfig, share: &str) -> (Self, Target) {
        let demo = Credentials::new("demo", "demo");
        Self::mount_as(address, config, demo, share)
    }

    /// Connected to a share.
    pub(crate) fn mount_as(
        address: SocketAddr,
        config: ClientConfig,
        credentials: Credentials,
        share: &str,
    ) -> (Self, Target) {
        let mut wire = Self {
            client: Client::new(config),
            socket: TcpStream::connect(address).unwrap(),
        };
        wire.client.negotiate();
        assert!(matches!(wire.event(), ClientEvent::Negotiated(_)));
        wire.client.logon(credentials, LogonFor::New);
        let ClientEvent::LoggedOn { session, .. } = wire.event() else {
            panic!("no logon");
        };
        let to = Target::session(session);
        let id = wire
            .client
            .send(to, ops::tree_connect(&format!("\\\\x\\{share}")));
        let tree = wire.reply(id).header.tree_id();
        (wire, Target { session, tree })
    }

    fn event(&mut self) -> ClientEvent {
        let mut buffer = [0; 65536];
        loop {
            while let Some(bytes) = self.client.poll_transmit() {
                self.socket.write_all(&bytes).unwrap();
            }
            if let Some(event) = self.client.poll_event() {
                return event;
            }
            let len = self.socket.read(&mut buffer).unwrap();
            assert_ne!(len, 0, "the server has closed the connection");
            self.client.receive(&buffer[..len]);
        }
    }

    /// Waits for the final answer to a request.
    pub(crate) fn reply(&mut self, id: MessageId) -> Reply {
        loop {
            match self.event() {
                ClientEvent::Reply(reply) if reply.message == id => return reply,
                ClientEvent::Fault(fault) => panic!("{fault}"),
                _ => {}
            }
        }
    }
}
