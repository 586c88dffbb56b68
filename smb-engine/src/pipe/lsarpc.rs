//! The local security authority, [MS-LSAD] 3.1.4 and [MS-LSAT] 3.1.4.

use bytes::Bytes;
use smb_proto::NtStatus;
use smb_proto::dtyp::Sid;
use smb_proto::rpc::lsarpc::*;
use smb_proto::rpc::ndr::{ContextHandle, UnicodeString};
use smb_proto::rpc::pdu::Fault;

use super::ServerView;
use super::handles::{Handles, Object};
use super::names::{self, Principal};
use super::rpc::{CallFault, len32};

/// The most names of one lookup ([MS-LSAT] 3.1.4.5: the range of Count).
const MAX_NAMES: usize = 1000;

/// PolicyServerRolePrimary, [MS-LSAD] 2.2.4.8.
const ROLE_PRIMARY: u16 = 3;

/// Privileges by the low part of their LUID, [MS-LSAD] 3.1.1.2.1.
const PRIVILEGES: &[(u32, &str)] = &[
    (2, "SeCreateTokenPrivilege"),
    (3, "SeAssignPrimaryTokenPrivilege"),
    (4, "SeLockMemoryPrivilege"),
    (5, "SeIncreaseQuotaPrivilege"),
    (6, "SeMachineAccountPrivilege"),
    (7, "SeTcbPrivilege"),
    (8, "SeSecurityPrivilege"),
    (9, "SeTakeOwnershipPrivilege"),
    (10, "SeLoadDriverPrivilege"),
    (11, "SeSystemProfilePrivilege"),
    (12, "SeSystemtimePrivilege"),
    (13, "SeProfileSingleProcessPrivilege"),
    (14, "SeIncreaseBasePriorityPrivilege"),
    (15, "SeCreatePagefilePrivilege"),
    (16, "SeCreatePermanentPrivilege"),
    (17, "SeBackupPrivilege"),
    (18, "SeRestorePrivilege"),
    (19, "SeShutdownPrivilege"),
    (20, "SeDebugPrivilege"),
    (21, "SeAuditPrivilege"),
    (22, "SeSystemEnvironmentPrivilege"),
    (23, "SeChangeNotifyPrivilege"),
    (24, "SeRemoteShutdownPrivilege"),
    (25, "SeUndockPrivilege"),
    (26, "SeSyncAgentPrivilege"),
    (27, "SeEnableDelegationPrivilege"),
    (28, "SeManageVolumePrivilege"),
    (29, "SeImpersonatePrivilege"),
    (30, "SeCreateGlobalPrivilege"),
];

