//! Lines, sections, comments, continuations, includes.

use std::path::PathBuf;

use super::{bad, good, lines, one_mistake, read_with, warned};
use crate::config::ConfigError;

#[test]
fn sections_and_entries() {
    let config = good(
        "# a comment\n; another\n\n[global]\n\tserver string = File server\n  WORKGROUP=HOME\n[Data]\npath = /srv/data\n\tcomment = \n",
    );
    assert_eq!(config.global.server_string, "File server");
    assert_eq!(config.global.workgroup.0, "HOME");
    let share = &config.shares[0];
    assert_eq!(share.name, "Data");
    assert_eq!(share.path, Some(PathBuf::from("/srv/data")));
    assert_eq!(share.comment, "");
    let at = share.path_at.clone().unwrap();
    assert_eq!((at.line, at.column), (8, 8));
    assert_eq!(at.to_string(), "/etc/smb.conf:8:8");
    let at = share.at.clone().unwrap();
    assert_eq!((at.line, at.column), (7, 2));
}

#[test]
fn windows_line_ends_and_byte_order_mark() {
    let config = good("\u{feff}[global]\r\nworkgroup = A\r\n[s]\r\npath = /s\r\n");
    assert_eq!(config.global.workgroup.0, "A");
    assert_eq!(config.shares[0].path, Some(PathBuf::from("/s")));
}

#[test]
fn names_ignore_case_and_spaces() {
    let config =
        good("[GLOBAL]\nServerString = x\n[s]\n PATH=/s\nGuest  OK = YES\nread\tonly = no");
    assert_eq!(config.global.server_string, "x");
    assert!(config.shares[0].guest_ok);
    assert!(!config.shares[0].read_only);
}

#[test]
fn continued_lines() {
    let config = good("[s]\npath = /s\nvalid users = anna, \\\n  bob,\\\n\tcarl\ncomment = a\\\nb");
    assert_eq!(config.shares[0].valid_users.len(), 3);
    assert_eq!(config.shares[0].comment, "ab");
    // Comments are not continued; a backslash at the end of the file continues nothing.
    let config = good("# \\\n[s]\n; \\\npath = /s\\");
    assert_eq!(config.shares[0].path, Some(PathBuf::from("/s")));
}

#[test]
fn positions_in_continued_lines() {
    one_mistake(
        "[s]\npath = /s\nread only = \\\n   perhaps",
        "4:4 expected `yes` or `no` for `read only`, found `perhaps`",
    );
    // Columns count characters, not bytes.
    one_mistake(
        "[ä]\npath = /s\n  grüße = x",
        "3:3 unknown parameter `grüße`; expected a parameter of ksmbd.conf(5) or smb.conf(5)",
    );
}

#[test]
fn comments_after_values() {
    let config = good("[global] ; here too\n[s] # and here\npath = /s\nguest ok = yes # why\n");
    assert!(config.shares[0].guest_ok);
    // ksmbd.conf.example has this line; the value is empty, so the default stays.
    assert!(good("[s]\npath = /s\nread only = ; yes\n").shares[0].read_only);
    // Without white space before it, `#` belongs to the value.
    let config = good("[s]\npath = /srv/c#\ncomment = \"No. #1; best\"");
    assert_eq!(config.shares[0].path, Some(PathBuf::from("/srv/c#")));
    assert_eq!(config.shares[0].comment, "No. #1; best");
    let (config, warnings) = warned("[s]\npath = /s\ncomment = No. #1");
    assert_eq!(config.shares[0].comment, "No.");
    assert_eq!(
        warnings,
        [
            "3:11 what follows `#` or `;` is a comment and not part of `comment`; put the value in double quotes if it is"
        ]
    );
}

#[test]
fn lines_that_are_nothing() {
    one_mistake(
        "[global]\nserver string\n",
        "2:1 expected `name = value` or `[section]`, found `server string`",
    );
    one_mistake(
        "[global]\n = x\n",
        "2:2 expected the name of a parameter before `=`",
    );
    one_mistake(
        "workgroup = X\n[s]\npath = /s",
        "1:1 `workgroup` stands before the first section; expected `[global]` or `[share name]` above it",
    );
    one_mistake(
        "[global\nworkgroup = X\nnonsense = 7\n[s]\npath = /s",
        "1:1 expected `]` at the end of the section name `[global`",
    );
    one_mistake(
        "[s] path = /s\npath = /s",
        "1:5 expected the end of the line after `]`, found `path = /s`",
    );
    one_mistake(
        "[ ]\n",
        "1:1 expected a section name in brackets, as in `[global]` or `[share name]`",
    );
}

