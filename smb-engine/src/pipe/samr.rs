//! The account database, [MS-SAMR] 3.1.5, for reading.

use bytes::Bytes;
use smb_proto::NtStatus;
use smb_proto::dtyp::Sid;
use smb_proto::rpc::lsarpc::name_use;
use smb_proto::rpc::ndr::ContextHandle;
use smb_proto::rpc::pdu::Fault;
use smb_proto::rpc::samr::*;

use self::database::{Database, Entry};
use super::handles::{Handles, Object};
use super::names::kind_of;
use super::rpc::{CallFault, len32, page};
use super::{AccountKind, ServerView};

mod database;
mod info;

/// Operation numbers that share the parameters of another one.
mod opnum {
    pub(super) const ENUMERATE_ALIASES: u16 = 15;
    pub(super) const OPEN_ALIAS: u16 = 27;
    pub(super) const OPEN_USER: u16 = 34;
    pub(super) const QUERY_INFORMATION_DOMAIN_2: u16 = 46;
    pub(super) const QUERY_INFORMATION_USER_2: u16 = 47;
    pub(super) const QUERY_DISPLAY_INFORMATION_2: u16 = 48;
    pub(super) const QUERY_DISPLAY_INFORMATION_3: u16 = 51;
}

/// Answers one call.
pub(super) fn call(
    opnum: u16,
    stub: &[u8],
    handles: &mut Handles,
    view: &ServerView,
) -> Result<Bytes, CallFault> {
    let db = Database::new(view);
    Ok(match opnum {
        Connect::OPNUM => {
            Connect::parse(stub)?;
            handle_reply(connect(handles, view))
        }
        Connect2::OPNUM => {
            Connect2::parse(stub)?;
            handle_reply(connect(handles, view))
        }
        Connect4::OPNUM => {
            Connect4::parse(stub)?;
            handle_reply(connect(handles, view))
        }
        Connect5::OPNUM => connect_5(&Connect5::parse(stub)?, handles, view).encode(),
        CloseHandle::OPNUM => {
            let call = CloseHandle::parse(stub)?;
            let Some(
                Object::SamServer
                | Object::Domain(_)
                | Object::User(_)
                | Object::Group(_)
                | Object::Alias(_),
            ) = handles.get(call.handle)
            else {
                return Err(CallFault(Fault::CONTEXT_MISMATCH));
            };
            handles.close(call.handle);
            handle_reply(Ok(ContextHandle::NULL))
        }
        QuerySecurityObject::OPNUM => {
            let call = QuerySecurityObject::parse(stub)?;
            let object = handles
                .get(call.handle)
                .filter(|o| *o != Object::Policy)
                .ok_or(CallFault(Fault::CONTEXT_MISMATCH))?;
            let sd = info::security(object, call.security_information).to_vec();
            QuerySecurityObjectReply {
                security_descriptor: Some(SrSecurityDescriptor {
                    length: len32(&sd),
                    security_descriptor: Some(sd),
                }),
                status: NtStatus::SUCCESS.0,
            }
            .encode()
        }
        LookupDomainInSamServer::OPNUM => {
            let call = LookupDomainInSamServer::parse(stub)?;
            expect(handles, call.handle, Object::SamServer)?;
            let domain_id = db.domain_by_name(call.name.text());
            LookupDomainInSamServerReply {
                domain_id,
                status: found(domain_id.is_some(), NtStatus::NO_SUCH_DOMAIN),
            }
            .encode()
        }
        EnumerateDomainsInSamServer::OPNUM => {
            let call = EnumerateDomainsInSamServer::parse(stub)?;
            expect(handles, call.handle, Object::SamServer)?;
            let names = db.domain_names().map(|name| (0, name));
            enumerate(
                &names,
                call.enumeration_context,
                call.prefered_maximum_length,
            )
        }
        OpenDomain::OPNUM => {
            let call = OpenDomain::parse(stub)?;
            expect(handles, call.handle, Object::SamServer)?;
            handle_reply(if db.has_domain(&call.domain_id) {
                open(handles, Object::Domain(call.domain_id))
            } else {
                Err(NtStatus::NO_SUCH_DOMAIN)
            })
        }
        QueryInformationDomain::OPNUM | opnum::QUERY_INFORMATION_DOMAIN_2 => {
            let call = QueryInformationDomain::parse(stub)?;
            let domain = domain(handles, call.handle)?;
            let buffer = info::domain(call.information_class, &domain, &db);
            QueryInformationDomainReply {
                status: found(buffer.is_some(), NtStatus::INVALID_INFO_CLASS),
                buffer,
            }
            .encode()
        }
        EnumerateGroupsInDomain::OPNUM | opnum::ENUMERATE_ALIASES => {
            let call = EnumerateGroupsInDomain::parse(stub)?;
            let domain = domain(handles, call.handle)?;
            let kind = if opnum == opnum::ENUMERATE_ALIASES {
                AccountKind::Alias
            } else {
                AccountKind::Group
            };
            let names = rids_and_names(&db.entries(&domain, kind));
            enumerate(
                &names,
                call.enumeration_context,
                call.prefered_maximum_length,
            )
        }
        EnumerateUsersInDomain::OPNUM => {
            let call = EnumerateUsersInDomain::parse(stub)?;
            let domain = domain(handles, call.handle)?;
            let mut users = db.entries(&domain, AccountKind::User);
            let wanted = call.user_account_control;
            users.retain(|u| wanted == 0 || u.account_control() & wanted != 0);
            let names = rids_and_names(&users);
            enumerate(
                &names,
                call.enumeration_context,
                call.prefered_maximum_length,
            )
        }
        GetAliasMembership::OPNUM => {
            let call = GetAliasMembership::parse(stub)?;
            let domain = domain(handles, call.handle)?;
            let sids = call.sid_array.sids.unwrap_or_default();
            if call.sid_array.count != len32(&sids) || sids.len() > 1024 {
                return Err(CallFault(Fault::BAD_STUB_DATA));
            }
            let sids: Vec<Sid> = sids.into_iter().flatten().collect();
            GetAliasMembershipReply {
                membership: ulongs(db.aliases_of(&domain, &sids)),
                status: NtStatus::SUCCESS.0,
            }
            .encode()
        }
        LookupNamesInDomain::OPNUM => {
            let call = LookupNamesInDomain::parse(stub)?;
            let domain = domain(handles, call.handle)?;
            same_count(call.count, &call.names.0)?;
            lookup_names(&call, &domain, &db).encode()
        }
        LookupIdsInDomain::OPNUM => {
            let call = LookupIdsInDomain::parse(stub)?;
            let domain = domain(handles, call.handle)?;
            same_count(call.count, &call.relative_ids.0)?;
            lookup_ids(&call, &domain, &db).encode()
        }
        OpenAccount::OPNUM | opnum::OPEN_ALIAS | opnum::OPEN_USER => {
            let call = OpenAccount::parse(stub)?;
            let domain = domain(handles, call.handle)?;
            handle_reply(open_account(opnum, &call, &domain, handles, &db))
        }
        QueryInformationGroup::OPNUM => {
            let call = QueryInformationGroup::parse(stub)?;
            let Some(Object::Group(sid)) = handles.get(call.handle) else {
                return Err(CallFault(Fault::CONTEXT_MISMATCH));
            };
            let buffer = info::group(call.information_class, &sid, &db);
            QueryInformationGroupReply {
                status: found(buffer.is_some(), NtStatus::INVALID_INFO_CLASS),
                buffer,
            }
            .encode()
        }
        GetMembersInGroup::OPNUM => {
            let call = GetMembersInGroup::parse(stub)?;
            let Some(Object::Group(sid)) = handles.get(call.handle) else {
                return Err(CallFault(Fault::CONTEXT_MISMATCH));
            };
            let members: Vec<u32> = db
                .members(&sid)
                .iter()
                .filter_map(|m| m.split_rid().map(|(_, rid)| rid))
                .collect();
            let some = !members.is_empty();
            GetMembersInGroupReply {
                members: Some(GetMembersBuffer {
                    member_count: len32(&members),
                    attributes: some.then(|| vec![GROUP_ATTRIBUTES; members.len()]),
                    members: some.then_some(members),
                }),
                status: NtStatus::SUCCESS.0,
            }
            .encode()
        }
        QueryInformationAlias::OPNUM => {
            let call = QueryInformationAlias::parse(stub)?;
            let Some(Object::Alias(sid)) = handles.get(call.handle) else {
                return Err(CallFault(Fault::CONTEXT_MISMATCH));
            };
            let buffer = info::alias(call.information_class, &sid, &db);
            QueryInformationAliasReply {
                status: found(buffer.is_some(), NtStatus::INVALID_INFO_CLASS),
                buffer,
            }
            .encode()
        }
        GetMembersInAlias::OPNUM => {
            let call = GetMembersInAlias::parse(stub)?;
            let Some(Object::Alias(sid)) = handles.get(call.handle) else {
                return Err(CallFault(Fault::CONTEXT_MISMATCH));
            };
            let members = db.members(&sid);
            GetMembersInAliasReply {
                members: SidArray {
                    count: len32(&members),
                    sids: (!members.is_empty()).then(|| members.into_iter().map(Some).collect()),
                },
                status: NtStatus::SUCCESS.0,
            }
            .encode()
        }
        QueryInformationUser::OPNUM | opnum::QUERY_INFORMATION_USER_2 => {
            let call = QueryInformationUser::parse(stub)?;
            let user = user(handles, call.handle)?;
            let buffer = info::user(call.information_class, &user, &db);
            QueryInformationUserReply {
                status: found(buffer.is_some(), NtStatus::INVALID_INFO_CLASS),
                buffer,
            }
            .encode()
        }
        GetGroupsForUser::OPNUM => {
            let call = GetGroupsForUser::parse(stub)?;
            let user = user(handles, call.handle)?;
            let groups: Vec<GroupMembership> = db
                .groups_of(&user)
                .into_iter()
                .map(|relative_id| GroupMembership {
                    relative_id,
                    attributes: GROUP_ATTRIBUTES,
                })
                .collect();
            GetGroupsForUserReply {
                groups: Some(GetGroupsBuffer {
                    membership_count: len32(&groups),
                    groups: Some(groups),
                }),
                status: NtStatus::SUCCESS.0,
            }
            .encode()
        }
        QueryDisplayInformation::OPNUM
        | opnum::QUERY_DISPLAY_INFORMATION_2
        | opnum::QUERY_DISPLAY_INFORMATION_3 => {
            let call = QueryDisplayInformation::parse(stub)?;
            let domain = domain(handles, call.handle)?;
            display(&call, &domain, &db).encode()
        }
        _ => return Err(CallFault(Fault::OP_RNG_ERROR)),
    })
}

