//! `smb-server check`

use driver_mio::config::{self, ConfigError};
use driver_mio::server::check_shares;

use super::{Failure, print};
use crate::cli::Check;

/// Prints the configuration to standard output, and what is doubtful in it to standard error.
///
/// # Errors
/// If the configuration has mistakes.
pub(crate) fn check(args: &Check) -> Result<(), Failure> {
    let result = config::load(&args.config);
    let warnings = match &result {
        Ok((_, warnings)) => warnings.as_slice(),
        Err(ConfigError::Invalid(report)) => &report.warnings,
        Err(ConfigError::Read { .. }) => &[],
    };
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
    let (config, _) = result?;
    for problem in check_shares(&config) {
        eprintln!("warning: {problem}");
    }
    print(&config::print(&config, args.all))
}
