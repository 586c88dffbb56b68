//! DCE/RPC on named pipes: its PDUs, and the names of the interfaces known here.

use bytes::{Buf, Bytes};
use serde_json::{Value, json};
use smb_proto::rpc::pdu::{Body, Pdu, SyntaxId};
use smb_proto::rpc::{lsarpc, samr, srvsvc, wkssvc};

use super::{hex, value};

/// PDUs shown of one buffer.
const PDUS_MAX: usize = 100;

/// The PDUs in a buffer; `None` if it does not begin with one.
pub(super) fn pdus(bytes: &Bytes) -> Option<Value> {
    let mut rest = bytes.clone();
    let mut list = Vec::new();
    while !rest.is_empty() && list.len() < PDUS_MAX {
        let len = Pdu::fragment_len(&rest).ok().flatten();
        let pdu = Pdu::parse(&rest);
        match (len, pdu) {
            (Some(len), Ok(pdu)) if len > 0 && len <= rest.len() => {
                list.push(show(&pdu));
                rest.advance(len);
            }
            _ if list.is_empty() => return None,
            _ => {
                list.push(json!({ "bytes": hex(&rest) }));
                rest.clear();
            }
        }
    }
    Some(json!({ "rpc": list }))
}

fn show(pdu: &Pdu) -> Value {
    let mut v = value(pdu);
    if let Body::Bind(bind) = &pdu.body {
        let names: Vec<&str> = bind
            .contexts
            .iter()
            .map(|c| interface(&c.interface))
            .collect();
        super::put(&mut v, "interfaces", json!(names));
    }
    v
}

/// The name of an interface.
fn interface(id: &SyntaxId) -> &'static str {
    match *id {
        srvsvc::INTERFACE => "srvsvc",
        wkssvc::INTERFACE => "wkssvc",
        lsarpc::INTERFACE => "lsarpc",
        samr::INTERFACE => "samr",
        _ => "unknown",
    }
}
