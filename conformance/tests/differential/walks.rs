//! Answers in several parts, and those that depend on how the host keeps data.

use smb_engine::names::Pattern;
use smb_engine::vfs::{AllocatedRange, DirItem, Listing, VfsHandle, VfsOp, VfsReply};
use smb_proto::info::FileAttributes;

use crate::twin::Twin;

impl Twin<'_> {
    /// A whole walk.
    pub(crate) fn list(
        &self,
        handles: [VfsHandle; 2],
        pattern: &str,
        limit: usize,
    ) -> Result<Vec<DirItem>, String> {
        let mut both = Vec::new();
        for (side, handle) in handles.into_iter().enumerate() {
            let mut items = Vec::new();
            let mut restart = true;
            let answer = loop {
                let op = VfsOp::List {
                    handle,
                    restart,
                    pattern: Pattern::new(pattern),
                    limit,
                    security: true,
                };
                restart = false;
                match self.backend(side).execute(&self.by, op) {
                    Ok(VfsReply::Listing(part)) => {
                        *self.done.borrow_mut().entry("List").or_default() += 1;
                        if part.items.len() > limit {
                            return Err(format!("more than {limit} names: {part:?}"));
                        }
                        if part.items.is_empty() && !part.end {
                            return Err("no name and no end".to_owned());
                        }
                        items.extend(part.items);
                        if part.end {
                            break Ok(());
                        }
                    }
                    Ok(other) => return Err(format!("no listing: {other:?}")),
                    Err(e) => break Err(e),
                }
            };
            both.push(answer.map(|()| VfsReply::Listing(Listing { items, end: true })));
        }
        self.compare(&both[0], &both[1])?;
        match both.swap_remove(0) {
            Ok(VfsReply::Listing(listing)) => Ok(listing.items),
            _ => Ok(Vec::new()),
        }
    }

    /// A part of a walk. The order is each backend's own, so what can be said is that at the end an
    /// undisturbed walk has shown the same, and any walk no name twice.
    pub(crate) fn walk(&mut self, slot: usize, restart: bool, limit: usize) -> Result<(), String> {
        let answers = self.execute(|side| VfsOp::List {
            handle: self.handle(slot, side),
            restart,
            pattern: None,
            limit,
            security: false,
        });
        let clock = self.clock;
        let [Ok(VfsReply::Listing(_)), Ok(VfsReply::Listing(_))] = &answers else {
            return self.compare(&answers[0], &answers[1]);
        };
        let Some(open) = &mut self.slots[slot] else {
            return Err("a listing of nothing".to_owned());
        };
        if restart || !open.walking {
            open.walked = Default::default();
        }
        if restart {
            open.disturbed = false;
        }
        open.walking = true;
        let mut ends = 0;
        for (side, answer) in answers.into_iter().enumerate() {
            if let Ok(VfsReply::Listing(part)) = answer {
                ends += usize::from(part.end);
                open.walked[side].extend(part.items);
            }
        }
        for walked in &open.walked {
            let mut names: Vec<_> = walked.iter().map(|i| &i.name).collect();
            names.sort();
            if names.windows(2).any(|w| w[0] == w[1]) && !open.disturbed {
                return Err(format!("a name twice: {names:?}"));
            }
        }
        if ends == 2 {
            let names = open.walked.each_ref().map(|w| {
                let items = clock.items(w);
                items.into_iter().map(|i| i.name).collect::<Vec<_>>()
            });
            if names[0] != names[1] && !open.disturbed {
                return Err(format!(
                    "the walks differ\n local: {:?}\nmemory: {:?}",
                    names[0], names[1]
                ));
            }
        } else if ends == 1 && !open.disturbed {
            return Err("only one of the walks ends".to_owned());
        }
        Ok(())
    }

    /// Ranges depend on how the host keeps data; both must be proper and cover all that is not zero,
    /// and a file that is not sparse is allocated throughout.
    pub(crate) fn ranges(
        &self,
        handles: [VfsHandle; 2],
        offset: u64,
        len: u64,
        limit: usize,
    ) -> Result<(), String> {
        let answers = self.execute(|side| VfsOp::AllocatedRanges {
            handle: handles[side],
            offset,
            len,
            limit,
        });
        let [Ok(VfsReply::Ranges(local)), Ok(VfsReply::Ranges(memory))] = &answers else {
            return self.compare(&answers[0], &answers[1]);
        };
        let info = self.info(handles)?;
        if !info.attributes.contains(FileAttributes::SPARSE_FILE) {
            return self.compare(&answers[0], &answers[1]);
        }
        let data = self.data(handles, info.size)?;
        let end = offset.saturating_add(len).min(info.size);
        for ranges in [local, memory] {
            self.proper(ranges, offset, end)
                .map_err(|e| format!("{e}: {ranges:?}"))?;
            let all = ranges.len() < limit;
            let known = match ranges.last() {
                Some(last) if !all => last.offset + last.len,
                _ => end,
            };
            let covered = |i: u64| ranges.iter().any(|r| r.offset <= i && i - r.offset < r.len);
            for (i, byte) in data.iter().enumerate() {
                let i = i as u64;
                if *byte != 0 && i >= offset && i < known && !covered(i) {
                    return Err(format!("byte {i} is {byte} without storage: {ranges:?}"));
                }
            }
        }
        Ok(())
    }

    fn proper(&self, ranges: &[AllocatedRange], offset: u64, end: u64) -> Result<(), String> {
        let mut at = offset;
        for r in ranges {
            if r.len == 0 || r.offset < at || r.offset + r.len > end {
                return Err(format!("ranges in {offset}..{end} that are none"));
            }
            at = r.offset + r.len;
        }
        Ok(())
    }
}