fn found(yes: bool, otherwise: NtStatus) -> u32 {
    let status = if yes { NtStatus::SUCCESS } else { otherwise };
    status.0
}

fn same_count<T>(count: u32, list: &[T]) -> Result<(), CallFault> {
    if count == len32(list) {
        Ok(())
    } else {
        Err(CallFault(Fault::BAD_STUB_DATA))
    }
}

fn handle_reply(opened: Result<ContextHandle, NtStatus>) -> Bytes {
    let (handle, status) = match opened {
        Ok(handle) => (handle, NtStatus::SUCCESS),
        Err(status) => (ContextHandle::NULL, status),
    };
    HandleReply {
        handle,
        status: status.0,
    }
    .encode()
}

fn open(handles: &mut Handles, object: Object) -> Result<ContextHandle, NtStatus> {
    handles.open(object).ok_or(NtStatus::INSUFFICIENT_RESOURCES)
}

/// SamrConnect5 and the older ones, [MS-SAMR] 3.1.5.1.1. Nothing can be changed through the
/// handles, so the access asked for does not matter; null sessions read no accounts.
fn connect(handles: &mut Handles, view: &ServerView) -> Result<ContextHandle, NtStatus> {
    if view.caller.anonymous {
        return Err(NtStatus::ACCESS_DENIED);
    }
    open(handles, Object::SamServer)
}

