//! From what is written to what it means: every entry checked, every default filled in.

use std::collections::BTreeMap;

use super::diag::Report;
use super::params::{Effect, PARAMS, Param, Scope, Slot, find};
use super::reader::{Document, Entry, Section, normal_name};
use super::samba_names::SAMBA_NAMES;
use super::types::{EffectiveConfig, Global, ShareConfig};
use super::value::Expected;
use super::words::Encryption;

/// Share names have at most this many bytes, as in ksmbd.
const MAX_SHARE_NAME: usize = 63;

/// Builds the configuration. If `report` has errors afterwards it must not be used.
pub(super) fn build(document: &Document, report: &mut Report) -> EffectiveConfig {
    let mut config = EffectiveConfig::default();
    let mut template = ShareConfig::default();

    let sections = merged(document);
    let is_global = |s: &&Merged<'_>| s.key == "global";
    if let Some(section) = sections.iter().find(is_global) {
        let chosen = choose(section, Place::Global, report);
        for (param, entry) in &chosen {
            apply_global(param, entry, &mut config.global, &mut template);
        }
        check_global(section, &chosen, &config.global, report);
    }
    for section in sections.iter().filter(|s| !is_global(s)) {
        if let Some(share) = share(section, &template, &config.global, report) {
            config.shares.push(share);
        }
    }
    // `path` in [global] is a default like any other; the position is that of the section then.
    for share in &mut config.shares {
        if share.path_at.is_none() {
            share.path_at.clone_from(&share.at);
        }
    }
    config
}

/// All sections of one name.
struct Merged<'a> {
    /// Name in lower case.
    key: String,
    first: &'a Section,
    entries: Vec<&'a Entry>,
}

/// Sections of the same name are one section, in the place of the first.
fn merged(document: &Document) -> Vec<Merged<'_>> {
    let mut sections: Vec<Merged<'_>> = Vec::new();
    let mut index: BTreeMap<String, usize> = BTreeMap::new();
    for section in &document.sections {
        let key = section.name.to_lowercase();
        let at = *index.entry(key.clone()).or_insert_with(|| {
            sections.push(Merged {
                key,
                first: section,
                entries: Vec::new(),
            });
            sections.len() - 1
        });
        if let Some(merged) = sections.get_mut(at) {
            merged.entries.extend(&section.entries);
        }
    }
    sections
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Global,
    Share,
}

/// The entries that count: known, not empty, well-formed, in the right place, and one for each
/// thing that can be set.
fn choose<'a>(
    section: &Merged<'a>,
    place: Place,
    report: &mut Report,
) -> Vec<(&'static Param, &'a Entry)> {
    // By rank in PARAMS: where several parameters set the same thing, the first of them wins.
    let mut given: BTreeMap<usize, (&'static Param, &'a Entry)> = BTreeMap::new();
    for entry in &section.entries {
        let Some(param) = known(entry, report) else {
            continue;
        };
        if place == Place::Share && param.scope() == Scope::Global {
            report.error(
                &entry.name_at,
                format!(
                    "`{}` holds for the whole server; expected it in `[global]`, not in `[{}]`",
                    param.name, section.first.name
                ),
            );
            continue;
        }
        if entry.value.is_empty() {
            continue;
        }
        if let Err(Expected(expected)) = try_value(param, place, entry, report) {
            report.error(
                &entry.value_at,
                format!(
                    "expected {expected} for `{}`, found `{}`",
                    entry.name, entry.value
                ),
            );
            continue;
        }
        let Some(rank) = PARAMS.iter().position(|p| p.name == param.name) else {
            continue;
        };
        match given.get(&rank) {
            None => {
                given.insert(rank, (param, entry));
            }
            Some((_, first)) if first.value != entry.value => report.warn(
                &entry.name_at,
                format!(
                    "`{}` is given again and this line is ignored: line {} of {} counts",
                    entry.name,
                    first.name_at.line,
                    first.name_at.file.display()
                ),
            ),
            Some(_) => {}
        }
    }
    let mut chosen: Vec<(&'static Param, &'a Entry)> = Vec::new();
    for (param, entry) in given.into_values() {
        match chosen.iter().find(|(p, _)| p.target() == param.target()) {
            None => chosen.push((param, entry)),
            Some((winner, first)) => {
                if value_of(param, place, entry) != value_of(winner, place, first) {
                    report.warn(
                        &entry.name_at,
                        format!(
                            "`{}` is ignored: `{}` on line {} of {} has precedence",
                            entry.name,
                            first.name,
                            first.name_at.line,
                            first.name_at.file.display()
                        ),
                    );
                }
            }
        }
    }
    chosen
}

