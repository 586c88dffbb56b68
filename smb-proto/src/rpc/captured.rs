//! The interfaces against what real clients and servers sent.

use bytes::Bytes;

use super::ndr::{ContextHandle, UnicodeString, Varying, WideStr};
use super::pdu::{Body, Pdu};
use super::{lsarpc, samr, srvsvc};
use crate::ParseError;
use crate::dtyp::Sid;

/// Stub of the request of `smbclient -L`.
const SHARE_ENUM: &str = "000002000a000000000000000a0000003100320037002e0030002e0030002e0031000000010000000100\
    0000040002000000000000000000ffffffff0800020000000000";

/// Stub of its reply from Samba.
const SHARE_ENUM_REPLY: &str = "01000000010000000c0002000800000010000200080000001400020000000000180002001c0002000000\
    0000200002002400020000000000280002002c0002000000000030000200340002000000000038000200\
    3c00020000000000400002004400020000000000480002004c0002000300008050000200050000000000\
    00000500000064006100740061000000000017000000000000001700000070006c00610069006e002000\
    72006500610064002d007700720069007400650020007300680061007200650000000000040000000000\
    00000400000065006e006300000001000000000000000100000000000000030000000000000003000000\
    72006f000000000001000000000000000100000000000000040000000000000004000000700075006200\
    000001000000000000000100000000000000080000000000000008000000640075007200610062006c00\
    650000000100000000000000010000000000000008000000000000000800000073007400720065006100\
    6d0073000000010000000000000001000000000000000600000000000000060000006600720075006900\
    740000000100000000000000010000000000000005000000000000000500000049005000430024000000\
    000023000000000000002300000049005000430020005300650072007600690063006500200028005300\
    61006d0062006100200034002e00310037002e00310032002d00440065006200690061006e0029000000\
    000008000000540002000000000000000000";

/// Stub of the request of `rpcclient srvinfo`.
const SERVER_GET_INFO: &str = "000002000c000000000000000c0000005c005c003100320037002e0030002e0030002e00310000006500\
    0000";

/// Stub of its reply from Samba.
const SERVER_GET_INFO_REPLY: &str = "6500000004000200f4010000080002000600000001000000039a80000c00020007000000000000000700\
    000043004100500053005200560000000000150000000000000015000000530061006d00620061002000\
    34002e00310037002e00310032002d00440065006200690061006e000000000000000000";

/// Stub of the request of `rpcclient netremotetod`.
const REMOTE_TOD: &str =
    "000002000c000000000000000c0000005c005c003100320037002e0030002e0030002e0031000000";

/// Stub of its reply from Samba.
const REMOTE_TOD_REPLY: &str = "04000200deeb026b000000000d000000130000001a000000000000000000000010270000160000000b00\
    0000ea0700000000000000000000";

/// Stub of the request of `rpcclient`.
const OPEN_POLICY: &str = "000002005c0000001800000000000000000000000000000000000000040002000c000000020001000008\
    0000";

/// Stub of its reply from Samba.
const OPEN_POLICY_REPLY: &str = "01000000329c0afe25d25343970e37971469eb1000000000";

/// Stub of the request of `rpcclient lookupnames alice`.
const LOOKUP_NAMES: &str = "01000000329c0afe25d25343970e37971469eb1001000000010000000a000a0000000200050000000000\
    00000500000061006c00690063006500000000000000000000000100000000000000";

/// Stub of its reply from Samba.
const LOOKUP_NAMES_REPLY: &str = "04000200010000000800020020000000010000000c000e000c0002001000020007000000000000000600\
    000043004100500053005200560004000000010400000000000515000000463c43dbbc9b9232a01f6a16\
    01000000140002000100000001000000e8030000000000000100000000000000";

/// Stub of the request of `rpcclient getusername`.
const GET_USER_NAME: &str = "000002000a000000000000000a0000003100320037002e0030002e0030002e0031000000000000000400\
    020000000000";

/// Stub of its reply from Samba.
const GET_USER_NAME_REPLY: &str = "080002000a000a000c00020005000000000000000500000061006c006900630065000000100002001400\
    02000c000c001800020006000000000000000600000043004100500053005200560000000000";