fn connect_5(call: &Connect5, handles: &mut Handles, view: &ServerView) -> Connect5Reply {
    let opened = match call.in_revision_info {
        RevisionInfo::V1(_) => connect(handles, view),
        RevisionInfo::Other(..) => Err(NtStatus::NOT_SUPPORTED),
    };
    Connect5Reply {
        out_version: 1,
        out_revision_info: RevisionInfo::V1(RevisionInfoV1 {
            revision: 3,
            supported_features: 0,
        }),
        handle: opened.unwrap_or_default(),
        status: opened.err().unwrap_or(NtStatus::SUCCESS).0,
    }
}

fn expect(handles: &Handles, handle: ContextHandle, object: Object) -> Result<(), CallFault> {
    match handles.get(handle) {
        Some(found) if found == object => Ok(()),
        _ => Err(CallFault(Fault::CONTEXT_MISMATCH)),
    }
}

fn domain(handles: &Handles, handle: ContextHandle) -> Result<Sid, CallFault> {
    match handles.get(handle) {
        Some(Object::Domain(sid)) => Ok(sid),
        _ => Err(CallFault(Fault::CONTEXT_MISMATCH)),
    }
}

fn user(handles: &Handles, handle: ContextHandle) -> Result<Sid, CallFault> {
    match handles.get(handle) {
        Some(Object::User(sid)) => Ok(sid),
        _ => Err(CallFault(Fault::CONTEXT_MISMATCH)),
    }
}

