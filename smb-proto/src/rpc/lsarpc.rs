//! The Local Security Authority protocols, [MS-LSAD] and [MS-LSAT]: from names to SIDs and back.

use super::ndr::{ContextHandle, UnicodeString, WideStr};
use super::pdu::SyntaxId;
use crate::dtyp::{Guid, Sid};

/// The interface, [MS-LSAT] 2.1.
pub const INTERFACE: SyntaxId = SyntaxId {
    uuid: Guid::from_fields(
        0x1234_5778,
        0x1234,
        0xabcd,
        [0xef, 0x00, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab],
    ),
    version: 0,
};

/// SID_NAME_USE, [MS-LSAT] 2.2.13; the numbers of [MS-SAMR] 2.2.2.3 are the same.
pub mod name_use {
    /// SidTypeUser.
    pub const USER: u16 = 1;
    /// SidTypeGroup.
    pub const GROUP: u16 = 2;
    /// SidTypeDomain.
    pub const DOMAIN: u16 = 3;
    /// SidTypeAlias.
    pub const ALIAS: u16 = 4;
    /// SidTypeWellKnownGroup.
    pub const WELL_KNOWN_GROUP: u16 = 5;
    /// SidTypeUnknown.
    pub const UNKNOWN: u16 = 8;
}

/// The domain index of something that is in no referenced domain.
pub const NO_DOMAIN: u32 = u32::MAX;

ndr_struct! {
    /// SECURITY_QUALITY_OF_SERVICE, [MS-LSAD] 2.2.3.7.
    pub struct QualityOfService {
        length: u32,
        impersonation_level: u16,
        context_tracking_mode: u8,
        effective_only: u8,
    }

    /// LSAPR_OBJECT_ATTRIBUTES, [MS-LSAD] 2.2.2.4. The server looks at `root_directory` only, and
    /// clients leave all but the last pointer NULL; what they would point at is not read.
    pub struct ObjectAttributes {
        length: u32,
        root_directory: Option<u8>,
        object_name: Option<UnicodeString>,
        attributes: u32,
        security_descriptor: Option<u32>,
        security_quality_of_service: Option<QualityOfService>,
    }

    /// LSAPR_POLICY_PRIMARY_DOM_INFO and LSAPR_POLICY_ACCOUNT_DOM_INFO, [MS-LSAD] 2.2.4.5 and
    /// 2.2.4.6; also LSAPR_TRUST_INFORMATION, [MS-LSAT] 2.2.11.
    pub struct DomainInfo {
        name: UnicodeString,
        sid: Option<Sid>,
    }

    /// LSAPR_POLICY_DNS_DOMAIN_INFO, [MS-LSAD] 2.2.4.14.
    pub struct DnsDomainInfo {
        name: UnicodeString,
        dns_domain_name: UnicodeString,
        dns_forest_name: UnicodeString,
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::ser::show"))]
        domain_guid: [u8; 16],
        sid: Option<Sid>,
    }

    /// LSAPR_REFERENCED_DOMAIN_LIST, [MS-LSAT] 2.2.12.
    pub struct ReferencedDomains {
        entries: u32,
        domains: Option<Vec<DomainInfo>>,
        max_entries: u32,
    }

    /// LSAPR_SID_ENUM_BUFFER, [MS-LSAT] 2.2.18.
    pub struct SidEnumBuffer {
        entries: u32,
        sid_info: Option<Vec<Option<Sid>>>,
    }

    /// LSAPR_TRANSLATED_NAME, [MS-LSAT] 2.2.19.
    pub struct TranslatedName {
        name_use: u16,
        name: UnicodeString,
        domain_index: u32,
    }

    /// LSAPR_TRANSLATED_NAMES, [MS-LSAT] 2.2.20.
    pub struct TranslatedNames {
        entries: u32,
        names: Option<Vec<TranslatedName>>,
    }

    /// LSAPR_TRANSLATED_NAME_EX, [MS-LSAT] 2.2.21.
    pub struct TranslatedNameEx {
        name_use: u16,
        name: UnicodeString,
        domain_index: u32,
        flags: u32,
    }

    /// LSAPR_TRANSLATED_NAMES_EX, [MS-LSAT] 2.2.22.
    pub struct TranslatedNamesEx {
        entries: u32,
        names: Option<Vec<TranslatedNameEx>>,
    }

    /// LSA_TRANSLATED_SID, [MS-LSAT] 2.2.14.
    pub struct TranslatedSid {
        name_use: u16,
        relative_id: u32,
        domain_index: u32,
    }

    /// LSAPR_TRANSLATED_SIDS, [MS-LSAT] 2.2.15.
    pub struct TranslatedSids {
        entries: u32,
        sids: Option<Vec<TranslatedSid>>,
    }

    /// LSAPR_TRANSLATED_SID_EX, [MS-LSAT] 2.2.23.
    pub struct TranslatedSidEx {
        name_use: u16,
        relative_id: u32,
        domain_index: u32,
        flags: u32,
    }

    /// LSAPR_TRANSLATED_SIDS_EX, [MS-LSAT] 2.2.24.
    pub struct TranslatedSidsEx {
        entries: u32,
        sids: Option<Vec<TranslatedSidEx>>,
    }

    /// LSAPR_TRANSLATED_SID_EX2, [MS-LSAT] 2.2.25.
    pub struct TranslatedSidEx2 {
        name_use: u16,
        sid: Option<Sid>,
        domain_index: u32,
        flags: u32,
    }

    /// LSAPR_TRANSLATED_SIDS_EX2, [MS-LSAT] 2.2.26.
    pub struct TranslatedSidsEx2 {
        entries: u32,
        sids: Option<Vec<TranslatedSidEx2>>,
    }

    /// LSAPR_TRUSTED_ENUM_BUFFER, [MS-LSAD] 2.2.7.15, and its EX form; the only lists of trusts
    /// that a server without a domain has are empty.
    pub struct TrustedEnumBuffer {
        entries_read: u32,
        information: Option<Vec<DomainInfo>>,
    }

    /// LUID, [MS-DTYP] 2.3.7.
    pub struct Luid {
        low_part: u32,
        high_part: u32,
    }
}

