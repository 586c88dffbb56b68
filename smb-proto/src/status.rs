//! NTSTATUS values, [MS-ERREF] 2.3.
//!
//! The table has what file servers and their clients meet: the values that [MS-SMB2], [MS-FSCC],
//! [MS-FSA], [MS-SRVS], [MS-NLMP] and the account protocols name. Values for memory management,
//! executables, drivers and the like are left out; they print as numbers.

use std::fmt;

mod table;

/// An NTSTATUS, [MS-ERREF] 2.3: severity in the two top bits, facility, code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NtStatus(pub u32);

impl NtStatus {
    /// The value with this name, which may begin with `STATUS_` or `NT_STATUS_`. The inverse of
    /// [`Self::name`]; meant for tools that read lists of expected results.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name
            .strip_prefix("NT_STATUS_")
            .or_else(|| name.strip_prefix("STATUS_"))
            .unwrap_or(name);
        Self::ALL.iter().find(|(_, n)| *n == name).map(|(s, _)| *s)
    }

    /// Severity error: the two top bits are set.
    #[must_use]
    pub const fn is_error(self) -> bool {
        self.0 >> 30 == 3
    }

    /// Severity warning, as in BUFFER_OVERFLOW and NO_MORE_FILES.
    #[must_use]
    pub const fn is_warning(self) -> bool {
        self.0 >> 30 == 2
    }

    /// Severity success or informational.
    #[must_use]
    pub const fn is_success(self) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_ordered_and_unique() {
        assert!(NtStatus::ALL.is_sorted_by(|a, b| a.0 < b.0));
        assert!(NtStatus::ALL.len() > 200);
    }

    #[test]
    fn names_go_both_ways() {
        for &(status, name) in NtStatus::ALL {
            assert_eq!(status.name(), Some(name));
            assert_eq!(NtStatus::from_name(name), Some(status));
            assert_eq!(NtStatus::from_name(&status.to_string()), Some(status));
        }
        assert_eq!(
            NtStatus::from_name("NT_STATUS_OBJECT_NAME_NOT_FOUND"),
            Some(NtStatus(0xc000_0034))
        );
        assert_eq!(NtStatus::from_name("ACCESS"), None);
        assert_eq!(NtStatus(0xdead_beef).to_string(), "0xdeadbeef");
    }

    #[test]
    fn severities() {
        for (status, error, warning, success) in [
            (NtStatus::SUCCESS, false, false, true),
            (NtStatus::PENDING, false, false, true),
            (NtStatus::OBJECT_NAME_EXISTS, false, false, true),
            (NtStatus::BUFFER_OVERFLOW, false, true, false),
            (NtStatus::MORE_PROCESSING_REQUIRED, true, false, false),
        ] {
            assert_eq!(status.is_error(), error, "{status}");
            assert_eq!(status.is_warning(), warning, "{status}");
            assert_eq!(status.is_success(), success, "{status}");
        }
    }
}
