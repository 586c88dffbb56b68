//! What is known of a domain, group, alias or user, by information class ([MS-SAMR] 3.1.5.5).

use smb_proto::dtyp::{AccessMask, Ace, AceFlags, Acl, AclSlot, SecurityDescriptor, Sid};
use smb_proto::rpc::ndr::{OldLargeInteger, Varying};
use smb_proto::rpc::samr::*;

use super::super::AccountKind;
use super::super::handles::Object;
use super::super::rpc::len32;
use super::database::Database;

/// No time or no limit: the largest one.
const NEVER: OldLargeInteger = OldLargeInteger(i64::MAX);
/// No limit on ages, which are negative.
const NO_AGE: OldLargeInteger = OldLargeInteger(i64::MIN);
/// DomainServerRolePrimary.
const ROLE_PRIMARY: u32 = 3;
/// DomainServerEnabled.
const STATE_ENABLED: u32 = 1;
/// Hours of a week.
const HOURS: u16 = 168;

/// Which parts of a descriptor a caller asks for, [MS-DTYP] 2.4.7.
mod part {
    pub(super) const OWNER: u32 = 1;
    pub(super) const GROUP: u32 = 2;
    pub(super) const DACL: u32 = 4;
}

fn count(db: &Database<'_>, domain: &Sid, kind: AccountKind) -> u32 {
    len32(&db.entries(domain, kind))
}

/// SamrQueryInformationDomain; `None` for a class that does not exist.
pub(super) fn domain(class: u16, domain: &Sid, db: &Database<'_>) -> Option<DomainInfo> {
    let general = || DomainGeneralInformation {
        force_logoff: NEVER,
        oem_information: "".into(),
        domain_name: db.domain_name(domain).into(),
        replica_source_node_name: "".into(),
        domain_modified_count: OldLargeInteger(1),
        domain_server_state: STATE_ENABLED,
        domain_server_role: ROLE_PRIMARY,
        uas_compatibility_required: 1,
        user_count: count(db, domain, AccountKind::User),
        group_count: count(db, domain, AccountKind::Group),
        alias_count: count(db, domain, AccountKind::Alias),
    };
    Some(match class {
        // Passwords are managed elsewhere; there is no policy to report.
        1 => DomainInfo::Password(DomainPasswordInformation {
            min_password_length: 0,
            password_history_length: 0,
            password_properties: 0,
            max_password_age: NO_AGE,
            min_password_age: OldLargeInteger(0),
        }),
        2 => DomainInfo::General(general()),
        3 => DomainInfo::Logoff(NEVER),
        4 => DomainInfo::Oem("".into()),
        5 => DomainInfo::Name(db.domain_name(domain).into()),
        6 => DomainInfo::Replication("".into()),
        7 => DomainInfo::Role(3),
        8 => DomainInfo::Modified(DomainModifiedInformation {
            domain_modified_count: OldLargeInteger(1),
            creation_time: OldLargeInteger(0),
        }),
        9 => DomainInfo::State(1),
        11 => DomainInfo::General2(DomainGeneralInformation2 {
            general: general(),
            lockout_duration: 0,
            lockout_observation_window: 0,
            lockout_threshold: 0,
        }),
        12 => DomainInfo::Lockout(DomainLockoutInformation::default()),
        _ => return None,
    })
}

/// SamrQueryInformationGroup; `None` for a class that does not exist.
pub(super) fn group(class: u16, sid: &Sid, db: &Database<'_>) -> Option<GroupInfo> {
    let group = db.get(sid)?;
    Some(match class {
        1 => GroupInfo::General(GroupGeneralInformation {
            name: group.name.into(),
            attributes: GROUP_ATTRIBUTES,
            member_count: len32(&db.members(sid)),
            admin_comment: group.comment.into(),
        }),
        2 => GroupInfo::Name(group.name.into()),
        3 => GroupInfo::Attributes(GROUP_ATTRIBUTES),
        4 => GroupInfo::AdminComment(group.comment.into()),
        _ => return None,
    })
}

