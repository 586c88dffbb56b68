//! The one mapping from the host's error numbers to [`VfsError`].

use rustix::io::Errno;
use smb_engine::vfs::VfsError;

/// What a refusal of the host means in the vocabulary of the VFS.
pub(super) fn os(e: Errno) -> VfsError {
    match e {
        Errno::NOENT | Errno::NXIO | Errno::NODATA => VfsError::NotFound,
        Errno::EXIST => VfsError::Exists,
        Errno::NOTDIR => VfsError::NotADirectory,
        Errno::ISDIR => VfsError::IsADirectory,
        Errno::NOTEMPTY => VfsError::NotEmpty,
        Errno::ACCESS | Errno::PERM => VfsError::AccessDenied,
        // A descriptor without the right of this operation (or one that only names the file).
        Errno::BADF => VfsError::AccessDenied,
        Errno::ROFS => VfsError::ReadOnly,
        Errno::NOSPC => VfsError::NoSpace,
        Errno::DQUOT => VfsError::Quota,
        Errno::MFILE | Errno::NFILE => VfsError::TooManyOpen,
        Errno::MLINK | Errno::LOOP => VfsError::TooManyLinks,
        Errno::ILSEQ => VfsError::InvalidName,
        Errno::NAMETOOLONG => VfsError::NameTooLong,
        Errno::FBIG | Errno::OVERFLOW => VfsError::TooLarge,
        Errno::XDEV => VfsError::OtherVolume,
        Errno::BUSY | Errno::TXTBSY | Errno::AGAIN | Errno::DEADLK => VfsError::Busy,
        Errno::OPNOTSUPP | Errno::NOSYS | Errno::NOTTY => VfsError::NotSupported,
        Errno::INVAL => VfsError::Invalid,
        Errno::TOOBIG | Errno::RANGE => VfsError::EasTooLarge,
        Errno::STALE => VfsError::StaleHandle,
        _ => VfsError::Io,
    }
}

/// Repeats a call that a signal interrupted.
pub(super) fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_keep_their_meaning() {
        for (errno, error) in [
            (Errno::NOENT, VfsError::NotFound),
            (Errno::PERM, VfsError::AccessDenied),
            (Errno::NOSPC, VfsError::NoSpace),
            (Errno::DQUOT, VfsError::Quota),
            (Errno::XDEV, VfsError::OtherVolume),
            (Errno::ROFS, VfsError::ReadOnly),
            (Errno::NAMETOOLONG, VfsError::NameTooLong),
            (Errno::IO, VfsError::Io),
            (Errno::NOLINK, VfsError::Io),
        ] {
            assert_eq!(os(errno), error);
        }
    }

    #[test]
    fn interrupted_calls_are_repeated() {
        let mut left = 3;
        let done = retry(|| {
            left -= 1;
            if left == 0 { Ok(7) } else { Err(Errno::INTR) }
        });
        assert_eq!((done, left), (Ok(7), 0));
        assert_eq!(retry::<()>(|| Err(Errno::IO)), Err(Errno::IO));
    }
}
