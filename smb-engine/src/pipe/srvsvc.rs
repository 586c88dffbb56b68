//! The server service, [MS-SRVS] 3.1.4.

use bytes::Bytes;
use smb_proto::rpc::ndr::WideStr;
use smb_proto::rpc::pdu::Fault;
use smb_proto::rpc::srvsvc::*;

use super::rpc::{CallFault, len32, page};
use super::{ServerView, ShareView, netpath};

mod clock;
mod usage;

/// Win32 error codes, [MS-ERREF] 2.2 and [MS-SRVS] 2.2.2.10.
pub(super) mod win32 {
    pub(crate) const SUCCESS: u32 = 0;
    pub(crate) const ACCESS_DENIED: u32 = 5;
    pub(crate) const INVALID_PARAMETER: u32 = 87;
    pub(crate) const INVALID_NAME: u32 = 123;
    pub(crate) const INVALID_LEVEL: u32 = 124;
    pub(crate) const MORE_DATA: u32 = 234;
    pub(crate) const NERR_BUF_TOO_SMALL: u32 = 2123;
    pub(crate) const NERR_NET_NAME_NOT_FOUND: u32 = 2310;
}

/// The most bytes of an output buffer that a caller may ask for ([MS-SRVS] 3.1.4.30).
const MAX_OUTBUF: u32 = 64_000;

/// NetrShareEnumSticky ([MS-SRVS] 3.1.4.9) has the parameters of NetrShareEnum and lists the shares
/// that outlive a restart, as all of ours do.
const SHARE_ENUM_STICKY: u16 = 36;

/// Answers one call.
pub(super) fn call(opnum: u16, stub: &[u8], view: &ServerView) -> Result<Bytes, CallFault> {
    Ok(match opnum {
        ConnectionEnum::OPNUM => {
            usage::connection_enum(ConnectionEnum::parse(stub)?, view).encode()
        }
        FileEnum::OPNUM => usage::file_enum(FileEnum::parse(stub)?, view).encode(),
        SessionEnum::OPNUM => usage::session_enum(SessionEnum::parse(stub)?, view).encode(),
        ShareEnum::OPNUM | SHARE_ENUM_STICKY => share_enum(ShareEnum::parse(stub)?, view).encode(),
        ShareGetInfo::OPNUM => {
            let call = ShareGetInfo::parse(stub)?;
            let (info, status) = match share_info(&call, view) {
                Ok(info) => (info, win32::SUCCESS),
                Err(status) => (ShareInfo::Other(call.level, None), status),
            };
            ShareGetInfoReply { info, status }.encode()
        }
        ServerGetInfo::OPNUM => {
            let call = ServerGetInfo::parse(stub)?;
            let (info, status) = match server_info(call.level, view) {
                Ok(info) => (info, win32::SUCCESS),
                Err(status) => (ServerInfo::Other(call.level, None), status),
            };
            ServerGetInfoReply { info, status }.encode()
        }
        RemoteTod::OPNUM => {
            RemoteTod::parse(stub)?;
            RemoteTodReply {
                info: Some(clock::time_of_day(view)),
                status: win32::SUCCESS,
            }
            .encode()
        }
        PathType::OPNUM => {
            let call = PathType::parse(stub)?;
            let found = no_flags(call.flags).and_then(|()| netpath::path_type(&call.path_name.0));
            let (path_type, status) = match found {
                Ok(t) => (t, win32::SUCCESS),
                Err(status) => (0, status),
            };
            PathTypeReply { path_type, status }.encode()
        }
        PathCanonicalize::OPNUM => path_canonicalize(&PathCanonicalize::parse(stub)?)?.encode(),
        NameValidate::OPNUM => {
            let call = NameValidate::parse(stub)?;
            let status = no_flags(call.flags)
                .and_then(|()| netpath::validate_name(&call.name.0, call.name_type))
                .err()
                .unwrap_or(win32::SUCCESS);
            NameValidateReply { status }.encode()
        }
        _ => return Err(CallFault(Fault::OP_RNG_ERROR)),
    })
}

fn text(s: &str) -> Option<WideStr> {
    Some(WideStr(s.to_owned()))
}

fn no_flags(flags: u32) -> Result<(), u32> {
    if flags == 0 {
        Ok(())
    } else {
        Err(win32::INVALID_PARAMETER)
    }
}

/// Bytes of an entry in a reply: its numbers and pointers, and its strings.
fn size(fixed: usize, strings: &[&str]) -> usize {
    strings
        .iter()
        .map(|s| s.len().saturating_mul(2).saturating_add(16))
        .fold(fixed, usize::saturating_add)
}

