//! What outlives the server: records of persistent opens ([MS-SMB2] 3.3.1.10 Open.IsPersistent) in a
//! database of one file, `persistent.redb` in the `state directory`.
//!
//! A change is on the disk before anybody is told of what it says: [`Persistent::keep`] returns when it
//! is. The file holds names of files, users and locks, and no content; nobody but its owner may read it.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use smb_engine::output::Keep;
use thiserror::Error;

const OPENS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("opens");

/// Why nothing can be kept.
#[derive(Debug, Error)]
pub enum PersistentError {
    /// The directory or the file.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The database.
    #[error("{}: {source}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: Box<redb::Error>,
    },
}

/// The database.
#[derive(Debug)]
pub struct Persistent {
    path: PathBuf,
    db: Database,
    /// What could not be written yet.
    behind: Vec<Keep>,
}

impl Persistent {
    /// Opens the database in this directory; makes both if they are not there.
    ///
    /// # Errors
    /// [`PersistentError`]; among others if another server uses it.
    pub fn open(directory: &Path) -> Result<Self, PersistentError> {
        let path = directory.join("persistent.redb");
        let file = |path: &Path, source| PersistentError::File {
            path: path.to_path_buf(),
            source,
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|e| file(directory, e))?;
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|e| file(&path, e))?;
        let wrong = |source: redb::Error| PersistentError::Database {
            path: path.clone(),
            source: Box::new(source),
        };
        let db = FileBackend::new(opened)
            .and_then(|file| redb::Builder::new().create_with_backend(file))
            .map_err(|e| wrong(e.into()))?;
        Ok(Self {
            path,
            db,
            behind: Vec::new(),
        })
    }

    /// Everything that is kept.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn load(&self) -> Result<Vec<(u64, Bytes)>, PersistentError> {
        self.read().map_err(|e| self.wrong(e))
    }

    fn read(&self) -> Result<Vec<(u64, Bytes)>, redb::Error> {
        let read = self.db.begin_read()?;
        let table = match read.open_table(OPENS) {
            Ok(table) => table,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(e) => return Err(e.into()),
        };
        let mut all = Vec::new();
        for row in table.iter()? {
            let (id, record) = row?;
            all.push((id.value(), Bytes::copy_from_slice(record.value())));
        }
        Ok(all)
    }

    /// Writes changes, all or none, and those before that could not be written; they are on the disk
    /// when this returns without error.
    ///
    /// # Errors
    /// Nothing was written; the next call tries again.
    pub fn keep(&mut self, news: Vec<Keep>) -> Result<(), PersistentError> {
        self.behind.extend(news);
        self.write().map_err(|e| self.wrong(e))?;
        self.behind.clear();
        Ok(())
    }

    fn write(&self) -> Result<(), redb::Error> {
        let write = self.db.begin_write()?;
        {
            let mut table = write.open_table(OPENS)?;
            for Keep { id, record } in &self.behind {
                match record {
                    Some(record) => table.insert(id, record.as_ref())?,
                    None => table.remove(id)?,
                };
            }
        }
        write.commit()?;
        Ok(())
    }

    fn wrong(&self, source: redb::Error) -> PersistentError {
        PersistentError::Database {
            path: self.path.clone(),
            source: Box::new(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn put(id: u64, record: &'static [u8]) -> Keep {
        Keep {
            id,
            record: Some(Bytes::from_static(record)),
        }
    }

    #[test]
    fn what_is_kept_is_there_when_it_is_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let mut p = Persistent::open(&state).unwrap();
        assert_eq!(p.load().unwrap(), []);
        p.keep(vec![put(1, b"one"), put(2, b"two")]).unwrap();
        p.keep(vec![
            put(2, b"more"),
            Keep {
                id: 1,
                record: None,
            },
        ])
        .unwrap();
        // Only one server at a time.
        assert!(Persistent::open(&state).is_err());
        drop(p);
        let p = Persistent::open(&state).unwrap();
        assert_eq!(p.load().unwrap(), [(2, Bytes::from_static(b"more"))]);
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&state), 0o700);
        assert_eq!(mode(&state.join("persistent.redb")), 0o600);
    }
}
