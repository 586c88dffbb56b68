//! Which addresses to listen on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use smb_engine::config::Interface;

use super::types::Global;

/// An address of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAddress {
    /// Name of the interface.
    pub interface: String,
    /// Index of the interface.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// It belongs to the loopback interface.
    pub loopback: bool,
}

/// The addresses of all interfaces that are up.
///
/// # Errors
/// If the system does not tell them.
pub fn local_addresses() -> std::io::Result<Vec<LocalAddress>> {
    use nix::net::if_::{InterfaceFlags, if_nametoindex};
    let mut addresses = Vec::new();
    for interface in nix::ifaddrs::getifaddrs()? {
        let Some(address) = interface.address else {
            continue;
        };
        let address: IpAddr = if let Some(v4) = address.as_sockaddr_in() {
            v4.ip().into()
        } else if let Some(v6) = address.as_sockaddr_in6() {
            v6.ip().into()
        } else {
            continue;
        };
        if !interface.flags.contains(InterfaceFlags::IFF_UP) {
            continue;
        }
        addresses.push(LocalAddress {
            index: if_nametoindex(interface.interface_name.as_str()).unwrap_or(0),
            loopback: interface.flags.contains(InterfaceFlags::IFF_LOOPBACK),
            interface: interface.interface_name,
            address,
        });
    }
    Ok(addresses)
}

/// The interfaces to report to clients ([MS-SMB2] 2.2.32.5): all but loopback and link-local
/// addresses, which mean nothing to another machine, or those that `interfaces` names. What it says
/// besides about one (`"eth0;speed=10000000000,capability=RSS"`) is told as it stands, and then also
/// of addresses that would be left out.
#[must_use]
pub fn reported(global: &Global, machine: &[LocalAddress]) -> Vec<Interface> {
    let link_local =
        |l: &LocalAddress| matches!(l.address, IpAddr::V6(a) if a.is_unicast_link_local());
    machine
        .iter()
        .filter_map(|l| {
            let element = global.interfaces.iter().find(|e| names(e, l));
            if element.is_none() && !global.interfaces.is_empty() {
                return None;
            }
            let told = element.map(|e| Told::parse(e)).unwrap_or_default();
            if told == Told::default() && (l.loopback || link_local(l)) {
                return None;
            }
            Some(Interface {
                index: told.index.unwrap_or(l.index),
                rss: told.rss,
                rdma: told.rdma,
                link_speed: told.speed.unwrap_or_else(|| link_speed(&l.interface)),
                address: l.address,
            })
        })
        .collect()
}

/// What an element of `interfaces` says about its addresses, as in Samba: `speed` (bits per second),
/// `capability` (`RSS` or `RDMA`, may be repeated) and `if_index`, behind a semicolon and separated by
/// commas.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    speed: Option<u64>,
    rss: bool,
    rdma: bool,
    index: Option<u32>,
}

impl Told {
    fn parse(element: &str) -> Self {
        let mut told = Self::default();
        let Some((_, options)) = element.split_once(';') else {
            return told;
        };
        for option in options.split([',', ';']).map(str::trim) {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            match (key.trim(), value.trim()) {
                ("speed", n) if n.parse::<u64>().is_ok() => told.speed = n.parse().ok(),
                ("if_index", n) if n.parse::<u32>().is_ok() => told.index = n.parse().ok(),
                ("capability", c) if c.eq_ignore_ascii_case("RSS") => told.rss = true,
                ("capability", c) if c.eq_ignore_ascii_case("RDMA") => told.rdma = true,
                ("", "") => {}
                _ => tracing::warn!("`{option}` in `interfaces` is not understood"),
            }
        }
        told
    }
}

/// Bits per second as the system knows them, else 1 Gbit/s.
fn link_speed(interface: &str) -> u64 {
    const UNKNOWN: u64 = 1_000_000_000;
    std::fs::read_to_string(format!("/sys/class/net/{interface}/speed"))
        .ok()
        .and_then(|mbits| mbits.trim().parse::<u64>().ok())
        .filter(|mbits| *mbits > 0)
        .map_or(UNKNOWN, |mbits| mbits.saturating_mul(1_000_000))
}

/// What `interfaces` names and the machine does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`interfaces` names `{0}`, which this machine does not have; expected the name of an interface, one of its addresses, or a network (`ip address` shows them)"
)]
pub struct NoSuchInterface(pub String);

/// The sockets to open: every address of the machine, or with `bind interfaces only` those that
/// `interfaces` names. One socket for `[::]` serves IPv4 too.
///
/// # Errors
/// If `interfaces` names something that the machine does not have.
pub fn listen_on(
    global: &Global,
    machine: &[LocalAddress],
) -> Result<Vec<SocketAddr>, NoSuchInterface> {
    let ports = &global.ports.0;
    if !global.bind_interfaces_only {
        return Ok(ports
            .iter()
            .map(|port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, *port)))
            .collect());
    }
    let mut chosen: Vec<SocketAddr> = Vec::new();
    for name in &global.interfaces {
        let mut found = false;
        for local in machine.iter().filter(|l| names(name, l)) {
            found = true;
            for port in ports {
                let socket = match local.address {
                    // A link-local address means nothing without its interface.
                    IpAddr::V6(a) if a.is_unicast_link_local() => {
                        SocketAddrV6::new(a, *port, 0, local.index).into()
                    }
                    address => SocketAddr::new(address, *port),
                };
                if !chosen.contains(&socket) {
                    chosen.push(socket);
                }
            }
        }
        if !found {
            return Err(NoSuchInterface(name.clone()));
        }
    }
    Ok(chosen)
}

/// Whether an element of `interfaces` (`eth0`, `eth*`, `192.168.1.7`, `192.168.1.0/24`) names an
/// address.
fn names(element: &str, local: &LocalAddress) -> bool {
    let element = element.split(';').next().unwrap_or(element).trim();
    if let Ok(address) = element.parse::<IpAddr>() {
        return address == local.address;
    }
    if let Some(list) = parse_network(element) {
        return list.names(local.address);
    }
    match element.strip_suffix('*') {
        Some(prefix) => local.interface.starts_with(prefix),
        None => local.interface == element,
    }
}

fn parse_network(element: &str) -> Option<super::HostList> {
    use super::value::Setting;
    let (address, _) = element.split_once('/')?;
    address.parse::<IpAddr>().ok()?;
    super::HostList::parse(element, &mut Vec::new()).ok()
}

/// The same port on every IPv4 address, for machines without IPv6.
#[must_use]
pub fn without_ipv6(address: SocketAddr) -> Option<SocketAddr> {
    (address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED))
        .then(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))
}
