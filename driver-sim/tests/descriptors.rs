//! Security descriptors, [MS-SMB2] 3.3.5.20.3 and 3.3.5.21.3.

use driver_sim::client::ops;
use driver_sim::pair::{Pair, Tree};
use smb_proto::NtStatus;
use smb_proto::dtyp::{
    AccessMask, Ace, AceFlags, Acl, AclSlot, SdControl, SecurityDescriptor, Sid,
};
use smb_proto::id::FileId;
use smb_proto::info::SecurityInformation;
use smb_proto::msg::Response;
use smb_proto::msg::query_info::Request;

fn world() -> (Pair, Tree, FileId) {
    let mut pair = Pair::new();
    pair.fs().write_file("file.txt", b"hello").unwrap();
    let tree = pair.mount();
    let file = pair.open(tree, "file.txt").unwrap();
    (pair, tree, file)
}

fn dacl(mask: AccessMask) -> SecurityDescriptor {
    SecurityDescriptor {
        dacl: AclSlot::Acl(Acl::new(vec![Ace::allow(
            Sid::WORLD,
            mask,
            AceFlags::empty(),
        )])),
        ..SecurityDescriptor::default()
    }
}

#[test]
fn descriptors() {
    use SecurityInformation as S;
    let (mut pair, tree, file) = world();
    let get = |pair: &mut Pair, parts| {
        let (status, bytes) = pair.query(tree, ops::query_security(file, parts));
        assert_eq!(status, NtStatus::SUCCESS);
        SecurityDescriptor::parse(&bytes).unwrap()
    };
    let mut given = dacl(AccessMask::GENERIC_ALL);
    given.control = SdControl::DACL_AUTO_INHERITED | SdControl::DACL_INHERIT_REQ;
    let set = |pair: &mut Pair, parts, sd: Vec<u8>| {
        pair.call(tree, ops::set_security(file, parts, sd)).status()
    };
    assert_eq!(set(&mut pair, S::DACL, given.to_vec()), NtStatus::SUCCESS);
    let mut expected = dacl(AccessMask::FILE_ALL_ACCESS);
    expected.control = SdControl::DACL_AUTO_INHERITED;
    assert_eq!(get(&mut pair, S::DACL), expected);
    let owner = get(&mut pair, S::OWNER).owner;
    assert!(owner.is_some());
    // What does not fit is told with its length.
    let small = Request {
        output_buffer_length: 10,
        ..ops::query_security(file, S::DACL)
    };
    let reply = pair.call(tree, small);
    assert_eq!(reply.status(), NtStatus::BUFFER_TOO_SMALL);
    match reply.body {
        Response::Error(e) => assert_eq!(
            e.required_length(),
            u32::try_from(expected.encoded_len()).ok()
        ),
        other => panic!("{other:?}"),
    }
    // Files are not given away; to write back the owner is fine.
    let owned = |sid| SecurityDescriptor {
        owner: Some(sid),
        ..SecurityDescriptor::default()
    };
    assert_eq!(
        set(&mut pair, S::OWNER, owned(owner.unwrap()).to_vec()),
        NtStatus::SUCCESS
    );
    assert_eq!(
        set(&mut pair, S::OWNER, owned(Sid::BUILTIN_GUESTS).to_vec()),
        NtStatus::INVALID_OWNER
    );
    assert_eq!(
        set(&mut pair, S::SACL, dacl(AccessMask::DELETE).to_vec()),
        NtStatus::ACCESS_DENIED
    );
    let mut cut = given.to_vec();
    cut.truncate(30);
    assert_eq!(set(&mut pair, S::DACL, cut), NtStatus::INVALID_ACL);
    assert_eq!(
        set(&mut pair, S::DACL, vec![1; 10]),
        NtStatus::INVALID_SECURITY_DESCR
    );
    assert_eq!(get(&mut pair, S::DACL), expected, "nothing was stored");
    pair.finish();
}
