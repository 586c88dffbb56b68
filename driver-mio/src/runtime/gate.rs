//! The lock around the engine's shared half, and the way its outputs take.
//!
//! Whoever enters hands the server one or more inputs; before the lock is released, the outputs are
//! put into the queues of those who carry them out. So the outputs for one connection reach its
//! thread in the order in which the server made them, whichever thread entered.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::Sender;
use mio::Waker;
use mio::net::TcpStream;
use smb_engine::output::{ConnId, KeyUpdate, Outbound, Output};
use smb_engine::time::{Instant, Now};
use smb_engine::{Peer, Server};

use super::clock::Clock;
use super::storage::Job;
use super::{canonical, log};
use crate::persistent::Persistent;

/// Something for an I/O thread to carry out.
pub(super) enum Work {
    /// A new connection of its own.
    Adopt(ConnId, TcpStream),
    /// Seal and send.
    Send(ConnId, Outbound),
    /// Give to the link.
    Keys(ConnId, KeyUpdate),
    /// Send what is queued, then close.
    Close(ConnId),
}

/// The queue of one I/O thread.
pub(super) struct Inbox {
    queue: Mutex<VecDeque<Work>>,
    waker: Waker,
}

/// What is behind the lock.
struct Guarded {
    server: Server,
    routes: BTreeMap<ConnId, Route>,
    /// Connections of each I/O thread.
    load: Vec<usize>,
    /// The timeout that the timer's thread knows of.
    armed: Option<Instant>,
    /// Where persistent opens are kept.
    persistent: Option<Persistent>,
}

/// Writes everything that is to be kept at once, before anything else of the outputs is carried out.
fn keep(persistent: Option<&mut Persistent>, outputs: &mut [Output]) {
    let mut news = Vec::new();
    for output in outputs {
        if let Output::Store(changes) = output {
            news.append(changes);
        }
    }
    if let Some(persistent) = persistent.filter(|_| !news.is_empty())
        && let Err(error) = persistent.keep(news)
    {
        // Clients are answered all the same: what they are told is true as long as this server runs.
        tracing::error!(%error, "persistent handles are not safe until this is repaired");
    }
}

/// Where a connection lives.
struct Route {
    thread: usize,
    peer: SocketAddr,
}

/// The lock and the queues.
pub(super) struct Gate {
    guarded: Mutex<Guarded>,
    inboxes: Vec<Inbox>,
    jobs: Sender<Job>,
    clock: Clock,
    stopping: AtomicBool,
}

