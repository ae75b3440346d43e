//! A scanner for master files: from text to entries with line numbers.
//!
//! An entry is a line, or several that parentheses hold together (RFC 1035 §5.1). The scanner knows parentheses, quotes,
//! escapes and comments, and nothing of names, types or directives: tokens are slices of the text with their escapes
//! still in them, because what an escaped dot means depends on who reads it. After a mistake it goes on with the next
//! entry, so that one reading finds them all.
//!
//! Deviation: a line break between quotes is a mistake here, though RFC 1035 allows it. A forgotten quote would else be
//! reported far from its line, with every later string inside out; `\010` says a line break.

/// One word or quoted string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// The text without its quotes, escapes as written.
    pub text: &'a str,
    /// Whether the text stood between quotes.
    pub quoted: bool,
    /// Whether no space separates it from the token before, as in `alpn="h2"` (RFC 9460 §2.1).
    pub joined: bool,
    /// The line it begins on, from 1.
    pub line: u32,
}

/// What an entry begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head<'a> {
    /// `$` and a word, without the `$`.
    Directive(&'a str),
    /// The owner name of a record.
    Owner(Token<'a>),
    /// White space: the owner is that of the record before.
    SameOwner,
}

/// A directive or a record: its head, and the tokens after that.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub line: u32,
    pub head: Head<'a>,
    pub tokens: Vec<Token<'a>>,
}

/// Why text is not a sequence of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    #[error("a parenthesis is never closed")]
    OpenParenthesis,
    #[error("a closing parenthesis was never opened")]
    StrayParenthesis,
    #[error("a quote is not closed on its line")]
    OpenQuote,
}

/// A mistake and the line where it begins.
pub(super) type Flaw = (u32, ScanError);

/// Iterates over the entries of a text.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    line: u32,
}

/// The entry that is being read.
#[derive(Default)]
struct Draft<'a> {
    tokens: Vec<Token<'a>>,
    /// The lines of the parentheses that are open.
    open: Vec<u32>,
    flaw: Option<Flaw>,
    /// Where the last token ended, its quote included.
    end: Option<usize>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text: text.strip_prefix('\u{feff}').unwrap_or(text), at: 0, line: 1 }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Reads to the end of the entry.
    fn draft(&mut self) -> Draft<'a> {
        let mut draft = Draft::default();
        while let Some(octet) = self.peek() {
            match octet {
                b'\n' => {
                    self.at += 1;
                    self.line += 1;
                    if draft.open.is_empty() {
                        return draft;
                    }
                }
                b' ' | b'\t' | b'\r' => self.at += 1,
                b';' => self.skip_line(),
                b'(' => {
                    draft.open.push(self.line);
                    self.at += 1;
                }
                b')' => {
                    if draft.open.pop().is_none() {
                        draft.flaw.get_or_insert((self.line, ScanError::StrayParenthesis));
                    }
                    self.at += 1;
                }
                b'"' => self.quoted(&mut draft),
                _ => self.word(&mut draft),
            }
        }
        if let Some(line) = draft.open.first() {
            draft.flaw = Some((*line, ScanError::OpenParenthesis));
        }
        draft
    }

    fn skip_line(&mut self) {
        self.at = self.text[self.at..].find('\n').map_or(self.text.len(), |length| self.at + length);
    }

    /// Moves past one character or the start of one, a backslash taking what it escapes along.
    fn step(&mut self) {
        let escape = self.peek() == Some(b'\\');
        self.at += 1;
        if escape && self.peek().is_some_and(|octet| octet != b'\n' && octet != b'\r') {
            self.at += 1;
        }
    }

    fn quoted(&mut self, draft: &mut Draft<'a>) {
        let quote = self.at;
        self.at += 1;
        while let Some(octet) = self.peek() {
            match octet {
                b'"' => {
                    self.at += 1;
                    return self.push(draft, quote, true);
                }
                b'\n' => break,
                _ => self.step(),
            }
        }
        draft.flaw.get_or_insert((self.line, ScanError::OpenQuote));
    }

    fn word(&mut self, draft: &mut Draft<'a>) {
        let start = self.at;
        while let Some(octet) = self.peek() {
            if matches!(octet, b' ' | b'\t' | b'\r' | b'\n' | b';' | b'(' | b')' | b'"') {
                break;
            }
            self.step();
        }
        self.push(draft, start, false);
    }

    fn push(&self, draft: &mut Draft<'a>, start: usize, quoted: bool) {
        let text = if quoted { &self.text[start + 1..self.at - 1] } else { &self.text[start..self.at] };
        draft.tokens.push(Token { text, quoted, joined: draft.end == Some(start), line: self.line });
        draft.end = Some(self.at);
    }
}

