//! The command line.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

/// Where ksmbd keeps its users, and so `smb-server user` without --users.
pub(crate) const SYSTEM_USERS: &str = "/etc/ksmbd/ksmbdpwd.db";

/// Serves directories to Windows, macOS and Linux over SMB 2 and 3
#[derive(Debug, Parser)]
#[command(name = "smb-server", version, about, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Log more: -v every request, -vv everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Log by this filter instead, as in `debug` or `warn,driver_mio=trace`
    #[arg(long, global = true, value_name = "FILTER", env = "SMB_SERVER_LOG")]
    pub(crate) log: Option<String>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Share one directory, with no other setting
    Serve(Serve),
    /// Serve what a configuration file says (smb.conf or ksmbd.conf)
    Run(Run),
    /// Read a configuration file and print what it comes to
    Check(Check),
    /// Change or list the users who can log on
    #[command(subcommand)]
    User(User),
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The directory to share
    pub(crate) dir: PathBuf,

    /// Name of the share [default: the directory's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) share: Option<String>,

    /// Who can log on; the password is taken from --password-file or SMB_SERVER_PASSWORD, or asked
    /// for [default: a user and password made up and printed]
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,

    /// A file whose first line is the password (`-`: standard input)
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,

    /// Let everybody in without a password; with --user, that user too
    #[arg(long)]
    pub(crate) guest: bool,

    /// Nobody can change anything
    #[arg(long)]
    pub(crate) read_only: bool,

    /// Where to listen: ADDR:PORT, ADDR or PORT; can be given more than once [default: port 445 of
    /// all addresses if that is allowed, else 4450]
    #[arg(long, value_name = "ADDR:PORT", value_parser = parse_listen)]
    pub(crate) listen: Vec<Listen>,

    /// Write down everything that happens, for `smb-sim journal`: a new file, which will hold all
    /// contents, names and password hashes that the server sees
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The configuration file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: PathBuf,

    /// The user database [default: ksmbdpwd.db beside the configuration]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) users: Option<PathBuf>,

    /// Where to listen instead of what the configuration says: ADDR:PORT, ADDR or PORT; can be given
    /// more than once
    #[arg(long, value_name = "ADDR:PORT", value_parser = parse_listen)]
    pub(crate) listen: Vec<Listen>,

    /// Write down everything that happens, for `smb-sim journal`: a new file, which will hold all
    /// contents, names and password hashes that the server sees
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The configuration file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: PathBuf,

    /// Print every parameter, not only those that differ from the default
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Add a user
    Add(UserPassword),
    /// Remove a user
    Delete(UserName),
    /// Print the names of all users
    List(Database),
    /// Change a user's password
    Passwd(UserPassword),
}

#[derive(Debug, Args)]
pub(crate) struct UserName {
    /// The user
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) database: Database,
}

#[derive(Debug, Args)]
pub(crate) struct UserPassword {
    #[command(flatten)]
    pub(crate) user: UserName,

    /// A file whose first line is the password (`-`: standard input) [default: asked for]
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Database {
    /// The user database [default: ksmbdpwd.db beside the configuration, or
    /// /etc/ksmbd/ksmbdpwd.db]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) users: Option<PathBuf>,

    /// The configuration that the database stands beside
    #[arg(short, long, value_name = "FILE", conflicts_with = "users")]
    pub(crate) config: Option<PathBuf>,
}

/// An address to listen on, in which the port may be left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listen {
    pub(crate) address: IpAddr,
    pub(crate) port: Option<u16>,
}

fn parse_listen(text: &str) -> Result<Listen, String> {
    let any = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let port = |text: &str| text.parse::<u16>().ok();
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Ok(Listen {
            address: socket.ip(),
            port: Some(socket.port()),
        });
    }
    if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(Listen {
            address,
            port: None,
        });
    }
    if let Some(port) = port(text.strip_prefix([':', '*'].as_slice()).unwrap_or(text))
        .or_else(|| text.strip_prefix("*:").and_then(port))
    {
        return Ok(Listen {
            address: any,
            port: Some(port),
        });
    }
    if let Some(rest) = text.strip_prefix("localhost")
        && let Some(port) = match rest.strip_prefix(':') {
            Some(number) => port(number).map(Some),
            None if rest.is_empty() => Some(None),
            None => None,
        }
    {
        return Ok(Listen {
            address: std::net::Ipv4Addr::LOCALHOST.into(),
            port,
        });
    }
    Err(
        "expected an address and port as in `192.168.1.7:4450` or `[::1]:4450`, an address, or a port"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn where_to_listen() {
        let listen = |text| parse_listen(text).map(|l| (l.address.to_string(), l.port));
        let is = |address: &str, port| Ok((address.to_owned(), port));
        assert_eq!(listen("192.168.1.7:4450"), is("192.168.1.7", Some(4450)));
        assert_eq!(listen("[::1]:4450"), is("::1", Some(4450)));
        assert_eq!(listen("[::1]"), is("::1", None));
        assert_eq!(listen("::1"), is("::1", None));
        assert_eq!(listen("10.0.0.1"), is("10.0.0.1", None));
        assert_eq!(listen("4450"), is("::", Some(4450)));
        assert_eq!(listen(":4450"), is("::", Some(4450)));
        assert_eq!(listen("*:4450"), is("::", Some(4450)));
        assert_eq!(listen("localhost:4450"), is("127.0.0.1", Some(4450)));
        assert_eq!(listen("localhost"), is("127.0.0.1", None));
        for wrong in [
            "",
            "here",
            "1.2.3:4",
            "1.2.3.4:99999",
            "70000",
            "localhost:x",
            "localhostx",
        ] {
            assert!(listen(wrong).is_err(), "{wrong}");
        }
    }
}