/// Stub of the request of `rpcclient lsaquery`.
const QUERY_POLICY: &str = "010000000dafde1a57ab894da803eb1fc0664a330300";

/// Stub of its reply from Samba.
const QUERY_POLICY_REPLY: &str = "00000200030000000c000e0004000200000000000700000000000000060000004300410050004c004100\
    420000000000";

/// Stub of the request of `rpcclient`.
const CONNECT5: &str = "000002000c000000000000000c0000005c005c003100320037002e0030002e0030002e00310000000000\
    000201000000010000000200000000000000";

/// Stub of its reply from Samba.
const CONNECT5_REPLY: &str =
    "0100000001000000030000000000000000000000809857545452fc438dbe7f864e3f65d800000000";

/// Stub of the request of `rpcclient enumdomains`.
const ENUM_DOMAINS: &str = "00000000809857545452fc438dbe7f864e3f65d800000000ffff0000";

/// Stub of its reply from Samba.
const ENUM_DOMAINS_REPLY: &str = "0000000000000200020000000400020002000000000000000c000c0008000200010000000e000e000c00\
    020006000000000000000600000043004100500053005200560007000000000000000700000042007500\
    69006c00740069006e0000000200000000000000";

/// Stub of the request of `rpcclient lookupdomain CAPSRV`.
const LOOKUP_DOMAIN: &str = "00000000809857545452fc438dbe7f864e3f65d80c000c00000002000600000000000000060000004300\
    41005000530052005600";

/// Stub of its reply from Samba.
const LOOKUP_DOMAIN_REPLY: &str =
    "0400020004000000010400000000000515000000463c43dbbc9b9232a01f6a1600000000";

/// A whole request, signed: SamrEnumerateUsersInDomain with an NTLM trailer.
const ENUM_USERS_PDU: &str = "050000031000000050001000060000002000000000000d00000000000e000000000000009e6447cf4f00\
    00000000000010000000ffff00000a0500000100000001000000015349afddecd90d04000000";

/// A whole reply, signed.
const ENUM_USERS_REPLY_PDU: &str = "050002031000000090001000060000006000000000000000020000000000020002000000040002000200\
    0000e80300000800080008000200e90300000a000a000c0002000400000000000000040000007a006500\
    65006b0005000000000000000500000061006c00690063006500000002000000000000000a0500000100\
    000001000000b79acae75a47a59c04000000";

fn hex(text: &str) -> Bytes {
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
        .collect()
}

/// Reads a stub, checks that every shorter one is refused and that what was read is written back
/// to the same value in as many bytes.
macro_rules! read {
    ($ty:ty, $stub:expr) => {{
        let stub = hex($stub);
        let v = <$ty>::parse(&stub).unwrap();
        assert_eq!(<$ty>::parse(&v.encode()).as_ref(), Ok(&v));
        assert_eq!(v.encode().len(), stub.len());
        for n in 0..stub.len() {
            assert!(<$ty>::parse(&stub[..n]).is_err(), "cut to {n}");
        }
        v
    }};
}

/// As `read`, and what was read is written back to the same bytes. Samba numbers the pointers of
/// some replies differently, and some maximum lengths are greater; those are for `read`.
macro_rules! read_exact {
    ($ty:ty, $stub:expr) => {{
        let v = read!($ty, $stub);
        assert_eq!(v.encode(), hex($stub));
        v
    }};
}

#[test]
fn share_enum() {
    let call = read_exact!(srvsvc::ShareEnum, SHARE_ENUM);
    assert_eq!(call, srvsvc::ShareEnum::all_level_1("127.0.0.1"));

    let reply = read!(srvsvc::ShareEnumReply, SHARE_ENUM_REPLY);
    let srvsvc::ShareEnumUnion::Level1(Some(list)) = &reply.info.share_info else {
        panic!("{reply:?}")
    };
    let shares: Vec<_> = list
        .buffer
        .iter()
        .flatten()
        .map(|s| {
            let text = |t: &Option<WideStr>| t.clone().unwrap().0;
            (text(&s.netname), s.share_type, text(&s.remark))
        })
        .collect();
    assert_eq!(
        shares[0],
        (
            "data".into(),
            srvsvc::STYPE_DISKTREE,
            "plain read-write share".into()
        )
    );
    assert_eq!(shares.len(), 8);
    assert_eq!(shares[7].0, "IPC$");
    assert_eq!(shares[7].1, srvsvc::STYPE_IPC | srvsvc::STYPE_SPECIAL);
    assert_eq!((reply.total_entries, reply.status), (8, 0));
}

