//! FSCTL_QUERY_NETWORK_INTERFACE_INFO, [MS-SMB2] 3.3.5.15.11.

use smb_proto::NtStatus;
use smb_proto::fsctl::{InterfaceCapability, NetworkInterfaceInfo, encode_interfaces};

use super::{Call, encoded};
use crate::cmd::{CmdResult, Cx};
use crate::config::Interface;
use crate::core::Conn;
use crate::status::Refusal;

/// Lists the addresses under which the server can be reached. Clients that cannot use several may know
/// them all the same: the specification leaves it to the server to refuse them.
pub(super) fn start(cx: &Cx<'_>, call: Call) -> CmdResult {
    let conn = cx.conn()?;
    let smb3 = cx
        .core
        .conns
        .get(conn)
        .and_then(Conn::negotiated)
        .is_some_and(|n| n.dialect.is_smb3());
    if !smb3 {
        return Err(Refusal(NtStatus::NOT_SUPPORTED));
    }
    let list: Vec<_> = cx.core.config.interfaces.iter().filter_map(entry).collect();
    let output = encoded(|w| encode_interfaces(&list, w));
    if output.len() > call.max_output {
        return Err(Refusal(NtStatus::BUFFER_TOO_SMALL));
    }
    Ok(call.reply(output))
}

/// Interfaces with the index 0 are not shown.
fn entry(i: &Interface) -> Option<NetworkInterfaceInfo> {
    let mut capability = InterfaceCapability::empty();
    capability.set(InterfaceCapability::RSS, i.rss);
    capability.set(InterfaceCapability::RDMA, i.rdma);
    (i.index != 0).then_some(NetworkInterfaceInfo {
        if_index: i.index,
        capability,
        link_speed: i.link_speed,
        address: i.address,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interface_zero_is_left_out() {
        let mut i = Interface {
            index: 2,
            rss: true,
            rdma: false,
            link_speed: 1_000_000_000,
            address: "192.0.2.1".parse().unwrap(),
        };
        let e = entry(&i).unwrap();
        assert_eq!((e.if_index, e.capability), (2, InterfaceCapability::RSS));
        i.index = 0;
        assert_eq!(entry(&i), None);
    }
}
