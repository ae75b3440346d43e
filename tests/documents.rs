//! The documents hold: `config.toml` is the defaults, what is named exists, and every block is some test's.

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::documents;
use srvd::config::{Config, Sources};

const BINARY: &str = env!("CARGO_BIN_EXE_srvd");

/// Blocks that are run by something else than a test of this directory, which includes their whole page.
const INCLUDED: &[(&str, &str, &str, &str)] = &[
    ("docs/client.md", "The client", "rust", "src/client/mod.rs"),
    ("docs/operations.md", "State, backup and restore", "json", "src/store/embedded/tests/restoring.rs"),
];

/// A block by page, heading and language.
type Name = (String, String, String);

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        match path.extension().is_some_and(|extension| extension == "rs") {
            true => found.push(path),
            false if path.is_dir() => sources(&path, found),
            false => {}
        }
    }
}

/// The blocks that tests ask for.
fn claimed() -> BTreeSet<Name> {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), &mut files);
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(file!());
    let mut claimed = BTreeSet::new();
    for file in files.iter().filter(|file| **file != own) {
        let text = std::fs::read_to_string(file).expect("a source");
        let calls = ["documents::block(", "documents::blocks("].map(|call| text.split(call).skip(1));
        for call in calls.into_iter().flatten() {
            let words: Vec<&str> = call.split('"').collect();
            let [before, page, comma, heading, other, language, after] = words[..7] else {
                panic!("{}: a call has three words", file.display())
            };
            let is_call = before.trim().is_empty()
                && [comma, other].map(str::trim) == [",", ","]
                && after.trim_start_matches([',', '\n', ' ']).starts_with(')');
            assert!(is_call, "{}: the three words are written out: {page:?}", file.display());
            claimed.insert([page, heading, language].map(str::to_owned).into());
        }
    }
    for (page, heading, language, by) in INCLUDED {
        assert!(documents::read(by).contains("include_str!(") && documents::read(by).contains(page), "{by}: {page}");
        claimed.insert([*page, *heading, *language].map(str::to_owned).into());
    }
    claimed
}

/// A command or configuration that nobody runs is wrong sooner or later.
#[test]
fn every_block_is_run_by_a_test() {
    let blocks: BTreeSet<Name> = documents::pages()
        .iter()
        .flat_map(|page| documents::fenced(page))
        .map(|block| (block.page, block.heading, block.language))
        .collect();
    assert!(blocks.len() > 25, "{blocks:#?}");
    let claimed = claimed();
    let unclaimed: Vec<&Name> = blocks.difference(&claimed).collect();
    assert!(unclaimed.is_empty(), "no test runs {unclaimed:#?}");
    let gone: Vec<&Name> = claimed.difference(&blocks).collect();
    assert!(gone.is_empty(), "tests ask for {gone:#?}");
}

/// What stands in the text is one that parses: with `--help` behind it, nothing of it is done.
#[test]
fn every_command_in_the_text_parses() {
    let mut found = 0;
    for page in documents::pages() {
        let (text, mut is_code) = (documents::read(&page), false);
        for line in text.lines() {
            is_code ^= line.starts_with("```");
            let spans = line.split('`').skip(1).step_by(2).filter(|_| !is_code);
            for span in spans.filter_map(|span| span.strip_prefix("srvd ")) {
                // What follows is for the shell, or for the program that is run.
                let is_other = |word: &&str| *word == "--" || *word == "|" || word.contains('>');
                let words = span.split(' ').take_while(|word| !is_other(word));
                let output = Command::new(BINARY).args(words).arg("--help").output().expect("srvd runs");
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{page}: {span}: {said}");
                found += 1;
            }
        }
    }
    assert!(found > 15, "{found}");
}

/// Links between pages lead somewhere.
#[test]
fn what_is_linked_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = 0;
    for page in documents::pages() {
        let text = documents::read(&page);
        let directory = root.join(&page).parent().expect("a directory").to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if !link.contains("://") {
                assert!(directory.join(link).exists(), "{page}: {link}");
                found += 1;
            }
        }
    }
    assert!(found > 10, "{found}");
}

/// The figures that the README shows are those of the page that says how they came about.
#[test]
fn the_measurements_of_the_readme_are_those_of_their_page() {
    let (readme, page) = (documents::read("README.md"), documents::read("docs/measurements.md"));
    let (title, section) = ("200,000 services, 1,000,000 instances, ", "## Limits and measurements\n");
    let table: Vec<&str> = readme
        .split(section)
        .nth(1)
        .expect("the section")
        .lines()
        .filter(|line| line.starts_with("| "))
        .take(6)
        .collect();
    let ([head, _, rows @ ..], 6) = (&table[..], table.len()) else { panic!("{table:?}") };
    let transport = head.strip_prefix(&format!("| {title}")).and_then(|rest| rest.split(' ').next());
    let same =
        page.split(&format!("{title}over {}:\n", transport.expect("a transport"))).nth(1).expect("the same table");
    let same: Vec<&str> = same.lines().filter(|line| line.starts_with('|')).skip(2).take(rows.len()).collect();
    assert_eq!(rows, same);
}

