//! Which addresses to listen on.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};

use driver_mio::config::listen::without_ipv6;

use crate::cli::Listen;

/// SMB over TCP.
const PORT: u16 = 445;

/// Where `serve` listens if 445 cannot be had.
const OTHER_PORT: u16 = 4450;

/// The addresses of --listen, with `port` where it is left open.
pub(super) fn addresses(listen: &[Listen], port: u16) -> Vec<SocketAddr> {
    listen
        .iter()
        .map(|l| SocketAddr::new(l.address, l.port.unwrap_or(port)))
        .collect()
}

/// The addresses of `serve`: those of --listen or all, with port 445 where it is left open if that
/// can be had and 4450 otherwise. Also says why not 445.
pub(super) fn for_serve(listen: &[Listen]) -> (Vec<SocketAddr>, Option<String>) {
    let everywhere = [Listen {
        address: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        port: None,
    }];
    let listen = if listen.is_empty() {
        &everywhere
    } else {
        listen
    };
    let (open, fixed): (Vec<Listen>, Vec<Listen>) = listen.iter().partition(|l| l.port.is_none());
    let refused = addresses(&open, PORT)
        .into_iter()
        .find_map(|address| probe(address).err());
    let reason = refused.as_ref().and_then(|e| match e.kind() {
        io::ErrorKind::PermissionDenied => {
            Some("port 445 is only for root and programs with `setcap cap_net_bind_service+ep`")
        }
        io::ErrorKind::AddrInUse => Some("port 445 is in use by another program"),
        // Another port would not help; starting says what is wrong.
        _ => None,
    });
    let port = if reason.is_some() { OTHER_PORT } else { PORT };
    let mut all = addresses(&fixed, port);
    all.extend(addresses(&open, port));
    (
        usable(all),
        reason.map(|r| format!("{r}, so this is port {OTHER_PORT}")),
    )
}

/// Puts all IPv4 addresses in the place of all addresses on a machine without IPv6.
pub(super) fn usable(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    addresses
        .into_iter()
        .map(|address| match TcpListener::bind((address.ip(), 0)) {
            Err(e) if no_ipv6(&e) => without_ipv6(address).unwrap_or(address),
            _ => address,
        })
        .collect()
}

/// Whether the port can be had; the socket is closed again.
fn probe(address: SocketAddr) -> io::Result<()> {
    match TcpListener::bind(address) {
        Err(e) if no_ipv6(&e) => match without_ipv6(address) {
            Some(address) => TcpListener::bind(address).map(drop),
            None => Err(e),
        },
        result => result.map(drop),
    }
}

fn no_ipv6(e: &io::Error) -> bool {
    let without = [
        rustix::io::Errno::AFNOSUPPORT.raw_os_error(),
        rustix::io::Errno::ADDRNOTAVAIL.raw_os_error(),
    ];
    e.raw_os_error().is_some_and(|code| without.contains(&code))
}
