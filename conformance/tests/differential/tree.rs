//! The whole of two file systems.

use std::collections::BTreeMap;

use smb_engine::vfs::{FileInfo, Location, NodeId, SharePath, VfsHandle, VfsOp, VfsReply};

use crate::twin::Twin;

impl Twin<'_> {
    /// Compares everything by name.
    pub(crate) fn tree(&self) -> Result<(), String> {
        let mut pairs = BTreeMap::new();
        self.below(&SharePath::root(), &mut pairs)?;
        // What is one file here is one file there.
        let mut back = BTreeMap::new();
        for (local, memory) in &pairs {
            if let Some(other) = back.insert(memory, local) {
                return Err(format!("{other:?} and {local:?} are one file in memory"));
            }
        }
        Ok(())
    }

    fn below(&self, path: &SharePath, pairs: &mut BTreeMap<NodeId, NodeId>) -> Result<(), String> {
        let here = |e: String| format!("at the end, {path:?}: {e}");
        let handles = self.open_both(&path.clone().into()).map_err(here)?;
        let nodes = self.nodes(handles).map_err(here)?;
        if pairs
            .insert(nodes[0], nodes[1])
            .is_some_and(|m| m != nodes[1])
        {
            return Err(here("it is one file on the host, and two in memory".into()));
        }
        let info = self.details(handles).map_err(here)?;
        let streams = self
            .same(|side| VfsOp::Streams {
                handle: handles[side],
            })
            .map_err(here)?;
        if let Ok(VfsReply::Streams(streams)) = streams {
            for stream in streams.iter().filter(|s| !s.name.is_empty()) {
                let at = Location {
                    path: path.clone(),
                    stream: Some(stream.name.clone()),
                };
                let handles = self.open_both(&at).map_err(here)?;
                self.details(handles).map_err(here)?;
                self.close_both(handles).map_err(here)?;
            }
        }
        let items = if info.is_directory() {
            self.list(handles, "*", 5).map_err(here)?
        } else {
            Vec::new()
        };
        self.close_both(handles).map_err(here)?;
        for item in items {
            let child = path
                .join(&item.name)
                .ok_or_else(|| here(format!("a listed name that is none: {item:?}")))?;
            self.below(&child, pairs)?;
        }
        Ok(())
    }

    fn details(&self, handles: [VfsHandle; 2]) -> Result<FileInfo, String> {
        let info = self.info(handles)?;
        if !info.is_directory() {
            self.data(handles, info.size)?;
            self.ranges(handles, 0, info.size, usize::MAX)?;
        }
        self.same(|side| VfsOp::Eas {
            handle: handles[side],
        })?
        .map_err(|e| e.to_string())?;
        self.same(|side| VfsOp::Security {
            handle: handles[side],
        })?
        .map_err(|e| e.to_string())?;
        // That it is no reparse point is an answer as well.
        let _same = self.same(|side| VfsOp::Reparse {
            handle: handles[side],
        })?;
        Ok(info)
    }

    fn close_both(&self, handles: [VfsHandle; 2]) -> Result<(), String> {
        self.same(|side| VfsOp::Close {
            handle: handles[side],
        })?
        .map(drop)
        .map_err(|e| e.to_string())
    }
}
