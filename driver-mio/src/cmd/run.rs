//! `smb-server run`

use std::path::{Path, PathBuf};

use driver_mio::config::listen::{listen_on, local_addresses};
use driver_mio::config::{EffectiveConfig, MapToGuest, unknown_groups};
use driver_mio::server::{self, EndSignals, ServeError, Setup, check_shares};
use driver_mio::users::{Accounts, DEFAULT_FILE_NAME, HostUser, Machine, Mapping, UserDb};

use super::{Failure, bind};
use crate::cli::Run;

/// Serves what the configuration says until the server ends.
///
/// # Errors
/// If something is wrong with the configuration, the users, the directories or the ports.
pub(crate) fn run(args: &Run, config: EffectiveConfig) -> Result<(), Failure> {
    let users_path = args.users.clone().unwrap_or_else(|| beside(&args.config));
    let users = UserDb::load(&users_path)?;
    let machine = Machine::load(users_path.parent())?;
    let host = HostUser::of_process();
    let mapping = if host.uid == 0 {
        Mapping::ByName
    } else {
        Mapping::All(host)
    };
    let name = config.global.netbios_name.0.to_uppercase();
    let accounts = Accounts::new(users, machine.domain, name, mapping);

    let problems = check_shares(&config);
    if !problems.is_empty() {
        return Err(ServeError::Directories(problems).into());
    }
    if !config.shares.iter().any(|s| s.available) {
        return Err(Failure::Usage(format!(
            "`{}` has no share to serve; expected a section such as `[files]` with `path = /directory`",
            args.config.display()
        )));
    }
    warn(&config, &accounts, &users_path);

    let addresses = if args.listen.is_empty() {
        let machine = local_addresses().map_err(|e| {
            Failure::Runtime(format!("cannot read the interfaces of the machine: {e}"))
        })?;
        listen_on(&config.global, &machine)?
    } else {
        let port = config.global.ports.0.first().copied().unwrap_or(445);
        bind::addresses(&args.listen, port)
    };
    let signals = EndSignals::catch()?;
    let running = server::start(Setup {
        config,
        accounts,
        machine,
        listen: bind::usable(addresses),
        journal: args.journal.clone(),
    })?;
    for address in running.addresses() {
        tracing::info!(%address, "listening");
    }
    signals.wait(running);
    Ok(())
}

/// The user database beside a configuration.
pub(super) fn beside(config: &Path) -> PathBuf {
    config.with_file_name(DEFAULT_FILE_NAME)
}

fn warn(config: &EffectiveConfig, accounts: &Accounts, users_path: &Path) {
    for problem in unknown_groups(config, accounts) {
        tracing::warn!("{problem}");
    }
    for user in accounts.refused() {
        tracing::warn!(
            "`{user}` of `{}` cannot log on: the system has no user of this name",
            users_path.display()
        );
    }
    let guests = config.global.map_to_guest != MapToGuest::Never
        || config.shares.iter().any(|s| s.available && s.guest_ok);
    if accounts.identities().is_empty() && !guests {
        tracing::warn!(
            "nobody can log on: `{}` has no user; add one with `smb-server user add NAME --users {}`",
            users_path.display(),
            users_path.display()
        );
    }
}
