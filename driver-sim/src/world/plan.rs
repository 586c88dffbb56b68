//! What happens in a world, as data: the server's settings, the network, the disk, who takes part,
//! and a script of steps. A seed gives a plan ([`super::swarm`]); a smaller plan is a plan too.

use serde::{Deserialize, Serialize};

use super::step::Step;

/// Everything that decides how a world runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Where the engine's, the network's, the disk's and the clients' random values come from.
    pub seed: u64,
    /// Signatures and ciphers are replaced by a checksum; everything around them stays.
    pub stub_crypto: bool,
    /// The server's settings.
    pub server: ServerPlan,
    /// The network.
    pub net: NetPlan,
    /// The disk.
    pub disk: DiskPlan,
    /// Who connects.
    pub clients: Vec<ClientPlan>,
    /// What they do. Steps of one actor are taken in order; those of several actors overlap.
    pub steps: Vec<Step>,
}

/// Settings of the server that differ among worlds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerPlan {
    /// Oldest dialect, by its code.
    pub min_dialect: u16,
    /// Newest dialect, by its code.
    pub max_dialect: u16,
    /// Signing is required.
    pub signing_required: bool,
    /// 0 off, 1 when asked, 2 desired, 3 required.
    pub encryption: u8,
    /// Encryption of the share `sealed`: 2 desired, 3 required.
    pub share_encryption: u8,
    /// Unknown users become guest, who may use the share `files`.
    pub guests: bool,
    /// Sessions may be bound to further connections.
    pub multichannel: bool,
    /// Credits of one connection at most.
    pub max_credits: u16,
    /// MaxTransactSize, MaxReadSize and MaxWriteSize.
    pub max_transact: u32,
    /// Opens in all.
    pub max_opens: usize,
    /// Requests that wait for something, of one connection.
    pub max_async: usize,
    /// When an interim answer is due, in milliseconds.
    pub interim_ms: u64,
    /// How long an authentication is good for, in milliseconds; 0: for ever.
    pub session_lifetime_ms: u64,
    /// Sessions without open files end after so many milliseconds without a request; 0: never.
    pub idle_ms: u64,
    /// How long clients have for acknowledging a break, in milliseconds.
    pub break_ms: u64,
}

/// The network between clients and server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetPlan {
    /// Least and greatest delay of a segment in microseconds.
    pub latency_us: (u64, u64),
    /// Bytes that a connection carries in a millisecond in one direction; 0: any number.
    pub bytes_per_ms: u64,
    /// Each write is cut at up to so many random places.
    pub cuts: u8,
    /// Segments that are handed over together with the one before, in percent.
    pub coalesce_percent: u8,
    /// Segments before which the connection stands still for a while, in a thousand.
    pub stall_permille: u16,
    /// How long it then stands still at most, in milliseconds.
    pub stall_ms: u64,
    /// Bytes that the server's side keeps for a slow reader before it takes in nothing more.
    pub send_buffer: usize,
}

/// The disk under the shares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskPlan {
    /// Least and greatest delay of an operation in microseconds.
    pub latency_us: (u64, u64),
    /// Operations that take up to [`Self::slow_ms`], in percent.
    pub slow_percent: u8,
    /// See [`Self::slow_percent`].
    pub slow_ms: u64,
    /// Operations that fail with an input/output error, in ten thousand.
    pub eio: u16,
    /// Writing operations that fail because the quota is used up, in ten thousand.
    pub quota: u16,
    /// Reads that give fewer bytes than there are, in ten thousand.
    pub short_reads: u16,
    /// Size of the volume in units of 4096 bytes; 0: large.
    pub capacity: u64,
}

/// Who connects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientPlan {
    /// What kind of peer it is.
    pub kind: PeerKind,
    /// Dialects to offer, by their codes.
    pub dialects: Vec<u16>,
    /// Begin with an SMB1 NEGOTIATE.
    pub smb1_first: bool,
    /// Number of the user it logs on as: see [`super::server::USERS`].
    pub user: u8,
    /// Number of the share its first tree connect is to: see [`super::server::SHARES`].
    pub share: u8,
    /// Sign everything.
    pub sign: bool,
    /// Encrypt everything, if the session can.
    pub encrypt: bool,
    /// Ciphers to offer, by their codes.
    pub ciphers: Vec<u16>,
    /// Signing algorithms to offer, by their codes.
    pub signing_algorithms: Vec<u16>,
    /// Credits to ask for with each request.
    pub credits: u16,
    /// Announce requests of more than 64 KiB.
    pub large_mtu: bool,
    /// Requests under way at the same time.
    pub depth: u8,
    /// Bytes in a millisecond that it takes in; 0: as many as come.
    pub reads_per_ms: u64,
    /// Connect again when the connection is lost, and go on with the script.
    pub reconnects: bool,
    /// The connection breaks when so many bytes have been sent to the server; 0: it does not.
    pub reset_after: u64,
    /// The connection breaks when so many bytes have come from the server; 0: it does not.
    pub reset_after_received: u64,
}

/// What kind of peer a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeerKind {
    /// Negotiates, logs on, connects to a share, and follows the script.
    Normal,
    /// Connects and never says anything.
    Silent,
    /// Sends half a message, and then nothing more.
    Half,
    /// Negotiates and never logs on.
    Stranger,
}

impl ServerPlan {
    /// A server that takes everything.
    #[must_use]
    pub fn open() -> Self {
        Self {
            min_dialect: 0x0202,
            max_dialect: 0x0311,
            signing_required: false,
            encryption: 1,
            share_encryption: 3,
            guests: false,
            multichannel: true,
            max_credits: 512,
            max_transact: 1 << 20,
            max_opens: 65536,
            max_async: 512,
            interim_ms: 500,
            session_lifetime_ms: 0,
            idle_ms: 0,
            break_ms: 2000,
        }
    }
}

impl NetPlan {
    /// A network that only takes its time.
    #[must_use]
    pub fn calm() -> Self {
        Self {
            latency_us: (100, 300),
            bytes_per_ms: 0,
            cuts: 0,
            coalesce_percent: 0,
            stall_permille: 0,
            stall_ms: 0,
            send_buffer: 1 << 20,
        }
    }
}

impl DiskPlan {
    /// A disk that only takes its time.
    #[must_use]
    pub fn calm() -> Self {
        Self {
            latency_us: (20, 200),
            slow_percent: 0,
            slow_ms: 0,
            eio: 0,
            quota: 0,
            short_reads: 0,
            capacity: 0,
        }
    }
}

impl ClientPlan {
    /// A client that offers everything and follows the rules.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            kind: PeerKind::Normal,
            dialects: vec![0x0202, 0x0210, 0x0300, 0x0302, 0x0311],
            smb1_first: false,
            user: 0,
            share: 0,
            sign: false,
            encrypt: false,
            ciphers: vec![1, 2, 3, 4],
            signing_algorithms: vec![0, 1, 2],
            credits: 32,
            large_mtu: true,
            depth: 4,
            reads_per_ms: 0,
            reconnects: true,
            reset_after: 0,
            reset_after_received: 0,
        }
    }
}
