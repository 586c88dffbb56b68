//! The Server Service Remote Protocol, [MS-SRVS]: shares, sessions and open files of a server.

use super::ndr::WideStr;
use super::pdu::SyntaxId;
use crate::dtyp::Guid;

/// The interface, [MS-SRVS] 1.9.
pub const INTERFACE: SyntaxId = SyntaxId {
    uuid: Guid::from_fields(
        0x4b32_4fc8,
        0x1670,
        0x01d3,
        [0x12, 0x78, 0x5a, 0x47, 0xbf, 0x6e, 0xe1, 0x88],
    ),
    version: 3,
};

/// What stands for "as many as fit" in a preferred maximum length.
pub const MAX_PREFERRED_LENGTH: u32 = u32::MAX;

/// STYPE_DISKTREE, [MS-SRVS] 2.2.2.4.
pub const STYPE_DISKTREE: u32 = 0;
/// STYPE_IPC.
pub const STYPE_IPC: u32 = 3;
/// STYPE_SPECIAL: an administrative share.
pub const STYPE_SPECIAL: u32 = 0x8000_0000;

/// PLATFORM_ID_NT, [MS-SRVS] 2.2.2.6.
pub const PLATFORM_ID_NT: u32 = 500;

/// Software types of [MS-SRVS] 2.2.2.7: workstation, server and NT server.
pub const SV_TYPE_SERVER_NT: u32 = 0x0000_0001 | 0x0000_0002 | 0x0000_8000;

/// The name of a server, a share, a user … as a parameter that may be missing.
pub type OptionalName = Option<WideStr>;