/// Answers one call.
pub(super) fn call(
    opnum: u16,
    stub: &[u8],
    handles: &mut Handles,
    view: &ServerView,
) -> Result<Bytes, CallFault> {
    Ok(match opnum {
        Close::OPNUM => {
            let call = Close::parse(stub)?;
            policy(handles, call.handle)?;
            handles.close(call.handle);
            opened(Some(ContextHandle::NULL))
        }
        OpenPolicy::OPNUM => {
            let call = OpenPolicy::parse(stub)?;
            open_policy(&call.object_attributes, handles)
        }
        OpenPolicy2::OPNUM => {
            let call = OpenPolicy2::parse(stub)?;
            open_policy(&call.object_attributes, handles)
        }
        QueryInformationPolicy::OPNUM | QueryInformationPolicy2::OPNUM => {
            let call = QueryInformationPolicy::parse(stub)?;
            policy(handles, call.handle)?;
            let information = information(call.information_class, view);
            let status = match information {
                Some(_) => NtStatus::SUCCESS,
                None => NtStatus::INVALID_PARAMETER,
            };
            QueryInformationPolicyReply {
                information,
                status: status.0,
            }
            .encode()
        }
        EnumerateTrustedDomains::OPNUM | EnumerateTrustedDomainsEx::OPNUM => {
            let call = EnumerateTrustedDomains::parse(stub)?;
            policy(handles, call.handle)?;
            EnumerateTrustedDomainsReply {
                enumeration_context: call.enumeration_context,
                enumeration_buffer: TrustedEnumBuffer::default(),
                status: NtStatus::NO_MORE_ENTRIES.0,
            }
            .encode()
        }
        LookupPrivilegeValue::OPNUM => {
            let call = LookupPrivilegeValue::parse(stub)?;
            policy(handles, call.handle)?;
            let found = PRIVILEGES
                .iter()
                .find(|(_, name)| name.eq_ignore_ascii_case(call.name.text()));
            LookupPrivilegeValueReply {
                value: Luid {
                    low_part: found.map_or(0, |p| p.0),
                    high_part: 0,
                },
                status: found
                    .map_or(NtStatus::NO_SUCH_PRIVILEGE, |_| NtStatus::SUCCESS)
                    .0,
            }
            .encode()
        }
        LookupPrivilegeName::OPNUM => {
            let call = LookupPrivilegeName::parse(stub)?;
            policy(handles, call.handle)?;
            let name = PRIVILEGES
                .iter()
                .find(|(luid, _)| call.value.high_part == 0 && *luid == call.value.low_part)
                .map(|&(_, name)| name.into());
            let status = match name {
                Some(_) => NtStatus::SUCCESS,
                None => NtStatus::NO_SUCH_PRIVILEGE,
            };
            LookupPrivilegeNameReply {
                name,
                status: status.0,
            }
            .encode()
        }
        GetUserName::OPNUM => {
            let call = GetUserName::parse(stub)?;
            get_user_name(&call, view).encode()
        }
        LookupNames::OPNUM | LookupNames2::OPNUM | LookupNames3::OPNUM | LookupNames4::OPNUM => {
            lookup_names(opnum, stub, handles, view)?
        }
        LookupSids::OPNUM | LookupSids2::OPNUM | LookupSids3::OPNUM => {
            lookup_sids(opnum, stub, handles, view)?
        }
        _ => return Err(CallFault(Fault::OP_RNG_ERROR)),
    })
}

/// A handle must be one of this interface.
fn policy(handles: &Handles, handle: ContextHandle) -> Result<(), CallFault> {
    match handles.get(handle) {
        Some(Object::Policy) => Ok(()),
        Some(
            Object::SamServer
            | Object::Domain(_)
            | Object::User(_)
            | Object::Group(_)
            | Object::Alias(_),
        )
        | None => Err(CallFault(Fault::CONTEXT_MISMATCH)),
    }
}

fn opened(handle: Option<ContextHandle>) -> Bytes {
    let status = match handle {
        Some(_) => NtStatus::SUCCESS,
        None => NtStatus::INSUFFICIENT_RESOURCES,
    };
    HandleReply {
        handle: handle.unwrap_or_default(),
        status: status.0,
    }
    .encode()
}

/// LsarOpenPolicy2, [MS-LSAD] 3.1.4.4.1. Everything behind the handle is read only, so the access
/// asked for does not matter.
fn open_policy(attributes: &ObjectAttributes, handles: &mut Handles) -> Bytes {
    if attributes.root_directory.is_some() {
        return HandleReply {
            handle: ContextHandle::NULL,
            status: NtStatus::INVALID_PARAMETER.0,
        }
        .encode();
    }
    opened(handles.open(Object::Policy))
}

/// LsarQueryInformationPolicy, [MS-LSAD] 3.1.4.4.4, for a server that is in no domain.
fn information(class: u16, view: &ServerView) -> Option<PolicyInformation> {
    let account = || DomainInfo {
        name: view.server_name.as_str().into(),
        sid: Some(view.domain_sid),
    };
    Some(match class {
        3 => PolicyInformation::PrimaryDomain(DomainInfo {
            name: view.workgroup.as_str().into(),
            sid: None,
        }),
        5 => PolicyInformation::AccountDomain(account()),
        6 => PolicyInformation::ServerRole(ROLE_PRIMARY),
        12 => PolicyInformation::DnsDomain(DnsDomainInfo {
            name: view.workgroup.as_str().into(),
            ..DnsDomainInfo::default()
        }),
        14 => PolicyInformation::LocalAccountDomain(account()),
        _ => return None,
    })
}

