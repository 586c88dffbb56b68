//! From a recorded packet to its TCP segment.

use std::net::{IpAddr, SocketAddr};

use etherparse::{EtherType, IpNumber, LaxNetSlice, LaxSlicedPacket, TcpSlice};

/// A TCP segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment<'a> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) seq: u32,
    pub(super) ack: Option<u32>,
    pub(super) syn: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    /// What was recorded of the payload.
    pub(super) payload: &'a [u8],
    /// Length of the whole payload.
    pub(super) len: usize,
}

/// What a packet is.
#[derive(Debug)]
pub(super) enum Dissected<'a> {
    Tcp(Segment<'a>),
    /// A part of an IP packet that was sent in parts.
    Fragment,
    /// TCP, but not even its header was recorded.
    CutHeader,
    /// Something else.
    Other,
    /// The link layer is not known.
    UnknownLink,
}

/// LINKTYPE values, https://www.tcpdump.org/linktypes.html.
mod link {
    pub(super) const NULL: u32 = 0;
    pub(super) const ETHERNET: u32 = 1;
    /// DLT_RAW of the BSDs and of Linux, which some writers put into files as it is.
    pub(super) const DLT_RAW: u32 = 12;
    pub(super) const DLT_RAW_OPENBSD: u32 = 14;
    pub(super) const RAW: u32 = 101;
    pub(super) const LOOP: u32 = 108;
    pub(super) const LINUX_SLL: u32 = 113;
    pub(super) const IPV4: u32 = 228;
    pub(super) const IPV6: u32 = 229;
    pub(super) const LINUX_SLL2: u32 = 276;
}

/// Looks into a packet.
pub(super) fn dissect(link_type: u32, data: &[u8]) -> Dissected<'_> {
    let by_ether_type = |type_at: usize, header: usize| {
        let kind = data.get(type_at..type_at + 2)?;
        let kind = EtherType(u16::from_be_bytes(kind.try_into().ok()?));
        Some(LaxSlicedPacket::from_ether_type(kind, data.get(header..)?))
    };
    let packet = match link_type {
        link::ETHERNET => LaxSlicedPacket::from_ethernet(data).ok(),
        // Four bytes of address family, which the version in the IP header repeats.
        link::NULL | link::LOOP => data
            .get(4..)
            .and_then(|ip| LaxSlicedPacket::from_ip(ip).ok()),
        link::RAW | link::DLT_RAW | link::DLT_RAW_OPENBSD | link::IPV4 | link::IPV6 => {
            LaxSlicedPacket::from_ip(data).ok()
        }
        link::LINUX_SLL => by_ether_type(14, 16),
        link::LINUX_SLL2 => by_ether_type(0, 20),
        _ => return Dissected::UnknownLink,
    };
    packet
        .and_then(|packet| from_net(packet.net.as_ref()?))
        .unwrap_or(Dissected::Other)
}

fn from_net<'a>(net: &LaxNetSlice<'a>) -> Option<Dissected<'a>> {
    let payload = net.ip_payload_ref()?.clone();
    let (from, to, ip_start, ip_len): (IpAddr, IpAddr, usize, usize) = match net {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            (
                header.source_addr().into(),
                header.destination_addr().into(),
                header.slice().as_ptr().addr(),
                usize::from(header.total_len()),
            )
        }
        LaxNetSlice::Ipv6(ip) => {
            let header = ip.header();
            let len = usize::from(header.payload_length());
            (
                header.source_addr().into(),
                header.destination_addr().into(),
                header.slice().as_ptr().addr(),
                if len == 0 {
                    0
                } else {
                    len + header.slice().len()
                },
            )
        }
        LaxNetSlice::Arp(_) => return None,
    };
    if payload.fragmented {
        return Some(Dissected::Fragment);
    }
    if payload.ip_number != IpNumber::TCP {
        return None;
    }
    let Ok(tcp) = TcpSlice::from_slice(payload.payload) else {
        return Some(Dissected::CutHeader);
    };
    // Where the sending host leaves cutting to its network card, packets have a length of zero.
    let before = payload.payload.as_ptr().addr() - ip_start + tcp.header_slice().len();
    let recorded = tcp.payload();
    let len = if ip_len == 0 {
        recorded.len()
    } else {
        ip_len.saturating_sub(before).max(recorded.len())
    };
    Some(Dissected::Tcp(Segment {
        from: SocketAddr::new(from, tcp.source_port()),
        to: SocketAddr::new(to, tcp.destination_port()),
        seq: tcp.sequence_number(),
        ack: tcp.ack().then(|| tcp.acknowledgment_number()),
        syn: tcp.syn(),
        fin: tcp.fin(),
        rst: tcp.rst(),
        payload: recorded,
        len,
    }))
}