/// Goes on after a panic elsewhere: the engine's tables are changed by code that does not panic, and
/// one broken thread must not take all clients with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gate {
    pub(super) fn new(
        server: Server,
        persistent: Option<Persistent>,
        wakers: Vec<Waker>,
        jobs: Sender<Job>,
    ) -> Self {
        let inboxes: Vec<Inbox> = wakers
            .into_iter()
            .map(|waker| Inbox {
                queue: Mutex::default(),
                waker,
            })
            .collect();
        let load = vec![0; inboxes.len()];
        Self {
            guarded: Mutex::new(Guarded {
                server,
                routes: BTreeMap::new(),
                load,
                armed: None,
                persistent,
            }),
            inboxes,
            jobs,
            clock: Clock::new(),
            stopping: AtomicBool::new(false),
        }
    }

    pub(super) fn now(&self) -> Now {
        self.clock.now()
    }

    /// Lets `input` use the server, and sends its outputs on their way; jobs go to the pool.
    pub(super) fn enter<R>(&self, input: impl FnOnce(&mut Server, Now) -> R) -> R {
        let (result, jobs) = self.enter_from(None, input);
        jobs.into_iter().for_each(|job| self.submit(job));
        result
    }

    /// As [`Self::enter`], for who carries out jobs itself. `me` is the I/O thread that asks: it
    /// looks into its own inbox afterwards anyway and need not be woken for it.
    pub(super) fn enter_from<R>(
        &self,
        me: Option<usize>,
        input: impl FnOnce(&mut Server, Now) -> R,
    ) -> (R, Vec<Job>) {
        let now = self.clock.now();
        let mut guarded = lock(&self.guarded);
        let result = input(&mut guarded.server, now);
        let mut events = Vec::new();
        let mut jobs = Vec::new();
        let mut wake = vec![false; self.inboxes.len()];
        let Guarded {
            server,
            routes,
            armed,
            persistent,
            ..
        } = &mut *guarded;
        let mut outputs: Vec<Output> = std::iter::from_fn(|| server.poll_output()).collect();
        keep(persistent.as_mut(), &mut outputs);
        for output in outputs {
            let (conn, work) = match output {
                // All of these are kept already.
                Output::Store(_) => continue,
                Output::Send(conn, outbound) => (conn, Work::Send(conn, outbound)),
                Output::Keys(conn, keys) => (conn, Work::Keys(conn, keys)),
                Output::Close(conn, _) => (conn, Work::Close(conn)),
                Output::Vfs(request) => {
                    jobs.push(Job::Vfs(request));
                    continue;
                }
                Output::Lookup(token, query) => {
                    jobs.push(Job::Lookup(token, query));
                    continue;
                }
                Output::Event(event) => {
                    let peer = log::conn_of(&event)
                        .and_then(|c| routes.get(&c))
                        .map(|r| r.peer);
                    events.push((peer, event));
                    continue;
                }
            };
            self.deliver(routes, &mut wake, conn, work);
        }
        let due = server.poll_timeout();
        if due.is_some_and(|due| armed.is_none_or(|armed| due < armed)) {
            // The timer's thread must look again.
            if let Some(first) = wake.first_mut() {
                *first = true;
            }
        }
        *armed = due;
        drop(guarded);
        for (index, inbox) in self.inboxes.iter().enumerate() {
            if wake.get(index) == Some(&true) && me != Some(index) {
                inbox.wake();
            }
        }
        for (peer, event) in events {
            log::event(peer, &event);
        }
        (result, jobs)
    }

    /// Gives a job to the pool.
    pub(super) fn submit(&self, job: Job) {
        // Fails only when the pool has ended, and then nobody waits for the answer.
        let _ = self.jobs.send(job);
    }

    fn deliver(
        &self,
        routes: &BTreeMap<ConnId, Route>,
        wake: &mut [bool],
        conn: ConnId,
        work: Work,
    ) {
        let Some(route) = routes.get(&conn) else {
            return;
        };
        if let Some(inbox) = self.inboxes.get(route.thread) {
            lock(&inbox.queue).push_back(work);
            if let Some(flag) = wake.get_mut(route.thread) {
                *flag = true;
            }
        }
    }

    /// Takes in a new connection and gives it to the I/O thread with the fewest, or drops it if the
    /// server does not want it.
    pub(super) fn accept(&self, stream: TcpStream, peer: SocketAddr) {
        let address = Peer {
            address: canonical(peer),
            port: peer.port(),
        };
        let result = {
            let now = self.clock.now();
            let mut guarded = lock(&self.guarded);
            guarded.server.handle_accept(now, address).map(|conn| {
                let load = guarded.load.iter_mut().enumerate();
                let thread = load.min_by_key(|(_, n)| **n).map_or(0, |(index, n)| {
                    *n += 1;
                    index
                });
                guarded.routes.insert(conn, Route { thread, peer });
                (conn, thread)
            })
        };
        match result {
            Ok((conn, thread)) => {
                tracing::info!(%conn, %peer, "connected");
                if let Some(inbox) = self.inboxes.get(thread) {
                    lock(&inbox.queue).push_back(Work::Adopt(conn, stream));
                    inbox.wake();
                }
                // The deadline of the new connection may be the first one.
                if let Some(timer) = self.inboxes.first() {
                    timer.wake();
                }
            }
            Err(reason) => tracing::warn!(%peer, ?reason, "connection refused"),
        }
    }

    /// The connection of the I/O thread `me` has gone; what is to be done about that.
    pub(super) fn closed(&self, me: usize, conn: ConnId) -> Vec<Job> {
        let peer = {
            let mut guarded = lock(&self.guarded);
            let route = guarded.routes.remove(&conn);
            if let Some(n) = route.as_ref().and_then(|r| guarded.load.get_mut(r.thread)) {
                *n -= 1;
            }
            route.map(|r| r.peer)
        };
        let ((), jobs) = self.enter_from(Some(me), |server, now| server.handle_closed(now, conn));
        if let Some(peer) = peer {
            tracing::info!(%conn, %peer, "disconnected");
        }
        jobs
    }

    /// What the thread `index` has to do.
    pub(super) fn inbox(&self, index: usize) -> VecDeque<Work> {
        self.inboxes
            .get(index)
            .map(|i| std::mem::take(&mut *lock(&i.queue)))
            .unwrap_or_default()
    }

    /// When the server wants to be called; asked by the timer's thread before it sleeps.
    pub(super) fn timeout(&self) -> Option<Instant> {
        let mut guarded = lock(&self.guarded);
        guarded.armed = guarded.server.poll_timeout();
        guarded.armed
    }

    /// Tells the I/O threads to end.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        for inbox in &self.inboxes {
            inbox.wake();
        }
        self.pass_end();
    }

    /// Tells one more thread of the pool to end; each that does tells the next.
    pub(super) fn pass_end(&self) {
        self.submit(Job::End);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

impl Inbox {
    fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "cannot wake a thread");
        }
    }
}

/// A gate that several threads hold.
pub(super) type SharedGate = Arc<Gate>;
