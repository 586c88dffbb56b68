//! SESSION_SETUP: NTLM and SPNEGO.

use bytes::Bytes;
use driver_sim::client::{Credentials, Part, Target, ops};
use driver_sim::pair::{End, Pair};
use smb_proto::crypto::Key;
use smb_proto::crypto::ntlm::{NtHash, ResponseKey, exchange_session_key};
use smb_proto::id::SessionId;
use smb_proto::msg::negotiate::{GlobalCapabilities, SecurityMode};
use smb_proto::msg::session_setup::{self, SetupFlags};
use smb_proto::msg::{Response, echo};
use smb_proto::ntlm::{
    AuthenticateMessage, ChallengeMessage, ClientChallenge, NegotiateFlags, NegotiateMessage,
};
use smb_proto::spnego::{Mechanism, MechanismList, NegTokenInit, NegTokenResp, Token};
use smb_proto::wire::Writer;
use smb_proto::{Command, FileTime, NtStatus};

use crate::bed::{INVALID, body, patched, twice};

const FAILED: NtStatus = NtStatus::LOGON_FAILURE;
const MORE: NtStatus = NtStatus::MORE_PROCESSING_REQUIRED;

fn setup(token: impl Into<Bytes>) -> session_setup::Request {
    session_setup::Request {
        flags: SetupFlags::empty(),
        security_mode: SecurityMode::SIGNING_ENABLED,
        capabilities: GlobalCapabilities::empty(),
        previous_session_id: SessionId(0),
        security_buffer: token.into(),
    }
}

fn flags() -> NegotiateFlags {
    NegotiateFlags::UNICODE
        | NegotiateFlags::REQUEST_TARGET
        | NegotiateFlags::NTLM
        | NegotiateFlags::EXTENDED_SESSIONSECURITY
        | NegotiateFlags::TARGET_INFO
        | NegotiateFlags::KEY_EXCH
        | NegotiateFlags::SIGN
        | NegotiateFlags::KEY_128
}

/// Sends a token; status, session and token of the answer.
fn step(
    pair: &mut Pair,
    end: End,
    session: SessionId,
    token: impl Into<Bytes>,
) -> (NtStatus, SessionId, Bytes) {
    let part = Part::raw(
        Target::session(session),
        Command::SessionSetup.into(),
        body(setup(token)).into(),
    );
    let reply = pair.call_part(end, part);
    let token = match &reply.body {
        Response::SessionSetup(r) => r.security_buffer.clone(),
        _ => Bytes::new(),
    };
    (reply.status(), reply.header.session_id, token)
}

/// The first half of an NTLM logon without SPNEGO.
fn challenge(pair: &mut Pair, end: End) -> (SessionId, ChallengeMessage) {
    let first = NegotiateMessage::new(flags()).to_bytes();
    let (status, session, token) = step(pair, end, SessionId(0), first);
    assert_eq!(status, MORE);
    (session, ChallengeMessage::parse(&token).unwrap())
}

/// An answer to a challenge that is right for `user` with the password `secret`, without MIC.
fn authenticate(challenge: &ChallengeMessage) -> AuthenticateMessage {
    let temp = ClientChallenge {
        timestamp: FileTime(1),
        challenge: [1; 8],
        av_pairs: challenge.target_info.clone().unwrap(),
    };
    let key = ResponseKey::new(&NtHash::of_password("secret"), "user", "");
    let (nt_response, base) = key.respond(&challenge.server_challenge, &temp.to_bytes());
    let exchanged = exchange_session_key(&base, &Key::from([3; 16]));
    AuthenticateMessage {
        flags: challenge.flags,
        version: None,
        mic: None,
        lm_response: Bytes::from_static(&[0; 24]),
        nt_response: nt_response.into(),
        domain: String::new(),
        user: "user".to_owned(),
        workstation: "SIM".to_owned(),
        encrypted_session_key: Bytes::copy_from_slice(&exchanged),
    }
}

