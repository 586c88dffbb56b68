//! Carrying out file operations and account lookups, on whatever thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use smb_engine::config::BackendId;
use smb_engine::output::{Completion, Query, Token};
use smb_engine::vfs::{Backend, VfsError, VfsRequest};

use super::gate::Gate;
use super::{Accounts, answer};
use crate::fs::Watcher;

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
pub(super) struct Done {
    token: Token,
    completion: Completion,
    /// The backend, if its watched directories may have been changed.
    changed: Option<BackendId>,
}

/// The backends and accounts.
pub(super) struct Storage {
    backends: Vec<Store>,
    accounts: Arc<dyn Accounts>,
    began: Instant,
}

struct Store {
    backend: Arc<dyn Backend>,
    watcher: Option<Arc<Watcher>>,
    /// Until when nothing of it is done on I/O threads, in microseconds since the start.
    resting_until: AtomicU64,
}

impl Storage {
    pub(super) fn new(
        backends: Vec<Arc<dyn Backend>>,
        watchers: Vec<Option<Arc<Watcher>>>,
        accounts: Arc<dyn Accounts>,
    ) -> Self {
        let mut watchers = watchers.into_iter();
        let store = |backend| Store {
            backend,
            watcher: watchers.next().flatten(),
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

    /// What tells of changes by other programs, and in whose files.
    pub(super) fn watchers(&self) -> impl Iterator<Item = (BackendId, &Arc<Watcher>)> {
        (0..)
            .zip(&self.backends)
            .filter_map(|(id, store)| Some((BackendId(id), store.watcher.as_ref()?)))
    }

    /// The backend of an operation that changes something, while somebody watches there.
    fn changes(&self, request: &VfsRequest) -> Option<BackendId> {
        let watcher = self.store(request)?.watcher.as_ref()?;
        (watcher.is_active() && request.op.is_change()).then_some(request.backend)
    }

    /// Brings the server what jobs have brought, and before each what the host tells of its effects.
    /// `me` as in [`Gate::enter_from`]; gives what is to be done next.
    pub(super) fn bring(&self, gate: &Gate, me: Option<usize>, done: Vec<Done>) -> Vec<Job> {
        let mut jobs = Vec::new();
        let mut plain = Vec::new();
        for done in done {
            let watcher = done.changed.and_then(|id| {
                let store = self.backends.get(usize::try_from(id.0).ok()?)?;
                Some((id, store.watcher.as_ref()?))
            });
            let Some((id, watcher)) = watcher else {
                plain.push(done);
                continue;
            };
            let ((), more) = watcher.deliver(true, |all| {
                gate.enter_from(me, |server, now| {
                    for what in all {
                        server.handle_outside(now, id, what);
                    }
                    server.handle_completion(now, done.token, done.completion);
                })
            });
            jobs.extend(more);
        }
        if !plain.is_empty() {
            let ((), more) = gate.enter_from(me, |server, now| {
                for done in plain {
                    server.handle_completion(now, done.token, done.completion);
                }
            });
            jobs.extend(more);
        }
        jobs
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
        let changed = self.changes(&request);
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
        Ok(Done {
            token,
            completion: Completion::Vfs(result),
            changed,
        })
    }

    /// Does a job, however long it takes; `None`: the thread is to end.
    pub(super) fn carry_out(&self, job: Job) -> Option<Done> {
        match job {
            Job::Vfs(request) => {
                let store = self.store(&request);
                let changed = self.changes(&request);
                let VfsRequest { token, by, op, .. } = request;
                let result = match store {
                    Some(store) => {
                        caught(|| store.backend.execute(&by, op)).unwrap_or(Err(VfsError::Io))
                    }
                    None => Err(VfsError::Gone),
                };
                Some(Done {
                    token,
                    completion: Completion::Vfs(result),
                    changed,
                })
            }
            Job::Lookup(token, query) => Some(Done {
                token,
                completion: answer(&*self.accounts, &query),
                changed: None,
            }),
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