ndr_union! {
    /// LSAPR_POLICY_INFORMATION, [MS-LSAD] 2.2.4.2, as far as it is answered.
    pub enum PolicyInformation: u16 {
        3 => PrimaryDomain(DomainInfo),
        5 => AccountDomain(DomainInfo),
        6 => ServerRole(u16),
        12 => DnsDomain(DnsDomainInfo),
        14 => LocalAccountDomain(DomainInfo),
        else ()
    }
}

ndr_call! {
    /// LsarClose, [MS-LSAD] 3.1.4.9.4.
    pub struct Close = 0 {
        handle: ContextHandle,
    }

    /// LsarOpenPolicy, [MS-LSAD] 3.1.4.4.2.
    pub struct OpenPolicy = 6 {
        /// Only the first character of a name that is ignored.
        system_name: Option<u16>,
        object_attributes: ObjectAttributes,
        desired_access: u32,
    }

    /// LsarOpenPolicy2, [MS-LSAD] 3.1.4.4.1.
    pub struct OpenPolicy2 = 44 {
        system_name: Option<WideStr>,
        object_attributes: ObjectAttributes,
        desired_access: u32,
    }

    /// The reply to every call that answers with a handle.
    pub struct HandleReply {
        handle: ContextHandle,
        status: u32,
    }

    /// LsarQueryInformationPolicy, [MS-LSAD] 3.1.4.4.4.
    pub struct QueryInformationPolicy = 7 {
        handle: ContextHandle,
        information_class: u16,
    }

    /// LsarQueryInformationPolicy2, [MS-LSAD] 3.1.4.4.3.
    pub struct QueryInformationPolicy2 = 46 {
        handle: ContextHandle,
        information_class: u16,
    }

    /// The reply to [`QueryInformationPolicy`] and [`QueryInformationPolicy2`].
    pub struct QueryInformationPolicyReply {
        information: Option<PolicyInformation>,
        status: u32,
    }

    /// LsarEnumerateTrustedDomains, [MS-LSAD] 3.1.4.7.8.
    pub struct EnumerateTrustedDomains = 13 {
        handle: ContextHandle,
        enumeration_context: u32,
        prefered_maximum_length: u32,
    }

    /// LsarEnumerateTrustedDomainsEx, [MS-LSAD] 3.1.4.7.7.
    pub struct EnumerateTrustedDomainsEx = 50 {
        handle: ContextHandle,
        enumeration_context: u32,
        prefered_maximum_length: u32,
    }

    /// The reply to [`EnumerateTrustedDomains`] and, while it is empty,
    /// [`EnumerateTrustedDomainsEx`].
    pub struct EnumerateTrustedDomainsReply {
        enumeration_context: u32,
        enumeration_buffer: TrustedEnumBuffer,
        status: u32,
    }

    /// LsarLookupNames, [MS-LSAT] 3.1.4.8.
    pub struct LookupNames = 14 {
        handle: ContextHandle,
        count: u32,
        names: Vec<UnicodeString>,
        translated_sids: TranslatedSids,
        lookup_level: u16,
        mapped_count: u32,
    }

    /// The reply to [`LookupNames`].
    pub struct LookupNamesReply {
        referenced_domains: Option<ReferencedDomains>,
        translated_sids: TranslatedSids,
        mapped_count: u32,
        status: u32,
    }

    /// LsarLookupSids, [MS-LSAT] 3.1.4.11.
    pub struct LookupSids = 15 {
        handle: ContextHandle,
        sid_enum_buffer: SidEnumBuffer,
        translated_names: TranslatedNames,
        lookup_level: u16,
        mapped_count: u32,
    }

    /// The reply to [`LookupSids`].
    pub struct LookupSidsReply {
        referenced_domains: Option<ReferencedDomains>,
        translated_names: TranslatedNames,
        mapped_count: u32,
        status: u32,
    }

    /// LsarLookupPrivilegeValue, [MS-LSAD] 3.1.4.8.4.
    pub struct LookupPrivilegeValue = 31 {
        handle: ContextHandle,
        name: UnicodeString,
    }

    /// The reply to [`LookupPrivilegeValue`].
    pub struct LookupPrivilegeValueReply {
        value: Luid,
        status: u32,
    }

    /// LsarLookupPrivilegeName, [MS-LSAD] 3.1.4.8.5.
    pub struct LookupPrivilegeName = 32 {
        handle: ContextHandle,
        value: Luid,
    }

    /// The reply to [`LookupPrivilegeName`].
    pub struct LookupPrivilegeNameReply {
        name: Option<UnicodeString>,
        status: u32,
    }

    /// LsarGetUserName, [MS-LSAT] 3.1.4.4.
    pub struct GetUserName = 45 {
        system_name: Option<WideStr>,
        user_name: Option<UnicodeString>,
        /// Present if the caller wants to know the domain too.
        domain_name: Option<Option<UnicodeString>>,
    }

    /// The reply to [`GetUserName`].
    pub struct GetUserNameReply {
        user_name: Option<UnicodeString>,
        domain_name: Option<Option<UnicodeString>>,
        status: u32,
    }

    /// LsarLookupSids2, [MS-LSAT] 3.1.4.10.
    pub struct LookupSids2 = 57 {
        handle: ContextHandle,
        sid_enum_buffer: SidEnumBuffer,
        translated_names: TranslatedNamesEx,
        lookup_level: u16,
        mapped_count: u32,
        lookup_options: u32,
        client_revision: u32,
    }

    /// LsarLookupSids3, [MS-LSAT] 3.1.4.9.
    pub struct LookupSids3 = 76 {
        sid_enum_buffer: SidEnumBuffer,
        translated_names: TranslatedNamesEx,
        lookup_level: u16,
        mapped_count: u32,
        lookup_options: u32,
        client_revision: u32,
    }

    /// The reply to [`LookupSids2`] and [`LookupSids3`].
    pub struct LookupSidsExReply {
        referenced_domains: Option<ReferencedDomains>,
        translated_names: TranslatedNamesEx,
        mapped_count: u32,
        status: u32,
    }

    /// LsarLookupNames2, [MS-LSAT] 3.1.4.7.
    pub struct LookupNames2 = 58 {
        handle: ContextHandle,
        count: u32,
        names: Vec<UnicodeString>,
        translated_sids: TranslatedSidsEx,
        lookup_level: u16,
        mapped_count: u32,
        lookup_options: u32,
        client_revision: u32,
    }

    /// The reply to [`LookupNames2`].
    pub struct LookupNames2Reply {
        referenced_domains: Option<ReferencedDomains>,
        translated_sids: TranslatedSidsEx,
        mapped_count: u32,
        status: u32,
    }

    /// LsarLookupNames3, [MS-LSAT] 3.1.4.6.
    pub struct LookupNames3 = 68 {
        handle: ContextHandle,
        count: u32,
        names: Vec<UnicodeString>,
        translated_sids: TranslatedSidsEx2,
        lookup_level: u16,
        mapped_count: u32,
        lookup_options: u32,
        client_revision: u32,
    }

    /// LsarLookupNames4, [MS-LSAT] 3.1.4.5.
    pub struct LookupNames4 = 77 {
        count: u32,
        names: Vec<UnicodeString>,
        translated_sids: TranslatedSidsEx2,
        lookup_level: u16,
        mapped_count: u32,
        lookup_options: u32,
        client_revision: u32,
    }

    /// The reply to [`LookupNames3`] and [`LookupNames4`].
    pub struct LookupNames3Reply {
        referenced_domains: Option<ReferencedDomains>,
        translated_sids: TranslatedSidsEx2,
        mapped_count: u32,
        status: u32,
    }
}
