//! Sharing of a file between its opens, [MS-FSA] 2.1.5.1.2.2.

use smb_proto::dtyp::AccessMask;
use smb_proto::msg::create::ShareAccess;

/// Accesses that take part in sharing. An open without any of them only looks at metadata and
/// conflicts with nothing.
pub(crate) const SHARED: AccessMask = AccessMask::FILE_READ_DATA
    .union(AccessMask::FILE_EXECUTE)
    .union(AccessMask::FILE_WRITE_DATA)
    .union(AccessMask::FILE_APPEND_DATA)
    .union(AccessMask::DELETE);

/// What one open does, and what it lets others do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Open.GrantedAccess, and for a new open also what its disposition does (overwriting writes).
    pub(crate) access: AccessMask,
    /// Open.SharingMode.
    pub(crate) share: ShareAccess,
}

/// How an existing open is related to what a new one opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kin {
    /// The same stream (or directory).
    Same,
    /// A named stream of the file whose unnamed stream is opened.
    NamedStream,
    /// Another stream of the same file.
    Other,
}

/// Whether a new open and an existing one get along; if not, STATUS_SHARING_VIOLATION.
pub(crate) fn compatible(new: Claim, existing: Claim, kin: Kin) -> bool {
    if !new.access.intersects(SHARED) || !existing.access.intersects(SHARED) {
        return true;
    }
    match kin {
        Kin::Same => tolerates(existing.share, new.access) && tolerates(new.share, existing.access),
        // Deleting a file deletes its streams.
        Kin::NamedStream => {
            !new.access.contains(AccessMask::DELETE) || existing.share.contains(ShareAccess::DELETE)
        }
        Kin::Other => true,
    }
}

/// Whether somebody who shares like this lets another one do that.
fn tolerates(share: ShareAccess, access: AccessMask) -> bool {
    let read = AccessMask::FILE_READ_DATA | AccessMask::FILE_EXECUTE;
    let write = AccessMask::FILE_WRITE_DATA | AccessMask::FILE_APPEND_DATA;
    [
        (ShareAccess::READ, read),
        (ShareAccess::WRITE, write),
        (ShareAccess::DELETE, AccessMask::DELETE),
    ]
    .into_iter()
    .all(|(lets, does)| share.contains(lets) || !access.intersects(does))
}

#[cfg(test)]
mod tests {
    use super::*;

    const R: AccessMask = AccessMask::FILE_READ_DATA;
    const X: AccessMask = AccessMask::FILE_EXECUTE;
    const W: AccessMask = AccessMask::FILE_WRITE_DATA;
    const A: AccessMask = AccessMask::FILE_APPEND_DATA;
    const D: AccessMask = AccessMask::DELETE;
    const STAT: AccessMask = AccessMask::from_bits_retain(0x001e_0198);

    fn claim(access: AccessMask, share: u32) -> Claim {
        Claim {
            access,
            share: ShareAccess::from_bits_retain(share),
        }
    }

    #[test]
    fn the_table() {
        for (first, second, expected) in [
            // (access, share) of both
            ((R, 1), (R, 1), true),
            ((R, 0), (R, 1), false),
            ((R, 1), (R, 0), false),
            ((X, 2), (R, 7), false),
            ((R, 1), (W, 1), false),
            ((R, 3), (W, 1), true),
            ((R, 3), (A, 1), true),
            ((R, 1), (A, 1), false),
            ((W, 3), (R, 1), false),
            ((W, 3), (R, 2), true),
            ((R, 7), (D, 1), true),
            ((R, 3), (D, 7), false),
            ((D, 7), (R, 3), false),
            ((D, 7), (R, 7), true),
            ((D, 0), (D, 7), false),
            ((R | W, 7), (R | W | D, 7), true),
            // metadata only: no conflict whatever is shared
            ((STAT, 0), (R | W | D, 0), true),
            ((R | W | D, 0), (STAT, 0), true),
            ((STAT, 0), (STAT, 0), true),
        ] {
            let (a, b) = (claim(first.0, first.1), claim(second.0, second.1));
            assert_eq!(compatible(a, b, Kin::Same), expected, "{a:?} {b:?}");
            // the rule does not care who came first
            assert_eq!(compatible(b, a, Kin::Same), expected, "{b:?} {a:?}");
            assert!(compatible(a, b, Kin::Other));
        }
    }

    #[test]
    fn streams_keep_their_file() {
        let stream = |share| claim(R, share);
        assert!(!compatible(claim(D, 7), stream(3), Kin::NamedStream));
        assert!(compatible(claim(D, 7), stream(4), Kin::NamedStream));
        assert!(compatible(claim(R | W, 0), stream(0), Kin::NamedStream));
    }
}
