//! SMB2_CREATE_SD_BUFFER, [MS-SMB2] 3.3.5.9.2.

use smb_proto::NtStatus;
use smb_proto::dtyp::SecurityDescriptor;

use crate::acl::inherit::may_own;
use crate::identity::Identity;
use crate::vfs::Capabilities;

/// The descriptor of a context; `None` where the backend stores none, because a client cannot know
/// that beforehand and the file's protection is then the host's.
pub(super) fn check(
    bytes: &[u8],
    capabilities: Capabilities,
    who: &Identity,
) -> Result<Option<SecurityDescriptor>, NtStatus> {
    let sd = SecurityDescriptor::parse(bytes).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    if sd.owner.as_ref().is_some_and(|o| !may_own(who, o)) {
        return Err(NtStatus::INVALID_OWNER);
    }
    Ok(capabilities.contains(Capabilities::SECURITY).then_some(sd))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::check::tests::{account, user};

    #[test]
    fn owners_and_capabilities() {
        let who = user(7, &[]);
        let bytes = |owner| {
            let sd = SecurityDescriptor {
                owner: Some(account(owner)),
                ..SecurityDescriptor::default()
            };
            let mut w = smb_proto::wire::Writer::new();
            sd.encode(&mut w);
            w.into_inner()
        };
        let all = Capabilities::all();
        let got = check(&bytes(7), all, &who).unwrap().unwrap();
        assert_eq!(got.owner, Some(account(7)));
        assert_eq!(check(&bytes(8), all, &who), Err(NtStatus::INVALID_OWNER));
        assert_eq!(check(&bytes(7), Capabilities::empty(), &who), Ok(None));
        assert_eq!(
            check(&bytes(7)[..10], all, &who),
            Err(NtStatus::INVALID_PARAMETER)
        );
    }
}
