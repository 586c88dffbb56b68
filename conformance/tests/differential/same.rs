//! When two answers are the same. What must differ is taken out: the numbers of files, times of the
//! clock (times that were set are compared), sizes of storage, the volume.

use smb_engine::vfs::{DirItem, FileInfo, Missing, Opened, VfsReply, VfsResult};
use smb_proto::FileTime;

/// What happened before this time was set by a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(pub(crate) FileTime);

impl Clock {
    /// A time that was set, or [`FileTime`]'s greatest value for one of the clock.
    fn plain(self, time: FileTime) -> FileTime {
        if time < self.0 {
            time
        } else {
            FileTime(u64::MAX)
        }
    }

    fn info(self, info: &FileInfo) -> FileInfo {
        FileInfo {
            node: smb_engine::vfs::NodeId::default(),
            creation: self.plain(info.creation),
            // The host may note each access, or none.
            access: FileTime::ZERO,
            write: self.plain(info.write),
            change: self.plain(info.change),
            allocation: 0,
            ..info.clone()
        }
    }

    fn item(self, item: &DirItem) -> DirItem {
        DirItem {
            // A host without short names may make them up.
            short_name: String::new(),
            name: item.name.clone(),
            info: self.info(&item.info),
            security: item.security.clone(),
        }
    }

    /// Names in an order of their own.
    pub(crate) fn items(self, items: &[DirItem]) -> Vec<DirItem> {
        let mut items: Vec<_> = items.iter().map(|i| self.item(i)).collect();
        items.sort_by(|a, b| a.name.cmp(&b.name));
        items
    }

    /// An answer without what must differ.
    pub(crate) fn answer(self, answer: &VfsResult) -> VfsResult {
        let reply = match answer {
            Ok(reply) => reply,
            Err(e) => return Err(e.clone()),
        };
        Ok(match reply {
            VfsReply::Opened(o) => VfsReply::Opened(Opened {
                handle: smb_engine::vfs::VfsHandle(0),
                info: self.info(&o.info),
                at: o.at.clone(),
                security: o.security.clone(),
            }),
            VfsReply::Missing(m) => VfsReply::Missing(Missing {
                parent: self.info(&m.parent),
                security: m.security.clone(),
            }),
            VfsReply::Info(info) => VfsReply::Info(self.info(info)),
            VfsReply::Listing(l) => VfsReply::Listing(smb_engine::vfs::Listing {
                items: self.items(&l.items),
                end: l.end,
            }),
            VfsReply::Streams(streams) => {
                let mut streams = streams.clone();
                // The unnamed one is the first, whatever else.
                let named = usize::from(streams.first().is_some_and(|s| s.name.is_empty()));
                streams[named..].sort_by(|a, b| a.name.cmp(&b.name));
                for stream in &mut streams {
                    stream.allocation = 0;
                }
                VfsReply::Streams(streams)
            }
            VfsReply::Eas(eas) => {
                let mut eas = eas.clone();
                eas.sort_by(|a, b| a.name.cmp(&b.name));
                VfsReply::Eas(eas)
            }
            VfsReply::Volume(_) => VfsReply::Done,
            VfsReply::Done
            | VfsReply::Data(_)
            | VfsReply::Written(_)
            | VfsReply::Security(_)
            | VfsReply::Ranges(_)
            | VfsReply::Snapshots(_)
            | VfsReply::ObjectId(_)
            | VfsReply::Quotas(_)
            | VfsReply::Reparse(_) => reply.clone(),
        })
    }
}