/// LsarGetUserName, [MS-LSAT] 3.1.4.4.
fn get_user_name(call: &GetUserName, view: &ServerView) -> GetUserNameReply {
    let (user, domain) = if view.caller.anonymous {
        ("ANONYMOUS LOGON", "NT AUTHORITY")
    } else {
        (view.caller.name.as_str(), view.caller.domain.as_str())
    };
    GetUserNameReply {
        user_name: Some(user.into()),
        domain_name: call.domain_name.as_ref().map(|_| Some(domain.into())),
        status: NtStatus::SUCCESS.0,
    }
}

/// The domains that a reply refers to, each once.
#[derive(Default)]
struct Domains(Vec<DomainInfo>);

impl Domains {
    fn index(&mut self, p: &Principal) -> u32 {
        let at = match self.0.iter().position(|d| d.sid == Some(p.domain_sid)) {
            Some(at) => at,
            None => {
                self.0.push(DomainInfo {
                    name: p.domain.as_str().into(),
                    sid: Some(p.domain_sid),
                });
                self.0.len().saturating_sub(1)
            }
        };
        u32::try_from(at).unwrap_or(NO_DOMAIN)
    }

    fn list(self) -> Option<ReferencedDomains> {
        Some(ReferencedDomains {
            entries: len32(&self.0),
            max_entries: 32,
            domains: (!self.0.is_empty()).then_some(self.0),
        })
    }
}

/// The status of a lookup of `asked` things of which `mapped` are known
/// ([MS-LSAT] 3.1.4.5 and 3.1.4.9).
fn lookup_status(asked: usize, mapped: u32) -> u32 {
    let status = match usize::try_from(mapped) {
        Ok(n) if n == asked => NtStatus::SUCCESS,
        Ok(0) => NtStatus::NONE_MAPPED,
        _ => NtStatus::SOME_NOT_MAPPED,
    };
    status.0
}

/// LsarLookupNames to LsarLookupNames4, [MS-LSAT] 3.1.4.5 to 3.1.4.8. They differ in what they
/// answer for each name.
fn lookup_names(
    opnum: u16,
    stub: &[u8],
    handles: &Handles,
    view: &ServerView,
) -> Result<Bytes, CallFault> {
    let (handle, count, names) = match opnum {
        LookupNames4::OPNUM => {
            let call = LookupNames4::parse(stub)?;
            (None, call.count, call.names)
        }
        LookupNames3::OPNUM => {
            let call = LookupNames3::parse(stub)?;
            (Some(call.handle), call.count, call.names)
        }
        LookupNames2::OPNUM => {
            let call = LookupNames2::parse(stub)?;
            (Some(call.handle), call.count, call.names)
        }
        _ => {
            let call = LookupNames::parse(stub)?;
            (Some(call.handle), call.count, call.names)
        }
    };
    if let Some(handle) = handle {
        policy(handles, handle)?;
    }
    if count != len32(&names) || names.len() > MAX_NAMES {
        return Err(CallFault(Fault::BAD_STUB_DATA));
    }
    let refused = view.caller.anonymous;
    let asked: &[UnicodeString] = if refused { &[] } else { &names };
    let found: Vec<Option<Principal>> = asked
        .iter()
        .map(|n| names::by_name(view, n.text()))
        .collect();
    let mapped_count = len32(&found.iter().flatten().collect::<Vec<_>>());
    let status = if refused {
        NtStatus::ACCESS_DENIED.0
    } else {
        lookup_status(found.len(), mapped_count)
    };
    let mut domains = Domains::default();
    let sids: Vec<TranslatedSidEx2> = found
        .iter()
        .map(|found| match found {
            Some(p) => TranslatedSidEx2 {
                name_use: p.kind,
                sid: Some(p.sid),
                domain_index: domains.index(p),
                flags: 0,
            },
            None => TranslatedSidEx2 {
                name_use: name_use::UNKNOWN,
                sid: None,
                domain_index: NO_DOMAIN,
                flags: 0,
            },
        })
        .collect();
    // The older calls answer the last number of the SID alone; a domain has none.
    let relative = |s: &TranslatedSidEx2| match (&s.sid, s.name_use) {
        (None, _) => 0,
        (Some(_), name_use::DOMAIN) => u32::MAX,
        (Some(sid), _) => sid.split_rid().map_or(u32::MAX, |(_, rid)| rid),
    };
    let referenced_domains = domains.list();
    let entries = len32(&sids);
    Ok(match opnum {
        LookupNames3::OPNUM | LookupNames4::OPNUM => LookupNames3Reply {
            referenced_domains,
            translated_sids: TranslatedSidsEx2 {
                entries,
                sids: (entries != 0).then_some(sids),
            },
            mapped_count,
            status,
        }
        .encode(),
        LookupNames2::OPNUM => LookupNames2Reply {
            referenced_domains,
            translated_sids: TranslatedSidsEx {
                entries,
                sids: (entries != 0).then(|| {
                    sids.iter()
                        .map(|s| TranslatedSidEx {
                            name_use: s.name_use,
                            relative_id: relative(s),
                            domain_index: s.domain_index,
                            flags: 0,
                        })
                        .collect()
                }),
            },
            mapped_count,
            status,
        }
        .encode(),
        _ => LookupNamesReply {
            referenced_domains,
            translated_sids: TranslatedSids {
                entries,
                sids: (entries != 0).then(|| {
                    sids.iter()
                        .map(|s| TranslatedSid {
                            name_use: s.name_use,
                            relative_id: relative(s),
                            domain_index: s.domain_index,
                        })
                        .collect()
                }),
            },
            mapped_count,
            status,
        }
        .encode(),
    })
}