/// One part of an enumeration.
struct Part<'a, T> {
    items: &'a [T],
    /// Elements from the start of this part to the end of the list.
    total: u32,
    resume: u32,
    status: u32,
}

impl<'a, T> Part<'a, T> {
    fn new(all: &'a [T], resume: Option<u32>, preferred: u32, size: impl Fn(&T) -> usize) -> Self {
        let from = resume.unwrap_or(0);
        let (items, next) = page(all, from, preferred, size);
        Self {
            items,
            total: len32(all).saturating_sub(from),
            resume: next.unwrap_or(0),
            status: match next {
                Some(_) => win32::MORE_DATA,
                None => win32::SUCCESS,
            },
        }
    }

    fn refused(status: u32) -> Self {
        Self {
            items: &[],
            total: 0,
            resume: 0,
            status,
        }
    }
}

/// Makes a container of a level, with the elements made from the items of a part.
macro_rules! container {
    ($container:ident, $items:expr, $make:expr) => {
        Some($container {
            entries_read: len32($items),
            buffer: Some($items.iter().map($make).collect()),
        })
    };
}

use container;

/// All shares the caller sees, with IPC$ as the last.
fn shares(view: &ServerView) -> Vec<ShareView> {
    let mut all = view.shares.clone();
    if !all.iter().any(|s| s.name.eq_ignore_ascii_case("IPC$")) {
        all.push(ShareView {
            name: "IPC$".to_owned(),
            share_type: STYPE_IPC | STYPE_SPECIAL,
            comment: format!("IPC Service ({})", view.comment),
            path: String::new(),
            max_users: None,
            current_users: 1,
            flags: 0,
            security: None,
        });
    }
    all
}

fn share_0(s: &ShareView) -> ShareInfo0 {
    ShareInfo0 {
        netname: text(&s.name),
    }
}

fn share_1(s: &ShareView) -> ShareInfo1 {
    ShareInfo1 {
        netname: text(&s.name),
        share_type: s.share_type,
        remark: text(&s.comment),
    }
}

fn share_2(s: &ShareView) -> ShareInfo2 {
    ShareInfo2 {
        netname: text(&s.name),
        share_type: s.share_type,
        remark: text(&s.comment),
        permissions: 0,
        max_uses: s.max_users.unwrap_or(u32::MAX),
        current_uses: s.current_users,
        path: text(&s.path),
        passwd: text(""),
    }
}

fn share_501(s: &ShareView) -> ShareInfo501 {
    ShareInfo501 {
        netname: text(&s.name),
        share_type: s.share_type,
        remark: text(&s.comment),
        flags: s.flags,
    }
}

fn share_502(s: &ShareView) -> ShareInfo502 {
    let security_descriptor = s.security.as_ref().map(|sd| sd.to_vec());
    ShareInfo502 {
        netname: text(&s.name),
        share_type: s.share_type,
        remark: text(&s.comment),
        permissions: 0,
        max_uses: s.max_users.unwrap_or(u32::MAX),
        current_uses: s.current_users,
        path: text(&s.path),
        passwd: text(""),
        reserved: security_descriptor.as_deref().map_or(0, len32),
        security_descriptor,
    }
}

/// Levels with paths and descriptors are not for null sessions ([MS-SRVS] 3.1.4.8 and 3.1.4.10
/// leave the exact rights to the server).
fn may_see_level(level: u32, view: &ServerView) -> Result<(), u32> {
    match level {
        0 | 1 | 501 | 1005 => Ok(()),
        2 | 502 if view.caller.anonymous => Err(win32::ACCESS_DENIED),
        2 | 502 => Ok(()),
        _ => Err(win32::INVALID_LEVEL),
    }
}

