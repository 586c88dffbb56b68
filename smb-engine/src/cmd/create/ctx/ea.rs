//! SMB2_CREATE_EA_BUFFER, [MS-SMB2] 3.3.5.9.1.

use bytes::Bytes;
use smb_proto::NtStatus;
use smb_proto::info::file::FileFullEaInformation;

use crate::vfs::{Capabilities, Ea};

/// The extended attributes of a context.
pub(super) fn check(list: &Bytes, capabilities: Capabilities) -> Result<Vec<Ea>, NtStatus> {
    let list =
        FileFullEaInformation::parse_list(list).map_err(|_| NtStatus::EA_LIST_INCONSISTENT)?;
    if !list.is_empty() && !capabilities.contains(Capabilities::EAS) {
        return Err(NtStatus::EAS_NOT_SUPPORTED);
    }
    list.iter()
        .map(|ea| {
            Ok(Ea {
                flags: ea.flags.bits(),
                name: name(&ea.name).ok_or(NtStatus::INVALID_EA_NAME)?,
                value: ea.value.clone(),
            })
        })
        .collect()
}

/// A good name, [MS-FSCC] 2.4.16: ASCII without control characters and `\ / : * ? " < > | + , ; = [ ]`.
fn name(bytes: &[u8]) -> Option<String> {
    let good = |b: &u8| matches!(b, b' '..=b'~') && !br#"\/:*?"<>|+,;=[]"#.contains(b);
    if bytes.is_empty() || !bytes.iter().all(good) {
        return None;
    }
    String::from_utf8(bytes.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use smb_proto::wire::Writer;

    fn list(names: &[&'static str]) -> Bytes {
        let eas: Vec<_> = names
            .iter()
            .map(|n| FileFullEaInformation {
                name: Bytes::from_static(n.as_bytes()),
                value: Bytes::from_static(b"v"),
                ..FileFullEaInformation::default()
            })
            .collect();
        let mut w = Writer::new();
        FileFullEaInformation::encode_list(&eas, &mut w);
        w.into_inner().freeze()
    }

    #[test]
    fn lists() {
        let eas = check(&list(&["ONE", "two words"]), Capabilities::EAS).unwrap();
        assert_eq!(eas.len(), 2);
        assert_eq!(
            (eas[1].name.as_str(), &eas[1].value[..]),
            ("two words", &b"v"[..])
        );
        for bad in ["", "a=b", "a\tb", "é"] {
            assert_eq!(
                check(&list(&[bad]), Capabilities::EAS),
                Err(NtStatus::INVALID_EA_NAME),
                "{bad:?}"
            );
        }
        assert_eq!(
            check(&list(&["A"]), Capabilities::empty()),
            Err(NtStatus::EAS_NOT_SUPPORTED)
        );
        assert_eq!(
            check(&Bytes::from_static(&[1; 9]), Capabilities::EAS),
            Err(NtStatus::EA_LIST_INCONSISTENT)
        );
        assert_eq!(check(&Bytes::new(), Capabilities::empty()), Ok(vec![]));
    }
}
