//! Declaring structures, unions and calls whose layout follows from the order of their fields.

/// Declares structures and derives [`Ndr`] from the order of their fields.
macro_rules! ndr_struct {
    ($($(#[$meta:meta])* pub struct $name:ident { $($(#[$fmeta:meta])* $field:ident: $ty:ty,)* })*) => { $(
        $(#[$meta])*
        #[allow(missing_docs, reason = "the fields have the names of the specification")]
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        pub struct $name { $($(#[$fmeta])* pub $field: $ty,)* }

        impl $crate::rpc::ndr::Ndr for $name {
            const ALIGN: usize =
                $crate::rpc::ndr::max_align(&[$(<$ty as $crate::rpc::ndr::Ndr>::ALIGN,)*]);

            fn fixed<C: $crate::rpc::ndr::Coder>(&mut self, c: &mut C) -> Result<(), C::Error> {
                c.align(Self::ALIGN)?;
                $($crate::rpc::ndr::Ndr::fixed(&mut self.$field, c)?;)*
                Ok(())
            }

            fn deferred<C: $crate::rpc::ndr::Coder>(&mut self, c: &mut C) -> Result<(), C::Error> {
                $($crate::rpc::ndr::Ndr::deferred(&mut self.$field, c)?;)*
                Ok(())
            }
        }
    )* };
}

/// Declares unions that are told apart by an integer before them. A value that no arm has is
/// `Other`; nothing of its arm is read or written unless an arm type is given for it.
macro_rules! ndr_union {
    ($($(#[$meta:meta])* pub enum $name:ident: $tag:ident {
        $($(#[$vmeta:meta])* $value:literal => $arm:ident($ty:ty),)*
        else $other:ty
    })*) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        pub enum $name {
            $($(#[$vmeta])* #[doc = concat!("Value ", stringify!($value), ".")] $arm($ty),)*
            /// Any other value.
            Other($tag, $other),
        }

        impl $name {
            /// The value that tells the arms apart.
            #[must_use]
            pub fn tag(&self) -> $tag {
                match self {
                    $(Self::$arm(_) => $value,)*
                    Self::Other(tag, _) => *tag,
                }
            }

            fn empty(tag: $tag) -> Self {
                match tag {
                    $($value => Self::$arm(Default::default()),)*
                    other => Self::Other(other, Default::default()),
                }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::Other(0, Default::default())
            }
        }

        impl $crate::rpc::ndr::Ndr for $name {
            // Counts where the union is in a structure; the union itself begins where its
            // discriminant is aligned.
            const ALIGN: usize = $crate::rpc::ndr::max_align(&[
                <$tag as $crate::rpc::ndr::Ndr>::ALIGN,
                $(<$ty as $crate::rpc::ndr::Ndr>::ALIGN,)*
            ]);

            fn fixed<C: $crate::rpc::ndr::Coder>(&mut self, c: &mut C) -> Result<(), C::Error> {
                let mut tag = self.tag();
                $crate::rpc::ndr::Ndr::fixed(&mut tag, c)?;
                // When reading, `self` is a default and becomes the arm that the tag names.
                if tag != self.tag() || matches!(self, Self::Other(..)) {
                    *self = match std::mem::take(self) {
                        Self::Other(t, arm) if t == tag => match Self::empty(tag) {
                            Self::Other(..) => Self::Other(t, arm),
                            known => known,
                        },
                        _ => Self::empty(tag),
                    };
                }
                match self {
                    $(Self::$arm(v) => v.fixed(c),)*
                    Self::Other(_, v) => $crate::rpc::ndr::Ndr::fixed(v, c),
                }
            }

            fn deferred<C: $crate::rpc::ndr::Coder>(&mut self, c: &mut C) -> Result<(), C::Error> {
                match self {
                    $(Self::$arm(v) => v.deferred(c),)*
                    Self::Other(_, v) => $crate::rpc::ndr::Ndr::deferred(v, c),
                }
            }
        }
    )* };
}

/// Declares parameter lists: fields in the order of the parameters, each followed by what it points
/// at. With `= n`, the list of `[in]` parameters of operation `n`.
macro_rules! ndr_call {
    ($($(#[$meta:meta])* pub struct $name:ident $(= $opnum:literal)? { $($(#[$fmeta:meta])* $field:ident: $ty:ty,)* })*) => { $(
        $(#[$meta])*
        #[allow(missing_docs, reason = "the fields have the names of the specification")]
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        pub struct $name { $($(#[$fmeta])* pub $field: $ty,)* }

        impl $name {
            $(/// The operation number.
            pub const OPNUM: u16 = $opnum;)?

            /// Reads the parameters from the stub data.
            pub fn parse(stub: &[u8]) -> Result<Self, $crate::ParseError> {
                $crate::rpc::ndr::parse_stub(stub, |v: &mut Self, c| $crate::rpc::ndr::Ndr::fixed(v, c))
            }

            /// The parameters as stub data.
            #[must_use]
            pub fn encode(&self) -> bytes::Bytes {
                let mut w = $crate::rpc::ndr::Writer::new();
                let Ok(()) = $crate::rpc::ndr::Ndr::fixed(&mut self.clone(), &mut w);
                w.finish()
            }
        }

        impl $crate::rpc::ndr::Ndr for $name {
            const ALIGN: usize = 1;

            fn fixed<C: $crate::rpc::ndr::Coder>(&mut self, c: &mut C) -> Result<(), C::Error> {
                $($crate::rpc::ndr::Ndr::whole(&mut self.$field, c)?;)*
                Ok(())
            }
        }
    )* };
}
