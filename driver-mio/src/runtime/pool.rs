//! Threads for what may block: file operations and account lookups.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};

use super::gate::SharedGate;
use super::storage::{Job, Storage};

/// The queue of jobs. Not bounded: clients' credits bound what is in flight.
pub(super) fn queue() -> (Sender<Job>, Receiver<Job>) {
    crossbeam_channel::unbounded()
}

/// The threads.
pub(super) struct Pool {
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    pub(super) fn start(
        threads: usize,
        queue: Receiver<Job>,
        gate: &SharedGate,
        storage: &Arc<Storage>,
    ) -> io::Result<Self> {
        let threads = (0..threads)
            .map(|index| {
                let worker = Worker {
                    queue: queue.clone(),
                    gate: Arc::clone(gate),
                    storage: Arc::clone(storage),
                };
                std::thread::Builder::new()
                    .name(format!("smb-file-{index}"))
                    .spawn(move || worker.run())
            })
            .collect::<io::Result<_>>()?;
        Ok(Self { threads })
    }

    /// Waits for the threads, which [`super::gate::Gate::stop`] has told to end.
    pub(super) fn end(&mut self) {
        for thread in self.threads.drain(..) {
            // A panic of that thread has been reported on standard error already.
            let _ = thread.join();
        }
    }
}

struct Worker {
    queue: Receiver<Job>,
    gate: SharedGate,
    storage: Arc<Storage>,
}

impl Worker {
    fn run(self) {
        // What follows from a job is done here too, which saves waking another thread.
        let mut own = None;
        while let Some(job) = own.take().or_else(|| self.queue.recv().ok()) {
            let Some(done) = self.storage.carry_out(job) else {
                self.gate.pass_end();
                return;
            };
            let jobs = self.storage.bring(&self.gate, None, vec![done]);
            let mut jobs = jobs.into_iter();
            own = jobs.next();
            jobs.for_each(|job| self.gate.submit(job));
        }
    }
}
