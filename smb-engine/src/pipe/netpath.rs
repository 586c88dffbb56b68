//! Path types, canonical paths and valid names, [MS-SRVS] 3.1.4.29 to 3.1.4.32. All of it is about
//! text; no file is looked at.

use super::srvsvc::win32;

/// Path types, [MS-SRVS] 2.2.2.9.
mod itype {
    pub(super) const UNC_COMPNAME: u32 = 4144;
    pub(super) const UNC: u32 = 4096;
    pub(super) const UNC_SYS_MSLOT: u32 = 6144;
    pub(super) const UNC_SYS_PIPE: u32 = 6912;
    pub(super) const PATH_RELND: u32 = 8192;
    pub(super) const PATH_ABSND: u32 = 8194;
    pub(super) const PATH_RELD: u32 = 8196;
    pub(super) const PATH_ABSD: u32 = 8198;
    pub(super) const DEVICE_DISK: u32 = 16384;
    /// Added to a type if there are wildcards in the path.
    pub(super) const WILDCARD: u32 = 1;
}

/// The most UTF-16 units of a path.
const MAX_PATH: usize = 260;

/// Characters that no component of a path may have; besides control characters.
const BAD_IN_PATH: &[char] = &['"', '<', '>', '|', ':'];

/// Where a path begins.
enum Root<'a> {
    /// `\\server`, and what follows.
    Unc(&'a str),
    /// `X:` or `X:\`, and what follows.
    Drive {
        letter: char,
        absolute: bool,
        rest: &'a str,
    },
    /// `\`, and what follows.
    Backslash(&'a str),
    /// Nothing of these.
    Relative(&'a str),
}

fn root(path: &str) -> Root<'_> {
    if let Some(rest) = path.strip_prefix("\\\\") {
        return Root::Unc(rest);
    }
    let mut chars = path.chars();
    if let (Some(letter), Some(':')) = (chars.next(), chars.next())
        && letter.is_ascii_alphabetic()
    {
        let rest = chars.as_str();
        return Root::Drive {
            letter,
            absolute: rest.starts_with('\\'),
            rest: rest.strip_prefix('\\').unwrap_or(rest),
        };
    }
    match path.strip_prefix('\\') {
        Some(rest) => Root::Backslash(rest),
        None => Root::Relative(path),
    }
}

fn checked(path: &str) -> Result<String, u32> {
    let path = path.replace('/', "\\");
    let units = path.encode_utf16().count();
    let drive = path.get(..2).is_some_and(|p| p.ends_with(':'));
    let names = if drive {
        path.get(2..)
    } else {
        Some(&path[..])
    };
    let bad = names
        .unwrap_or("")
        .chars()
        .any(|c| c.is_control() || BAD_IN_PATH.contains(&c));
    if units == 0 || units >= MAX_PATH || bad {
        return Err(win32::INVALID_NAME);
    }
    Ok(path)
}

/// The type of a path, one of [MS-SRVS] 2.2.2.9; or a Win32 error.
pub(super) fn path_type(path: &str) -> Result<u32, u32> {
    let path = checked(path)?;
    let kind = match root(&path) {
        Root::Unc(rest) => {
            let mut parts = rest.split('\\');
            let server = parts.next().unwrap_or("");
            if server.is_empty() || rest.ends_with('\\') {
                return Err(win32::INVALID_NAME);
            }
            match (parts.next(), parts.next()) {
                (None, _) => itype::UNC_COMPNAME,
                (Some(share), Some(_)) if share.eq_ignore_ascii_case("pipe") => itype::UNC_SYS_PIPE,
                (Some(share), Some(_)) if share.eq_ignore_ascii_case("mailslot") => {
                    itype::UNC_SYS_MSLOT
                }
                (Some(_), _) => itype::UNC,
            }
        }
        Root::Drive {
            absolute: false,
            rest: "",
            ..
        } => itype::DEVICE_DISK,
        Root::Drive { absolute: true, .. } => itype::PATH_ABSD,
        Root::Drive {
            absolute: false, ..
        } => itype::PATH_RELD,
        Root::Backslash(_) => itype::PATH_ABSND,
        Root::Relative(_) => itype::PATH_RELND,
    };
    let wildcards = path.contains(['*', '?']);
    Ok(match kind {
        itype::DEVICE_DISK | itype::UNC_SYS_PIPE | itype::UNC_SYS_MSLOT => kind,
        _ if wildcards => kind | itype::WILDCARD,
        _ => kind,
    })
}

/// A path with one kind of separator, without empty, `.` and `..` components, after the prefix if
/// it is relative; and its type. Or a Win32 error: also if `..` leads above the root.
pub(super) fn canonicalize(path: &str, prefix: &str) -> Result<(String, u32), u32> {
    let path = checked(path)?;
    let path = match root(&path) {
        Root::Relative(rest) if !prefix.is_empty() => {
            checked(&format!("{}\\{rest}", prefix.trim_end_matches(['\\', '/'])))?
        }
        Root::Relative(_) | Root::Unc(_) | Root::Drive { .. } | Root::Backslash(_) => path,
    };
    let (mut out, rest) = match root(&path) {
        Root::Unc(rest) => ("\\\\".to_owned(), rest),
        Root::Drive {
            letter,
            absolute,
            rest,
        } => (
            format!("{letter}:{}", if absolute { "\\" } else { "" }),
            rest,
        ),
        Root::Backslash(rest) => ("\\".to_owned(), rest),
        Root::Relative(rest) => (String::new(), rest),
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in rest.split('\\') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or(win32::INVALID_NAME)?;
            }
            name => parts.push(name),
        }
    }
    out.push_str(&parts.join("\\"));
    let kind = path_type(&out)?;
    Ok((out, kind))
}