/// What a changed answer to the challenge comes to; nothing of a refused one is left.
fn judged(
    pair: &mut Pair,
    end: End,
    change: impl FnOnce(AuthenticateMessage) -> Bytes,
) -> NtStatus {
    let before = pair.counts().sessions;
    let (session, theirs) = challenge(pair, end);
    let (status, _, _) = step(pair, end, session, change(authenticate(&theirs)));
    if status.is_error() {
        assert_eq!(pair.counts().sessions, before, "the set-up is left over");
    }
    status
}

fn refused(status: NtStatus) -> bool {
    status == FAILED || status == INVALID
}

/// CVE-2023-0210, CVE-2023-52440, CVE-2023-38428: fields of an AUTHENTICATE_MESSAGE that are too short,
/// too long, or outside of it.
#[test]
fn ntlm_authenticate_with_fields_of_wrong_size_or_place() {
    twice(|pair| {
        let end = pair.connect();
        // Nothing is wrong with the one that the others are made of.
        let status = judged(pair, end, |m| m.to_bytes());
        assert_eq!(status, NtStatus::SUCCESS);
        // NtChallengeResponse: less than a proof, NTLMv1, a proof with less than its blob.
        for len in 0..44 {
            let status = judged(pair, end, |mut m| {
                m.nt_response.truncate(len);
                m.to_bytes()
            });
            assert!(refused(status), "{len}: {status}");
        }
        // EncryptedRandomSessionKey: the proof is right, the key is not one.
        for len in (0..16).chain([17, 24, 32, 255, 4096]) {
            let status = judged(pair, end, |mut m| {
                m.encrypted_session_key = vec![5; len].into();
                m.to_bytes()
            });
            assert!(refused(status), "{len}: {status}");
        }
        // Cut short anywhere.
        let whole = {
            let (session, theirs) = challenge(pair, end);
            let whole = authenticate(&theirs).to_bytes();
            assert!(refused(step(pair, end, session, whole.slice(..4)).0));
            whole.len()
        };
        for len in 0..whole {
            let status = judged(pair, end, |m| m.to_bytes().slice(..len));
            assert!(refused(status), "cut to {len}: {status}");
        }
        // The six fields: length at 12 + 8n, offset at 16 + 8n.
        for field in 0..6 {
            for (at, value) in [
                (12, &[0xff, 0xff][..]),
                (12, &[0xff, 0x7f]),
                (16, &[0xff, 0xff, 0xff, 0xff]),
                (16, &[0xfe, 0xff, 0xff, 0x7f]),
                (16, &[0, 1, 0, 0]),
            ] {
                let status = judged(pair, end, |m| {
                    patched(m.to_bytes().to_vec(), &[(at + 8 * field, value)]).into()
                });
                // A name moved elsewhere is another name; a field of no bytes may point anywhere.
                let fits = refused(status)
                    || status == NtStatus::OBJECT_NAME_INVALID
                    || (status == NtStatus::SUCCESS && [2, 4].contains(&field));
                assert!(fits, "field {field} at {at}: {status}");
            }
        }
        // A user's name of an odd number of bytes.
        let status = judged(pair, end, |m| {
            patched(m.to_bytes().to_vec(), &[(12 + 8 * 3, &[7, 0])]).into()
        });
        assert!(refused(status), "{status}");
    });
}

fn init(mech_token: Option<Bytes>) -> Vec<u8> {
    let mut w = Writer::new();
    Token::Init(NegTokenInit {
        mechanisms: MechanismList::new(vec![Mechanism::Ntlmssp]),
        mech_token,
        hints: None,
        mech_list_mic: Some(Bytes::from_static(&[1; 16])),
    })
    .encode(&mut w);
    w.written().to_vec()
}

