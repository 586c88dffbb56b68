//! NTSTATUS values, [MS-ERREF] 2.3.

use std::fmt;

/// An NTSTATUS, [MS-ERREF] 2.3: severity in the two top bits, facility, code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NtStatus(pub u32);

macro_rules! statuses {
    ($($name:ident = $code:literal;)*) => {
        #[allow(missing_docs, reason = "the names are those of [MS-ERREF] 2.3.1")]
        impl NtStatus {
            $(pub const $name: Self = Self($code);)*

            /// The name without its STATUS_ prefix, as in `ACCESS_DENIED`; `None` for a code that
            /// this table does not have.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self.0 { $($code => Some(stringify!($name)),)* _ => None }
            }
        }
    };
}

statuses! {
    SUCCESS = 0x0000_0000;
    PENDING = 0x0000_0103;
    BUFFER_OVERFLOW = 0x8000_0005;
    NO_MORE_FILES = 0x8000_0006;
    ACCESS_DENIED = 0xc000_0022;
    INVALID_PARAMETER = 0xc000_000d;
}

impl NtStatus {
    /// Severity error: the two top bits are set.
    #[must_use]
    pub fn is_error(self) -> bool {
        self.0 >> 30 == 3
    }

    /// Severity success or informational.
    #[must_use]
    pub fn is_success(self) -> bool {
        self.0 >> 31 == 0
    }
}

impl fmt::Display for NtStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "STATUS_{name}"),
            None => write!(f, "{:#010x}", self.0),
        }
    }
}

impl fmt::Debug for NtStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
