//! FSCTL_QUERY_NETWORK_INTERFACE_INFO: the server's addresses, for further channels.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bitflags::bitflags;

use crate::ParseError;
use crate::wire::{ChainWriter, Entries, Fields, Writer};

/// Interfaces that one answer may list.
const MAX_INTERFACES: usize = 1024;
/// Bytes of SOCKADDR_STORAGE.
const STORAGE: usize = 128;
const FAMILY_V4: u16 = 0x0002;
const FAMILY_V6: u16 = 0x0017;
const WHAT: &str = "NETWORK_INTERFACE_INFO";

bitflags! {
    /// What an interface can do. Unknown bits are kept.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct InterfaceCapability: u32 {
        /// RSS_CAPABLE: several connections to it are spread over processors.
        const RSS = 0x0000_0001;
        /// RDMA_CAPABLE.
        const RDMA = 0x0000_0002;
        const _ = !0;
    }
}

/// NETWORK_INTERFACE_INFO, [MS-SMB2] 2.2.32.5: one address of one interface. The request has no
/// input.
///
/// Layout: Next (4), IfIndex (4), Capability (4), Reserved (4), LinkSpeed (8), SockAddr_Storage
/// (128): Family (2), Port (2), then for IPv4 the address (4), for IPv6 FlowInfo (4), the address
/// (16) and ScopeId (4), addresses in network byte order. Port, FlowInfo and ScopeId are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct NetworkInterfaceInfo {
    /// Number of the interface, not zero; the same for all its addresses.
    pub if_index: u32,
    /// What the interface can do.
    pub capability: InterfaceCapability,
    /// Bits per second.
    pub link_speed: u64,
    /// The address.
    pub address: IpAddr,
}

impl NetworkInterfaceInfo {
    fn parse(entry: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(entry, WHAT);
        f.u32()?; // Next
        let if_index = f.u32()?;
        let capability = InterfaceCapability::from_bits_retain(f.u32()?);
        f.u32()?; // Reserved
        let link_speed = f.u64()?;
        let mut storage = Fields::new(f.bytes(STORAGE)?, WHAT);
        let family = storage.u16()?;
        storage.u16()?; // Port
        let address = match family {
            FAMILY_V4 => IpAddr::V4(Ipv4Addr::from_octets(storage.array()?)),
            FAMILY_V6 => {
                storage.u32()?; // FlowInfo
                IpAddr::V6(Ipv6Addr::from_octets(storage.array()?))
            }
            _ => return Err(ParseError::BadValue("SOCKADDR_STORAGE Family")),
        };
        Ok(Self {
            if_index,
            capability,
            link_speed,
            address,
        })
    }

    fn encode(&self, w: &mut Writer) {
        w.u32(0);
        w.u32(self.if_index);
        w.u32(self.capability.bits());
        w.u32(0);
        w.u64(self.link_speed);
        let start = w.position();
        match self.address {
            IpAddr::V4(address) => {
                w.u16(FAMILY_V4);
                w.u16(0);
                w.bytes(&address.octets());
            }
            IpAddr::V6(address) => {
                w.u16(FAMILY_V6);
                w.u16(0);
                w.u32(0);
                w.bytes(&address.octets());
            }
        }
        w.zeros(STORAGE.saturating_sub(w.position().saturating_sub(start)));
    }
}

/// Reads the output buffer. An address family other than IPv4 and IPv6 is
/// [`ParseError::BadValue`].
pub fn parse_interfaces(output: &[u8]) -> Result<Vec<NetworkInterfaceInfo>, ParseError> {
    Entries::new(output, 8, MAX_INTERFACES, WHAT)
        .map(|entry| NetworkInterfaceInfo::parse(entry?))
        .collect()
}

/// Writes the output buffer, 152 bytes for each address.
pub fn encode_interfaces(interfaces: &[NetworkInterfaceInfo], w: &mut Writer) {
    // One entry is a multiple of 8 long, so that the chain needs no padding wherever it begins.
    let mut chain = ChainWriter::new(1);
    for interface in interfaces {
        chain.begin(w);
        interface.encode(w);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{hex, written};
    use proptest::prelude::*;

    /// Sent by Samba.
    #[test]
    fn real_answer() {
        let mut bytes = hex("00000000 ffffffff 00000000 00000000 00ca9a3b00000000
             0200 0000 7f000001")
        .to_vec();
        bytes.resize(152, 0);
        let list = parse_interfaces(&bytes).unwrap();
        assert_eq!(
            list,
            [NetworkInterfaceInfo {
                if_index: u32::MAX,
                capability: InterfaceCapability::empty(),
                link_speed: 1_000_000_000,
                address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            }]
        );
        assert_eq!(written(|w| encode_interfaces(&list, w)), bytes);
    }

    #[test]
    fn other_families_are_refused() {
        let mut bytes = vec![0; 152];
        bytes[24] = 1;
        assert!(matches!(
            parse_interfaces(&bytes),
            Err(ParseError::BadValue(_))
        ));
    }

    proptest! {
        #[test]
        fn round_trips(raw in prop::collection::vec(any::<(u32, u32, u64, IpAddr)>(), 0..4)) {
            let list: Vec<_> = raw
                .into_iter()
                .map(|(if_index, capability, link_speed, address)| NetworkInterfaceInfo {
                    if_index,
                    capability: InterfaceCapability::from_bits_retain(capability),
                    link_speed,
                    address,
                })
                .collect();
            let bytes = written(|w| encode_interfaces(&list, w));
            prop_assert_eq!(bytes.len(), list.len() * 152);
            prop_assert_eq!(parse_interfaces(&bytes), Ok(list));
            for len in 1..bytes.len() {
                prop_assert!(parse_interfaces(&bytes[..len]).is_err());
            }
        }
    }
}