fn known(entry: &Entry, report: &mut Report) -> Option<&'static Param> {
    if let Some(param) = find(&entry.name) {
        return Some(param);
    }
    let wanted = normal_name(&entry.name);
    if SAMBA_NAMES.iter().any(|n| normal_name(n) == wanted) {
        report.warn(
            &entry.name_at,
            format!(
                "Samba's `{}` is not supported and has no effect",
                entry.name
            ),
        );
    } else if entry.name.contains(':') {
        report.warn(
            &entry.name_at,
            format!(
                "`{}` is an option of a module that does not exist here and has no effect",
                entry.name
            ),
        );
    } else {
        let hint = nearest(&wanted).map_or_else(
            || "; expected a parameter of ksmbd.conf(5) or smb.conf(5)".to_owned(),
            |name| format!("; did you mean `{name}`?"),
        );
        report.error(
            &entry.name_at,
            format!("unknown parameter `{}`{hint}", entry.name),
        );
    }
    None
}

/// The known name with the fewest letters changed, left out, added or swapped, if that is not more
/// than half of it. One that this server supports comes before one that only Samba does.
fn nearest(wanted: &str) -> Option<&'static str> {
    let ours = PARAMS
        .iter()
        .flat_map(|p| std::iter::once(p.name).chain(p.synonyms.iter().copied()));
    ours.chain(SAMBA_NAMES.iter().copied())
        .map(|name| {
            (
                strsim::damerau_levenshtein(wanted, &normal_name(name)),
                name,
            )
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, name)| *distance <= name.len() / 2)
        .map(|(_, name)| name)
}

/// Reads the value into nothing, for the mistakes and notes in it.
fn try_value(
    param: &Param,
    place: Place,
    entry: &Entry,
    report: &mut Report,
) -> Result<(), Expected> {
    let mut notes = Vec::new();
    let shown = set_scratch(param, place, &entry.value, &mut notes)?;
    for note in notes {
        report.warn(&entry.value_at, format!("`{}`: {note}", entry.name));
    }
    if entry.comment_cut && param.free_text {
        report.warn(
            &entry.value_at,
            format!(
                "what follows `#` or `;` is a comment and not part of `{}`; put the value in double quotes if it is",
                entry.name
            ),
        );
    }
    match param.effect {
        Effect::None { because, harmless } if !harmless.contains(&shown.as_str()) => report.warn(
            &entry.name_at,
            format!("`{}` has no effect: {because}", entry.name),
        ),
        Effect::None { .. } | Effect::Works => {}
    }
    Ok(())
}

/// Sets the value in a configuration that is thrown away, and shows it as read.
fn set_scratch(
    param: &Param,
    place: Place,
    value: &str,
    notes: &mut Vec<String>,
) -> Result<String, Expected> {
    let mut global = Global::default();
    let mut share = ShareConfig::default();
    match (&param.slot, place) {
        (Slot::Global(a), _) | (Slot::Both(a, _), Place::Global) => {
            (a.set)(&mut global, value, notes).map(|()| (a.show)(&global))
        }
        (Slot::Share(a), _) | (Slot::Both(_, a), Place::Share) => {
            (a.set)(&mut share, value, notes).map(|()| (a.show)(&share))
        }
        (Slot::Nothing(_, check), _) => check(value, notes),
    }
}

/// What an entry sets its target to, in comparable form. Parameters that say the same thing with
/// opposite words are compared by what they do.
fn value_of(param: &Param, place: Place, entry: &Entry) -> Option<String> {
    let mut notes = Vec::new();
    let shown = set_scratch(param, place, &entry.value, &mut notes).ok()?;
    if param.target() == "read only" && param.name != "read only" {
        return Some(if shown == "yes" { "no" } else { "yes" }.to_owned());
    }
    Some(shown)
}

fn apply_global(param: &Param, entry: &Entry, global: &mut Global, template: &mut ShareConfig) {
    let mut notes = Vec::new();
    let done = match &param.slot {
        Slot::Global(a) | Slot::Both(a, _) => (a.set)(global, &entry.value, &mut notes),
        Slot::Share(a) => (a.set)(template, &entry.value, &mut notes),
        Slot::Nothing(..) => Ok(()),
    };
    debug_assert!(done.is_ok(), "the value has been read before");
}

fn apply_share(param: &Param, entry: &Entry, share: &mut ShareConfig) {
    let mut notes = Vec::new();
    let done = match &param.slot {
        Slot::Share(a) | Slot::Both(_, a) => (a.set)(share, &entry.value, &mut notes),
        Slot::Global(_) | Slot::Nothing(..) => Ok(()),
    };
    debug_assert!(done.is_ok(), "the value has been read before");
}

fn entry_of<'a>(chosen: &[(&'static Param, &'a Entry)], target: &str) -> Option<&'a Entry> {
    chosen
        .iter()
        .find(|(p, _)| p.target() == target)
        .map(|(_, e)| *e)
}

