//! Authentication: SPNEGO and NTLM from the acceptor's side ([MS-SPNG], [MS-NLMP] 3.2), and the
//! pre-authentication hash.

mod acceptor;
mod ntlm;
pub(crate) mod preauth;

use smb_proto::crypto::PreauthHash;
use smb_proto::id::SessionId;

pub(crate) use acceptor::{Acceptor, Names, Progress, Proven, offer};
pub(crate) use ntlm::Proof;

/// What an authentication in progress is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It makes a new session.
    New,
    /// It proves the user of a session once more ([MS-SMB2] 3.3.5.5.2).
    Again,
    /// It binds a session to a further connection ([MS-SMB2] 3.3.5.5.2).
    Bind,
}

/// One authentication in progress on one connection.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) purpose: Purpose,
    /// Session.PreauthIntegrityHashValue; in 3.1.1 for new sessions and bindings.
    pub(crate) preauth: Option<PreauthHash>,
    pub(crate) acceptor: Acceptor,
    /// A step of it is running; another one has to wait for its answer.
    pub(crate) busy: bool,
    /// A session of the same user that ends when this one is established (3.3.5.5.3).
    pub(crate) previous: SessionId,
}
