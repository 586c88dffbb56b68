//! What survives when the machine loses its power: names and attributes always (as a journal keeps
//! them), content only as far as it was flushed or written through.

use smb_engine::vfs::{VfsError, VfsHandle, VfsReply, VfsResult};

use super::content::Content;
use super::{MemoryFs, State};

impl MemoryFs {
    /// From now on it remembers what was not flushed, for [`Self::crash`].
    pub fn track_stability(&self) {
        let mut s = self.state();
        s.tracked = true;
        for stream in s.streams.values_mut() {
            stream.stable = None;
        }
    }

    /// The machine loses its power. All handles are gone; of the content that was not flushed,
    /// `newer` says for each part whether it had reached the disk by itself.
    pub fn crash(&self, newer: &mut dyn FnMut() -> bool) {
        let mut s = self.state();
        s.handles.clear();
        s.watches.clear();
        s.told.clear();
        let unnamed: Vec<u64> = s.nodes.keys().copied().collect();
        for node in unnamed {
            s.collect_garbage(node);
        }
        let streams: Vec<u64> = s.streams.keys().copied().collect();
        for stream in streams {
            s.drop_stream_if_unused(stream);
        }
        for stream in s.streams.values_mut() {
            if let Some(old) = stream.stable.take() {
                stream.content = Content::mixture(&old, &stream.content, newer);
            }
        }
    }
}

impl State {
    /// The content behind a handle, to be changed.
    pub(super) fn content_to_change(
        &mut self,
        handle: VfsHandle,
    ) -> Result<&mut Content, VfsError> {
        let tracked = self.tracked;
        let stream = self.stream_of_mut(handle)?;
        if tracked && stream.stable.is_none() {
            stream.stable = Some(stream.content.clone());
        }
        Ok(&mut stream.content)
    }

    /// What was written is on stable storage.
    pub(super) fn flush(&mut self, handle: VfsHandle) -> VfsResult {
        if self.handle(handle)?.stream.is_some() {
            self.stream_of_mut(handle)?.stable = None;
        }
        Ok(VfsReply::Done)
    }
}

#[cfg(test)]
mod tests {
    use smb_engine::identity::Identity;
    use smb_engine::vfs::{
        Backend, DataAccess, Location, OpenHow, SharePath, VfsOp, VfsReply, WriteAt,
    };
    use smb_proto::FileTime;

    use super::*;

    fn write(fs: &MemoryFs, data: &'static [u8], through: bool, flush: bool) {
        let by = Identity::system();
        let at = Location::from(SharePath::new("f").unwrap());
        let how = OpenHow {
            data: DataAccess::ReadWrite,
            open_reparse: false,
        };
        let Ok(VfsReply::Opened(o)) = fs.execute(&by, VfsOp::Open { at, how }) else {
            panic!("the file is there");
        };
        let handle = o.handle;
        let write = VfsOp::Write {
            handle,
            at: WriteAt::Offset(0),
            data: data.into(),
            through,
        };
        fs.execute(&by, write).unwrap();
        if flush {
            fs.execute(&by, VfsOp::Flush { handle }).unwrap();
        }
    }

    #[test]
    fn what_was_flushed_survives_and_what_was_not_may_be_lost() {
        for (through, flush, newer, expected) in [
            (false, false, false, &b"old"[..]),
            (false, false, true, b"newer"),
            (false, true, false, b"newer"),
            (true, false, false, b"newer"),
        ] {
            let fs = MemoryFs::new(1, FileTime::ZERO);
            fs.write_file("f", b"old").unwrap();
            fs.track_stability();
            write(&fs, b"newer", through, flush);
            fs.crash(&mut || newer);
            assert_eq!(fs.read_file("f").unwrap(), expected);
            assert_eq!(fs.open_handles(), 0);
        }
    }

    #[test]
    fn what_has_no_name_is_gone_after_a_crash() {
        let fs = MemoryFs::new(1, FileTime::ZERO);
        fs.write_file("f", b"old").unwrap();
        let by = Identity::system();
        let at = Location::from(SharePath::new("f").unwrap());
        let how = OpenHow {
            data: DataAccess::Read,
            open_reparse: false,
        };
        let opened = fs.execute(
            &by,
            VfsOp::Open {
                at: at.clone(),
                how,
            },
        );
        let Ok(VfsReply::Opened(o)) = opened else {
            panic!("the file is there");
        };
        let handle = o.handle;
        fs.execute(&by, VfsOp::Remove { handle, at }).unwrap();
        assert_eq!(fs.state().nodes.len(), 2);
        fs.crash(&mut || true);
        assert_eq!(fs.state().nodes.len(), 1);
        assert!(fs.state().streams.is_empty());
    }
}
