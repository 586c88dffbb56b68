//! What the scenario asks of a client crate.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

/// The server and how to speak to it.
#[derive(clap::Args, Clone)]
pub struct Target {
    /// Address of the server.
    #[arg(long)]
    pub host: String,
    /// TCP port of the server.
    #[arg(long)]
    pub port: u16,
    #[arg(long)]
    pub user: String,
    #[arg(long, default_value = "")]
    pub password: String,
    /// The only dialect to offer, as `3.1.1`; needs a crate that can be told.
    #[arg(long)]
    pub dialect: Option<String>,
    /// Demand encryption; needs a crate that can be told.
    #[arg(long)]
    pub encrypt: bool,
}

/// One line of standard input. Remote paths use `/` and are relative to the share.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Request {
    Shares,
    List {
        share: String,
        path: String,
    },
    Put {
        share: String,
        local: PathBuf,
        remote: String,
    },
    Get {
        share: String,
        remote: String,
        local: PathBuf,
    },
    Mkdir {
        share: String,
        path: String,
    },
    Rename {
        share: String,
        from: String,
        to: String,
        replace: bool,
    },
    Delete {
        share: String,
        path: String,
    },
    Rmdir {
        share: String,
        path: String,
    },
}

/// Why the crate gave up.
pub struct Refusal {
    pub text: String,
    /// The NTSTATUS of the server, where the crate tells it.
    pub status: Option<u32>,
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self {
            text: error.to_string(),
            status: None,
        }
    }
}

pub type Outcome<T> = Result<T, Refusal>;

/// The operations of the scenario, by one crate.
pub trait Client {
    async fn shares(&mut self) -> Outcome<Vec<String>>;
    async fn list(&mut self, share: &str, path: &str) -> Outcome<Vec<String>>;
    async fn put(&mut self, share: &str, local: PathBuf, remote: &str) -> Outcome<()>;
    async fn get(&mut self, share: &str, remote: &str, local: PathBuf) -> Outcome<()>;
    async fn mkdir(&mut self, share: &str, path: &str) -> Outcome<()>;
    async fn rename(&mut self, share: &str, from: &str, to: &str, replace: bool) -> Outcome<()>;
    async fn delete(&mut self, share: &str, path: &str) -> Outcome<()>;
    async fn rmdir(&mut self, share: &str, path: &str) -> Outcome<()>;
}

/// Carries out one request.
pub async fn run(client: &mut impl Client, request: Request) -> Outcome<Value> {
    match request {
        Request::Shares => client.shares().await.map(|names| json!(names)),
        Request::List { share, path } => client.list(&share, &path).await.map(|names| json!(names)),
        Request::Put {
            share,
            local,
            remote,
        } => client
            .put(&share, local, &remote)
            .await
            .map(|()| json!(null)),
        Request::Get {
            share,
            remote,
            local,
        } => client
            .get(&share, &remote, local)
            .await
            .map(|()| json!(null)),
        Request::Mkdir { share, path } => client.mkdir(&share, &path).await.map(|()| json!(null)),
        Request::Rename {
            share,
            from,
            to,
            replace,
        } => client
            .rename(&share, &from, &to, replace)
            .await
            .map(|()| json!(null)),
        Request::Delete { share, path } => client.delete(&share, &path).await.map(|()| json!(null)),
        Request::Rmdir { share, path } => client.rmdir(&share, &path).await.map(|()| json!(null)),
    }
}
