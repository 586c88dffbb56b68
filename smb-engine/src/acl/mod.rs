//! Who may do what: host lists of shares here, security descriptors in [`check`],
//! [`label`] and [`inherit`].

pub(crate) mod check;
pub(crate) mod inherit;
pub(crate) mod label;

use std::net::IpAddr;

/// `hosts allow` and `hosts deny`: an address or a prefix (`192.0.2.0/24`, `2001:db8::/32`,
/// `192.0.2.`). An allow list that names the address wins over a deny list; an allow list alone
/// refuses all others.
pub(crate) fn host_admitted(address: IpAddr, allow: &[String], deny: &[String]) -> bool {
    let named = |list: &[String]| list.iter().any(|entry| covers(entry, address));
    if named(allow) {
        return true;
    }
    if named(deny) {
        return false;
    }
    allow.is_empty() || !deny.is_empty()
}

fn covers(entry: &str, address: IpAddr) -> bool {
    if entry.eq_ignore_ascii_case("all") {
        return true;
    }
    // Addresses of IPv4 clients on a dual-stack socket look like ::ffff:192.0.2.1.
    let address = address.to_canonical();
    if let Some((prefix, bits)) = entry.split_once('/') {
        return match (prefix.parse::<IpAddr>(), address, bits.parse::<u32>()) {
            (Ok(IpAddr::V4(p)), IpAddr::V4(a), Ok(bits)) if bits <= 32 => {
                let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
                p.to_bits() & mask == a.to_bits() & mask
            }
            (Ok(IpAddr::V6(p)), IpAddr::V6(a), Ok(bits)) if bits <= 128 => {
                let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
                p.to_bits() & mask == a.to_bits() & mask
            }
            _ => false,
        };
    }
    if entry.ends_with('.') {
        return address.is_ipv4() && address.to_string().starts_with(entry);
    }
    entry
        .parse::<IpAddr>()
        .is_ok_and(|e| e.to_canonical() == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_lists() {
        let list = |l: &[&str]| l.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let ip: IpAddr = "192.0.2.7".parse().unwrap();
        let mapped: IpAddr = "::ffff:192.0.2.7".parse().unwrap();
        assert!(host_admitted(ip, &[], &[]));
        for entry in ["192.0.2.7", "192.0.2.0/24", "192.0.2.", "ALL", "0.0.0.0/0"] {
            assert!(host_admitted(ip, &list(&[entry]), &[]), "{entry}");
            assert!(host_admitted(mapped, &list(&[entry]), &[]), "{entry}");
            assert!(!host_admitted(ip, &[], &list(&[entry])), "{entry}");
        }
        assert!(!host_admitted(
            ip,
            &list(&["192.0.3.0/24", "nonsense", "1.2.3.4/99"]),
            &[]
        ));
        assert!(host_admitted(ip, &list(&["192.0.2.7"]), &list(&["ALL"])));
        assert!(host_admitted(
            ip,
            &list(&["10.0.0.1"]),
            &list(&["10.0.0.2"])
        ));
    }
}
