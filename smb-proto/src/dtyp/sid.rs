//! SID, [MS-DTYP] 2.4.2: who an access control entry speaks of.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::ParseError;
use crate::wire::{Fields, Writer};

/// The most sub-authorities a SID can have, [MS-DTYP] 2.4.2.
pub const MAX_SUB_AUTHORITIES: usize = 15;

/// A security identifier of revision 1.
///
/// On the wire ([MS-DTYP] 2.4.2.2): revision (1 byte), number of sub-authorities (1 byte, at most
/// 15), identifier authority (6 bytes, big-endian), sub-authorities (4 bytes each, little-endian).
///
/// The order is by authority, then by number of sub-authorities, then by their values; it has no
/// meaning beyond being total.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sid {
    authority: [u8; 6],
    count: u8,
    /// Zero from `count` on, so that the derived comparisons are right.
    subs: [u32; MAX_SUB_AUTHORITIES],
}

/// Text that is not a SID in the form `S-1-authority-sub-sub…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a SID of the form S-1-5-21-...")]
pub struct SidTextError;

/// A SID of `authority` with the given sub-authorities; for constants, hence without a length check
/// that could fail: every array that fits is a valid SID.
const fn sid<const N: usize>(authority: u8, given: [u32; N]) -> Sid {
    const { assert!(N <= MAX_SUB_AUTHORITIES) };
    let mut subs = [0; MAX_SUB_AUTHORITIES];
    if let Some((head, _)) = subs.split_first_chunk_mut::<N>() {
        *head = given;
    }
    Sid {
        authority: [0, 0, 0, 0, 0, authority],
        count: N as u8,
        subs,
    }
}

impl Sid {
    /// S-1-0-0, nobody.
    pub const NULL: Self = sid(0, [0]);
    /// S-1-1-0, Everyone.
    pub const WORLD: Self = sid(1, [0]);
    /// S-1-3-0, stands for the owner in inheritable entries.
    pub const CREATOR_OWNER: Self = sid(3, [0]);
    /// S-1-3-1, stands for the primary group in inheritable entries.
    pub const CREATOR_GROUP: Self = sid(3, [1]);
    /// S-1-3-4, limits what the owner gets implicitly.
    pub const OWNER_RIGHTS: Self = sid(3, [4]);
    /// S-1-5, the domain of the well-known accounts NT AUTHORITY\….
    pub const NT_AUTHORITY: Self = sid(5, []);
    /// S-1-5-2, everyone who came over the network.
    pub const NETWORK: Self = sid(5, [2]);
    /// S-1-5-7, a session without a user.
    pub const ANONYMOUS: Self = sid(5, [7]);
    /// S-1-5-11, everyone who proved an identity.
    pub const AUTHENTICATED_USERS: Self = sid(5, [11]);
    /// S-1-5-18, the server itself.
    pub const LOCAL_SYSTEM: Self = sid(5, [18]);
    /// S-1-5-32, the domain of the built-in groups.
    pub const BUILTIN: Self = sid(5, [32]);
    /// S-1-5-32-544.
    pub const BUILTIN_ADMINISTRATORS: Self = sid(5, [32, 544]);
    /// S-1-5-32-545.
    pub const BUILTIN_USERS: Self = sid(5, [32, 545]);
    /// S-1-5-32-546.
    pub const BUILTIN_GUESTS: Self = sid(5, [32, 546]);
    /// S-1-5-32-551.
    pub const BUILTIN_BACKUP_OPERATORS: Self = sid(5, [32, 551]);
    /// S-1-16-8192, the integrity level of an ordinary user.
    pub const MANDATORY_MEDIUM: Self = sid(16, [8192]);
    /// S-1-22-1: followed by a numeric user id, a POSIX user that has no other SID (Samba's
    /// convention, which ksmbd shares).
    pub const UNIX_USERS: Self = sid(22, [1]);
    /// S-1-22-2: followed by a numeric group id, a POSIX group that has no other SID.
    pub const UNIX_GROUPS: Self = sid(22, [2]);
    /// S-1-5-88-1: followed by a numeric user id, as NFS and SMB3 POSIX extensions write owners.
    pub const NFS_USERS: Self = sid(5, [88, 1]);
    /// S-1-5-88-2: followed by a numeric group id.
    pub const NFS_GROUPS: Self = sid(5, [88, 2]);
    /// S-1-5-88-3: followed by the mode bits of a file.
    pub const NFS_MODE: Self = sid(5, [88, 3]);

