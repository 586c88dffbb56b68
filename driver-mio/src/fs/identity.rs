//! Acting as the user behind a request.
//!
//! With root's rights the server gives its thread the effective user, group and supplementary
//! groups of the user for the time of one operation; the kernel then drops the capabilities that
//! override file permissions. The real and saved ids stay root's, so nobody can signal or trace the
//! thread meanwhile and the way back is open. Linux keeps ids per thread, so other threads are not
//! concerned.

use rustix::fs::Statx;
use rustix::process::{Gid, Uid, getegid, geteuid, getgroups};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use smb_engine::identity::{Identity, IdentityKind};
use smb_engine::vfs::VfsError;

use super::error::os;

/// The process's own ids.
#[derive(Debug, Clone)]
pub(super) struct Own {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

impl Own {
    pub(super) fn read() -> Result<Self, VfsError> {
        Ok(Self {
            uid: geteuid(),
            gid: getegid(),
            groups: getgroups().map_err(os)?,
        })
    }

    /// Whether the process can act as others.
    pub(super) fn is_root(&self) -> bool {
        self.uid.is_root()
    }

    pub(super) fn uid(&self) -> u32 {
        self.uid.as_raw()
    }

    /// The permission bits (4 read, 2 write, 1 execute) that the mode of a file gives this process.
    pub(super) fn permission(&self, stat: &Statx) -> u16 {
        let shift = if stat.stx_uid == self.uid() {
            6
        } else if stat.stx_gid == self.gid.as_raw()
            || self.groups.iter().any(|g| g.as_raw() == stat.stx_gid)
        {
            3
        } else {
            0
        };
        stat.stx_mode >> shift & 7
    }

    /// Takes the identity of `by` until the returned value is dropped. Stays as it is if the
    /// process is not root's, or `by` may do everything or is nobody on this host.
    pub(super) fn act_as<'a>(&'a self, by: &Identity) -> Result<Acting<'a>, VfsError> {
        let mut acting = Acting {
            own: self,
            user: None,
        };
        let (Some(uid), false, true) = (
            by.uid,
            by.admin || by.kind == IdentityKind::System,
            self.is_root(),
        ) else {
            return Ok(acting);
        };
        if uid == 0 {
            return Ok(acting);
        }
        // (uid_t)-1 means "leave it" to the kernel: it would act as root.
        let gid = by.gid.unwrap_or(NOBODY);
        if uid == u32::MAX || gid == u32::MAX || by.host_groups.contains(&u32::MAX) {
            return Err(VfsError::AccessDenied);
        }
        let groups: Vec<Gid> = by.host_groups.iter().map(|&g| Gid::from_raw(g)).collect();
        set_thread_groups(&groups).map_err(os)?;
        // From here on dropping `acting` restores what was changed.
        acting.user = Some((Uid::from_raw(uid), Gid::from_raw(gid)));
        set_thread_res_gid(None, Gid::from_raw(gid), None).map_err(os)?;
        set_thread_res_uid(None, Uid::from_raw(uid), None).map_err(os)?;
        Ok(acting)
    }
}

/// The group of a user for whom none is known: 65534, `nogroup`.
const NOBODY: u32 = 65_534;

/// The time during which the thread acts as a user.
pub(super) struct Acting<'a> {
    own: &'a Own,
    user: Option<(Uid, Gid)>,
}

impl Acting<'_> {
    /// Runs `call` as the user; if the host refuses it, once more as the server. For changes of
    /// metadata that the caller has allowed by the security descriptor, and POSIX reserves to the
    /// owner.
    pub(super) fn or_as_server<T>(
        &self,
        mut call: impl FnMut() -> Result<T, VfsError>,
    ) -> Result<T, VfsError> {
        match call() {
            Err(VfsError::AccessDenied) if self.user.is_some() => self.as_server(call),
            done => done,
        }
    }

    /// Runs `call` as the server.
    pub(super) fn as_server<T>(
        &self,
        mut call: impl FnMut() -> Result<T, VfsError>,
    ) -> Result<T, VfsError> {
        let Some((uid, _)) = self.user else {
            return call();
        };
        set_thread_res_uid(None, self.own.uid, None).map_err(os)?;
        let done = call();
        if set_thread_res_uid(None, uid, None).is_err() {
            // The rest of the operation must not run with root's rights.
            std::process::abort();
        }
        done
    }
}

impl Drop for Acting<'_> {
    fn drop(&mut self) {
        if self.user.is_none() {
            return;
        }
        let restored = set_thread_res_uid(None, self.own.uid, None)
            .and_then(|()| set_thread_res_gid(None, self.own.gid, None))
            .and_then(|()| set_thread_groups(&self.own.groups));
        if restored.is_err() {
            // The next operation on this thread would run as this one's user.
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(uid: u32) -> Identity {
        Identity {
            admin: false,
            kind: IdentityKind::User,
            uid: Some(uid),
            gid: Some(uid),
            host_groups: vec![uid, 4242],
            ..Identity::system()
        }
    }

    fn present() -> (Uid, Gid, Vec<Gid>) {
        (geteuid(), getegid(), getgroups().unwrap())
    }

    #[test]
    fn ids_come_and_go_with_the_guard() {
        let own = Own::read().unwrap();
        let before = present();
        if !own.is_root() {
            let acting = own.act_as(&user(12345)).unwrap();
            assert_eq!(present(), before);
            drop(acting);
            return;
        }
        let acting = own.act_as(&user(12345)).unwrap();
        assert_eq!(geteuid(), Uid::from_raw(12345));
        assert_eq!(getegid(), Gid::from_raw(12345));
        assert!(getgroups().unwrap().contains(&Gid::from_raw(4242)));
        let elsewhere = std::thread::spawn(present).join().unwrap();
        acting
            .as_server(|| {
                assert_eq!(geteuid(), before.0);
                Ok(())
            })
            .unwrap();
        assert_eq!(geteuid(), Uid::from_raw(12345));
        drop(acting);
        assert_eq!(present(), before);
        // Threads inherit the ids of the one that made them.
        assert_eq!(elsewhere.0, Uid::from_raw(12345));
    }

    #[test]
    fn no_identity_becomes_root_by_accident() {
        let own = Own::read().unwrap();
        if own.is_root() {
            for bad in [
                Identity {
                    uid: Some(u32::MAX),
                    ..user(5)
                },
                Identity {
                    gid: Some(u32::MAX),
                    ..user(5)
                },
                Identity {
                    host_groups: vec![u32::MAX],
                    ..user(5)
                },
            ] {
                assert_eq!(own.act_as(&bad).err(), Some(VfsError::AccessDenied));
            }
        }
        let before = present();
        drop(own.act_as(&Identity::system()).unwrap());
        drop(
            own.act_as(&Identity {
                uid: None,
                ..user(5)
            })
            .unwrap(),
        );
        assert_eq!(present(), before);
    }

    #[test]
    fn refused_calls_are_repeated_as_the_server() {
        let own = Own::read().unwrap();
        let acting = own.act_as(&user(4711)).unwrap();
        let seen = acting.or_as_server(|| {
            if geteuid() == Uid::from_raw(4711) {
                Err(VfsError::AccessDenied)
            } else {
                Ok(geteuid())
            }
        });
        assert_eq!(seen, Ok(own.uid));
        assert_eq!(
            acting.or_as_server(|| Err::<(), _>(VfsError::NoSpace)),
            Err(VfsError::NoSpace)
        );
    }
}
