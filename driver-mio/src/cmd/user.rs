//! `smb-server user`

use std::path::{Path, PathBuf};

use driver_mio::users::{self, HostUser, UserDb, UserDbError, ask_twice};
use smb_proto::crypto::ntlm::NtHash;

use super::run::beside;
use super::{Failure, print};
use crate::cli::{Database, SYSTEM_USERS, User, UserPassword};

/// Changes or lists the user database.
///
/// # Errors
/// If the database, the name or the password is wrong.
pub(crate) fn user(command: &User) -> Result<(), Failure> {
    match command {
        User::Add(args) => {
            let (path, name) = (path_of(&args.user.database), &args.user.name);
            users::check_user_name(name)?;
            // Asking for a password that will not be used would be a nuisance.
            if let Some((existing, _)) = UserDb::load(&path)?.find(name) {
                return Err(UserDbError::Exists(existing.to_owned()).into());
            }
            let hash = new_hash(args)?;
            UserDb::update(&path, |db| db.add(name, hash))?;
            print(&format!("added {name} to {}\n", path.display()))?;
            if let Ok(None) = HostUser::named(name) {
                eprintln!(
                    "note: the system has no user `{name}`; a server that `run`s as root lets only users of the system log on"
                );
            }
            Ok(())
        }
        User::Passwd(args) => {
            let (path, name) = (path_of(&args.user.database), &args.user.name);
            let missing = || UserDbError::Missing(name.clone(), path.clone());
            if UserDb::load(&path)?.find(name).is_none() {
                return Err(missing().into());
            }
            let hash = new_hash(args)?;
            UserDb::update(&path, |db| {
                db.set(name, hash).then_some(()).ok_or_else(missing)
            })?;
            print(&format!(
                "changed the password of {name} in {}\n",
                path.display()
            ))
        }
        User::Delete(args) => {
            let (path, name) = (path_of(&args.database), &args.name);
            UserDb::update(&path, |db| {
                db.remove(name)
                    .then_some(())
                    .ok_or_else(|| UserDbError::Missing(name.clone(), path.clone()))
            })?;
            print(&format!("removed {name} from {}\n", path.display()))
        }
        User::List(database) => {
            let db = UserDb::load(&path_of(database))?;
            let names: String = db.names().map(|name| format!("{name}\n")).collect();
            print(&names)
        }
    }
}

fn path_of(database: &Database) -> PathBuf {
    match (&database.users, &database.config) {
        (Some(users), _) => users.clone(),
        (None, Some(config)) => beside(config),
        (None, None) => Path::new(SYSTEM_USERS).to_path_buf(),
    }
}

fn new_hash(args: &UserPassword) -> Result<NtHash, Failure> {
    let password = match &args.password_file {
        Some(file) => users::from_file(file)?,
        None => ask_twice(&args.user.name)?,
    };
    Ok(NtHash::of_password(&password))
}