#[test]
fn share_enum_of_a_level_that_is_not_known() {
    let mut stub = hex(SHARE_ENUM).to_vec();
    for at in [36, 40] {
        stub[at] = 99;
    }
    let call = srvsvc::ShareEnum::parse(&stub).unwrap();
    assert_eq!(call.info.level, 99);
    assert_eq!(call.info.share_info.tag(), 99);
    assert_eq!(call.prefered_maximum_length, u32::MAX);
}

#[test]
fn server_info_and_time() {
    let call = read_exact!(srvsvc::ServerGetInfo, SERVER_GET_INFO);
    assert_eq!(call.level, 101);
    assert_eq!(call.server_name, Some("\\\\127.0.0.1".into()));
    let reply = read!(srvsvc::ServerGetInfoReply, SERVER_GET_INFO_REPLY);
    let srvsvc::ServerInfo::Level101(Some(info)) = reply.info else {
        panic!("{reply:?}")
    };
    assert_eq!(info.platform_id, srvsvc::PLATFORM_ID_NT);
    assert_eq!(info.name, Some("CAPSRV".into()));
    assert_eq!((info.version_major, info.version_minor), (6, 1));
    assert_eq!(info.comment, Some("Samba 4.17.12-Debian".into()));

    read_exact!(srvsvc::RemoteTod, REMOTE_TOD);
    let reply = read!(srvsvc::RemoteTodReply, REMOTE_TOD_REPLY);
    let time = reply.info.unwrap();
    assert_eq!((time.year, time.month, time.day), (2026, 11, 22));
    assert_eq!((time.hours, time.mins, time.secs), (13, 19, 26));
}

#[test]
fn policies_and_lookups() {
    let call = read_exact!(lsarpc::OpenPolicy, OPEN_POLICY);
    assert_eq!(call.system_name, Some(u16::from(b'\\')));
    let quality = call.object_attributes.security_quality_of_service.unwrap();
    assert_eq!((quality.length, quality.impersonation_level), (12, 2));
    assert_eq!(
        (quality.context_tracking_mode, quality.effective_only),
        (1, 0)
    );
    assert_eq!(call.desired_access, 0x0000_0800);
    let opened = read_exact!(lsarpc::HandleReply, OPEN_POLICY_REPLY);
    assert_ne!(opened.handle, ContextHandle::NULL);

    let call = read_exact!(lsarpc::LookupNames, LOOKUP_NAMES);
    assert_eq!(call.names, ["alice".into()]);
    assert_eq!((call.count, call.lookup_level), (1, 1));
    let reply = read!(lsarpc::LookupNamesReply, LOOKUP_NAMES_REPLY);
    let domains = reply.referenced_domains.unwrap().domains.unwrap();
    assert_eq!(domains[0].name, "CAPSRV".into());
    assert_eq!(
        domains[0].sid.unwrap().to_string(),
        "S-1-5-21-3678616646-848468924-376053664"
    );
    assert_eq!(
        reply.translated_sids.sids.unwrap(),
        [lsarpc::TranslatedSid {
            name_use: lsarpc::name_use::USER,
            relative_id: 1000,
            domain_index: 0
        }]
    );
    assert_eq!((reply.mapped_count, reply.status), (1, 0));

    let call = read_exact!(lsarpc::QueryInformationPolicy, QUERY_POLICY);
    assert_eq!(call.information_class, 3);
    let reply = read!(lsarpc::QueryInformationPolicyReply, QUERY_POLICY_REPLY);
    assert_eq!(
        reply.information,
        Some(lsarpc::PolicyInformation::PrimaryDomain(
            lsarpc::DomainInfo {
                name: "CAPLAB".into(),
                sid: None
            }
        ))
    );

    let call = read_exact!(lsarpc::GetUserName, GET_USER_NAME);
    assert_eq!((call.user_name, call.domain_name), (None, Some(None)));
    let reply = read!(lsarpc::GetUserNameReply, GET_USER_NAME_REPLY);
    assert_eq!(reply.user_name, Some("alice".into()));
    assert_eq!(reply.domain_name, Some(Some("CAPSRV".into())));
}

