//! The workstation service, [MS-WKST] 3.2.4.

use bytes::Bytes;
use smb_proto::rpc::ndr::WideStr;
use smb_proto::rpc::pdu::Fault;
use smb_proto::rpc::srvsvc::PLATFORM_ID_NT;
use smb_proto::rpc::wkssvc::{
    WkstaGetInfo, WkstaGetInfoReply, WkstaInfo, WkstaInfo100, WkstaInfo101, WkstaInfo102,
};

use super::ServerView;
use super::rpc::{CallFault, len32};
use super::srvsvc::win32;

/// Answers one call.
pub(super) fn call(opnum: u16, stub: &[u8], view: &ServerView) -> Result<Bytes, CallFault> {
    match opnum {
        WkstaGetInfo::OPNUM => {
            let call = WkstaGetInfo::parse(stub)?;
            let (info, status) = match info(call.level, view) {
                Ok(info) => (info, win32::SUCCESS),
                Err(status) => (WkstaInfo::Other(call.level, None), status),
            };
            Ok(WkstaGetInfoReply { info, status }.encode())
        }
        _ => Err(CallFault(Fault::OP_RNG_ERROR)),
    }
}

/// NetrWkstaGetInfo, [MS-WKST] 3.2.4.1: level 100 is for everyone, 101 for who proved an
/// identity, 102 for administrators.
fn info(level: u32, view: &ServerView) -> Result<WkstaInfo, u32> {
    let allowed = match level {
        100 => true,
        101 => !view.caller.anonymous,
        102 => view.caller.admin,
        _ => return Err(win32::INVALID_LEVEL),
    };
    if !allowed {
        return Err(win32::ACCESS_DENIED);
    }
    let name = || Some(WideStr(view.server_name.clone()));
    let group = || Some(WideStr(view.workgroup.clone()));
    let (ver_major, ver_minor) = view.version;
    Ok(match level {
        100 => WkstaInfo::Level100(Some(WkstaInfo100 {
            platform_id: PLATFORM_ID_NT,
            computername: name(),
            langroup: group(),
            ver_major,
            ver_minor,
        })),
        101 => WkstaInfo::Level101(Some(WkstaInfo101 {
            platform_id: PLATFORM_ID_NT,
            computername: name(),
            langroup: group(),
            ver_major,
            ver_minor,
            lanroot: Some("".into()),
        })),
        _ => WkstaInfo::Level102(Some(WkstaInfo102 {
            platform_id: PLATFORM_ID_NT,
            computername: name(),
            langroup: group(),
            ver_major,
            ver_minor,
            lanroot: Some("".into()),
            logged_on_users: len32(&view.sessions),
        })),
    })
}
