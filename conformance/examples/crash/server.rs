//! The server, which is killed.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// A server and what it is started with.
pub(crate) struct Server {
    binary: PathBuf,
    directory: PathBuf,
    pub(crate) address: SocketAddr,
    /// Who can log on, with `demo` as password: a user of the system, because the server may run as root.
    pub(crate) user: String,
    running: Option<Child>,
    /// Kills it, and waits for its end.
    killer: Option<JoinHandle<io::Result<()>>>,
}

impl Server {
    /// Configuration, user and share in a fresh directory.
    pub(crate) fn prepare(
        binary: &Path,
        directory: &Path,
        address: SocketAddr,
        user: &str,
    ) -> Result<Self> {
        let share = directory.join("share");
        fs::create_dir_all(&share)?;
        fs::set_permissions(&share, PermissionsExt::from_mode(0o777))?;
        let config = format!(
            "[global]\n state directory = {}\n max ip connections = 0\n[files]\n path = {}\n read only = no\n \
             continuous availability = yes\n",
            directory.join("state").display(),
            share.display()
        );
        fs::write(directory.join("smb.conf"), config)?;
        let password = directory.join("password");
        fs::write(&password, "demo\n")?;
        fs::set_permissions(&password, PermissionsExt::from_mode(0o600))?;
        let added = Command::new(binary)
            .args(["user", "add", user, "--password-file"])
            .arg(&password)
            .arg("--users")
            .arg(directory.join("users.db"))
            .stdout(Stdio::null())
            .status()?;
        ensure!(added.success(), "the user cannot be added");
        Ok(Self {
            binary: binary.to_owned(),
            directory: directory.to_owned(),
            address,
            user: user.to_owned(),
            running: None,
            killer: None,
        })
    }

    /// Starts it, and waits until it listens.
    pub(crate) fn start(&mut self) -> Result<()> {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.directory.join("log"))?;
        let child = Command::new(&self.binary)
            .arg("run")
            .arg("--config")
            .arg(self.directory.join("smb.conf"))
            .arg("--users")
            .arg(self.directory.join("users.db"))
            .arg("--listen")
            .arg(self.address.to_string())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.running = Some(child);
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(self.address).is_err() {
            ensure!(Instant::now() < until, "the server does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Sends SIGKILL after this time.
    pub(crate) fn kill_after(&mut self, after: Duration) -> Result<()> {
        let mut child = self.running.take().context("no server runs")?;
        self.killer = Some(std::thread::spawn(move || {
            std::thread::sleep(after);
            child.kill()?;
            child.wait().map(|_| ())
        }));
        Ok(())
    }

    /// Waits for the kill, if one is on its way, and starts the server again.
    pub(crate) fn again(&mut self) -> Result<()> {
        if let Some(killer) = self.killer.take() {
            killer.join().ok().context("the killer panicked")??;
            self.start()?;
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(killer) = self.killer.take() {
            let _ = killer.join();
        }
        if let Some(child) = &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
