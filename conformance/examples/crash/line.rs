//! The simulator's client on a socket that may break at any moment.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use driver_sim::client::{
    Client, ClientConfig, ClientEvent, Credentials, LogonFor, Part, Reply, Target, ops,
};
use smb_proto::header::HeaderFlags;
use smb_proto::msg;
use smb_proto::msg::negotiate::GlobalCapabilities;

/// A client, connected to the share.
pub(crate) struct Line {
    client: Client,
    pub(crate) socket: TcpStream,
    target: Target,
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, what)
}

impl Line {
    /// A connection; `client` makes the ClientGuid.
    pub(crate) fn connect(address: SocketAddr, client: u64) -> io::Result<Self> {
        let mut config = ClientConfig::default().seed(client);
        config.capabilities |= GlobalCapabilities::PERSISTENT_HANDLES;
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self {
            client: Client::new(config),
            socket,
            target: Target::default(),
        })
    }

    /// Logs on and connects the share.
    pub(crate) fn mount(&mut self, user: &str) -> io::Result<()> {
        self.client.negotiate();
        let ClientEvent::Negotiated(_) = self.event()? else {
            return Err(io::Error::other("no negotiation"));
        };
        let demo = Credentials::new(user, "demo");
        self.client.logon(demo, LogonFor::New);
        let ClientEvent::LoggedOn { session, .. } = self.event()? else {
            return Err(io::Error::other("no logon"));
        };
        self.target = Target::session(session);
        let reply = self.call(ops::tree_connect("\\\\x\\files"))?;
        self.target.tree = reply.header.tree_id();
        Ok(())
    }

    fn event(&mut self) -> io::Result<ClientEvent> {
        let mut buffer = [0; 65536];
        loop {
            while let Some(bytes) = self.client.poll_transmit() {
                self.socket.write_all(&bytes)?;
            }
            if let Some(event) = self.client.poll_event() {
                return Ok(event);
            }
            let len = self.socket.read(&mut buffer)?;
            if len == 0 {
                return Err(broken("closed"));
            }
            self.client.receive(buffer.get(..len).unwrap_or_default());
        }
    }

    /// A request and its answer.
    pub(crate) fn call(&mut self, request: impl Into<msg::Request>) -> io::Result<Reply> {
        self.call_part(Part::new(self.target, request))
    }

    /// The same, sent again after its answer was lost.
    pub(crate) fn replay(&mut self, request: impl Into<msg::Request>) -> io::Result<Reply> {
        let mut part = Part::new(self.target, request);
        part.flags |= HeaderFlags::REPLAY_OPERATION;
        self.call_part(part)
    }

    fn call_part(&mut self, part: Part) -> io::Result<Reply> {
        let id = self.client.send_part(part);
        loop {
            match self.event()? {
                ClientEvent::Reply(reply) if reply.message == id => return Ok(reply),
                ClientEvent::Fault(fault) => {
                    return Err(io::Error::other(fault.to_string()));
                }
                _ => {}
            }
        }
    }
}