/// SamrOpenUser, SamrOpenGroup, SamrOpenAlias, [MS-SAMR] 3.1.5.1.6 to 3.1.5.1.9.
fn open_account(
    opnum: u16,
    call: &OpenAccount,
    domain: &Sid,
    handles: &mut Handles,
    db: &Database<'_>,
) -> Result<ContextHandle, NtStatus> {
    let (kind, missing) = match opnum {
        opnum::OPEN_USER => (AccountKind::User, NtStatus::NO_SUCH_USER),
        opnum::OPEN_ALIAS => (AccountKind::Alias, NtStatus::NO_SUCH_ALIAS),
        _ => (AccountKind::Group, NtStatus::NO_SUCH_GROUP),
    };
    let sid = domain.with_rid(call.relative_id).ok_or(missing)?;
    db.get(&sid).filter(|e| e.kind == kind).ok_or(missing)?;
    open(
        handles,
        match kind {
            AccountKind::User => Object::User(sid),
            AccountKind::Group => Object::Group(sid),
            AccountKind::Alias => Object::Alias(sid),
        },
    )
}

fn ulongs(list: Vec<u32>) -> UlongArray {
    UlongArray {
        count: len32(&list),
        element: (!list.is_empty()).then_some(list),
    }
}

fn rids_and_names<'a>(entries: &[Entry<'a>]) -> Vec<(u32, &'a str)> {
    entries.iter().map(|e| (e.rid, e.name)).collect()
}

/// Answers an enumeration from element `context` on, [MS-SAMR] 3.1.5.2.
fn enumerate(names: &[(u32, &str)], context: u32, preferred: u32) -> Bytes {
    let (part, next) = page(names, context, preferred, |(_, name)| {
        name.len().saturating_mul(2).saturating_add(12)
    });
    let list: Vec<RidEnumeration> = part
        .iter()
        .map(|&(relative_id, name)| RidEnumeration {
            relative_id,
            name: name.into(),
        })
        .collect();
    EnumerateReply {
        enumeration_context: next.unwrap_or_else(|| len32(names)),
        count_returned: len32(&list),
        buffer: Some(EnumerationBuffer {
            entries_read: len32(&list),
            buffer: (!list.is_empty()).then_some(list),
        }),
        status: found(next.is_none(), NtStatus::MORE_ENTRIES),
    }
    .encode()
}

/// The status of a lookup, [MS-SAMR] 3.1.5.11.2.
fn lookup_status(asked: usize, mapped: usize) -> u32 {
    let status = match mapped {
        n if n == asked => NtStatus::SUCCESS,
        0 => NtStatus::NONE_MAPPED,
        _ => NtStatus::SOME_NOT_MAPPED,
    };
    status.0
}

/// SamrLookupNamesInDomain, [MS-SAMR] 3.1.5.11.2.
fn lookup_names(
    call: &LookupNamesInDomain,
    domain: &Sid,
    db: &Database<'_>,
) -> LookupNamesInDomainReply {
    let entries: Vec<Option<Entry<'_>>> = call
        .names
        .0
        .iter()
        .map(|n| db.by_name(domain, n.text()))
        .collect();
    let mapped = entries.iter().flatten().count();
    LookupNamesInDomainReply {
        relative_ids: ulongs(entries.iter().map(|e| e.map_or(0, |e| e.rid)).collect()),
        name_use: ulongs(entries.iter().map(|e| use_of(*e)).collect()),
        status: lookup_status(entries.len(), mapped),
    }
}