ndr_struct! {
    /// SHARE_INFO_0, [MS-SRVS] 2.2.4.22.
    pub struct ShareInfo0 {
        netname: Option<WideStr>,
    }

    /// SHARE_INFO_1, [MS-SRVS] 2.2.4.23.
    pub struct ShareInfo1 {
        netname: Option<WideStr>,
        share_type: u32,
        remark: Option<WideStr>,
    }

    /// SHARE_INFO_2, [MS-SRVS] 2.2.4.24.
    pub struct ShareInfo2 {
        netname: Option<WideStr>,
        share_type: u32,
        remark: Option<WideStr>,
        permissions: u32,
        /// All ones for no limit.
        max_uses: u32,
        current_uses: u32,
        path: Option<WideStr>,
        passwd: Option<WideStr>,
    }

    /// SHARE_INFO_501, [MS-SRVS] 2.2.4.25.
    pub struct ShareInfo501 {
        netname: Option<WideStr>,
        share_type: u32,
        remark: Option<WideStr>,
        /// SHI1005_FLAGS, [MS-SRVS] 2.2.4.29.
        flags: u32,
    }

    /// SHARE_INFO_502_I, [MS-SRVS] 2.2.4.26.
    pub struct ShareInfo502 {
        netname: Option<WideStr>,
        share_type: u32,
        remark: Option<WideStr>,
        permissions: u32,
        max_uses: u32,
        current_uses: u32,
        path: Option<WideStr>,
        passwd: Option<WideStr>,
        /// Bytes of `security_descriptor`.
        reserved: u32,
        /// Self-relative.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
        security_descriptor: Option<Vec<u8>>,
    }

    /// SHARE_INFO_1005, [MS-SRVS] 2.2.4.29.
    pub struct ShareInfo1005 {
        flags: u32,
    }

    /// SHARE_INFO_0_CONTAINER, [MS-SRVS] 2.2.4.32.
    pub struct ShareContainer0 {
        entries_read: u32,
        buffer: Option<Vec<ShareInfo0>>,
    }

    /// SHARE_INFO_1_CONTAINER, [MS-SRVS] 2.2.4.33.
    pub struct ShareContainer1 {
        entries_read: u32,
        buffer: Option<Vec<ShareInfo1>>,
    }

    /// SHARE_INFO_2_CONTAINER, [MS-SRVS] 2.2.4.34.
    pub struct ShareContainer2 {
        entries_read: u32,
        buffer: Option<Vec<ShareInfo2>>,
    }

    /// SHARE_INFO_501_CONTAINER, [MS-SRVS] 2.2.4.35.
    pub struct ShareContainer501 {
        entries_read: u32,
        buffer: Option<Vec<ShareInfo501>>,
    }

    /// SHARE_INFO_502_CONTAINER, [MS-SRVS] 2.2.4.36.
    pub struct ShareContainer502 {
        entries_read: u32,
        buffer: Option<Vec<ShareInfo502>>,
    }

    /// A container of a level that is not read: what all of them have in common.
    pub struct OtherContainer {
        entries_read: u32,
        buffer: Option<Vec<()>>,
    }

    /// SHARE_ENUM_STRUCT, [MS-SRVS] 2.2.4.38.
    pub struct ShareEnumStruct {
        level: u32,
        share_info: ShareEnumUnion,
    }

    /// SERVER_INFO_100, [MS-SRVS] 2.2.4.40.
    pub struct ServerInfo100 {
        platform_id: u32,
        name: Option<WideStr>,
    }

    /// SERVER_INFO_101, [MS-SRVS] 2.2.4.41.
    pub struct ServerInfo101 {
        platform_id: u32,
        name: Option<WideStr>,
        version_major: u32,
        version_minor: u32,
        server_type: u32,
        comment: Option<WideStr>,
    }

    /// SERVER_INFO_102, [MS-SRVS] 2.2.4.42.
    pub struct ServerInfo102 {
        platform_id: u32,
        name: Option<WideStr>,
        version_major: u32,
        version_minor: u32,
        server_type: u32,
        comment: Option<WideStr>,
        users: u32,
        /// Minutes after which an idle session is closed; all ones for never.
        disc: u32,
        hidden: u32,
        announce: u32,
        anndelta: u32,
        licenses: u32,
        userpath: Option<WideStr>,
    }

    /// TIME_OF_DAY_INFO, [MS-SRVS] 2.2.4.105. All times are UTC.
    pub struct TimeOfDayInfo {
        /// Seconds since 1970.
        elapsedt: u32,
        /// Milliseconds since the server started.
        msecs: u32,
        hours: u32,
        mins: u32,
        secs: u32,
        /// Hundredths of a second.
        hunds: u32,
        /// Minutes that local time is behind UTC, signed.
        timezone: u32,
        /// Clock interval in units of 100 microseconds.
        tinterval: u32,
        day: u32,
        month: u32,
        year: u32,
        /// 0 is Sunday.
        weekday: u32,
    }

    /// SESSION_INFO_0, [MS-SRVS] 2.2.4.11.
    pub struct SessionInfo0 {
        cname: Option<WideStr>,
    }

    /// SESSION_INFO_1, [MS-SRVS] 2.2.4.12.
    pub struct SessionInfo1 {
        cname: Option<WideStr>,
        username: Option<WideStr>,
        num_opens: u32,
        /// Seconds since it began.
        time: u32,
        /// Seconds since it last asked for something.
        idle_time: u32,
        /// 1: guest.
        user_flags: u32,
    }

    /// SESSION_INFO_2, [MS-SRVS] 2.2.4.13.
    pub struct SessionInfo2 {
        cname: Option<WideStr>,
        username: Option<WideStr>,
        num_opens: u32,
        time: u32,
        idle_time: u32,
        user_flags: u32,
        cltype_name: Option<WideStr>,
    }

    /// SESSION_INFO_10, [MS-SRVS] 2.2.4.14.
    pub struct SessionInfo10 {
        cname: Option<WideStr>,
        username: Option<WideStr>,
        time: u32,
        idle_time: u32,
    }

    /// SESSION_INFO_502, [MS-SRVS] 2.2.4.15.
    pub struct SessionInfo502 {
        cname: Option<WideStr>,
        username: Option<WideStr>,
        num_opens: u32,
        time: u32,
        idle_time: u32,
        user_flags: u32,
        cltype_name: Option<WideStr>,
        transport: Option<WideStr>,
    }

    /// SESSION_INFO_0_CONTAINER, [MS-SRVS] 2.2.4.16.
    pub struct SessionContainer0 {
        entries_read: u32,
        buffer: Option<Vec<SessionInfo0>>,
    }

    /// SESSION_INFO_1_CONTAINER, [MS-SRVS] 2.2.4.17.
    pub struct SessionContainer1 {
        entries_read: u32,
        buffer: Option<Vec<SessionInfo1>>,
    }

    /// SESSION_INFO_2_CONTAINER, [MS-SRVS] 2.2.4.18.
    pub struct SessionContainer2 {
        entries_read: u32,
        buffer: Option<Vec<SessionInfo2>>,
    }

    /// SESSION_INFO_10_CONTAINER, [MS-SRVS] 2.2.4.19.
    pub struct SessionContainer10 {
        entries_read: u32,
        buffer: Option<Vec<SessionInfo10>>,
    }

    /// SESSION_INFO_502_CONTAINER, [MS-SRVS] 2.2.4.20.
    pub struct SessionContainer502 {
        entries_read: u32,
        buffer: Option<Vec<SessionInfo502>>,
    }

    /// SESSION_ENUM_STRUCT, [MS-SRVS] 2.2.4.21.
    pub struct SessionEnumStruct {
        level: u32,
        session_info: SessionEnumUnion,
    }

    /// CONNECTION_INFO_0, [MS-SRVS] 2.2.4.1.
    pub struct ConnectionInfo0 {
        id: u32,
    }

    /// CONNECTION_INFO_1, [MS-SRVS] 2.2.4.2.
    pub struct ConnectionInfo1 {
        id: u32,
        connection_type: u32,
        num_opens: u32,
        num_users: u32,
        /// Seconds.
        time: u32,
        username: Option<WideStr>,
        netname: Option<WideStr>,
    }

    /// CONNECT_INFO_0_CONTAINER, [MS-SRVS] 2.2.4.3.
    pub struct ConnectionContainer0 {
        entries_read: u32,
        buffer: Option<Vec<ConnectionInfo0>>,
    }

    /// CONNECT_INFO_1_CONTAINER, [MS-SRVS] 2.2.4.4.
    pub struct ConnectionContainer1 {
        entries_read: u32,
        buffer: Option<Vec<ConnectionInfo1>>,
    }

    /// CONNECT_ENUM_STRUCT, [MS-SRVS] 2.2.4.5.
    pub struct ConnectionEnumStruct {
        level: u32,
        connect_info: ConnectionEnumUnion,
    }

    /// FILE_INFO_2, [MS-SRVS] 2.2.4.6.
    pub struct FileInfo2 {
        id: u32,
    }

    /// FILE_INFO_3, [MS-SRVS] 2.2.4.7.
    pub struct FileInfo3 {
        id: u32,
        /// 1 read, 2 write, 4 create.
        permissions: u32,
        num_locks: u32,
        pathname: Option<WideStr>,
        username: Option<WideStr>,
    }

    /// FILE_INFO_2_CONTAINER, [MS-SRVS] 2.2.4.8.
    pub struct FileContainer2 {
        entries_read: u32,
        buffer: Option<Vec<FileInfo2>>,
    }

    /// FILE_INFO_3_CONTAINER, [MS-SRVS] 2.2.4.9.
    pub struct FileContainer3 {
        entries_read: u32,
        buffer: Option<Vec<FileInfo3>>,
    }

    /// FILE_ENUM_STRUCT, [MS-SRVS] 2.2.4.10.
    pub struct FileEnumStruct {
        level: u32,
        file_info: FileEnumUnion,
    }
}

