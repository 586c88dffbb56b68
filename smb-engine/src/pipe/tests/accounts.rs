//! Names, SIDs, users and groups.

use smb_proto::NtStatus;
use smb_proto::dtyp::{SecurityDescriptor, Sid};
use smb_proto::rpc::ndr::{ContextHandle, UnicodeString, Varying};
use smb_proto::rpc::pdu::Fault;
use smb_proto::rpc::{lsarpc, samr};

use super::*;

fn open_policy(c: &mut Client) -> ContextHandle {
    let reply = ask!(
        c,
        lsarpc::OpenPolicy2 {
            desired_access: 0x0200_0000,
            ..Default::default()
        },
        HandleReply
    );
    assert_eq!(reply.status, 0);
    reply.handle
}

#[test]
fn lookups_of_names() {
    let mut c = Client::bound("lsarpc", lsarpc::INTERFACE, view());
    let handle = open_policy(&mut c);
    let names: Vec<UnicodeString> = ["LAB\\bob", "nobody", "Everyone", "SANSRV"]
        .map(Into::into)
        .to_vec();
    let reply = ask!(
        c,
        lsarpc::LookupNames3 {
            handle,
            count: 4,
            names: names.clone(),
            lookup_level: 1,
            ..Default::default()
        },
        LookupNames3Reply
    );
    assert_eq!(reply.status, NtStatus::SOME_NOT_MAPPED.0);
    assert_eq!(reply.mapped_count, 3);
    let domains = reply.referenced_domains.unwrap().domains.unwrap();
    assert_eq!(domains.len(), 2);
    let sids = reply.translated_sids.sids.unwrap();
    let short: Vec<_> = sids
        .iter()
        .map(|s| (s.name_use, s.sid, s.domain_index))
        .collect();
    assert_eq!(
        short,
        [
            (1, Some(DOMAIN.with_rid(1001).unwrap()), 0),
            (8, None, u32::MAX),
            (5, Some(Sid::WORLD), 1),
            (3, Some(DOMAIN), 0),
        ]
    );
    let reply = ask!(
        c,
        lsarpc::LookupNames {
            handle,
            count: 4,
            names: names.clone(),
            lookup_level: 1,
            ..Default::default()
        },
        LookupNamesReply
    );
    let rids: Vec<_> = reply
        .translated_sids
        .sids
        .unwrap()
        .iter()
        .map(|s| s.relative_id)
        .collect();
    assert_eq!(rids, [1001, 0, 0, u32::MAX]);
    let wrong = lsarpc::LookupNames2 {
        handle,
        count: 3,
        names,
        ..Default::default()
    };
    assert_eq!(c.try_call(58, &wrong.encode()), Err(Fault::BAD_STUB_DATA));
}

#[test]
fn lookups_of_sids() {
    let ask_for = |sids: &[Sid]| lsarpc::SidEnumBuffer {
        entries: u32::try_from(sids.len()).unwrap(),
        sid_info: Some(sids.iter().copied().map(Some).collect()),
    };
    let stranger = Sid::domain(1, 2, 3).with_rid(4).unwrap();
    let mut c = Client::bound("lsarpc", lsarpc::INTERFACE, view());
    let handle = open_policy(&mut c);
    let reply = ask!(
        c,
        lsarpc::LookupSids2 {
            handle,
            sid_enum_buffer: ask_for(&[ALICE, stranger, Sid::BUILTIN_USERS]),
            lookup_level: 1,
            ..Default::default()
        },
        LookupSidsExReply
    );
    assert_eq!(
        (reply.status, reply.mapped_count),
        (NtStatus::SOME_NOT_MAPPED.0, 2)
    );
    let names: Vec<_> = reply
        .translated_names
        .names
        .unwrap()
        .into_iter()
        .map(|n| (n.name_use, n.name.0.unwrap(), n.domain_index))
        .collect();
    assert_eq!(
        names,
        [
            (1, "alice".to_owned(), 0),
            (8, "S-1-5-21-1-2-3-4".to_owned(), u32::MAX),
            (4, "Users".to_owned(), 1),
        ]
    );
    for (sids, status) in [
        (ask_for(&[stranger]), NtStatus::NONE_MAPPED),
        (ask_for(&[ALICE]), NtStatus::SUCCESS),
        (
            lsarpc::SidEnumBuffer {
                entries: 1,
                sid_info: Some(vec![None]),
            },
            NtStatus::INVALID_PARAMETER,
        ),
    ] {
        let reply = ask!(
            c,
            lsarpc::LookupSids {
                handle,
                sid_enum_buffer: sids,
                ..Default::default()
            },
            LookupSidsReply
        );
        assert_eq!(reply.status, status.0);
    }
    let mut c = Client::bound("lsarpc", lsarpc::INTERFACE, anonymous());
    let handle = open_policy(&mut c);
    let reply = ask!(
        c,
        lsarpc::LookupSids {
            handle,
            sid_enum_buffer: ask_for(&[ALICE]),
            ..Default::default()
        },
        LookupSidsReply
    );
    assert_eq!(reply.status, NtStatus::ACCESS_DENIED.0);
    assert_eq!(reply.mapped_count, 0);
}