/// LsarLookupSids to LsarLookupSids3, [MS-LSAT] 3.1.4.9 to 3.1.4.11.
fn lookup_sids(
    opnum: u16,
    stub: &[u8],
    handles: &Handles,
    view: &ServerView,
) -> Result<Bytes, CallFault> {
    let (handle, sids) = match opnum {
        LookupSids3::OPNUM => (None, LookupSids3::parse(stub)?.sid_enum_buffer),
        LookupSids2::OPNUM => {
            let call = LookupSids2::parse(stub)?;
            (Some(call.handle), call.sid_enum_buffer)
        }
        _ => {
            let call = LookupSids::parse(stub)?;
            (Some(call.handle), call.sid_enum_buffer)
        }
    };
    if let Some(handle) = handle {
        policy(handles, handle)?;
    }
    let asked = sids.sid_info.unwrap_or_default();
    if sids.entries != len32(&asked) {
        return Err(CallFault(Fault::BAD_STUB_DATA));
    }
    // A NULL SID among them ([MS-LSAT] 3.1.4.9: every pointer must be valid).
    let (status, asked): (Option<NtStatus>, Vec<Sid>) = if view.caller.anonymous {
        (Some(NtStatus::ACCESS_DENIED), Vec::new())
    } else {
        match asked.into_iter().collect::<Option<Vec<Sid>>>() {
            Some(asked) => (None, asked),
            None => (Some(NtStatus::INVALID_PARAMETER), Vec::new()),
        }
    };
    let mut domains = Domains::default();
    let mut mapped_count = 0u32;
    let names: Vec<TranslatedNameEx> = asked
        .iter()
        .map(|sid| match names::by_sid(view, sid) {
            Some(p) => {
                mapped_count = mapped_count.saturating_add(1);
                TranslatedNameEx {
                    name_use: p.kind,
                    name: p.name.as_str().into(),
                    domain_index: domains.index(&p),
                    flags: 0,
                }
            }
            // A SID that nobody has is named by its own text.
            None => TranslatedNameEx {
                name_use: name_use::UNKNOWN,
                name: sid.to_string().as_str().into(),
                domain_index: NO_DOMAIN,
                flags: 0,
            },
        })
        .collect();
    let status = match status {
        Some(refused) => refused.0,
        None => lookup_status(asked.len(), mapped_count),
    };
    let referenced_domains = domains.list();
    let entries = len32(&names);
    Ok(if opnum == LookupSids::OPNUM {
        LookupSidsReply {
            referenced_domains,
            translated_names: TranslatedNames {
                entries,
                names: (entries != 0).then(|| {
                    names
                        .into_iter()
                        .map(|n| TranslatedName {
                            name_use: n.name_use,
                            name: n.name,
                            domain_index: n.domain_index,
                        })
                        .collect()
                }),
            },
            mapped_count,
            status,
        }
        .encode()
    } else {
        LookupSidsExReply {
            referenced_domains,
            translated_names: TranslatedNamesEx {
                entries,
                names: (entries != 0).then_some(names),
            },
            mapped_count,
            status,
        }
        .encode()
    })
}