/// SamrLookupIdsInDomain, [MS-SAMR] 3.1.5.11.3.
fn lookup_ids(call: &LookupIdsInDomain, domain: &Sid, db: &Database<'_>) -> LookupIdsInDomainReply {
    let entries: Vec<Option<Entry<'_>>> = call
        .relative_ids
        .0
        .iter()
        .map(|&rid| db.get(&domain.with_rid(rid)?))
        .collect();
    let mapped = entries.iter().flatten().count();
    let names: Vec<_> = entries
        .iter()
        .map(|e| e.map_or_else(Default::default, |e| e.name.into()))
        .collect();
    LookupIdsInDomainReply {
        names: ReturnedStrings {
            count: len32(&names),
            element: (!names.is_empty()).then_some(names),
        },
        name_use: ulongs(entries.iter().map(|e| use_of(*e)).collect()),
        status: lookup_status(entries.len(), mapped),
    }
}

fn use_of(entry: Option<Entry<'_>>) -> u32 {
    u32::from(entry.map_or(name_use::UNKNOWN, |e| kind_of(e.kind)))
}

/// SamrQueryDisplayInformation3, [MS-SAMR] 3.1.5.3.1.
fn display(
    call: &QueryDisplayInformation,
    domain: &Sid,
    db: &Database<'_>,
) -> QueryDisplayInformationReply {
    let class = call.display_information_class;
    let entries = match class {
        1 => db.entries(domain, AccountKind::User),
        // Machine accounts: a server without a domain has none.
        2 => Vec::new(),
        3 => db.entries(domain, AccountKind::Group),
        other => {
            return QueryDisplayInformationReply {
                total_available: 0,
                total_returned: 0,
                buffer: DisplayInfo::Other(other, ()),
                status: NtStatus::INVALID_INFO_CLASS.0,
            };
        }
    };
    let size = |e: &Entry<'_>| {
        [e.name, e.full_name, e.comment]
            .iter()
            .map(|s| s.len().saturating_mul(2))
            .fold(36, usize::saturating_add)
    };
    let total = |list: &[Entry<'_>]| {
        let bytes: usize = list.iter().map(size).sum();
        u32::try_from(bytes).unwrap_or(u32::MAX)
    };
    let (part, mut next) = page(&entries, call.index, call.prefered_maximum_length, size);
    let most = usize::try_from(call.entry_count).unwrap_or(usize::MAX);
    let part = match part.get(..most) {
        Some(fewer) if fewer.len() < part.len() => {
            next = Some(call.index.saturating_add(call.entry_count));
            fewer
        }
        _ => part,
    };
    // Elements are numbered from one.
    let index = |i: usize| {
        call.index
            .saturating_add(u32::try_from(i).unwrap_or(u32::MAX))
            .saturating_add(1)
    };
    let groups = || DisplayGroups {
        entries_read: len32(part),
        buffer: (!part.is_empty()).then(|| {
            part.iter()
                .enumerate()
                .map(|(i, e)| DisplayGroup {
                    index: index(i),
                    rid: e.rid,
                    attributes: GROUP_ATTRIBUTES,
                    account_name: e.name.into(),
                    admin_comment: e.comment.into(),
                })
                .collect()
        }),
    };
    let buffer = match class {
        2 => DisplayInfo::Machines(groups()),
        3 => DisplayInfo::Groups(groups()),
        _ => DisplayInfo::Users(DisplayUsers {
            entries_read: len32(part),
            buffer: (!part.is_empty()).then(|| {
                part.iter()
                    .enumerate()
                    .map(|(i, e)| DisplayUser {
                        index: index(i),
                        rid: e.rid,
                        account_control: e.account_control(),
                        account_name: e.name.into(),
                        admin_comment: e.comment.into(),
                        full_name: e.full_name.into(),
                    })
                    .collect()
            }),
        }),
    };
    QueryDisplayInformationReply {
        total_available: total(&entries),
        total_returned: total(part),
        buffer,
        status: found(next.is_none(), NtStatus::MORE_ENTRIES),
    }
}
