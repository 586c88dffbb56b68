//! Tokens of the authentication, and RPC over named pipes.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use smb_proto::ntlm::{AuthenticateMessage, ChallengeMessage, NegotiateMessage};
use smb_proto::rpc::pdu::Pdu;
use smb_proto::spnego::Token;

fuzz_target!(|data: &[u8]| {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(token) = Token::parse(&bytes) {
        let mut w = smb_proto::wire::Writer::new();
        token.encode(&mut w);
        assert!(Token::parse(&w.into_inner().freeze()).is_ok());
    }
    let _ = NegotiateMessage::parse(&bytes);
    let _ = ChallengeMessage::parse(&bytes);
    if let Ok(message) = AuthenticateMessage::parse(&bytes) {
        let _ = message.client_challenge();
        let _ = message.promises_mic();
    }
    let _ = Pdu::parse(&bytes);
});
