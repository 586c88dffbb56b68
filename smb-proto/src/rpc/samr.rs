//! The Security Account Manager protocol, [MS-SAMR]: reading the users and groups of a server.

use super::ndr::{ContextHandle, OldLargeInteger, UnicodeString, Varying, WideStr};
use super::pdu::SyntaxId;
use crate::dtyp::{Guid, Sid};

/// The interface, [MS-SAMR] 1.9.
pub const INTERFACE: SyntaxId = SyntaxId {
    uuid: Guid::from_fields(
        0x1234_5778,
        0x1234,
        0xabcd,
        [0xef, 0x00, 0x01, 0x23, 0x45, 0x67, 0x89, 0xac],
    ),
    version: 1,
};

/// USER_NORMAL_ACCOUNT, [MS-SAMR] 2.2.1.12.
pub const USER_NORMAL_ACCOUNT: u32 = 0x0000_0010;
/// USER_DONT_EXPIRE_PASSWORD.
pub const USER_DONT_EXPIRE_PASSWORD: u32 = 0x0000_0200;
/// USER_ACCOUNT_DISABLED.
pub const USER_ACCOUNT_DISABLED: u32 = 0x0000_0001;

/// SE_GROUP_MANDATORY, SE_GROUP_ENABLED_BY_DEFAULT and SE_GROUP_ENABLED, [MS-SAMR] 2.2.1.10.
pub const GROUP_ATTRIBUTES: u32 = 0x0000_0007;

/// DOMAIN_GROUP_RID_USERS, [MS-SAMR] 2.2.1.14.
pub const GROUP_RID_USERS: u32 = 513;

/// The fields of [`UserAllInformation`] that are filled, [MS-SAMR] 2.2.1.8: those that
/// USER_ALL_READ_GENERAL_MASK, _LOGON_MASK and _ACCOUNT_MASK cover.
pub const USER_ALL_READABLE: u32 = 0x00ff_ffff;