    /// A SID from its identifier authority (48 bits) and sub-authorities (at most 15); `None` if
    /// either is too large.
    #[must_use]
    pub fn new(authority: u64, sub_authorities: &[u32]) -> Option<Self> {
        let [0, 0, authority @ ..] = authority.to_be_bytes() else {
            return None;
        };
        let mut subs = [0; MAX_SUB_AUTHORITIES];
        subs.get_mut(..sub_authorities.len())?
            .copy_from_slice(sub_authorities);
        Some(Self {
            authority,
            count: u8::try_from(sub_authorities.len()).ok()?,
            subs,
        })
    }

    /// The SID of a machine or domain, S-1-5-21-a-b-c, under which its accounts lie.
    #[must_use]
    pub const fn domain(a: u32, b: u32, c: u32) -> Self {
        sid(5, [21, a, b, c])
    }

    /// The SID of the account `rid` in the domain S-1-5-21-a-b-c.
    #[must_use]
    pub const fn domain_account(a: u32, b: u32, c: u32, rid: u32) -> Self {
        sid(5, [21, a, b, c, rid])
    }

    /// The identifier authority.
    #[must_use]
    pub fn authority(&self) -> u64 {
        let [a, b, c, d, e, f] = self.authority;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }

    /// The sub-authorities in order.
    #[must_use]
    pub fn sub_authorities(&self) -> &[u32] {
        self.subs.get(..usize::from(self.count)).unwrap_or(&[])
    }

    /// The last sub-authority (the relative identifier of an account) and the SID before it.
    #[must_use]
    pub fn split_rid(&self) -> Option<(Self, u32)> {
        let (rid, rest) = self.sub_authorities().split_last()?;
        Some((Self::new(self.authority(), rest)?, *rid))
    }

    /// This SID with one more sub-authority; `None` if it has 15 already.
    #[must_use]
    pub fn with_rid(&self, rid: u32) -> Option<Self> {
        let mut longer = *self;
        *longer.subs.get_mut(usize::from(self.count))? = rid;
        longer.count = self.count.checked_add(1)?;
        Some(longer)
    }

    /// The relative identifier if this is an account directly under `domain`.
    #[must_use]
    pub fn rid_in(&self, domain: &Self) -> Option<u32> {
        let (parent, rid) = self.split_rid()?;
        (parent == *domain).then_some(rid)
    }

    /// Bytes on the wire: 8 and 4 for each sub-authority.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        usize::from(self.count).saturating_mul(4).saturating_add(8)
    }

    /// Reads the SID at the start of `input`; what follows it is not looked at.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        Self::read(&mut Fields::new(input, "SID"))
    }

    /// Reads the SID at the cursor.
    pub fn read(f: &mut Fields<'_>) -> Result<Self, ParseError> {
        if f.u8()? != 1 {
            return Err(ParseError::BadStructure("SID"));
        }
        let count = f.u8()?;
        let mut subs = [0; MAX_SUB_AUTHORITIES];
        let used = subs
            .get_mut(..usize::from(count))
            .ok_or(ParseError::TooMany("SID"))?;
        let authority = f.array()?;
        for sub in used {
            *sub = f.u32()?;
        }
        Ok(Self {
            authority,
            count,
            subs,
        })
    }

    /// Appends the SID.
    pub fn encode(&self, w: &mut Writer) {
        w.u8(1);
        w.u8(self.count);
        w.bytes(&self.authority);
        for &sub in self.sub_authorities() {
            w.u32(sub);
        }
    }
}

impl Default for Sid {
    /// [`Sid::NULL`].
    fn default() -> Self {
        Self::NULL
    }
}

