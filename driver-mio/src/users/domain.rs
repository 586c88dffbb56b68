//! What identifies this machine: the SID of its account domain and the ServerGuid.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use smb_proto::Guid;
use smb_proto::dtyp::Sid;

/// Beside the user database; ksmbd.mountd makes it.
const SUB_AUTH_FILE: &str = "ksmbd.subauth";

/// The file of sub-authorities is there but cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}:1: expected three numbers as in `1:2:3`, the SID of this machine that ksmbd.mountd writes{}", path.display(), reason.as_ref().map(|r| format!(" ({r})")).unwrap_or_default())]
pub struct SubAuthError {
    /// The file.
    pub path: PathBuf,
    /// Why it cannot be read.
    pub reason: Option<io::Error>,
}

/// The identity of the machine. It must stay the same from one start to the next: stored security
/// descriptors name users by the domain's SID, and clients recognise a server by its GUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// S-1-5-21-a-b-c, below which the users are.
    pub domain: Sid,
    /// ServerGuid, [MS-SMB2] 3.3.1.5.
    pub guid: Guid,
}

impl Machine {
    /// The domain SID comes from `ksmbd.subauth` in `folder`, if there is such a file. All else is
    /// made from the machine id of the system, or its host name where it has none; not the id
    /// itself, which machine-id(5) asks not to be shown.
    ///
    /// # Errors
    /// If `ksmbd.subauth` is there but not as it should be.
    pub fn load(folder: Option<&Path>) -> Result<Self, SubAuthError> {
        let id = fs::read("/etc/machine-id")
            .or_else(|_| fs::read("/var/lib/dbus/machine-id"))
            .unwrap_or_else(|_| rustix::system::uname().nodename().to_bytes().to_vec());
        let mut machine = Self::from_id(&id);
        if let Some(folder) = folder
            && let Some(domain) = sub_auth(&folder.join(SUB_AUTH_FILE))?
        {
            machine.domain = domain;
        }
        Ok(machine)
    }

    /// What is made from a machine id.
    #[must_use]
    pub fn from_id(id: &[u8]) -> Self {
        let [a, b, c, _] = digest("sansmb account domain", id);
        let [g0, g1, g2, g3] = digest("sansmb server guid", id);
        let mut guid = [0; 16];
        for (bytes, word) in guid.chunks_exact_mut(4).zip([g0, g1, g2, g3]) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Self {
            domain: Sid::domain(a, b, c),
            guid: Guid::from_bytes(guid),
        }
    }
}

/// The first 16 bytes of SHA-256 over a purpose and the id.
fn digest(purpose: &str, id: &[u8]) -> [u32; 4] {
    let hash: [u8; 32] = Sha256::new()
        .chain_update(purpose)
        .chain_update([0])
        .chain_update(id)
        .finalize()
        .into();
    let (words, _) = hash.as_chunks::<4>();
    let word = |i: usize| words.get(i).map_or(0, |w| u32::from_le_bytes(*w));
    [word(0), word(1), word(2), word(3)]
}

fn sub_auth(path: &Path) -> Result<Option<Sid>, SubAuthError> {
    let failed = |reason| SubAuthError {
        path: path.to_path_buf(),
        reason,
    };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(Some(e))),
    };
    let numbers: Option<Vec<u32>> = text
        .lines()
        .next()
        .unwrap_or("")
        .split(':')
        .map(|n| n.trim().parse().ok())
        .collect();
    match numbers.as_deref() {
        Some([a, b, c]) => Ok(Some(Sid::domain(*a, *b, *c))),
        _ => Err(failed(None)),
    }
}
