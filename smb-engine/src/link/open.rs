//! From one transport message to its verified elements.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use smb_proto::header::{HEADER_LEN, HeaderFlags, PROTOCOL_ID};
use smb_proto::id::SessionId;
use smb_proto::msg::{self, compound};
use smb_proto::transform::{
    AAD_RANGE, COMPRESSION_PROTOCOL_ID, TRANSFORM_HEADER_LEN, TRANSFORM_PROTOCOL_ID,
    TransformHeader,
};
use smb_proto::{Header, ParseError, smb1};

use super::{Element, Inbound, Keys, Sealed, Signature, Verified};
use crate::error::Fault;

/// Opens a message, [MS-SMB2] 3.3.5.2.1 and 3.3.5.2.6.
pub(super) fn open(
    keys: &BTreeMap<SessionId, Keys>,
    encryption: bool,
    fresh: bool,
    message: BytesMut,
) -> Result<Inbound, Fault> {
    let Some(id) = message.first_chunk::<4>().copied() else {
        return Err(Fault::NotSmb2(ParseError::Truncated("message")));
    };
    match id {
        PROTOCOL_ID => elements(keys, message.freeze(), None),
        TRANSFORM_PROTOCOL_ID => {
            if !encryption {
                return Err(Fault::NoCipher);
            }
            let (session, plain) = decrypt(keys, message)?;
            elements(keys, plain, Some(Sealed(session)))
        }
        COMPRESSION_PROTOCOL_ID => Err(Fault::NoCompression),
        smb1::SMB1_PROTOCOL_ID if fresh => smb1::NegotiateRequest::parse(&message.freeze())
            .map(Inbound::Smb1Negotiate)
            .map_err(Fault::NotSmb2),
        smb1::SMB1_PROTOCOL_ID => Err(Fault::Smb1),
        _ => Err(Fault::NotSmb2(ParseError::BadStructure("message"))),
    }
}

/// 3.3.5.2.1.1: any failure closes the connection.
fn decrypt(
    keys: &BTreeMap<SessionId, Keys>,
    mut message: BytesMut,
) -> Result<(SessionId, Bytes), Fault> {
    let header = TransformHeader::parse(&message).map_err(Fault::NotSmb2)?;
    let session = header.session_id;
    let failed = Fault::Decrypt(session);
    let key = keys
        .get(&session)
        .and_then(|k| k.open.as_deref())
        .ok_or_else(|| failed.clone())?;
    let size = usize::try_from(header.original_message_size).unwrap_or(usize::MAX);
    if header.flags != TransformHeader::ENCRYPTED
        || message.len().checked_sub(TRANSFORM_HEADER_LEN) != Some(size)
        || size < HEADER_LEN
    {
        return Err(failed);
    }
    let mut body = message.split_off(TRANSFORM_HEADER_LEN);
    let aad = message.get(AAD_RANGE).unwrap_or(&[]);
    key.open(&header.nonce, aad, &mut body, &header.signature)
        .map_err(|_| failed)?;
    Ok((session, body.freeze()))
}

fn elements(
    keys: &BTreeMap<SessionId, Keys>,
    message: Bytes,
    sealed: Option<Sealed>,
) -> Result<Inbound, Fault> {
    if message.first_chunk::<4>() != Some(&PROTOCOL_ID) || message.len() < HEADER_LEN {
        return Err(Fault::NotSmb2(ParseError::Truncated("message")));
    }
    let parts = compound::split(&message).map_err(Fault::Compound)?;
    let mut elements = Vec::with_capacity(parts.len());
    let mut session = SessionId(0);
    for raw in parts {
        let signed = raw.clone();
        let element = element(raw, |header| {
            // A related element is signed with the key of the session it takes over.
            if !header.flags.contains(HeaderFlags::RELATED_OPERATIONS)
                || header.session_id != SessionId::RELATED
            {
                session = header.session_id;
            }
            verify(keys, header, session, sealed, &signed)
        });
        elements.push(element.map_err(Fault::NotSmb2)?);
    }
    Ok(Inbound::Message { elements, sealed })
}

/// Reads one element. `signature` says what is known of its signature.
pub(super) fn element(
    raw: Bytes,
    signature: impl FnOnce(&Header) -> Signature,
) -> Result<Element, ParseError> {
    let header = Header::parse(&raw)?;
    let body = match header.command() {
        Some(command) => msg::Request::parse(command, &raw),
        None => Err(ParseError::BadValue("command")),
    };
    let signature = signature(&header);
    Ok(Element {
        header,
        body,
        signature,
        raw,
    })
}

/// 3.3.5.2.4
fn verify(
    keys: &BTreeMap<SessionId, Keys>,
    header: &Header,
    session: SessionId,
    sealed: Option<Sealed>,
    raw: &[u8],
) -> Signature {
    if sealed.is_some() || !header.flags.contains(HeaderFlags::SIGNED) {
        return Signature::Absent;
    }
    match keys.get(&session).and_then(|k| k.verify.as_deref()) {
        None => Signature::NoKey,
        Some(key) if key.verify(raw) => Signature::Good(Verified(())),
        Some(_) => Signature::Bad,
    }
}