impl fmt::Display for Sid {
    /// As [MS-DTYP] 2.4.2.1 prints it: an authority of 2³² or more is in hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match u32::try_from(self.authority()) {
            Ok(small) => write!(f, "S-1-{small}")?,
            Err(_) => write!(f, "S-1-0x{:012x}", self.authority())?,
        }
        self.sub_authorities()
            .iter()
            .try_for_each(|sub| write!(f, "-{sub}"))
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Sid {
    type Err = SidTextError;

    fn from_str(text: &str) -> Result<Self, SidTextError> {
        let mut parts = text.split('-');
        let (Some("S" | "s"), Some("1"), Some(authority)) =
            (parts.next(), parts.next(), parts.next())
        else {
            return Err(SidTextError);
        };
        let authority = match authority
            .strip_prefix("0x")
            .or_else(|| authority.strip_prefix("0X"))
        {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => authority.parse(),
        }
        .map_err(|_| SidTextError)?;
        let subs = parts
            .take(MAX_SUB_AUTHORITIES.saturating_add(1))
            .map(|p| {
                // `u32::from_str` would take a leading plus sign.
                if p.bytes().all(|b| b.is_ascii_digit()) {
                    p.parse().map_err(|_| SidTextError)
                } else {
                    Err(SidTextError)
                }
            })
            .collect::<Result<Vec<u32>, _>>()?;
        Self::new(authority, &subs).ok_or(SidTextError)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Any SID.
    pub(crate) fn any_sid() -> impl Strategy<Value = Sid> {
        (
            0u64..1 << 48,
            prop::collection::vec(any::<u32>(), 0..=MAX_SUB_AUTHORITIES),
        )
            .prop_map(|(a, s)| Sid::new(a, &s).unwrap())
    }

    #[test]
    fn well_known_text_and_bytes() {
        for (sid, text) in [
            (Sid::WORLD, "S-1-1-0"),
            (Sid::NT_AUTHORITY, "S-1-5"),
            (Sid::BUILTIN_ADMINISTRATORS, "S-1-5-32-544"),
            (Sid::domain(1, 2, 4_294_967_295), "S-1-5-21-1-2-4294967295"),
            (Sid::MANDATORY_MEDIUM, "S-1-16-8192"),
        ] {
            assert_eq!(sid.to_string(), text);
            assert_eq!(text.parse(), Ok(sid));
        }
        // BUILTIN\Administrators as every Windows capture has it.
        let wire = [
            1, 2, 0, 0, 0, 0, 0, 5, 0x20, 0, 0, 0, 0x20, 0x02, 0, 0, 0xff,
        ];
        assert_eq!(Sid::parse(&wire), Ok(Sid::BUILTIN_ADMINISTRATORS));
        let mut w = Writer::new();
        Sid::BUILTIN_ADMINISTRATORS.encode(&mut w);
        assert_eq!(w.written(), &wire[..16]);
    }

    #[test]
    fn refuses_what_is_no_sid() {
        for text in [
            "",
            "S-1",
            "S-2-5-1",
            "S-1-5-",
            "S-1-5-x",
            "S-1-5-+1",
            "S-1-5-4294967296",
            "S-1-281474976710656-1",
            "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16",
        ] {
            assert_eq!(text.parse::<Sid>(), Err(SidTextError), "{text}");
        }
        assert_eq!(
            Sid::parse(&[2, 0, 0, 0, 0, 0, 0, 0]),
            Err(ParseError::BadStructure("SID"))
        );
        assert_eq!(
            Sid::parse(&[1, 16, 0, 0, 0, 0, 0, 5]),
            Err(ParseError::TooMany("SID"))
        );
        assert_eq!(Sid::new(1 << 48, &[]), None);
        assert_eq!(Sid::new(5, &[0; 16]), None);
    }

    #[test]
    fn accounts_and_domains() {
        let domain = Sid::domain(7, 8, 9);
        let user = domain.with_rid(1000).unwrap();
        assert_eq!(user.to_string(), "S-1-5-21-7-8-9-1000");
        assert_eq!(user.split_rid(), Some((domain, 1000)));
        assert_eq!(user.rid_in(&domain), Some(1000));
        assert_eq!(user.rid_in(&Sid::BUILTIN), None);
        assert_eq!(Sid::new(5, &[0; 15]).unwrap().with_rid(1), None);
        assert_eq!(Sid::NT_AUTHORITY.split_rid(), None);
    }

    proptest! {
        #[test]
        fn round_trips(sid in any_sid()) {
            prop_assert_eq!(sid.to_string().parse(), Ok(sid));
            let mut w = Writer::new();
            sid.encode(&mut w);
            prop_assert_eq!(w.written().len(), sid.encoded_len());
            prop_assert_eq!(Sid::parse(w.written()), Ok(sid));
            for n in 0..w.written().len() {
                prop_assert!(Sid::parse(&w.written()[..n]).is_err());
            }
        }
    }
}