ndr_struct! {
    /// SAMPR_REVISION_INFO_V1, [MS-SAMR] 2.2.7.
    pub struct RevisionInfoV1 {
        revision: u32,
        supported_features: u32,
    }

    /// SAMPR_SR_SECURITY_DESCRIPTOR, [MS-SAMR] 2.2.7.
    pub struct SrSecurityDescriptor {
        length: u32,
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
        security_descriptor: Option<Vec<u8>>,
    }

    /// SAMPR_RID_ENUMERATION, [MS-SAMR] 2.2.7.
    pub struct RidEnumeration {
        relative_id: u32,
        name: UnicodeString,
    }

    /// SAMPR_ENUMERATION_BUFFER, [MS-SAMR] 2.2.7.
    pub struct EnumerationBuffer {
        entries_read: u32,
        buffer: Option<Vec<RidEnumeration>>,
    }

    /// SAMPR_PSID_ARRAY, [MS-SAMR] 2.2.7.
    pub struct SidArray {
        count: u32,
        sids: Option<Vec<Option<Sid>>>,
    }

    /// SAMPR_ULONG_ARRAY, [MS-SAMR] 2.2.7.
    pub struct UlongArray {
        count: u32,
        element: Option<Vec<u32>>,
    }

    /// SAMPR_RETURNED_USTRING_ARRAY, [MS-SAMR] 2.2.7.
    pub struct ReturnedStrings {
        count: u32,
        element: Option<Vec<UnicodeString>>,
    }

    /// GROUP_MEMBERSHIP, [MS-SAMR] 2.2.7.
    pub struct GroupMembership {
        relative_id: u32,
        attributes: u32,
    }

    /// SAMPR_GET_GROUPS_BUFFER, [MS-SAMR] 2.2.7.
    pub struct GetGroupsBuffer {
        membership_count: u32,
        groups: Option<Vec<GroupMembership>>,
    }

    /// SAMPR_GET_MEMBERS_BUFFER, [MS-SAMR] 2.2.7.
    pub struct GetMembersBuffer {
        member_count: u32,
        members: Option<Vec<u32>>,
        attributes: Option<Vec<u32>>,
    }

    /// DOMAIN_PASSWORD_INFORMATION, [MS-SAMR] 2.2.3.
    pub struct DomainPasswordInformation {
        min_password_length: u16,
        password_history_length: u16,
        password_properties: u32,
        /// Negative intervals of 100 nanoseconds.
        max_password_age: OldLargeInteger,
        min_password_age: OldLargeInteger,
    }

    /// SAMPR_DOMAIN_GENERAL_INFORMATION, [MS-SAMR] 2.2.3.
    pub struct DomainGeneralInformation {
        force_logoff: OldLargeInteger,
        oem_information: UnicodeString,
        domain_name: UnicodeString,
        replica_source_node_name: UnicodeString,
        domain_modified_count: OldLargeInteger,
        domain_server_state: u32,
        domain_server_role: u32,
        uas_compatibility_required: u8,
        user_count: u32,
        group_count: u32,
        alias_count: u32,
    }

    /// DOMAIN_MODIFIED_INFORMATION, [MS-SAMR] 2.2.3.
    pub struct DomainModifiedInformation {
        domain_modified_count: OldLargeInteger,
        creation_time: OldLargeInteger,
    }

    /// SAMPR_DOMAIN_LOCKOUT_INFORMATION, [MS-SAMR] 2.2.3. Negative intervals of 100
    /// nanoseconds.
    pub struct DomainLockoutInformation {
        lockout_duration: u64,
        lockout_observation_window: u64,
        lockout_threshold: u16,
    }

    /// SAMPR_DOMAIN_GENERAL_INFORMATION2, [MS-SAMR] 2.2.3.
    pub struct DomainGeneralInformation2 {
        general: DomainGeneralInformation,
        lockout_duration: u64,
        lockout_observation_window: u64,
        lockout_threshold: u16,
    }

    /// SAMPR_GROUP_GENERAL_INFORMATION, [MS-SAMR] 2.2.4.
    pub struct GroupGeneralInformation {
        name: UnicodeString,
        attributes: u32,
        member_count: u32,
        admin_comment: UnicodeString,
    }

    /// SAMPR_ALIAS_GENERAL_INFORMATION, [MS-SAMR] 2.2.5.
    pub struct AliasGeneralInformation {
        name: UnicodeString,
        member_count: u32,
        admin_comment: UnicodeString,
    }

    /// SAMPR_USER_GENERAL_INFORMATION, [MS-SAMR] 2.2.6.
    pub struct UserGeneralInformation {
        user_name: UnicodeString,
        full_name: UnicodeString,
        primary_group_id: u32,
        admin_comment: UnicodeString,
        user_comment: UnicodeString,
    }

    /// SAMPR_USER_NAME_INFORMATION, [MS-SAMR] 2.2.6.
    pub struct UserNameInformation {
        user_name: UnicodeString,
        full_name: UnicodeString,
    }

    /// RPC_SHORT_BLOB, [MS-SAMR] 2.2.2.4, in the form that a reader of accounts gets: NULL.
    pub struct NoBlob {
        length: u16,
        maximum_length: u16,
        buffer: Option<Varying<u16, 0>>,
    }

    /// SAMPR_LOGON_HOURS, [MS-SAMR] 2.2.6.
    pub struct LogonHours {
        /// 168 for a bit per hour of the week, Sunday midnight UTC first.
        units_per_week: u16,
        logon_hours: Option<Varying<u8, 1260>>,
    }

    /// SAMPR_USER_ALL_INFORMATION, [MS-SAMR] 2.2.6.
    pub struct UserAllInformation {
        last_logon: OldLargeInteger,
        last_logoff: OldLargeInteger,
        password_last_set: OldLargeInteger,
        account_expires: OldLargeInteger,
        password_can_change: OldLargeInteger,
        password_must_change: OldLargeInteger,
        user_name: UnicodeString,
        full_name: UnicodeString,
        home_directory: UnicodeString,
        home_directory_drive: UnicodeString,
        script_path: UnicodeString,
        profile_path: UnicodeString,
        admin_comment: UnicodeString,
        work_stations: UnicodeString,
        user_comment: UnicodeString,
        parameters: UnicodeString,
        lm_owf_password: NoBlob,
        nt_owf_password: NoBlob,
        private_data: UnicodeString,
        security_descriptor: SrSecurityDescriptor,
        user_id: u32,
        primary_group_id: u32,
        user_account_control: u32,
        which_fields: u32,
        logon_hours: LogonHours,
        bad_password_count: u16,
        logon_count: u16,
        country_code: u16,
        code_page: u16,
        lm_password_present: u8,
        nt_password_present: u8,
        password_expired: u8,
        private_data_sensitive: u8,
    }

    /// SAMPR_DOMAIN_DISPLAY_USER, [MS-SAMR] 2.2.8.
    pub struct DisplayUser {
        index: u32,
        rid: u32,
        account_control: u32,
        account_name: UnicodeString,
        admin_comment: UnicodeString,
        full_name: UnicodeString,
    }

    /// SAMPR_DOMAIN_DISPLAY_MACHINE and SAMPR_DOMAIN_DISPLAY_GROUP, [MS-SAMR] 2.2.8.
    pub struct DisplayGroup {
        index: u32,
        rid: u32,
        /// AccountControl of a machine, Attributes of a group.
        attributes: u32,
        account_name: UnicodeString,
        admin_comment: UnicodeString,
    }

    /// SAMPR_DOMAIN_DISPLAY_USER_BUFFER, [MS-SAMR] 2.2.8.
    pub struct DisplayUsers {
        entries_read: u32,
        buffer: Option<Vec<DisplayUser>>,
    }

    /// SAMPR_DOMAIN_DISPLAY_GROUP_BUFFER and its like for machines, [MS-SAMR] 2.2.8.
    pub struct DisplayGroups {
        entries_read: u32,
        buffer: Option<Vec<DisplayGroup>>,
    }
}

