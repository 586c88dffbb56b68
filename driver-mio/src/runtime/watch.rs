//! The thread that waits for changes by other programs.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;

use super::gate::SharedGate;
use super::storage::Storage;

/// Between two looks: what comes in bursts is told in larger pieces.
const BREATH: Duration = Duration::from_millis(5);

/// The thread.
pub(super) struct Watch {
    thread: JoinHandle<()>,
    stop: Arc<OwnedFd>,
}

impl Watch {
    /// Starts it, if there is anything to watch.
    pub(super) fn start(gate: &SharedGate, storage: &Arc<Storage>) -> io::Result<Option<Self>> {
        if storage.watchers().next().is_none() {
            return Ok(None);
        }
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (gate, storage, ended) = (Arc::clone(gate), Arc::clone(storage), Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("smb-watch".to_owned())
            .spawn(move || run(&gate, &storage, &ended))?;
        Ok(Some(Self { thread, stop }))
    }

    /// Ends it.
    pub(super) fn end(self) {
        if let Err(error) = rustix::io::write(&*self.stop, &1u64.to_ne_bytes()) {
            tracing::error!(%error, "cannot end a thread");
            return;
        }
        // A panic of that thread has been reported on standard error already.
        let _ = self.thread.join();
    }
}

fn run(gate: &SharedGate, storage: &Storage, stop: &OwnedFd) {
    let watchers: Vec<_> = storage.watchers().collect();
    loop {
        let mut fds = vec![PollFd::new(stop, PollFlags::IN)];
        let descriptors: Vec<_> = watchers.iter().map(|(_, w)| w.descriptor()).collect();
        fds.extend(
            descriptors
                .iter()
                .map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)),
        );
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => {
                tracing::error!(%error, "waiting for changes by other programs failed");
                return;
            }
        }
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
        if ready.next() == Some(true) {
            return;
        }
        for ((id, watcher), ready) in watchers.iter().zip(ready) {
            if !ready {
                continue;
            }
            watcher.deliver(false, |all| {
                if !all.is_empty() {
                    gate.enter(|server, now| {
                        for what in all {
                            server.handle_outside(now, *id, what);
                        }
                    });
                }
            });
        }
        std::thread::sleep(BREATH);
    }
}