/// SamrQueryInformationAlias; `None` for a class that does not exist.
pub(super) fn alias(class: u16, sid: &Sid, db: &Database<'_>) -> Option<AliasInfo> {
    let alias = db.get(sid)?;
    Some(match class {
        1 => AliasInfo::General(AliasGeneralInformation {
            name: alias.name.into(),
            member_count: len32(&db.members(sid)),
            admin_comment: alias.comment.into(),
        }),
        2 => AliasInfo::Name(alias.name.into()),
        3 => AliasInfo::AdminComment(alias.comment.into()),
        _ => return None,
    })
}

/// SamrQueryInformationUser; `None` for a class that does not exist or is not answered.
pub(super) fn user(class: u16, sid: &Sid, db: &Database<'_>) -> Option<UserInfo> {
    let user = db.get(sid)?;
    Some(match class {
        1 => UserInfo::General(UserGeneralInformation {
            user_name: user.name.into(),
            full_name: user.full_name.into(),
            primary_group_id: GROUP_RID_USERS,
            admin_comment: user.comment.into(),
            user_comment: "".into(),
        }),
        6 => UserInfo::Name(UserNameInformation {
            user_name: user.name.into(),
            full_name: user.full_name.into(),
        }),
        7 => UserInfo::AccountName(user.name.into()),
        8 => UserInfo::FullName(user.full_name.into()),
        9 => UserInfo::PrimaryGroup(GROUP_RID_USERS),
        13 => UserInfo::AdminComment(user.comment.into()),
        16 => UserInfo::Control(user.account_control()),
        20 => UserInfo::Parameters("".into()),
        21 => UserInfo::All(Box::new(UserAllInformation {
            last_logoff: NEVER,
            account_expires: NEVER,
            password_must_change: NEVER,
            user_name: user.name.into(),
            full_name: user.full_name.into(),
            home_directory: "".into(),
            home_directory_drive: "".into(),
            script_path: "".into(),
            profile_path: "".into(),
            admin_comment: user.comment.into(),
            work_stations: "".into(),
            user_comment: "".into(),
            parameters: "".into(),
            private_data: "".into(),
            user_id: user.rid,
            primary_group_id: GROUP_RID_USERS,
            user_account_control: user.account_control(),
            which_fields: USER_ALL_READABLE,
            logon_hours: LogonHours {
                units_per_week: HOURS,
                logon_hours: Some(Varying(vec![0xff; usize::from(HOURS / 8)])),
            },
            ..UserAllInformation::default()
        })),
        _ => return None,
    })
}

/// SamrQuerySecurityObject, [MS-SAMR] 3.1.5.12.2: everyone may read, administrators may do
/// everything, and a user may change its own password (which clients look for before they offer
/// it).
pub(super) fn security(object: Object, wanted: u32) -> SecurityDescriptor {
    // Rights to read and to do everything for each kind of object, [MS-SAMR] 2.2.1.3 to 2.2.1.7.
    let (read, all, own) = match object {
        Object::SamServer | Object::Policy => (0x0002_0031, 0x000f_003f, None),
        Object::Domain(_) => (0x0002_0385, 0x000f_07ff, None),
        Object::Group(_) => (0x0002_0011, 0x000f_001f, None),
        Object::Alias(_) => (0x0002_000c, 0x000f_001f, None),
        Object::User(sid) => (0x0002_035b, 0x000f_07ff, Some(sid)),
    };
    let allow = |sid, bits| Ace::allow(sid, AccessMask::from_bits_retain(bits), AceFlags::empty());
    let mut aces = vec![
        allow(Sid::WORLD, read),
        allow(Sid::BUILTIN_ADMINISTRATORS, all),
    ];
    aces.extend(own.map(|sid| allow(sid, 0x0002_0044)));
    let admins = |bit| (wanted & bit != 0).then_some(Sid::BUILTIN_ADMINISTRATORS);
    SecurityDescriptor {
        owner: admins(part::OWNER),
        group: admins(part::GROUP),
        dacl: if wanted & part::DACL != 0 {
            AclSlot::Acl(Acl::new(aces))
        } else {
            AclSlot::Absent
        },
        ..SecurityDescriptor::default()
    }
}
