//! Threads for what may block: file operations and account lookups.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};
use smb_engine::output::{Completion, Query, Token};
use smb_engine::vfs::{Backend, VfsError, VfsRequest};

use super::gate::SharedGate;
use super::{Accounts, answer};

/// Something to do.
#[allow(
    clippy::large_enum_variant,
    reason = "moved through the queue once; a box would cost more than the copy"
)]
pub(super) enum Job {
    /// A file operation.
    Vfs(VfsRequest),
    /// An account lookup.
    Lookup(Token, Query),
    /// End the thread (and pass it on to the next).
    End,
}

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
        backends: &Arc<[Arc<dyn Backend>]>,
        accounts: &Arc<dyn Accounts>,
    ) -> io::Result<Self> {
        let threads = (0..threads)
            .map(|index| {
                let worker = Worker {
                    queue: queue.clone(),
                    gate: Arc::clone(gate),
                    backends: Arc::clone(backends),
                    accounts: Arc::clone(accounts),
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
    backends: Arc<[Arc<dyn Backend>]>,
    accounts: Arc<dyn Accounts>,
}

impl Worker {
    fn run(self) {
        while let Ok(job) = self.queue.recv() {
            match job {
                Job::Vfs(request) => self.vfs(request),
                Job::Lookup(token, query) => {
                    let completion = answer(&*self.accounts, &query);
                    self.complete(token, completion);
                }
                Job::End => {
                    self.gate.pass_end();
                    return;
                }
            }
        }
    }

    fn vfs(&self, request: VfsRequest) {
        let VfsRequest {
            token,
            backend,
            by,
            op,
        } = request;
        let index = usize::try_from(backend.0).unwrap_or(usize::MAX);
        let result = match self.backends.get(index) {
            // A backend that panics fails one operation, not the server.
            Some(backend) => catch_unwind(AssertUnwindSafe(|| backend.execute(&by, op)))
                .unwrap_or_else(|_| {
                    tracing::error!(backend = index, "storage panicked; answering an I/O error");
                    Err(VfsError::Io)
                }),
            None => Err(VfsError::Gone),
        };
        self.complete(token, Completion::Vfs(result));
    }

    fn complete(&self, token: Token, completion: Completion) {
        self.gate
            .enter(|server, now| server.handle_completion(now, token, completion));
    }
}
