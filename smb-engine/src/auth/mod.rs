//! Authentication: SPNEGO and NTLM from the acceptor's side.

pub(crate) mod preauth;

/// One authentication in progress on one connection.
#[derive(Debug)]
pub(crate) struct Setup {}
