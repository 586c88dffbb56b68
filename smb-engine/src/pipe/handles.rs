//! Context handles of one association.

use std::collections::BTreeMap;

use smb_proto::dtyp::Sid;
use smb_proto::rpc::ndr::ContextHandle;

/// The most handles of one pipe.
pub(super) const MAX_HANDLES: usize = 256;

/// What a handle stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Object {
    /// The LSA policy.
    Policy,
    /// The account database.
    SamServer,
    /// A domain of it.
    Domain(Sid),
    /// A user.
    User(Sid),
    /// A group.
    Group(Sid),
    /// A local group.
    Alias(Sid),
}

/// The open handles. A handle's number is never used again; handles of other pipes are not known
/// here, so they need not be hard to guess.
#[derive(Debug, Default)]
pub(super) struct Handles {
    open: BTreeMap<ContextHandle, Object>,
    last: u64,
}

impl Handles {
    /// A new handle; `None` if there are too many.
    pub(super) fn open(&mut self, object: Object) -> Option<ContextHandle> {
        if self.open.len() >= MAX_HANDLES {
            return None;
        }
        self.last = self.last.checked_add(1)?;
        let mut bytes = [0; 20];
        bytes
            .iter_mut()
            .skip(4)
            .zip(self.last.to_le_bytes())
            .for_each(|(to, from)| *to = from);
        let handle = ContextHandle(bytes);
        self.open.insert(handle, object);
        Some(handle)
    }

    /// What a handle stands for.
    pub(super) fn get(&self, handle: ContextHandle) -> Option<Object> {
        self.open.get(&handle).copied()
    }

    /// Closes a handle; `false` if it was not open.
    pub(super) fn close(&mut self, handle: ContextHandle) -> bool {
        self.open.remove(&handle).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_bounded_and_never_repeat() {
        let mut h = Handles::default();
        let first = h.open(Object::Policy).unwrap();
        assert_ne!(first, ContextHandle::NULL);
        for _ in 1..MAX_HANDLES {
            h.open(Object::SamServer).unwrap();
        }
        assert_eq!(h.open(Object::Policy), None);
        assert_eq!(h.get(first), Some(Object::Policy));
        assert!(h.close(first));
        assert!(!h.close(first));
        assert_eq!(h.get(first), None);
        assert_ne!(h.open(Object::Policy), Some(first));
    }
}
