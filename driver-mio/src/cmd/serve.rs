//! `smb-server serve`

use std::net::SocketAddr;
use std::path::Path;

use driver_mio::config::listen::{LocalAddress, local_addresses};
use driver_mio::config::{
    EffectiveConfig, MapToGuest, NetbiosName, Ports, ShareConfig, check_share_name,
};
use driver_mio::server::{self, EndSignals, Setup, check_directory};
use driver_mio::users::{self, Accounts, HostUser, Machine, Mapping, UserDb};
use smb_proto::crypto::ntlm::NtHash;
use zeroize::Zeroizing;

use super::connect::{Login, Share};
use super::{Failure, bind, print};
use crate::cli::Serve;

/// Who can log on if nobody is named.
const DEFAULT_USER: &str = "smb";

/// Holds the password, for those who start the server from a script.
const PASSWORD_VARIABLE: &str = "SMB_SERVER_PASSWORD";

/// Shares one directory until the server ends.
///
/// # Errors
/// If the directory, the names, the password or the port cannot be used.
pub(crate) fn serve(args: &Serve) -> Result<(), Failure> {
    check_directory(&args.dir)?;
    let dir = args.dir.canonicalize().map_err(|e| {
        Failure::Runtime(format!(
            "cannot find the path of `{}`: {e}",
            args.dir.display()
        ))
    })?;
    let share_name = share_name(args, &dir)?;
    let login = login(args)?;
    let (listen, not_445) = bind::for_serve(&args.listen);

    let mut users = UserDb::default();
    if let Login::User { name, password, .. } = &login {
        users.add(name, NtHash::of_password(password))?;
    }
    let machine = Machine::load(None)?;
    let mut config = EffectiveConfig::default();
    config.global.netbios_name = server_name();
    if args.guest {
        config.global.map_to_guest = MapToGuest::BadUser;
    }
    config.global.ports = Ports(listen.iter().map(SocketAddr::port).collect());
    config.shares.push(ShareConfig {
        name: share_name.clone(),
        path: Some(dir.clone()),
        read_only: args.read_only,
        guest_ok: args.guest,
        ..ShareConfig::default()
    });
    // Whoever logs on does what the user who started this could do.
    let accounts = Accounts::new(
        users,
        machine.domain,
        config.global.netbios_name.0.clone(),
        Mapping::All(HostUser::of_process()),
    );

    let signals = EndSignals::catch()?;
    let running = server::start(Setup {
        config,
        accounts,
        machine,
        listen,
        journal: args.journal.clone(),
    })?;
    let addresses = running.addresses();
    let share = Share {
        host: host(addresses),
        port: addresses.first().map_or(445, SocketAddr::port),
        name: share_name,
        login,
        guests: args.guest,
    };
    let access = if args.read_only { " (read only)" } else { "" };
    let mut text = format!("Sharing {}{access}\n", dir.display());
    if let Some(reason) = not_445 {
        text.push_str(&format!("Note: {reason}.\n"));
    }
    text.push('\n');
    text.push_str(&share.instructions());
    print(&text)?;
    signals.wait(running);
    Ok(())
}

fn share_name(args: &Serve, dir: &Path) -> Result<String, Failure> {
    if let Some(name) = &args.share {
        return match check_share_name(name) {
            Ok(()) => Ok(name.clone()),
            Err(expected) => Err(Failure::Usage(format!(
                "`{name}` cannot be the name of a share; expected {expected}"
            ))),
        };
    }
    let name = match dir.file_name() {
        Some(name) => name.to_string_lossy().into_owned(),
        None => "root".to_owned(),
    };
    check_share_name(&name).map(|()| name).map_err(|_| {
        Failure::Usage(format!(
            "the name of `{}` cannot be the name of a share; give one with --share NAME",
            dir.display()
        ))
    })
}

/// Who can log on, and with which password: from the file, the environment or the terminal for a
/// user who is named, made up otherwise.
fn login(args: &Serve) -> Result<Login, Failure> {
    let given = match &args.password_file {
        Some(file) => Some(users::from_file(file)?),
        None => match std::env::var(PASSWORD_VARIABLE) {
            Ok(password) => {
                let password = Zeroizing::new(password);
                users::check(&password)
                    .map_err(|e| Failure::Usage(format!("{PASSWORD_VARIABLE} is set, but: {e}")))?;
                Some(password)
            }
            Err(std::env::VarError::NotPresent) => None,
            Err(std::env::VarError::NotUnicode(_)) => {
                return Err(Failure::Usage(format!(
                    "{PASSWORD_VARIABLE} is set, but not to UTF-8 text"
                )));
            }
        },
    };
    let (name, password, made_up) = match (&args.user, given) {
        (None, None) if args.guest => return Ok(Login::Guest),
        (None, None) => (DEFAULT_USER, users::generate()?, true),
        (None, Some(password)) => (DEFAULT_USER, password, false),
        (Some(name), Some(password)) => (name.as_str(), password, false),
        (Some(name), None) => {
            users::check_user_name(name)?;
            let password = users::ask(&format!("Password for {name}: "))?;
            (name.as_str(), password, false)
        }
    };
    users::check_user_name(name)?;
    Ok(Login::User {
        name: name.to_owned(),
        password,
        made_up,
    })
}

/// The machine's name as a NetBIOS name: its first part, at most 15 characters.
fn server_name() -> NetbiosName {
    let system = rustix::system::uname();
    let host = system.nodename().to_string_lossy();
    let name: String = host
        .split('.')
        .next()
        .unwrap_or("")
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .take(15)
        .collect();
    if name.is_empty() {
        return EffectiveConfig::default().global.netbios_name;
    }
    NetbiosName(name.to_uppercase())
}

/// The address that others reach this machine by: the one that is listened on, or for all
/// addresses the first that is not the loopback's.
fn host(listening: &[SocketAddr]) -> String {
    let machine = local_addresses().unwrap_or_default();
    match listening.first() {
        Some(address) if !address.ip().is_unspecified() => address.ip().to_string(),
        _ => {
            let reachable = |l: &&LocalAddress| !l.loopback && l.address.is_ipv4();
            machine
                .iter()
                .find(reachable)
                .map_or_else(|| "127.0.0.1".to_owned(), |l| l.address.to_string())
        }
    }
}