/// CVE-2024-26594, CVE-2026-31610: a mechToken that is none, and DER that breaks off behind it.
#[test]
fn mech_token_that_is_none_or_breaks_off() {
    let inner = NegotiateMessage::new(flags()).to_bytes();
    twice(|pair| {
        let end = pair.connect();
        let counts = pair.counts();
        for token in [
            &b""[..],
            b"N",
            b"NTLMSSP",
            b"NTLMSSP\0\x01\0\0\0",
            &[0xff; 40],
        ] {
            let token = init(Some(Bytes::copy_from_slice(token)));
            let (status, ..) = step(pair, end, SessionId(0), token);
            assert!(refused(status), "{status}");
        }
        let whole = init(Some(inner.clone()));
        for len in 0..whole.len() {
            let (status, ..) = step(pair, end, SessionId(0), whole[..len].to_vec());
            assert!(refused(status), "cut to {len}: {status}");
        }
        assert_eq!(pair.counts(), counts);
        // Any byte replaced: what is still a token goes on, all else is refused and forgotten.
        for at in 0..whole.len() {
            for byte in [0, 0x7f, 0x80, 0x84, 0x88, 0xff] {
                let bytes = patched(whole.clone(), &[(at, &[byte])]);
                let end = pair.connect();
                let (status, ..) = step(pair, end, SessionId(0), bytes);
                assert!(
                    refused(status) || status == MORE,
                    "{at} {byte:#x}: {status}"
                );
                pair.disconnect(end);
            }
        }
        assert_eq!(pair.counts(), counts);
    });
}

/// CVE-2026-31610: a token that is good so far, and then a second one that breaks off.
#[test]
fn second_token_breaks_off() {
    let whole = |session: &ChallengeMessage| {
        let mut w = Writer::new();
        Token::Resp(NegTokenResp {
            state: None,
            mechanism: None,
            response_token: Some(authenticate(session).to_bytes()),
            mech_list_mic: Some(Bytes::from_static(&[1; 16])),
        })
        .encode(&mut w);
        w.into_inner().freeze()
    };
    let inner = NegotiateMessage::new(flags()).to_bytes();
    twice(|pair| {
        let end = pair.connect();
        let counts = pair.counts();
        let mut len = 0;
        loop {
            let (status, session, token) = step(pair, end, SessionId(0), init(Some(inner.clone())));
            assert_eq!(status, MORE);
            let Ok(Token::Resp(resp)) = Token::parse(&token) else {
                panic!("{token:?}")
            };
            let theirs = ChallengeMessage::parse(&resp.response_token.unwrap()).unwrap();
            let answer = whole(&theirs);
            let (status, ..) = step(pair, end, session, answer.slice(..len.min(answer.len())));
            // The whole one has a wrong mechListMIC.
            assert!(refused(status), "cut to {len}: {status}");
            assert_eq!(pair.counts(), counts);
            if len > answer.len() {
                break;
            }
            len += 9;
        }
    });
}

/// CVE-2023-3867: SESSION_SETUP inside a compound, with a buffer that leaves its element.
#[test]
fn session_setup_in_a_compound_with_a_buffer_past_the_element() {
    let token = NegotiateMessage::new(flags()).to_bytes();
    twice(|pair| {
        let tree = pair.mount();
        let counts = pair.counts();
        for len in [token.len() as u16, token.len() as u16 + 80, 0xffff] {
            let bytes = patched(body(setup(token.clone())), &[(14, &len.to_le_bytes())]);
            let middle = Part::raw(Target::NONE, Command::SessionSetup.into(), bytes.into());
            for (first, last) in [(true, true), (false, true), (true, false)] {
                let echo = Part::new(Target::NONE, echo::Request);
                let mut parts = vec![middle.clone()];
                if first {
                    parts.insert(0, echo.clone());
                }
                if last {
                    parts.push(Part::new(tree.target, ops::open("missing")));
                }
                let at = usize::from(first);
                let replies = pair.call_compound(tree.end, parts);
                // Also the one that is whole: its answer is hashed alone ([MS-SMB2] 3.3.5.5).
                assert_eq!(replies[at].status(), INVALID, "{len}");
                assert_eq!(pair.counts(), counts);
            }
        }
        let user = Credentials::new("user", "secret");
        assert!(pair.logon(tree.end, user).is_ok());
    });
}
