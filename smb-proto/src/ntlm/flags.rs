use bitflags::bitflags;

bitflags! {
    /// NegotiateFlags, [MS-NLMP] 2.2.2.5. The constants lack the prefix NTLMSSP_ and, where it
    /// follows, NEGOTIATE_.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct NegotiateFlags: u32 {
        /// NTLMSSP_NEGOTIATE_UNICODE: strings are UTF-16LE.
        const UNICODE = 0x0000_0001;
        /// NTLM_NEGOTIATE_OEM: strings are in the OEM character set, unless Unicode is set too.
        const OEM = 0x0000_0002;
        /// NTLMSSP_REQUEST_TARGET: the challenge is to have a TargetName.
        const REQUEST_TARGET = 0x0000_0004;
        /// NTLMSSP_NEGOTIATE_SIGN: message integrity.
        const SIGN = 0x0000_0010;
        /// NTLMSSP_NEGOTIATE_SEAL: message confidentiality.
        const SEAL = 0x0000_0020;
        /// NTLMSSP_NEGOTIATE_DATAGRAM: connectionless.
        const DATAGRAM = 0x0000_0040;
        /// NTLMSSP_NEGOTIATE_LM_KEY.
        const LM_KEY = 0x0000_0080;
        /// NTLMSSP_NEGOTIATE_NTLM.
        const NTLM = 0x0000_0200;
        /// Anonymous connection.
        const ANONYMOUS = 0x0000_0800;
        /// NTLMSSP_NEGOTIATE_OEM_DOMAIN_SUPPLIED.
        const OEM_DOMAIN_SUPPLIED = 0x0000_1000;
        /// NTLMSSP_NEGOTIATE_OEM_WORKSTATION_SUPPLIED.
        const OEM_WORKSTATION_SUPPLIED = 0x0000_2000;
        /// NTLMSSP_NEGOTIATE_ALWAYS_SIGN.
        const ALWAYS_SIGN = 0x0000_8000;
        /// NTLMSSP_TARGET_TYPE_DOMAIN: TargetName is a domain.
        const TARGET_TYPE_DOMAIN = 0x0001_0000;
        /// NTLMSSP_TARGET_TYPE_SERVER: TargetName is a server.
        const TARGET_TYPE_SERVER = 0x0002_0000;
        /// NTLMSSP_NEGOTIATE_EXTENDED_SESSIONSECURITY.
        const EXTENDED_SESSIONSECURITY = 0x0008_0000;
        /// NTLMSSP_NEGOTIATE_IDENTIFY: an identify level token.
        const IDENTIFY = 0x0010_0000;
        /// NTLMSSP_REQUEST_NON_NT_SESSION_KEY.
        const REQUEST_NON_NT_SESSION_KEY = 0x0040_0000;
        /// NTLMSSP_NEGOTIATE_TARGET_INFO: the challenge has TargetInfo.
        const TARGET_INFO = 0x0080_0000;
        /// NTLMSSP_NEGOTIATE_VERSION: the Version field is filled in.
        const VERSION = 0x0200_0000;
        /// NTLMSSP_NEGOTIATE_128: 128-bit session keys.
        const KEY_128 = 0x2000_0000;
        /// NTLMSSP_NEGOTIATE_KEY_EXCH: the client chooses the session key.
        const KEY_EXCH = 0x4000_0000;
        /// NTLMSSP_NEGOTIATE_56: 56-bit session keys.
        const KEY_56 = 0x8000_0000;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}
