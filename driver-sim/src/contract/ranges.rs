use smb_engine::vfs::{Creation, VfsError, VfsHandle, VfsOp, VfsReply};
use smb_proto::info::FileAttributes;

use super::probe::{Probe, file};

const MIB: u64 = 1 << 20;

fn set_sparse(p: &Probe<'_>, handle: VfsHandle, sparse: bool) {
    p.done(VfsOp::SetSparse { handle, sparse }).unwrap();
}

pub(super) fn zeroed(p: &Probe<'_>) {
    for sparse in [false, true] {
        let handle = p.make(if sparse { "s" } else { "f" });
        set_sparse(p, handle, sparse);
        let mut model = vec![7u8; 100_000];
        p.write(handle, 0, &model);
        for (from, to) in [
            (10, 20),
            (4096, 8192),
            (5000, 70_001),
            (99_000, 500_000),
            (3, 3),
        ] {
            p.zero(handle, from, to);
            let end = (to as usize).min(model.len());
            model[(from as usize).min(end)..end].fill(0);
            assert_eq!(p.stat(handle).size, 100_000);
            assert!(p.read(handle, 0, 100_000) == model, "{from}..{to}");
        }
    }
}

pub(super) fn sparse(p: &Probe<'_>) {
    let handle = p.make("f");
    let is = || {
        p.stat(handle)
            .attributes
            .contains(FileAttributes::SPARSE_FILE)
    };
    assert!(!is());
    set_sparse(p, handle, true);
    assert!(is());
    // Other attributes do not touch it.
    p.set_attributes(handle, FileAttributes::NORMAL);
    assert!(is());
    set_sparse(p, handle, false);
    assert!(!is());
}

pub(super) fn allocated(p: &Probe<'_>) {
    let handle = p.make("f");
    set_sparse(p, handle, true);
    p.set_size(handle, 20 * MIB).unwrap();
    for at in [2 * MIB, 9 * MIB, 10 * MIB] {
        p.write(handle, at, &vec![1; MIB as usize]);
    }
    for (offset, len) in [(0, 20 * MIB), (MIB, 2 * MIB), (0, 1 << 62), (30 * MIB, MIB)] {
        let ranges = p.ranges(handle, offset, len);
        let end = offset.saturating_add(len).min(20 * MIB);
        // Ascending, inside what was asked for, not empty.
        let mut last = offset;
        for r in &ranges {
            assert!(r.offset >= last && r.len > 0, "{ranges:?}");
            last = r.offset + r.len;
            assert!(last <= end, "{ranges:?}");
        }
        // What was written is in them; where they are not, there are zeros.
        for at in [2 * MIB, 9 * MIB, 11 * MIB - 1] {
            let inside = offset <= at && at < end;
            let told = ranges
                .iter()
                .any(|r| r.offset <= at && at < r.offset + r.len);
            assert!(!inside || told, "{at} is missing in {ranges:?}");
        }
    }
    assert!(p.ranges(handle, 0, 0).is_empty());
}

pub(super) fn limited(p: &Probe<'_>) {
    let handle = p.make("f");
    set_sparse(p, handle, true);
    for i in 0..10 {
        p.write(handle, i * 4 * MIB, &[1]);
    }
    let all = p.ranges(handle, 0, 40 * MIB);
    for limit in [0, 1, 3] {
        let op = VfsOp::AllocatedRanges {
            handle,
            offset: 0,
            len: 40 * MIB,
            limit,
        };
        let Ok(VfsReply::Ranges(some)) = p.any(op) else {
            panic!("no ranges");
        };
        assert_eq!(some, all[..limit.min(all.len())]);
    }
}

pub(super) fn trimmed(p: &Probe<'_>) {
    let handle = p.make("f");
    let data: Vec<u8> = (0..40_000u32).map(|n| (n % 251) as u8 | 1).collect();
    p.write(handle, 0, &data);
    for (offset, beyond) in [
        (0, 4096),
        (4097, 12_288),
        (12_288, 16_383),
        (20_000, 20_001),
        (36_864, u64::MAX),
        (u64::MAX, u64::MAX),
        (50_000, 60_000),
        (9, 3),
    ] {
        p.done(VfsOp::Trim {
            handle,
            offset,
            beyond,
        })
        .unwrap();
        assert_eq!(p.stat(handle).size, 40_000);
        let now = p.read(handle, 0, 40_000);
        for (at, (new, old)) in now.iter().zip(&data).enumerate() {
            let page = at as u64 / 4096 * 4096;
            let whole = offset <= page && page + 4096 <= beyond;
            let earlier = [(0, 4096), (8192, 12_288)]
                .iter()
                .any(|r| r.0 <= page && page < r.1);
            assert!(
                new == old || (*new == 0 && (whole || earlier)),
                "{at}: {new}"
            );
        }
    }
    p.make_dir("d");
    let dir = p.open("d");
    let op = VfsOp::Trim {
        handle: dir,
        offset: 0,
        beyond: 1,
    };
    assert_eq!(p.done(op), Err(VfsError::IsADirectory));
}

pub(super) fn compressed(p: &Probe<'_>) {
    p.make_dir("d");
    for handle in [p.make("f"), p.open("d")] {
        let is = || {
            p.stat(handle)
                .attributes
                .contains(FileAttributes::COMPRESSED)
        };
        let set = |compressed| {
            p.done(VfsOp::SetCompression { handle, compressed })
                .unwrap()
        };
        assert!(!is());
        set(true);
        assert!(is());
        // Neither set nor cleared as other attributes are.
        p.set_attributes(handle, FileAttributes::HIDDEN);
        assert!(is());
        set(false);
        p.set_attributes(handle, FileAttributes::COMPRESSED);
        assert!(!is());
    }
    let what = Creation {
        attributes: FileAttributes::COMPRESSED,
        ..file()
    };
    let made = p.create("g", what).unwrap();
    assert!(made.info.attributes.contains(FileAttributes::COMPRESSED));
}