#[test]
fn wrong_bytes() {
    let read = |content: &[u8]| {
        crate::config::parse(std::path::Path::new("f"), content, &mut |_| unreachable!())
    };
    let Err(ConfigError::Invalid(report)) = read(b"[s]\npath = /s\ncomment = a\xff\n") else {
        panic!("expected a mistake");
    };
    assert_eq!(
        lines(&report.errors),
        ["3:12 the line is not UTF-8; expected the file to be saved as UTF-8"]
    );
    let Err(ConfigError::Invalid(report)) = read(b"[s]\npath = /s\0\n") else {
        panic!("expected a mistake");
    };
    assert!(
        lines(&report.errors)
            .contains(&"2:10 the line has a control character; expected plain text".to_owned())
    );
}

#[test]
fn sections_of_one_name_are_one() {
    let config = good(
        "[Data]\npath = /a\n[other]\npath = /o\n[DATA]\nguest ok = yes\n[global]\nworkgroup=A\n[global]\nserver string=B",
    );
    assert_eq!(config.shares.len(), 2);
    assert_eq!(config.shares[0].name, "Data");
    assert!(config.shares[0].guest_ok);
    assert_eq!(config.global.workgroup.0, "A");
    assert_eq!(config.global.server_string, "B");
}

#[test]
fn include() {
    let (config, warnings) = read_with(
        "[global]\ninclude = more.conf\nserver string = outer\n[s]\npath = /s\n include=/x/share.conf\n comment = c\n",
        &[
            ("/etc/more.conf", "workgroup = INNER\n[extra]\npath = /e\n"),
            ("/x/share.conf", "guest ok = yes\n"),
        ],
    )
    .unwrap();
    assert_eq!(warnings, []);
    assert_eq!(config.global.workgroup.0, "INNER");
    // After the included file, the section is the one that the line stands in.
    assert_eq!(config.global.server_string, "outer");
    let names: Vec<_> = config.shares.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["extra", "s"]);
    assert!(config.shares[1].guest_ok);
    assert_eq!(config.shares[1].comment, "c");
}

#[test]
fn mistakes_in_included_files_name_them() {
    let result = read_with(
        "[global]\ninclude = sub/a.conf\n[s]\npath = /s",
        &[("/etc/sub/a.conf", "\n\nworkgroups = X")],
    );
    let Err(ConfigError::Invalid(report)) = result else {
        panic!("expected a mistake");
    };
    assert_eq!(
        report.errors[0].to_string(),
        "/etc/sub/a.conf:3:1: unknown parameter `workgroups`; did you mean `workgroup`?"
    );
}

#[test]
fn include_that_cannot_be_followed() {
    let report = bad("[global]\ninclude = gone.conf");
    assert!(lines(&report.errors)[0].starts_with("2:11 cannot read `/etc/gone.conf` ("));
    let (_, warnings) = warned("[global]\ninclude = /etc/smb.%m.conf\ninclude = registry");
    assert_eq!(
        warnings,
        [
            "2:11 `include = /etc/smb.%m.conf` is left out: macros with `%` are not supported",
            "3:11 `include = registry` is left out: Samba's registry is not read"
        ]
    );
    let Err(ConfigError::Invalid(report)) = read_with(
        "include = smb.conf",
        &[("/etc/smb.conf", "include = smb.conf")],
    ) else {
        panic!("expected a mistake");
    };
    assert_eq!(
        lines(&report.errors),
        ["1:11 files are included more than 10 deep; expected `smb.conf` not to include itself"]
    );
}

#[test]
fn a_file_that_includes_itself_often_ends() {
    let twice = "include = smb.conf\n".repeat(30);
    let Err(ConfigError::Invalid(report)) = read_with(&twice, &[("/etc/smb.conf", &twice)]) else {
        panic!("expected mistakes");
    };
    assert!(
        report
            .errors
            .iter()
            .any(|e| e.message.contains("more than 200000 lines"))
    );
}