/// NetrShareEnum, [MS-SRVS] 3.1.4.8.
fn share_enum(call: ShareEnum, view: &ServerView) -> ShareEnumReply {
    let level = call.info.share_info.tag();
    let all = shares(view);
    let part = match may_see_level(level, view) {
        Ok(()) => Part::new(
            &all,
            call.resume_handle,
            call.prefered_maximum_length,
            |s| {
                let sd = s.security.as_ref().map_or(0, |sd| sd.encoded_len());
                size(40, &[&s.name, &s.comment, &s.path]).saturating_add(sd)
            },
        ),
        Err(status) => Part::refused(status),
    };
    let items = part.items;
    let share_info = match level {
        0 => ShareEnumUnion::Level0(container!(ShareContainer0, items, share_0)),
        1 => ShareEnumUnion::Level1(container!(ShareContainer1, items, share_1)),
        2 => ShareEnumUnion::Level2(container!(ShareContainer2, items, share_2)),
        501 => ShareEnumUnion::Level501(container!(ShareContainer501, items, share_501)),
        502 => ShareEnumUnion::Level502(container!(ShareContainer502, items, share_502)),
        other => ShareEnumUnion::Other(other, None),
    };
    // 1005 has no list; it can only be asked of one share.
    let status = match share_info {
        ShareEnumUnion::Other(..) => win32::INVALID_LEVEL,
        _ => part.status,
    };
    ShareEnumReply {
        info: ShareEnumStruct { level, share_info },
        total_entries: part.total,
        resume_handle: call.resume_handle.map(|_| part.resume),
        status,
    }
}

/// NetrShareGetInfo, [MS-SRVS] 3.1.4.10.
fn share_info(call: &ShareGetInfo, view: &ServerView) -> Result<ShareInfo, u32> {
    may_see_level(call.level, view)?;
    let all = shares(view);
    let share = all
        .iter()
        .find(|s| crate::names::same_name(&s.name, &call.net_name.0))
        .ok_or(win32::NERR_NET_NAME_NOT_FOUND)?;
    Ok(match call.level {
        0 => ShareInfo::Level0(Some(share_0(share))),
        1 => ShareInfo::Level1(Some(share_1(share))),
        2 => ShareInfo::Level2(Some(share_2(share))),
        501 => ShareInfo::Level501(Some(share_501(share))),
        502 => ShareInfo::Level502(Some(share_502(share))),
        1005 => ShareInfo::Level1005(Some(ShareInfo1005 { flags: share.flags })),
        _ => return Err(win32::INVALID_LEVEL),
    })
}

/// NetrServerGetInfo, [MS-SRVS] 3.1.4.17. Level 102 is for administrators.
fn server_info(level: u32, view: &ServerView) -> Result<ServerInfo, u32> {
    let (version_major, version_minor) = view.version;
    Ok(match level {
        100 => ServerInfo::Level100(Some(ServerInfo100 {
            platform_id: PLATFORM_ID_NT,
            name: text(&view.server_name),
        })),
        101 => ServerInfo::Level101(Some(ServerInfo101 {
            platform_id: PLATFORM_ID_NT,
            name: text(&view.server_name),
            version_major,
            version_minor,
            server_type: SV_TYPE_SERVER_NT,
            comment: text(&view.comment),
        })),
        102 if !view.caller.admin => return Err(win32::ACCESS_DENIED),
        102 => ServerInfo::Level102(Some(ServerInfo102 {
            platform_id: PLATFORM_ID_NT,
            name: text(&view.server_name),
            version_major,
            version_minor,
            server_type: SV_TYPE_SERVER_NT,
            comment: text(&view.comment),
            users: u32::MAX,
            disc: u32::MAX,
            hidden: 0,
            announce: 240,
            anndelta: 3000,
            licenses: 0,
            userpath: text("C:\\"),
        })),
        _ => return Err(win32::INVALID_LEVEL),
    })
}

/// NetprPathCanonicalize, [MS-SRVS] 3.1.4.30.
fn path_canonicalize(call: &PathCanonicalize) -> Result<PathCanonicalizeReply, CallFault> {
    if call.outbuf_len > MAX_OUTBUF {
        return Err(CallFault(Fault::BAD_STUB_DATA));
    }
    let room = usize::try_from(call.outbuf_len).unwrap_or(0);
    let mut outbuf = vec![0; room];
    let made = no_flags(call.flags)
        .and_then(|()| netpath::canonicalize(&call.path_name.0, &call.prefix.0))
        .and_then(|(path, path_type)| {
            let mut bytes: Vec<u8> = path.encode_utf16().flat_map(u16::to_le_bytes).collect();
            bytes.extend([0, 0]);
            outbuf
                .get_mut(..bytes.len())
                .ok_or(win32::NERR_BUF_TOO_SMALL)?
                .copy_from_slice(&bytes);
            Ok(path_type)
        });
    let (path_type, status) = match made {
        Ok(path_type) => (path_type, win32::SUCCESS),
        Err(status) => (call.path_type, status),
    };
    Ok(PathCanonicalizeReply {
        outbuf,
        path_type,
        status,
    })
}