impl<'a> Iterator for Scanner<'a> {
    type Item = Result<Entry<'a>, Flaw>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(first) = self.peek() {
            let indented = first == b' ' || first == b'\t';
            let Draft { mut tokens, flaw, .. } = self.draft();
            if let Some(flaw) = flaw {
                return Some(Err(flaw));
            }
            let Some(&token) = tokens.first() else { continue };
            if indented {
                return Some(Ok(Entry { line: token.line, head: Head::SameOwner, tokens }));
            }
            tokens.remove(0);
            let head = match token.text.strip_prefix('$') {
                Some(directive) if !token.quoted => Head::Directive(directive),
                _ => Head::Owner(token),
            };
            return Some(Ok(Entry { line: token.line, head, tokens }));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each entry as `line head|token|token`, quoted tokens in quotes, joined ones after `+`.
    fn shown(text: &str) -> Vec<String> {
        let token = |token: &Token<'_>| {
            let quote = if token.quoted { "\"" } else { "" };
            format!("{}{quote}{}{quote}", if token.joined { '+' } else { '|' }, token.text)
        };
        let entry = |entry: Result<Entry<'_>, Flaw>| match entry {
            Err((line, error)) => format!("{line} {error:?}"),
            Ok(Entry { line, head, tokens }) => {
                let head = match head {
                    Head::Directive(name) => format!("${name}"),
                    Head::Owner(owner) => owner.text.to_string(),
                    Head::SameOwner => "-".to_string(),
                };
                format!("{line} {head}{}", tokens.iter().map(token).collect::<String>())
            }
        };
        Scanner::new(text).map(entry).collect()
    }

    #[test]
    fn entries_have_heads_tokens_and_lines() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("\n \n;x\n  ; y\n", &[]),
            ("a A 10.0.0.1", &["1 a|A|10.0.0.1"]),
            ("a A 10.0.0.1\n\tA 10.0.0.2 ; two\n", &["1 a|A|10.0.0.1", "2 -|A|10.0.0.2"]),
            ("\u{feff}$TTL 1h\r\na A 10.0.0.1\r\n", &["1 $TTL|1h", "2 a|A|10.0.0.1"]),
            ("@ SOA ( a ; (\n b\n 1 ) 2\nx A 1", &["1 @|SOA|a|b|1|2", "4 x|A|1"]),
            ("a TXT ((x) y)", &["1 a|TXT|x|y"]),
            ("a TXT (\n \"b ;c(\" \"\" d\\;e )", &["1 a|TXT|\"b ;c(\"|\"\"|d\\;e"]),
            (r#"a TXT "say \"hi\" \\""#, &[r#"1 a|TXT|"say \"hi\" \\""#]),
            (r#"a SVCB 1 . alpn="h2" port=1"#, &[r#"1 a|SVCB|1|.|alpn=+"h2"|port=1"#]),
            (r#"a TXT "b""c""#, &[r#"1 a|TXT|"b"+"c""#]),
            ("\\$a A 1\n\"$b\" A 1", &["1 \\$a|A|1", "2 $b|A|1"]),
            ("a\\ b A 1", &["1 a\\ b|A|1"]),
            ("a TXT é\\é", &["1 a|TXT|é\\é"]),
            ("a\\\nb", &["1 a\\", "2 b"]),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), *expected, "{text:?}");
        }
    }

    #[test]
    fn mistakes_have_the_line_where_they_begin() {
        let cases: &[(&str, &[&str])] = &[
            ("\na SOA (\n ( b\n", &["2 OpenParenthesis"]),
            ("a A 1 )\nb A 1", &["1 StrayParenthesis", "2 b|A|1"]),
            ("a TXT \"x\nb TXT \"y\"", &["1 OpenQuote", "2 b|TXT|\"y\""]),
            ("a TXT (\n \"x\n y )\nb A 1", &["2 OpenQuote", "4 b|A|1"]),
            ("a TXT \"x\\", &["1 OpenQuote"]),
            ("a TXT \"x\\\"", &["1 OpenQuote"]),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), *expected, "{text:?}");
        }
    }
}
