//! The `smb` crate, in its blocking flavour.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::bail;
use smb::connection::EncryptionMode;
use smb::resource::file_util::{GetLen, ReadAtChannel, SetLen, WriteAtChannel, block_copy};
use smb::sync_helpers::Mutex;
use smb::{
    Client as SmbClient, ClientConfig, ConnectionConfig, CreateOptions, Dialect, Error, File,
    FileAccessMask, FileAttributes, FileCreateArgs, FileDispositionInformation,
    FileNamesInformation, FileRenameInformation, Resource, ResourceHandle, UncPath,
};

use crate::client::{Client, Outcome, Refusal, Target};

/// Transfers in flight at a time.
const JOBS: usize = 8;

pub struct SmbCrate {
    client: SmbClient,
    target: Target,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let status = match &error {
            Error::UnexpectedMessageStatus(status) | Error::ReceivedErrorMessage(status, _) => {
                Some(*status)
            }
            _ => None,
        };
        Self {
            text: error.to_string(),
            status,
        }
    }
}

impl SmbCrate {
    pub fn new(target: Target) -> anyhow::Result<Self> {
        let dialect = target.dialect.as_deref().map(dialect).transpose()?;
        let connection = ConnectionConfig {
            port: Some(target.port),
            min_dialect: dialect,
            max_dialect: dialect,
            encryption_mode: if target.encrypt {
                EncryptionMode::Required
            } else {
                EncryptionMode::Allowed
            },
            ..ConnectionConfig::default()
        };
        let config = ClientConfig {
            dfs: false,
            connection,
            ..ClientConfig::default()
        };
        Ok(Self {
            client: SmbClient::new(config),
            target,
        })
    }

    /// The server's name as this crate wants it: the port travels in it.
    fn server(&self) -> String {
        format!("{}:{}", self.target.host, self.target.port)
    }

    fn open(&self, share: &str, path: &str, args: &FileCreateArgs) -> Outcome<Resource> {
        let root = UncPath::from_str(&format!(r"\\{}\{share}", self.server()))?;
        self.client
            .share_connect(&root, &self.target.user, self.target.password.clone())?;
        Ok(self
            .client
            .create_file(&root.with_path(&path.replace('/', "\\")), args)?)
    }

    /// Marks what exists for deletion, whatever it is.
    fn remove(&self, share: &str, path: &str) -> Outcome<()> {
        let args = FileCreateArgs::make_open_existing(
            FileAccessMask::new()
                .with_delete(true)
                .with_synchronize(true),
        );
        let resource = self.open(share, path, &args)?;
        let handle = handle(&resource);
        let marked = handle.set_info(FileDispositionInformation {
            delete_pending: true.into(),
        });
        handle.close()?;
        Ok(marked?)
    }
}

fn handle(resource: &Resource) -> &ResourceHandle {
    match resource {
        Resource::File(file) => file,
        Resource::Directory(directory) => directory,
        Resource::Pipe(pipe) => pipe,
    }
}

fn dialect(name: &str) -> anyhow::Result<Dialect> {
    Ok(match name {
        "2.0.2" => Dialect::Smb0202,
        "2.1" => Dialect::Smb021,
        "3.0" => Dialect::Smb030,
        "3.0.2" => Dialect::Smb0302,
        "3.1.1" => Dialect::Smb0311,
        _ => bail!("no such dialect: {name}"),
    })
}

/// An open file that can be closed after `block_copy`, which keeps what it is given and closes nothing.
#[derive(Clone)]
struct Remote(Arc<File>);

impl Remote {
    fn new(resource: Resource) -> Self {
        Self(Arc::new(resource.unwrap_file()))
    }

    fn close(&self) -> smb::Result<()> {
        self.0.close()
    }
}

impl ReadAtChannel for Remote {
    fn read_at_channel(
        &self,
        buf: &mut [u8],
        offset: u64,
        channel: Option<u32>,
    ) -> smb::Result<usize> {
        self.0.read_at_channel(buf, offset, channel)
    }
}

impl WriteAtChannel for Remote {
    fn write_at_channel(
        &self,
        buf: &[u8],
        offset: u64,
        channel: Option<u32>,
    ) -> smb::Result<usize> {
        self.0.write_at_channel(buf, offset, channel)
    }
}

impl GetLen for Remote {
    fn get_len(&self) -> smb::Result<u64> {
        self.0.get_len()
    }
}

impl SetLen for Remote {
    fn set_len(&self, len: u64) -> smb::Result<()> {
        self.0.set_len(len)
    }
}

impl Client for SmbCrate {
    async fn shares(&mut self) -> Outcome<Vec<String>> {
        let server = self.server();
        let ipc = UncPath::from_str(&format!(r"\\{server}\IPC$"))?;
        self.client
            .share_connect(&ipc, &self.target.user, self.target.password.clone())?;
        let shares = self.client.list_shares(&server)?;
        Ok(shares
            .iter()
            .filter_map(|share| (*share.netname).as_ref().map(|name| (**name).to_string()))
            .collect())
    }

    async fn list(&mut self, share: &str, path: &str) -> Outcome<Vec<String>> {
        let args =
            FileCreateArgs::make_open_existing(FileAccessMask::new().with_generic_read(true));
        let directory = self.open(share, path, &args)?.unwrap_dir();
        let mut names = Vec::new();
        for entry in directory.query::<FileNamesInformation>("*")? {
            names.push(entry?.file_name.to_string());
        }
        directory.close()?;
        names.retain(|name| name != "." && name != "..");
        Ok(names)
    }

    async fn put(&mut self, share: &str, local: PathBuf, remote: &str) -> Outcome<()> {
        let from = Mutex::new(std::fs::File::open(local)?);
        let args = FileCreateArgs::make_overwrite(FileAttributes::new(), CreateOptions::new());
        let to = Remote::new(self.open(share, remote, &args)?);
        let copied = block_copy(from, to.clone(), JOBS);
        to.close()?;
        Ok(copied?)
    }

    async fn get(&mut self, share: &str, remote: &str, local: PathBuf) -> Outcome<()> {
        let args =
            FileCreateArgs::make_open_existing(FileAccessMask::new().with_generic_read(true));
        let from = Remote::new(self.open(share, remote, &args)?);
        let to = Mutex::new(std::fs::File::create(local)?);
        let copied = block_copy(from.clone(), to, JOBS);
        from.close()?;
        Ok(copied?)
    }

    async fn mkdir(&mut self, share: &str, path: &str) -> Outcome<()> {
        let args = FileCreateArgs::make_create_new(
            FileAttributes::new().with_directory(true),
            CreateOptions::new().with_directory_file(true),
        );
        let made = self.open(share, path, &args)?;
        Ok(handle(&made).close()?)
    }

    async fn rename(&mut self, share: &str, from: &str, to: &str, replace: bool) -> Outcome<()> {
        let access = FileAccessMask::new()
            .with_delete(true)
            .with_synchronize(true);
        let resource = self.open(share, from, &FileCreateArgs::make_open_existing(access))?;
        let info = FileRenameInformation {
            replace_if_exists: replace.into(),
            root_directory: 0,
            file_name: to.replace('/', "\\").as_str().into(),
        };
        let handle = handle(&resource);
        let renamed = handle.set_info(info);
        handle.close()?;
        Ok(renamed?)
    }

    async fn delete(&mut self, share: &str, path: &str) -> Outcome<()> {
        self.remove(share, path)
    }

    async fn rmdir(&mut self, share: &str, path: &str) -> Outcome<()> {
        self.remove(share, path)
    }
}