#[test]
fn accounts() {
    let call = read_exact!(samr::Connect5, CONNECT5);
    assert_eq!(
        call.in_revision_info,
        samr::RevisionInfo::V1(samr::RevisionInfoV1 {
            revision: 2,
            supported_features: 0
        })
    );
    read_exact!(samr::Connect5Reply, CONNECT5_REPLY);

    read_exact!(samr::EnumerateDomainsInSamServer, ENUM_DOMAINS);
    let reply = read_exact!(samr::EnumerateReply, ENUM_DOMAINS_REPLY);
    let names: Vec<_> = reply.buffer.unwrap().buffer.unwrap();
    let names: Vec<_> = names.iter().map(|n| n.name.text()).collect();
    assert_eq!(names, ["CAPSRV", "Builtin"]);

    let call = read_exact!(samr::LookupDomainInSamServer, LOOKUP_DOMAIN);
    assert_eq!(call.name, "CAPSRV".into());
    let reply = read!(samr::LookupDomainInSamServerReply, LOOKUP_DOMAIN_REPLY);
    assert_eq!(
        reply.domain_id,
        Some(Sid::domain(3_678_616_646, 848_468_924, 376_053_664))
    );
}

#[test]
fn signed_enumeration_of_users() {
    let pdu = Pdu::parse(&hex(ENUM_USERS_PDU)).unwrap();
    let auth = pdu.auth.as_ref().unwrap();
    assert_eq!((auth.auth_type, auth.auth_level), (10, 5));
    let Body::Request(request) = pdu.body else {
        panic!("{pdu:?}")
    };
    assert_eq!(request.opnum, samr::EnumerateUsersInDomain::OPNUM);
    assert_eq!(
        samr::EnumerateUsersInDomain::parse(&request.stub),
        Ok(samr::EnumerateUsersInDomain {
            handle: ContextHandle([
                0, 0, 0, 0, 0x0e, 0, 0, 0, 0, 0, 0, 0, 0x9e, 0x64, 0x47, 0xcf, 0x4f, 0, 0, 0
            ]),
            enumeration_context: 0,
            user_account_control: samr::USER_NORMAL_ACCOUNT,
            prefered_maximum_length: 0xffff,
        })
    );

    let pdu = Pdu::parse(&hex(ENUM_USERS_REPLY_PDU)).unwrap();
    let Body::Response(response) = pdu.body else {
        panic!("{pdu:?}")
    };
    let reply = samr::EnumerateReply::parse(&response.stub).unwrap();
    assert_eq!(reply.encode(), response.stub);
    assert_eq!(
        reply.buffer.unwrap().buffer.unwrap(),
        [(1000, "zeek"), (1001, "alice")].map(|(relative_id, name)| samr::RidEnumeration {
            relative_id,
            name: name.into()
        })
    );
}

#[test]
fn declared_sizes_of_names_are_kept_and_bounded() {
    let call = samr::LookupNamesInDomain {
        handle: ContextHandle::NULL,
        count: 1,
        names: Varying(vec!["x".into()]),
    };
    assert_eq!(call.encode()[24..28], 1000u32.to_le_bytes());
    let many = samr::LookupNamesInDomain {
        handle: ContextHandle::NULL,
        count: 1001,
        names: Varying(vec![UnicodeString::default(); 1001]),
    };
    assert_eq!(
        samr::LookupNamesInDomain::parse(&many.encode()),
        Err(ParseError::BadValue("NDR"))
    );
}
