//! FSCTL_VALIDATE_NEGOTIATE_INFO, [MS-SMB2] 3.3.5.15.12.

use smb_proto::Dialect;
use smb_proto::fsctl::{ValidateNegotiateRequest, ValidateNegotiateResponse};

use super::{Call, encoded};
use crate::cmd::{CmdResult, Cx, Outcome};
use crate::core::{Conn, Negotiated};
use crate::error::Fault;
use crate::status::Refusal;

/// Bytes of the answer.
const ANSWER: usize = 24;

/// Answers what was negotiated, or closes the connection on which somebody has changed that. The
/// answer is protected as the request was, which is what makes it worth something.
pub(super) fn start(cx: &Cx<'_>, call: Call, input: &[u8]) -> CmdResult {
    let request =
        ValidateNegotiateRequest::parse(input).map_err(|e| Refusal(crate::status::of_parse(e)))?;
    let conn = cx.conn()?;
    let negotiated = cx.core.conns.get(conn).and_then(Conn::negotiated);
    let config = &cx.core.config;
    let range = config.min_dialect..=config.max_dialect;
    match negotiated {
        Some(n) if call.max_output >= ANSWER && agrees(n, &range, &request) => {
            let answer = ValidateNegotiateResponse {
                capabilities: n.capabilities.bits(),
                guid: config.server_guid,
                security_mode: n.security_mode.bits(),
                dialect: n.dialect.into(),
            };
            Ok(call.reply(encoded(|w| answer.encode(w))))
        }
        _ => Ok(Outcome::Fault(Fault::NegotiateTampered).into()),
    }
}

/// Whether the client says now what the server received then, and would be answered the same.
fn agrees(
    n: &Negotiated,
    range: &std::ops::RangeInclusive<Dialect>,
    request: &ValidateNegotiateRequest,
) -> bool {
    let best = request
        .dialects
        .iter()
        .filter_map(|code| Dialect::from_code(*code))
        .filter(|d| range.contains(d))
        .max();
    best == Some(n.dialect)
        && request.guid == n.client_guid
        && request.security_mode == n.client_security_mode.bits()
        && request.capabilities == n.client_capabilities.bits()
}

#[cfg(test)]
mod tests {
    use smb_proto::Guid;
    use smb_proto::crypto::SigningAlgorithm;
    use smb_proto::msg::negotiate::{GlobalCapabilities, SecurityMode};

    use super::*;

    #[test]
    fn every_difference_is_noticed() {
        let guid = Guid::from_bytes([7; 16]);
        let n = Negotiated {
            dialect: Dialect::Smb302,
            client_guid: guid,
            client_capabilities: GlobalCapabilities::from_bits_retain(0x7f),
            client_security_mode: SecurityMode::SIGNING_ENABLED,
            capabilities: GlobalCapabilities::empty(),
            security_mode: SecurityMode::SIGNING_ENABLED,
            cipher: None,
            signing: SigningAlgorithm::AesCmac,
            preauth: None,
        };
        let good = ValidateNegotiateRequest {
            capabilities: 0x7f,
            guid,
            security_mode: 1,
            dialects: vec![0x0210, 0x0302],
        };
        let all = Dialect::Smb202..=Dialect::Smb311;
        assert!(agrees(&n, &all, &good));
        let with = |change: fn(&mut ValidateNegotiateRequest)| {
            let mut r = good.clone();
            change(&mut r);
            agrees(&n, &all, &r)
        };
        assert!(!with(|r| r.capabilities = 0x3f));
        assert!(!with(|r| r.guid = Guid::from_bytes([8; 16])));
        assert!(!with(|r| r.security_mode = 3));
        assert!(!with(|r| r.dialects = vec![]));
        assert!(!with(|r| r.dialects = vec![0x0210]));
        // The client could have had more than it was given.
        assert!(!with(|r| r.dialects.push(0x0311)));
        // Not if the server does not offer it.
        let mut r = good.clone();
        r.dialects.push(0x0311);
        assert!(agrees(&n, &(Dialect::Smb202..=Dialect::Smb302), &r));
    }
}
