//! Carrying out file operations and account lookups, on whatever thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use smb_engine::output::{Completion, Query, Token};
use smb_engine::vfs::{Backend, VfsError, VfsRequest};

use super::{Accounts, answer};

/// An operation on an I/O thread that took longer than this has waited for storage after all.
const LONG: Duration = Duration::from_millis(5);

/// So long after such an operation everything of its backend goes to the pool.
const RESPITE: Duration = Duration::from_secs(1);

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

/// What a job has brought.
pub(super) type Done = (Token, Completion);

/// The backends and accounts.
pub(super) struct Storage {
    backends: Vec<Store>,
    accounts: Arc<dyn Accounts>,
    began: Instant,
}

struct Store {
    backend: Arc<dyn Backend>,
    /// Until when nothing of it is done on I/O threads, in microseconds since the start.
    resting_until: AtomicU64,
}

impl Storage {
    pub(super) fn new(backends: Vec<Arc<dyn Backend>>, accounts: Arc<dyn Accounts>) -> Self {
        let store = |backend| Store {
            backend,
            resting_until: AtomicU64::new(0),
        };
        Self {
            backends: backends.into_iter().map(store).collect(),
            accounts,
            began: Instant::now(),
        }
    }

    fn micros(&self, at: Instant) -> u64 {
        u64::try_from((at - self.began).as_micros()).unwrap_or(u64::MAX)
    }

    fn store(&self, request: &VfsRequest) -> Option<&Store> {
        self.backends.get(usize::try_from(request.backend.0).ok()?)
    }

    /// Does a job if it will not take long, or gives it back. For I/O threads, on which many
    /// connections wait.
    #[allow(clippy::result_large_err, reason = "see the job")]
    pub(super) fn try_now(&self, job: Job) -> Result<Done, Job> {
        let Job::Vfs(request) = job else {
            return Err(job);
        };
        let started = Instant::now();
        let awake =
            |store: &&Store| store.resting_until.load(Ordering::Relaxed) <= self.micros(started);
        let Some(store) = self.store(&request).filter(awake) else {
            return Err(Job::Vfs(request));
        };
        let VfsRequest {
            token,
            backend,
            by,
            op,
        } = request;
        let result = match caught(|| store.backend.execute_now(&by, op)) {
            Some(Ok(result)) => result,
            Some(Err(op)) => {
                return Err(Job::Vfs(VfsRequest {
                    token,
                    backend,
                    by,
                    op,
                }));
            }
            None => Err(VfsError::Io),
        };
        let took = started.elapsed();
        if took > LONG {
            let until = self.micros(started + took + RESPITE);
            store.resting_until.store(until, Ordering::Relaxed);
            tracing::debug!(
                ?backend,
                ?took,
                "storage is slow, its operations go to the pool"
            );
        }
        Ok((token, Completion::Vfs(result)))
    }

    /// Does a job, however long it takes; `None`: the thread is to end.
    pub(super) fn carry_out(&self, job: Job) -> Option<Done> {
        match job {
            Job::Vfs(request) => {
                let store = self.store(&request);
                let VfsRequest { token, by, op, .. } = request;
                let result = match store {
                    Some(store) => {
                        caught(|| store.backend.execute(&by, op)).unwrap_or(Err(VfsError::Io))
                    }
                    None => Err(VfsError::Gone),
                };
                Some((token, Completion::Vfs(result)))
            }
            Job::Lookup(token, query) => Some((token, answer(&*self.accounts, &query))),
            Job::End => None,
        }
    }
}

/// What `call` returns; `None` if it panics: a backend that does fails one operation, not the server.
fn caught<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call))
        .inspect_err(|_| tracing::error!("storage panicked; answering an I/O error"))
        .ok()
}
