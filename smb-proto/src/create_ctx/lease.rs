//! Leases: SMB2_CREATE_REQUEST_LEASE and _V2, [MS-SMB2] 2.2.13.2.8, 2.2.13.2.10, 2.2.14.2.10 and
//! 2.2.14.2.11.

use bitflags::bitflags;

use super::{RawContext, exact, pack};
use crate::ParseError;
use crate::id::LeaseKey;
use crate::wire::Writer;

bitflags! {
    /// What a lease allows its holder to cache; no bit is SMB2_LEASE_NONE. Unknown bits are kept.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct LeaseState: u32 {
        /// SMB2_LEASE_READ_CACHING.
        const READ = 0x01;
        /// SMB2_LEASE_HANDLE_CACHING.
        const HANDLE = 0x02;
        /// SMB2_LEASE_WRITE_CACHING.
        const WRITE = 0x04;
        const _ = !0;
    }
}

bitflags! {
    /// Flags of a lease context. Unknown bits are kept.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct LeaseFlags: u32 {
        /// SMB2_LEASE_FLAG_BREAK_IN_PROGRESS, in responses: the lease is being broken.
        const BREAK_IN_PROGRESS = 0x02;
        /// SMB2_LEASE_FLAG_PARENT_LEASE_KEY_SET, version 2: the parent's key is valid.
        const PARENT_LEASE_KEY_SET = 0x04;
        const _ = !0;
    }
}

/// A lease that is asked for, or granted ("RqLs", both versions in both directions).
///
/// The versions share a name; the length of the data tells them apart. Layout of version 1:
/// LeaseKey (16), LeaseState (4), LeaseFlags (4), LeaseDuration (8, reserved). Version 2 goes on
/// with ParentLeaseKey (16), Epoch (2), Reserved (2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Lease {
    /// The client's name for the lease.
    pub key: LeaseKey,
    /// What is asked for or granted.
    pub state: LeaseState,
    /// Flags; a request of version 1 has none.
    pub flags: LeaseFlags,
    /// What version 2 adds; `None` is a context of version 1.
    pub v2: Option<LeaseV2>,
}

/// The fields that only version 2 of the lease context has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LeaseV2 {
    /// Key of the lease on the parent directory; see [`Lease::parent_key`].
    pub parent_key: LeaseKey,
    /// Counts the changes of the lease's state.
    pub epoch: u16,
}

impl Lease {
    /// The context's name.
    pub const NAME: &'static [u8] = b"RqLs";

    const LEN_V1: usize = 32;
    const LEN_V2: usize = 52;

    /// Reads the data of the context. Any length but those of the two versions is refused.
    pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
        let (is_v2, mut f) = if data.len() <= Self::LEN_V1 {
            (
                false,
                exact(data, Self::LEN_V1, "SMB2_CREATE_REQUEST_LEASE")?,
            )
        } else {
            (
                true,
                exact(data, Self::LEN_V2, "SMB2_CREATE_REQUEST_LEASE_V2")?,
            )
        };
        let key = LeaseKey(f.array()?);
        let state = LeaseState::from_bits_retain(f.u32()?);
        let flags = LeaseFlags::from_bits_retain(f.u32()?);
        f.skip(8)?; // LeaseDuration
        let v2 = if is_v2 {
            Some(LeaseV2 {
                parent_key: LeaseKey(f.array()?),
                epoch: f.u16()?,
            })
        } else {
            None
        };
        Ok(Self {
            key,
            state,
            flags,
            v2,
        })
    }

    /// Writes the data of the context.
    pub fn encode(&self, w: &mut Writer) {
        w.bytes(&self.key.0);
        w.u32(self.state.bits());
        w.u32(self.flags.bits());
        w.u64(0);
        if let Some(v2) = self.v2 {
            w.bytes(&v2.parent_key.0);
            w.u16(v2.epoch);
            w.u16(0);
        }
    }

    /// Key of the lease on the parent directory, if the context has a valid one: version 2 and
    /// [`LeaseFlags::PARENT_LEASE_KEY_SET`].
    #[must_use]
    pub fn parent_key(&self) -> Option<LeaseKey> {
        self.v2
            .filter(|_| self.flags.contains(LeaseFlags::PARENT_LEASE_KEY_SET))
            .map(|v2| v2.parent_key)
    }

    /// As an element of the list of contexts.
    #[must_use]
    pub fn to_raw(&self) -> RawContext {
        pack(Self::NAME, |w| self.encode(w))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{hex, round_trip};
    use proptest::prelude::*;

    #[test]
    fn version_2_from_bytes() {
        let bytes = hex(
            "000102030405060708090a0b0c0d0e0f 07000000 04000000 0000000000000000
             101112131415161718191a1b1c1d1e1f 0500 0000",
        );
        let lease = Lease::parse(&bytes).unwrap();
        assert_eq!(
            lease.state,
            LeaseState::READ | LeaseState::HANDLE | LeaseState::WRITE
        );
        assert_eq!(lease.parent_key().unwrap().0[0], 0x10);
        assert_eq!(lease.v2.unwrap().epoch, 5);
        assert_eq!(lease.to_raw().data, bytes);
        let v1 = Lease::parse(&bytes[..32]).unwrap();
        assert_eq!(v1.v2, None);
        // the flag means nothing without the field
        assert_eq!(v1.parent_key(), None);
    }

    #[test]
    fn only_the_two_lengths_are_read() {
        for len in 0..=60 {
            assert_eq!(
                Lease::parse(&vec![0; len]).is_ok(),
                len == 32 || len == 52,
                "{len}"
            );
        }
    }

    proptest! {
        #[test]
        fn round_trips(key: [u8; 16], state: u32, flags: u32, v2: Option<([u8; 16], u16)>) {
            let lease = Lease {
                key: LeaseKey(key),
                state: LeaseState::from_bits_retain(state),
                flags: LeaseFlags::from_bits_retain(flags),
                v2: v2.map(|(parent, epoch)| LeaseV2 { parent_key: LeaseKey(parent), epoch }),
            };
            round_trip(&lease, |v, w| v.encode(w), |b| Lease::parse(b));
        }
    }
}
