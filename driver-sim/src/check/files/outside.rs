//! What happens besides requests: it widens what is possible.

use std::sync::Arc;

use smb_engine::names::fold;
use smb_engine::vfs::{VfsError, VfsOp};
use smb_proto::NtStatus;

use super::op::{Lenient, What};
use super::state::{Entry, Node};
use super::{Files, Outside};

impl Files {
    pub(super) fn outside(&mut self, outside: &Outside<'_>) {
        match outside {
            Outside::Fault { op, error } => self.fault(op, error, false),
            Outside::Torn { op, error } => self.fault(op, error, true),
            Outside::ShortRead { .. } => {
                for op in self.model.pending.values_mut() {
                    op.short |= matches!(op.what, What::Read { .. });
                }
            }
            Outside::Touched { path } => self.model.forget(&fold(path)),
            Outside::Present { path, content } => self.present(path, *content),
            Outside::Lost => {
                let mut model = std::mem::take(&mut self.model);
                model.lost();
                *self = Self {
                    model,
                    judged: self.judged,
                    next: self.next,
                    ..Self::default()
                };
            }
            Outside::Drained => {
                for op in self.model.pending.values_mut() {
                    op.cancelled = true;
                    op.lenient = op.lenient.max(Lenient::Start);
                }
            }
        }
    }

    /// Some request in flight may fail.
    pub(super) fn fault(&mut self, vfs: &VfsOp, error: &VfsError, torn: bool) {
        let status = status_of(error);
        let torn = torn && !matches!(vfs, VfsOp::Close { .. });
        let mut torn_opens = Vec::new();
        for op in self.model.pending.values_mut() {
            if concerns(vfs, &op.what) {
                op.faults.insert(status.0);
                torn_opens.extend(op.what.open().filter(|_| torn));
            }
        }
        for config in &mut self.model.configs {
            for open in &torn_opens {
                let node = config.state.open(*open).map(|o| o.node);
                if let Some(n) = node.and_then(|n| config.state.node_mut(n)) {
                    n.content = None;
                    n.flushed = false;
                }
            }
        }
    }

    pub(super) fn present(&mut self, path: &str, content: Option<&[u8]>) {
        let no = self.number();
        let node = Node {
            dir: content.is_none(),
            content: content.map(|c| Arc::new(c.to_vec())),
            flushed: true,
            ..Node::default()
        };
        for config in &mut self.model.configs {
            config.state.nodes.insert(no, Arc::new(node.clone()));
            let name = fold(path).into();
            config.state.names.insert(name, Entry::Node(no));
        }
    }
}

/// The status that tells of an error of the disk ([MS-FSA] names the situations).
fn status_of(error: &VfsError) -> NtStatus {
    match error {
        VfsError::NotFound => NtStatus::OBJECT_NAME_NOT_FOUND,
        VfsError::PathNotFound => NtStatus::OBJECT_PATH_NOT_FOUND,
        VfsError::Exists => NtStatus::OBJECT_NAME_COLLISION,
        VfsError::NotEmpty => NtStatus::DIRECTORY_NOT_EMPTY,
        VfsError::AccessDenied => NtStatus::ACCESS_DENIED,
        VfsError::ReadOnly => NtStatus::MEDIA_WRITE_PROTECTED,
        VfsError::NoSpace => NtStatus::DISK_FULL,
        VfsError::Quota => NtStatus::QUOTA_EXCEEDED,
        VfsError::TooManyOpen => NtStatus::TOO_MANY_OPENED_FILES,
        VfsError::Busy => NtStatus::SHARING_VIOLATION,
        VfsError::Gone => NtStatus::SERVER_UNAVAILABLE,
        _ => NtStatus::UNEXPECTED_IO_ERROR,
    }
}

/// Whether a question to the disk may be asked for the sake of such an operation.
fn concerns(vfs: &VfsOp, what: &What) -> bool {
    use What as W;
    match vfs {
        VfsOp::Read { .. } => matches!(what, W::Read { .. } | W::Copy { .. } | W::Smash { .. }),
        VfsOp::Write { .. } | VfsOp::CopyRange { .. } => {
            matches!(what, W::Write { .. } | W::Copy { .. } | W::Smash { .. })
        }
        VfsOp::SetSize { .. } | VfsOp::SetAllocation { .. } => matches!(what, W::Resize { .. }),
        VfsOp::ZeroRange { .. } => matches!(what, W::Zero { .. }),
        VfsOp::Open { .. } => matches!(what, W::Create(_) | W::Rename { .. }),
        VfsOp::Create { .. } | VfsOp::Overwrite { .. } => matches!(what, W::Create(_)),
        VfsOp::Remove { .. } => matches!(what, W::Close { .. } | W::Create(_)),
        VfsOp::Rename { .. } => matches!(what, W::Rename { .. }),
        VfsOp::Stat { .. } => matches!(
            what,
            W::Close { .. }
                | W::Delete { .. }
                | W::Query { .. }
                | W::Write { .. }
                | W::Copy { .. }
                | W::Smash { .. }
        ),
        VfsOp::CheckEmpty { .. } => matches!(what, W::Delete { .. }),
        VfsOp::SetBasic { .. } => matches!(what, W::Write { .. } | W::Resize { .. }),
        VfsOp::Close { .. } => matches!(what, W::Close { .. }),
        VfsOp::Flush { .. } => matches!(what, W::Flush { .. }),
        _ => false,
    }
}