#[test]
fn policy_user_name_and_privileges() {
    let mut c = Client::bound("lsarpc", lsarpc::INTERFACE, view());
    let handle = open_policy(&mut c);
    for (information_class, known) in [(3, true), (5, true), (6, true), (12, true), (2, false)] {
        let reply = ask!(
            c,
            lsarpc::QueryInformationPolicy {
                handle,
                information_class
            },
            QueryInformationPolicyReply
        );
        assert_eq!(
            (reply.information.is_some(), reply.status == 0),
            (known, known),
            "{information_class}"
        );
    }
    let reply = ask!(
        c,
        lsarpc::GetUserName {
            domain_name: Some(None),
            ..Default::default()
        },
        GetUserNameReply
    );
    assert_eq!(reply.user_name, Some("alice".into()));
    assert_eq!(reply.domain_name, Some(Some("SANSRV".into())));
    let reply = ask!(
        c,
        lsarpc::LookupPrivilegeValue {
            handle,
            name: "SeBackupPrivilege".into()
        },
        LookupPrivilegeValueReply
    );
    assert_eq!((reply.value.low_part, reply.status), (17, 0));
    let reply = ask!(
        c,
        lsarpc::EnumerateTrustedDomains {
            handle,
            ..Default::default()
        },
        EnumerateTrustedDomainsReply
    );
    assert_eq!(reply.status, NtStatus::NO_MORE_ENTRIES.0);
    let closed = ask!(c, lsarpc::Close { handle }, HandleReply);
    assert_eq!((closed.handle, closed.status), (ContextHandle::NULL, 0));
    assert_eq!(
        c.try_call(0, &lsarpc::Close { handle }.encode()),
        Err(Fault::CONTEXT_MISMATCH)
    );
}

fn open_domain(c: &mut Client, domain_id: Sid) -> ContextHandle {
    let server = ask!(
        c,
        samr::Connect5 {
            in_version: 1,
            in_revision_info: samr::RevisionInfo::V1(samr::RevisionInfoV1::default()),
            ..Default::default()
        },
        Connect5Reply
    );
    assert_eq!(server.status, 0);
    let reply = ask!(
        c,
        samr::OpenDomain {
            handle: server.handle,
            desired_access: 0,
            domain_id
        },
        HandleReply
    );
    assert_eq!(reply.status, 0);
    reply.handle
}

fn names_of(reply: samr::EnumerateReply) -> Vec<(u32, String)> {
    let list = reply.buffer.unwrap().buffer.unwrap_or_default();
    assert_eq!(usize::try_from(reply.count_returned).unwrap(), list.len());
    list.into_iter()
        .map(|e| (e.relative_id, e.name.0.unwrap()))
        .collect()
}

#[test]
fn users_and_groups() {
    let mut c = Client::bound("samr", samr::INTERFACE, view());
    let own = open_domain(&mut c, DOMAIN);
    let builtin = open_domain(&mut c, Sid::BUILTIN);
    let reply = ask!(
        c,
        samr::EnumerateUsersInDomain {
            handle: own,
            prefered_maximum_length: u32::MAX,
            ..Default::default()
        },
        EnumerateReply
    );
    assert_eq!(reply.status, 0);
    assert_eq!(
        names_of(reply),
        [(1000, "alice".to_owned()), (1001, "bob".to_owned())]
    );
    // In parts, and only what is disabled.
    let first = ask!(
        c,
        samr::EnumerateUsersInDomain {
            handle: own,
            prefered_maximum_length: 1,
            ..Default::default()
        },
        EnumerateReply
    );
    assert_eq!(
        (first.status, first.enumeration_context),
        (NtStatus::MORE_ENTRIES.0, 1)
    );
    let reply = ask!(
        c,
        samr::EnumerateUsersInDomain {
            handle: own,
            user_account_control: samr::USER_ACCOUNT_DISABLED,
            prefered_maximum_length: u32::MAX,
            ..Default::default()
        },
        EnumerateReply
    );
    assert_eq!(names_of(reply), [(1001, "bob".to_owned())]);
    let groups = samr::EnumerateGroupsInDomain {
        handle: own,
        enumeration_context: 0,
        prefered_maximum_length: u32::MAX,
    };
    let reply = samr::EnumerateReply::parse(&c.call(11, &groups.encode())).unwrap();
    assert_eq!(
        names_of(reply),
        [(513, "None".to_owned()), (2000, "staff".to_owned())]
    );
    let aliases = samr::EnumerateGroupsInDomain {
        handle: builtin,
        ..groups
    };
    let reply = samr::EnumerateReply::parse(&c.call(15, &aliases.encode())).unwrap();
    assert_eq!(names_of(reply)[0], (544, "Administrators".to_owned()));

    let reply = ask!(
        c,
        samr::LookupNamesInDomain {
            handle: own,
            count: 2,
            names: Varying(vec!["BOB".into(), "nobody".into()])
        },
        LookupNamesInDomainReply
    );
    assert_eq!(reply.status, NtStatus::SOME_NOT_MAPPED.0);
    assert_eq!(reply.relative_ids.element, Some(vec![1001, 0]));
    assert_eq!(reply.name_use.element, Some(vec![1, 8]));
    let reply = ask!(
        c,
        samr::LookupIdsInDomain {
            handle: own,
            count: 2,
            relative_ids: Varying(vec![513, 1000])
        },
        LookupIdsInDomainReply
    );
    assert_eq!(
        reply.names.element,
        Some(vec!["None".into(), "alice".into()])
    );
    let reply = ask!(
        c,
        samr::GetAliasMembership {
            handle: builtin,
            sid_array: samr::SidArray {
                count: 1,
                sids: Some(vec![DOMAIN.with_rid(1001)])
            }
        },
        GetAliasMembershipReply
    );
    assert_eq!(reply.membership.element, Some(vec![544]));
    for class in [1, 2, 3] {
        let reply = ask!(
            c,
            samr::QueryDisplayInformation {
                handle: own,
                display_information_class: class,
                index: 0,
                entry_count: 1000,
                prefered_maximum_length: u32::MAX
            },
            QueryDisplayInformationReply
        );
        assert_eq!((reply.status, reply.buffer.tag()), (0, class));
        assert_eq!(reply.total_returned == 0, class == 2);
    }
    for class in [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12] {
        let reply = ask!(
            c,
            samr::QueryInformationDomain {
                handle: own,
                information_class: class
            },
            QueryInformationDomainReply
        );
        assert_eq!(reply.buffer.map(|b| b.tag()), Some(class));
    }
}