ndr_union! {
    /// SAMPR_REVISION_INFO, [MS-SAMR] 2.2.7.
    pub enum RevisionInfo: u32 {
        1 => V1(RevisionInfoV1),
        else ()
    }

    /// SAMPR_DOMAIN_INFO_BUFFER, [MS-SAMR] 2.2.3.
    pub enum DomainInfo: u16 {
        1 => Password(DomainPasswordInformation),
        2 => General(DomainGeneralInformation),
        3 => Logoff(OldLargeInteger),
        4 => Oem(UnicodeString),
        5 => Name(UnicodeString),
        6 => Replication(UnicodeString),
        7 => Role(u16),
        8 => Modified(DomainModifiedInformation),
        9 => State(u16),
        11 => General2(DomainGeneralInformation2),
        12 => Lockout(DomainLockoutInformation),
        else ()
    }

    /// SAMPR_GROUP_INFO_BUFFER, [MS-SAMR] 2.2.4.
    pub enum GroupInfo: u16 {
        1 => General(GroupGeneralInformation),
        2 => Name(UnicodeString),
        3 => Attributes(u32),
        4 => AdminComment(UnicodeString),
        else ()
    }

    /// SAMPR_ALIAS_INFO_BUFFER, [MS-SAMR] 2.2.5.
    pub enum AliasInfo: u16 {
        1 => General(AliasGeneralInformation),
        2 => Name(UnicodeString),
        3 => AdminComment(UnicodeString),
        else ()
    }

    /// SAMPR_USER_INFO_BUFFER, [MS-SAMR] 2.2.6, as far as it is answered.
    pub enum UserInfo: u16 {
        1 => General(UserGeneralInformation),
        6 => Name(UserNameInformation),
        7 => AccountName(UnicodeString),
        8 => FullName(UnicodeString),
        9 => PrimaryGroup(u32),
        13 => AdminComment(UnicodeString),
        16 => Control(u32),
        20 => Parameters(UnicodeString),
        21 => All(Box<UserAllInformation>),
        else ()
    }

    /// SAMPR_DISPLAY_INFO_BUFFER, [MS-SAMR] 2.2.8, as far as it is answered.
    pub enum DisplayInfo: u16 {
        1 => Users(DisplayUsers),
        2 => Machines(DisplayGroups),
        3 => Groups(DisplayGroups),
        else ()
    }
}

