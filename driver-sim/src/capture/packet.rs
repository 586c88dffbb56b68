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

/// LINKTYPE values, <https://www.tcpdump.org/linktypes.html>.
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

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::*;

    const PAYLOAD: &[u8] = b"payload";

    /// An IP packet of a version with a TCP segment in it.
    fn ip(version: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        if version == 4 {
            PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
                .tcp(1000, 445, 7, 100)
                .write(&mut bytes, PAYLOAD)
                .unwrap();
        } else {
            PacketBuilder::ipv6([1; 16], [2; 16], 64)
                .tcp(1000, 445, 7, 100)
                .write(&mut bytes, PAYLOAD)
                .unwrap();
        }
        bytes
    }

    fn joined(head: &[u8], packet: &[u8]) -> Vec<u8> {
        [head, packet].concat()
    }

    #[track_caller]
    fn is_segment(link: u32, packet: &[u8]) {
        match dissect(link, packet) {
            Dissected::Tcp(s) => {
                assert_eq!((s.from.port(), s.to.port(), s.seq), (1000, 445, 7));
                assert_eq!((s.payload, s.len), (PAYLOAD, PAYLOAD.len()));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn all_link_layers() {
        for (version, ether_type, family) in [(4, [8, 0], 2), (6, [0x86, 0xdd], 30)] {
            let ip = ip(version);
            let ethernet = joined(&[0; 12], &joined(&ether_type, &ip));
            is_segment(link::ETHERNET, &ethernet);
            let vlan = [&[0; 12][..], &[0x81, 0, 0, 5], &ether_type, &ip].concat();
            is_segment(link::ETHERNET, &vlan);
            let double = [
                &[0; 12][..],
                &[0x88, 0xa8, 0, 9, 0x81, 0, 0, 5],
                &ether_type,
                &ip,
            ];
            is_segment(link::ETHERNET, &double.concat());
            is_segment(link::NULL, &joined(&[family, 0, 0, 0], &ip));
            is_segment(link::LOOP, &joined(&[0, 0, 0, family], &ip));
            is_segment(
                link::LINUX_SLL,
                &joined(&[0; 14], &joined(&ether_type, &ip)),
            );
            let cooked = [&ether_type[..], &[0; 18], &ip].concat();
            is_segment(link::LINUX_SLL2, &cooked);
            for raw in [link::RAW, link::DLT_RAW, link::DLT_RAW_OPENBSD] {
                is_segment(raw, &ip);
            }
            // Ethernet pads short packets.
            is_segment(link::ETHERNET, &joined(&ethernet, &[0; 9]));
        }
        is_segment(link::IPV4, &ip(4));
        is_segment(link::IPV6, &ip(6));
        assert!(matches!(dissect(147, &ip(4)), Dissected::UnknownLink));
    }

    #[test]
    fn cut_and_fragmented() {
        let whole = ip(4);
        for n in 0..whole.len() {
            match dissect(link::RAW, &whole[..n]) {
                Dissected::Tcp(s) => {
                    assert_eq!(s.len, PAYLOAD.len());
                    assert_eq!(s.payload.len(), n - 40);
                }
                Dissected::CutHeader => assert!((20..40).contains(&n), "{n}"),
                Dissected::Other => assert!(n < 20, "{n}"),
                other => panic!("{other:?}"),
            }
        }
        let mut fragment = whole.clone();
        fragment[6] |= 0x20;
        assert!(matches!(dissect(link::RAW, &fragment), Dissected::Fragment));
        // A length of zero: the network card was to fill it in.
        let mut offloaded = whole;
        offloaded[2..4].copy_from_slice(&[0, 0]);
        is_segment(link::RAW, &offloaded);
    }
}
