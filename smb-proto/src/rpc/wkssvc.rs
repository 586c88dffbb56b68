//! The Workstation Service Remote Protocol, [MS-WKST], as far as clients ask a file server.

use super::ndr::WideStr;
use super::pdu::SyntaxId;
use crate::dtyp::Guid;

/// The interface, [MS-WKST] 1.9.
pub const INTERFACE: SyntaxId = SyntaxId {
    uuid: Guid::from_fields(
        0x6bff_d098,
        0xa112,
        0x3610,
        [0x98, 0x33, 0x46, 0xc3, 0xf8, 0x7e, 0x34, 0x5a],
    ),
    version: 1,
};

ndr_struct! {
    /// WKSTA_INFO_100, [MS-WKST] 2.2.5.1.
    pub struct WkstaInfo100 {
        platform_id: u32,
        computername: Option<WideStr>,
        /// The workgroup or domain.
        langroup: Option<WideStr>,
        ver_major: u32,
        ver_minor: u32,
    }

    /// WKSTA_INFO_101, [MS-WKST] 2.2.5.2.
    pub struct WkstaInfo101 {
        platform_id: u32,
        computername: Option<WideStr>,
        langroup: Option<WideStr>,
        ver_major: u32,
        ver_minor: u32,
        lanroot: Option<WideStr>,
    }

    /// WKSTA_INFO_102, [MS-WKST] 2.2.5.3.
    pub struct WkstaInfo102 {
        platform_id: u32,
        computername: Option<WideStr>,
        langroup: Option<WideStr>,
        ver_major: u32,
        ver_minor: u32,
        lanroot: Option<WideStr>,
        logged_on_users: u32,
    }
}

ndr_union! {
    /// WKSTA_INFO, [MS-WKST] 2.2.4.1, as far as it is answered.
    pub enum WkstaInfo: u32 {
        100 => Level100(Option<WkstaInfo100>),
        101 => Level101(Option<WkstaInfo101>),
        102 => Level102(Option<WkstaInfo102>),
        else Option<()>
    }
}

ndr_call! {
    /// NetrWkstaGetInfo, [MS-WKST] 3.2.4.1.
    pub struct WkstaGetInfo = 0 {
        server_name: Option<WideStr>,
        level: u32,
    }

    /// The reply to [`WkstaGetInfo`].
    pub struct WkstaGetInfoReply {
        info: WkstaInfo,
        status: u32,
    }
}
