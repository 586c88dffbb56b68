//! What a test or the simulator does from outside: the clock, the size, a tree to begin with.

use std::fmt::Write;

use smb_engine::identity::Identity;
use smb_engine::vfs::{Creation, Location, Outside, SharePath, VfsError};
use smb_proto::FileTime;
use smb_proto::info::FileAttributes;

use super::{MemoryFs, ROOT, State};

impl MemoryFs {
    /// The number in the [`smb_engine::vfs::NodeId`]s of this file system.
    #[must_use]
    pub fn volume(&self) -> u64 {
        self.volume
    }

    /// Sets the time that changes get from now on.
    pub fn set_now(&self, now: FileTime) {
        self.state().now = now;
    }

    /// Sets the size of the volume, in units of 4096 bytes.
    pub fn set_capacity(&self, units: u64) {
        self.state().total_units = units;
    }

    /// Handles that are open; zero once everybody has closed what it opened.
    #[must_use]
    pub fn open_handles(&self) -> usize {
        self.state().handles.len()
    }

    /// Makes a directory, and those above it that are missing.
    ///
    /// # Errors
    /// There is a file of that name, or the path is not one.
    pub fn make_dir(&self, path: &str) -> Result<(), VfsError> {
        let path = SharePath::new(path).ok_or(VfsError::InvalidName)?;
        let mut here = SharePath::root();
        for name in path.components() {
            here = here.join(name).ok_or(VfsError::InvalidName)?;
            let mut s = self.state();
            match s.find(&here)?.node {
                None => s.put(&here.clone().into(), true, &[])?,
                Some(n) if s.nodes.get(&n).is_some_and(|n| n.is_directory()) => {}
                Some(_) => return Err(VfsError::NotADirectory),
            }
        }
        Ok(())
    }

    /// Makes a file with this content (`name:stream` for a stream), or replaces that of one that
    /// exists. Directories above it are made.
    ///
    /// # Errors
    /// The path is not one, or names a directory.
    pub fn write_file(&self, path: &str, data: &[u8]) -> Result<(), VfsError> {
        let at = location(path)?;
        if let Some(dir) = at.path.parent() {
            self.make_dir(dir.as_str())?;
        }
        self.state().put(&at, false, data)
    }

    /// The content of a file or stream (`name:stream`); `None` if there is no such.
    #[must_use]
    pub fn read_file(&self, path: &str) -> Option<Vec<u8>> {
        let at = location(path).ok()?;
        let s = self.state();
        let stream = s.stream_at(&at)?;
        let content = &s.streams.get(&stream)?.content;
        Some(content.read(0, usize::try_from(content.size()).ok()?))
    }

    /// Whether there is a file or directory of this name.
    #[must_use]
    pub fn exists(&self, path: &str) -> bool {
        let found = location(path).and_then(|at| self.state().find(&at.path));
        found.is_ok_and(|f| f.node.is_some())
    }

    /// The whole tree as text, one line for each name: path, attributes, sizes of streams. Two file
    /// systems with the same names and sizes give the same text.
    #[must_use]
    pub fn tree(&self) -> String {
        let s = self.state();
        let mut out = String::new();
        s.describe(ROOT, &SharePath::root(), &mut out);
        out
    }
}

fn location(text: &str) -> Result<Location, VfsError> {
    let (path, stream) = match text.split_once(':') {
        Some((path, stream)) => (path, Some(stream.to_owned())),
        None => (text, None),
    };
    let path = SharePath::new(path).ok_or(VfsError::InvalidName)?;
    Ok(Location { path, stream })
}

impl State {
    fn stream_at(&self, at: &Location) -> Option<u64> {
        let node = self.nodes.get(&self.find(&at.path).ok()?.node?)?;
        let key = smb_engine::names::fold(at.stream.as_deref().unwrap_or(""));
        node.streams.get(&key).copied()
    }

    fn put(&mut self, at: &Location, directory: bool, data: &[u8]) -> Result<(), VfsError> {
        if self.stream_at(at).is_none() {
            let what = Creation {
                directory,
                attributes: if directory {
                    FileAttributes::empty()
                } else {
                    FileAttributes::ARCHIVE
                },
                security: None,
                eas: Vec::new(),
                allocation: 0,
            };
            let reply = self.create(&Identity::system(), at, what)?;
            if let smb_engine::vfs::VfsReply::Opened(opened) = reply {
                self.close(opened.handle)?;
            }
            let path = at.path.clone();
            self.tell(match at.stream {
                None => Outside::Added {
                    at: path,
                    directory,
                },
                Some(_) => Outside::Touched { at: path },
            });
        }
        if let Some(stream) = self.stream_at(at)
            && let Some(stream) = self.streams.get_mut(&stream)
        {
            stream.content.set_size(0);
            stream.content.write(0, data);
            stream.stable = None;
            let at = at.path.clone();
            self.tell(Outside::Written { at });
        }
        Ok(())
    }

    fn describe(&self, number: u64, path: &SharePath, out: &mut String) {
        let Some(node) = self.nodes.get(&number) else {
            return;
        };
        // Writing to a string cannot fail.
        let _ = write!(out, "\\{path} {:#x}", node.attributes.bits());
        for stream in node.streams.values().filter_map(|s| self.streams.get(s)) {
            let _ = write!(out, " [{}]{}", stream.name, stream.content.size());
        }
        out.push('\n');
        for entry in node.entries.iter().flat_map(|e| e.values()) {
            if let Some(path) = path.join(&entry.name) {
                self.describe(entry.node, &path, out);
            }
        }
    }
}
