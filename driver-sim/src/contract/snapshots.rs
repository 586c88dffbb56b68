use smb_engine::vfs::{
    BasicChange, DataAccess, SharePath, SnapshotSlot, VfsError, VfsOp, VfsReply, same_snapshot,
};
use smb_proto::FileTime;

use super::probe::{Got, Probe};

fn times(p: &Probe<'_>) -> Vec<FileTime> {
    let handle = p.open("");
    let Ok(VfsReply::Snapshots(times)) = p.any(VfsOp::Snapshots { handle }) else {
        panic!("no list of snapshots");
    };
    times
}

fn open_root(p: &Probe<'_>, taken: FileTime) -> Got<VfsReply> {
    p.any(VfsOp::OpenSnapshot {
        at: SharePath::root().into(),
        data: DataAccess::ReadWrite,
        taken,
    })
}

pub(super) fn listed(p: &Probe<'_>) {
    let times = times(p);
    for (i, time) in times.iter().enumerate() {
        assert!(times[..i].iter().all(|t| !same_snapshot(*t, *time)));
    }
    let other = FileTime::from_unix(1, 0);
    assert!(times.iter().all(|t| !same_snapshot(*t, other)));
    assert_eq!(open_root(p, other).unwrap_err(), VfsError::NotFound);
}

pub(super) fn unchangeable(p: &Probe<'_>) {
    let present = p.open_full("").info.node.volume;
    for taken in times(p) {
        let Ok(VfsReply::Opened(root)) = open_root(p, taken) else {
            panic!("the root of a snapshot does not open");
        };
        let handle = root.handle;
        assert!(SnapshotSlot::of(handle).is_some());
        assert_ne!(root.info.node.volume, present);
        assert_eq!(p.stat(handle).node, root.info.node);
        let change = BasicChange {
            write: Some(FileTime(1)),
            ..BasicChange::default()
        };
        let refused = p.done(VfsOp::SetBasic { handle, change });
        assert_eq!(refused, Err(VfsError::ReadOnly));
        let rename = VfsOp::Rename {
            handle,
            from: SharePath::root().into(),
            to: p.at("new"),
            replace: false,
        };
        assert_eq!(p.done(rename), Err(VfsError::OtherVolume));
        p.close(handle).unwrap();
        let stale = p.any(VfsOp::Stat { handle }).unwrap_err();
        assert_eq!(stale, VfsError::StaleHandle);
    }
}
