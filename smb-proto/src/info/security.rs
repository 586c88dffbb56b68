//! Which parts of a security descriptor a request is about.

use bitflags::bitflags;

bitflags! {
    /// SECURITY_INFORMATION, [MS-DTYP] 2.4.7: the AdditionalInformation of QUERY_INFO and SET_INFO
    /// with [`InfoType::Security`](super::InfoType::Security) ([MS-SMB2] 2.2.37 and 2.2.39).
    /// 4 bytes. Unknown bits are kept.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct SecurityInformation: u32 {
        /// The owner.
        const OWNER = 0x0000_0001;
        /// The primary group.
        const GROUP = 0x0000_0002;
        /// The discretionary access control list.
        const DACL = 0x0000_0004;
        /// The system access control list (audit entries).
        const SACL = 0x0000_0008;
        /// The mandatory integrity label, an entry of the SACL.
        const LABEL = 0x0000_0010;
        /// Resource attributes, entries of the SACL.
        const ATTRIBUTE = 0x0000_0020;
        /// The central access policy, an entry of the SACL.
        const SCOPE = 0x0000_0040;
        /// The process trust label, an entry of the SACL; not on the network.
        const PROCESS_TRUST_LABEL = 0x0000_0080;
        /// The access filter, entries of the SACL; not on the network.
        const ACCESS_FILTER = 0x0000_0100;
        /// Everything that a backup needs.
        const BACKUP = 0x0001_0000;
        /// The SACL inherits from the parent.
        const UNPROTECTED_SACL = 0x1000_0000;
        /// The DACL inherits from the parent.
        const UNPROTECTED_DACL = 0x2000_0000;
        /// The SACL does not inherit.
        const PROTECTED_SACL = 0x4000_0000;
        /// The DACL does not inherit.
        const PROTECTED_DACL = 0x8000_0000;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_specification() {
        let asked = SecurityInformation::from_bits_retain(0x8000_0007);
        assert_eq!(
            asked,
            SecurityInformation::OWNER
                | SecurityInformation::GROUP
                | SecurityInformation::DACL
                | SecurityInformation::PROTECTED_DACL
        );
        assert_eq!(SecurityInformation::from_bits_retain(0x200).bits(), 0x200);
    }
}
