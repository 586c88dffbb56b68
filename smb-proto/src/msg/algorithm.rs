//! Ids of the algorithms that negotiate contexts choose among, [MS-SMB2] 2.2.3.1. Ciphers and
//! signing algorithms, which this crate also carries out, are in [`crate::crypto`].

macro_rules! algorithm {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $var:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        #[repr(u16)]
        pub enum $name { $($(#[$vdoc])* $var = $code,)* }

        impl $name {
            /// All of them in the order of their ids.
            pub const ALL: &[Self] = &[$(Self::$var,)*];

            /// The algorithm of an id, `None` for an id that this crate does not know.
            #[must_use]
            pub fn from_code(code: u16) -> Option<Self> {
                match code { $($code => Some(Self::$var),)* _ => None }
            }
        }

        impl From<$name> for u16 {
            fn from(a: $name) -> Self {
                a as Self
            }
        }
    };
}

algorithm! {
    /// Hash of the preauthentication integrity chain, [MS-SMB2] 2.2.3.1.1.
    HashAlgorithm {
        /// SHA-512
        Sha512 = 0x0001,
    }
}

algorithm! {
    /// Compression algorithm, [MS-SMB2] 2.2.3.1.3.
    CompressionAlgorithm {
        /// NONE: no compression.
        None = 0x0000,
        /// LZNT1, [MS-XCA].
        Lznt1 = 0x0001,
        /// LZ77, [MS-XCA].
        Lz77 = 0x0002,
        /// LZ77+Huffman, [MS-XCA].
        Lz77Huffman = 0x0003,
        /// Pattern_V1: one byte repeated; only in chained compression.
        PatternV1 = 0x0004,
        /// LZ4
        Lz4 = 0x0005,
    }
}

algorithm! {
    /// RDMA transform, [MS-SMB2] 2.2.3.1.6.
    RdmaTransform {
        /// SMB2_RDMA_TRANSFORM_NONE
        None = 0x0000,
        /// SMB2_RDMA_TRANSFORM_ENCRYPTION
        Encryption = 0x0001,
        /// SMB2_RDMA_TRANSFORM_SIGNING
        Signing = 0x0002,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_algorithms_agree() {
        macro_rules! check {
            ($($t:ident: $codes:expr),*) => {$({
                let known: Vec<u16> = (0..=u16::MAX)
                    .filter(|c| $t::from_code(*c).is_some_and(|a| u16::from(a) == *c))
                    .collect();
                assert_eq!(known, $codes.collect::<Vec<u16>>(), stringify!($t));
                assert_eq!(known.len(), $t::ALL.len());
            })*};
        }
        check!(
            HashAlgorithm: 1..=1,
            CompressionAlgorithm: 0..=5,
            RdmaTransform: 0..=2
        );
    }
}