fn check_global(
    section: &Merged<'_>,
    chosen: &[(&'static Param, &Entry)],
    global: &Global,
    report: &mut Report,
) {
    let at = |target| entry_of(chosen, target).map_or(&section.first.at, |e| &e.value_at);
    if global.server_min_protocol > global.server_max_protocol {
        use super::value::Setting;
        let (min, max) = (global.server_min_protocol, global.server_max_protocol);
        let target = match entry_of(chosen, "server min protocol") {
            Some(_) => "server min protocol",
            None => "server max protocol",
        };
        report.error(
            at(target),
            format!(
                "`server min protocol` is {} and `server max protocol` {}; expected the minimum not to be above the maximum",
                min.show(),
                max.show()
            ),
        );
    }
    if global.encryption == Encryption::Required && !global.server_max_protocol.0.is_smb3() {
        report.error(
            at("server smb encrypt"),
            "encryption is required, but no dialect before SMB3_00 has it; expected `server max protocol` to be SMB3_00 or above",
        );
    }
    if global.bind_interfaces_only && global.interfaces.is_empty() {
        report.error(
            at("bind interfaces only"),
            "expected `interfaces` to name what to bind to, since `bind interfaces only` is set",
        );
    }
}

/// One share, or `None` if the section is no share that can be served.
fn share(
    section: &Merged<'_>,
    template: &ShareConfig,
    global: &Global,
    report: &mut Report,
) -> Option<ShareConfig> {
    let name = &section.first.name;
    let at = &section.first.at;
    match section.key.as_str() {
        "homes" => report.warn(
            at,
            "`[homes]` is left out: shares made for each user are not supported",
        ),
        "printers" => report.warn(at, "`[printers]` is left out: printers are not supported"),
        "ipc$" => report.warn(
            at,
            "what stands in `[IPC$]` has no effect: the share always exists",
        ),
        _ => {}
    }
    let chosen = choose(section, Place::Share, report);
    if matches!(section.key.as_str(), "homes" | "printers" | "ipc$") {
        return None;
    }
    if let Some(entry) = entry_of(&chosen, "printable")
        && value_of_bool(entry)
    {
        report.warn(at, format!("the printer `[{name}]` is left out"));
        return None;
    }
    if let Err(expected) = check_share_name(name) {
        report.error(at, format!("expected {expected}, found `{name}`"));
    }
    let mut share = ShareConfig {
        name: name.clone(),
        at: Some(at.clone()),
        ..template.clone()
    };
    for (param, entry) in &chosen {
        apply_share(param, entry, &mut share);
    }
    share.path_at = entry_of(&chosen, "path").map(|e| e.value_at.clone());
    let path_is_wrong = section
        .entries
        .iter()
        .any(|e| !e.value.is_empty() && find(&e.name).is_some_and(|p| p.name == "path"));
    if share.path.is_none() && !path_is_wrong {
        report.error(
            at,
            format!("the share `[{name}]` has no `path`; expected `path = /directory/to/serve`"),
        );
    }
    if share.guest_only && !share.guest_ok {
        report.warn(
            entry_of(&chosen, "guest only").map_or(at, |e| &e.name_at),
            "`guest only` has no effect without `guest ok = yes`",
        );
    }
    if let Some(entry) = entry_of(&chosen, "guest account")
        && share.guest_account.as_ref() != Some(&global.guest_account)
    {
        report.warn(
            &entry.name_at,
            "`guest account` of a share has no effect yet: guests act as the one of `[global]`",
        );
    }
    if let Some(entry) = entry_of(&chosen, "server smb encrypt") {
        if share.encryption == Some(Encryption::Required) && !global.server_max_protocol.0.is_smb3()
        {
            report.error(
                &entry.value_at,
                "encryption is required, but no dialect before SMB3_00 has it; expected `server max protocol` to be SMB3_00 or above",
            );
        }
        let demanded = share.encryption.is_some_and(|e| e >= Encryption::Desired);
        if demanded && global.encryption == Encryption::Off {
            report.error(
                &entry.value_at,
                "the share asks for encryption, but it is off for the whole server; expected `server smb encrypt` in `[global]` not to be off",
            );
        }
    }
    Some(share)
}

fn value_of_bool(entry: &Entry) -> bool {
    use super::value::Setting;
    bool::parse(&entry.value, &mut Vec::new()).unwrap_or(false)
}

/// Whether a share can have this name: 1 to 63 bytes, no brackets, slashes or control characters.
///
/// # Errors
/// What was expected.
pub fn check_share_name(name: &str) -> Result<(), String> {
    let wrong = |c: char| c.is_control() || matches!(c, '[' | ']' | '/' | '\\');
    if name.trim().is_empty() || name.len() > MAX_SHARE_NAME || name.contains(wrong) {
        return Err(format!(
            "a share name of 1 to {MAX_SHARE_NAME} bytes without brackets, slashes and control characters"
        ));
    }
    if matches!(
        name.to_lowercase().as_str(),
        "global" | "ipc$" | "homes" | "printers"
    ) {
        return Err("a share name other than global, homes, printers and IPC$, which have a meaning of their own".to_owned());
    }
    Ok(())
}