ndr_union! {
    /// SHARE_ENUM_UNION, [MS-SRVS] 2.2.3.5.
    pub enum ShareEnumUnion: u32 {
        0 => Level0(Option<ShareContainer0>),
        1 => Level1(Option<ShareContainer1>),
        2 => Level2(Option<ShareContainer2>),
        501 => Level501(Option<ShareContainer501>),
        502 => Level502(Option<ShareContainer502>),
        else Option<OtherContainer>
    }

    /// SHARE_INFO, [MS-SRVS] 2.2.3.6, as far as NetrShareGetInfo answers it.
    pub enum ShareInfo: u32 {
        0 => Level0(Option<ShareInfo0>),
        1 => Level1(Option<ShareInfo1>),
        2 => Level2(Option<ShareInfo2>),
        501 => Level501(Option<ShareInfo501>),
        502 => Level502(Option<ShareInfo502>),
        1005 => Level1005(Option<ShareInfo1005>),
        else Option<()>
    }

    /// SERVER_INFO, [MS-SRVS] 2.2.3.7, as far as NetrServerGetInfo answers it.
    pub enum ServerInfo: u32 {
        100 => Level100(Option<ServerInfo100>),
        101 => Level101(Option<ServerInfo101>),
        102 => Level102(Option<ServerInfo102>),
        else Option<()>
    }

    /// SESSION_ENUM_UNION, [MS-SRVS] 2.2.3.4.
    pub enum SessionEnumUnion: u32 {
        0 => Level0(Option<SessionContainer0>),
        1 => Level1(Option<SessionContainer1>),
        2 => Level2(Option<SessionContainer2>),
        10 => Level10(Option<SessionContainer10>),
        502 => Level502(Option<SessionContainer502>),
        else Option<OtherContainer>
    }

    /// CONNECT_ENUM_UNION, [MS-SRVS] 2.2.3.1.
    pub enum ConnectionEnumUnion: u32 {
        0 => Level0(Option<ConnectionContainer0>),
        1 => Level1(Option<ConnectionContainer1>),
        else Option<OtherContainer>
    }

    /// FILE_ENUM_UNION, [MS-SRVS] 2.2.3.2.
    pub enum FileEnumUnion: u32 {
        2 => Level2(Option<FileContainer2>),
        3 => Level3(Option<FileContainer3>),
        else Option<OtherContainer>
    }
}

