//! `hosts allow` and `hosts deny`: addresses and networks, as in hosts_access(5).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::value::{Expected, Setting, list, show_list};

/// One address or network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostPattern {
    /// `ALL`
    All,
    /// The network of this address that this many leading bits make; all bits: one host.
    Net(IpAddr, u8),
}

impl HostPattern {
    fn matches(self, address: IpAddr) -> bool {
        match self {
            Self::All => true,
            Self::Net(net, bits) => match (net, address.to_canonical()) {
                (IpAddr::V4(net), IpAddr::V4(address)) => {
                    let shift = 32u32.saturating_sub(u32::from(bits));
                    u64::from(net.to_bits()) >> shift == u64::from(address.to_bits()) >> shift
                }
                (IpAddr::V6(net), IpAddr::V6(address)) => {
                    let shift = 128u32.saturating_sub(u32::from(bits));
                    bits == 0 || net.to_bits() >> shift == address.to_bits() >> shift
                }
                _ => false,
            },
        }
    }

    fn nets(self) -> Vec<Net> {
        let all = |v4| Net {
            v4,
            value: 0,
            bits: 0,
        };
        match self {
            Self::All => vec![all(true), all(false)],
            Self::Net(address, bits) => {
                let bits = u32::from(bits);
                let value = match address {
                    IpAddr::V4(a) => u128::from(a.to_bits()) << 96,
                    IpAddr::V6(a) => a.to_bits(),
                };
                // The host part of a network as written does not count.
                let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
                vec![Net {
                    v4: address.is_ipv4(),
                    value: value & mask,
                    bits,
                }]
            }
        }
    }

    fn parse(word: &str) -> Option<Self> {
        if word.eq_ignore_ascii_case("ALL") {
            return Some(Self::All);
        }
        if word.eq_ignore_ascii_case("localhost") {
            return Some(Self::Net(Ipv4Addr::LOCALHOST.into(), 8));
        }
        if let Some((net, mask)) = word.split_once('/') {
            let net: IpAddr = net.parse().ok()?;
            let longest = if net.is_ipv4() { 32 } else { 128 };
            let bits = match mask.parse::<u8>() {
                Ok(bits) => bits,
                Err(_) => {
                    let mask = mask.parse::<Ipv4Addr>().ok()?.to_bits();
                    // A mask is ones, then zeros.
                    (mask.leading_ones() + mask.trailing_zeros() >= 32)
                        .then(|| u8::try_from(mask.leading_ones()).ok())??
                }
            };
            return (bits <= longest).then_some(Self::Net(net, bits));
        }
        if let Some(prefix) = word.strip_suffix('.') {
            let octets: Vec<u8> = prefix
                .split('.')
                .map(|o| o.parse().ok())
                .collect::<Option<_>>()?;
            let mut all = [0u8; 4];
            all.get_mut(..octets.len())?.copy_from_slice(&octets);
            let bits = u8::try_from(octets.len()).ok()?.checked_mul(8)?;
            return Some(Self::Net(Ipv4Addr::from(all).into(), bits));
        }
        let address: IpAddr = word.parse().ok()?;
        Some(Self::Net(address, if address.is_ipv4() { 32 } else { 128 }))
    }

    fn show(self) -> String {
        match self {
            Self::All => "ALL".to_owned(),
            Self::Net(net, bits) if bits == if net.is_ipv4() { 32 } else { 128 } => net.to_string(),
            Self::Net(net, bits) => format!("{net}/{bits}"),
        }
    }
}

/// Patterns, and exceptions from them after the word `EXCEPT`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostList {
    /// Any of these,
    pub any: Vec<HostPattern>,
    /// but none of these.
    pub except: Vec<HostPattern>,
}

impl HostList {
    /// Whether the list names an address.
    #[must_use]
    pub fn names(&self, address: IpAddr) -> bool {
        self.any.iter().any(|p| p.matches(address))
            && !self.except.iter().any(|p| p.matches(address))
    }
}

impl HostList {
    /// The addresses it names as networks without exceptions.
    fn nets(&self) -> Vec<Net> {
        let of = |patterns: &[HostPattern]| patterns.iter().flat_map(|p| p.nets()).collect();
        let any: Vec<Net> = of(&self.any);
        let except: Vec<Net> = of(&self.except);
        minus(any, &except)
    }
}

/// A network as its first bits, left-aligned in 128.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Net {
    v4: bool,
    value: u128,
    bits: u32,
}

impl Net {
    fn contains(self, other: Self) -> bool {
        self.v4 == other.v4
            && self.bits <= other.bits
            && (self.bits == 0 || (self.value ^ other.value) >> (128 - self.bits) == 0)
    }

    /// This network without another: what remains as halves of halves.
    fn without(self, other: Self) -> Vec<Self> {
        let mut rest = Vec::new();
        let mut whole = self;
        while whole.contains(other) && whole.bits < other.bits {
            let bits = whole.bits + 1;
            let upper = whole.value | 1 << (128 - bits);
            let halves = [
                Self { bits, ..whole },
                Self {
                    value: upper,
                    bits,
                    ..whole
                },
            ];
            let [inside, outside] = match halves {
                [low, high] if low.contains(other) => [low, high],
                [low, high] => [high, low],
            };
            rest.push(outside);
            whole = inside;
        }
        if !other.contains(whole) {
            rest.push(whole);
        }
        rest
    }