#[test]
fn one_user_one_group_one_alias() {
    let mut c = Client::bound("samr", samr::INTERFACE, view());
    let own = open_domain(&mut c, DOMAIN);
    let builtin = open_domain(&mut c, Sid::BUILTIN);
    let open = |c: &mut Client, opnum, handle, relative_id| {
        let call = samr::OpenAccount {
            handle,
            desired_access: 0x0200_0000,
            relative_id,
        };
        samr::HandleReply::parse(&c.call(opnum, &call.encode())).unwrap()
    };
    assert_eq!(open(&mut c, 34, own, 4711).status, NtStatus::NO_SUCH_USER.0);
    assert_eq!(open(&mut c, 34, own, 513).status, NtStatus::NO_SUCH_USER.0);
    assert_eq!(
        open(&mut c, 19, own, 1000).status,
        NtStatus::NO_SUCH_GROUP.0
    );
    let user = open(&mut c, 34, own, 1000).handle;
    for class in [1, 6, 7, 8, 9, 13, 16, 20, 21] {
        let reply = ask!(
            c,
            samr::QueryInformationUser {
                handle: user,
                information_class: class
            },
            QueryInformationUserReply
        );
        assert_eq!(reply.status, 0);
        assert_eq!(reply.buffer.map(|b| b.tag()), Some(class));
    }
    let reply = ask!(
        c,
        samr::GetGroupsForUser { handle: user },
        GetGroupsForUserReply
    );
    let rids: Vec<_> = reply
        .groups
        .unwrap()
        .groups
        .unwrap()
        .iter()
        .map(|g| g.relative_id)
        .collect();
    assert_eq!(rids, [513, 2000]);
    let reply = ask!(
        c,
        samr::QuerySecurityObject {
            handle: user,
            security_information: 4
        },
        QuerySecurityObjectReply
    );
    let sd = reply.security_descriptor.unwrap();
    let sd = SecurityDescriptor::parse(&sd.security_descriptor.unwrap()).unwrap();
    assert_eq!(sd.owner, None);
    assert_eq!(sd.dacl.acl().unwrap().aces[2].sid(), Some(&ALICE));

    let group = open(&mut c, 19, own, 513).handle;
    let reply = ask!(
        c,
        samr::GetMembersInGroup { handle: group },
        GetMembersInGroupReply
    );
    assert_eq!(reply.members.unwrap().members, Some(vec![1000, 1001]));
    let alias = open(&mut c, 27, builtin, 544).handle;
    let reply = ask!(
        c,
        samr::GetMembersInAlias { handle: alias },
        GetMembersInAliasReply
    );
    assert_eq!(reply.members.sids, Some(vec![DOMAIN.with_rid(1001)]));
    // Handles of one kind do not do for another, nor those of the other interface.
    let wrong = samr::GetMembersInGroup { handle: alias }.encode();
    assert_eq!(c.try_call(25, &wrong), Err(Fault::CONTEXT_MISMATCH));
}

#[test]
fn null_sessions_read_no_accounts() {
    let mut c = Client::bound("samr", samr::INTERFACE, anonymous());
    let reply = ask!(
        c,
        samr::Connect2 {
            server_name: None,
            desired_access: 0
        },
        HandleReply
    );
    assert_eq!(
        (reply.handle, reply.status),
        (ContextHandle::NULL, NtStatus::ACCESS_DENIED.0)
    );
}
