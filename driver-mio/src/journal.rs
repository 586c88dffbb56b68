//! `--journal`: everything that goes into the engine, in a file, so that it can be run again.
//!
//! What is to be written is put into memory under the engine's lock; a thread of its own writes it, so
//! that nobody waits for the disk. A journal that cannot go on (the disk is full, or does not keep up)
//! ends with one warning, and the server goes on without.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use smb_engine::config::Config;
use smb_engine::journal::{Frame, InputRef, MAGIC, Recorder, digest};
use smb_engine::output::Output;
use smb_engine::time::Now;

/// Bytes that may wait for the disk; beyond that the journal ends.
const MOST_WAITING: usize = 64 << 20;

#[derive(Default)]
struct Queue {
    /// Frames that are to be written.
    waiting: Vec<u8>,
    /// Digests of outputs since the last frame.
    outputs: Vec<u64>,
    /// Nothing is taken any more.
    ended: bool,
    /// The writer has written all there was, or is to end after it.
    closing: bool,
    /// More came than the disk took.
    overrun: bool,
}

impl Queue {
    /// Puts what came out since the last input before whatever comes next.
    fn put_outputs(&mut self) {
        if !self.outputs.is_empty() {
            Frame::outputs(&self.outputs, &mut self.waiting);
            self.outputs.clear();
        }
    }
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the engine tells its inputs and outputs.
struct Scribe(Arc<Shared>);

impl Recorder for Scribe {
    fn input(&mut self, now: Now, input: InputRef<'_>) {
        let mut queue = self.0.lock();
        if queue.ended {
            return;
        }
        queue.put_outputs();
        Frame::input(now, input, &mut queue.waiting);
        if queue.waiting.len() > MOST_WAITING {
            queue.overrun = true;
            queue.ended = true;
        }
        drop(queue);
        self.0.changed.notify_one();
    }

    fn output(&mut self, output: &Output) {
        let mut queue = self.0.lock();
        if !queue.ended {
            let digest = digest(output);
            queue.outputs.push(digest);
        }
    }
}

/// A journal being written. Dropping it writes what there is and closes the file.
pub struct Journal {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

impl Journal {
    /// Makes the file, which only its owner can read, and which must not exist.
    ///
    /// # Errors
    /// The file cannot be made, or the thread not started.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(&MAGIC)?;
        let shared = Arc::new(Shared::default());
        let (theirs, shown) = (Arc::clone(&shared), path.to_path_buf());
        let writer = std::thread::Builder::new()
            .name("smb-journal".to_owned())
            .spawn(move || write(file, &shown, &theirs))?;
        tracing::warn!(
            journal = %path.display(),
            "keeping a journal: it holds all contents, names and password hashes that the server \
             sees, in plain text"
        );
        Ok(Self {
            shared,
            writer: Some(writer),
        })
    }

    /// What a server with this configuration and seed is to tell. To be called once.
    pub(crate) fn recorder(&self, config: &Config, seed: &[u8; 32]) -> Box<dyn Recorder> {
        Frame::start(config, seed, &mut self.shared.lock().waiting);
        self.shared.changed.notify_one();
        Box::new(Scribe(Arc::clone(&self.shared)))
    }

    /// Writes what there is and closes the file. What the server is told from now on is not in it.
    pub(crate) fn finish(&mut self) {
        let Some(writer) = self.writer.take() else {
            return;
        };
        let mut queue = self.shared.lock();
        if !queue.ended {
            queue.put_outputs();
            Frame::end(&mut queue.waiting);
        }
        queue.ended = true;
        queue.closing = true;
        drop(queue);
        self.shared.changed.notify_one();
        // A panic of that thread has been reported on standard error already.
        let _ = writer.join();
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Writes until the journal is closed or cannot go on.
fn write(mut file: File, path: &Path, shared: &Shared) {
    let mut part = Vec::new();
    loop {
        let mut queue = shared.lock();
        while queue.waiting.is_empty() && !queue.ended {
            queue = shared
                .changed
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
        part.clear();
        std::mem::swap(&mut part, &mut queue.waiting);
        let (ended, closing, overrun) = (queue.ended, queue.closing, queue.overrun);
        drop(queue);
        if let Err(error) = file.write_all(&part) {
            let mut queue = shared.lock();
            queue.ended = true;
            queue.waiting = Vec::new();
            drop(queue);
            tracing::warn!(journal = %path.display(), %error, "the journal ends here; the server goes on");
            return;
        }
        if overrun {
            tracing::warn!(
                journal = %path.display(),
                "the journal ends here, because the disk does not keep up; the server goes on"
            );
            return;
        }
        if ended && closing {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use smb_engine::server::Control;
    use smb_engine::time::Instant;
    use smb_proto::FileTime;

    use super::*;

    const NOW: Now = Now {
        mono: Instant(1),
        wall: FileTime(2),
    };

    fn scribe(journal: &Journal) -> Scribe {
        Scribe(Arc::clone(&journal.shared))
    }

    #[test]
    fn only_the_owner_can_read_it_and_nothing_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j");
        let mut journal = Journal::create(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let again = Journal::create(&path).err().unwrap();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        scribe(&journal).input(NOW, InputRef::Timeout);
        journal.finish();
        let mut wanted = MAGIC.to_vec();
        Frame::input(NOW, InputRef::Timeout, &mut wanted);
        Frame::end(&mut wanted);
        assert_eq!(std::fs::read(&path).unwrap(), wanted);
        scribe(&journal).input(NOW, InputRef::Timeout);
        assert!(journal.shared.lock().waiting.is_empty());
    }

    #[test]
    fn a_full_disk_ends_it_and_nobody_waits() {
        let shared = Arc::new(Shared::default());
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let theirs = Arc::clone(&shared);
        let writer = std::thread::spawn(move || write(full, Path::new("full"), &theirs));
        let mut scribe = Scribe(Arc::clone(&shared));
        scribe.input(NOW, InputRef::Control(Control::Drain));
        writer.join().unwrap();
        assert!(shared.lock().ended);
        scribe.input(NOW, InputRef::Timeout);
        assert!(shared.lock().waiting.is_empty());
    }

    #[test]
    fn a_disk_that_does_not_keep_up_ends_it() {
        let shared = Arc::new(Shared::default());
        // Nobody writes.
        let mut scribe = Scribe(Arc::clone(&shared));
        shared.lock().waiting = vec![0; MOST_WAITING];
        scribe.input(NOW, InputRef::Timeout);
        let len = shared.lock().waiting.len();
        scribe.input(NOW, InputRef::Timeout);
        assert_eq!(shared.lock().waiting.len(), len);
        assert!(shared.lock().ended && shared.lock().overrun);
    }
}