    /// What two networks have in common: two either lie apart or one contains the other.
    fn within(self, other: Self) -> Option<Self> {
        if self.contains(other) {
            Some(other)
        } else {
            other.contains(self).then_some(self)
        }
    }

    fn show(self) -> String {
        if self.v4 {
            let address = u32::try_from(self.value >> 96).unwrap_or(0);
            format!("{}/{}", Ipv4Addr::from_bits(address), self.bits)
        } else {
            format!("{}/{}", Ipv6Addr::from_bits(self.value), self.bits)
        }
    }
}

fn minus(from: Vec<Net>, what: &[Net]) -> Vec<Net> {
    what.iter().fold(from, |rest, w| {
        rest.iter().flat_map(|net| net.without(*w)).collect()
    })
}

fn common(a: &[Net], b: &[Net]) -> Vec<Net> {
    a.iter()
        .flat_map(|x| b.iter().filter_map(|y| x.within(*y)))
        .collect()
}

/// All addresses for which [`admits`] says yes.
fn admitted(allow: Option<&HostList>, deny: Option<&HostList>) -> Vec<Net> {
    let everything = HostPattern::All.nets();
    let allowed = allow.map(HostList::nets).unwrap_or_default();
    let denied = deny.map(HostList::nets).unwrap_or_default();
    let others = match (allow, deny) {
        (None, None) => everything,
        (Some(_), None) => allowed.clone(),
        (None, Some(_)) => minus(everything, &denied),
        (Some(_), Some(_)) => [allowed.clone(), minus(everything, &denied)].concat(),
    };
    let local: Vec<Net> = [
        HostPattern::Net(Ipv4Addr::LOCALHOST.into(), 8),
        HostPattern::Net(Ipv6Addr::LOCALHOST.into(), 128),
    ]
    .into_iter()
    .flat_map(HostPattern::nets)
    .collect();
    let denied_by_address: Vec<Net> = deny
        .iter()
        .flat_map(|d| &d.any)
        .filter(|p| **p != HostPattern::All)
        .flat_map(|p| p.nets())
        .collect();
    [
        minus(others, &local),
        common(&allowed, &local),
        minus(local, &denied_by_address),
    ]
    .concat()
}

/// The networks that two pairs of lists (allow, deny) both admit, in the form `address/bits`, as
/// the only ones to allow. None if everybody is admitted; one that no host is in if nobody is.
#[must_use]
pub(super) fn admitted_by_both(
    first: (Option<&HostList>, Option<&HostList>),
    second: (Option<&HostList>, Option<&HostList>),
) -> Vec<String> {
    if (first, second) == ((None, None), (None, None)) {
        return Vec::new();
    }
    let networks = common(&admitted(first.0, first.1), &admitted(second.0, second.1));
    if networks.is_empty() {
        return vec!["255.255.255.255/32".to_owned()];
    }
    networks.into_iter().map(Net::show).collect()
}

impl Setting for HostList {
    fn parse(text: &str, _: &mut Vec<String>) -> Result<Self, Expected> {
        let mut hosts = Self::default();
        let mut excepting = false;
        for word in list(text) {
            if word.eq_ignore_ascii_case("EXCEPT") && !excepting {
                excepting = true;
                continue;
            }
            let pattern = HostPattern::parse(&word).ok_or_else(|| {
                Expected::new(format!(
                    "addresses or networks, as in `192.168.1.7 10.0.0.0/8 fe80::/10`, instead of `{word}` (names are not looked up)"
                ))
            })?;
            if excepting {
                hosts.except.push(pattern);
            } else {
                hosts.any.push(pattern);
            }
        }
        if hosts.any.is_empty() {
            return Err(Expected::new("at least one address, network or `ALL`"));
        }
        Ok(hosts)
    }

    fn show(&self) -> String {
        let mut text = show_list(self.any.iter().map(|p| p.show()));
        if !self.except.is_empty() {
            text.push_str(" EXCEPT ");
            text.push_str(&show_list(self.except.iter().map(|p| p.show())));
        }
        text
    }
}

/// Whether a host may connect, as smb.conf(5) has it under `hosts allow`.
#[must_use]
pub(super) fn admits(allow: Option<&HostList>, deny: Option<&HostList>, address: IpAddr) -> bool {
    let denied = deny.is_some_and(|d| d.names(address));
    if address.to_canonical().is_loopback() {
        let by_address = deny.is_some_and(|d| {
            d.any
                .iter()
                .any(|p| *p != HostPattern::All && p.matches(address))
        });
        return !by_address || allow.is_some_and(|a| a.names(address));
    }
    match (allow, deny) {
        (None, None) => true,
        (Some(allow), None) => allow.names(address),
        (None, Some(_)) => !denied,
        (Some(allow), Some(_)) => allow.names(address) || !denied,
    }
}
