use bytes::Bytes;

use super::AvPairs;
use crate::wire::{Fields, Writer};
use crate::{FileTime, ParseError};

const WHAT: &str = "NTLMv2_CLIENT_CHALLENGE";

/// NTLMv2_CLIENT_CHALLENGE, [MS-NLMP] 2.2.2.7: what follows the 16 bytes of NTProofStr in the NT
/// response.
///
/// Layout: RespType 1, HiRespType 1, 6 reserved bytes, TimeStamp (8), ChallengeFromClient (8), 4
/// reserved bytes, AvPairs, and, as in [MS-NLMP] 3.3.2, 4 zero bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ClientChallenge {
    /// TimeStamp: MsvAvTimestamp of the challenge, or the client's own clock.
    pub timestamp: FileTime,
    /// ChallengeFromClient.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
    pub challenge: [u8; 8],
    /// AvPairs: those of the challenge's TargetInfo and the client's own.
    pub av_pairs: AvPairs,
}

impl ClientChallenge {
    /// Reads the structure; what follows its AvPairs is ignored.
    ///
    /// # Errors
    /// [`ParseError::BadValue`] for another response type than 1, and those of
    /// [`AvPairs::parse`].
    pub fn parse(bytes: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::new(bytes, WHAT);
        if f.u8()? != 1 || f.u8()? != 1 {
            return Err(ParseError::BadValue(WHAT));
        }
        f.skip(6)?;
        let timestamp = f.filetime()?;
        let challenge = f.array()?;
        f.skip(4)?;
        let av_pairs = AvPairs::parse(&bytes.slice_ref(f.rest()))?;
        Ok(Self {
            timestamp,
            challenge,
            av_pairs,
        })
    }

    /// Appends the structure and the 4 zero bytes behind it.
    pub fn encode(&self, w: &mut Writer) {
        w.u8(1);
        w.u8(1);
        w.zeros(6);
        w.filetime(self.timestamp);
        w.bytes(&self.challenge);
        w.zeros(4);
        self.av_pairs.encode(w);
        w.zeros(4);
    }

    /// The structure as bytes: `temp` of [MS-NLMP] 3.3.2.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut w = Writer::new();
        self.encode(&mut w);
        w.into_inner().freeze()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ntlm::av_pair::tests::av_pairs;

    proptest! {
        #[test]
        fn round_trip_and_truncation(time: u64, challenge: [u8; 8], av_pairs in av_pairs()) {
            let value = ClientChallenge { timestamp: FileTime(time), challenge, av_pairs };
            let bytes = value.to_bytes();
            prop_assert_eq!(ClientChallenge::parse(&bytes), Ok(value));
            for n in 0..bytes.len() - 4 {
                prop_assert!(ClientChallenge::parse(&bytes.slice(..n)).is_err());
            }
        }
    }

    #[test]
    fn other_types() {
        let good = ClientChallenge {
            timestamp: FileTime(0),
            challenge: [0; 8],
            av_pairs: AvPairs::default(),
        };
        for n in 0..2 {
            let mut bytes = good.to_bytes().to_vec();
            bytes[n] = 2;
            assert_eq!(
                ClientChallenge::parse(&bytes.into()),
                Err(ParseError::BadValue(WHAT))
            );
        }
    }
}