ndr_call! {
    /// SamrConnect, [MS-SAMR] 3.1.5.1.4.
    pub struct Connect = 0 {
        /// Only the first character of a name that is ignored.
        server_name: Option<u16>,
        desired_access: u32,
    }

    /// SamrCloseHandle, [MS-SAMR] 3.1.5.13.1.
    pub struct CloseHandle = 1 {
        handle: ContextHandle,
    }

    /// SamrQuerySecurityObject, [MS-SAMR] 3.1.5.12.2.
    pub struct QuerySecurityObject = 3 {
        handle: ContextHandle,
        security_information: u32,
    }

    /// The reply to [`QuerySecurityObject`].
    pub struct QuerySecurityObjectReply {
        security_descriptor: Option<SrSecurityDescriptor>,
        status: u32,
    }

    /// SamrLookupDomainInSamServer, [MS-SAMR] 3.1.5.11.1.
    pub struct LookupDomainInSamServer = 5 {
        handle: ContextHandle,
        name: UnicodeString,
    }

    /// The reply to [`LookupDomainInSamServer`].
    pub struct LookupDomainInSamServerReply {
        domain_id: Option<Sid>,
        status: u32,
    }

    /// SamrEnumerateDomainsInSamServer, [MS-SAMR] 3.1.5.2.1.
    pub struct EnumerateDomainsInSamServer = 6 {
        handle: ContextHandle,
        enumeration_context: u32,
        prefered_maximum_length: u32,
    }

    /// The reply to every enumeration but that of [`QueryDisplayInformation`].
    pub struct EnumerateReply {
        enumeration_context: u32,
        buffer: Option<EnumerationBuffer>,
        count_returned: u32,
        status: u32,
    }

    /// SamrOpenDomain, [MS-SAMR] 3.1.5.1.5.
    pub struct OpenDomain = 7 {
        handle: ContextHandle,
        desired_access: u32,
        domain_id: Sid,
    }

    /// The reply to every call that answers with a handle.
    pub struct HandleReply {
        handle: ContextHandle,
        status: u32,
    }

    /// SamrQueryInformationDomain, [MS-SAMR] 3.1.5.5.2; also opnum 46,
    /// SamrQueryInformationDomain2.
    pub struct QueryInformationDomain = 8 {
        handle: ContextHandle,
        information_class: u16,
    }

    /// The reply to [`QueryInformationDomain`].
    pub struct QueryInformationDomainReply {
        buffer: Option<DomainInfo>,
        status: u32,
    }

    /// SamrEnumerateGroupsInDomain, [MS-SAMR] 3.1.5.2.2; also opnum 15,
    /// SamrEnumerateAliasesInDomain.
    pub struct EnumerateGroupsInDomain = 11 {
        handle: ContextHandle,
        enumeration_context: u32,
        prefered_maximum_length: u32,
    }

    /// SamrEnumerateUsersInDomain, [MS-SAMR] 3.1.5.2.4.
    pub struct EnumerateUsersInDomain = 13 {
        handle: ContextHandle,
        enumeration_context: u32,
        /// Only accounts that have one of these bits; zero for all.
        user_account_control: u32,
        prefered_maximum_length: u32,
    }

    /// SamrGetAliasMembership, [MS-SAMR] 3.1.5.9.2.
    pub struct GetAliasMembership = 16 {
        handle: ContextHandle,
        sid_array: SidArray,
    }

    /// The reply to [`GetAliasMembership`].
    pub struct GetAliasMembershipReply {
        membership: UlongArray,
        status: u32,
    }

    /// SamrLookupNamesInDomain, [MS-SAMR] 3.1.5.11.2.
    pub struct LookupNamesInDomain = 17 {
        handle: ContextHandle,
        count: u32,
        names: Varying<UnicodeString, 1000>,
    }

    /// The reply to [`LookupNamesInDomain`].
    pub struct LookupNamesInDomainReply {
        relative_ids: UlongArray,
        name_use: UlongArray,
        status: u32,
    }

    /// SamrLookupIdsInDomain, [MS-SAMR] 3.1.5.11.3.
    pub struct LookupIdsInDomain = 18 {
        handle: ContextHandle,
        count: u32,
        relative_ids: Varying<u32, 1000>,
    }

    /// The reply to [`LookupIdsInDomain`].
    pub struct LookupIdsInDomainReply {
        names: ReturnedStrings,
        name_use: UlongArray,
        status: u32,
    }

    /// SamrOpenGroup, [MS-SAMR] 3.1.5.1.7; also opnum 27, SamrOpenAlias, and 34, SamrOpenUser.
    pub struct OpenAccount = 19 {
        handle: ContextHandle,
        desired_access: u32,
        relative_id: u32,
    }

    /// SamrQueryInformationGroup, [MS-SAMR] 3.1.5.5.3.
    pub struct QueryInformationGroup = 20 {
        handle: ContextHandle,
        information_class: u16,
    }

    /// The reply to [`QueryInformationGroup`].
    pub struct QueryInformationGroupReply {
        buffer: Option<GroupInfo>,
        status: u32,
    }

    /// SamrGetMembersInGroup, [MS-SAMR] 3.1.5.8.3.
    pub struct GetMembersInGroup = 25 {
        handle: ContextHandle,
    }

    /// The reply to [`GetMembersInGroup`].
    pub struct GetMembersInGroupReply {
        members: Option<GetMembersBuffer>,
        status: u32,
    }

    /// SamrQueryInformationAlias, [MS-SAMR] 3.1.5.5.4.
    pub struct QueryInformationAlias = 28 {
        handle: ContextHandle,
        information_class: u16,
    }

    /// The reply to [`QueryInformationAlias`].
    pub struct QueryInformationAliasReply {
        buffer: Option<AliasInfo>,
        status: u32,
    }

    /// SamrGetMembersInAlias, [MS-SAMR] 3.1.5.8.6.
    pub struct GetMembersInAlias = 33 {
        handle: ContextHandle,
    }

    /// The reply to [`GetMembersInAlias`].
    pub struct GetMembersInAliasReply {
        members: SidArray,
        status: u32,
    }

    /// SamrQueryInformationUser, [MS-SAMR] 3.1.5.5.6; also opnum 47, SamrQueryInformationUser2.
    pub struct QueryInformationUser = 36 {
        handle: ContextHandle,
        information_class: u16,
    }

    /// The reply to [`QueryInformationUser`].
    pub struct QueryInformationUserReply {
        buffer: Option<UserInfo>,
        status: u32,
    }

    /// SamrGetGroupsForUser, [MS-SAMR] 3.1.5.9.1.
    pub struct GetGroupsForUser = 39 {
        handle: ContextHandle,
    }

    /// The reply to [`GetGroupsForUser`].
    pub struct GetGroupsForUserReply {
        groups: Option<GetGroupsBuffer>,
        status: u32,
    }

    /// SamrQueryDisplayInformation, [MS-SAMR] 3.1.5.3.1; also opnums 48 and 51, its second and
    /// third form.
    pub struct QueryDisplayInformation = 40 {
        handle: ContextHandle,
        display_information_class: u16,
        index: u32,
        entry_count: u32,
        prefered_maximum_length: u32,
    }

    /// The reply to [`QueryDisplayInformation`].
    pub struct QueryDisplayInformationReply {
        total_available: u32,
        total_returned: u32,
        buffer: DisplayInfo,
        status: u32,
    }

    /// SamrConnect2, [MS-SAMR] 3.1.5.1.3.
    pub struct Connect2 = 57 {
        server_name: Option<WideStr>,
        desired_access: u32,
    }

    /// SamrConnect4, [MS-SAMR] 3.1.5.1.2.
    pub struct Connect4 = 62 {
        server_name: Option<WideStr>,
        client_revision: u32,
        desired_access: u32,
    }

    /// SamrConnect5, [MS-SAMR] 3.1.5.1.1.
    pub struct Connect5 = 64 {
        server_name: Option<WideStr>,
        desired_access: u32,
        in_version: u32,
        in_revision_info: RevisionInfo,
    }

    /// The reply to [`Connect5`].
    pub struct Connect5Reply {
        out_version: u32,
        out_revision_info: RevisionInfo,
        handle: ContextHandle,
        status: u32,
    }
}
