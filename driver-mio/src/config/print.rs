//! A configuration as a file that reads back to the same configuration.

use std::fmt::Write as _;

use super::params::{PARAMS, Slot};
use super::types::{EffectiveConfig, Global, ShareConfig};

/// Writes the configuration: what differs from the defaults, or with `all` everything.
#[must_use]
pub fn print(config: &EffectiveConfig, all: bool) -> String {
    let mut text = String::from("[global]\n");
    let default = Global::default();
    for param in PARAMS.iter().filter(|p| p.of.is_none()) {
        if let Slot::Global(a) | Slot::Both(a, _) = &param.slot {
            let value = (a.show)(&config.global);
            if all || value != (a.show)(&default) {
                line(&mut text, param.name, &value);
            }
        }
    }
    let default = ShareConfig::default();
    for share in &config.shares {
        let _ = write!(text, "\n[{}]\n", share.name);
        for param in PARAMS.iter().filter(|p| p.of.is_none()) {
            if let Slot::Share(a) | Slot::Both(_, a) = &param.slot {
                let value = (a.show)(share);
                if all || value != (a.show)(&default) {
                    line(&mut text, param.name, &value);
                }
            }
        }
    }
    text
}

fn line(text: &mut String, name: &str, value: &str) {
    text.push('\t');
    text.push_str(name);
    text.push_str(" =");
    if !value.is_empty() {
        text.push(' ');
        text.push_str(value);
    }
    // A backslash at the end would join the next line; an empty comment stands in between.
    if value.ends_with('\\') {
        text.push_str(" ;");
    }
    text.push('\n');
}
