//! The four-byte body (StructureSize 4, Reserved) that LOGOFF, TREE_DISCONNECT, ECHO and CANCEL
//! share, and the type made of it.

use bytes::Bytes;

use crate::ParseError;
use crate::header::HEADER_LEN;
use crate::wire::{Fields, Writer};

/// Checks that the body of `element` is StructureSize 4 and two more bytes, which are ignored.
pub(super) fn parse(element: &Bytes, what: &'static str) -> Result<(), ParseError> {
    let mut f = Fields::at(element, HEADER_LEN, what)?;
    f.structure_size(4)?;
    f.skip(2)
}

/// Appends StructureSize 4 and the reserved field.
pub(super) fn encode(w: &mut Writer) {
    w.u16(4);
    w.u16(0);
}

/// Declares a body without content.
macro_rules! empty_body {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        ///
        /// Layout: StructureSize (2 bytes, 4), Reserved (2).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        pub struct $name;

        impl $name {
            /// Reads the body of a message element that begins at its SMB2 header.
            ///
            /// # Errors
            /// [`Truncated`](crate::ParseError::Truncated) and, for another StructureSize,
            /// [`BadStructure`](crate::ParseError::BadStructure).
            pub fn parse(element: &bytes::Bytes) -> Result<Self, crate::ParseError> {
                crate::msg::empty::parse(element, $what).map(|()| Self)
            }

            /// Appends the body.
            pub fn encode(&self, w: &mut crate::wire::Writer) {
                crate::msg::empty::encode(w);
            }
        }
    };
}
pub(super) use empty_body;

#[cfg(test)]
mod tests {
    use super::super::test_util::{element, element_of, truncations};
    use crate::ParseError;
    use crate::msg::{cancel, echo, logoff, tree_disconnect};

    /// One check for each of the types that the macro makes.
    macro_rules! check {
        ($($t:path),*) => {$({
            let e = element(|w| <$t>::default().encode(w));
            assert_eq!(&e[64..], [4, 0, 0, 0]);
            assert_eq!(<$t>::parse(&e), Ok(<$t>::default()));
            truncations(&e, 68, <$t>::parse);
            assert!(<$t>::parse(&element_of(&[4, 0, 0xff, 0xff, 9])).is_ok());
            assert!(matches!(
                <$t>::parse(&element_of(&[5, 0, 0, 0])),
                Err(ParseError::BadStructure(_))
            ));
        })*};
    }

    #[test]
    fn bodies_without_content() {
        check!(
            cancel::Request,
            echo::Request,
            echo::Response,
            logoff::Request,
            logoff::Response,
            tree_disconnect::Request,
            tree_disconnect::Response
        );
    }
}