/// Whether a name is valid for its type, [MS-SRVS] 2.2.2.8; else a Win32 error.
pub(super) fn validate_name(name: &str, name_type: u32) -> Result<(), u32> {
    /// Invalid in most names; besides control characters.
    const DEFAULT: &[char] = &[
        '"', '/', '\\', '[', ']', ':', '|', '<', '>', '+', '=', ';', ',', '?',
    ];
    // Least and most UTF-16 units, whether the default characters are invalid, and which others.
    let (least, most, default, others): (usize, usize, bool, &[char]) = match name_type {
        // User, group.
        1 | 3 => (1, 256, true, &[]),
        // Password, share password.
        2 => (0, 256, false, &[]),
        12 => (0, 8, false, &[]),
        // Computer.
        4 => (1, 260, true, &['*']),
        // Event.
        5 => (1, 16, true, &[]),
        // Domain.
        6 => (1, 15, true, &['*', ' ']),
        // Service, share.
        7 | 9 => (1, 80, true, &[]),
        // Net, message destination.
        8 | 11 => (1, 260, true, &[]),
        // Message, workgroup.
        10 | 13 => (1, 15, true, &[]),
        _ => return Err(win32::INVALID_PARAMETER),
    };
    let units = name.encode_utf16().count();
    let bad = name.chars().any(|c| {
        (default && (DEFAULT.contains(&c) || matches!(c, '\u{1}'..='\u{1f}')))
            || others.contains(&c)
    });
    let blanks = name_type == 4 && name.trim() != name;
    let only_dots = default && !name.is_empty() && name.chars().all(|c| matches!(c, '.' | ' '));
    // A message destination may end with an asterisk, and must if it has the greatest length.
    let star = name_type == 11
        && match name.find('*') {
            Some(at) => at != name.len().saturating_sub(1),
            None => units == most,
        };
    if units < least || units > most || bad || blanks || only_dots || star {
        return Err(win32::INVALID_NAME);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_paths() {
        for (path, kind) in [
            ("\\\\server", 4144),
            ("\\\\ser*", 4145),
            ("\\\\server\\share", 4096),
            ("\\\\server\\share\\a?", 4097),
            ("\\\\server\\pipe\\srvsvc", 6912),
            ("C:\\dir", 8198),
            ("c:/dir/*.txt", 8199),
            ("C:dir", 8196),
            ("C:", 16384),
            ("\\dir", 8194),
            ("dir\\file", 8192),
            ("*", 8193),
        ] {
            assert_eq!(path_type(path), Ok(kind), "{path}");
        }
        for path in ["", "a|b", "\\\\", "\\\\server\\", "a:b:c", "a\u{1}"] {
            assert_eq!(path_type(path), Err(win32::INVALID_NAME), "{path}");
        }
        assert_eq!(path_type(&"a".repeat(260)), Err(win32::INVALID_NAME));
    }

    #[test]
    fn canonical_paths() {
        let c = |p, prefix| canonicalize(p, prefix).map(|(path, _)| path);
        assert_eq!(c("C:/a//b/./c/../d", ""), Ok("C:\\a\\b\\d".into()));
        assert_eq!(c("\\\\s\\x\\..\\y", ""), Ok("\\\\s\\y".into()));
        assert_eq!(c("x", "C:\\p\\"), Ok("C:\\p\\x".into()));
        assert_eq!(c("\\x", "C:\\p"), Ok("\\x".into()));
        assert_eq!(c("a\\..\\..", ""), Err(win32::INVALID_NAME));
        assert_eq!(c("C:\\..\\x", ""), Err(win32::INVALID_NAME));
        assert_eq!(
            canonicalize("..\\..\\..\\etc", "C:\\p"),
            Err(win32::INVALID_NAME)
        );
    }

    #[test]
    fn names_by_type() {
        assert_eq!(validate_name("data", 9), Ok(()));
        for bad in ["", "a/b", "a\\b", "a?", &"x".repeat(81), ".."] {
            assert_eq!(validate_name(bad, 9), Err(win32::INVALID_NAME), "{bad}");
        }
        assert_eq!(validate_name("a b", 6), Err(win32::INVALID_NAME));
        assert_eq!(validate_name("a b", 13), Ok(()));
        assert_eq!(validate_name(" a", 4), Err(win32::INVALID_NAME));
        assert_eq!(validate_name("", 2), Ok(()));
        assert_eq!(validate_name("a*", 11), Ok(()));
        assert_eq!(validate_name("a*b", 11), Err(win32::INVALID_NAME));
        assert_eq!(
            validate_name(&"x".repeat(260), 11),
            Err(win32::INVALID_NAME)
        );
        assert_eq!(validate_name("a", 99), Err(win32::INVALID_PARAMETER));
    }
}
