//! FSCTL_DFS_GET_REFERRALS and FSCTL_DFS_GET_REFERRALS_EX: requests for DFS referrals.

use super::size;
use crate::ParseError;
use crate::wire::{Fields, Writer, decode_utf16, len16, len32, utf16_len};

/// RequestFlags of the EX form: the client's site is given.
const SITE_NAME: u16 = 1;

/// REQ_GET_DFS_REFERRAL, [MS-DFSC] 2.2.2.
///
/// Layout: MaxReferralLevel (2), RequestFileName (UTF-16LE, terminated by a zero).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct DfsReferralRequest {
    /// Highest version of referrals that the client understands, 1 to 4.
    pub max_referral_level: u16,
    /// The path to resolve; empty asks for the domains.
    pub request_file_name: String,
}

impl DfsReferralRequest {
    const WHAT: &'static str = "REQ_GET_DFS_REFERRAL";

    /// Reads the input buffer. A name that lacks its terminator goes to the end.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(input, Self::WHAT);
        let max_referral_level = f.u16()?;
        let name = f.rest();
        let end = name
            .chunks(2)
            .position(|unit| unit == [0, 0])
            .map_or(name.len(), |units| units.saturating_mul(2));
        let name = f.bytes(end)?;
        Ok(Self {
            max_referral_level,
            request_file_name: decode_utf16(name, Self::WHAT)?,
        })
    }

    /// Writes the input buffer.
    pub fn encode(&self, w: &mut Writer) {
        w.u16(self.max_referral_level);
        w.utf16(&self.request_file_name);
        w.u16(0);
    }
}

/// REQ_GET_DFS_REFERRAL_EX, [MS-DFSC] 2.2.3 and 2.2.3.1.
///
/// Layout: MaxReferralLevel (2), RequestFlags (2), RequestDataLength (4), then the RequestData:
/// RequestFileNameLength (2), RequestFileName, and if a flag says so SiteNameLength (2), SiteName.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct DfsReferralRequestEx {
    /// Highest version of referrals that the client understands, 1 to 4.
    pub max_referral_level: u16,
    /// The path to resolve.
    pub request_file_name: String,
    /// The client's site, if given.
    pub site_name: Option<String>,
}

impl DfsReferralRequestEx {
    const WHAT: &'static str = "REQ_GET_DFS_REFERRAL_EX";

    /// Reads the input buffer. A zero at the end of a string is not part of it.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        let mut f = Fields::new(input, Self::WHAT);
        let max_referral_level = f.u16()?;
        let flags = f.u16()?;
        let len = size(f.u32()?, Self::WHAT)?;
        let mut data = Fields::new(f.bytes(len)?, Self::WHAT);
        let mut text = || {
            let len = usize::from(data.u16()?);
            let text = decode_utf16(data.bytes(len)?, Self::WHAT)?;
            Ok(text.strip_suffix('\0').unwrap_or(&text).to_owned())
        };
        let request_file_name = text()?;
        let site_name = if flags & SITE_NAME == 0 {
            None
        } else {
            Some(text()?)
        };
        Ok(Self {
            max_referral_level,
            request_file_name,
            site_name,
        })
    }

    /// Writes the input buffer.
    pub fn encode(&self, w: &mut Writer) {
        w.u16(self.max_referral_level);
        w.u16(if self.site_name.is_some() {
            SITE_NAME
        } else {
            0
        });
        let len_at = w.position();
        w.u32(0);
        let start = w.position();
        for text in [Some(&self.request_file_name), self.site_name.as_ref()]
            .into_iter()
            .flatten()
        {
            w.u16(len16(utf16_len(text)));
            w.utf16(text);
        }
        w.patch_u32(len_at, len32(w.position().saturating_sub(start)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{hex, round_trip, round_trip_fixed};
    use proptest::prelude::*;

    #[test]
    fn names_end_at_a_zero_or_with_the_input() {
        // asks for the domains, from a public capture
        let r = DfsReferralRequest::parse(&hex("0300 0000")).unwrap();
        assert_eq!(
            (r.max_referral_level, r.request_file_name.as_str()),
            (3, "")
        );
        let r = DfsReferralRequest::parse(&hex("0400 5c00 6100 0000 ff")).unwrap();
        assert_eq!(r.request_file_name, "\\a");
        let r = DfsReferralRequest::parse(&hex("0400 5c00 6100")).unwrap();
        assert_eq!(r.request_file_name, "\\a");
        assert!(DfsReferralRequest::parse(&hex("0400 5c00 61")).is_err());
        assert!(DfsReferralRequest::parse(&[4]).is_err());
    }

    proptest! {
        #[test]
        fn round_trips(level: u16, name in "[^\0]{0,20}", site in prop::option::of("[^\0]{0,9}")) {
            let value = DfsReferralRequest {
                max_referral_level: level,
                request_file_name: name.clone(),
            };
            round_trip(&value, |v, w| v.encode(w), |b| DfsReferralRequest::parse(b));
            let ex = DfsReferralRequestEx {
                max_referral_level: level,
                request_file_name: name,
                site_name: site,
            };
            round_trip_fixed(&ex, |v, w| v.encode(w), |b| DfsReferralRequestEx::parse(b));
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = DfsReferralRequest::parse(&bytes);
            let _ = DfsReferralRequestEx::parse(&bytes);
        }
    }
}