ndr_call! {
    /// NetrConnectionEnum, [MS-SRVS] 3.1.4.1.
    pub struct ConnectionEnum = 8 {
        server_name: OptionalName,
        /// A share's name, or a client's with two backslashes before it.
        qualifier: OptionalName,
        info: ConnectionEnumStruct,
        prefered_maximum_length: u32,
        resume_handle: Option<u32>,
    }

    /// The reply to [`ConnectionEnum`].
    pub struct ConnectionEnumReply {
        info: ConnectionEnumStruct,
        total_entries: u32,
        resume_handle: Option<u32>,
        status: u32,
    }

    /// NetrFileEnum, [MS-SRVS] 3.1.4.2.
    pub struct FileEnum = 9 {
        server_name: OptionalName,
        base_path: OptionalName,
        user_name: OptionalName,
        info: FileEnumStruct,
        prefered_maximum_length: u32,
        resume_handle: Option<u32>,
    }

    /// The reply to [`FileEnum`].
    pub struct FileEnumReply {
        info: FileEnumStruct,
        total_entries: u32,
        resume_handle: Option<u32>,
        status: u32,
    }

    /// NetrSessionEnum, [MS-SRVS] 3.1.4.5.
    pub struct SessionEnum = 12 {
        server_name: OptionalName,
        client_name: OptionalName,
        user_name: OptionalName,
        info: SessionEnumStruct,
        prefered_maximum_length: u32,
        resume_handle: Option<u32>,
    }

    /// The reply to [`SessionEnum`].
    pub struct SessionEnumReply {
        info: SessionEnumStruct,
        total_entries: u32,
        resume_handle: Option<u32>,
        status: u32,
    }

    /// NetrShareEnum, [MS-SRVS] 3.1.4.8.
    pub struct ShareEnum = 15 {
        server_name: OptionalName,
        info: ShareEnumStruct,
        prefered_maximum_length: u32,
        resume_handle: Option<u32>,
    }

    /// The reply to [`ShareEnum`].
    pub struct ShareEnumReply {
        info: ShareEnumStruct,
        total_entries: u32,
        resume_handle: Option<u32>,
        status: u32,
    }

    /// NetrShareGetInfo, [MS-SRVS] 3.1.4.10.
    pub struct ShareGetInfo = 16 {
        server_name: OptionalName,
        net_name: WideStr,
        level: u32,
    }

    /// The reply to [`ShareGetInfo`].
    pub struct ShareGetInfoReply {
        info: ShareInfo,
        status: u32,
    }

    /// NetrServerGetInfo, [MS-SRVS] 3.1.4.17.
    pub struct ServerGetInfo = 21 {
        server_name: OptionalName,
        level: u32,
    }

    /// The reply to [`ServerGetInfo`].
    pub struct ServerGetInfoReply {
        info: ServerInfo,
        status: u32,
    }

    /// NetrRemoteTOD, [MS-SRVS] 3.1.4.21.
    pub struct RemoteTod = 28 {
        server_name: OptionalName,
    }

    /// The reply to [`RemoteTod`].
    pub struct RemoteTodReply {
        info: Option<TimeOfDayInfo>,
        status: u32,
    }

    /// NetprPathType, [MS-SRVS] 3.1.4.29.
    pub struct PathType = 30 {
        server_name: OptionalName,
        path_name: WideStr,
        flags: u32,
    }

    /// The reply to [`PathType`].
    pub struct PathTypeReply {
        path_type: u32,
        status: u32,
    }

    /// NetprPathCanonicalize, [MS-SRVS] 3.1.4.30.
    pub struct PathCanonicalize = 31 {
        server_name: OptionalName,
        path_name: WideStr,
        /// Bytes the caller has room for.
        outbuf_len: u32,
        prefix: WideStr,
        path_type: u32,
        flags: u32,
    }

    /// The reply to [`PathCanonicalize`].
    pub struct PathCanonicalizeReply {
        /// UTF-16LE with a terminating NUL; exactly `outbuf_len` bytes.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
        outbuf: Vec<u8>,
        path_type: u32,
        status: u32,
    }

    /// NetprNameValidate, [MS-SRVS] 3.1.4.32.
    pub struct NameValidate = 33 {
        server_name: OptionalName,
        name: WideStr,
        name_type: u32,
        flags: u32,
    }

    /// The reply to [`NameValidate`].
    pub struct NameValidateReply {
        status: u32,
    }
}

impl ShareEnum {
    /// The call that lists all shares of `server` with their types and comments, as smbclient's
    /// `-L` makes it.
    #[must_use]
    pub fn all_level_1(server: &str) -> Self {
        Self {
            server_name: Some(server.into()),
            info: ShareEnumStruct {
                level: 1,
                share_info: ShareEnumUnion::Level1(Some(ShareContainer1::default())),
            },
            prefered_maximum_length: MAX_PREFERRED_LENGTH,
            resume_handle: Some(0),
        }
    }
}