/// Five minutes at the speed at which people read, and every part of it within two screens of a heading.
#[test]
fn the_readme_is_short() {
    let text = documents::read("README.md");
    let (mut words, mut is_code) = (0, false);
    for line in text.lines() {
        is_code ^= line.starts_with("```");
        if !is_code && !line.starts_with('|') {
            words += line.split_whitespace().count();
        }
    }
    assert!(text.lines().count() <= 300 && words <= 1500, "{} lines, {words} words", text.lines().count());
}

#[test]
fn the_configuration_file_is_the_defaults() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config.toml").into();
    let loaded = Config::load(&Sources { file: Some(file), ..Sources::default() }).expect("it is right");
    let mut expected = Config::default();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    expected.dns.zones_dir = root.join("zones");
    expected.store.path = root.join("data");
    assert_eq!(loaded.config, expected);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

/// Leaving a key out of the file changes nothing, so each must be told apart by its absence from the file's own text:
/// a second value for it is a duplicate only if it is there.
#[test]
fn the_configuration_file_names_every_key() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config.toml")).expect("config.toml");
    let debug = format!("{:#?}", Config::default());
    // Fields of the sections stand four blanks deeper than the sections themselves.
    let keys: Vec<&str> = debug
        .lines()
        .filter_map(|line| line.strip_prefix("        ")?.split_once(": "))
        .filter(|(name, _)| !name.starts_with(' '))
        .map(|(name, _)| name)
        .collect();
    assert!(keys.len() > 35, "{keys:?}");
    for key in keys {
        assert!(text.lines().any(|line| line.starts_with(&format!("{key} = "))), "config.toml does not name {key}");
    }
}

#[test]
fn a_key_that_is_not_known_is_refused_in_every_table() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config.toml")).expect("config.toml");
    let sections: Vec<&str> = text.lines().filter(|line| line.starts_with('[')).collect();
    assert_eq!(sections.len(), 8);
    for section in sections {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("config.toml");
        std::fs::write(&file, format!("{section}\nbogus = 1\n")).expect("a file");
        let output = Command::new(BINARY).arg("check").arg("--config").arg(&file).output().expect("srvd runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        let key = format!("{}.bogus", section.trim_matches(['[', ']']));
        assert_eq!(output.status.code(), Some(1), "{section}");
        assert!(errors.contains("config.toml:2") && errors.contains(&key), "{section}: {errors}");
    }
}

#[test]
fn the_files_of_the_repository_pass_the_check() {
    let mut command = Command::new(BINARY);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("check");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SRVD_")) {
        command.env_remove(name);
    }
    let output = command.output().expect("srvd runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "srvd: the configuration is right; 2 zone files read\n");
}

#[test]
fn the_documents_name_every_command() {
    let text = documents::read("README.md") + &documents::read("docs/command-line.md");
    let output = Command::new(BINARY).arg("--help").output().expect("srvd runs");
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .map_while(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.len() >= 7, "{help}");
    for command in commands {
        assert!(text.contains(&format!("`{command}`")) || text.contains(&format!("`srvd {command}`")), "{command}");
    }
}

/// Each file of `tests/rfc/` is run, and has a row that begins with its RFC.
#[test]
fn the_readme_lists_the_tests_by_rfc() {
    let root = env!("CARGO_MANIFEST_DIR");
    let read = |path: &str| {
        std::fs::read_to_string(format!("{root}/{path}")).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let rows = read("README.md");
    let mut listed: Vec<&str> = Vec::new();
    for row in rows.lines().filter(|row| row.ends_with(".rs` |")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [rfcs, _, file] = cells[..] else { panic!("a row has three cells: {row}") };
        let file = file.trim_matches('`');
        let first = rfcs.split(',').next().unwrap_or_default();
        assert_eq!(format!("rfc{first}.rs"), file);
        for rfc in rfcs.split(", ") {
            assert!(read(&format!("tests/rfc/{file}")).contains(&format!("RFC {rfc}")), "{file} names RFC {rfc}");
        }
        assert!(read("tests/rfc/main.rs").contains(&format!("mod rfc{first};")), "{file} is run");
        listed.push(file);
    }
    let files = std::fs::read_dir(format!("{root}/tests/rfc"))
        .expect("the directory")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
    let mut files: Vec<String> = files.filter(|file| file.starts_with("rfc")).collect();
    files.sort();
    assert_eq!(listed, files);
}
