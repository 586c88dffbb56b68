//! The `smb2` crate. It always offers all dialects and encrypts where the
//! server asks for it, so that the server decides on both.

use std::path::PathBuf;

use anyhow::ensure;
use smb2::{ClientConfig, Error, RenameOptions, SmbClient, Tree};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Client, Outcome, Refusal, Target};

/// Bytes read from the local file at a time.
const CHUNK: usize = 1 << 20;

pub struct Smb2Crate {
    config: ClientConfig,
    client: Option<SmbClient>,
    tree: Option<(String, Tree)>,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self {
            status: error.status().map(|status| status.0),
            text: error.to_string(),
        }
    }
}

impl Smb2Crate {
    pub fn new(target: Target) -> anyhow::Result<Self> {
        ensure!(
            target.dialect.is_none() && !target.encrypt,
            "the crate smb2 cannot be told a dialect or to encrypt"
        );
        let config = ClientConfig {
            addr: format!("{}:{}", target.host, target.port),
            username: target.user,
            password: target.password,
            ..ClientConfig::default()
        };
        Ok(Self {
            config,
            client: None,
            tree: None,
        })
    }

    async fn client(&mut self) -> Outcome<&mut SmbClient> {
        if self.client.is_none() {
            self.client = Some(SmbClient::connect(self.config.clone()).await?);
        }
        self.client.as_mut().ok_or_else(|| Refusal {
            text: "no connection".into(),
            status: None,
        })
    }

    /// The connection and the share's tree, kept from one operation to the next.
    async fn on(&mut self, share: &str) -> Outcome<(&mut SmbClient, &mut Tree)> {
        if self.tree.as_ref().is_none_or(|(name, _)| name != share) {
            self.tree = None;
            let tree = self.client().await?.connect_share(share).await?;
            self.tree = Some((share.to_owned(), tree));
        }
        match (&mut self.client, &mut self.tree) {
            (Some(client), Some((_, tree))) => Ok((client, tree)),
            _ => Err(Refusal {
                text: "no share".into(),
                status: None,
            }),
        }
    }
}

impl Client for Smb2Crate {
    async fn shares(&mut self) -> Outcome<Vec<String>> {
        let shares = self.client().await?.list_shares().await?;
        Ok(shares.into_iter().map(|share| share.name).collect())
    }

    async fn list(&mut self, share: &str, path: &str) -> Outcome<Vec<String>> {
        let (client, tree) = self.on(share).await?;
        let entries = client.list_directory(tree, path).await?;
        Ok(entries
            .into_iter()
            .map(|entry| entry.name)
            .filter(|name| name != "." && name != "..")
            .collect())
    }

    async fn put(&mut self, share: &str, local: PathBuf, remote: &str) -> Outcome<()> {
        let mut file = tokio::fs::File::open(local).await?;
        let (client, tree) = self.on(share).await?;
        let mut writer = client.create_file_writer(tree, remote).await?;
        let mut chunk = vec![0; CHUNK];
        loop {
            let n = file.read(&mut chunk).await?;
            if n == 0 {
                break;
            }
            writer.write_chunk(&chunk[..n]).await?;
        }
        writer.finish().await?;
        Ok(())
    }

    async fn get(&mut self, share: &str, remote: &str, local: PathBuf) -> Outcome<()> {
        let (client, tree) = self.on(share).await?;
        let mut download = client.download(tree, remote).await?;
        let mut file = tokio::fs::File::create(local).await?;
        while let Some(chunk) = download.next_chunk().await {
            file.write_all(&chunk?).await?;
        }
        file.flush().await?;
        Ok(())
    }

    async fn mkdir(&mut self, share: &str, path: &str) -> Outcome<()> {
        let (client, tree) = self.on(share).await?;
        Ok(client.create_directory(tree, path).await?)
    }

    async fn rename(&mut self, share: &str, from: &str, to: &str, replace: bool) -> Outcome<()> {
        let (client, tree) = self.on(share).await?;
        let options = RenameOptions::new().replace_if_exists(replace);
        Ok(client.rename_with(tree, from, to, options).await?)
    }

    async fn delete(&mut self, share: &str, path: &str) -> Outcome<()> {
        let (client, tree) = self.on(share).await?;
        Ok(client.delete_file(tree, path).await?)
    }

    async fn rmdir(&mut self, share: &str, path: &str) -> Outcome<()> {
        let (client, tree) = self.on(share).await?;
        Ok(client.delete_directory(tree, path).await?)
    }
}
