//! The server service, [MS-SRVS] 3.1.4.

use bytes::Bytes;
use smb_proto::rpc::ndr::WideStr;
use smb_proto::rpc::pdu::Fault;
use smb_proto::rpc::srvsvc::*;

use super::rpc::{CallFault, len32, page};
use super::{ConnectionView, FileView, ServerView, SessionView, ShareView, netpath};

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

/// Answers one call.
pub(super) fn call(opnum: u16, stub: &[u8], view: &ServerView) -> Result<Bytes, CallFault> {
    Ok(match opnum {
        ConnectionEnum::OPNUM => connection_enum(ConnectionEnum::parse(stub)?, view).encode(),
        FileEnum::OPNUM => file_enum(FileEnum::parse(stub)?, view).encode(),
        SessionEnum::OPNUM => session_enum(SessionEnum::parse(stub)?, view).encode(),
        ShareEnum::OPNUM => share_enum(ShareEnum::parse(stub)?, view).encode(),
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
                info: Some(time_of_day(view)),
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

fn seconds(d: std::time::Duration) -> u32 {
    u32::try_from(d.as_secs()).unwrap_or(u32::MAX)
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

/// NetrRemoteTOD, [MS-SRVS] 3.1.4.21.
fn time_of_day(view: &ServerView) -> TimeOfDayInfo {
    let (unix, nanos) = view.now.to_unix();
    let days = unix.div_euclid(86_400);
    let second = u32::try_from(unix.rem_euclid(86_400)).unwrap_or(0);
    let (year, month, day) = civil(days);
    TimeOfDayInfo {
        elapsedt: u32::try_from(unix.max(0)).unwrap_or(u32::MAX),
        // Milliseconds of a counter that wraps.
        msecs: u32::try_from(view.uptime.as_millis() & u128::from(u32::MAX)).unwrap_or(0),
        hours: second / 3600,
        mins: second / 60 % 60,
        secs: second % 60,
        hunds: nanos / 10_000_000,
        timezone: 0,
        tinterval: 310,
        day,
        month,
        year,
        weekday: u32::try_from(days.saturating_add(4).rem_euclid(7)).unwrap_or(0),
    }
}

/// Year, month and day of a day counted from 1970-01-01 in the Gregorian calendar. Works in years
/// that begin in March, so that the leap day is the last of a year, in cycles of 400 years.
fn civil(days: i64) -> (u32, u32, u32) {
    let days = days.clamp(-134_774, 10_000_000).saturating_add(719_468);
    let cycle = days.div_euclid(146_097);
    let of_cycle = days.rem_euclid(146_097);
    let year_of_cycle =
        (of_cycle - of_cycle / 1_460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_cycle + cycle * 400 + i64::from(month <= 2);
    let small = |n: i64| u32::try_from(n).unwrap_or(0);
    (small(year), small(month), small(day))
}

/// NetrSessionEnum, [MS-SRVS] 3.1.4.5: levels 1, 2 and 502 are for administrators, the others for
/// who proved an identity.
fn session_enum(call: SessionEnum, view: &ServerView) -> SessionEnumReply {
    let level = call.info.session_info.tag();
    let client = call
        .client_name
        .as_ref()
        .map(|n| n.0.trim_start_matches('\\'));
    let user = call.user_name.as_ref().map(|n| n.0.as_str());
    let wanted = |filter: Option<&str>, value: &str| {
        filter.is_none_or(|f| f.is_empty() || crate::names::same_name(f, value))
    };
    let all: Vec<SessionView> = view
        .sessions
        .iter()
        .filter(|s| wanted(client, &s.client) && wanted(user, &s.user))
        .cloned()
        .collect();
    let part = match level {
        0 | 10 if view.caller.anonymous => Part::refused(win32::ACCESS_DENIED),
        1 | 2 | 502 if !view.caller.admin => Part::refused(win32::ACCESS_DENIED),
        0 | 1 | 2 | 10 | 502 => Part::new(
            &all,
            call.resume_handle,
            call.prefered_maximum_length,
            |s| size(32, &[&s.client, &s.user]),
        ),
        _ => Part::refused(win32::INVALID_LEVEL),
    };
    let items = part.items;
    let session_info = match level {
        0 => SessionEnumUnion::Level0(container!(SessionContainer0, items, |s| SessionInfo0 {
            cname: text(&s.client),
        })),
        1 => SessionEnumUnion::Level1(container!(SessionContainer1, items, |s| SessionInfo1 {
            cname: text(&s.client),
            username: text(&s.user),
            num_opens: s.opens,
            time: seconds(s.active),
            idle_time: seconds(s.idle),
            user_flags: u32::from(s.guest),
        })),
        2 => SessionEnumUnion::Level2(container!(SessionContainer2, items, |s| SessionInfo2 {
            cname: text(&s.client),
            username: text(&s.user),
            num_opens: s.opens,
            time: seconds(s.active),
            idle_time: seconds(s.idle),
            user_flags: u32::from(s.guest),
            cltype_name: text(""),
        })),
        10 => SessionEnumUnion::Level10(container!(SessionContainer10, items, |s| {
            SessionInfo10 {
                cname: text(&s.client),
                username: text(&s.user),
                time: seconds(s.active),
                idle_time: seconds(s.idle),
            }
        })),
        502 => SessionEnumUnion::Level502(container!(SessionContainer502, items, |s| {
            SessionInfo502 {
                cname: text(&s.client),
                username: text(&s.user),
                num_opens: s.opens,
                time: seconds(s.active),
                idle_time: seconds(s.idle),
                user_flags: u32::from(s.guest),
                cltype_name: text(""),
                transport: text(""),
            }
        })),
        other => SessionEnumUnion::Other(other, None),
    };
    SessionEnumReply {
        info: SessionEnumStruct {
            level,
            session_info,
        },
        total_entries: part.total,
        resume_handle: call.resume_handle.map(|_| part.resume),
        status: part.status,
    }
}

/// NetrConnectionEnum, [MS-SRVS] 3.1.4.1, for administrators. The qualifier is a share, or a
/// client behind two backslashes.
fn connection_enum(call: ConnectionEnum, view: &ServerView) -> ConnectionEnumReply {
    let level = call.info.connect_info.tag();
    let qualifier = call.qualifier.as_ref().map_or("", |q| q.0.as_str());
    let all: Vec<ConnectionView> = view
        .connections
        .iter()
        .filter(|c| match qualifier.strip_prefix("\\\\") {
            Some(client) => crate::names::same_name(client, &c.client),
            None => crate::names::same_name(qualifier, &c.share),
        })
        .cloned()
        .collect();
    let part = match level {
        0 | 1 if !view.caller.admin => Part::refused(win32::ACCESS_DENIED),
        0 | 1 if qualifier.is_empty() => Part::refused(win32::INVALID_PARAMETER),
        0 | 1 => Part::new(
            &all,
            call.resume_handle,
            call.prefered_maximum_length,
            |c| size(28, &[&c.user, &c.share]),
        ),
        _ => Part::refused(win32::INVALID_LEVEL),
    };
    let items = part.items;
    let connect_info = match level {
        0 => ConnectionEnumUnion::Level0(container!(ConnectionContainer0, items, |c| {
            ConnectionInfo0 { id: c.id }
        })),
        1 => ConnectionEnumUnion::Level1(container!(ConnectionContainer1, items, |c| {
            ConnectionInfo1 {
                id: c.id,
                connection_type: c.share_type,
                num_opens: c.opens,
                num_users: 1,
                time: seconds(c.active),
                username: text(&c.user),
                netname: text(&c.share),
            }
        })),
        other => ConnectionEnumUnion::Other(other, None),
    };
    ConnectionEnumReply {
        info: ConnectionEnumStruct {
            level,
            connect_info,
        },
        total_entries: part.total,
        resume_handle: call.resume_handle.map(|_| part.resume),
        status: part.status,
    }
}

/// NetrFileEnum, [MS-SRVS] 3.1.4.2, for administrators.
fn file_enum(call: FileEnum, view: &ServerView) -> FileEnumReply {
    let level = call.info.file_info.tag();
    let base = call.base_path.as_ref().map_or("", |p| p.0.as_str());
    let user = call.user_name.as_ref().map_or("", |p| p.0.as_str());
    let all: Vec<FileView> = view
        .files
        .iter()
        .filter(|f| {
            crate::names::fold(&f.path).starts_with(&crate::names::fold(base))
                && (user.is_empty() || crate::names::same_name(user, &f.user))
        })
        .cloned()
        .collect();
    let part = match level {
        2 | 3 if !view.caller.admin => Part::refused(win32::ACCESS_DENIED),
        2 | 3 => Part::new(
            &all,
            call.resume_handle,
            call.prefered_maximum_length,
            |f| size(20, &[&f.path, &f.user]),
        ),
        _ => Part::refused(win32::INVALID_LEVEL),
    };
    let items = part.items;
    let file_info = match level {
        2 => FileEnumUnion::Level2(container!(FileContainer2, items, |f| FileInfo2 {
            id: f.id
        })),
        3 => FileEnumUnion::Level3(container!(FileContainer3, items, |f| FileInfo3 {
            id: f.id,
            permissions: f.permissions,
            num_locks: f.locks,
            pathname: text(&f.path),
            username: text(&f.user),
        })),
        other => FileEnumUnion::Other(other, None),
    };
    FileEnumReply {
        info: FileEnumStruct { level, file_info },
        total_entries: part.total,
        resume_handle: call.resume_handle.map(|_| part.resume),
        status: part.status,
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use smb_proto::FileTime;

    #[test]
    fn calendar() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (20_779, (2026, 11, 22)),
            (-134_774, (1601, 1, 1)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(civil(days), date, "{days}");
        }
    }

    #[test]
    fn time_of_day_of_a_known_moment() {
        let view = ServerView {
            now: FileTime::from_unix(1_795_353_566, 420_000_000),
            uptime: std::time::Duration::from_millis((1 << 32) + 5),
            ..super::super::tests::view()
        };
        let t = time_of_day(&view);
        assert_eq!((t.year, t.month, t.day), (2026, 11, 22));
        assert_eq!((t.hours, t.mins, t.secs, t.hunds), (13, 19, 26, 42));
        // A Sunday.
        assert_eq!(t.weekday, 0);
        assert_eq!((t.elapsedt, t.msecs), (1_795_353_566, 5));
    }
}
