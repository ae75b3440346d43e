//! Values from the text of the file.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::given::{Gathered, Given};
use super::node::Node;
use super::substitute::substitute;
use super::table::{Row, SECTIONS, nearest_key, nearest_section};
use super::{Origin, Reason};

/// A file while it is read.
struct File<'a> {
    path: &'a Path,
    text: &'a str,
    env: &'a dyn Fn(&str) -> Option<String>,
    gathered: &'a mut Gathered,
}

/// Adds the values in `text`, the content of the file at `path`; `env` knows the variables for `${…}`.
pub(super) fn read(path: &Path, text: &str, env: &dyn Fn(&str) -> Option<String>, gathered: &mut Gathered) {
    let mut file = File { path, text, env, gathered };
    let (table, errors) = DeTable::parse_recoverable(text);
    if file.syntax(&errors) {
        table.get_ref().iter().for_each(|(name, value)| file.section(name, value));
    }
}

impl File<'_> {
    /// Reports what is no TOML, once for each line, and tells whether the values can be read nevertheless: after a
    /// repeated key they can; after anything else the parser guesses where it goes on.
    fn syntax(&mut self, errors: &[toml::de::Error]) -> bool {
        let mut reported = None;
        for error in errors {
            let line = error.span().map(|span| line_of(self.text, span.start));
            if line != reported || reported.is_none() {
                reported = line;
                let message = error.message().to_owned();
                self.gathered.refuse(self.origin(line), "", Reason::Syntax { message });
            }
        }
        errors.iter().all(|error| error.message() == "duplicate key")
    }

    fn section(&mut self, name: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) {
        let origin = self.origin_of(name);
        let name = name.get_ref().as_ref();
        match value.get_ref() {
            _ if !SECTIONS.contains(&name) => {
                self.gathered.refuse(origin, name, Reason::UnknownSection { nearest: nearest_section(name) });
            }
            DeValue::Table(members) => members.iter().for_each(|(key, value)| self.key(name, key, value)),
            _ => {
                let shown = Node::of(value, &|_| None).shown();
                self.gathered.refuse(origin, name, Reason::Value { expected: format!("a section [{name}]"), shown });
            }
        }
    }

    fn key(&mut self, section: &str, name: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) {
        let origin = self.origin_of(name);
        let name = name.get_ref().as_ref();
        let key = format!("{section}.{name}");
        let Some(row) = Row::of(&key) else {
            self.gathered.refuse(origin, key, Reason::UnknownKey { nearest: nearest_key(section, name) });
            return;
        };
        let text = self.text;
        let mut node = Node::of(value, &|offset| Some(line_of(text, offset)));
        let mut missing = Vec::new();
        substitute(&mut node, self.env, &mut missing);
        if missing.is_empty() {
            let base = self.path.parent().unwrap_or(Path::new("")).to_owned();
            self.gathered.add(row.key, Given { origin, base, node });
        }
        for variable in missing {
            let origin = origin_at(self.path, variable.line);
            self.gathered.refuse(origin, row.key, Reason::MissingVariable { name: variable.name });
        }
    }

    fn origin_of(&self, name: &Spanned<DeString<'_>>) -> Origin {
        self.origin(Some(line_of(self.text, name.span().start)))
    }

    fn origin(&self, line: Option<usize>) -> Origin {
        origin_at(self.path, line)
    }
}

fn origin_at(path: &Path, line: Option<usize>) -> Origin {
    Origin::File { path: path.to_owned(), line }
}

/// The line of an octet, counted from 1.
fn line_of(text: &str, offset: usize) -> usize {
    let before = &text.as_bytes()[..offset.min(text.len())];
    before.iter().filter(|octet| **octet == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let mut gathered = Gathered::default();
        read(Path::new("c"), text, &|_| None, &mut gathered);
        gathered.problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn strangers_are_refused_by_line() {
        for (text, expected) in [
            ("[dns]\nlisen = 1\n", "c:2: dns.lisen: is not a known key; is `listen` meant?"),
            ("# a\r\n[lease]\r\n", "c:2: lease: is no section; is `leases` meant?"),
            ("listen = []\n", "c:1: listen: is no section; is `dns.listen` meant?"),
            ("dns = 5\n", "c:1: dns: must be a section [dns], not 5"),
            ("[[dns]]\n", "c:1: dns: must be a section [dns], not a list"),
            ("[dns.zone.a]\n", ""),
            (
                "[dns]\nzone = \"${A}\"\n",
                "c:2: dns.zone: the environment variable A is not set; set it, or give a default as ${A:-…}",
            ),
            (
                "dns.listen = [\n 'a',\n '${A}',\n]\n",
                "c:3: dns.listen: the environment variable A is not set; set it, or give a default as ${A:-…}",
            ),
        ] {
            assert_eq!(problems(text).join("\n"), expected, "{text}");
        }
    }

    #[test]
    fn broken_toml_has_a_line() {
        for (text, lines) in [
            ("[dns]\nzone = 'a'\nzone = 'b'\nbogus = 1\n", vec!["c:3: ", "c:4: "]),
            ("[dns]\n[http]\n[dns]\n", vec!["c:3: "]),
            ("[dns]\nzone = svc.local\nbogus = 1\n", vec!["c:2: "]),
            ("[dns\n", vec!["c:1: "]),
            ("[dns]\nlisten = [\"a\"\n", vec!["c:2: "]),
        ] {
            let problems = problems(text);
            assert_eq!(problems.len(), lines.len(), "{problems:?}");
            assert!(problems.iter().zip(lines).all(|(problem, line)| problem.starts_with(line)), "{problems:?}");
        }
    }
}
