//! Who uses the server: sessions, tree connects and opens ([MS-SRVS] 3.1.4.1, 3.1.4.2 and 3.1.4.5).

use smb_proto::rpc::srvsvc::*;

use super::super::rpc::len32;
use super::super::{ConnectionView, FileView, ServerView, SessionView};
use super::{Part, container, size, text, win32};

fn seconds(d: std::time::Duration) -> u32 {
    u32::try_from(d.as_secs()).unwrap_or(u32::MAX)
}

/// NetrSessionEnum, [MS-SRVS] 3.1.4.5: levels 1, 2 and 502 are for administrators, the others for
/// who proved an identity.
pub(super) fn session_enum(call: SessionEnum, view: &ServerView) -> SessionEnumReply {
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
pub(super) fn connection_enum(call: ConnectionEnum, view: &ServerView) -> ConnectionEnumReply {
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
pub(super) fn file_enum(call: FileEnum, view: &ServerView) -> FileEnumReply {
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
