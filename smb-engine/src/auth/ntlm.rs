//! NTLM from the server's side, [MS-NLMP] 3.2.5.

use bytes::Bytes;
use smb_proto::NtStatus;
use smb_proto::crypto::Key;
use smb_proto::crypto::ntlm::{
    MessageSecurity, NtHash, ResponseKey, Sender, exported_session_key, verify_mic,
};
use smb_proto::ntlm::{
    AuthenticateMessage, AvId, AvPairs, ChallengeMessage, NegotiateFlags, NegotiateMessage, Version,
};

use super::acceptor::Names;

/// What the server may agree to, [MS-NLMP] 3.2.5.1.1.
const SUPPORTED: NegotiateFlags = NegotiateFlags::UNICODE
    .union(NegotiateFlags::OEM)
    .union(NegotiateFlags::SIGN)
    .union(NegotiateFlags::SEAL)
    .union(NegotiateFlags::NTLM)
    .union(NegotiateFlags::ALWAYS_SIGN)
    .union(NegotiateFlags::EXTENDED_SESSIONSECURITY)
    .union(NegotiateFlags::VERSION)
    .union(NegotiateFlags::KEY_128)
    .union(NegotiateFlags::KEY_EXCH)
    .union(NegotiateFlags::KEY_56);

/// A challenge that was sent, with what the MIC covers.
#[derive(Debug)]
pub(super) struct Challenged {
    negotiate: Bytes,
    pub(super) challenge: Bytes,
    server_challenge: [u8; 8],
}

/// Answers a NEGOTIATE_MESSAGE with a CHALLENGE_MESSAGE, [MS-NLMP] 3.2.5.1.1.
pub(super) fn challenge(
    token: &Bytes,
    names: &Names<'_>,
    server_challenge: [u8; 8],
) -> Result<Challenged, NtStatus> {
    let request = NegotiateMessage::parse(token).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    let mut flags = request.flags & SUPPORTED;
    if flags.contains(NegotiateFlags::UNICODE) {
        flags.remove(NegotiateFlags::OEM);
    }
    flags |= NegotiateFlags::REQUEST_TARGET
        | NegotiateFlags::TARGET_TYPE_SERVER
        | NegotiateFlags::TARGET_INFO
        | NegotiateFlags::NTLM
        | NegotiateFlags::ALWAYS_SIGN;
    let mut info = AvPairs::default();
    info.set_text(AvId::NB_DOMAIN_NAME, names.server);
    info.set_text(AvId::NB_COMPUTER_NAME, names.server);
    info.set_text(AvId::DNS_DOMAIN_NAME, "");
    info.set_text(AvId::DNS_COMPUTER_NAME, &names.server.to_lowercase());
    info.set_timestamp(names.wall);
    let challenge = ChallengeMessage {
        flags,
        target_name: names.server.to_owned(),
        server_challenge,
        target_info: Some(info),
        version: flags.contains(NegotiateFlags::VERSION).then_some(Version {
            major: 6,
            minor: 1,
            build: 0,
            revision: Version::NTLMSSP_REVISION_W2K3,
        }),
    };
    Ok(Challenged {
        negotiate: token.clone(),
        challenge: challenge.to_bytes(),
        server_challenge,
    })
}

/// An AUTHENTICATE_MESSAGE and all that is needed to judge it once the account is known.
#[derive(Debug)]
pub(crate) struct Proof {
    challenged: Challenged,
    message: AuthenticateMessage,
    raw: Bytes,
}

/// The protection that a proven NTLM exchange gives to SPNEGO's list of mechanisms.
#[derive(Debug)]
pub(super) struct Secrets {
    pub(super) key: Key,
    flags: NegotiateFlags,
}

impl Proof {
    pub(super) fn parse(challenged: Challenged, token: &Bytes) -> Result<Self, NtStatus> {
        let message = AuthenticateMessage::parse(token).map_err(|_| NtStatus::INVALID_PARAMETER)?;
        // What the response proves must be readable at all, whoever it is.
        if matches!(message.client_challenge(), Some(Err(_))) {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        Ok(Self {
            challenged,
            message,
            raw: token.clone(),
        })
    }

    /// User name as the client gave it.
    pub(crate) fn user(&self) -> &str {
        &self.message.user
    }

    /// Domain as the client gave it.
    pub(crate) fn domain(&self) -> &str {
        &self.message.domain
    }

    pub(super) fn is_anonymous(&self) -> bool {
        self.message.is_anonymous()
    }

    /// Checks response and MIC against the account's hash, [MS-NLMP] 3.2.5.1.2. Without account the
    /// same work is done, so that the time does not tell which names exist.
    pub(super) fn check(&self, nt_hash: Option<&NtHash>) -> Result<Secrets, NtStatus> {
        const FAILED: NtStatus = NtStatus::LOGON_FAILURE;
        let m = &self.message;
        if !m.is_ntlm_v2() {
            return Err(FAILED);
        }
        let none = NtHash::from_bytes([0; 16]);
        let key = ResponseKey::new(nt_hash.unwrap_or(&none), &m.user, &m.domain)
            .verify(&self.challenged.server_challenge, &m.nt_response);
        let (Some(_), Some(base)) = (nt_hash, key) else {
            return Err(FAILED);
        };
        let key = exported_session_key(m.flags, &base, &m.encrypted_session_key).ok_or(FAILED)?;
        if m.promises_mic()
            && (m.mic.is_none()
                || !verify_mic(
                    &key,
                    &self.challenged.negotiate,
                    &self.challenged.challenge,
                    &self.raw,
                ))
        {
            return Err(FAILED);
        }
        Ok(Secrets {
            key,
            flags: m.flags,
        })
    }
}

impl Secrets {
    /// Checks the client's mechListMIC and makes the server's, RFC 4178 5.
    pub(super) fn mech_list_mic(&self, list: &[u8], client: &[u8]) -> Result<Bytes, NtStatus> {
        let side = |sender| {
            MessageSecurity::new(self.flags, &self.key, sender).ok_or(NtStatus::LOGON_FAILURE)
        };
        if !side(Sender::Client)?.verify(list, client) {
            return Err(NtStatus::LOGON_FAILURE);
        }
        Ok(Bytes::copy_from_slice(&side(Sender::Server)?.sign(list)))
    }
}
